"""Blocks of statements: reset, on_pre, run_regularly code, and what integrators produce.

>>> for statement in parse_block("v = Vr; w += b  # adaptation"):
...     print(statement)
v = Vr
w += b
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from jaxsnn.equations.expressions import Binary, Expr, Name, names, parse, render
from jaxsnn.errors import Source

__all__ = [
    "Adapt",
    "Assign",
    "Propagate",
    "Statement",
    "expressions",
    "locals_of",
    "parse_block",
    "reads",
    "strip_comments",
    "writes",
]

OPERATORS = ("=", "+=", "-=", "*=", "/=", "//=", "%=", "**=")


@dataclass(frozen=True)
class Statement:
    """Base class of statements."""


@dataclass(frozen=True)
class Assign(Statement):
    """``target op expr`` with op one of ``= += -= *= /= //= %= **=``."""

    target: str
    op: str
    expr: Expr
    span: tuple[int, int] = field(default=(0, 0), compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.target} {self.op} {render(self.expr)}"

    @property
    def value(self) -> Expr:
        """The full right side: for ``x += e`` it is ``x + e``."""
        if self.op == "=":
            return self.expr
        return Binary(self.op[:-1], Name(self.target, self.span), self.expr, self.span)


@dataclass(frozen=True)
class Propagate(Statement):
    """One exact step of the linear system dx/dt = M x + b over dt, with M and b constant during the step.

    ``targets[k]`` receives the new value of ``variables[k]``:
    x(t+dt) = exp(M dt) x(t) + (integral of exp(M s) over s = 0..dt) b. For systems whose matrix is not
    triangular in any order of the variables; the others become ordinary statements.
    """

    targets: tuple[str, ...]
    variables: tuple[str, ...]
    matrix: tuple[tuple[Expr, ...], ...]
    forcing: tuple[Expr, ...]

    def __str__(self) -> str:
        rows = "; ".join(", ".join(map(render, row)) for row in self.matrix)
        forcing = ", ".join(map(render, self.forcing))
        return f"{', '.join(self.targets)} = propagate([{', '.join(self.variables)}], [{rows}], [{forcing}])"


@dataclass(frozen=True)
class Adapt(Statement):
    """One time step of dx/dt = f(x, t) in as many sub-steps of an embedded Runge-Kutta pair as its error asks for.

    ``targets[k]`` receives the new value of ``variables[k]``, whose slope is ``rhs[k]``; the time in it is `TIME`.
    """

    @dataclass(frozen=True)
    class Scheme:
        """Coefficients c, a, b, the difference from the embedded b, order; errors allowed (absolute for each variable,
        relative), most tries (0: one step without a look at its error), first sub-step (None: the whole step).
        """

        name: str
        c: tuple[float, ...]
        a: tuple[tuple[float, ...], ...]
        b: tuple[float, ...]
        difference: tuple[float, ...]
        order: int
        absolute: tuple[float, ...]
        relative: float
        most: int
        first: float | None = None

    TIME: ClassVar[str] = "_time"

    targets: tuple[str, ...]
    variables: tuple[str, ...]
    rhs: tuple[Expr, ...]
    scheme: Scheme

    def __str__(self) -> str:
        rhs = ", ".join(render(expr).replace(self.TIME, "t") for expr in self.rhs)
        return f"{', '.join(self.targets)} = {self.scheme.name}([{', '.join(self.variables)}], [{rhs}])"


def expressions(statement: Statement) -> tuple[Expr, ...]:
    """All expressions of a statement."""
    match statement:
        case Assign(expr=expr):
            return (expr,)
        case Propagate(matrix=matrix, forcing=forcing):
            return (*(entry for row in matrix for entry in row), *forcing)
        case Adapt(rhs=rhs):
            return rhs
    raise TypeError(f"not a statement: {statement!r}")


_LINE = re.compile(r"\s*([^\W\d]\w*)\s*(=(?!=)|\+=|-=|\*\*=|\*=|//=|/=|%=)\s*", re.ASCII)


def strip_comments(text: str) -> str:
    """The text with comments blanked out, so that every position stays what it was."""
    return re.sub(r"#[^\n]*", lambda match: " " * len(match.group()), text)


def _pieces(text: str) -> Iterable[tuple[int, str]]:
    """Statements as (offset, text): split at line ends and semicolons outside parentheses."""
    depth, start = 0, 0
    for position, character in enumerate(text + "\n"):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(0, depth - 1)
        elif (character == "\n" or character == ";") and depth == 0:
            piece = text[start:position]
            if piece.strip():
                yield start, piece
            start = position + 1
    if depth and text[start:].strip():
        yield start, text[start:]


def parse_block(text: str, source: Source | None = None) -> tuple[Assign, ...]:
    """Read statements, one a line (or separated by ``;``), ``#`` comments allowed.

    Raises `EquationError` with the line for anything that is not an assignment.
    """
    source = Source(text) if source is None else source
    statements = []
    for offset, piece in _pieces(strip_comments(text)):
        match = _LINE.match(piece)
        if match is None:
            start = offset + len(piece) - len(piece.lstrip())
            raise source.error(
                "this is not a statement; write 'variable = expression', or with += -= *= /= //= %= **=",
                (start, offset + len(piece.rstrip())),
            )
        span = (offset + match.start(1), offset + len(piece.rstrip()))
        expr = parse(piece[match.end() :], source, offset + match.end())
        statements.append(Assign(match[1], match[2], expr, span))
    return tuple(statements)


def reads(statement: Assign) -> set[str]:
    """Names a statement reads (its own target too if it is an augmented assignment)."""
    return names(statement.value)


def writes(statements: Iterable[Assign]) -> tuple[str, ...]:
    """The targets, each once, in order of first assignment."""
    return tuple(dict.fromkeys(statement.target for statement in statements))


def locals_of(statements: Iterable[Assign], known: Iterable[str]) -> tuple[str, ...]:
    """Targets that are not among the known names: they are new local variables of the block."""
    known = set(known)
    return tuple(name for name in writes(statements) if name not in known)
