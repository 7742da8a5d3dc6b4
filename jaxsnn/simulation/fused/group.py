"""The kernel of a group: finish the step before, integrate, threshold, deliver.

Programs take B elements each. Elements of one program lie in eight rows, a plane of `jaxsnn.simulation.records.pack`
apart, so that a program packs the bits of its own spikes into B / 8 neighbouring bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxsnn.events import NUMBER
from jaxsnn.events.kernel import constant_values
from jaxsnn.events.triton import Launch, Memory, Place
from jaxsnn.events.walk import Lanes, walk
from jaxsnn.program import Deliver, Key, Threshold
from jaxsnn.random import name_words, step_words
from jaxsnn.simulation.frame import Frame
from jaxsnn.simulation.fused.plan import Group
from jaxsnn.simulation.fused.tile import Tile
from jaxsnn.simulation.synaptic.one_stage import KEY

__all__ = ["Buffers", "finish", "launch"]

Array = Any
PLANES = 8
FEWEST, MOST = 128, 512
PROGRAMS = 512
"""Groups larger than this many of the smallest programs get larger ones."""


@dataclass
class Buffers:
    """What waits between launches.

    spikes: flags of the last step, int8, by group; inbox: sums that arrive without delay, ``(2, n)`` by variable, the
    row of even and of odd steps; rows: bits of recorded spikes by monitor, int8.
    """

    spikes: dict[str, Array] = field(default_factory=dict)
    inbox: dict[Key, Array] = field(default_factory=dict)
    rows: dict[str, Array] = field(default_factory=dict)


def finish(group: Group, frame: Frame, arrivals: Mapping[Key, Array], parts: Sequence[Any], ready: Any) -> None:
    """The end of a step: what arrives is added where it may be, then the resets."""
    for key, amount in arrivals.items():
        old = frame.values[key]
        new = old + amount.astype(old.dtype)
        guard = group.inbox[key]
        frame.values[key] = new if guard is None else jnp.where(frame.values[(group.owner, guard)], new, old)
    for k in group.after:
        parts[k].apply(frame, ready[k])


def read(part: Any) -> list[Key]:
    """Variables that an operation of a group reads."""
    op = part.operation
    refs = [op.code.scope[name] for name in part.block.reads if name != "dt"]
    keys = [ref.key for ref in refs if ref.owner != "clock" and ref.via != "index"]
    return [*keys, (op.domain.owner, "not_refractory")] if isinstance(op, Threshold) and op.refractory else keys


def written(part: Any) -> list[Key]:
    """Variables that an operation of a group changes."""
    op = part.operation
    if isinstance(op, Threshold):
        return [(op.domain.owner, name) for name in ("not_refractory", "lastspike")] if op.refractory else []
    return [op.code.scope[name].key for name in part.block.returns]


def rings_of(group: Group, parts: Sequence[Any], frame: Frame) -> list[tuple[str, int, Key]]:
    """Rings of increments for a group: pathway, number of the ring, variable."""
    found = []
    for part in parts:
        op = part.operation
        if isinstance(op, Deliver) and frame.tables.wirings[op.pathway].delay is not None:
            keys = [change.ref.key for change in part.way.changes]
            found += [(op.pathway, number, key) for number, key in enumerate(keys) if key in group.inbox]
    return found


class _Given:
    """Values that a kernel only reads, as single numbers or one for each element."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch

    def place(self, value: Array) -> Callable[[Memory, Array, Array], Array]:
        """How a program gets at a value."""
        value = jnp.asarray(value)
        flag = value.dtype == jnp.bool_
        place = self.launch.read(value)
        if value.size == 1:
            return lambda memory, element, live: _restored(memory.scalar(place), flag)
        return lambda memory, element, live: _restored(memory.load(place, element, live), flag)


def _restored(value: Array, flag: bool) -> Array:
    return value != 0 if flag else value


