"""Blocks of a user's statements, with their names given meaning and their dimensions checked."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping

from jaxsnn.equations.dimensions import Symbol, describe, infer
from jaxsnn.equations.expressions import Expr, Number, names, substitute
from jaxsnn.equations.functions import CONSTANTS, FUNCTIONS
from jaxsnn.equations.names import Binder
from jaxsnn.equations.statements import Assign
from jaxsnn.equations.system import Equations, is_noise
from jaxsnn.errors import DimensionError, Source, UnknownNameError, did_you_mean
from jaxsnn.units import UNITS

__all__ = ["bind_block", "check_shared"]


def bind_block(
    statements: Iterable[Assign],
    source: Source,
    symbols: Mapping[str, Symbol],
    protected: Mapping[str, str],
    binder: Binder,
    substitutes: Mapping[str, Expr],
) -> tuple[Assign, ...]:
    """Bind and check statements.

    Args:
        statements: As parsed.
        source: Their text, for messages.
        symbols: Variables of the object; a target that is none of them is a local of the block.
        protected: Variables that cannot be written, with the reason.
        binder: Gives names their meaning and collects constants.
        substitutes: Names that stand for expressions.
    """
    scope = dict(symbols)
    bound: list[Assign] = []
    for statement in statements:
        target = statement.target
        if target in protected:
            raise source.error(f"{target!r} cannot be written: it {protected[target]}", statement.span)
        if target in UNITS or target in FUNCTIONS or target in CONSTANTS or keyword.iskeyword(target):
            raise source.error(
                f"{target!r} cannot be written: it is a unit, a function, a constant or a word of Python",
                statement.span,
            )
        if is_noise(target):
            raise source.error(f"{target!r} is white noise and cannot be written", statement.span)
        # A local has the names of earlier ones in view; sub-expressions are put in anew for each statement.
        local = {name for name in scope if name not in symbols}
        binder_known = binder.known
        binder.known = {*scope}
        try:
            expr = binder.bind(substitute(statement.expr, substitutes), source)
        finally:
            binder.known = binder_known
        everything = {**scope, **{n: Symbol(c.type, c.dim) for n, c in binder.constants.items()}}
        found = infer(expr, everything, source, binder.functions)
        if target in binder.constants:
            raise source.error(f"{target!r} is a value of the namespace and cannot be written", statement.span)
        if target not in scope:
            if statement.op != "=":
                raise source.error(
                    f"{target!r} is not a variable here, so {statement.op!r} has nothing to change."
                    f"{did_you_mean(target, scope)}",
                    statement.span,
                )
            scope[target] = found
        else:
            _check_target(statement, expr, scope[target], found, source)
            if target in local:
                scope[target] = Symbol(found.type, scope[target].dim)
        bound.append(Assign(target, statement.op, binder.expand(expr), statement.span))
    read = set().union(*(names(statement.value) for statement in bound)) if bound else set()
    for statement in bound:
        if statement.target not in symbols and statement.target not in read:
            raise source.error(
                f"{statement.target!r} is no variable of this object, and no later statement reads it, so this does"
                f" nothing.{did_you_mean(statement.target, [n for n in symbols if n not in protected])}",
                statement.span,
                UnknownNameError,
            )
    return tuple(bound)


def check_shared(equations: Equations) -> None:
    """Refuse a shared sub-expression that reads what differs between elements.

    Raises:
        EquationError: with the line.
    """
    own = {name for name, eq in equations.items() if "shared" not in eq.flags} | {"i", "j"}
    for name, eq in equations.subexpressions.items():
        wrong = sorted(names(eq.expr) & own) if "shared" in eq.flags and eq.expr is not None else []
        if wrong:
            raise equations.source.error(
                f"{name!r} is shared, one value for all, but reads {wrong[0]!r}, which differs between elements; mark"
                f" that as shared too, or leave the flag out",
                eq.span,
            )


def _check_target(statement: Assign, expr: Expr, target: Symbol, found: Symbol, source: Source) -> None:
    zero = isinstance(expr, Number) and expr.value == 0
    if statement.op in ("=", "+=", "-=", "%="):
        if found.dim != target.dim and not zero:
            raise source.error(
                f"{statement.target!r} is {describe(target.dim)}, but {describe(found.dim)} is"
                f" {'assigned' if statement.op == '=' else 'added' if statement.op == '+=' else 'used'}",
                statement.span,
                DimensionError,
            )
    elif found.dim.is_dimensionless is False or (statement.op == "**=" and target.dim.is_dimensionless is False):
        raise source.error(
            f"{statement.target!r} would change its unit: {statement.op!r} needs a number without unit,"
            f" got {describe(found.dim)}",
            statement.span,
            DimensionError,
        )
    if target.type == "boolean" and found.type != "boolean":
        raise source.error(f"{statement.target!r} is boolean; assign a condition", statement.span)
    if target.type == "integer" and found.type == "float":
        raise source.error(
            f"{statement.target!r} is an integer variable; write int(...) around the expression",
            statement.span,
        )
