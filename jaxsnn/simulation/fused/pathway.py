"""A pathway inside the kernel of its source."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxsnn.events import NUMBER
from jaxsnn.events.gpu.triton import Memory
from jaxsnn.events.gpu.walk import Lanes, walk
from jaxsnn.events.kernel import constant_values
from jaxsnn.random import step_words
from jaxsnn.simulation.fused.arguments import Arguments, restored
from jaxsnn.simulation.fused.tile import Tile
from jaxsnn.simulation.synaptic.one_stage import KEY

__all__ = ["Pathway"]

Array = Any


class Pathway:
    """Reads its synapses, and adds to buffers of the groups it reaches."""

    def __init__(self, part: Any, ready: Any, arguments: Arguments) -> None:
        frame = arguments.frame
        self.arguments = arguments
        self.operation = op = part.operation
        self.way = way = part.way
        self.wiring = wiring = frame.tables.wirings[op.pathway]
        self.row_start, self.target = arguments.read(wiring.row_start), arguments.read(wiring.target)
        # Without delays it is never read.
        self.delay = arguments.read(wiring.row_start if wiring.delay is None else wiring.delay)
        self.numbers = None if wiring.synapse is None else arguments.read(wiring.synapse)
        self.waits = ""
        if wiring.at_arrival:
            self.waits = "history"
            arguments.change("history", op.pathway)
        elif wiring.delay is None and op.pathway in frame.rings and frame.rings[op.pathway][0].shape[0] > 1:
            # (A ring of one slot, of a run after one with delays, holds nothing back.)
            self.waits = "ring"
            arguments.change("ring", (op.pathway, 0))
        self.outputs: list[tuple[str, Any]] = []
        for number, (change, output) in enumerate(zip(way.changes, way.outputs, strict=True)):
            if output.side == "synapse":
                self.outputs.append(("variable", change.ref.key))
            elif wiring.delay is None or wiring.at_arrival:
                self.outputs.append(("inbox", change.ref.key))
            else:
                self.outputs.append(("ring", (op.pathway, number)))
            arguments.change(*self.outputs[-1])
        values = ready.execution.values
        self.constant = None if values is None else constant_values(values, arguments.launch)
        self.reads = {} if values is not None else self._reads(ready)
        self.seed = arguments.seed(op.name) if values is None and way.block.draws else None

    def _reads(self, ready: Any) -> dict[str, tuple[str, Any, bool]]:
        """Where each name of the code is found: (kind, place, whether it is a flag)."""
        frame, scope = self.arguments.frame, self.way.analysis.code.scope
        changing = {o.name: name for o, name in zip(self.way.outputs, self.outputs, strict=True) if o.side == "synapse"}
        found: dict[str, tuple[str, Any, bool]] = {}
        for name in self.way.block.reads:
            ref = scope.get(name)
            if name == "dt" or ref.owner == "clock":
                found[name] = ("clock", name, False)
                continue
            flag = frame.value(ref.key).dtype == jnp.bool_
            if name in changing:
                found[name] = ("synapse", self.arguments.change(*changing[name]), flag)
            else:
                kind = "synapse" if ref.via == "self" else "scalar"
                found[name] = (kind, self.arguments.read(frame.value(ref.key)), flag)
        for name, value in zip(self.way.hoisted, ready.hoisted, strict=True):
            found[name] = ("scalar", self.arguments.read(value), False)
        return found

    def deliver(self, memory: Memory, tile: Tile, lanes: Lanes, inside: Array) -> None:
        """Carry out what is due.

        Args:
            lanes: elements of the group, and which of them fired; ``inside``: lanes that are elements at all.
        """
        op, arguments = self.operation, self.arguments
        start = op.source.start
        source = lanes.source - start
        inside = inside & (source >= 0) & (source < op.source.size)
        fired, carried = lanes.fired & inside, list[Array]()
        if self.waits == "ring":
            fired = self._exchange(memory, tile, source, fired, inside)
        elif self.waits == "history":
            carried = self._shift(memory, source, fired, inside)
            fired = jnp.zeros_like(inside)
            for bits in carried:
                fired = fired | (bits != 0)

        def add(edge: Array, live: Array, source: Array, *words: Array) -> None:
            if words:
                ago = memory.load(self.delay, edge, live)
                word = words[0]
                for number, other in enumerate(words[1:], 1):
                    word = jnp.where(ago >= 32 * number, other, word)
                live = live & ((lax.shift_right_logical(word, lax.rem(ago, jnp.int32(32))) & 1) == 1)
            to = memory.load(self.target, edge, live)
            number = edge if self.numbers is None else memory.load(self.numbers, edge, live)
            amounts = self._amounts(memory, tile, edge, live, number)
            for output, name, amount in zip(self.way.outputs, self.outputs, amounts, strict=True):
                place = arguments.places[name]
                if output.side == "synapse":
                    memory.store(place, number, amount, live)
                    continue
                due = tile.step
                if name[0] == "ring":
                    due = due + memory.load(self.delay, edge, live)
                memory.add(place, arguments.slot(*name, due) + to, arguments.whole(memory, name, amount), live)

        moved = lanes._replace(
            source=source, fired=fired, of=lambda lane: lanes.of(lane) - start, carried=tuple(carried)
        )
        walk(memory, self.row_start, moved, self.wiring, add)

    def _exchange(self, memory: Memory, tile: Tile, source: Array, fired: Array, inside: Array) -> Array:
        """One delay for all: spikes of this step into the slot that is due last; those due now out of theirs."""
        name = ("ring", (self.operation.pathway, 0))
        place = self.arguments.places[name]
        length = jnp.int32(self.arguments.length(*name))
        due = memory.load(place, self.arguments.slot(*name, tile.step) + source, inside) != 0
        last = self.arguments.slot(*name, tile.step + length - 1)
        memory.store(place, last + source, fired.astype(jnp.int8), inside)
        return due

    def _shift(self, memory: Memory, source: Array, fired: Array, inside: Array) -> list[Array]:
        """Delays of single synapses: a bit for every step back."""
        name = ("history", self.operation.pathway)
        place = self.arguments.places[name]
        words, size = self.arguments.shapes[name]
        longest = self.wiring.distinct_delays[-1]
        old = [memory.load(place, source + jnp.int32(k * size), inside) for k in range(words)]
        memory.barrier()
        new = []
        for k, word in enumerate(old):
            enters = fired.astype(jnp.int32) if k == 0 else lax.shift_right_logical(old[k - 1], jnp.full_like(word, 31))
            shifted = (word << 1) | enters
            if k == words - 1 and (longest + 1) % 32:
                shifted = shifted & jnp.int32((1 << ((longest + 1) % 32)) - 1)
            memory.store(place, source + jnp.int32(k * size), shifted, inside & (shifted != word))
            new.append(shifted)
        return new

    def _amounts(self, memory: Memory, tile: Tile, edge: Array, live: Array, number: Array) -> tuple[Array, ...]:
        """What the code computes for some synapses."""
        if self.constant is not None:
            return self.constant(memory, edge, live, edge, edge)
        found: dict[str, Array] = {}
        for name, (kind, place, flag) in self.reads.items():
            if kind == "clock":
                found[name] = tile.clock(place, 1)
            else:
                value = memory.scalar(place) if kind == "scalar" else memory.load(place, number, live)
                found[name] = restored(value, flag)
        if self.seed is not None:
            found.update(zip(KEY, step_words(self.seed(memory), tile.step), strict=True))
        return self.way.contribution({**found, NUMBER: number})
