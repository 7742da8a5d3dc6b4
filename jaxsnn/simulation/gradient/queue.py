"""Synaptic code that multiplies, overwrites or depends on the order, with a derivative for every spike that could be.

Synapses are looked at one after the other, all of them, in the order of the queue, with the spike as a number: a loop
of known length, unlike the one over the spikes that there are. It gives the derivative only; a step costs all synapses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxsnn.simulation.gradient.spikes import blend

__all__ = ["in_order", "overwritten", "product"]

Array = Any


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
