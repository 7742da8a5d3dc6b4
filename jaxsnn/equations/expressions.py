"""Expressions: the user's text as an immutable tree.

The text is read by Python's own `ast` and translated node by node; nothing is ever evaluated. The tree
keeps what the user wrote (no simplification, so the order of the floating-point operations is the user's),
and every node knows its place in the text, for error messages.

>>> parse("ge/tau + 2*mV")
Binary('+', Binary('/', Name('ge'), Name('tau')), Binary('*', Number(2), Name('mV')))
>>> render(parse("(a + b) * -c ** 2"))
'(a + b) * -c ** 2'
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from jaxsnn.equations.functions import Implementation
from jaxsnn.errors import CONDITIONAL, JaxsnnError, Source, unbalanced, unreadable
from jaxsnn.units import DIMENSIONLESS, Dimension

__all__ = [
    "Binary",
    "Call",
    "Compare",
    "Expr",
    "Logical",
    "Name",
    "Number",
    "Unary",
    "calls",
    "children",
    "names",
    "parse",
    "rebuild",
    "render",
    "substitute",
    "transform",
    "walk",
]

Span = tuple[int, int]


def _span() -> Span:
    return field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True)
class Expr:
    """Base class of all expression nodes."""


@dataclass(frozen=True)
class Number(Expr):
    """A literal: ``value`` in SI base units, ``dim`` its dimension, ``text`` how it was written (``mV``)."""

    value: bool | int | float
    dim: Dimension = DIMENSIONLESS
    text: str = ""
    span: Span = _span()
    kind: type = field(init=False, repr=False)  # for Python 1, 1.0 and True are equal; here they are three texts

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", type(self.value))

    def __repr__(self) -> str:
        return f"Number({self.text or self.value})"


@dataclass(frozen=True)
class Name(Expr):
    """A name whose meaning the scope decides: variable, constant or local."""

    id: str
    span: Span = _span()

    def __repr__(self) -> str:
        return f"Name({self.id!r})"


@dataclass(frozen=True)
class Unary(Expr):
    """``-x`` or ``not x``."""

    op: str
    operand: Expr
    span: Span = _span()

    def __repr__(self) -> str:
        return f"Unary({self.op!r}, {self.operand})"


@dataclass(frozen=True)
class Binary(Expr):
    """Arithmetic: ``+ - * / // % **``. ``/`` is true division, ``//`` and ``%`` follow the divisor's sign."""

    op: str
    left: Expr
    right: Expr
    span: Span = _span()

    def __repr__(self) -> str:
        return f"Binary({self.op!r}, {self.left}, {self.right})"


@dataclass(frozen=True)
class Compare(Expr):
    """One comparison ``left op right``; the result is a boolean."""

    op: str
    left: Expr
    right: Expr
    span: Span = _span()

    def __repr__(self) -> str:
        return f"Compare({self.op!r}, {self.left}, {self.right})"


@dataclass(frozen=True)
class Logical(Expr):
    """``a and b and ...`` or ``a or b or ...``."""

    op: str
    operands: tuple[Expr, ...]
    span: Span = _span()

    def __repr__(self) -> str:
        return f"Logical({self.op!r}, {', '.join(map(repr, self.operands))})"


@dataclass(frozen=True)
class Call(Expr):
    """A call of a function of the function table, or of one from the namespace (in code, with what that calls)."""

    function: str
    args: tuple[Expr, ...]
    span: Span = _span()
    implementation: Implementation | None = None

    def __repr__(self) -> str:
        return f"Call({self.function!r}, {', '.join(map(repr, self.args))})"


_BINARY = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
# What Python can say and equations cannot, with what to write instead.
_REFUSED: dict[type[ast.AST], str] = {
    ast.IfExp: CONDITIONAL,
    ast.Subscript: "indexing is not possible in expressions; use a variable of the group or i, i_pre, j",
    ast.Attribute: "attributes are not possible in expressions; give the value a name in the namespace",
    ast.BitAnd: "bit operators are not part of the language; write 'and'",
    ast.BitOr: "bit operators are not part of the language; write 'or'",
    ast.BitXor: "'^' is not a power; write '**'",
    ast.Invert: "bit operators are not part of the language; write 'not'",
    ast.Lambda: "functions cannot be defined in expressions",
    ast.List: "lists are not part of the language",
    ast.Tuple: "tuples are not part of the language; is there a comma too many?",
    ast.NamedExpr: "assignments are not possible inside an expression",
    ast.MatMult: "matrix products are not part of the language",
    ast.GeneratorExp: "a loop stands only in the rules of connect, j='k for k in range(...)'",
}


