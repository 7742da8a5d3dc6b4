"""When a neuron reaches its threshold: the search inside an interval, and the derivative of what was found.

The time t of a spike is defined by G(t; x, p) = 0, the margin of the threshold along the flow from the neuron's last
event. By the implicit function theorem

    dt = -(dG/dx dx + dG/dp dp) / (dG/dt),

whatever way the root was found. That is the one place where a spike enters the derivative; everything else (flows,
resets, jumps) JAX differentiates as it is written.

Source: T. C. Wunderlich, C. Pehle (2021), doi:10.1038/s41598-021-91786-z.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.adjoint.populations import Environment, Numbers, Population

__all__ = ["crossing_time", "first_crossings"]

Array = Any
MOST_HALVINGS = 64
"""Enough to halve an interval down to the last digit of a 64-bit number."""
MOST_STEPS = 3 * MOST_HALVINGS


# ---- the derivative ----------------------------------------------------------------------------------


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def crossing_time(
    population: Population, found: Array, at_once: Array, since: Array, step: Array, x: Numbers, constants: Numbers
) -> Array:
    """The time at which one neuron fires, as found by the search, with its derivative.

    at_once: the neuron was lifted above its threshold by a jump (or released above it) at the time ``since``, so that
    it fires at that very time, and the time's derivative is that of the jump.
    """
    return found


@crossing_time.defjvp
def _crossing_time_jvp(population: Population, primals: Any, tangents: Any) -> tuple[Array, Array]:
    _, at_once, since, step, x, constants = primals
    t = crossing_time(population, *primals)

    def along(s: Array) -> Array:
        return population.margin_after(s, since, step, x, constants)

    _, slope = jax.jvp(along, (t,), (jnp.ones_like(t),))

    def moved(since: Array, x: Numbers, constants: Numbers) -> Array:
        return population.margin_after(t, since, step, x, constants)

    _, change = jax.jvp(moved, (since, x, constants), (tangents[2], tangents[4], tangents[5]))
    return t, jnp.where(at_once, tangents[2], -change / jnp.where(at_once, 1, slope))


# ---- the search --------------------------------------------------------------------------------------


def first_crossings(
    population: Population,
    env: Environment,
    x: Numbers,
    since: Array,
    free: Array,
    step: Array,
    low: Array,
    high: Array,
) -> tuple[Array, Array]:
    """For each neuron the time in [low, high] at which it fires (infinity if it does not), and its margin at ``since``.

    A neuron fires where its margin is positive at the end of the interval, or at a maximum inside it (the slope
    changes from rise to fall). The root is found by Newton's method, kept inside a bracket by bisection.
    """
    n = jnp.arange(population.size, dtype=jnp.int32)
    constants, common = population.constants(env, n), population.common(env)

    def one(s: Array, since: Array, x: Numbers, constants: Numbers) -> Array:
        return population.margin_after(s, since, step, x, {**constants, **common})

    def margin(s: Array) -> Array:
        return jax.vmap(one)(s, since, x, constants)

    def with_slope(s: Array) -> tuple[Array, Array]:
        return jax.jvp(margin, (s,), (jnp.ones_like(s),))

    lows, highs = jnp.full_like(since, low), jnp.full_like(since, high)
    # Both ends in one evaluation: half the program to compile.
    (below, above), (rise, fall) = jax.vmap(with_slope)(jnp.stack([lows, highs]))
    at_once = free & (below > 0)
    waiting = free & ~at_once
    # Where the margin rises at one end and falls at the other, it lies below both tangents.
    both = (rise > 0) & (fall < 0)
    meet = jnp.where(both, (above - below - fall * (highs - lows)) / jnp.where(both, rise - fall, 1), 0)
    may_peak = waiting & (above <= 0) & both & (below + rise * meet > 0)
    peaks, height = jax.lax.cond(
        jnp.any(may_peak), lambda: _maximum(with_slope, lows, highs), lambda: (highs, jnp.full_like(highs, -1))
    )
    peaks = jnp.where(may_peak, peaks, highs)
    fires = waiting & ((above > 0) | (may_peak & (height > 0)))
    roots = jax.lax.cond(jnp.any(fires), lambda: _root(with_slope, lows, peaks, fires), lambda: highs)
    at_since = jax.vmap(lambda t, x, own: population.margin(t, x, {**own, **common}))(since, x, constants)
    return jnp.where(at_once, lows, jnp.where(fires, roots, jnp.inf)), at_since


def _maximum(with_slope: Callable[[Array], tuple[Array, Array]], low: Array, high: Array) -> tuple[Array, Array]:
    """Where the slope changes its sign, by halving, and the largest margin on the way there."""

    def halve(_: Array, found: tuple[Array, ...]) -> tuple[Array, ...]:
        a, b, best, height = found
        middle = (a + b) / 2
        value, slope = with_slope(middle)
        rising, higher = slope > 0, value > height
        return (
            jnp.where(rising, middle, a),
            jnp.where(rising, b, middle),
            jnp.where(higher, middle, best),
            jnp.where(higher, value, height),
        )

    first = (low, high, low, jnp.full_like(low, -jnp.inf))
    return jax.lax.fori_loop(0, MOST_HALVINGS // 2, halve, first)[2:]


def _root(with_slope: Callable[[Array], tuple[Array, Array]], low: Array, high: Array, wanted: Array) -> Array:
    """Where the margin becomes positive, for the neurons wanted: Newton's method inside a bracket that shrinks."""
    finest = jnp.finfo(low.dtype).eps

    def unfinished(carry: tuple[Array, ...]) -> Array:
        count, _, _, _, moving = carry
        return (count < MOST_STEPS) & jnp.any(moving)

    def improve(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        count, a, b, s, moving = carry
        value, slope = with_slope(s)
        positive = value > 0
        a, b = jnp.where(positive, a, s), jnp.where(positive, s, b)
        change = value / jnp.where(slope > 0, slope, 1)
        # Newton's last change is lost in the last digit: then s is also an end of the bracket, and nothing is inside.
        found = (slope > 0) & (jnp.abs(change) <= 2 * finest * jnp.abs(s))
        done = found | (b - a <= 2 * finest * jnp.abs(b))
        newton = s - change
        # Newton's steps may creep along one side of the bracket: every third step halves it.
        inside = (slope > 0) & (newton > a) & (newton < b) & (count % 3 != 2)
        new = jnp.where(inside, newton, (a + b) / 2)
        return count + 1, a, b, jnp.where(moving & ~done, new, s), moving & ~done

    first = (low + high) / 2
    return jax.lax.while_loop(unfinished, improve, (0, low, high, first, wanted))[3]
