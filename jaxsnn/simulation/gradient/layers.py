"""Layer by layer: all steps of one part of a network, then all steps of what it drives.

Where signals go only forward, as in a layered network, the spikes of a layer in *all* steps are known before the next
layer begins. What a pathway of weights between them adds is then one product of matrices, ``(steps, sources)`` with
``(sources, targets)``, instead of one of a vector and a matrix in each step; and the loop over steps is left with what
really depends on the step before. Neurons that have no memory at all need no loop. Groups that drive each other, or
themselves, share a layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.events import EXECUTIONS, Operands
from jaxsnn.program import (
    Deliver,
    Emit,
    Operation,
    RecordRate,
    RecordSpikes,
    RecordState,
    Reset,
    Summed,
    Threshold,
    Update,
)
from jaxsnn.simulation.frame import Frame
from jaxsnn.simulation.gradient.delivery import SmoothDelivery
from jaxsnn.simulation.operations import touched
from jaxsnn.simulation.state import State
from jaxsnn.simulation.synaptic.one_stage import OneStage

__all__ = ["Layer", "layered", "merged", "over_time", "whole"]

Array = Any
KNOWN = (Deliver, Emit, RecordRate, RecordSpikes, RecordState, Reset, Summed, Threshold, Update)


@dataclass(frozen=True)
class Layer:
    """Operations that share a loop over the steps; numbers are places in the list of operations.

    owners: objects whose values and spikes it holds; reads: dotted names of what its code reads or writes; emits:
    generators' operations, by name; sends: pathways to later layers; memoryless: whether a step depends on nothing of
    the step before; everything: whether it is the only one (a function of the user may look at any object).
    """

    places: frozenset[int]
    owners: frozenset[str]
    reads: frozenset[str]
    emits: frozenset[str] = frozenset()
    sends: tuple[int, ...] = ()
    memoryless: bool = False
    everything: bool = False

    def part_of(self, state: State) -> State:
        """What the loop carries of a state, without tables."""
        if self.everything:
            return replace(state, tables=None)  # type: ignore[arg-type]
        return replace(
            state,
            values={owner: names for owner, names in state.values.items() if owner in self.owners},
            events={path: flags for path, flags in state.events.items() if _owner(path) in self.owners},
            rings={path: rings for path, rings in state.rings.items() if _owner(path) in self.owners},
            cursors={name: cursor for name, cursor in state.cursors.items() if name in self.emits},
            tables=None,  # type: ignore[arg-type]
        )


def _owner(path: str) -> str:
    return path.rpartition(".")[0]


def whole(parts: Sequence[Any]) -> Layer:
    """All operations as one layer."""
    operations = [part.operation for part in parts]
    places, owners = frozenset(range(len(parts))), frozenset(_objects(operations))
    return Layer(places, owners, _reads(operations), everything=True)


def layered(parts: Sequence[Any], frame: Frame) -> tuple[Layer, ...]:
    """The layers of a step, first to last; a single one if nothing can be told apart."""
    operations = [part.operation for part in parts]
    # A linked variable is one of another object, which the code does not name.
    if frame.setting.program.links or not all(isinstance(op, KNOWN) and _objects([op]) for op in operations):
        return (whole(parts),)
    between = {k for k, part in enumerate(parts) if _separable(k, parts, frame)}
    groups = _Groups()
    for k, op in enumerate(operations):
        if k not in between:
            groups.join(_objects([op]))
    edges = [(k, *_ends(operations[k])) for k in sorted(between)]
    groups.join_cycles([(source, target) for _, source, target in edges])
    depth = _depths(groups, [(groups.of(a), groups.of(b)) for _, a, b in edges])
    levels = sorted(set(depth.values()))
    if len(levels) < 2:
        return (whole(parts),)
    at = {k: depth[groups.of(_ends(op)[1] if k in between else _objects([op])[0])] for k, op in enumerate(operations)}
    found = []
    for level in levels:
        places = frozenset(k for k in at if at[k] == level)
        inside = [k for k, source, _ in edges if depth[groups.of(source)] == level]
        sends = tuple(k for k in inside if k not in places)
        # The synapses of a pathway belong to the layer that they reach, and so does what they reach.
        objects = {name for k in places for name in _objects([operations[k]]) if k not in between}
        for k in places & between:
            objects |= {operations[k].pathway.rpartition(".")[0], operations[k].target.owner}
        memoryless = all(_memoryless(operations[k], frame) for k in places)
        reads = _reads([operations[k] for k in places])
        emits = frozenset(operations[k].name for k in places if isinstance(operations[k], Emit))
        found.append(Layer(places, frozenset(objects), reads, emits, sends, memoryless))
    return tuple(found)


def _objects(operations: Iterable[Operation]) -> list[str]:
    """The objects that operations deal with; the first is the one they belong to."""
    names: dict[str, None] = {}
    for op in operations:
        for window in (getattr(op, "domain", None), getattr(op, "source", None), getattr(op, "target", None)):
            if window is not None:
                names[window.owner] = None
        if isinstance(op, Deliver):
            names[op.pathway.rpartition(".")[0]] = None
        names.update(dict.fromkeys(key[0] for key, _ in touched(op) if key[0] != "clock"))
    return list(names)


def _reads(operations: Iterable[Operation]) -> frozenset[str]:
    return frozenset(".".join(key) for op in operations for key, _ in touched(op))


def _ends(op: Any) -> tuple[str, str]:
    return op.source.owner, op.target.owner


def _separable(place: int, parts: Sequence[Any], frame: Frame) -> bool:
    """Whether all that a pathway adds in a run can be computed from all spikes of its source."""
    part = parts[place]
    op = part.operation
    if not isinstance(op, Deliver) or not isinstance(part.way, OneStage) or not part.way.constant or not op.always:
        return False
    way = part.way
    wiring = frame.tables.wirings[op.pathway]
    rings = frame.rings.get(op.pathway, ())
    plain = op.delay is None and wiring.delay is None and wiring.repeats == 1 and not wiring.at_arrival
    if not way.changes or not plain or len(rings) > 1 or any(output.side != "target" for output in way.outputs):
        return False
    if {change.ref.key[0] for change in way.changes} != {op.target.owner}:
        return False
    execution = way.execution(frame)
    if not isinstance(execution, SmoothDelivery) or execution.hard is not EXECUTIONS["dense"]:
        return False
    # Spikes of the step before, if the pathway comes first, are not among those of the run.
    return any(
        isinstance(p.operation, Threshold | Emit)
        and (p.operation.domain.owner, p.operation.event) == (op.source.owner, op.event)
        for p in parts[:place]
    )


def _memoryless(op: Operation, frame: Frame) -> bool:
    """Whether an operation leaves nothing to the next step but the spikes themselves."""
    if isinstance(op, Deliver):
        return False
    reads_state = any(key in frame.values for key, _ in touched(op))
    return (
        not reads_state and isinstance(op, Threshold | RecordSpikes | RecordState) and not getattr(op, "refractory", 0)
    )


class _Groups:
    """Objects that share a layer."""

    def __init__(self) -> None:
        self.parent: dict[str, str] = {}

    def of(self, name: str) -> str:
        while self.parent.setdefault(name, name) != name:
            name = self.parent[name]
        return name

    def join(self, names: Sequence[str]) -> None:
        for name in names:
            self.parent[self.of(name)] = self.of(names[0])

    def join_cycles(self, edges: Sequence[tuple[str, str]]) -> None:
        """Those that reach each other become one."""
        while True:
            reach: dict[str, set[str]] = {}
            for a, b in edges:
                reach.setdefault(self.of(a), set()).add(self.of(b))
            for _ in reach:
                for found in reach.values():
                    found |= {further for name in tuple(found) for further in reach.get(name, ())}
            cycle = next(((a, b) for a in reach for b in reach[a] if a != b and a in reach.get(b, ())), None)
            if cycle is None:
                return
            self.join(cycle)


def _depths(groups: _Groups, edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """How many pathways lie before each set of objects, at most."""
    depth = {groups.of(name): 0 for name in tuple(groups.parent)}
    for _ in depth:
        for a, b in edges:
            if a != b:
                depth[b] = max(depth[b], depth[a] + 1)
    return depth


def over_time(part: Any, prepared: Any, frame: Frame, spikes: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """What a pathway adds in each step of a run, and its rings after the last.

    Args:
        frame: before the first step.
        spikes: ``(steps, n)`` of the group that it comes from.
    """
    op, way = part.operation, part.way
    spikes = spikes[:, op.source.start : op.source.stop]
    rings = frame.rings.get(op.pathway, ())
    if rings:
        arriving, ring = _delayed(rings[0], frame.step, spikes, frame.tables.indices[f"{op.pathway}.delay"])
        spikes, rings = arriving, (ring,)
    wiring = frame.tables.wirings[op.pathway]
    empty = tuple(jnp.zeros_like(way.part(frame, k)) for k in range(len(way.changes)))

    def one(arrived: Array) -> tuple[Array, ...]:
        return way.execution(frame).deliver(
            prepared.execution, wiring, arrived, way.contribution, Operands(), empty, frame.step
        )

    return jax.vmap(one)(spikes), rings


def _delayed(ring: Array, first: Array, spikes: Array, delay: Array) -> tuple[Array, Array]:
    """Spikes that arrive in each step, and the ring after the last; see `jaxsnn.delays.source_ring`."""
    steps, length = spikes.shape[0], ring.shape[0]
    waiting = ring[(first + jnp.arange(length - 1)) % length]
    due = jnp.zeros((steps + length - 1, spikes.shape[1]), spikes.dtype)
    new = jax.lax.dynamic_update_slice(due, spikes, (delay.astype(jnp.int32), jnp.int32(0)))
    old = due.at[: length - 1].set(waiting.astype(due.dtype))
    both = old + new - old * new
    last = (first + steps - 1 + jnp.arange(length)) % length
    return both[:steps], jnp.zeros_like(ring).at[last].set(both[steps - 1 :].astype(ring.dtype))


def merged(state: State, part: State) -> State:
    """A state with what a layer has changed."""
    return replace(
        state,
        values={**state.values, **part.values},
        events={**state.events, **part.events},
        rings={**state.rings, **part.rings},
        cursors={**state.cursors, **part.cursors},
    )
