"""The functions of the language in JAX: what the step is made of.

Functions whose textbook form breaks (0/0, overflow in an untaken branch) are written so that value and
derivative are right everywhere: the argument is made harmless before the dangerous operation, not after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["RUNTIME", "JaxDraw"]

Array = Any


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
    x = jnp.asarray(x)
    # The quotient's derivative loses digits like epsilon/x; eight terms of the series hold in 64 bits to here.
    small = jnp.abs(x) < 0.03
    safe = jnp.where(small, 1.0, x)
    series = jnp.ones_like(safe)
    for k in range(8, 1, -1):
        series = 1.0 + x / k * series
    return jnp.where(small, series, jnp.expm1(safe) / safe)


def timestep(t: Array, dt: Array) -> Array:
    """Whole number of steps in a time, with a margin of a thousandth of a step."""
    return jnp.trunc((t + 1e-3 * dt) / dt).astype(jnp.int32)


def to_int(x: Array) -> Array:
    """Truncation towards zero; True becomes 1."""
    floating = jnp.issubdtype(jnp.result_type(x), jnp.floating)
    return jnp.trunc(x).astype(jnp.int32) if floating else jnp.asarray(x, jnp.int32)


def power(x: Array, y: Array) -> Array:
    """X ** y; small literal exponents become products, which are exact for negative bases."""
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


def propagator(matrix: Sequence[Sequence[Array]], dt: Array) -> tuple[Array, Array]:
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
    return exponential[..., :n, :n] / ratio, exponential[..., :n, n:] * dt / ratio


def propagate(parts: tuple[Array, Array], variables: Sequence[Array], forcing: Sequence[Array]) -> tuple[Array, ...]:
    """X -> P x + Q b with the matrices of `propagator`, elementwise over the neurons."""
    full, integral = parts
    n = len(variables)
    return tuple(
        sum(full[..., i, j] * variables[j] for j in range(n)) + sum(integral[..., i, j] * forcing[j] for j in range(n))
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


_FEW = 10.0
_LONGEST = 48
"""The probability of more successes than this is below 1e-16 for a mean of `_FEW`."""


def _few_successes(key: Array, n: Array, p: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Binomial numbers by inversion: the number of k with u < P(X > k)."""
    k = jnp.arange(_LONGEST, dtype=dtype)
    ratios = jnp.maximum(n - k, 0) / (k + 1) * (p / (1 - p))
    first = jnp.exp(n * jnp.log1p(-p))
    masses = first * jnp.cumprod(ratios)  # P(X = 1), P(X = 2), ...
    tails = jnp.cumsum(masses[::-1])[::-1]  # summed from the small end: exact where u is finest, near 0
    bits = jax.random.bits(key, shape, jnp.uint32)
    # Half a unit keeps u above 0, where every k would count.
    u = bits.astype(dtype) * jnp.asarray(2.0**-32, dtype) + jnp.asarray(2.0**-33, dtype)
    found = jnp.zeros(shape, jnp.int32)
    for tail in tails:
        found = found + (u < tail)
    return found


class JaxDraw:
    """Random draws of one operation in one step: a key, and the shape and type of the values."""

    def __init__(self, key: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.key = key
        self.shape = shape
        self.dtype = dtype

    def _key(self, number: int) -> Array:
        return jax.random.fold_in(self.key, number)

    def rand(self, number: int) -> Array:
        if jnp.dtype(self.dtype) != jnp.float32:
            return jax.random.uniform(self._key(number), self.shape, self.dtype)
        # jax.random.uniform has steps of 2**-23 in float32, which makes rand() < 1e-6 seven percent too frequent.
        # All 32 bits, rounded, are finer near 0; the top is kept below 1.
        bits = jax.random.bits(self._key(number), self.shape, jnp.uint32)
        return jnp.minimum(bits.astype(jnp.float32) * jnp.float32(2**-32), jnp.float32(1 - 2**-24))

    def randn(self, number: int) -> Array:
        return jax.random.normal(self._key(number), self.shape, self.dtype)

    def poisson(self, number: int, mean: Array) -> Array:
        mean = jax.lax.stop_gradient(mean)  # the rejection loop has no reverse mode, and counts no derivative
        return jax.random.poisson(self._key(number), mean, self.shape, jnp.int32)

    def binomial(self, number: int, n: Array, p: Array) -> Array:
        n, p = jax.lax.stop_gradient((n, p))
        key, shape, dtype = self._key(number), self.shape, self.dtype

        def general() -> Array:
            return jax.random.binomial(key, n, p, shape, dtype).astype(jnp.int32)

        if jnp.ndim(n) or jnp.ndim(p):
            return general()
        n, p = jnp.asarray(n, dtype), jnp.asarray(p, dtype)
        # One n and p for all elements, few successes: a table is ten times as fast as the rejection loops.
        return jax.lax.cond((n * p <= _FEW) & (p <= 0.5), lambda: _few_successes(key, n, p, shape, dtype), general)


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
