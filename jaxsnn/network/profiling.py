"""What a run took: in all, and each of its operations by itself."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax

from jaxsnn.errors import NetworkError
from jaxsnn.simulation import Params, Simulation, State
from jaxsnn.simulation.records import RECORDS
from jaxsnn.units import Quantity, second

if TYPE_CHECKING:
    from jaxsnn.network.network import Network

__all__ = ["Profile", "Timing", "operation_times", "profiling_summary"]

REPEATS = 20


@dataclass
class Timing:
    """Seconds of a run: of compilation (0 if it was compiled before), of its steps, of functions of Python."""

    compilation: float = 0.0
    steps: float = 0.0
    functions: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """What a run took, all in second of wall time.

    Attributes:
        count: Steps.
        compilation: Making and compiling the step; 0 if an earlier run has done it.
        steps: All steps together, with their recording.
        functions: Functions of Python between steps, by name.
        operations: Each operation of the step by itself, once; empty unless asked for (``profile="operations"``). In a
            run operations are compiled together, so that their sum is an upper bound, and shows which are large.
    """

    count: int
    compilation: float
    steps: float
    functions: Mapping[str, float]
    operations: Mapping[str, float]

    def __str__(self) -> str:
        lines = [f"{self.count} steps in {_time(self.steps)} ({_time(self.steps / max(1, self.count))} each)"]
        lines.append(f"compilation {_time(self.compilation)}" if self.compilation else "compiled before")
        lines += [f"{name}: {_time(taken)} in all" for name, taken in self.functions.items()]
        total = sum(self.operations.values()) or 1.0
        width = max(map(len, self.operations), default=0)
        for name, taken in sorted(self.operations.items(), key=lambda item: -item[1]):
            lines.append(f"{name:<{width}}  {_time(taken):>9} by itself  {taken / total:6.1%}")
        return "\n".join(lines)


def profiling_summary(net: Network, show: int | None = None) -> str:
    """A table of what the last run with ``profile=True`` took.

    Args:
        net: The network.
        show: How many operations are listed, those that took longest; all if left out.

    Example:
        >>> from jaxsnn import Network, NeuronGroup, profiling_summary
        >>> from jaxsnn.units import ms
        >>> net = Network(NeuronGroup(1, "dv/dt = -v/(10*ms) : 1"))
        >>> net.run(1 * ms, profile="operations")
        >>> print(profiling_summary(net).splitlines()[0].split(" in ")[0])
        10 steps

    Raises:
        NetworkError: if there was no such run.
    """
    found = net.profiling_info
    if found is None:
        raise NetworkError("nothing was measured yet; write net.run(..., profile=True), or profile='operations'")
    longest = sorted(found.operations, key=lambda name: -found.operations[name])[:show]
    shown = {name: found.operations[name] for name in longest}
    return str(Profile(found.count, found.compilation, found.steps, found.functions, shown))


def operation_times(simulation: Simulation, params: Params, state: State) -> dict[str, float]:
    """Seconds that each operation takes by itself: compiled alone, the median of several calls, less an empty one."""
    step = simulation._step
    ready = jax.jit(step.prepare)(params, state)

    def empty(params: Params, state: State, prepared: Any) -> Any:
        return state.step + 1

    def alone(part: Any) -> Callable[..., Any]:
        def apply(params: Params, state: State, prepared: Any) -> Any:
            frame = step.frame(params, state)
            before: tuple[Any, ...] = (dict(frame.values), dict(frame.events), dict(frame.rings), dict(frame.cursors))
            if type(part.operation) in RECORDS:
                return part.record(frame, prepared)
            part.apply(frame, prepared)
            after: tuple[Any, ...] = (frame.values, frame.events, frame.rings, frame.cursors)
            return [new[k] for new, old in zip(after, before, strict=True) for k in new if new[k] is not old.get(k)]

        return apply

    overhead = _median(empty, params, state, None)
    return {
        part.operation.name: max(0.0, _median(alone(part), params, state, prepared) - overhead)
        for part, prepared in zip(step.parts, ready, strict=True)
    }


def _median(function: Callable[..., Any], *arguments: Any) -> float:
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*arguments))
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def _time(seconds: float) -> str:
    return str(Quantity(float(f"{seconds:.3g}"), second.dim))