def launch(
    group: Group,
    frame: Frame,
    buffers: Buffers,
    parts: Sequence[Any],
    ready: Sequence[Any],
    first: Array,
    counts: bool,
) -> Array | None:
    """One step of a group; changes the frame's values, rings and the buffers.

    Args:
        first: the step in which the run began: row 0 of recorded spikes.
        counts: whether the kernel also counts the step.

    Returns:
        The number of the next step, if the kernel counts.
    """
    owner, size = group.owner, group.size
    call = Launch()
    given = _Given(call)
    columns = -(-size // PLANES)
    block = _block(size)
    width = block // PLANES
    setting = frame.setting
    step_place = call.read(frame.step)
    flags_place = call.change(buffers.spikes[owner])

    # ---- variables -----------------------------------------------------------------------------------------
    own = [parts[k] for k in (*group.before, *group.after)]
    keys = dict.fromkeys(group.inbox)
    for part in own:
        keys.update(dict.fromkeys((*read(part), *written(part))))
    state = {key: call.change(frame.values[key]) for key in keys if key in frame.values}
    is_flag = {key: setting.program.variables[key].type == "boolean" for key in state}
    exact = {key for key in state if not jnp.issubdtype(frame.values[key].dtype, jnp.floating)}
    constants = {key: given.place(frame.value(key)) for part in own for key in read(part) if key not in state}
    leaves = {k: jax.tree.map(given.place, ready[k]) for k in (*group.before, *group.after)}
    seed_places = {
        p.operation.name: call.read(jnp.stack(name_words(frame.tables.key, p.operation.name)))
        for p in own
        if p.block.draws
    }

    # ---- what arrives, and where deliveries go --------------------------------------------------------------
    sums: dict[tuple[str, Any], Place] = {}
    shapes: dict[tuple[str, Any], tuple[int, int]] = {}

    def buffer(kind: str, name: Any, array: Array) -> tuple[str, Any]:
        if (kind, name) not in sums:
            sums[(kind, name)] = call.change(array)
            shapes[(kind, name)] = array.shape
        return kind, name

    arriving: dict[Key, list[tuple[str, Any]]] = {}
    for key in group.inbox:
        if key in buffers.inbox:
            arriving.setdefault(key, []).append(buffer("inbox", key, buffers.inbox[key]))
    for pathway, number, key in rings_of(group, parts, frame):
        ring = buffer("ring", (pathway, number), frame.rings[pathway][number])
        arriving.setdefault(key, []).append(ring)
    pathways = [_Pathway(parts[k], ready[k], frame, buffers, call, buffer) for k in group.deliveries]

    record = None if group.record is None else parts[group.record].operation.label
    rows_place = call.change(buffers.rows[record]) if record in buffers.rows else None
    first_place = call.read(first)
    next_place = call.make(1, jnp.int32) if counts else None

    def body(memory: Memory, program: Array) -> None:
        lane = jnp.arange(block, dtype=jnp.int32)

        def element_of(lane: Array) -> Array:
            return (lane // width) * columns + program * width + lane % width

        element = element_of(lane)
        live = (program * width + lane % width < columns) & (element < size)
        step = memory.scalar(step_place)
        before = {key: memory.load(place, element, live) for key, place in state.items()}
        tile = Tile(
            setting,
            {},
            frame.tables,
            step - 1,
            {key: _restored(value, is_flag[key]) for key, value in before.items()},
            {(owner, group.event): memory.load(flags_place, element, live) != 0},
            {},
            {},
            element=element,
            constants={key: get(memory, element, live) for key, get in constants.items()},
            seeds={name: (memory.scalar(place, 0), memory.scalar(place, 1)) for name, place in seed_places.items()},
        )
        prepared = {k: jax.tree.map(lambda get: get(memory, element, live), tree) for k, tree in leaves.items()}
        spiked = tile.events[(owner, group.event)]
        arrivals = {}
        for key, names in arriving.items():
            total = None
            for name in names:
                length, n = shapes[name]
                place = lax.rem(step + jnp.int32(length - 1), jnp.int32(length)) * jnp.int32(n) + element
                amount = memory.load(sums[name], place, live)
                # Mostly nothing arrives, and what is 0 need not be cleared.
                memory.store(sums[name], place, jnp.zeros_like(amount), live & (amount != 0))
                total = amount if total is None else total + amount
            arrivals[key] = total
        finish(group, tile, arrivals, parts, prepared)
        tile.step = step
        for k in group.before:
            parts[k].apply(tile, prepared[k])
        spikes = tile.events[(owner, group.event)]

        for key, place in state.items():
            new = tile.values[key]
            new = new.astype(jnp.int8) if is_flag[key] else new
            # Flags and step counts seldom change, and a store that is left out costs nothing.
            memory.store(place, element, new, live & (new != before[key]) if key in exact else live)
        memory.store(flags_place, element, spikes.astype(jnp.int8), live & (spikes != spiked))
        if rows_place is not None:
            shifted = (spikes & live).astype(jnp.int32) << (lane // width)
            packed = jnp.sum(shifted.reshape(PLANES, width), axis=0, dtype=jnp.int32)
            column = program * width + jnp.arange(width, dtype=jnp.int32)
            place = (step - memory.scalar(first_place)) * jnp.int32(columns) + column
            memory.store(rows_place, place, packed.astype(jnp.int8), column < columns)
        if next_place is not None:
            first = jnp.zeros(1, jnp.int32)
            memory.store(next_place, first, first + (step + 1), (first == 0) & (program == 0))
        for pathway in pathways:
            pathway.deliver(memory, tile, Lanes(lane, element, spikes & live, element_of), live, sums, shapes)

    changed, made = call(body, programs=-(-columns // width))

    def new(place: Place) -> Array:
        return changed[place[1]]

    frame.values.update({key: new(place) for key, place in state.items()})
    buffers.spikes[owner] = new(flags_place)
    if rows_place is not None:
        buffers.rows[str(record)] = new(rows_place)
    for (kind, name), place in sums.items():
        if kind == "synapse":
            frame.values[name] = new(place)
        elif kind == "inbox":
            buffers.inbox[name] = new(place)
        else:
            rings = frame.rings[name[0]]
            frame.rings[name[0]] = (*rings[: name[1]], new(place), *rings[name[1] + 1 :])
    for inside in pathways:
        if inside.waiting is not None:
            frame.rings[inside.operation.pathway] = (new(inside.waiting),)
    return made[0].reshape(()) if made else None


class _Pathway:
    """A pathway inside the kernel of its source."""

    def __init__(self, part: Any, ready: Any, frame: Frame, buffers: Buffers, call: Launch, buffer: Any) -> None:
        self.operation = op = part.operation
        self.way = part.way
        self.wiring = wiring = frame.tables.wirings[op.pathway]
        self.row_start, self.target = call.read(wiring.row_start), call.read(wiring.target)
        self.delay = None if wiring.delay is None else call.read(wiring.delay)
        self.numbers = None if wiring.synapse is None else call.read(wiring.synapse)
        self.waiting: Place | None = None
        self.outputs: list[tuple[str, Any]] = []
        for number, (change, output) in enumerate(zip(self.way.changes, self.way.outputs, strict=True)):
            key = change.ref.key
            if output.side == "synapse":
                self.outputs.append(buffer("synapse", key, frame.values[key]))
            elif wiring.delay is None:
                self.outputs.append(buffer("inbox", key, buffers.inbox[key]))
            else:
                self.outputs.append(buffer("ring", (op.pathway, number), frame.rings[op.pathway][number]))
        if wiring.delay is None and op.pathway in frame.rings:
            (ring,) = frame.rings[op.pathway]
            self.length = ring.shape[0]
            self.waiting = call.change(ring)
        values = ready.execution.values
        self.constant = None if values is None else constant_values(values, call)
        block, scope = self.way.block, self.way.analysis.code.scope
        self.reads: dict[str, Any] = {}
        if values is None:
            changing = dict(zip((o.name for o in self.way.outputs), self.outputs, strict=True))
            for name in block.reads:
                ref = scope.get(name)
                if name == "dt" or ref.owner == "clock":
                    self.reads[name] = ("clock", name, False)
                elif name in changing:
                    self.reads[name] = ("changing", changing[name], frame.value(ref.key).dtype == jnp.bool_)
                else:
                    value = frame.value(ref.key)
                    kind = "synapse" if ref.via == "self" else "scalar"
                    self.reads[name] = (kind, call.read(value), value.dtype == jnp.bool_)
            for name, value in zip(self.way.hoisted, ready.hoisted, strict=True):
                self.reads[name] = ("scalar", call.read(value), False)
        self.seed = (
            call.read(jnp.stack(name_words(frame.tables.key, op.name))) if values is None and block.draws else None
        )

    def deliver(self, memory: Memory, tile: Tile, lanes: Lanes, live: Array, sums: Any, shapes: Any) -> None:
        op, wiring = self.operation, self.wiring
        start = op.source.start
        source = lanes.source - start
        fired = lanes.fired & (source >= 0) & (source < op.source.size)
        if self.waiting is not None:
            # Spikes of this step into the slot that is due last, those that are due now out of theirs.
            inside = live & (source >= 0) & (source < op.source.size)
            base = jnp.int32(wiring.n_source)
            now = lax.rem(tile.step, jnp.int32(self.length)) * base
            last = lax.rem(tile.step + jnp.int32(self.length - 1), jnp.int32(self.length)) * base
            due = memory.load(self.waiting, now + source, inside) != 0
            memory.store(self.waiting, last + source, fired.astype(jnp.int8), inside)
            fired = due

        def add(edge: Array, live: Array, source: Array) -> None:
            to = memory.load(self.target, edge, live)
            number = edge if self.numbers is None else memory.load(self.numbers, edge, live)
            amounts = self.amounts(memory, tile, edge, live, number, sums)
            for output, name, amount in zip(self.way.outputs, self.outputs, amounts, strict=True):
                if output.side == "synapse":
                    memory.store(sums[name], number, amount, live)
                    continue
                length, n = shapes[name]
                due = tile.step if self.delay is None else tile.step + memory.load(self.delay, edge, live)
                memory.add(sums[name], lax.rem(due, jnp.int32(length)) * jnp.int32(n) + to, amount, live)

        walk(memory, self.row_start, Lanes(lanes.number, source, fired, lambda k: lanes.of(k) - start), wiring, add)

    def amounts(self, memory: Memory, tile: Tile, edge: Array, live: Array, number: Array, sums: Any) -> Any:
        if self.constant is not None:
            return self.constant(memory, edge, live, edge, edge)
        found: dict[str, Array] = {}
        for name, (kind, place, flag) in self.reads.items():
            if kind == "clock":
                found[name] = tile.clock(place, 1)
            elif kind == "scalar":
                found[name] = _restored(memory.scalar(place), flag)
            else:
                array = sums[place] if kind == "changing" else place
                found[name] = _restored(memory.load(array, number, live), flag)
        if self.seed is not None:
            words = (memory.scalar(self.seed, 0), memory.scalar(self.seed, 1))
            found.update(zip(KEY, step_words(words, tile.step), strict=True))
        return self.way.contribution({**found, NUMBER: number})


def _block(size: int) -> int:
    block = FEWEST
    while block < MOST and block * PROGRAMS < size:
        block *= 2
    return block
