"""Code of several stages: one statement after the other, each for all synapses at which a spike arrives.

Every statement is computed for all synapses and counts where a spike arrives, so a step costs all of them. What
a statement adds to a neuron, the next one reads as the sum over all synapses. If several synapses overwrite one
variable, the last in the order of the queue counts: earlier spikes first, then by the number of the neuron
that fired, then by that of the synapse.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.errors import NotSupportedError
from jaxsnn.events import Wiring, fixed_point
from jaxsnn.program import Deliver, Ref
from jaxsnn.random import Draw
from jaxsnn.simulation.frame import Frame, Setting
from jaxsnn.simulation.gradient.delivery import overwritten, product
from jaxsnn.simulation.gradient.spikes import blend, expected, flags
from jaxsnn.simulation.gradient.transform import differentiated_as
from jaxsnn.simulation.synaptic.analysis import ENDS, Action, Analysis

__all__ = ["Statementwise"]

Array = Any


class Order(NamedTuple):
    """The wiring in the user's order of synapses.

    source: (S,) whose flag says that a spike arrives; firing, other: (S,) neurons at both ends, the one that fires
    and the other; position: (S,) place in the queue; sorted: (S,) the synapse at each place.
    """

    source: Array
    firing: Array
    other: Array
    position: Array
    sorted: Array


class Statementwise:
    """A block of several stages."""

    def __init__(self, operation: Deliver, analysis: Analysis, setting: Setting) -> None:
        self.operation = operation
        self.analysis = analysis
        self.setting = setting
        products = [a.target for a in analysis.actions if a.kind in ("multiply", "divide")]
        if setting.execution == "deterministic" and products:
            raise NotSupportedError(
                f"{operation.name}: with execution='deterministic' sums have the same bits in every run, but"
                f" {products[0]!r} is multiplied, and products of several synapses depend on their order; leave the"
                f" choice of the execution to jaxsnn, or write the code with += and ="
            )
        self.blocks = analysis.blocks(operation.name, GUARDED if setting.gradient else None)

    @property
    def block(self) -> str:
        """The generated code."""
        return "\n".join(map(str, self.blocks))

    def prepare(self, frame: Frame) -> Order:
        wiring: Wiring = frame.tables.wirings[self.operation.pathway]
        number = jnp.arange(wiring.n_synapses, dtype=jnp.int32)
        if wiring.synapse is None:
            return Order(wiring.source, wiring.origin(wiring.source), wiring.target, number, number)

        def unsort(values: Array) -> Array:
            return jnp.zeros_like(values).at[wiring.synapse].set(values)

        source = unsort(wiring.source)
        return Order(source, wiring.origin(source), unsort(wiring.target), unsort(number), wiring.synapse)

    def apply(self, frame: Frame, order: Order, spikes: Array) -> None:
        arrives = (spikes if self.setting.gradient else spikes != 0)[order.source]
        words = frame.words(self.operation.name)
        local: dict[str, Array] = {}
        draws = 0
        for action, block in zip(self.analysis.actions, self.blocks, strict=True):
            arguments = [local[name] if name in local else self._read(name, frame, order) for name in block.reads]
            draw = Draw(words, jnp.arange(order.source.shape[0], dtype=jnp.int32), self.setting.dtype, draws)
            (value,) = block.run(*arguments, expected(draw, self.setting.gradient))
            draws += block.draws
            value = jnp.broadcast_to(value, order.source.shape)
            if action.kind == "local":
                local[action.target] = value
            else:
                self._write(action, value, arrives, frame, order)

    def _read(self, name: str, frame: Frame, order: Order) -> Array:
        op = self.operation
        if name == "dt":
            return frame.clock("dt", op.every)
        ref = self.analysis.code.scope[name]
        if ref.via.endswith("_index"):
            return order.firing if ref.via.startswith(op.trigger) else order.other - op.target.start
        if ref.via in ENDS:
            return frame.value(ref.key)[self._neuron(ref, order)]
        if ref.via == "self" and ref.owner != "clock":
            return frame.value(ref.key)
        return frame.read(ref, op.source, op.every)

    def _neuron(self, ref: Ref, order: Order) -> Array:
        """The neuron at an end of each synapse, as a place in the array of all of its group."""
        op = self.operation
        return order.firing + op.source.start if ref.via == op.trigger else order.other

    def _write(self, action: Action, value: Array, arrives: Array, frame: Frame, order: Order) -> None:
        code = self.analysis.code
        ref = code.scope[action.target]
        old = frame.value(ref.key)
        if ref.via == "self":
            frame.values[ref.key] = blend(arrives, value.astype(old.dtype), old)
            return
        neuron = self._neuron(ref, order)
        guard = code.guards.get(action.target)
        counts = arrives
        if guard is not None:
            counts = jnp.where(frame.value(code.scope[guard].key)[neuron], counts, jnp.zeros_like(counts))
        write = _WRITES[action.kind]
        if action.kind == "add" and self.setting.execution == "deterministic":
            write = _add_in_fixed_point
        gradient = self.setting.gradient
        if gradient is not None and action.kind == "overwrite":
            write = _smooth_overwrite if gradient.relaxed else differentiated_as(_overwrite, _smooth_overwrite)
        frame.values[ref.key] = write(old, neuron, value, counts, order)


def _add(old: Array, neuron: Array, value: Array, counts: Array, order: Order) -> Array:
    return old.at[neuron].add(blend(counts, value, jnp.zeros_like(value)).astype(old.dtype))


def _add_in_fixed_point(old: Array, neuron: Array, value: Array, counts: Array, order: Order) -> Array:
    most = jnp.max(jnp.zeros(old.shape, jnp.int32).at[neuron].add(1), initial=1)
    return fixed_point.add(old, neuron, blend(counts, value, jnp.zeros_like(value)), most)


def _factors(old: Array, neuron: Array, value: Array, counts: Array) -> Array:
    factor = blend(counts, value, jnp.ones_like(value))
    if counts.dtype != jnp.bool_ and jnp.issubdtype(factor.dtype, jnp.floating):
        return product(old.shape[0], factor, neuron)
    return jnp.ones(old.shape, factor.dtype).at[neuron].mul(factor)


def _multiply(old: Array, neuron: Array, value: Array, counts: Array, order: Order) -> Array:
    return (old * _factors(old, neuron, value, counts)).astype(old.dtype)


def _divide(old: Array, neuron: Array, value: Array, counts: Array, order: Order) -> Array:
    return (old / _factors(old, neuron, value, counts)).astype(old.dtype)


def _overwrite(old: Array, neuron: Array, value: Array, counts: Array, order: Order) -> Array:
    if not order.position.shape[0]:
        return old
    last = jnp.full(old.shape, -1, jnp.int32).at[neuron].max(jnp.where(flags(counts), order.position, -1))
    written = value[order.sorted[jnp.maximum(last, 0)]]
    return jnp.where(last >= 0, written.astype(old.dtype), old)


def _smooth_overwrite(old: Array, neuron: Array, value: Array, counts: Array, order: Order) -> Array:
    return overwritten(old, neuron, value, counts, order.sorted)


_WRITES = {"add": _add, "multiply": _multiply, "divide": _divide, "overwrite": _overwrite}
