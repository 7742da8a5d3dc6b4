r"""The grammar of equations: each line of a model's text as an `Equation`.

    dx/dt = expression : unit (flags)       a differential equation
    x = expression : unit (flags)           a sub-expression
    x : unit (flags)                        a parameter

>>> print(*read_equations(Source("dv/dt = (I\n   - v)/tau : volt  # membrane\nI:volt (constant)")), sep="\n")
dv/dt = (I - v) / tau : volt
I : volt (constant)
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jaxsnn.equations.expressions import Expr, parse, render
from jaxsnn.equations.functions import CONSTANTS, FUNCTIONS
from jaxsnn.equations.statements import strip_comments
from jaxsnn.errors import Source, did_you_mean
from jaxsnn.units import DIMENSIONLESS, UNITS, Dimension, second
from jaxsnn.units.display import unit_text

__all__ = [
    "DIFFERENTIAL",
    "FLAGS",
    "NOISE_DIM",
    "PARAMETER",
    "RESERVED",
    "SUBEXPRESSION",
    "Equation",
    "is_noise",
    "read_equations",
]

DIFFERENTIAL = "differential equation"
SUBEXPRESSION = "subexpression"
PARAMETER = "parameter"

# Which flags each kind of line may carry.
FLAGS: Mapping[str, frozenset[str]] = {
    DIFFERENTIAL: frozenset({"unless refractory", "event-driven", "clock-driven"}),
    SUBEXPRESSION: frozenset({"shared", "constant over dt", "summed"}),
    PARAMETER: frozenset({"constant", "shared", "linked"}),
}
RESERVED: Mapping[str, str] = {
    "t": "the time",
    "t_in_timesteps": "the time in steps",
    "dt": "the time step",
    "xi": "white noise",
    "i": "the index of an element",
    "N": "the number of elements",
}
# What is written for a type in other languages, and what to write here.
_TYPES: Mapping[str, str] = {
    "bool": "write 'boolean' for a variable that is True or False",
    "int": "write 'integer' for a whole number",
    "double": "write '1' for a number without unit",
}
# Units by their symbol, which are names that models need for other things.
_SYMBOLS: Mapping[str, str] = {
    "V": "volt",
    "A": "amp",
    "s": "second",
    "S": "siemens",
    "F": "farad",
    "m": "metre",
    "M": "molar",
}

NOISE_DIM: Dimension = second.dim ** (-0.5)
"""Dimension of white noise: one over the square root of a second."""


def is_noise(name: str) -> bool:
    """Whether a name is white noise: ``xi`` or ``xi_something``."""
    return name == "xi" or name.startswith("xi_")


@dataclass(frozen=True)
class Equation:
    """One line of a model: ``dx/dt = expr : unit (flags)``, ``x = expr : unit`` or ``x : unit``."""

    kind: str
    name: str
    dim: Dimension
    type: str
    expr: Expr | None = None
    flags: frozenset[str] = frozenset()
    unit_text: str = ""
    span: tuple[int, int] = field(default=(0, 0), compare=False, repr=False)

    def __str__(self) -> str:
        unit = self.unit_text or unit_text(self.dim)
        flags = f" ({', '.join(sorted(self.flags))})" if self.flags else ""
        left = f"d{self.name}/dt" if self.kind == DIFFERENTIAL else self.name
        right = "" if self.expr is None else f" = {render(self.expr)}"
        return f"{left}{right} : {unit}{flags}"


_HEAD = re.compile(
    r"\s*(?:d\s*(?P<diff>[^\W\d]\w*)\s*/\s*dt\s*=|(?P<sub>[^\W\d]\w*)\s*=(?!=)|(?P<par>[^\W\d]\w*)\s*$)",
    re.ASCII,
)
_NAME = re.compile(r"[^\W\d]\w*", re.ASCII)
_BEGIN = re.compile(r"\s*(?:d\s*[^\W\d]\w*\s*/\s*dt|[^\W\d]\w*)\s*=(?!=)", re.ASCII)
_PARAMETER = re.compile(r"\s*[^\W\d]\w*\s*:", re.ASCII)
_TAIL = re.compile(r"(?P<unit>[^()]*(?:\([^()]*\)[^()]*?)*?)\s*(?:\((?P<flags>[^()]*)\))?\s*$")


def read_equations(source: Source) -> list[Equation]:
    """The equations of a text, in its order.

    Expressions may run over several lines, ``#`` starts a comment.

    Raises:
        EquationError: for a line outside the grammar, a reserved name, an unknown flag or unit, a second
            definition; with the line and a caret.
    """
    found: dict[str, Equation] = {}
    for offset, text in _lines(strip_comments(source.text)):
        eq = _equation(source, offset, text)
        if eq.name in found:
            raise source.error(
                f"{eq.name!r} is defined twice, before as '{found[eq.name]}'; leave one out or rename it", eq.span
            )
        found[eq.name] = eq
    return list(found.values())


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Each equation as (offset, text): lines are joined until the one that holds the ':'."""
    start: int | None = None
    position = 0
    for line in text.splitlines(keepends=True):
        if start is not None and _begins_another(text[start:position], line):
            yield start, text[start:position]  # it has no unit
            start = None
        if start is None and line.strip():
            start = position
        position += len(line)
        if ":" in line and start is not None:
            yield start, text[start:position]
            start = None
    if start is not None:
        yield start, text[start:]


