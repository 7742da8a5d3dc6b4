"""A run from the host: chunks of compiled steps, and functions of Python between them."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxsnn.errors import NotSupportedError
from jaxsnn.network.assembly import Assembly
from jaxsnn.network.profiling import Timing
from jaxsnn.objects.base import Parts
from jaxsnn.objects.schedule.functions import NetworkOperation, Ticks
from jaxsnn.objects.variables import HostVariable
from jaxsnn.program import Program, RecordRate, RecordSpikes, slot_position
from jaxsnn.simulation import Params, State
from jaxsnn.simulation.hostloop import ChunkedRun

__all__ = ["Calls", "Switch", "calls_of", "run_steps", "stop"]

Receive = Callable[[str, Mapping[str, np.ndarray], int], None]
_running: weakref.WeakSet[Switch] = weakref.WeakSet()


class Stopped(Exception):
    """A run was asked to stop, between two chunks."""


@dataclass(eq=False)
class Switch:
    """Whether the run of a network was asked to stop."""

    asked: bool = False

    def __enter__(self) -> Switch:
        self.asked = False
        _running.add(self)
        return self

    def __exit__(self, *error: object) -> None:
        _running.discard(self)


def stop() -> None:
    """Stop all networks that are running, each after its present step (see `Network.stop`).

    Example:
        >>> from jaxsnn import Network, NeuronGroup, network_operation, stop
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(1, "dv/dt = 1/ms : 1", method="euler")
        >>> @network_operation(when="end")
        ... def enough(t):
        ...     if cell.v[0] > 0.25:
        ...         stop()
        >>> net = Network(cell, enough)
        >>> net.run(1 * ms)
        >>> print(net.t)
        300 us
    """
    for switch in tuple(_running):
        switch.asked = True


Due = tuple[NetworkOperation, Ticks]


@dataclass(frozen=True)
class Calls:
    """Functions of Python that are called between steps: before a step or after it, each in its order."""

    before: tuple[Due, ...] = ()
    after: tuple[Due, ...] = ()

    def next(self, step: int, last: int) -> int:
        """The first boundary after ``step`` at which something is called; or ``last``, the end of the run."""
        found = [ticks.next(step + 1) for _, ticks in self.before]
        found += [None if (due := ticks.next(step)) is None else due + 1 for _, ticks in self.after]
        return min((boundary for boundary in found if boundary is not None), default=last)


def calls_of(objects: Sequence[Any], program: Program, parts: Parts, slots: Sequence[str]) -> Calls:
    """The functions of Python among the objects of a network.

    Raises:
        NotSupportedError: for one that would have to be called in the middle of a step.
    """
    before: list[tuple[Any, Due]] = []
    after: list[tuple[Any, Due]] = []
    # What a monitor of events records does not depend on when the function is called.
    others = [
        op for op in program.operations if not (isinstance(op, RecordSpikes | RecordRate) and not _with_values(op))
    ]
    for given in objects:
        if not isinstance(given, NetworkOperation) or given.compiled or not given.active:
            continue
        place = (slot_position(given.when, slots), given.order, given.order_name)
        earlier = [op for op in others if op.position_in(slots) < place]
        if earlier and len(earlier) < len(others):
            later = next(op for op in others if op.position_in(slots) > place)
            raise NotSupportedError(
                f"{given.name}: a function of Python is called between steps, but with when={given.when!r} and"
                f" order={given.order} it comes after {earlier[-1].name} and before {later.name}; write"
                f" when='before_start', order=-1 or when='after_end', order=1, or make it a pure function of JAX and"
                f" name what it writes"
            )
        late = bool(earlier) or (not others and slots.index(given.when.rpartition("_")[2]) > 0)
        (after if late else before).append((place, (given, given.steps(parts))))
    return Calls(*(tuple(due for _, due in sorted(found, key=lambda pair: pair[0])) for found in (before, after)))


def _with_values(operation: Any) -> bool:
    return bool(getattr(operation, "expressions", None))


def run_steps(
    loop: ChunkedRun,
    kept: Assembly,
    parts: Parts,
    params: Params,
    state: State,
    steps: int,
    receive: Receive,
    progress: Callable[[int], None],
    calls: Calls,
    switch: Switch,
    write_back: Callable[[State, int], None],
    timing: Timing,
) -> tuple[State, BaseException | None]:
    """Run, with calls between the steps; after each piece the objects have its values.

    Returns the state and what ended the run early, if anything did.
    """
    first = kept.step
    last = first + steps

    def told(step: int) -> Callable[[int], None]:
        def tell(done: int) -> None:
            progress(step + done - first)
            if switch.asked:
                raise Stopped

        return tell

    if not steps:  # nothing happens, but what is written is as after any run
        calls = Calls()
    while True:
        step = kept.step
        if step > first:
            state, params = _call(calls.after, step - 1, parts, loop, kept, params, state, timing)
        if switch.asked or (step == last and steps):
            return state, None
        state, params = _call(calls.before, step, parts, loop, kept, params, state, timing)
        boundary = min(last, calls.next(step, last))
        if switch.asked:
            boundary = min(step + 1, last)
        begun = time.perf_counter()
        state, done, stopped = loop(params, state, boundary - step, receive, told(step))
        timing.steps += time.perf_counter() - begun
        write_back(state, done)
        if stopped is not None and not isinstance(stopped, Stopped):
            return state, stopped
        if not steps:
            return state, None


def _call(
    due: tuple[Due, ...],
    step: int,
    parts: Parts,
    loop: ChunkedRun,
    kept: Assembly,
    params: Params,
    state: State,
    timing: Timing,
) -> tuple[State, Params]:
    """Call functions, and take over what they have assigned."""
    found = [given for given, ticks in due if step in ticks]
    if not found:
        return state, params
    hosts = {key: given for key, given in parts.values.items() if isinstance(given, HostVariable)}
    versions = {key: host.version for key, host in hosts.items()}
    for given in found:
        begun = time.perf_counter()
        given.call(step * parts.dt)
        timing.functions[given.name] = timing.functions.get(given.name, 0.0) + time.perf_counter() - begun
    changed = [key for key, host in hosts.items() if host.version != versions[key]]
    return kept.refreshed(params, state, parts, changed, loop.simulation.setting)
