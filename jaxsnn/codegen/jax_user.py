"""Functions of the user inside a step: traced by JAX, or called back into Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import io_callback

from jaxsnn.equations.expressions import Call, Expr, walk
from jaxsnn.equations.functions import Implementation
from jaxsnn.errors import ArgumentError, NotSupportedError

__all__ = ["implementations", "user_function"]

Array = Any

_UNTRACEABLE = (jax.errors.JAXTypeError, TypeError, ValueError)
"""What NumPy functions, and ``if`` and ``float()`` of values that are not known yet, come to in JAX."""


def implementations(exprs: Iterable[Expr]) -> dict[str, Implementation]:
    """The functions of the user that expressions call, by name."""
    return {
        node.function: node.implementation
        for expr in exprs
        for node in walk(expr)
        if isinstance(node, Call) and node.implementation is not None
    }


def user_function(name: str, implementation: Implementation) -> Callable[..., Array]:
    """What generated code calls: the function, with its result checked and converted."""
    inner = _called_back(name, implementation) if implementation.callback else _traced(name, implementation)

    def call(*args: Array) -> Array:
        result = inner(*(jnp.asarray(arg) for arg in args))
        shape = jnp.broadcast_shapes(*(jnp.shape(arg) for arg in args))
        if jnp.shape(result) not in (shape, ()):
            raise ArgumentError(
                f"{name}() got arrays of shape {shape} and returned one of shape {jnp.shape(result)}; a function in"
                f" equations has to return one value for each element"
            )
        return jnp.asarray(result, _dtype(implementation.type, args))

    return call


def _dtype(type: str, args: Iterable[Array]) -> Any:
    if type == "float":
        floats = [arg for arg in args if jnp.issubdtype(jnp.result_type(arg), jnp.floating)]
        return jnp.result_type(*floats) if floats else jnp.result_type(float)
    return {"integer": jnp.int32, "boolean": jnp.bool_}[type]


def _traced(name: str, implementation: Implementation) -> Callable[..., Array]:
    def call(*args: Array) -> Array:
        try:
            return implementation.call(*args)
        except _UNTRACEABLE as error:
            said = str(error).splitlines()[0]
            raise ArgumentError(
                f"{name}() is no pure function of JAX arrays ({type(error).__name__}: {said}); write it with jax.numpy"
                f" (jnp.where instead of if), or as Function({name}, ..., callback=True), which calls back into Python"
            ) from error

    return call


def _called_back(name: str, implementation: Implementation) -> Callable[..., Array]:
    host = {"float": float, "integer": np.int32, "boolean": np.bool_}[implementation.type]

    @jax.custom_jvp
    def call(*args: Array) -> Array:
        # All of one shape, since `jax.vmap` puts axes in front of each.
        shape = jnp.broadcast_shapes(*(jnp.shape(arg) for arg in args))
        args = tuple(jnp.broadcast_to(arg, shape) for arg in args)
        result = jax.ShapeDtypeStruct(shape, _dtype(implementation.type, args))

        def on_host(*values: Array) -> np.ndarray:
            arrays = [np.asarray(value) for value in values]
            shape = np.broadcast_shapes(*(array.shape for array in arrays))
            found: np.ndarray = np.asarray(implementation.call(*arrays), host)
            if found.shape not in (shape, ()):
                raise ArgumentError(
                    f"{name}() got arrays of shape {shape} and returned one of shape {found.shape}; a function in"
                    f" equations has to return one value for each element"
                )
            return np.broadcast_to(found, shape).astype(result.dtype)

        if implementation.stateless:
            return jax.pure_callback(on_host, result, *args, vmap_method="broadcast_all")
        return io_callback(on_host, result, *args)

    @call.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        raise NotSupportedError(
            f"{name}() calls back into Python, so it has no derivative; write it with jax.numpy and leave out"
            f" callback=True"
        )

    return call
