"""The step of a group in a kernel, without its pathways: finish the step before, integrate, threshold, record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.events.gpu.triton import Memory
from jaxsnn.program import Deliver, Key, Threshold
from jaxsnn.simulation.frame import Frame
from jaxsnn.simulation.fused.arguments import Arguments, restored
from jaxsnn.simulation.fused.plan import Group
from jaxsnn.simulation.fused.tile import Tile

__all__ = ["PLANES", "Integrate", "finish", "rings_of"]

Array = Any
PLANES = 8
"""Elements whose bits one byte of recorded spikes holds; see `jaxsnn.simulation.records.pack`."""
CACHE = 24_000_000
"""Bytes of state that a GPU's second cache holds besides everything else."""


def finish(group: Group, frame: Frame, arrivals: Mapping[Key, Array], parts: Sequence[Any], ready: Any) -> None:
    """The end of a step: what arrives is added where it may be, then the resets."""
    for key, amount in arrivals.items():
        old = frame.values[key]
        new = old + amount.astype(old.dtype)
        guard = group.inbox[key]
        frame.values[key] = new if guard is None else jnp.where(frame.values[(group.owner, guard)], new, old)
    for k in group.after:
        parts[k].apply(frame, ready[k])


def rings_of(group: Group, parts: Sequence[Any], frame: Frame) -> list[tuple[str, int, Key]]:
    """Rings of increments for a group: pathway, number of the ring, variable."""
    found = []
    for part in parts:
        op = part.operation
        wiring = frame.tables.wirings[op.pathway] if isinstance(op, Deliver) else None
        if wiring is not None and wiring.delay is not None and not wiring.at_arrival:
            keys = [change.ref.key for change in part.way.changes]
            found += [(op.pathway, number, key) for number, key in enumerate(keys) if key in group.inbox]
    return found


