"""Clocks: intervals that objects share, and lists of times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.units import Quantity, quantity, second, strip

__all__ = ["Clock", "EventClock", "interval_of", "listed_steps"]


@dataclass(frozen=True)
class Clock:
    """A time step that several objects share; the same as giving ``dt`` to each of them.

    Args:
        dt: A multiple of the network's time step.

    Example:
        >>> from jaxsnn import Clock, NeuronGroup
        >>> from jaxsnn.units import ms
        >>> slow = Clock(1 * ms)
        >>> cells = NeuronGroup(2, "dv/dt = -v/(10*ms) : 1", clock=slow)
    """

    dt: Any

    def __post_init__(self) -> None:
        value = strip(self.dt, second.dim, "the dt of a clock")
        if np.ndim(value) or not value > 0:
            raise ArgumentError(f"the dt of a clock is one positive time, got {self.dt!r}")


class EventClock:
    """A clock that ticks at given times, for `run_regularly`, `run_at` and `StateMonitor`.

    Args:
        times: Times that are multiples of the network's time step, none of them twice, in any order.

    Example:
        >>> from jaxsnn import EventClock, Network, NeuronGroup
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(1, "x : 1")
        >>> added = cell.run_regularly("x += 1", clock=EventClock([1, 5, 7] * ms))
        >>> Network(cell).run(6 * ms)
        >>> print(cell.x[:])
        [2.]

    Raises:
        ArgumentError: for times that are negative, not finite, or given twice.
    """

    def __init__(self, times: Any) -> None:
        values = np.atleast_1d(np.asarray(strip(quantity(times), second.dim, "the times of an EventClock"), np.float64))
        if values.ndim != 1 or not np.all((values >= 0) & np.isfinite(values)):
            raise ArgumentError(f"an EventClock needs a list of times of at least 0, got {times!r}")
        self._times = np.sort(values)
        if np.any(np.diff(self._times) == 0):
            twice = self._times[:-1][np.diff(self._times) == 0][0]
            raise ArgumentError(f"an EventClock ticks once at each of its times, but {twice * 1e3:g} ms is given twice")

    @property
    def times(self) -> Quantity:
        """The times, sorted."""
        return Quantity(self._times, second.dim)

    def __repr__(self) -> str:
        return f"EventClock({self.times!r})"


def interval_of(dt: Any, clock: Any, what: str) -> Any:
    """The interval that ``dt`` or a `Clock` gives, None if neither does.

    Raises:
        ArgumentError: if both are given, or something else.
    """
    if clock is None:
        return dt
    if dt is not None:
        raise ArgumentError(f"{what}: give dt or clock, not both")
    if not isinstance(clock, Clock):
        advice = "; an EventClock is for run_regularly and StateMonitor" if isinstance(clock, EventClock) else ""
        raise ArgumentError(f"{what}: a clock is a Clock such as Clock(1*ms), got {clock!r}{advice}")
    return clock.dt


def listed_steps(clock: EventClock, dt: float, what: str) -> np.ndarray:
    """The steps at which an `EventClock` ticks.

    Raises:
        ArgumentError: for a time that is no multiple of the time step.
    """
    times = clock.times.value
    steps = np.rint(times / dt).astype(np.int64)
    wrong = np.abs(times / dt - steps) > 1e-4
    if np.any(wrong):
        time = times[wrong][0]
        near = int(time / dt) * dt
        raise ArgumentError(
            f"{what}: the time {time * 1e3:g}*ms is no multiple of the time step {dt * 1e3:g}*ms; write for example"
            f" {near * 1e3:g}*ms or {(near + dt) * 1e3:g}*ms"
        )
    if np.any(np.diff(steps) == 0):
        raise ArgumentError(f"{what}: two of the times are in one time step of {dt * 1e3:g}*ms")
    return steps.astype(np.int32)
