"""Linear structure: an expression as coefficients times variables plus a rest.

A direct walk over the tree keeps the user's order of operations; only where it finds products of
variables (which may still cancel, as in ``(v + w)**2 - v**2 - ...``) SymPy expands the expression.

>>> from jaxsnn.equations.expressions import parse, render
>>> found = decompose(parse("(ge - (v - El)) / taum"), ("v", "ge"))
>>> {name: render(part) for name, part in found.coefficients.items()}, render(found.rest)
({'ge': '1 / taum', 'v': '-1 / taum'}, 'El / taum')
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import sympy

from jaxsnn.equations.expressions import Binary, Call, Expr, Name, Number, Unary, names, render
from jaxsnn.integrators.algebra import (
    ONE,
    Term,
    add,
    call,
    divide,
    is_number,
    multiply,
    negate,
    power,
    subtract,
)
from jaxsnn.units import DIMENSIONLESS

__all__ = ["Linear", "NotLinear", "decompose"]


@dataclass(frozen=True)
class Linear:
    """``sum(coefficients[x] * x) + rest``; what is not there is zero."""

    coefficients: Mapping[str, Expr] = field(default_factory=dict)
    rest: Term = None


@dataclass(frozen=True)
class NotLinear:
    """An expression is not linear: the term that shows it, and the variables in it."""

    term: Expr
    variables: tuple[str, ...]

    @property
    def span(self) -> tuple[int, int]:
        """The place of the term in the user's text."""
        return self.term.span  # type: ignore[attr-defined]

    def __str__(self) -> str:
        return f"not linear in {', '.join(self.variables)} (term {render(self.term)})"


def decompose(expr: Expr, variables: Collection[str]) -> Linear | NotLinear:
    """Read an expression as linear in the variables; all other names are coefficients."""
    try:
        return _direct(expr, frozenset(variables))
    except _Found as found:
        term: Expr = found.args[0]
        expanded = _expanded(expr, variables)
        if expanded is not None:
            return expanded
        involved = names(term) & set(variables)
        return NotLinear(term, tuple(name for name in variables if name in involved))


class _Found(Exception):
    """Carries the term that is not linear out of the walk."""


def _direct(expr: Expr, variables: frozenset[str]) -> Linear:
    match expr:
        case Name(id=name) if name in variables:
            return Linear({name: ONE})
        case _ if not names(expr) & variables:
            return Linear({}, None if is_number(expr, 0) else expr)
        case Unary(op="-", operand=operand):
            return _map(_direct(operand, variables), negate)
        case Binary(op="+", left=left, right=right):
            return _join(add, _direct(left, variables), _direct(right, variables))
        case Binary(op="-", left=left, right=right):
            return _join(subtract, _direct(left, variables), _direct(right, variables))
        case Binary(op="*", left=left, right=right) if not names(left) & variables:
            return _map(_direct(right, variables), lambda part: multiply(left, part))
        case Binary(op="*", left=left, right=right) if not names(right) & variables:
            return _map(_direct(left, variables), lambda part: multiply(part, right))
        case Binary(op="/", left=left, right=right) if not names(right) & variables:
            return _map(_direct(left, variables), lambda part: divide(part, right))
        case Call(function="where", args=(condition, yes, no)) if not names(condition) & variables:

            def choose(a: Term, b: Term) -> Term:
                if a is None and b is None:
                    return None
                return call("where", condition, a or Number(0), b or Number(0))

            return _join(choose, _direct(yes, variables), _direct(no, variables))
    raise _Found(expr)


def _map(linear: Linear, change: Callable[[Term], Term]) -> Linear:
    return _join(lambda part, _: change(part), linear, Linear())


def _join(combine: Callable[[Term, Term], Term], left: Linear, right: Linear) -> Linear:
    found: dict[str, Expr] = {}
    for name in dict.fromkeys([*left.coefficients, *right.coefficients]):
        part = combine(left.coefficients.get(name), right.coefficients.get(name))
        if part is not None:
            found[name] = part
    return Linear(found, combine(left.rest, right.rest))


# ---- by SymPy, where the walk meets products of variables ---------------------------------------


def _expanded(expr: Expr, variables: Collection[str]) -> Linear | None:
    opaque: dict[Expr, sympy.Symbol] = {}
    expanded = sympy.expand(_to_sympy(expr, opaque))
    meaning = {symbol: part for part, symbol in opaque.items()}
    moving = {symbol for symbol, part in meaning.items() if names(part) & set(variables)}
    found = Linear()
    for term in sympy.Add.make_args(expanded):
        factor, rest = term.as_independent(*moving, as_Add=False)
        part = _from_sympy(factor, meaning)
        if rest == 1:
            found = _join(add, found, Linear({}, part))
            continue
        variable = meaning.get(rest)
        if not isinstance(variable, Name):
            return None
        found = _join(add, found, Linear({variable.id: part}))
    return found


_SYMPY = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def _to_sympy(expr: Expr, opaque: dict[Expr, sympy.Symbol]) -> sympy.Expr:
    """Sums, products and powers for SymPy; everything else is a symbol that stands for its tree."""
    match expr:
        case Number(value=int() | float() as value, dim=dim, text="") if (
            not isinstance(value, bool) and dim == DIMENSIONLESS and abs(value) < float("inf")
        ):
            exact = Fraction(value)  # a SymPy float would round
            return sympy.Rational(exact.numerator, exact.denominator)
        case Unary(op="-", operand=operand):
            return -_to_sympy(operand, opaque)
        case Binary(op="+" | "-" | "*" | "/" as op, left=left, right=right):
            a, b = _to_sympy(left, opaque), _to_sympy(right, opaque)
            return _SYMPY[op](a, b)
        case Binary(op="**", left=left, right=Number(value=int() as exponent)) if 0 < exponent < 9:
            return _to_sympy(left, opaque) ** exponent
    return opaque.setdefault(expr, sympy.Symbol(f"s{len(opaque)}", real=True))


def _from_sympy(expr: sympy.Expr, meaning: Mapping[sympy.Symbol, Expr]) -> Expr:
    if expr in meaning:
        return meaning[expr]
    if isinstance(expr, sympy.Integer):
        return Number(int(expr))
    if isinstance(expr, sympy.Rational):
        return Number(float(Fraction(int(expr.p), int(expr.q))))
    if isinstance(expr, sympy.Pow):
        base, exponent = _from_sympy(expr.base, meaning), int(expr.exp)
        if exponent < 0:
            return Binary("/", ONE, power(base, -exponent))
        return power(base, exponent)
    above: Term = ONE
    below: Term = ONE
    for factor in sympy.Mul.make_args(expr) if not expr.is_Add else ():
        if isinstance(factor, sympy.Pow) and factor.exp.is_negative:
            below = multiply(below, _from_sympy(1 / factor, meaning))
        else:
            above = multiply(above, _from_sympy(factor, meaning))
    if expr.is_Add:
        above = None
        for part in sympy.Add.make_args(expr):
            above = add(above, _from_sympy(part, meaning))
    assert above is not None
    assert below is not None
    result = divide(above, below)
    assert result is not None
    return result
