"""A function computed in one way and differentiated in another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["differentiated_as", "is_float"]

Array = Any


def is_float(x: Any) -> bool:
    """Whether an array can have a derivative."""
    return bool(jnp.issubdtype(x.dtype, jnp.floating))


def differentiated_as(
    function: Callable[..., Any], smooth: Callable[..., Any], values_too: bool = False
) -> Callable[..., Any]:
    """A function of trees with the values of ``function`` and the derivative of ``smooth``.

    With `jax.custom_jvp`, not ``custom_vjp``: forward mode stays, and reverse mode is the transposition of the tangent.
    What they depend on must be an argument, not a closure; arrays that are no floats travel without derivative.

    ``values_too``: where a derivative is asked for, ``smooth`` gives the values too, so that nothing is computed twice.
    """

    def wrapped(*trees: Any) -> Any:
        leaves, structure = jax.tree.flatten(trees)
        leaves = [x if hasattr(x, "dtype") else jnp.asarray(x) for x in leaves]
        moving = [is_float(x) for x in leaves]

        def apply(f: Callable[..., Any], floats: list[Array], others: list[Array]) -> Any:
            first, second = iter(floats), iter(others)
            return f(*jax.tree.unflatten(structure, [next(first if m else second) for m in moving]))

        @jax.custom_jvp
        def result(floats: list[Array], others: list[Array]) -> Any:
            return apply(function, floats, others)

        @result.defjvp
        def rule(primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> tuple[Any, Any]:
            floats, others = primals
            out, change = jax.jvp(lambda x: apply(smooth, x, others), (floats,), (tangents[0],))
            return (out if values_too else result(floats, others)), change

        floats = [x for x, m in zip(leaves, moving, strict=True) if m]
        return result(floats, [x for x, m in zip(leaves, moving, strict=True) if not m])

    return wrapped
