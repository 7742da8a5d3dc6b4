"""The functions of the language in JAX: what the step is made of.

Functions whose textbook form breaks (0/0, overflow in an untaken branch) are written so that value and
derivative are right everywhere: the argument is made harmless before the dangerous operation, not after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.codegen.jax_adaptive import adaptive

__all__ = ["RUNTIME"]

Array = Any
Matrix = tuple[tuple[Array, ...], ...]


def of_floats(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function of one number, where an integer counts as a float of full width.

    (By itself JAX computes ``exp`` of a 32-bit integer in 32 bits, also in a run of 64.)
    """

    def wrapped(x: Array) -> Array:
        return function(_as_float(x))

    return wrapped


def divide(x: Array, y: Array) -> Array:
    """True division; two integers are divided as floats of full width."""
    return _as_float(x) / _as_float(y)


def _as_float(x: Array) -> Array:
    kind = jnp.result_type(x)
    if isinstance(x, int | float) or jnp.issubdtype(kind, jnp.floating):
        return x
    return jnp.asarray(x, jnp.result_type(float))


def exprel(x: Array) -> Array:
    """(exp(x) - 1)/x with value 1 and derivative 1/2 at 0."""
    return _exprel(jnp.asarray(x))


@jax.custom_jvp
def _exprel(x: Array) -> Array:
    # The quotient is exact to rounding everywhere but at 0 itself.
    zero = x == 0
    return jnp.where(zero, 1.0, jnp.expm1(x) / jnp.where(zero, 1.0, x))


@_exprel.defjvp
def _exprel_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """The derivative (exp(x) - exprel(x))/x loses digits like epsilon/x near 0, where its series takes over."""
    (x,), (dx,) = primals, tangents
    value = _exprel(x)
    small = jnp.abs(x) < 0.25
    near = jnp.where(small, x, 0.0)
    series = jnp.zeros_like(x)
    for k in range(11, -1, -1):  # the derivative of x**(k + 1) / (k + 2)!
        series = series * near + (k + 1) / math.factorial(k + 2)
    safe = jnp.where(small, 1.0, x)
    return value, jnp.where(small, series, (jnp.exp(safe) - value) / safe) * dx


def timestep(t: Array, dt: Array) -> Array:
    """Whole number of steps in a time, with a margin of a thousandth of a step."""
    return jnp.trunc((t + 1e-3 * dt) / dt).astype(jnp.int32)


def to_int(x: Array) -> Array:
    """Truncation towards zero; True becomes 1."""
    floating = jnp.issubdtype(jnp.result_type(x), jnp.floating)
    return jnp.trunc(x).astype(jnp.int32) if floating else jnp.asarray(x, jnp.int32)


def power(x: Array, y: Array) -> Array:
    """X ** y; small literal exponents become products, which are exact for negative bases."""
    if isinstance(x, int | float) and isinstance(y, int | float):
        return float(x) ** y if y < 0 else x**y
    if isinstance(y, int) and not isinstance(y, bool):
        if not jnp.issubdtype(jnp.result_type(x), jnp.floating) and y < 0:
            x = jnp.asarray(x, dtype=jnp.result_type(float))
        return jax.lax.integer_pow(jnp.asarray(x), y)
    if isinstance(y, float) and y.is_integer():
        return jnp.power(x, y)
    dtype = jnp.result_type(x, y)
    if not jnp.issubdtype(dtype, jnp.floating):
        return jnp.power(x, y)
    return _power(*jnp.broadcast_arrays(jnp.asarray(x, dtype), jnp.asarray(y, dtype)))


@jax.custom_jvp
def _power(x: Array, y: Array) -> Array:
    return jnp.power(x, y)


@_power.defjvp
def _power_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    """The textbook derivatives, but 0 where they are infinite or not defined: at x = 0 and below."""
    (x, y), (dx, dy) = primals, tangents
    value = _power(x, y)
    infinite = (x == 0) & (y < 1)
    slope = jnp.where(infinite, 0, y * jnp.power(jnp.where(infinite, 1, x), y - 1))
    positive = x > 0
    growth = jnp.where(positive, value, 0) * jnp.log(jnp.where(positive, x, 1))
    return value, slope * dx + growth * dy


def safe_sqrt(x: Array) -> Array:
    """Sqrt with derivative 0 instead of infinity at 0 (inf * 0 would make every gradient NaN)."""
    x = jnp.asarray(x)
    zero = x == 0
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, x)))


