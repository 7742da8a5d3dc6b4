"""Types and physical dimensions of expressions, found from those of the names they read.

>>> from jaxsnn.equations.expressions import parse
>>> from jaxsnn.units import volt, second
>>> scope = {"v": Symbol("float", volt.dim), "tau": Symbol("float", second.dim)}
>>> describe(infer(parse("-v/tau"), scope).dim)
'volt/second'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from jaxsnn.equations.expressions import (
    Binary,
    Call,
    Compare,
    Expr,
    Logical,
    Name,
    Number,
    Unary,
    render,
)
from jaxsnn.equations.functions import FUNCTIONS, Function, highest
from jaxsnn.errors import DimensionError, Source, UnknownNameError, did_you_mean
from jaxsnn.units import DIMENSIONLESS, Dimension
from jaxsnn.units.display import unit_text

__all__ = ["Symbol", "Typed", "describe", "infer", "require"]


_ELSEWHERE = {"delayed": " It stands in equations of Synapses that are computed in every step (summed, clock-driven)"}


class Typed(Protocol):
    """Anything with a type (`boolean`, `integer`, `float`) and a dimension."""

    @property
    def type(self) -> str: ...

    @property
    def dim(self) -> Dimension: ...


@dataclass(frozen=True)
class Symbol:
    """What a name or an expression is: its type and dimension."""

    type: str
    dim: Dimension = DIMENSIONLESS


def describe(dim: Dimension) -> str:
    """A dimension in words for messages: ``"volt/second"``, or ``"a number without unit"``."""
    return "a number without unit" if dim == DIMENSIONLESS else unit_text(dim)


def infer(
    expr: Expr,
    scope: Mapping[str, Typed],
    source: Source | None = None,
    functions: Mapping[str, Function] = FUNCTIONS,
) -> Symbol:
    """The type and dimension of an expression.

    Raises `UnknownNameError` for a name that is not in ``scope`` and `DimensionError` where two sides of an
    operation do not fit, both showing the user's line. A literal ``0`` fits any dimension.
    """
    return _Inference(scope, Source(render(expr)) if source is None else source, functions)(expr)


def require(
    expr: Expr,
    expected: Typed,
    scope: Mapping[str, Typed],
    source: Source,
    what: str,
    functions: Mapping[str, Function] = FUNCTIONS,
) -> Symbol:
    """Infer and check that the expression has the expected dimension (``what`` says for what it is used)."""
    found = infer(expr, scope, source, functions)
    if expected.type == "boolean" and found.type != "boolean":
        raise source.error(
            f"{what} needs a condition (True or False), but this expression is a number;"
            " compare it with something, for example 'v > -50*mV'",
            _span(expr),
        )
    if found.dim != expected.dim and not _is_zero(expr):
        raise source.error(
            f"{what} needs {describe(expected.dim)}, but this expression is {describe(found.dim)}",
            _span(expr),
            DimensionError,
        )
    return found


def _span(expr: Expr) -> tuple[int, int]:
    span: tuple[int, int] = getattr(expr, "span", (0, 0))
    return span


def _is_zero(expr: Expr) -> bool:
    match expr:
        case Number(value=value):
            return value == 0
        case Unary(op="-", operand=operand):
            return _is_zero(operand)
    return False


def _literal(expr: Expr) -> Fraction | None:
    """The value of an expression made of plain numbers only (exponents), else None."""
    match expr:
        case Number(value=value, dim=dim) if dim == DIMENSIONLESS and value == value and abs(value) < 1e6:
            return Fraction(value).limit_denominator(1000)
        case Unary(op="-", operand=operand):
            inner = _literal(operand)
            return None if inner is None else -inner
        case Binary(op=op, left=left, right=right) if op in "+-*/":
            a, b = _literal(left), _literal(right)
            if a is None or b is None or (op == "/" and b == 0):
                return None
            return {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[op]
    return None


class _Inference:
    def __init__(self, scope: Mapping[str, Typed], source: Source, functions: Mapping[str, Function]) -> None:
        self.scope = scope
        self.source = source
        self.functions = functions

    def __call__(self, expr: Expr) -> Symbol:
        match expr:
            case Number(value=bool()):
                return Symbol("boolean")
            case Number(value=int(), dim=dim):
                return Symbol("integer", dim)
            case Number(dim=dim):
                return Symbol("float", dim)
            case Name(id=name):
                return self.name(name, expr)
            case Unary(op="not", operand=operand):
                self.condition(operand, "not")
                return Symbol("boolean")
            case Unary(operand=operand):
                inner = self(operand)
                return Symbol(highest((inner.type, "integer")), inner.dim)
            case Binary(op="**"):
                return self.power(expr)
            case Binary():
                return self.arithmetic(expr)
            case Compare(left=left, right=right):
                self.same(expr, left, right, "compare")
                return Symbol("boolean")
            case Logical(op=op, operands=operands):
                for operand in operands:
                    self.condition(operand, op)
                return Symbol("boolean")
            case Call():
                return self.call(expr)
        raise TypeError(f"not an expression: {expr!r}")

    def name(self, name: str, expr: Name) -> Symbol:
        if name in self.scope:
            found = self.scope[name]
            return Symbol(found.type, found.dim)
        if name in self.functions:
            raise self.source.error(f"{name} is a function; write {name}(...)", _span(expr), UnknownNameError)
        raise self.source.error(
            f"{name!r} is not known here: it is no variable of this object, no unit, no function, and the"
            f" namespace has no such name.{did_you_mean(name, self.scope)}",
            _span(expr),
            UnknownNameError,
        )

    def condition(self, expr: Expr, op: str) -> None:
        found = self(expr)
        if found.type != "boolean":
            raise self.source.error(
                f"{op!r} combines conditions, but {render(expr)} is a number; compare it with something",
                _span(expr),
            )

    def same(self, whole: Expr, left: Expr, right: Expr, verb: str) -> tuple[Symbol, Symbol]:
        a, b = self(left), self(right)
        if a.dim != b.dim and not (_is_zero(left) or _is_zero(right)):
            raise self.source.error(
                f"cannot {verb} {render(left)} ({describe(a.dim)}) and {render(right)} ({describe(b.dim)})",
                _span(whole),
                DimensionError,
            )
        return a, b

    def arithmetic(self, expr: Binary) -> Symbol:
        op = expr.op
        if op in ("+", "-", "%"):
            verb = {"+": "add", "-": "subtract", "%": "take the remainder of"}[op]
            a, b = self.same(expr, expr.left, expr.right, verb)
            dim = b.dim if _is_zero(expr.left) else a.dim
        else:
            a, b = self(expr.left), self(expr.right)
            dim = a.dim * b.dim if op == "*" else a.dim / b.dim
        kind = "float" if op == "/" else highest((a.type, b.type, "integer"))
        return Symbol(kind, dim)

    def power(self, expr: Binary) -> Symbol:
        base, exponent = self(expr.left), self(expr.right)
        if exponent.dim != DIMENSIONLESS:
            raise self.source.error(
                f"an exponent must be a number without unit, but {render(expr.right)} is {describe(exponent.dim)}",
                _span(expr.right),
                DimensionError,
            )
        kind = highest((base.type, exponent.type, "integer"))
        if base.dim == DIMENSIONLESS:
            return Symbol(kind)
        literal = _literal(expr.right)
        if literal is None:
            raise self.source.error(
                f"{render(expr.left)} has a unit ({describe(base.dim)}), so its exponent must be written as a"
                " number; divide by the unit first",
                _span(expr),
                DimensionError,
            )
        return Symbol(kind, base.dim**literal)

    def call(self, expr: Call) -> Symbol:
        function = self.functions.get(expr.function)
        if function is None:
            if expr.function in self.scope:
                raise self.source.error(f"{expr.function} is a value, not a function; is a '*' missing?", _span(expr))
            hint = _ELSEWHERE.get(expr.function) or did_you_mean(expr.function, self.functions)
            raise self.source.error(
                f"there is no function {expr.function!r} here.{hint}",
                _span(expr),
                UnknownNameError,
            )
        least, most = function.arity
        if not least <= len(expr.args) <= most:
            needs = str(least) if least == most else f"{least} to {most}"
            raise self.source.error(
                f"{function.name}() needs {needs} argument{'s' * (needs != '1')}, got {len(expr.args)}",
                _span(expr),
            )
        args = [self(arg) for arg in expr.args]
        # A literal 0 takes the dimension of the other arguments: clip(w, 0, gmax).
        dims = [arg.dim for arg in args]
        given = [d for d, arg in zip(dims, expr.args, strict=True) if not _is_zero(arg)]
        if given and function.name in ("clip", "minimum", "maximum"):
            dims = [given[0] if _is_zero(arg) else dim for dim, arg in zip(dims, expr.args, strict=True)]
        if given and function.name == "where" and len(given) > 1:
            dims = [dims[0]] + [
                given[-1] if _is_zero(arg) else dim for dim, arg in zip(dims[1:], expr.args[1:], strict=True)
            ]
        dim = function.dimension(tuple(dims))
        if isinstance(dim, str):
            raise self.source.error(f"{function.name}() {dim}", _span(expr), DimensionError)
        return Symbol(function.type(tuple(arg.type for arg in args)), dim)