class Integrate:
    """Everything of a step but the deliveries, for the elements of a program."""

    def __init__(
        self,
        group: Group,
        arguments: Arguments,
        parts: Sequence[Any],
        ready: Sequence[Any],
        first: Array,
        counts: bool,
    ) -> None:
        frame = arguments.frame
        self.group, self.arguments, self.parts = group, arguments, parts
        self.columns = -(-group.size // PLANES)
        own = [parts[k] for k in (*group.before, *group.after)]
        keys = dict.fromkeys(group.inbox)
        for part in own:
            keys.update(dict.fromkeys((*_read(part), *_written(part))))
        self.state = [key for key in keys if key in frame.values]
        self.flags = {key for key in keys if frame.setting.program.variables[key].type == "boolean"}
        self.exact = {key for key in self.state if not jnp.issubdtype(frame.values[key].dtype, jnp.floating)}
        for key in self.state:
            arguments.change("variable", key)
        # State that the cache cannot hold from step to step should not push out what waits for its addressees.
        self.once = sum(frame.values[key].nbytes for key in self.state) > CACHE
        arguments.change("spikes", group.owner)
        self.constants = {
            key: arguments.value(frame.value(key)) for part in own for key in _read(part) if key not in self.state
        }
        self.ready = {k: jax.tree.map(arguments.value, ready[k]) for k in (*group.before, *group.after)}
        self.seeds = {p.operation.name: arguments.seed(p.operation.name) for p in own if p.block.draws}
        self.arriving: dict[Key, list[tuple[str, Any]]] = {key: [("inbox", key)] for key in group.inbox}
        for pathway, number, key in rings_of(group, parts, frame):
            self.arriving[key].append(("ring", (pathway, number)))
        for names in self.arriving.values():
            for name in names:
                arguments.change(*name)
        label = None if group.record is None else parts[group.record].operation.label
        self.rows = arguments.change("rows", label) if label in arguments.buffers.rows else None
        self.first = arguments.read(first)
        self.following = arguments.launch.make(1, jnp.int32) if counts else None

    def __call__(self, memory: Memory, program: Array, element: Array, live: Array) -> Tile:
        group, arguments, places = self.group, self.arguments, self.arguments.places
        step = memory.scalar(arguments.step)
        event = (group.owner, group.event)
        before = {key: memory.load(places[("variable", key)], element, live, self.once) for key in self.state}
        fired = arguments.flags(memory, group.owner, step - 1, element, live)
        tile = Tile(
            arguments.frame.setting,
            {},
            arguments.frame.tables,
            step - 1,
            {key: restored(value, key in self.flags) for key, value in before.items()},
            {event: fired},
            {},
            {},
            element=element,
            constants={key: value(memory, element, live) for key, value in self.constants.items()},
            seeds={name: seed(memory) for name, seed in self.seeds.items()},
        )
        ready = {k: jax.tree.map(lambda v: v(memory, element, live), tree) for k, tree in self.ready.items()}
        arrivals = self._arrivals(memory, step, element, live)
        memory.barrier()
        for name, place, amount in arrivals:
            # Mostly nothing arrives, and what is 0 need not be cleared.
            memory.store(places[name], place, jnp.zeros_like(amount), live & (amount != 0))
        finish(group, tile, self._sums(memory, arrivals), self.parts, ready)
        tile.step = step
        for k in group.before:
            self.parts[k].apply(tile, ready[k])
        spikes = tile.events[event]
        for key in self.state:
            new = tile.values[key].astype(before[key].dtype)
            # Flags and step counts seldom change, and a store that is left out costs nothing.
            changed = live & (new != before[key]) if key in self.exact else live
            memory.store(places[("variable", key)], element, new, changed, self.once)
        row = arguments.slot("spikes", group.owner, step)
        # A row of its own still holds the flags of the step before last.
        changed = live & (spikes != fired) if arguments.length("spikes", group.owner) == 1 else live
        memory.store(places[("spikes", group.owner)], row + element, spikes.astype(jnp.int8), changed)
        self._record(memory, program, step, spikes & live)
        return tile

    def _arrivals(self, memory: Memory, step: Array, element: Array, live: Array) -> list[tuple[Any, Array, Array]]:
        """What the step before sent: of each buffer its name, the places in it, and what stands there."""
        arguments = self.arguments
        found = []
        for name in (name for names in self.arriving.values() for name in names):
            place = arguments.slot(*name, step + jnp.int32(arguments.length(*name)) - 1) + element
            found.append((name, place, memory.load(arguments.places[name], place, live)))
        return found

    def _sums(self, memory: Memory, arrivals: list[tuple[Any, Array, Array]]) -> dict[Key, Array]:
        """What arrives for each variable, from all its buffers."""
        amounts = {name: self.arguments.amount(memory, name, amount) for name, _, amount in arrivals}
        found: dict[Key, Array] = {}
        for key, names in self.arriving.items():
            for name in names:
                found[key] = found[key] + amounts[name] if key in found else amounts[name]
        return found

    def _record(self, memory: Memory, program: Array, step: Array, spikes: Array) -> None:
        lanes = spikes.shape[0]
        width = lanes // PLANES
        if self.rows is not None:
            shifted = spikes.astype(jnp.int32) << (jnp.arange(lanes, dtype=jnp.int32) // width)
            packed = jnp.sum(shifted.reshape(PLANES, width), axis=0, dtype=jnp.int32)
            column = program * width + jnp.arange(width, dtype=jnp.int32)
            row = (step - memory.scalar(self.first)) * jnp.int32(self.columns)
            memory.store(self.rows, row + column, packed.astype(jnp.int8), column < self.columns)
        if self.following is not None:
            zero = jnp.zeros(1, jnp.int32)
            memory.store(self.following, zero, zero + (step + 1), (zero == 0) & (program == 0))


def _read(part: Any) -> list[Key]:
    """Variables that an operation of a group reads."""
    op = part.operation
    refs = [op.code.scope[name] for name in part.block.reads if name != "dt"]
    keys = [ref.key for ref in refs if ref.owner != "clock" and ref.via != "index"]
    return [*keys, (op.domain.owner, "not_refractory")] if isinstance(op, Threshold) and op.refractory else keys


def _written(part: Any) -> list[Key]:
    """Variables that an operation of a group changes."""
    op = part.operation
    if isinstance(op, Threshold):
        return [(op.domain.owner, name) for name in ("not_refractory", "lastspike")] if op.refractory else []
    return [op.code.scope[name].key for name in part.block.returns]
