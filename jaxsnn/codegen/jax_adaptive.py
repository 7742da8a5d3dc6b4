"""Adaptive steps inside a time step: each element has its own, all of them are tried together.

Two forms of one loop: `adaptive` ends when the last element is done; `bounded` has a fixed number of tries, so that
reverse mode can go through it, and skips those that nobody needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxsnn.equations.statements import Adapt

__all__ = ["adaptive", "bounded"]

Array = Any
Rhs = Callable[..., tuple[Array, ...]]

_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 5.0
"""Of the step that would just fit; and how much steps change at most from one try to the next."""


class Carry(NamedTuple):
    """Of each element: time passed in the step, the sub-step to try, the values; and the number of tries."""

    passed: Array
    length: Array
    values: tuple[Array, ...]
    tries: Array


def adaptive(scheme: Adapt.Scheme, rhs: Rhs, values: tuple[Array, ...], t: Array, dt: Array) -> tuple[Array, ...]:
    """The values after a step of length dt; NaN where ``max_steps`` tries were not enough."""
    start = _start(scheme, values, dt)
    if scheme.most == 0:
        return _try(scheme, rhs, start.values, t, dt)[0]

    def going(carry: Carry) -> Array:
        return jnp.any(carry.passed < dt) & (carry.tries < scheme.most)

    return _result(jax.lax.while_loop(going, lambda carry: _advance(scheme, rhs, carry, t, dt), start), dt)


def bounded(scheme: Adapt.Scheme, rhs: Rhs, values: tuple[Array, ...], t: Array, dt: Array) -> tuple[Array, ...]:
    """The same with a derivative in reverse mode: that of the sub-steps as they were taken."""
    start = _start(scheme, values, dt)
    if scheme.most == 0:
        return _try(scheme, rhs, start.values, t, dt)[0]

    @jax.checkpoint
    def body(carry: Carry, _: None) -> tuple[Carry, None]:
        going = jnp.any(carry.passed < dt)
        return jax.lax.cond(going, lambda c: _advance(scheme, rhs, c, t, dt), lambda c: c, carry), None

    return _result(jax.lax.scan(body, start, None, length=scheme.most)[0], dt)


def _start(scheme: Adapt.Scheme, values: tuple[Array, ...], dt: Array) -> Carry:
    shape = jnp.broadcast_shapes(*map(jnp.shape, values))
    dtype = jnp.result_type(*values)
    first = dt if scheme.first is None else jnp.minimum(scheme.first, dt)
    length = jnp.broadcast_to(jnp.asarray(first, dtype), shape)
    whole = tuple(jnp.broadcast_to(jnp.asarray(value, dtype), shape) for value in values)
    return Carry(jnp.zeros(shape, dtype), length, whole, jnp.zeros((), jnp.int32))


def _try(
    scheme: Adapt.Scheme, rhs: Rhs, values: tuple[Array, ...], t: Array, length: Array
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """New values, and the difference from those of the embedded method."""
    stages: list[tuple[Array, ...]] = []

    def combined(weights: tuple[float, ...], k: int) -> Array:
        return length * sum(w * stage[k] for w, stage in zip(weights, stages, strict=True) if w)

    for c, row in zip(scheme.c, scheme.a, strict=True):
        at = values if not row else tuple(x + combined(row, k) for k, x in enumerate(values))
        slopes = rhs(t + c * length, *at)
        stages.append(tuple(jnp.broadcast_to(slope, x.shape) for slope, x in zip(slopes, values, strict=True)))
    new = tuple(x + combined(scheme.b, k) for k, x in enumerate(values))
    return new, tuple(combined(scheme.difference, k) for k in range(len(values)))


def _advance(scheme: Adapt.Scheme, rhs: Rhs, carry: Carry, t: Array, dt: Array) -> Carry:
    left = dt - carry.passed
    busy = left > 0
    last = carry.length >= left
    # Of finished elements the step is not 0: a slope there may divide by it in the derivative.
    length = jax.lax.stop_gradient(jnp.where(busy, jnp.minimum(carry.length, left), dt))
    new, difference = _try(scheme, rhs, carry.values, t + carry.passed, length)
    worst = jnp.zeros_like(length)
    for x, y, error, allowed in zip(carry.values, new, difference, scheme.absolute, strict=True):
        scale = allowed + scheme.relative * jnp.maximum(jnp.abs(x), jnp.abs(y))
        worst = jnp.maximum(worst, jnp.abs(error) / jnp.maximum(scale, jnp.finfo(length.dtype).tiny))
    worst = jax.lax.stop_gradient(worst)
    good = busy & (worst <= 1)  # NaN is not
    change = _SAFETY * jnp.maximum(worst, 1e-8) ** (-1 / scheme.order)
    change = jnp.where(jnp.isfinite(worst), jnp.clip(change, _SHRINK, _GROW), _SHRINK)
    passed = jnp.where(good, jnp.where(last, dt, carry.passed + length), carry.passed)
    values = tuple(jnp.where(good, y, x) for x, y in zip(carry.values, new, strict=True))
    return Carry(passed, jnp.where(busy, length * change, carry.length), values, carry.tries + 1)


def _result(carry: Carry, dt: Array) -> tuple[Array, ...]:
    return tuple(jnp.where(carry.passed >= dt, value, jnp.nan) for value in carry.values)
