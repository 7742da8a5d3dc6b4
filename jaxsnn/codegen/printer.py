"""Expressions and statements as Python source, the same for NumPy and JAX.

The printed functions call the functions of the language by their own names; which implementation a name
means is decided by the module the source is compiled in (`numpy_runtime`, `jax_runtime`). Source is generated
from checked trees only, never from the user's text, and stays attached to the compiled function, so that
tracebacks show it.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jaxsnn.equations.expressions import (
    Binary,
    Call,
    Compare,
    Expr,
    Logical,
    Name,
    Number,
    Unary,
)
from jaxsnn.equations.functions import FUNCTIONS, Implementation
from jaxsnn.equations.statements import Assign

__all__ = ["USER", "Draws", "compile_source", "print_expression", "print_statement"]

USER = "_user_"
"""Before the names of functions of the user, which may be those of our own (``power``)."""


@dataclass
class Draws:
    """Counts the random draws of a block: each call in the text gets its own number."""

    count: int = 0

    def next(self) -> int:
        self.count += 1
        return self.count - 1


@dataclass
class _Printer:
    draws: Draws = field(default_factory=Draws)

    def __call__(self, expr: Expr) -> str:
        match expr:
            case Number(value=float() as value) if value in (float("inf"), float("-inf")):
                return "inf" if value > 0 else "(-inf)"
            case Number(value=value):
                return repr(value) if isinstance(value, bool) or value >= 0 else f"({value!r})"
            case Name(id=name):
                return name
            case Unary(op="not", operand=operand):
                return f"logical_not({self(operand)})"
            case Unary(operand=operand):
                return f"(-{self(operand)})"
            case Binary(op="**", left=left, right=right):
                return f"power({self(left)}, {self(right)})"
            case Binary(op=op, left=left, right=right) if op in ("//", "%"):
                function = "floor_divide" if op == "//" else "remainder"
                return f"{function}({self(left)}, {self(right)})"
            case Binary(op="/", left=left, right=right) if not (
                isinstance(right, Number) and isinstance(right.value, float)
            ):
                return f"divide({self(left)}, {self(right)})"  # integers divide in the float type of the run
            case Binary(op=op, left=left, right=right):
                return f"({self(left)} {op} {self(right)})"
            case Compare(op=op, left=left, right=right):
                return f"({self(left)} {op} {self(right)})"
            case Logical(op=op, operands=operands):
                text = self(operands[0])
                for operand in operands[1:]:
                    text = f"logical_{op}({text}, {self(operand)})"
                return text
            case Call(function=name, args=args, implementation=Implementation()):
                return f"{USER}{name}({', '.join(self(arg) for arg in args)})"
            case Call(function=name, args=args):
                row = FUNCTIONS.get(name)
                printed = [self(arg) for arg in args]
                if row is not None and row.stateful:
                    return f"_draw.{name}({', '.join([str(self.draws.next()), *printed])})"
                return f"{name}({', '.join(printed)})"
        raise TypeError(f"not an expression: {expr!r}")


def print_expression(expr: Expr, draws: Draws | None = None) -> str:
    """Python source of an expression, with all parentheses (the order of operations is the user's)."""
    return _Printer(draws if draws is not None else Draws())(expr)


def print_statement(statement: Assign, draws: Draws, guards: Mapping[str, str]) -> str:
    """One line of Python for an assignment; a guarded write keeps the old value where the guard is False."""
    value = print_expression(statement.value, draws)
    guard = guards.get(statement.target)
    if guard is not None:
        value = f"where({guard}, {value}, {statement.target})"
    return f"{statement.target} = {value}"


_SERIAL = 0


def compile_source(
    name: str,
    arguments: Sequence[str],
    body: Sequence[str],
    returns: Sequence[str],
    runtime: Mapping[str, Any],
) -> Callable[..., Any]:
    """Compile ``def name(arguments): body; return returns`` in the namespace of a runtime.

    The function's ``source`` attribute and tracebacks show the generated lines.
    """
    global _SERIAL
    _SERIAL += 1
    safe = "".join(c if c.isalnum() or c == "_" else "_" for c in name)
    lines = [f"def {safe}({', '.join(arguments)}):"]
    lines += [f"    {line}" for line in body]
    lines.append(f"    return ({''.join(f'{r}, ' for r in returns)})")
    source = "\n".join(lines) + "\n"
    filename = f"<jaxsnn {name} #{_SERIAL}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace = dict(runtime)
    exec(compile(source, filename, "exec"), namespace)
    function = namespace[safe]
    function.source = source
    return function