def _begins_another(before: str, line: str) -> bool:
    """Whether a line cannot be the rest of the equation before it, whose unit is missing then."""
    return bool(_BEGIN.match(line) or (_NAME.fullmatch(before.strip()) and _PARAMETER.match(line)))


def _equation(source: Source, offset: int, text: str) -> Equation:
    begin = offset + len(text) - len(text.lstrip())
    whole = (begin, offset + len(text.rstrip()))
    left, colon, right = text.partition(":")
    if not colon:
        raise source.error(
            "the unit is missing; every line ends with ': unit', for example ': volt' or ': 1'",
            whole,
        )
    head = _HEAD.match(left)
    if head is None:
        raise source.error(
            "this is no equation; write 'dx/dt = expression : unit', 'x = expression : unit' or 'x : unit'",
            whole,
        )
    kind = DIFFERENTIAL if head["diff"] else SUBEXPRESSION if head["sub"] else PARAMETER
    group = "diff" if head["diff"] else "sub" if head["sub"] else "par"
    name = head[group]
    span = (offset + head.start(group), offset + head.end(group))
    _check_name(source, name, span)
    tail = _TAIL.match(right)
    unit_start = offset + len(left) + 1
    if tail is None:
        raise source.error(
            "the unit or the flags after it cannot be read; write ': unit (flag, ...)'", (unit_start, whole[1])
        )
    unit_text, flag_text = tail["unit"].strip(), tail["flags"]
    if unit_text.endswith(("*", "/")):  # what stands in parentheses is an exponent or a denominator
        unit_text, flag_text = right.strip(), None
    unit_begin = unit_start + len(right) - len(right.lstrip())
    flags = _flags(source, kind, name, flag_text, unit_start + tail.start("flags"))
    type_, dim = _unit(source, unit_text, (unit_begin, unit_begin + max(1, len(unit_text))))
    expr = None
    if kind != PARAMETER:
        expr = parse(left[head.end() :], source, offset + head.end())
    if kind == DIFFERENTIAL and type_ != "float":
        raise source.error(
            f"a differential equation describes a continuous variable, so {name!r} cannot be {type_}",
            span,
        )
    return Equation(kind, name, dim, type_, expr, flags, unit_text, whole)


