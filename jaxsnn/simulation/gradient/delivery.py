"""Delivery in the twin: computed as in any run, differentiated as the linear map that it is.

Code that overwrites or depends on the order is differentiated synapse by synapse: all of them, in the order of the
queue, with the spike as a number. That loop has a known length, unlike the one over the spikes that there are; it gives
the derivative only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxsnn.events import EXECUTIONS, Contribution, Execution, Operands, Output, Wiring
from jaxsnn.events.rows import ROWS, fits
from jaxsnn.simulation.gradient.spikes import blend, flags
from jaxsnn.simulation.gradient.transform import differentiated_as

__all__ = ["SmoothDelivery", "in_order", "overwritten", "product"]

Array = Any

DENSE_SHARE = 0.3
"""Part of all pairs that must be connected for a matrix to be faster than the synapses one by one."""


class Prepared(NamedTuple):
    """What both executions compute once a run."""

    hard: Any
    smooth: Any


def _smooth(hard: Execution, constant: bool, wiring: Wiring, outputs: tuple[Output, ...]) -> Execution:
    """The execution whose derivative is used."""
    pairs = wiring.n_source * wiring.n_target * max(1, len(wiring.distinct_delays))
    if hard is EXECUTIONS["dense"] or (constant and wiring.n_synapses > DENSE_SHARE * pairs):
        return EXECUTIONS["dense"]
    if constant and fits(wiring) and all(output.side == "target" for output in outputs):
        return ROWS
    return EXECUTIONS["masked"]


class SmoothDelivery:
    """An execution for the spikes that there are, and one for the derivative.

    The tangent of what a pathway adds is linear in the tangents of spikes and of contributions, over *all* synapses: a
    silent neuron close to its threshold has a derivative too. Finding the spikes has none, so the execution that does
    it only gives the values.
    """

    def __init__(
        self, hard: Execution, constant: bool, wiring: Wiring, outputs: tuple[Output, ...], relaxed: bool
    ) -> None:
        self.smooth = _smooth(hard, constant, wiring, outputs)
        self.hard = self.smooth if relaxed or hard is EXECUTIONS["dense"] else hard

    def prepare(
        self,
        wiring: Wiring,
        outputs: tuple[Output, ...],
        contribution: Contribution,
        constants: Operands | None,
        backend: str,
    ) -> Prepared:
        smooth = self.smooth.prepare(wiring, outputs, contribution, constants, backend)
        if self.hard is self.smooth:
            return Prepared(None, smooth)
        return Prepared(self.hard.prepare(wiring, outputs, contribution, constants, backend), smooth)

    def deliver(
        self,
        prepared: Prepared,
        wiring: Wiring,
        spikes: Array,
        contribution: Contribution,
        operands: Operands,
        accumulators: tuple[Array, ...],
        step: Array,
    ) -> tuple[Array, ...]:
        def smooth(prepared: Prepared, wiring: Wiring, spikes: Array, *rest: Any) -> tuple[Array, ...]:
            operands, accumulators, step = rest
            return self.smooth.deliver(prepared.smooth, wiring, spikes, contribution, operands, accumulators, step)

        def hard(prepared: Prepared, wiring: Wiring, spikes: Array, *rest: Any) -> tuple[Array, ...]:
            operands, accumulators, step = rest
            return self.hard.deliver(prepared.hard, wiring, flags(spikes), contribution, operands, accumulators, step)

        arguments = (prepared, wiring, spikes, operands, accumulators, step)
        if self.hard is self.smooth:
            return smooth(*arguments)
        return differentiated_as(hard, smooth)(*arguments)


def in_order(one: Callable[[Array, Any], Any], values: Any, count: int) -> Any:
    """``values = one(k, values)`` for k from 0 to count - 1, with a derivative."""

    def step(values: Any, k: Array) -> tuple[Any, None]:
        return one(k, values), None

    return lax.scan(step, values, jnp.arange(count, dtype=jnp.int32))[0]


def overwritten(old: Array, neuron: Array, value: Array, spikes: Array, order: Array) -> Array:
    """(n,) what synapses overwrite one after the other: ``x = x + s*(value - x)``; ``order``: (S,) synapses."""

    def one(k: Array, values: Array) -> Array:
        synapse = order[k]
        before = values[neuron[synapse]]
        return values.at[neuron[synapse]].set(blend(spikes[synapse], value[synapse].astype(old.dtype), before))

    return in_order(one, old, order.shape[0])


@jax.custom_jvp
def _product(ones: Array, factor: Array, neuron: Array) -> Array:
    return ones.at[neuron].mul(factor)


@_product.defjvp
def _product_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    ones, factor, neuron = primals
    change = tangents[1]
    zero = factor == 0
    zeros = jnp.zeros(ones.shape, jnp.int32).at[neuron].add(zero.astype(jnp.int32))[neuron]
    nonzero = jnp.where(zero, 1, factor)
    rest = _product(ones, nonzero, neuron)[neuron] / nonzero
    others = jnp.where(zeros == 0, rest, jnp.where((zeros == 1) & zero, rest, 0))
    return _product(ones, factor, neuron), jnp.zeros_like(ones).at[neuron].add(others * change)


def product(size: int, factor: Array, neuron: Array) -> Array:
    """(n,) the product of the factors (S,) of each neuron; a scatter of products has no derivative in JAX."""
    return _product(jnp.ones(size, factor.dtype), factor, neuron)