class _Translator:
    """Python's syntax tree of one expression -> our nodes, with spans relative to ``source.text``."""

    def __init__(self, source: Source, text: str, offset: int) -> None:
        self.source = source
        self.offset = offset
        # ast counts columns in UTF-8 bytes; the whole expression is one line here.
        self.columns = None if text.isascii() else _byte_columns(text)

    def span(self, node: ast.expr) -> Span:
        start, end = node.col_offset, node.end_col_offset or node.col_offset + 1
        if self.columns is not None:
            start, end = self.columns[start], self.columns[end]
        return start - 1 + self.offset, end - 1 + self.offset  # 1: the added parenthesis

    def refuse(self, node: ast.AST, at: ast.expr) -> JaxsnnError:
        what = _REFUSED.get(type(node), f"{type(node).__name__} is not part of the expression language")
        span = self.span(at)
        if isinstance(node, ast.BitXor) and isinstance(at, ast.BinOp):  # it binds weaker than what is meant
            left, right = self.span(at.left)[1], self.span(at.right)[0]
            operator = self.source.text[left:right].strip(" ()")
            start = self.source.text.index(operator, left)
            span = (start, start + len(operator))
        return self.source.error(what, span)

    def __call__(self, node: ast.expr) -> Expr:
        match node:
            case ast.Constant(value=bool() | int() | float() as value) if abs(value) < float("inf"):
                return Number(value, span=self.span(node))
            case ast.Constant(value=float()):
                raise self.source.error("this number is too large; write inf for infinity", self.span(node))
            case ast.Constant():
                raise self.source.error(
                    f"only numbers and True/False can be written here, not {node.value!r}",
                    self.span(node),
                )
            case ast.Name():
                return Name(node.id, self.span(node))
            case ast.UnaryOp(op=ast.USub()):
                return Unary("-", self(node.operand), self.span(node))
            case ast.UnaryOp(op=ast.UAdd()):
                return self(node.operand)
            case ast.UnaryOp(op=ast.Not()):
                return Unary("not", self(node.operand), self.span(node))
            case ast.UnaryOp():
                raise self.refuse(node.op, node)
            case ast.BinOp():
                if type(node.op) not in _BINARY:
                    raise self.refuse(node.op, node)
                op = _BINARY[type(node.op)]
                return Binary(op, self(node.left), self(node.right), self.span(node))
            case ast.Compare():
                if len(node.ops) > 1:
                    raise self.source.error(
                        "chained comparisons are not possible; write 'a < b and b < c'",
                        self.span(node),
                    )
                if type(node.ops[0]) not in _COMPARE:
                    raise self.source.error(
                        "this comparison is not part of the language; use < <= > >= == !=",
                        self.span(node),
                    )
                op = _COMPARE[type(node.ops[0])]
                return Compare(op, self(node.left), self(node.comparators[0]), self.span(node))
            case ast.BoolOp():
                op = "and" if isinstance(node.op, ast.And) else "or"
                return Logical(op, tuple(self(value) for value in node.values), self.span(node))
            case ast.Call(func=ast.Name(id=function)):
                if node.keywords:
                    raise self.source.error(f"{function}() takes positional arguments only", self.span(node))
                return Call(function, tuple(self(arg) for arg in node.args), self.span(node))
            case ast.Call():
                raise self.source.error("only functions given by name can be called", self.span(node))
        raise self.refuse(node, node)


def _byte_columns(text: str) -> list[int]:
    """For each byte offset into ``text`` (in UTF-8) the character offset."""
    columns = []
    for position, character in enumerate(text):
        columns.extend([position] * len(character.encode()))
    return [*columns, len(text)]


