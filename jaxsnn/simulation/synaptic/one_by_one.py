"""Code whose synapses follow one another: each reads what the one before has written.

The whole block runs for one synapse after the other, in the order of the queue: earlier spikes first, then by the
number of the neuron that fired, then by that of the synapse. A step costs one trip of a loop for each synapse at
which a spike arrives, and a look at the sources' flags. The number of trips is known only in the run, so the derivative
comes from another loop, over all synapses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.events import Wiring
from jaxsnn.program import Deliver, Key, Ref
from jaxsnn.random import Draw
from jaxsnn.simulation.frame import Frame, Setting
from jaxsnn.simulation.gradient.delivery import in_order
from jaxsnn.simulation.gradient.spikes import blend, expected, flags
from jaxsnn.simulation.gradient.transform import differentiated_as
from jaxsnn.simulation.synaptic.analysis import ENDS, Analysis

__all__ = ["OneByOne"]

Array = Any

_WRITES: dict[str, Callable[[Array, Array], Array]] = {
    "assign": lambda old, value: value,
    "overwrite": lambda old, value: value,
    "add": lambda old, value: old + value,
    "multiply": lambda old, value: old * value,
    "divide": lambda old, value: old / value,
}
"""The new value of one element."""


class OneByOne:
    """A block that writes what it has read."""

    def __init__(self, operation: Deliver, analysis: Analysis, setting: Setting) -> None:
        self.operation = operation
        self.analysis = analysis
        self.setting = setting
        self.blocks = analysis.blocks(operation.name, GUARDED if setting.gradient else None)
        scope = analysis.code.scope
        targets = (scope[action.target].key for action in analysis.actions if action.kind != "local")
        self.written: tuple[Key, ...] = tuple(dict.fromkeys(targets))

    @property
    def block(self) -> str:
        """The generated code."""
        return "\n".join(map(str, self.blocks))

    def prepare(self, frame: Frame) -> Array:
        """(n_source,) the number of synapses of each source."""
        return jnp.diff(frame.tables.wirings[self.operation.pathway].row_start)

    def apply(self, frame: Frame, lengths: Array, spikes: Array) -> None:
        wiring: Wiring = frame.tables.wirings[self.operation.pathway]
        if not wiring.n_synapses:
            return
        values = {key: frame.value(key) for key in self.written}
        gradient = self.setting.gradient
        if gradient is None:
            frame.values.update(self._arrivals(frame, lengths, spikes, values))
            return
        # What may have a derivative is an argument, not a closure.
        given = (_arrays(frame), lengths, spikes, values)

        def hard(arrays: Any, lengths: Array, spikes: Array, values: dict[Key, Array]) -> dict[Key, Array]:
            return self._arrivals(replace(frame, **arrays), lengths, flags(spikes), values)

        def smooth(arrays: Any, lengths: Array, spikes: Array, values: dict[Key, Array]) -> dict[Key, Array]:
            return self._all(replace(frame, **arrays), spikes, values)

        frame.values.update(smooth(*given) if gradient.relaxed else differentiated_as(hard, smooth)(*given))

    def _all(self, frame: Frame, spikes: Array, values: dict[Key, Array]) -> dict[Key, Array]:
        """Every synapse, with its spike as a number."""
        wiring: Wiring = frame.tables.wirings[self.operation.pathway]
        words = frame.words(self.operation.name)

        def one(place: Array, values: dict[Key, Array]) -> dict[Key, Array]:
            source = wiring.source[place]
            return self._run(frame, words, wiring.origin(source), place, values, spikes[source])

        return in_order(one, values, wiring.n_synapses)

    def _arrivals(self, frame: Frame, lengths: Array, spikes: Array, values: dict[Key, Array]) -> dict[Key, Array]:
        """The synapses at which a spike arrives."""
        wiring: Wiring = frame.tables.wirings[self.operation.pathway]
        # Arrivals are numbered through; the first of each source follows the last of the one before.
        ends = jnp.cumsum(jnp.where(spikes != 0, lengths, 0), dtype=jnp.int32)
        words = frame.words(self.operation.name)

        def one(k: Array, values: dict[Key, Array]) -> dict[Key, Array]:
            source = jnp.searchsorted(ends, k, side="right")
            place = wiring.row_start[source + 1] - (ends[source] - k)
            return self._run(frame, words, wiring.origin(source), place, values)

        return lax.fori_loop(0, ends[-1], one, values)

    def _run(
        self,
        frame: Frame,
        words: Any,
        firing: Array,
        place: Array,
        values: dict[Key, Array],
        spike: Array | None = None,
    ) -> dict[Key, Array]:
        """The block for the synapse at a place of the wiring, on the values as they are now."""
        op, code = self.operation, self.analysis.code
        wiring = frame.tables.wirings[op.pathway]
        synapse = place if wiring.synapse is None else wiring.synapse[place]
        other = wiring.target[place]
        values, draws = dict(values), 0
        local: dict[str, Array] = {}

        def element(ref: Ref) -> Array:
            if ref.via == "self":
                return synapse
            return firing + op.source.start if ref.via == op.trigger else other

        def whole(ref: Ref) -> Array:
            return values[ref.key] if ref.key in values else frame.value(ref.key)

        def read(name: str) -> Array:
            if name in local:
                return local[name]
            if name == "dt":
                return frame.clock("dt", op.every)
            ref = code.scope[name]
            if ref.via.endswith("_index"):
                return firing if ref.via.startswith(op.trigger) else other - op.target.start
            if ref.via in ENDS or (ref.via == "self" and ref.owner != "clock"):
                return whole(ref)[element(ref)]
            return frame.read(ref, op.source, op.every)

        for action, block in zip(self.analysis.actions, self.blocks, strict=True):
            draw = _DrawOne(words, synapse, self.setting.dtype, draws)
            (value,) = block.run(*map(read, block.reads), expected(draw, self.setting.gradient))
            draws += block.draws
            if action.kind == "local":
                local[action.target] = value
                continue
            ref = code.scope[action.target]
            array = whole(ref)
            old = array[element(ref)]
            new = jnp.asarray(_WRITES[action.kind](old, value)).astype(array.dtype)
            guard = code.guards.get(action.target)
            if guard is not None:
                new = jnp.where(read(guard), new, old)
            if spike is not None:
                new = blend(spike, new, old)
            values[ref.key] = array.at[element(ref)].set(new)
        return values


def _arrays(frame: Frame) -> dict[str, Any]:
    return {name: getattr(frame, name) for name in ("params", "tables", "step", "values")}


class _DrawOne(Draw):
    """Draws of one synapse."""

    def _key(self, number: int) -> Array:
        return jax.random.fold_in(super()._key(number), self.element)
