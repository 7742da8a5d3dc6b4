"""One run of a lowered network: values from Brian2, compiled steps, values and records back to Brian2."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.bridges.brian2.forms import Array, Unsupported
from jaxsnn.bridges.brian2.interface import (
    Column,
    append_events,
    append_rates,
    append_samples,
    array_of,
    set_last_index,
)
from jaxsnn.bridges.brian2.lowering import Lowered, Recording
from jaxsnn.bridges.brian2.queue import Buffers, Slots, SpikeQueue
from jaxsnn.delays import delay_steps
from jaxsnn.events import Wiring
from jaxsnn.network.assembly import Assembly
from jaxsnn.network.profiling import operation_times
from jaxsnn.objects.base import Connections
from jaxsnn.program import Code, Deliver, Emit, Key, Operation, Program, RecordSpikes, Threshold
from jaxsnn.simulation import Params, Setting, Simulation, State
from jaxsnn.simulation.hostloop import ChunkedRun
from jaxsnn.simulation.synaptic import analyse

__all__ = ["Boundary", "Compiled", "Run", "steps_until"]

NEVER = "_never"
"""An event that does not happen: the pathways of spikes on their way have it as their own."""
TRAIL = ".trail"
"""After the name of a pathway: the label of the record of its spikes."""
LONGEST = 2**31 - 1
FIRST = -(2**30)
"""The step of a last spike that lies too far back to be counted."""


def steps_until(time: float, dt: float) -> int:
    """The first step at or after a time, unless the time is just a rounding error later."""
    nearest = round(time / dt)
    return nearest if abs(time / dt - nearest) <= 1e-4 else math.ceil(time / dt)


@dataclass
class Boundary(Assembly):
    """What is kept between runs of a network, and spikes on their way that no buffer holds.

    waiting: for each pathway of such spikes the connections, and for each synapse in how many steps one is due (-1:
    none); given, reads: of each pathway in the run before.
    """

    waiting: dict[str, tuple[Connections, np.ndarray]] = field(default_factory=dict)
    given: dict[str, Connections] = field(default_factory=dict)
    reads: dict[str, tuple[Code, Mapping[Key, np.ndarray]]] = field(default_factory=dict)

    def same(self, pathway: str, new: Connections) -> Connections:
        """The connections of the run before, if they are the same: their wiring is on the device already."""
        old = self.given.get(pathway)
        if old is not None and all(
            np.array_equal(a, b)
            for a, b in ((old.source, new.source), (old.target, new.target), (old.delay, new.delay))
        ):
            return old
        self.given[pathway] = new
        return new

    def _pathway(
        self, operation: Deliver, given: Connections, setting: Setting
    ) -> tuple[Wiring, tuple[Any, ...] | None, Any]:
        if operation.pathway not in self.waiting:
            return super()._pathway(operation, given, setting)
        given, due = self.waiting[operation.pathway]
        n_source, n_target = operation.source.size, setting.program.size(operation.target.owner)
        # As if all sources had fired in the step before, and each delay had a source of its own. A delay of 0 is that
        # of the other synapses, whose sources never fire.
        delays = np.unique(np.append(due + 1, 0))[::-1]
        row = np.searchsorted(-delays, -(due + 1))
        wiring = Wiring.build(
            row * n_source + given.source, given.target + operation.target.start, n_source * delays.size, n_target
        )
        ring = np.zeros((int(delays[0]) + 1, n_source), bool)
        now = -(-self.step // operation.every)
        ring[(now - 1) % ring.shape[0]] = True
        return replace(wiring, repeats=int(delays.size)), (jnp.asarray(ring),), delays


@dataclass
class Compiled:
    """Compiled loops of the last programs, by program: runs of one network, and of equal ones, share them."""

    most: int = 8
    loops: list[tuple[Program, Any, ChunkedRun]] = field(default_factory=list)

    def loop(self, program: Program, dtype: Any) -> ChunkedRun:
        """The loop of a program."""
        for k, (known, kind, loop) in enumerate(self.loops):
            if kind == dtype and known == program:
                self.loops.append(self.loops.pop(k))
                return loop
        loop = ChunkedRun(Simulation(program, _no_trees, dtype=dtype, backend=backend()), finite=False)
        self.loops.append((program, dtype, loop))
        del self.loops[: -self.most]
        return loop


def _no_trees(key: Any, setting: Setting) -> Any:
    raise NotImplementedError("the trees of a network of Brian2 are made for each run")


def backend() -> str:
    """Where JAX computes."""
    return "cpu" if jax.default_backend() == "cpu" else "gpu"


class Run:
    """A run of a lowered network, from a time to a time (in second)."""

    def __init__(self, lowered: Lowered, boundary: Boundary, start: float, end: float) -> None:
        self.lowered, self.boundary = lowered, boundary
        self.dt = lowered.program.dt
        self.first, self.last = steps_until(start, self.dt), steps_until(end, self.dt)
        if self.last >= LONGEST:
            raise Unsupported(f"the run ends in step {self.last}; steps are counted in 32 bits")
        # A seed begins the numbers anew, at whatever time.
        boundary.step = boundary.origin = self.first
        self.rows: dict[str, list[Mapping[str, np.ndarray]]] = {}
        self.rest: dict[str, Slots] = {}
        self.continued: dict[str, Buffers] = {}
        self.trails: dict[str, str] = {}  # the records that tell the spikes of each pathway
        self.program = self._program()

    # ---- spikes on their way -----------------------------------------------------------------------

    def _program(self) -> Program:
        """The program, with pathways for spikes on their way and records of spikes that will be."""
        boundary, parts = self.boundary, self.lowered.parts
        boundary.rings, boundary.waiting, boundary.events = {}, {}, {}
        operations: list[Operation] = []
        for operation in self.lowered.program.operations:
            if isinstance(operation, Deliver):
                path = operation.pathway
                parts.connections[path] = boundary.same(path, parts.connections[path])
                operations.extend(self._waiting(operation, parts.connections[path]))
                operations.append(operation)
                operations.extend(self._trail_of(operation, operations))
            else:
                operations.append(operation)
        program = replace(self.lowered.program, operations=tuple(operations), events=dict(parts.events))
        parts.operations = operations
        return program

    def _trail_of(self, operation: Deliver, before: list[Operation]) -> Iterator[Operation]:
        """A record of the spikes of a pathway whose buffer holds sums, which do not tell the synapses they are from."""
        path = operation.pathway
        steps = self._steps(operation, self.lowered.parts.connections[path])
        if not steps.size or steps.min() == steps.max() or not analyse(operation.code).additive:
            return
        wanted = (operation.source, operation.event, operation.every)
        fired = [
            k for k, op in enumerate(before) if isinstance(op, Threshold | Emit) and op.domain.owner == wanted[0].owner
        ]
        for op in before[fired[-1] if fired else len(before) :]:
            if isinstance(op, RecordSpikes) and (op.domain, op.event, op.every) == wanted:
                self.trails[path] = op.label
                return
        self.trails[path] = path + TRAIL
        window, event, every = wanted
        yield RecordSpikes(
            name=f"{path}_trail", slot=operation.slot, every=every, domain=window, event=event, label=path + TRAIL
        )

    def _waiting(self, operation: Deliver, given: Connections) -> Iterator[Operation]:
        path = operation.pathway
        pathway = self.lowered.pathways[path].pathway
        assert pathway is not None
        queue: SpikeQueue = pathway.queue
        now = -(-self.first // operation.every)
        kept = queue.buffers
        code, reads = operation.code, self._reads(operation.code)
        if (
            kept is not None
            and kept.step == now
            and kept.source is given.source
            and kept.target is given.target
            and np.array_equal(kept.delay, self._steps(operation, given))
            and (kept.kind != "target_ring" or _equal(kept.reads, reads))
            and path in self.boundary.reads
            and self.boundary.reads[path][0] == code
        ):
            self.boundary.rings[path] = (kept.kind, kept.rings)
            self.continued[path] = kept
            slots = queue.rest
        else:
            slots = queue.slots
        self.boundary.reads[path] = (code, reads)
        self.rest[path] = [s.copy() for s in slots]
        layer = 0
        while any(s.size for s in slots):
            due = np.full(given.source.size, -1, np.int64)
            left: Slots = []
            for k, synapses in enumerate(slots):
                chosen, where = np.unique(synapses, return_index=True)
                free = due[chosen] < 0
                due[chosen[free]] = k
                left.append(np.delete(synapses, where[free]))
            slots = left
            name = f"{path}_waiting{layer}"
            layer += 1
            self.boundary.waiting[name] = (given, due)
            self.lowered.parts.connections[name] = given
            owner = operation.source.owner
            self.lowered.parts.events[(owner, NEVER)] = self.lowered.parts.events[(owner, operation.event)]
            yield replace(operation, name=name, pathway=name, event=NEVER)

    def _steps(self, operation: Deliver, given: Connections) -> np.ndarray:
        steps = delay_steps(given.delay, self.dt * operation.every)
        return np.broadcast_to(steps, given.source.shape)

    def _reads(self, code: Code) -> Mapping[Key, np.ndarray]:
        """The values that a pathway's code reads and no operation changes."""
        written = self.lowered.program.written()
        keys = {ref.key for ref in code.scope.values() if ref.owner != "clock"} - written
        return {key: self.value(key) for key in sorted(keys)}

    # ---- values ------------------------------------------------------------------------------------

    def value(self, key: Key) -> np.ndarray:
        """A value as the program has it."""
        given = self.lowered.parts.values[key]
        if not isinstance(given, Array):
            return np.asarray(given)
        values = np.array(array_of(given.handle))
        clock = self.lowered.translation.counted.get(key)
        if clock is not None:
            values = np.maximum(np.rint(values / clock.dt), FIRST).astype(np.int32)
        return values

    def trees(self, setting: Setting, key: Any) -> tuple[Params, State]:
        """Parameters and state from what Brian2 holds now."""
        parts = self.lowered.parts
        values = {k: self.value(k) for k in parts.values}
        return self.boundary.trees(replace(parts, values=values), key, setting)

    def times(self, simulation: Simulation) -> dict[str, float]:
        """Seconds that each operation takes in one step by itself, at the values with which the run began."""
        return operation_times(simulation, *self.trees_of_start)

    def __call__(self, loop: ChunkedRun, key: Any, progress: Callable[[int], None]) -> tuple[int, BaseException | None]:
        """Run, and write everything back; the steps done, and what ended the run early."""
        simulation = loop.simulation
        self.trees_of_start = params, state = self.trees(simulation.setting, key)
        before = {k: np.asarray(state.values[k[0]][k[1]]) for k in self.lowered.translation.counted if _has(state, k)}
        state, done, stopped = loop(params, state, self.last - self.first, self._receive, progress)
        self._write_back(state, before)
        self._write_queues(state, done)
        self._write_records()
        for name, runner in self.lowered.generators.items():
            operation = next(op for op in self.program.operations if op.name == name)
            now = -(-(self.first + done) // operation.every)
            period = operation.period  # type: ignore[attr-defined]
            now = now % period if period else now
            set_last_index(runner.handle, int(np.searchsorted(self.lowered.parts.schedules[name][0], now)))
        return done, stopped

    def _receive(self, label: str, rows: Mapping[str, np.ndarray], first: int) -> None:
        events = {"first": np.asarray(first)} if "rows" in rows else {}  # from which rows are counted
        self.rows.setdefault(label, []).append({**rows, **events})

    # ---- back to Brian2 ----------------------------------------------------------------------------

    def _write_back(self, state: State, before: Mapping[Key, np.ndarray]) -> None:
        for owner, values in state.values.items():
            for name, value in values.items():
                array = self.lowered.translation.arrays.get((owner, name))
                if array is None:
                    continue
                target, new = array_of(array.handle), np.asarray(value)
                clock = self.lowered.translation.counted.get((owner, name))
                if clock is None:
                    target[...] = new.reshape(target.shape)
                else:  # what has not changed keeps its last digit
                    changed = new != before[(owner, name)]
                    target[changed] = new[changed] * clock.dt

    def _write_queues(self, state: State, done: int) -> None:
        for path, runner in self.lowered.pathways.items():
            operation = next(op for op in self.program.operations if op.name == path)
            assert isinstance(operation, Deliver)
            assert runner.pathway is not None
            now = -(-(self.first + done) // operation.every)
            gone = now - -(-self.first // operation.every)
            rest = self.rest[path][gone:]
            buffers = None
            given = self.lowered.parts.connections[path]
            if path in state.rings and given.source.size:
                delay = self._steps(operation, given)
                buffers = Buffers(
                    self.boundary.kinds[path],
                    tuple(np.asarray(ring) for ring in state.rings[path]),
                    now,
                    given.source,
                    given.target,
                    delay,
                    self._trail(path, now - int(delay.max()), operation.every),
                    self.boundary.reads[path][1],
                )
            runner.pathway.queue.keep(rest, buffers)

    def _trail(self, path: str, oldest: int, every: int) -> tuple[np.ndarray, np.ndarray]:
        """Steps and neurons of the spikes that may still be on their way."""
        found = [((r["first"] + r["rows"]) // every, r["index"]) for r in self.rows.get(self.trails.get(path, ""), ())]
        if path in self.continued:
            found.insert(0, self.continued[path].trail)
        steps, neurons = (np.concatenate([np.zeros(0, np.int64), *(f[k] for f in found)]) for k in (0, 1))
        recent = steps >= oldest
        return steps[recent], neurons[recent].astype(np.int32)

    def _write_records(self) -> None:
        for label, recording in self.lowered.recordings.items():
            _WRITES[recording.kind](recording, _kept(self.rows.get(label, []), recording), self.lowered)


def _has(state: State, key: Key) -> bool:
    return key[1] in state.values.get(key[0], {})


def _equal(old: Mapping[Key, np.ndarray], new: Mapping[Key, np.ndarray]) -> bool:
    return old.keys() == new.keys() and all(np.array_equal(old[k], new[k], equal_nan=False) for k in old)


def _joined(rows: list[Mapping[str, np.ndarray]], name: str, width: tuple[int, ...] = ()) -> np.ndarray:
    return np.concatenate([r[name] for r in rows]) if rows else np.zeros((0, *width))


def _times(steps: np.ndarray, recording: Recording, lowered: Lowered) -> np.ndarray:
    """Times of a monitor's own clock: whole steps times its dt, as Brian2 computes them."""
    clock = recording.runner.clock
    if clock.times is not None and recording.steps is not None:
        return clock.times[np.searchsorted(recording.steps, steps)]
    every = lowered.translation.every(clock)
    return (steps if every == 1 else steps // every) * clock.dt


def _kept(rows: list[Mapping[str, np.ndarray]], recording: Recording) -> list[Mapping[str, np.ndarray]]:
    """The rows of the steps in which a monitor records."""
    if recording.steps is None:
        return rows
    chosen = [np.isin(row["step"], recording.steps) for row in rows]
    return [{name: values[keep] for name, values in row.items()} for row, keep in zip(rows, chosen, strict=True)]


def _events(recording: Recording, rows: list[Mapping[str, np.ndarray]], lowered: Lowered) -> None:
    pieces = []
    for row in rows:
        first, at = int(row["first"]), row["rows"]
        if not at.size:
            continue
        # Steps have many events in common: each time is computed once.
        times: Column
        if recording.runner.clock.times is None:
            times = (_times(np.arange(first, int(row["step"][-1]) + 1), recording, lowered), at)
        else:
            times = (_times(first + at, recording, lowered), None)
        kept = {name: (row[name], None) for name in recording.values}
        pieces.append({"t": times, "i": (row["index"], None), **kept})
    append_events(recording.runner.handle, pieces)


def _samples(recording: Recording, rows: list[Mapping[str, np.ndarray]], lowered: Lowered) -> None:
    steps = _joined(rows, "step").astype(np.int64)
    values = {name: _joined(rows, name, (recording.size,)) for name in recording.values}
    append_samples(recording.runner.handle, _times(steps, recording, lowered), values)


def _rate(recording: Recording, rows: list[Mapping[str, np.ndarray]], lowered: Lowered) -> None:
    steps, count = _joined(rows, "step").astype(np.int64), _joined(rows, "count")
    rates = 1.0 * count / recording.runner.clock.dt / recording.size
    append_rates(recording.runner.handle, _times(steps, recording, lowered), rates)


_WRITES = {"events": _events, "samples": _samples, "rate": _rate}
