"""Evaluate expressions on the host with NumPy: string assignments, connect conditions, string indexing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from jaxsnn.codegen.numpy_runtime import RUNTIME, NumpyDraw
from jaxsnn.codegen.printer import USER, Draws, compile_source, print_expression
from jaxsnn.equations.expressions import Call, Expr, names, transform

__all__ = ["evaluate"]


@lru_cache(maxsize=1024)
def _compiled(expr: Expr, functions: tuple[str, ...]) -> tuple[tuple[str, ...], Callable[..., Any]]:
    reads = tuple(sorted(names(expr)))
    draws = Draws()
    text = print_expression(expr, draws)
    return reads, compile_source("expression", [*reads, *functions, "_draw"], [], [text], RUNTIME)


def evaluate(
    expr: Expr,
    values: Mapping[str, Any],
    generator: np.random.Generator | None = None,
    shape: tuple[int, ...] = (),
    functions: Mapping[str, Callable[..., Any]] | None = None,
) -> Any:
    """The value of an expression, given the values of its names (arrays broadcast).

    ``shape`` is the shape of each random draw; ``functions`` are those of the user (timed arrays).
    """
    functions = {f"{USER}{name}": function for name, function in (functions or {}).items()}

    def of_user(node: Expr) -> Expr | None:
        if isinstance(node, Call) and f"{USER}{node.function}" in functions:
            return replace(node, function=f"{USER}{node.function}")
        return None

    reads, function = _compiled(transform(expr, of_user), tuple(sorted(functions)))
    draw = NumpyDraw(generator if generator is not None else np.random.default_rng(), shape)
    with np.errstate(all="ignore"):
        return function(*(values[n] for n in reads), *(functions[n] for n in sorted(functions)), draw)[0]
