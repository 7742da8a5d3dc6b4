"""Functions of the user in a run: pure ones inside the compiled step, others between steps."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, ClassVar

import numpy as np

from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.objects.base import Parts, SimulationObject, steps_of
from jaxsnn.objects.schedule.clocks import EventClock, interval_of, listed_steps
from jaxsnn.objects.variables import VariableView
from jaxsnn.program import Invoke, Key
from jaxsnn.units import Quantity, second

__all__ = ["NetworkOperation", "Ticks", "network_operation"]

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL)


@dataclass(frozen=True)
class Ticks:
    """Steps in which something happens: the multiples of a number, or those of a sorted list."""

    every: int
    listed: tuple[int, ...] | None = None

    def __contains__(self, step: int) -> bool:
        return self.next(step) == step

    def next(self, step: int) -> int | None:
        """The first of them from a step on, None if there is none."""
        if self.listed is None:
            return -(-step // self.every) * self.every
        place = bisect_left(self.listed, step)
        return self.listed[place] if place < len(self.listed) else None


class NetworkOperation(SimulationObject):
    """A function that runs in every step, or in intervals of its own.

    With ``writes`` it is a pure function of JAX and part of the compiled step: ``function(t, values)`` reads variables
    and events of all objects by dotted name (``values["cells.v"]``, ``values["cells.spike"]``; arrays in base units,
    one for the whole group), and returns new values of those that it ``writes``, ``{"cells.I": ...}``. It is compiled,
    batched and differentiated with the rest; ``values.key`` is a random key.

    Without ``writes`` it is any function of Python, called between steps by `Network.run` (not by compiled
    simulations): ``function(t)``, or ``function()``. It reads and assigns values through the objects, has side effects
    as it likes, and can call `stop`. Each call costs about a millisecond, so give it an interval.

    Args:
        function: The function.
        writes: What it changes: dotted names, or variables such as ``cells.I``; ``[]`` for nothing.
        dt: Interval, a multiple of the network's time step; by default every step.
        clock: A `Clock` in place of dt, or an `EventClock`.
        when: Slot of the schedule. A function of Python comes before everything else in the step, or after it.
        order: Position among objects of the same slot.
        name: Name; see `SimulationObject`.

    Example:
        >>> from jaxsnn import Network, NetworkOperation, NeuronGroup
        >>> from jaxsnn.units import ms
        >>> cells = NeuronGroup(2, "v : 1", name="cells")
        >>> double = NetworkOperation(lambda t, values: {"cells.v": 2 * values["cells.v"]}, writes=[cells.v], dt=1 * ms)
        >>> seen = []
        >>> look = NetworkOperation(lambda t: seen.append(float(cells.v[1])), dt=1 * ms, when="end")
        >>> cells.v = [1, 3]
        >>> Network(cells, double, look).run(3 * ms)
        >>> print(cells.v[:], seen)
        [ 8. 24.] [6.0, 12.0, 24.0]

    Raises:
        ArgumentError: for what is no function, or takes other arguments.
    """

    _prefix: ClassVar[str] = "networkoperation"

    def __init__(
        self,
        function: Callable[..., Any],
        writes: Iterable[str | VariableView] | str | VariableView | None = None,
        *,
        dt: Any = None,
        clock: Any = None,
        when: str = "start",
        order: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name, when, order)
        if not callable(function):
            raise ArgumentError(f"{self.name}: needs a function, got {function!r}")
        self.function = function
        given = (writes,) if isinstance(writes, str | VariableView) else writes
        self.writes = None if given is None else tuple(given)
        self._times = clock if isinstance(clock, EventClock) and dt is None else None
        self._dt = dt if self._times is not None else interval_of(dt, clock, self.name)
        self._arguments = self._count((0, 1) if self.writes is None else (2,))

    def _count(self, allowed: tuple[int, ...]) -> int:
        """How many arguments the function is called with."""
        try:
            given = [p for p in signature(self.function).parameters.values() if p.kind in _POSITIONAL]
        except ValueError:  # some functions written in C do not tell
            return max(allowed)
        needed = sum(p.default is Parameter.empty for p in given if p.kind is not Parameter.VAR_POSITIONAL)
        most = max(allowed) if any(p.kind is Parameter.VAR_POSITIONAL for p in given) else len(given)
        possible = [n for n in allowed if needed <= n <= most]
        if not possible:
            what = "(t), or none" if self.writes is None else "(t, values)"
            raise ArgumentError(f"{self.name}: the function takes the arguments {what}; this one takes {needed}")
        return max(possible)

    @property
    def compiled(self) -> bool:
        """Whether it is part of the compiled step."""
        return self.writes is not None

    def call(self, t: float) -> None:
        """Call a function of Python at a time in second."""
        if self._arguments:
            self.function(Quantity(t, second.dim))
        else:
            self.function()

    def steps(self, parts: Parts) -> Ticks:
        """The steps of a program in which it runs."""
        if self._times is not None:
            return Ticks(1, tuple(listed_steps(self._times, parts.dt, self.name).tolist()))
        return Ticks(1 if self._dt is None else steps_of(self._dt, parts.dt, f"{self.name}: dt"))

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        """An `Invoke`, of a pure function."""
        if self.writes is None:
            return
        ticks = self.steps(parts)
        if ticks.listed is not None:
            parts.indices[f"{self.order_name}.steps"] = np.asarray(ticks.listed, np.int32)
        parts.operations.append(
            Invoke(
                name=self.order_name,
                slot=self.when,
                order=self.order,
                every=ticks.every,
                listed=ticks.listed is not None,
                function=self.function,
                writes=tuple(self._key(given) for given in self.writes),
            )
        )

    def _key(self, given: Any) -> Key:
        if isinstance(given, VariableView):
            return given._owner._parent.name, given.name
        owner, _, name = str(given).rpartition(".")
        if not owner:
            raise ArgumentError(f"{self.name}: writes={given!r} is no dotted name of a variable such as 'cells.v'")
        return owner, name

    def check(self, parts: Parts) -> None:
        """Refuse to write what is no variable, when all objects are known."""
        if self.writes is None:
            return
        known = {".".join(key): v for key, v in parts.variables.items() if v.role in ("state", "parameter")}
        for key in map(self._key, self.writes):
            if ".".join(key) not in known:
                raise ArgumentError(
                    f"{self.name}: there is no variable {'.'.join(key)!r} to write.{did_you_mean('.'.join(key), known)}"
                )


def network_operation(*given: Any, **arguments: Any) -> Any:
    """Make a `NetworkOperation` of a function, as a decorator with or without arguments.

    Example:
        >>> from jaxsnn import network_operation
        >>> from jaxsnn.units import ms
        >>> @network_operation(dt=10 * ms)
        ... def tell(t):
        ...     print(t)
    """
    if len(given) == 1 and not arguments and callable(given[0]):
        return NetworkOperation(given[0])
    if given:
        raise ArgumentError("network_operation takes its arguments by name: @network_operation(dt=10*ms)")
    return lambda function: NetworkOperation(function, **arguments)