def exp_divided(*z: Array) -> Array:
    """Divided difference of exp at the given points (which may coincide), elementwise.

    The corner entry of the exponential of the bidiagonal matrix with the points on its diagonal and ones
    above it (Opitz 1964), by scaling, a Taylor polynomial and squaring.
    """
    points = jnp.broadcast_arrays(*(jnp.asarray(p, dtype=jnp.result_type(float, p)) for p in z))
    if len(points) == 1:
        return jnp.exp(points[0])
    if len(points) == 2:
        # The larger one in front: its factor cannot overflow where the other vanishes.
        one, other = points
        high, low = jnp.where(one >= other, one, other), jnp.where(one >= other, other, one)
        return jnp.exp(high) * exprel(low - high)
    n = len(points)
    matrix = jnp.stack(
        [
            jnp.stack(
                [points[i] if i == j else jnp.full_like(points[0], float(j == i + 1)) for j in range(n)],
                -1,
            )
            for i in range(n)
        ],
        -2,
    )
    # Each element is halved until its norm is below 1/2; 14 terms then reach double precision.
    norm = jnp.max(jnp.sum(jnp.abs(matrix), -1), -1)
    squarings = jnp.clip(jnp.ceil(jnp.log2(jax.lax.stop_gradient(norm))) + 1, 0, 24)
    scaled = matrix * jnp.exp2(-squarings)[..., None, None]
    total = jnp.broadcast_to(jnp.eye(n, dtype=matrix.dtype), matrix.shape)
    term = total
    for k in range(1, 15):
        term = jnp.matmul(term, scaled, precision="highest") / k
        total = total + term

    def square(k: Array, total: Array) -> Array:
        return jnp.where((k < squarings)[..., None, None], jnp.matmul(total, total, precision="highest"), total)

    for k in range(24):
        total = square(k, total)
    return total[..., 0, n - 1]


def propagator(matrix: Sequence[Sequence[Array]], dt: Array) -> tuple[Matrix, Matrix]:
    """exp(M dt) and the integral of exp(M s) over s = 0..dt, for each element.

    The matrix is balanced first (Osborne 1960), because entries in SI units differ by many orders of
    magnitude (1/C = 5e9, leak 1e-8).
    """
    shape = jnp.broadcast_shapes(*(jnp.shape(entry) for row in matrix for entry in row))
    dtype = jnp.result_type(float, *(entry for row in matrix for entry in row))
    stacked = jnp.stack(
        [jnp.stack([jnp.broadcast_to(jnp.asarray(entry, dtype), shape) for entry in row], -1) for row in matrix],
        -2,
    )
    n = stacked.shape[-1]
    scale = jnp.zeros((*shape, n), dtype)  # log2 of the balancing diagonal
    off = jnp.abs(jax.lax.stop_gradient(stacked)) * (1 - jnp.eye(n, dtype=dtype))
    tiny = jnp.finfo(dtype).tiny
    logs = jnp.where(off > 0, jnp.log2(jnp.maximum(off, tiny)), -jnp.inf)
    # Where an influence goes one way only (synapse -> membrane), nothing balances it: it is scaled down to 1/dt.
    most = -jnp.log2(jax.lax.stop_gradient(jnp.asarray(dt, dtype)))
    for _ in range(6):
        for k in range(n):
            shifted = logs + scale[..., None, :] - scale[..., :, None]
            row = jnp.max(shifted[..., k, :], -1)
            column = jnp.max(shifted[..., :, k], -1)
            both = jnp.isfinite(row) & jnp.isfinite(column)
            balance = (jnp.where(both, row, 0) - jnp.where(both, column, 0)) / 2
            reduce = jnp.maximum(row - most, 0) - jnp.maximum(column - most, 0)
            scale = scale.at[..., k].add(jnp.round(jnp.where(both, balance, reduce)))
    # D^-1 M D with D = 2**scale: entry (i, j) times 2**(scale_j - scale_i), exact in floating point.
    ratio = jnp.exp2(scale[..., None, :] - scale[..., :, None])
    balanced = stacked * ratio * dt
    zero = jnp.zeros_like(balanced)
    eye = jnp.broadcast_to(jnp.eye(n, dtype=dtype), balanced.shape)
    augmented = jnp.concatenate([jnp.concatenate([balanced, eye], -1), jnp.concatenate([zero, zero], -1)], -2)
    flat = augmented.reshape((-1, 2 * n, 2 * n))
    exponential = jax.vmap(lambda m: jax.scipy.linalg.expm(m, max_squarings=48))(flat).reshape(augmented.shape)
    full, integral = exponential[..., :n, :n] / ratio, exponential[..., :n, n:] * dt / ratio
    return _entries(full), _entries(integral)