def parse(text: str, source: Source | None = None, offset: int = 0) -> Expr:
    """Read one expression.

    ``source`` is the whole block the expression stands in and ``offset`` its position there, for messages.
    Raises `EquationError` with the user's line and a caret for anything outside the language.
    """
    source = Source(text) if source is None else source
    # One line in parentheses: expressions may run over several lines, and columns stay what they were.
    flat = "(" + text.replace("\n", " ").replace("\t", " ").replace("\r", " ") + ")"
    if not text.strip():
        raise source.error("an expression is missing here", (offset, offset + max(1, len(text))))
    if (wrong := unbalanced(text)) is not None:
        what = "is never closed" if text[wrong] in "([{" else "closes nothing"
        at = (offset + wrong, offset + wrong + 1)
        raise source.error(f"the parentheses do not match: this {text[wrong]!r} {what}", at)
    try:
        tree = ast.parse(flat, mode="eval")
        return _Translator(source, flat, offset)(tree.body)
    except (RecursionError, MemoryError):
        raise source.error("this expression is nested too deeply", (offset, offset + 1)) from None
    except (SyntaxError, ValueError) as error:
        if isinstance(error, JaxsnnError):
            raise
        message, start, end = unreadable(text, (getattr(error, "offset", None) or 1) - 2)
        raise source.error(message, (offset + start, offset + end)) from None


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct sub-expressions of a node."""
    match expr:
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right) | Compare(left=left, right=right):
            return (left, right)
        case Logical(operands=operands):
            return operands
        case Call(args=args):
            return args
    return ()


def rebuild(expr: Expr, parts: tuple[Expr, ...]) -> Expr:
    """The same node with other sub-expressions (in the order of `children`)."""
    match expr:
        case Unary():
            return replace(expr, operand=parts[0])
        case Binary() | Compare():
            return replace(expr, left=parts[0], right=parts[1])
        case Logical():
            return replace(expr, operands=parts)
        case Call():
            return replace(expr, args=parts)
    return expr


def walk(expr: Expr) -> Iterator[Expr]:
    """All nodes, parents before children, left before right."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def names(expr: Expr) -> set[str]:
    """The names an expression reads (functions not included)."""
    return {node.id for node in walk(expr) if isinstance(node, Name)}


def calls(expr: Expr) -> list[str]:
    """The functions an expression calls, in order, with repetitions."""
    return [node.function for node in walk(expr) if isinstance(node, Call)]


def transform(expr: Expr, rule: Callable[[Expr], Expr | None]) -> Expr:
    """Rewrite bottom-up: ``rule(node)`` gives the new node, or None to keep it."""
    parts = children(expr)
    new = tuple(transform(part, rule) for part in parts)
    if any(a is not b for a, b in zip(parts, new, strict=True)):
        expr = rebuild(expr, new)
    result = rule(expr)
    return expr if result is None else result


def substitute(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """Replace names by expressions.

    >>> render(substitute(parse("g * (E - v)"), {"g": parse("a + b")}))
    '(a + b) * (E - v)'
    """
    return transform(expr, lambda node: values.get(node.id) if isinstance(node, Name) else None)


# Binding strength, as in Python: a child weaker than its place gets parentheses.
_STRENGTH = {
    "or": 1,
    "and": 2,
    "not": 3,
    "compare": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "//": 6,
    "%": 6,
}
_NEGATION, _POWER, _ATOM = 7, 8, 9


def render(expr: Expr) -> str:
    """The expression as text, with no more parentheses than needed; `parse` gives the same tree back."""
    return _render(expr)[0]


def _render(expr: Expr) -> tuple[str, int]:
    def at_least(part: Expr, strength: int) -> str:
        text, own = _render(part)
        return text if own >= strength else f"({text})"

    match expr:
        case Number(value=value, text=text):
            if text:
                return text, _ATOM
            return repr(value), (_ATOM if isinstance(value, bool) or value >= 0 else _NEGATION)
        case Name(id=name):
            return name, _ATOM
        case Unary(op="-", operand=operand):
            return f"-{at_least(operand, _NEGATION)}", _NEGATION
        case Unary(op=op, operand=operand):
            return f"{op} {at_least(operand, _STRENGTH['not'])}", _STRENGTH["not"]
        case Binary(op="**", left=left, right=right):
            return f"{at_least(left, _ATOM)} ** {at_least(right, _NEGATION)}", _POWER
        case Binary(op=op, left=left, right=right):
            own = _STRENGTH[op]
            return f"{at_least(left, own)} {op} {at_least(right, own + 1)}", own
        case Compare(op=op, left=left, right=right):
            own = _STRENGTH["compare"]
            return f"{at_least(left, own + 1)} {op} {at_least(right, own + 1)}", own
        case Logical(op=op, operands=operands):
            own = _STRENGTH[op]
            return f" {op} ".join(at_least(part, own + 1) for part in operands), own
        case Call(function=function, args=args):
            return f"{function}({', '.join(render(arg) for arg in args)})", _ATOM
    raise TypeError(f"not an expression: {expr!r}")
