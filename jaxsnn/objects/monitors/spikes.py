"""EventMonitor and SpikeMonitor: which neuron had an event when, and the values of its variables then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from jaxsnn.errors import ArgumentError, NetworkError
from jaxsnn.objects.base import Parts, Recorder, SimulationObject, steps_of
from jaxsnn.objects.groups import Group
from jaxsnn.objects.monitors.pieces import Pieces, check_fires, check_variables, recorded, seconds, smoothing
from jaxsnn.objects.variables import DTYPES
from jaxsnn.program import RecordSpikes
from jaxsnn.units import DIMENSIONLESS, Quantity, hertz

__all__ = ["EventMonitor", "SpikeMonitor"]


class EventMonitor(Recorder):
    """Records every event of a group: which neuron (``i``) and when (``t``), sorted by time, then neuron.

    Events are recorded when they are found, before synapses act on them and before code on them runs.

    Args:
        source: Group or subgroup; indices are those of the subgroup.
        event: Name of the event.
        variables: Variables or sub-expressions (one name or several); their values are recorded for the neurons that
            have the event.
        record: False to keep only the counts, and the variables.
        when: Slot of recording; by default that in which the event is found, one order later.
        order: Position among the objects of the slot.
        name: Name; see `SimulationObject`.

    Attributes:
        t, i: times and neuron numbers of all events; ``num_events``, ``count``: how many, in all and of each neuron;
            a recorded variable has its own name.

    Example:
        >>> from jaxsnn import EventMonitor, Network, NeuronGroup
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(2, "dv/dt = (1 + i)/ms : 1", method="exact", events={"high": "v > 0.95"})
        >>> down = cell.run_on_event("high", "v = 0")
        >>> high = EventMonitor(cell, "high", "v")
        >>> Network(cell, high).run(1 * ms)
        >>> print(high.t / ms, high.i, high.v.round(2))
        [0.4 0.9 0.9] [1 0 1] [1. 1. 1.]

    Raises:
        ArgumentError: for an event or a variable that the group does not have.
    """

    _prefix: ClassVar[str] = "eventmonitor"

    def __init__(
        self,
        source: Group,
        event: str,
        variables: str | Sequence[str] | bool | None = None,
        record: bool = True,
        *,
        when: str | None = None,
        order: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name, when, order)
        check_fires(self.name, source, event)
        if not isinstance(record, bool | np.bool_):
            raise ArgumentError(
                f"{self.name}: record is True or False; to record some neurons only, record a subgroup,"
                f" source[{record}]"
            )
        wanted = () if variables is None or variables is False else check_variables(self.name, source, variables)
        self.source = source
        self.event = event
        self.variables = tuple(v for v in wanted if v not in ("i", "t"))
        self.record = bool(record)
        self._when = when
        self._symbols = {v: source._symbols()[v] for v in self.variables}
        self._data = self._empty()
        self._span = (0, 0, 0.0)
        self._count = np.zeros(len(source), np.int64)

    def _empty(self) -> Pieces:
        return Pieces(np.float64, np.int32, *(DTYPES[s.type] for s in self._symbols.values()))

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.source,)

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        slot, order = self.source._event_place(self.event)
        own = getattr(self.source._parent, "_dt", None)
        dt = parts.dt * (1 if own is None else steps_of(own, parts.dt, f"{self.source.name}: dt"))
        expressions, code = recorded(self.name, self.source, self.variables, parts, namespace, dt)
        parts.operations.append(
            RecordSpikes(
                name=self.order_name,
                slot=self._when or slot,
                order=self.order if self._when else order + 1 + self.order,
                domain=self.source._window,
                event=self.event,
                expressions=expressions,
                code=code if expressions else None,
                label=self.name,
            )
        )

    def receive(self, record: Mapping[str, np.ndarray], first_step: int, dt: float) -> None:
        rows, index = record["rows"], record["index"]
        start = self._span[0] if self._span[1] else first_step
        self._span = (start, max(self._span[1], int(record["step"][-1]) + 1 - start), dt)
        self._count += np.bincount(index, minlength=self._count.size)
        values: list[np.ndarray] = [record[v].astype(DTYPES[s.type], copy=False) for v, s in self._symbols.items()]
        if self.record or values:
            # Steps have many events in common: each time is computed once.
            last = int(record["step"][-1]) + 1
            times = np.arange(first_step, last) * dt
            self._data.append(times[rows], index, *values)

    @property
    def t(self) -> Quantity:
        """Times of all events."""
        return seconds(self._part(0))

    @property
    def i(self) -> np.ndarray:
        """Neuron of each event."""
        return self._part(1)

    def _part(self, number: int) -> np.ndarray:
        return self._data.joined()[number] if self.record else np.zeros(0, self._data.dtypes[number])

    @property
    def it(self) -> tuple[np.ndarray, Quantity]:
        """``(i, t)``."""
        return self.i, self.t

    @property
    def count(self) -> np.ndarray:
        """(n,) number of events of each neuron."""
        return self._count.copy()

    @property
    def num_events(self) -> int:
        """Number of events of all neurons."""
        return int(self._count.sum())

    def _get(self, name: str) -> Any:
        plain = name.endswith("_") and name not in self.variables
        key = name[:-1] if plain else name
        if key in ("t", "i"):
            return getattr(self, key).value if plain and key == "t" else getattr(self, key)
        if key not in self.variables:
            known = ", ".join(("i", "t", *self.variables))
            raise AttributeError(
                f"{self.name} does not record {name!r}; it records {known}. Give it variables={key!r} for more"
            )
        values = self._data.joined()[2 + self.variables.index(key)]
        dim = self._symbols[key].dim
        return values if plain or dim == DIMENSIONLESS else Quantity(values, dim)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "_symbols" not in self.__dict__:
            raise AttributeError(name)
        return self._get(name)

    def values(self, variable: str) -> dict[int, Any]:
        """The values of a recorded variable (or ``"t"``) at each neuron's events, ``{neuron: values}``."""
        found = self._get(variable)
        i = self._data.joined()[1]
        order = np.argsort(i, kind="stable")
        bounds = np.searchsorted(i[order], np.arange(self._count.size + 1))
        if not self.record and variable in ("t", "i"):
            order = order[:0]
        return {k: found[order[bounds[k] : bounds[k + 1]]] for k in range(self._count.size)}

    def all_values(self) -> dict[str, dict[int, Any]]:
        """`values` of all that is recorded, by name: ``"t"`` and the variables."""
        return {name: self.values(name) for name in (*(("t",) if self.record else ()), *self.variables)}

    def _counts(self, per: int) -> np.ndarray:
        """(n, bins) events of each neuron in bins of so many steps, from the first recorded step."""
        first, steps, dt = self._span
        if not steps or not self.record:
            raise NetworkError(f"{self.name} has no times of events; it needs record=True and a run")
        t, i = self._data.joined()[:2]
        counts = np.zeros((self._count.size, steps // per))
        bins = (np.rint(t / dt).astype(np.int64) - first) // per
        kept = bins < counts.shape[1]
        np.add.at(counts, (i[kept], bins[kept]), 1)
        return counts

    def binned_rate(self, bin_size: Any) -> tuple[Quantity, Quantity]:
        """(times of the bins' beginnings, (n, bins) rate of each neuron), for bins of a whole number of steps."""
        first, _, dt = self._span
        per = steps_of(bin_size, dt or 1e-4, f"{self.name}: bin_size")
        rate = self._counts(per) / (per * dt)
        return seconds((first + per * np.arange(rate.shape[1])) * dt), Quantity(rate, hertz.dim)

    def smooth_rate(self, window: str | np.ndarray = "gaussian", width: Any = None) -> Quantity:
        """(n, steps) the rate of each neuron, convolved with a window (see `PopulationRateMonitor.smooth_rate`)."""
        kernel = smoothing(self.name, window, width, self._span[2] or 1e-4)
        rates = self._counts(1) / self._span[2]
        return Quantity(np.array([np.convolve(rate, kernel, mode="same") for rate in rates]), hertz.dim)

    def event_trains(self) -> dict[int, Quantity]:
        """Times of the events of each neuron, ``{neuron: times}``, neurons without events included."""
        return self.values("t")

    def __len__(self) -> int:
        return self.num_events

    def _recorded(self) -> Mapping[str, Any]:
        rows = {"i": self.i, "t": self.t} if self.record else {}
        values = {name: self._get(name) for name in self.variables}
        return {**rows, **values, "count": self.count, "N": self.num_events}

    def snapshot(self) -> dict[str, np.ndarray]:
        t, i, *values = self._data.joined()
        kept = {f"value_{v}": x.copy() for v, x in zip(self.variables, values, strict=True)}
        return {"t": t.copy(), "i": i.copy(), "count": self._count.copy(), "span": np.array(self._span), **kept}

    def revert(self, snapshot: Mapping[str, np.ndarray]) -> None:
        self._data = self._empty()
        self._data.append(snapshot["t"], snapshot["i"], *(snapshot[f"value_{v}"] for v in self.variables))
        self._count = np.array(snapshot["count"])
        first, steps, dt = snapshot["span"]
        self._span = (int(first), int(steps), float(dt))


class SpikeMonitor(EventMonitor):
    """Records every spike of a group: which neuron (``i``) and when (``t``), sorted by time, then neuron.

    Spikes are recorded when they are found, before synapses act on them and before the reset.

    Args:
        source: Group or subgroup; indices are those of the subgroup.
        variables: Variables or sub-expressions (one name or several); their values at each spike, before the reset, are
            recorded for the neuron that fired.
        record: False to keep only the counts, and the variables.
        when: Slot of recording; by default that in which spikes are found, one order later.
        order: Position among the objects of the slot.
        name: Name; see `SimulationObject`.

    Attributes:
        t, i: times and neuron numbers of all spikes; ``num_spikes``, ``count``: how many, in all and of each neuron;
            a recorded variable has its own name.

    Example:
        >>> from jaxsnn import Network, NeuronGroup, SpikeMonitor
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(1, "dv/dt = 1/ms : 1", threshold="v > 3.5", reset="v = 0", method="exact")
        >>> spikes = SpikeMonitor(cell, variables="v")
        >>> Network(cell, spikes).run(10 * ms)
        >>> print(spikes.t, spikes.v.round(2))
        [3.5 7.1] ms [3.6 3.6]
    """

    _prefix: ClassVar[str] = "spikemonitor"

    def __init__(
        self,
        source: Group,
        variables: str | Sequence[str] | bool | None = None,
        record: bool = True,
        *,
        when: str | None = None,
        order: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(source, "spike", variables, record, when=when, order=order, name=name)

    @property
    def num_spikes(self) -> int:
        """Number of spikes of all neurons."""
        return self.num_events

    def spike_trains(self) -> dict[int, Quantity]:
        """Spike times of each neuron, ``{neuron: times}``, neurons without spikes included."""
        return self.event_trains()