def _entries(matrix: Array) -> Matrix:
    """The entries one by one: arrays of the shape of the elements, which a kernel can take in parts."""
    n = matrix.shape[-1]
    return tuple(tuple(matrix[..., i, j] for j in range(n)) for i in range(n))


def propagate(parts: tuple[Matrix, Matrix], variables: Sequence[Array], forcing: Sequence[Array]) -> tuple[Array, ...]:
    """X -> P x + Q b with the matrices of `propagator`, elementwise over the neurons."""
    full, integral = parts
    n = len(variables)
    return tuple(
        sum(full[i][j] * variables[j] for j in range(n)) + sum(integral[i][j] * forcing[j] for j in range(n))
        for i in range(n)
    )


def timed_array(values: Array, index: Array) -> Array:
    """The value at an index; beyond either end the value at that end."""
    values = jnp.atleast_1d(values)
    return values[jnp.clip(index, 0, values.shape[0] - 1)]


def timed_array_2d(values: Array, index: Array, i: Array) -> Array:
    """The value at an index in column i; NaN in a column that does not exist."""
    index = jnp.clip(index, 0, values.shape[0] - 1)
    column = jnp.asarray(i).astype(jnp.int32)
    valid = (column >= 0) & (column < values.shape[1])
    safe = jnp.where(valid, column, 0)
    # One row for all elements is a slice and a gather from the row: faster than a gather from the whole.
    found = values[index][safe] if jnp.ndim(index) == 0 else values[index, safe]
    return jnp.where(valid, found, jnp.nan)


def remember_row(ring: Array, values: Array, now: Array) -> Array:
    """The ring with the values of step ``now``; its rows are steps."""
    ring = jnp.asarray(ring)
    return ring.at[now % ring.shape[0]].set(jnp.asarray(values, ring.dtype))


def look_back(ring: Array, now: Array, back: Array, i: Array) -> Array:
    """Column i of a ring, ``back`` steps before ``now``: linear between steps; NaN for what it does not hold."""
    ring, length = jnp.asarray(ring), ring.shape[0]
    known = (back >= 0) & (back <= length - 1)
    whole = jnp.clip(jnp.floor(back), 0, max(length - 2, 0)).astype(jnp.int32)
    later, earlier = ring[(now - whole) % length, i], ring[(now - whole - 1) % length, i]
    return jnp.where(known, later + (back - whole) * (earlier - later), jnp.nan)


def tally_bins(counts: Array, place: Array) -> Array:
    """Counts (elements, bins) with one more where ``place`` (in bins) falls; the upper end is in the last bin."""
    counts = jnp.asarray(counts)
    n, bins = counts.shape
    place = jnp.broadcast_to(place, (n,))
    inside = (place >= 0) & (place <= bins)
    which = jnp.clip(jnp.floor(jnp.where(inside, place, 0)), 0, bins - 1).astype(jnp.int32)
    return counts.at[jnp.arange(n), which].add(inside.astype(counts.dtype))


RUNTIME: Mapping[str, Callable[..., Any] | float] = {
    "sin": of_floats(jnp.sin),
    "cos": of_floats(jnp.cos),
    "tan": of_floats(jnp.tan),
    "sinh": of_floats(jnp.sinh),
    "cosh": of_floats(jnp.cosh),
    "tanh": of_floats(jnp.tanh),
    "arcsin": of_floats(jnp.arcsin),
    "arccos": of_floats(jnp.arccos),
    "arctan": of_floats(jnp.arctan),
    "exp": of_floats(jnp.exp),
    "log": of_floats(jnp.log),
    "log10": of_floats(jnp.log10),
    "expm1": of_floats(jnp.expm1),
    "log1p": of_floats(jnp.log1p),
    "exprel": of_floats(exprel),
    "sqrt": of_floats(safe_sqrt),
    "abs": jnp.abs,
    "sign": jnp.sign,
    "clip": jnp.clip,
    "minimum": jnp.minimum,
    "maximum": jnp.maximum,
    "where": jnp.where,
    "floor": jnp.floor,
    "ceil": jnp.ceil,
    "int": to_int,
    "timestep": timestep,
    "exp_divided": exp_divided,
    "timed_array": timed_array,
    "timed_array_2d": timed_array_2d,
    "adaptive": adaptive,
    "remember_row": remember_row,
    "look_back": look_back,
    "tally_bins": tally_bins,
    "propagator": propagator,
    "propagate": propagate,
    "power": power,
    "divide": divide,
    "floor_divide": jnp.floor_divide,
    "remainder": jnp.remainder,
    "logical_not": jnp.logical_not,
    "logical_and": jnp.logical_and,
    "logical_or": jnp.logical_or,
    "inf": np.inf,
}
