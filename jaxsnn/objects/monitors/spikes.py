"""SpikeMonitor: which neuron fired when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from jaxsnn.errors import NotSupportedError
from jaxsnn.objects.base import Parts, Recorder, SimulationObject
from jaxsnn.objects.groups import Group
from jaxsnn.objects.monitors.pieces import Pieces, check_fires, seconds
from jaxsnn.program import RecordSpikes
from jaxsnn.units import Quantity

__all__ = ["SpikeMonitor"]


class SpikeMonitor(Recorder):
    """Records every spike of a group: which neuron (``i``) and when (``t``), sorted by time, then neuron.

    Spikes are recorded when they are found, before synapses act on them and before the reset.

    Args:
        source: Group or subgroup; indices are those of the subgroup.
        record: False to keep only the counts.

    Attributes:
        t, i: times and neuron numbers of all spikes; ``num_spikes``, ``count``: how many, in all and of each neuron.

    Example:
        >>> from jaxsnn import Network, NeuronGroup, SpikeMonitor
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(1, "dv/dt = 1/ms : 1", threshold="v > 3.5", reset="v = 0", method="exact")
        >>> spikes = SpikeMonitor(cell)
        >>> Network(cell, spikes).run(10 * ms)
        >>> spikes.t
        [3.5 7.1] ms
    """

    _prefix: ClassVar[str] = "spikemonitor"

    def __init__(
        self,
        source: Group,
        variables: Any = None,
        record: bool = True,
        *,
        when: str | None = None,
        order: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name, when, order)
        check_fires(self.name, source)
        if variables is not None:
            raise NotSupportedError(
                f"{self.name}: recording variables at spikes is not part of this version; record them with a"
                f" StateMonitor and pick the times of the spikes"
            )
        self.source = source
        self.record = bool(record)
        self._when = when
        self._data = Pieces(np.float64, np.int32)
        self._count = np.zeros(len(source), np.int64)

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.source,)

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        parts.operations.append(
            RecordSpikes(
                name=self.order_name,
                slot=self._when or "thresholds",
                order=self.order + 1 if self._when is None else self.order,
                domain=self.source._window,
                event="spike",
                label=self.name,
            )
        )

    def receive(self, record: Mapping[str, np.ndarray], first_step: int, dt: float) -> None:
        rows, index = record["rows"], record["index"]
        self._count += np.bincount(index, minlength=self._count.size)
        if self.record:
            self._data.append((first_step + rows) * dt, index)

    @property
    def t(self) -> Quantity:
        """Times of all spikes."""
        return seconds(self._data.joined()[0])

    @property
    def i(self) -> np.ndarray:
        """Neuron of each spike."""
        return self._data.joined()[1]

    @property
    def it(self) -> tuple[np.ndarray, Quantity]:
        """``(i, t)``."""
        return self.i, self.t

    @property
    def count(self) -> np.ndarray:
        """(n,) number of spikes of each neuron."""
        return self._count.copy()

    @property
    def num_spikes(self) -> int:
        """Number of spikes of all neurons."""
        return int(self._count.sum())

    def spike_trains(self) -> dict[int, Quantity]:
        """Spike times of each neuron, ``{neuron: times}``, neurons without spikes included."""
        t, i = self._data.joined()
        order = np.argsort(i, kind="stable")
        bounds = np.searchsorted(i[order], np.arange(self._count.size + 1))
        return {k: seconds(t[order[bounds[k] : bounds[k + 1]]]) for k in range(self._count.size)}

    def __len__(self) -> int:
        return self.num_spikes

    def snapshot(self) -> dict[str, np.ndarray]:
        t, i = self._data.joined()
        return {"t": t.copy(), "i": i.copy(), "count": self._count.copy()}

    def revert(self, snapshot: Mapping[str, np.ndarray]) -> None:
        self._data = Pieces(np.float64, np.int32)
        self._data.append(snapshot["t"], snapshot["i"])
        self._count = np.array(snapshot["count"])
