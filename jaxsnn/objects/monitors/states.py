"""StateMonitor: values of variables over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from jaxsnn.errors import ArgumentError, NetworkError
from jaxsnn.objects.base import Parts, Recorder, SimulationObject, steps_of
from jaxsnn.objects.groups import Group
from jaxsnn.objects.monitors.pieces import check_variables, recorded, seconds
from jaxsnn.objects.schedule.clocks import Clock, EventClock, interval_of, listed_steps
from jaxsnn.objects.variables import VariableOwner, VariableView
from jaxsnn.program import RecordState
from jaxsnn.units import DIMENSIONLESS, Quantity

__all__ = ["StateMonitor"]


class StateMonitor(Recorder):
    """Records variables (or sub-expressions) of chosen elements in every step, at its start.

    Args:
        source: Group, subgroup or synapses.
        variables: One name or several; ``True`` for all.
        record: Element numbers, a condition in text, or True for all.
        dt: Interval of recording, a multiple of the time step; that of the source if left out.
        clock: A `Clock` in place of dt, or an `EventClock`: values at its times only (a compiled simulation records all
            steps).
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
        clock: Clock | EventClock | None = None,
        when: str = "start",
        order: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name, when, order)
        if not isinstance(source, VariableOwner):
            raise ArgumentError(f"{self.name}: records groups and synapses, got {type(source).__name__}")
        self.source = source
        self.variables = check_variables(self.name, source, variables)
        self._times = clock if isinstance(clock, EventClock) and dt is None else None
        self._dt = dt if self._times is not None else interval_of(dt, clock, self.name)
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
        own = getattr(source._parent if isinstance(source, Group) else source, "_dt", None)
        interval = own if self._dt is None else self._dt
        every = 1 if interval is None or self._times else steps_of(interval, parts.dt, f"{self.name}: dt")
        if self._times is not None:
            self._steps = listed_steps(self._times, parts.dt, self.name)
        window = source._window
        expressions, code = recorded(self.name, source, self.variables, parts, namespace, parts.dt * every)
        if self._index is not None:
            parts.indices[self.order_name] = self._index.astype(np.int32)
        parts.operations.append(
            RecordState(
                name=self.order_name,
                slot=self.when,
                order=self.order,
                every=every,
                domain=window,
                expressions=expressions,
                code=code,
                elements=None if self._index is None else int(self._index.size),
                label=self.name,
            )
        )

    def receive(self, record: Mapping[str, np.ndarray], first_step: int, dt: float) -> None:
        kept: Any = slice(None)
        if self._times is not None:
            kept = np.isin(record["step"], self._steps)
        self._t.append(record["step"][kept] * dt)
        for variable in self.variables:
            self._values[variable].append(record[variable][kept])

    def record_single_timestep(self) -> None:
        """Record the values of now: after a run those at its end, which otherwise only the next run would record.

        Raises:
            NetworkError: before the first run.
        """
        if not self._t:
            raise NetworkError(f"{self.name}: a single time step can be recorded after a run only")
        self._t.append(np.array([self.source._time()[0]]))
        for variable in self.variables:
            values = VariableView(self.source, variable)._plain(self.record)
            self._values[variable].append(np.broadcast_to(values, (1, self.record.size)))

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
        return seconds(np.concatenate(self._t) if self._t else np.zeros(0))

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

    def _elements_recorded(self) -> np.ndarray:
        return self.record

    def _recorded(self) -> Mapping[str, Any]:
        rows: dict[str, Any] = {"t": self.t}
        for name in self.variables:
            value = self._get(name)
            rows[name] = Quantity(value.value.T, value.dim) if isinstance(value, Quantity) else value.T
        return {**rows, "N": len(self.t)}

    def snapshot(self) -> dict[str, np.ndarray]:
        t = np.concatenate(self._t) if self._t else np.zeros(0)
        return {"t": t, **{f"value_{v}": self._joined(v).T.copy() for v in self.variables}}

    def revert(self, snapshot: Mapping[str, np.ndarray]) -> None:
        empty = snapshot["t"].size == 0  # and then without a type, which comes with the first record
        self._t = [] if empty else [np.array(snapshot["t"])]
        self._values = {v: [] if empty else [np.array(snapshot[f"value_{v}"])] for v in self.variables}


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