def _check_name(source: Source, name: str, span: tuple[int, int]) -> None:
    if name in RESERVED or is_noise(name):
        meaning = RESERVED.get(name, "white noise")
        raise source.error(f"{name!r} is {meaning} and cannot be defined; choose another name", span)
    if name in FUNCTIONS or name in CONSTANTS:
        raise source.error(f"{name!r} is a function or constant; choose another name", span)
    if name in UNITS:
        raise source.error(f"{name!r} is a unit; choose another name", span)
    if keyword.iskeyword(name):
        raise source.error(f"{name!r} is a word of Python; choose another name", span)
    if name.startswith("_"):
        raise source.error("names that begin with '_' are kept for the simulator", span)


def _flags(source: Source, kind: str, name: str, text: str | None, begin: int) -> frozenset[str]:
    if text is None:
        return frozenset()
    known = frozenset().union(*FLAGS.values(), {"point current"})
    flags: list[str] = []
    for found in re.finditer(r"[^,]+|^$", text):
        flag = " ".join(found[0].split())
        start = begin + found.end() - len(found[0].lstrip())
        span = (start, start + max(1, len(found[0].strip())))
        flags.append(flag)
        if flag not in known:
            raise source.error(f"there is no flag {flag!r}.{did_you_mean(flag, known)}", span)
        if flag not in FLAGS[kind] and flag != "point current":
            allowed = ", ".join(sorted(FLAGS[kind]))
            raise source.error(
                f"the flag {flag!r} makes no sense for {name!r}, which is a {kind} (possible: {allowed})",
                span,
            )
    if {"event-driven", "clock-driven"} <= set(flags):
        raise source.error("an equation is either event-driven or clock-driven, not both", (begin, begin + len(text)))
    return frozenset(flags)


def _unit(source: Source, text: str, span: tuple[int, int]) -> tuple[str, Dimension]:
    """The declared unit: ``integer``, ``boolean``, ``1`` or a product of powers of units of scale 1."""
    if text in ("integer", "boolean"):
        return text, DIMENSIONLESS
    if text in ("1", "float"):
        return "float", DIMENSIONLESS
    if not text:
        raise source.error("the unit is missing after ':'; write ': 1' for a plain number", span)
    if text in _TYPES:
        raise source.error(f"there is no unit {text!r}; {_TYPES[text]}", span)
    if "^" in text:
        raise source.error(f"the unit {text!r} cannot be read; a power is written '**'", span)
    if ";" in text or "=" in text:
        raise source.error("write each equation on a line of its own", span)
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        raise source.error(f"the unit {text!r} cannot be read", span) from None

    def exponent(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return float(value)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -exponent(operand)
            case ast.BinOp(op=ast.Div(), left=left, right=right) if exponent(right):
                return exponent(left) / exponent(right)
        raise source.error(f"an exponent in the unit {text!r} must be a number", span)

    def unit(node: ast.expr) -> Dimension:
        match node:
            case ast.Constant(value=1):
                return DIMENSIONLESS
            case ast.Name(id=name):
                if name in _SYMBOLS:
                    raise source.error(f"{name!r} is not a unit; write '{_SYMBOLS[name]}'", span)
                if name not in UNITS:
                    raise source.error(f"{name!r} is not a unit.{did_you_mean(name, UNITS)}", span)
                if float(UNITS[name].value) != 1.0:
                    raise source.error(
                        f"{name!r} is scaled; a variable is declared with an unscaled unit, here"
                        f" '{unit_text(UNITS[name].dim)}' (values can be given in {name})",
                        span,
                    )
                return UNITS[name].dim
            case ast.BinOp(op=ast.Mult(), left=left, right=right):
                return unit(left) * unit(right)
            case ast.BinOp(op=ast.Div(), left=left, right=right):
                return unit(left) / unit(right)
            case ast.BinOp(op=ast.Pow(), left=left, right=right):
                return unit(left) ** exponent(right)
        raise source.error(f"the unit {text!r} cannot be read", span)

    return "float", unit(tree)
