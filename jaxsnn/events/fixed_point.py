"""Sums that do not depend on the order of their terms: as whole numbers of a small unit.

Additions of floats are rounded, so their result depends on the order, and on a GPU the order differs from run to run.
Whole numbers add up to the same in any order. The unit is a power of two, 2**-30 of the largest sum that may occur
(2**-62 with 64-bit floats).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["add", "bits", "fixed", "floating", "rounded", "unit"]

Array = Any


def bits(dtype: Any) -> int:
    """Binary digits of the largest sum."""
    return 62 if jnp.dtype(dtype) == jnp.float64 else 30


def whole(dtype: Any) -> Any:
    """The integer type beside a floating-point type."""
    return jnp.int64 if jnp.dtype(dtype) == jnp.float64 else jnp.int32


def unit(largest: Array) -> Array:
    """The exponent e of the unit 2**e for sums of absolute values up to ``largest``.

    >>> int(unit(jnp.float32(1.0)))
    -29
    """
    dtype = jnp.result_type(largest)
    _, exponent = jnp.frexp(jnp.where(largest > 0, largest, 1))
    return exponent - bits(dtype)


def fixed(value: Array, exponent: Array) -> Array:
    """Values as whole numbers of units, rounded."""
    dtype = jnp.result_type(value)
    return rounded(value * power(-exponent, dtype), whole(dtype))


def rounded(units: Array, kind: Any = jnp.int32) -> Array:
    """To the nearest whole number."""
    return jnp.floor(units + 0.5).astype(kind)


def floating(number: Array, exponent: Array, dtype: Any) -> Array:
    """The inverse of `fixed`."""
    return number.astype(dtype) * power(exponent, dtype)


def power(exponent: Array, dtype: Any) -> Array:
    """2**exponent, exactly: in two factors, since one alone may be too large or too small for a float."""
    half = exponent // 2
    return jnp.ldexp(jnp.ones((), dtype), half) * jnp.ldexp(jnp.ones((), dtype), exponent - half)


def add(total: Array, index: Any, amount: Array, most: Array | int) -> Array:
    """``total.at[index].add(amount)``, the same bits in any order.

    Args:
        most: how many terms one element gets at most.

    >>> add(jnp.zeros(2), jnp.array([0, 1, 0]), jnp.array([0.1, 0.2, 0.3]), most=2).tolist()
    [0.4000000059604645, 0.20000000298023224]
    """
    dtype = total.dtype
    amount = amount.astype(dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        return total.at[index].add(amount)
    largest = jnp.max(jnp.abs(amount), initial=0)
    exponent = unit(largest * most)

    def summed() -> Array:
        sums = jnp.zeros(total.shape, whole(dtype)).at[index].add(fixed(amount, exponent))
        return total + floating(sums, exponent, dtype)

    # What is infinite or not a number has no place among whole numbers, and no order to depend on.
    return jax.lax.cond(jnp.isfinite(largest), summed, lambda: total.at[index].add(amount))
