"""Monitors: spikes, values of variables, population rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from jaxsnn.equations.expressions import Name, names
from jaxsnn.errors import ArgumentError, NetworkError, NotSupportedError, Source, did_you_mean
from jaxsnn.objects.base import Parts, Recorder, SimulationObject, steps_of
from jaxsnn.objects.groups import Group
from jaxsnn.objects.variables import VariableOwner
from jaxsnn.program import Code, RecordRate, RecordSpikes, RecordState, Ref, Window
from jaxsnn.units import DIMENSIONLESS, Quantity, hertz, quantity, second, strip

__all__ = ["PopulationRateMonitor", "SpikeMonitor", "StateMonitor"]


class _Pieces:
    """Arrays that grow chunk by chunk; joined when read."""

    def __init__(self, *dtypes: Any) -> None:
        self.dtypes = dtypes
        self.pieces: list[tuple[np.ndarray, ...]] = []

    def append(self, *arrays: np.ndarray) -> None:
        self.pieces.append(arrays)

    def joined(self) -> tuple[np.ndarray, ...]:
        if len(self.pieces) > 1:
            self.pieces = [tuple(np.concatenate(parts) for parts in zip(*self.pieces, strict=True))]
        if not self.pieces:
            return tuple(np.zeros(0, dtype) for dtype in self.dtypes)
        return self.pieces[0]


def _seconds(values: np.ndarray) -> Quantity:
    return Quantity(values, second.dim)


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
        _check_fires(self.name, source)
        if variables is not None:
            raise NotSupportedError(
                f"{self.name}: recording variables at spikes is not part of this version; record them with a"
                f" StateMonitor and pick the times of the spikes"
            )
        self.source = source
        self.record = bool(record)
        self._when = when
        self._data = _Pieces(np.float64, np.int32)
        self._count = np.zeros(len(source), np.int64)

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.source,)

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        parts.operations.append(
            RecordSpikes(
                name=self.order_name,  # type: ignore[attr-defined]
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
        return _seconds(self._data.joined()[0])

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
        return {k: _seconds(t[order[bounds[k] : bounds[k + 1]]]) for k in range(self._count.size)}

    def __len__(self) -> int:
        return self.num_spikes

    def snapshot(self) -> dict[str, np.ndarray]:
        t, i = self._data.joined()
        return {"t": t.copy(), "i": i.copy(), "count": self._count.copy()}

    def revert(self, snapshot: Mapping[str, np.ndarray]) -> None:
        self._data = _Pieces(np.float64, np.int32)
        self._data.append(snapshot["t"], snapshot["i"])
        self._count = np.array(snapshot["count"])


class StateMonitor(Recorder):
    """Records variables (or sub-expressions) of chosen elements in every step, at its start.

    Args:
        source: Group, subgroup or synapses.
        variables: One name or several; ``True`` for all.
        record: Element numbers, a condition in text, or True for all.
        dt: Interval of recording, a multiple of the time step.
        when: Slot of recording; ``"start"`` records x(t) before anything happens in the step.

    ``M.v`` has shape (elements, times); ``M[k].v`` is the trace of element k; ``M.t`` the times.

    Example:
        >>> from jaxsnn import Network, NeuronGroup, StateMonitor
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(2, "dv/dt = -v/(10*ms) : 1")
        >>> cell.v = [1, 2]
        >>> trace = StateMonitor(cell, "v", record=1, dt=5 * ms)
        >>> Network(cell, trace).run(15 * ms)
        >>> print(trace.t, trace[1].v.round(3))
        [0 5 10] ms [2.    1.213 0.736]
    """

    _prefix: ClassVar[str] = "statemonitor"

    def __init__(
        self,
        source: VariableOwner,
        variables: str | Sequence[str] | bool,
        record: Any = True,
        *,
        dt: Any = None,
        when: str = "start",
        order: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name, when, order)
        if not isinstance(source, VariableOwner):
            raise ArgumentError(f"{self.name}: records groups and synapses, got {type(source).__name__}")
        self.source = source
        symbols = source._symbols()
        if variables is True:
            variables = [n for n in symbols if n in source._hosts or n in source._subexpressions()]
        self.variables = (variables,) if isinstance(variables, str) else tuple(variables)  # type: ignore[arg-type]
        for variable in self.variables:
            if variable not in symbols:
                raise ArgumentError(
                    f"{self.name}: {source.name} has no variable {variable!r} to record."
                    f"{did_you_mean(variable, symbols)}"
                )
        self._dt = dt
        self._record = record
        if record is False or (record is None):
            raise ArgumentError(f"{self.name}: nothing is recorded; give record=True or element numbers")
        self._all = record is True
        self._index = None if self._all else source._elements(record)
        if self._index is not None and self._index.size == 0:
            raise ArgumentError(f"{self.name}: record={record!r} chooses no element of {source.name}")
        self._t: list[np.ndarray] = []
        self._values: dict[str, list[np.ndarray]] = {v: [] for v in self.variables}

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.source,)

    @property
    def record(self) -> np.ndarray:
        """The element numbers that are recorded."""
        return np.arange(len(self.source)) if self._index is None else self._index

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        source = self.source
        every = 1 if self._dt is None else steps_of(self._dt, parts.dt, f"{self.name}: dt")
        if isinstance(source, Group):
            window = source._window
            substitutes = dict(source._code_substitutes())
            ref = source._ref
        else:
            window = Window(source.name, 0, len(source))
            substitutes = dict(source._subexpressions())
            ref = source._ref  # type: ignore[attr-defined]
        binder = source._binder(namespace, parts.dt * every)
        origin = Source(", ".join(self.variables), self.name)
        expressions = {v: binder.expand(binder.bind(substitutes.get(v, Name(v)), origin)) for v in self.variables}
        scope: dict[str, Ref] = {}
        for expr in expressions.values():
            for n in names(expr):
                if n in binder.constants:
                    constant = binder.constants[n]
                    scope[n] = Ref(source.name, n, constant.type, constant.dim, "scalar")
                else:
                    scope[n] = ref(n)
                    if scope[n].via in ("pre", "post", "pre_index", "post_index"):
                        raise NotSupportedError(
                            f"{self.name}: {n!r} belongs to the neurons of {source.name}; record it there"
                        )
        owner = source._parent.name if isinstance(source, Group) else source.name
        binder_constants = {n: c for n, c in binder.constants.items() if (owner, n) not in parts.variables}
        parts.add_constants(source.name, binder_constants)
        if self._index is not None:
            parts.indices[self.order_name] = self._index.astype(np.int32)  # type: ignore[attr-defined]
        parts.operations.append(
            RecordState(
                name=self.order_name,  # type: ignore[attr-defined]
                slot=self.when,
                order=self.order,
                every=every,
                domain=window,
                expressions=expressions,
                code=Code((), scope),
                elements=None if self._index is None else int(self._index.size),
                label=self.name,
            )
        )

    def receive(self, record: Mapping[str, np.ndarray], first_step: int, dt: float) -> None:
        self._t.append(record["step"] * dt)
        for variable in self.variables:
            self._values[variable].append(record[variable])

    def _joined(self, variable: str) -> np.ndarray:
        pieces = self._values[variable]
        if not pieces:
            return np.zeros((self.record.size, 0))
        if len(pieces) > 1:
            self._values[variable] = pieces = [np.concatenate(pieces)]
        return pieces[0].T

    @property
    def t(self) -> Quantity:
        """(T,) times of the samples."""
        return _seconds(np.concatenate(self._t) if self._t else np.zeros(0))

    def _get(self, name: str, rows: Any = slice(None)) -> Any:
        plain = name.endswith("_") and name not in self.variables
        key = name[:-1] if plain else name
        if key not in self.variables:
            raise AttributeError(f"{self.name} does not record {name!r}; it records {', '.join(self.variables)}")
        values = self._joined(key)[rows]
        if values.dtype.kind == "f":
            values = values.astype(np.float64)
        dim = self.source._symbols()[key].dim
        return values if plain or dim == DIMENSIONLESS else Quantity(values, dim)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "variables" not in self.__dict__:
            raise AttributeError(name)
        return self._get(name)

    def __getitem__(self, item: Any) -> _Recorded:
        wanted = self.source._elements(item)
        positions = {int(k): p for p, k in enumerate(self.record)}
        missing = [int(k) for k in wanted if int(k) not in positions]
        if missing:
            raise NetworkError(f"{self.name} does not record element {missing[0]} of {self.source.name}")
        rows = np.array([positions[int(k)] for k in wanted])
        return _Recorded(self, int(rows[0]) if np.ndim(item) == 0 and not isinstance(item, str | slice) else rows)

    def snapshot(self) -> dict[str, np.ndarray]:
        t = np.concatenate(self._t) if self._t else np.zeros(0)
        return {"t": t, **{f"value_{v}": self._joined(v).T.copy() for v in self.variables}}

    def revert(self, snapshot: Mapping[str, np.ndarray]) -> None:
        self._t = [np.array(snapshot["t"])]
        self._values = {v: [np.array(snapshot[f"value_{v}"])] for v in self.variables}


class _Recorded:
    """Traces of some elements of a `StateMonitor`."""

    def __init__(self, monitor: StateMonitor, rows: Any) -> None:
        self._monitor = monitor
        self._rows = rows

    @property
    def t(self) -> Quantity:
        return self._monitor.t

    def __getattr__(self, name: str) -> Any:
        return self._monitor._get(name, self._rows)


class PopulationRateMonitor(Recorder):
    """Records the mean firing rate of a group in every step: spikes / (neurons dt), at the end of the step.

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
        _check_fires(self.name, source)
        self.source = source
        self._data = _Pieces(np.float64, np.float64, np.float64)

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.source,)

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        parts.operations.append(
            RecordRate(
                name=self.order_name,  # type: ignore[attr-defined]
                slot=self.when,
                order=self.order,
                domain=self.source._window,
                event="spike",
                label=self.name,
            )
        )

    def receive(self, record: Mapping[str, np.ndarray], first_step: int, dt: float) -> None:
        rate = record["count"] / (len(self.source) * dt)
        self._data.append(record["step"] * dt, rate, np.full(rate.shape, dt))

    @property
    def t(self) -> Quantity:
        """(T,) times of the steps."""
        return _seconds(self._data.joined()[0])

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
        if isinstance(window, str):
            if width is None:
                raise ArgumentError(f"{self.name}: give a width, for example width=10*ms")
            steps = float(strip(quantity(width), second.dim, f"{self.name}: width")) / dt
            if window == "gaussian":
                half = int(np.ceil(2 * steps))
                kernel = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * steps**2))
            elif window == "flat":
                kernel = np.ones(max(1, 2 * int(steps / 2) + 1))
            else:
                raise ArgumentError(f"{self.name}: there is no window {window!r}; use 'flat', 'gaussian' or an array")
        else:
            if width is not None:
                raise ArgumentError(f"{self.name}: an array is a window by itself; leave width out")
            kernel = np.asarray(window, float)
        return Quantity(np.convolve(self._data.joined()[1], kernel / kernel.sum(), mode="same"), hertz.dim)

    def binned_rate(self, bin_size: Any) -> tuple[Quantity, Quantity]:
        """(times of the bins' beginnings, mean rate in each), for bins of a whole number of steps."""
        dt = self._dt()
        per = steps_of(bin_size, dt, f"{self.name}: bin_size")
        t, rate, _ = self._data.joined()
        bins = rate.size // per
        return _seconds(t[: bins * per : per]), Quantity(rate[: bins * per].reshape(bins, per).mean(1), hertz.dim)

    def snapshot(self) -> dict[str, np.ndarray]:
        return dict(zip(("t", "rate", "dt"), map(np.copy, self._data.joined()), strict=True))

    def revert(self, snapshot: Mapping[str, np.ndarray]) -> None:
        self._data = _Pieces(np.float64, np.float64, np.float64)
        self._data.append(*(np.array(snapshot[n]) for n in ("t", "rate", "dt")))


def _check_fires(monitor: str, source: Any) -> None:
    if not isinstance(source, Group):
        raise ArgumentError(f"{monitor}: records the spikes of groups, got {type(source).__name__}")
    if not source._events():
        raise ArgumentError(
            f"{monitor}: {source.name} has no threshold, so there are no spikes to record; give it threshold='...'"
        )
