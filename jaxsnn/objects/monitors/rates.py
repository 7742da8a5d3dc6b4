"""PopulationRateMonitor: the mean firing rate of a group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from jaxsnn.errors import NetworkError
from jaxsnn.objects.base import Parts, Recorder, SimulationObject, steps_of
from jaxsnn.objects.groups import Group
from jaxsnn.objects.monitors.pieces import Pieces, check_fires, seconds, smoothing
from jaxsnn.program import RecordRate
from jaxsnn.units import Quantity, hertz

__all__ = ["PopulationRateMonitor"]


class PopulationRateMonitor(Recorder):
    """Records the mean firing rate of a group in each of its steps: spikes / (neurons dt), at the end of the step.

    Example:
        >>> from jaxsnn import Network, NeuronGroup, PopulationRateMonitor
        >>> from jaxsnn.units import ms
        >>> cells = NeuronGroup(10, "dv/dt = 1/ms : 1", threshold="v > 0.55", reset="v = 0", method="exact")
        >>> rate = PopulationRateMonitor(cells)
        >>> Network(cells, rate).run(1 * ms)
        >>> rate.rate[4:6]
        [0 10] kHz
    """

    _prefix: ClassVar[str] = "ratemonitor"
    when = "end"

    def __init__(self, source: Group, *, when: str = "end", order: int = 0, name: str | None = None) -> None:
        super().__init__(name, when, order)
        check_fires(self.name, source)
        self.source = source
        self._every = 1
        self._data = Pieces(np.float64, np.float64, np.float64)

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.source,)

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        own = getattr(self.source._parent, "_dt", None)
        every = self._every = 1 if own is None else steps_of(own, parts.dt, f"{self.name}: dt")
        parts.operations.append(
            RecordRate(
                name=self.order_name,
                slot=self.when,
                order=self.order,
                every=every,
                domain=self.source._window,
                event="spike",
                label=self.name,
            )
        )

    def receive(self, record: Mapping[str, np.ndarray], first_step: int, dt: float) -> None:
        own = dt * self._every
        rate = record["count"] / (len(self.source) * own)
        self._data.append(record["step"] * dt, rate, np.full(rate.shape, own))

    @property
    def t(self) -> Quantity:
        """(T,) times of the steps."""
        return seconds(self._data.joined()[0])

    @property
    def rate(self) -> Quantity:
        """(T,) mean rate in each step."""
        return Quantity(self._data.joined()[1], hertz.dim)

    def _dt(self) -> float:
        steps = self._data.joined()[2]
        if steps.size == 0:
            raise NetworkError(f"{self.name} has recorded nothing yet")
        if np.any(steps != steps[0]):
            raise NetworkError(f"{self.name}: the time step changed between runs; bin the rate of each run by itself")
        return float(steps[0])

    def smooth_rate(self, window: str | np.ndarray = "gaussian", width: Any = None) -> Quantity:
        """The rate convolved with a window: ``"flat"`` or ``"gaussian"`` of the given width, or an array.

        ``width`` is the standard deviation of the Gaussian, the whole width of the flat window (rounded to an odd
        number of steps).
        """
        dt = self._dt()
        kernel = smoothing(self.name, window, width, dt)
        return Quantity(np.convolve(self._data.joined()[1], kernel, mode="same"), hertz.dim)

    def binned_rate(self, bin_size: Any) -> tuple[Quantity, Quantity]:
        """(times of the bins' beginnings, mean rate in each), for bins of a whole number of steps."""
        dt = self._dt()
        per = steps_of(bin_size, dt, f"{self.name}: bin_size")
        t, rate, _ = self._data.joined()
        bins = rate.size // per
        return seconds(t[: bins * per : per]), Quantity(rate[: bins * per].reshape(bins, per).mean(1), hertz.dim)

    def _recorded(self) -> Mapping[str, Any]:
        return {"t": self.t, "rate": self.rate, "N": len(self.t)}

    def snapshot(self) -> dict[str, np.ndarray]:
        return dict(zip(("t", "rate", "dt"), map(np.copy, self._data.joined()), strict=True))

    def revert(self, snapshot: Mapping[str, np.ndarray]) -> None:
        self._data = Pieces(np.float64, np.float64, np.float64)
        self._data.append(*(np.array(snapshot[n]) for n in ("t", "rate", "dt")))
