"""Putting expressions together without simplifying them: only zeros and ones are dropped.

``None`` stands for zero, so a term that is not there costs nothing. Everything else stays as the
user wrote it: the order of the floating-point operations is the user's.

>>> from jaxsnn.equations.expressions import parse, render
>>> render(multiply(parse("a + b"), add(None, parse("c"))))
'(a + b) * c'
>>> multiply(None, parse("c")) is None
True
"""

from __future__ import annotations

from collections.abc import Iterable

from jaxsnn.equations.expressions import Binary, Call, Expr, Name, Number, Unary
from jaxsnn.units import DIMENSIONLESS

__all__ = [
    "DT",
    "ONE",
    "Term",
    "add",
    "arithmetic",
    "call",
    "divide",
    "is_number",
    "multiply",
    "negate",
    "power",
    "product",
    "subtract",
    "total",
]

Term = Expr | None
"""An expression, or None for zero."""

ONE = Number(1)
DT = Name("dt")


def is_number(expr: Term, value: float) -> bool:
    """Whether an expression is the plain literal ``value``."""
    match expr:
        case Number(value=found, dim=dim, text=""):
            return not isinstance(found, bool) and found == value and dim == DIMENSIONLESS
    return False


def add(left: Term, right: Term) -> Term:
    """``left + right``."""
    if left is None:
        return right
    match right:
        case None:
            return left
        case Unary(op="-", operand=operand):
            return Binary("-", left, operand)
    return Binary("+", left, right)


def subtract(left: Term, right: Term) -> Term:
    """``left - right``."""
    return add(left, negate(right))


def negate(expr: Term) -> Term:
    """``-expr``."""
    match expr:
        case None:
            return None
        case Unary(op="-", operand=operand):
            return operand
        case Number(value=value, dim=dim, text="") if not isinstance(value, bool):
            return Number(-value, dim)
    return Unary("-", expr)


def multiply(left: Term, right: Term) -> Term:
    """``left * right``."""
    if left is None or right is None:
        return None
    if is_number(left, 1):
        return right
    if is_number(right, 1):
        return left
    if is_number(left, -1):
        return negate(right)
    if is_number(right, -1):
        return negate(left)
    return Binary("*", left, right)


def divide(left: Term, right: Expr) -> Term:
    """``left / right``."""
    if left is None or is_number(right, 1):
        return left
    return Binary("/", left, right)


def power(base: Expr, exponent: int) -> Expr:
    """``base ** exponent`` for a whole exponent from 0."""
    if exponent < 2:
        return (ONE, base)[exponent]
    return Binary("**", base, Number(exponent))


def product(factors: Iterable[Expr]) -> Expr:
    """The product of all factors, from left to right."""
    result: Term = ONE
    for factor in factors:
        result = multiply(result, factor)
    return ONE if result is None else result


def total(terms: Iterable[Term]) -> Term:
    """The sum of all terms, from left to right."""
    result: Term = None
    for term in terms:
        result = add(result, term)
    return result


def call(function: str, *args: Expr) -> Expr:
    """``function(args...)``."""
    return Call(function, args)


_ARITHMETIC = {"+": add, "-": subtract, "*": multiply}


def arithmetic(op: str, left: Term, right: Term) -> Term:
    """``left op right`` for any operator, dropping zeros where the result allows it."""
    if op in _ARITHMETIC:
        return _ARITHMETIC[op](left, right)
    if op == "/" and right is not None:
        return divide(left, right)
    return Binary(op, left or Number(0), right or Number(0))
