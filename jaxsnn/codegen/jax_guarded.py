"""The functions of the language as the gradient needs them: a derivative that is infinite or not defined is 0.

In reverse mode the branch of a ``where`` that is not taken gets the derivative 0, times its own slope: 0 * inf
would make every gradient NaN. Values are those of `jaxsnn.codegen.jax_runtime`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.codegen.jax_adaptive import bounded
from jaxsnn.codegen.jax_runtime import RUNTIME, divide

__all__ = ["GUARDED"]

Array = Any


def _finite(x: Array) -> Array:
    return jnp.where(jnp.isfinite(x), x, 0)


def guarded(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """An elementwise function of one number with a slope that is finite everywhere."""

    @jax.custom_jvp
    def value(x: Array) -> Array:
        return function(x)

    @value.defjvp
    def rule(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
        (x,), (dx,) = primals, tangents
        _, slope = jax.jvp(function, (x,), (jnp.ones_like(x),))
        return value(x), _finite(slope) * dx

    def wrapped(x: Array) -> Array:
        x = jnp.asarray(x)
        return value(x) if jnp.issubdtype(x.dtype, jnp.floating) else function(x)

    return wrapped


@jax.custom_jvp
def _divide(x: Array, y: Array) -> Array:
    return x / y


@_divide.defjvp
def _divide_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, y), (dx, dy) = primals, tangents
    zero = y == 0
    safe = jnp.where(zero, 1, y)
    change = jnp.where(zero, 0, dx / safe) - jnp.where(zero, 0, x / safe / safe) * dy
    return _divide(x, y), change


def safe_divide(x: Array, y: Array) -> Array:
    """True division whose derivative at y = 0 is 0."""
    if not all(jnp.issubdtype(jnp.result_type(side), jnp.floating) for side in (x, y)):
        return divide(x, y)
    dtype = jnp.result_type(x, y)
    return _divide(*jnp.broadcast_arrays(jnp.asarray(x, dtype), jnp.asarray(y, dtype)))


_ONE_NUMBER = ("exprel", "tan", "sinh", "cosh", "arcsin", "arccos", "exp", "log", "log10", "expm1", "log1p", "sqrt")

GUARDED: Mapping[str, Callable[..., Any]] = {
    **{name: guarded(RUNTIME[name]) for name in _ONE_NUMBER},  # type: ignore[arg-type]
    "divide": safe_divide,
    "adaptive": bounded,
}
"""What replaces functions of the runtime in blocks that are differentiated."""
