"""SpikeGeneratorGroup: neurons that fire at given times."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from jaxsnn.equations.dimensions import Symbol
from jaxsnn.errors import ArgumentError, IndexRangeError
from jaxsnn.objects.base import Parts, steps_of
from jaxsnn.objects.groups import TIME, Group
from jaxsnn.program import Emit, Variable
from jaxsnn.units import DIMENSIONLESS, Quantity, ms, quantity, second, strip

__all__ = ["SpikeGeneratorGroup"]

LATEST = 2**31 - 1
"""Last step a schedule can name."""


class SpikeGeneratorGroup(Group):
    """Neurons that fire at given times.

    A spike at time t is emitted in step ``int((t + dt/1000)/dt)``: a thousandth of a step keeps times that are meant
    as multiples of dt from falling into the step before.

    Args:
        N: Number of neurons.
        indices: Neuron of each spike.
        times: Time of each spike, as many as indices.
        period: Time after which the spikes repeat, a multiple of the time step; 0 for never.
        sorted: True if the spikes are sorted by time already (saves time for very many spikes).
        dt: Own time step, a multiple of the network's.
        order: Position among objects of the same slot.
        name: Name; see `SimulationObject`.

    Spikes before the time at which a run starts are not emitted. `set_spikes` replaces the spikes between runs.

    Example:
        >>> from jaxsnn import Network, SpikeGeneratorGroup, SpikeMonitor
        >>> from jaxsnn.units import ms
        >>> source = SpikeGeneratorGroup(2, indices=[0, 1, 0], times=[1, 1, 2] * ms, period=3 * ms)
        >>> spikes = SpikeMonitor(source)
        >>> Network(source, spikes).run(6 * ms)
        >>> print(spikes.i, spikes.t)
        [0 1 0 0 1 0] [1 1 2 4 4 5] ms

    Raises:
        IndexRangeError: for an index that is no neuron of the group.
        ArgumentError: for arrays of different length, negative times, a negative period or one that ends before the
            last spike; when a run starts, for two spikes of one neuron in the same time step, and a period that is no
            multiple of the time step.
    """

    when = "thresholds"
    _prefix: ClassVar[str] = "spikegeneratorgroup"

    def __init__(
        self,
        N: int,
        indices: Any,
        times: Any,
        dt: Any = None,
        period: Any = 0 * ms,
        order: int = 0,
        sorted: bool = False,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name, order=order)
        if isinstance(N, bool) or not isinstance(N, int | np.integer) or N < 1:
            raise ArgumentError(f"{self.name}: a group needs a whole number of neurons, at least 1; got N = {N!r}")
        self._n = int(N)
        self._dt = dt
        self._now = (0.0, 1e-4)
        self._hosts = {}
        self.set_spikes(indices, times, period, sorted)

    def set_spikes(self, indices: Any, times: Any, period: Any = 0 * ms, sorted: bool = False) -> None:
        """Replace the spikes; those before the present time will not be emitted.

        Raises what the constructor raises for the same arguments.
        """
        name = self.name
        index = np.atleast_1d(np.asarray(indices))
        time = np.atleast_1d(np.asarray(strip(quantity(times), second.dim, f"{name}: times"), dtype=np.float64))
        if index.size == 0:
            index = index.astype(np.int64)
        if index.ndim != 1 or time.ndim != 1 or index.dtype.kind not in "iu":
            raise ArgumentError(
                f"{name}: needs a list of whole numbers (indices) and a list of times, got indices of type"
                f" {index.dtype} with shape {index.shape} and times with shape {time.shape}"
            )
        if index.size != time.size:
            raise ArgumentError(f"{name}: needs one time for each index, got {index.size} indices, {time.size} times")
        outside = (index < 0) | (index >= self._n)
        if np.any(outside):
            raise IndexRangeError(
                f"{name}: there are {self._n} neurons (0 to {self._n - 1}), but a spike of neuron"
                f" {index[outside][0]} is given"
            )
        if not np.all((time >= 0) & np.isfinite(time)):
            wrong = time[~((time >= 0) & np.isfinite(time))][0]
            raise ArgumentError(f"{name}: spike times are finite and not negative, got {wrong * 1e3:g} ms")
        length = float(strip(quantity(period), second.dim, f"{name}: period"))
        if not (length >= 0 and np.isfinite(length)):
            raise ArgumentError(f"{name}: a period is finite and not negative (0*ms: never repeat), got {period!r}")
        if length and time.size and time.max() >= length:
            raise ArgumentError(
                f"{name}: the period of {length * 1e3:g} ms must be longer than the time of the last spike,"
                f" {time.max() * 1e3:g} ms"
            )
        if not sorted:
            by_time = np.lexsort((index, time))
            index, time = index[by_time], time[by_time]
        elif np.any(np.diff(time) < 0):
            at = int(np.flatnonzero(np.diff(time) < 0)[0])
            raise ArgumentError(
                f"{name}: sorted=True, but spike {at + 1} ({time[at + 1] * 1e3:g} ms) is before spike {at}"
                f" ({time[at] * 1e3:g} ms)"
            )
        self._index = index.astype(np.int32)
        self._spike_times = time
        self._period = length
        self._new = True

    @property
    def period(self) -> Quantity:
        """Time after which the spikes repeat, 0 for never."""
        return Quantity(self._period, second.dim)

    # ---- VariableOwner -----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._n

    @property
    def N(self) -> int:
        """Number of neurons."""
        return self._n

    def _symbols(self) -> Mapping[str, Symbol]:
        return TIME

    def _read(self, name: str, elements: np.ndarray) -> Any:
        t, dt = self._now
        return {"i": elements, "N": self._n, "t": t, "dt": dt, "t_in_timesteps": round(t / dt)}[name]

    # ---- lowering ------------------------------------------------------------------------------------------

    def _steps(self, dt: float) -> np.ndarray:
        """Step of each spike; two of one neuron in a step are an error."""
        found = (self._spike_times + 1e-3 * dt) / dt
        if found.size and found[-1] >= LATEST:
            raise ArgumentError(
                f"{self.name}: a spike at {self._spike_times[-1]:g} s is in step {found[-1]:.3g}, but a run has at most"
                f" {LATEST} steps; is the unit right?"
            )
        steps = found.astype(np.int64)
        order = np.lexsort((self._index, steps))
        same = (np.diff(steps[order]) == 0) & (np.diff(self._index[order]) == 0)
        if np.any(same):
            at = int(np.flatnonzero(same)[0])
            first, last = (float(self._spike_times[order[k]]) * 1e3 for k in (at, at + 1))
            raise ArgumentError(
                f"{self.name}: neuron {self._index[order[at]]} spikes at {first:.9g} ms and at {last:.9g} ms, which is"
                f" the same time step of {dt * 1e3:g} ms; use a shorter time step, or take one of them out"
            )
        return steps

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        """The spikes as a schedule of steps and indices."""
        owner = self.name
        every = 1 if self._dt is None else steps_of(self._dt, parts.dt, f"{owner}: dt")
        dt = parts.dt * every
        steps = self._steps(dt)
        period = 0
        if self._period:
            period = steps_of(self.period, dt, f"{owner}: period")
            if steps.size and steps.max() >= period:
                raise ArgumentError(
                    f"{owner}: the period of {self._period * 1e3:g} ms must be longer than the time of the last spike,"
                    f" {self._spike_times[-1] * 1e3:g} ms, which falls into step {steps.max()} of {period}"
                )
        start = int(np.ceil(self._now[0] / dt - 1e-3))
        past = int(np.count_nonzero(steps < start))
        if past and self._new and not period:
            warnings.warn(
                f"{owner}: {past} of {steps.size} spikes are before the time of this run"
                f" (t = {self._now[0] * 1e3:g} ms) and are ignored",
                stacklevel=2,
            )
        order = np.lexsort((self._index, steps))
        name = self.order_name
        parts.add(Variable(owner, "N", "integer", DIMENSIONLESS, 1, True, "constant"), self._n)
        parts.events[(owner, "spike")] = self._n
        parts.schedules[name] = (steps[order], self._index[order])
        parts.times[name] = self._spike_times[order]
        parts.operations.append(
            Emit(
                name=name,
                slot="thresholds",
                order=self.order,
                every=every,
                domain=self._window,
                event="spike",
                period=period,
            )
        )
        self._new = False
        for runner in self._runners:
            parts.lower(runner, namespace)
