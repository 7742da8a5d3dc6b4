"""Spikes and counts as floats with a derivative, and what is done with them in place of selections."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.simulation.gradient.setting import Gradient
from jaxsnn.surrogate import Surrogate

__all__ = ["ExpectedDraw", "blend", "expected", "flags", "spike"]

Array = Any


def flags(spikes: Array) -> Array:
    """Which elements fired: of relaxed spikes those above 1/2, where the condition holds."""
    return spikes if spikes.dtype == jnp.bool_ else spikes > 0.5


def spike(fired: Array, margin: Array, surrogate: Surrogate, relaxed: bool) -> Array:
    """1 where the condition holds, else 0, with the surrogate's derivative (relaxed: the surrogate's primitive)."""
    if relaxed:
        return surrogate.primitive(margin)

    @jax.custom_jvp
    def value(margin: Array, fired: Array) -> Array:
        return fired

    @value.defjvp
    def rule(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
        margin, fired = primals
        return value(margin, fired), surrogate.scale * surrogate.derivative(margin) * tangents[0]

    return value(margin, fired.astype(margin.dtype))


@jax.custom_jvp
def _blend(s: Array, new: Array, old: Array) -> Array:
    # Not one formula: old + 1*(new - old) is rounded, and would be NaN where an untaken value is infinite.
    return jnp.where(s == 1, new, jnp.where(s == 0, old, old + s * (new - old)))


@_blend.defjvp
def _blend_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    (s, new, old), (ds, dnew, dold) = primals, tangents
    change = new - old
    change = jnp.where(jnp.isfinite(change), change, 0)
    return _blend(s, new, old), s * dnew + (1 - s) * dold + change * ds


def blend(s: Array, new: Array, old: Array) -> Array:
    """``new`` where a spike is, ``old`` where none is, ``old + s*(new - old)`` between.

    Flags, and values that are no floats, are selected.
    """
    new, old = jnp.asarray(new), jnp.asarray(old)
    dtype = jnp.result_type(new, old)
    if s.dtype == jnp.bool_ or not jnp.issubdtype(dtype, jnp.floating):
        return jnp.where(flags(s), new, old)
    s, new, old = jnp.broadcast_arrays(s.astype(dtype), new.astype(dtype), old.astype(dtype))
    return _blend(s, new, old)


def expected(draw: Any, gradient: Gradient | None) -> Any:
    """The draws of a step, or of its twin."""
    return draw if gradient is None else ExpectedDraw(draw, gradient.relaxed)


class ExpectedDraw:
    """The draws of another object, but counts are floats with the derivative of their mean.

    Noise is reparametrised: ``mu + sigma*randn()`` has the derivatives 1 and ``randn()``. A count has none of its own;
    that of its mean gives the right gradient, on average, of all that is linear in the count. Relaxed, a count *is* its
    mean.
    """

    def __init__(self, draw: Any, relaxed: bool) -> None:
        self.draw = draw
        self.relaxed = relaxed
        self.rand = draw.rand
        self.randn = draw.randn

    def poisson(self, number: int, mean: Array) -> Array:
        return self._count(lambda: self.draw.poisson(number, mean), mean)

    def binomial(self, number: int, n: Array, p: Array) -> Array:
        return self._count(lambda: self.draw.binomial(number, n, p), n * p)

    def _count(self, drawn: Any, mean: Array) -> Array:
        mean = jnp.asarray(mean, jnp.result_type(float, mean))
        if self.relaxed:
            return mean
        return drawn().astype(mean.dtype) + (mean - jax.lax.stop_gradient(mean))
