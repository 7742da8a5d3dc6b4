"""Equations: the model text, read and checked as a whole.

>>> print(Equations("dv/dt = (I - v)/tau : volt\\nI : volt  # input"))
dv/dt = (I - v) / tau : volt
I : volt
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from jaxsnn.equations.expressions import (
    Expr,
    Name,
    Number,
    calls,
    names,
    parse,
    render,
    substitute,
)
from jaxsnn.equations.functions import CONSTANTS, FUNCTIONS
from jaxsnn.equations.statements import strip_comments
from jaxsnn.errors import Source, did_you_mean
from jaxsnn.units import DIMENSIONLESS, UNITS, Dimension, Quantity, second

__all__ = ["DIFFERENTIAL", "PARAMETER", "SUBEXPRESSION", "Equation", "Equations", "is_noise"]

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
        unit = self.unit_text or str(self.dim)
        flags = f" ({', '.join(sorted(self.flags))})" if self.flags else ""
        left = f"d{self.name}/dt" if self.kind == DIFFERENTIAL else self.name
        right = "" if self.expr is None else f" = {render(self.expr)}"
        return f"{left}{right} : {unit}{flags}"


_HEAD = re.compile(
    r"\s*(?:d\s*(?P<diff>[^\W\d]\w*)\s*/\s*dt\s*=|(?P<sub>[^\W\d]\w*)\s*=|(?P<par>[^\W\d]\w*)\s*$)",
    re.ASCII,
)
_TAIL = re.compile(r"(?P<unit>[^()]*(?:\([^()]*\)[^()]*?)*?)\s*(?:\((?P<flags>[^()]*)\))?\s*$")


class Equations(Mapping[str, Equation]):
    """A model: a mapping from variable name to `Equation`, in the order of the text.

    Args:
        text: The equations, one a line; expressions may run over several lines; ``#`` starts a comment.
        **replacements: ``name="new"`` renames a variable, ``name=value`` puts a number, a quantity or an
            expression in its place.

    Two models add up with ``+``; a variable defined in both is an error.

    Example:
        >>> leak = Equations("dv/dt = -v/tau + I : 1")
        >>> print(leak + Equations("I = b*sin(2*pi*f*t) : Hz", b="amplitude"))
        dv/dt = -v / tau + I : 1
        I = amplitude * sin(2 * pi * f * t) : Hz

    Raises:
        EquationError: for a line outside the grammar, a reserved name, an unknown flag or unit, a second
            definition, or sub-expressions that depend on one another in a circle. The message shows the line.
    """

    def __init__(self, text: str | Equations, **replacements: object) -> None:
        if isinstance(text, Equations):
            self._equations, self.source = dict(text._equations), text.source
        else:
            self.source = Source(text, "equations")
            self._equations = {eq.name: eq for eq in _parse(self.source)}
        if replacements:
            self._replace(replacements)
        self._check_circles()

    @classmethod
    def _of(cls, equations: Iterable[Equation], source: Source) -> Equations:
        new = cls.__new__(cls)
        new._equations = {eq.name: eq for eq in equations}
        new.source = source
        new._check_circles()
        return new

    def __getitem__(self, name: str) -> Equation:
        return self._equations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._equations)

    def __len__(self) -> int:
        return len(self._equations)

    def __str__(self) -> str:
        return "\n".join(str(eq) for eq in self.values())

    def __repr__(self) -> str:
        return f"<Equations of {', '.join(self)}>"

    def __add__(self, other: Equations | str) -> Equations:
        other = other if isinstance(other, Equations) else Equations(other)
        # One text, so that the places in it stay true for messages.
        shift = len(self.source.text) + 1
        for name in other:
            if name in self:
                raise other.source.error(
                    f"{name!r} is defined in both models that are added; rename one of them,"
                    f" for example Equations(text, {name}='{name}_2')",
                    other[name].span,
                )
        moved = (_shift(eq, shift) for eq in other.values())
        source = Source(f"{self.source.text}\n{other.source.text}", self.source.where)
        return Equations._of([*self.values(), *moved], source)

    def __radd__(self, other: str) -> Equations:
        return Equations(other) + self

    def _replace(self, replacements: Mapping[str, object]) -> None:
        used = set(self).union(*(names(eq.expr) for eq in self.values() if eq.expr is not None))
        rename: dict[str, str] = {}
        values: dict[str, Expr] = {}
        for name, new in replacements.items():
            if name not in used:
                raise self.source.error(
                    f"there is no {name!r} in these equations to replace.{did_you_mean(name, used)}"
                )
            if isinstance(new, str):
                values[name] = parse(new)
                if isinstance(values[name], Name):
                    rename[name] = new
            elif isinstance(new, Quantity):
                values[name] = Number(float(new.value), new.dim, text=f"({_si_text(new)})")
            else:
                values[name] = Number(float(new))  # type: ignore[arg-type]
            if name in self and name not in rename:
                raise self.source.error(
                    f"{name!r} is a variable here and can only be renamed, with {name}='new_name'",
                    self[name].span,
                )
        equations = []
        for eq in self.values():
            expr = None if eq.expr is None else substitute(eq.expr, values)
            equations.append(replace(eq, name=rename.get(eq.name, eq.name), expr=expr))
        self._equations = {eq.name: eq for eq in equations}
        self.source = Source("\n".join(map(str, equations)), self.source.where)
        self._equations = {eq.name: eq for eq in _parse(self.source)}

    # ---- parts of the model -------------------------------------------------------------------

    def of_kind(self, kind: str) -> dict[str, Equation]:
        """The equations of one kind, by name."""
        return {name: eq for name, eq in self.items() if eq.kind == kind}

    @property
    def differential(self) -> dict[str, Equation]:
        """``dx/dt = ...`` lines."""
        return self.of_kind(DIFFERENTIAL)

    @property
    def subexpressions(self) -> dict[str, Equation]:
        """``x = ...`` lines, each before those that use it."""
        found = self.of_kind(SUBEXPRESSION)
        ordered: dict[str, Equation] = {}

        def place(name: str) -> None:
            if name in ordered:
                return
            for other in sorted(names(found[name].expr) & set(found)):  # type: ignore[arg-type]
                place(other)
            ordered[name] = found[name]

        for name in found:
            place(name)
        return ordered

    @property
    def parameters(self) -> dict[str, Equation]:
        """``x : unit`` lines."""
        return self.of_kind(PARAMETER)

    @property
    def noise(self) -> tuple[str, ...]:
        """The white-noise names (``xi``, ``xi_...``) in the differential equations."""
        inlined = self.inlined()
        found = [n for eq in inlined.values() for n in sorted(names(eq)) if is_noise(n)]
        return tuple(dict.fromkeys(found))

    def inlined(self) -> dict[str, Expr]:
        """Right sides of the differential equations with all sub-expressions put in (names of stored
        ``constant over dt`` and ``summed`` ones stay).
        """
        values: dict[str, Expr] = {}
        for name, eq in self.subexpressions.items():
            if not eq.flags & {"constant over dt", "summed"}:
                values[name] = substitute(eq.expr, values)  # type: ignore[arg-type]
        return {
            name: substitute(eq.expr, values)  # type: ignore[arg-type]
            for name, eq in self.differential.items()
        }

    def _check_circles(self) -> None:
        found = self.of_kind(SUBEXPRESSION)
        state: dict[str, int] = {}

        def visit(name: str, path: tuple[str, ...]) -> None:
            if state.get(name) == 2:
                return
            if state.get(name) == 1:
                circle = " -> ".join((*path[path.index(name) :], name))
                raise self.source.error(
                    f"the sub-expressions depend on one another in a circle: {circle}",
                    found[name].span,
                )
            state[name] = 1
            for other in sorted(names(found[name].expr) & set(found)):  # type: ignore[arg-type]
                visit(other, (*path, name))
            state[name] = 2

        for name in found:
            visit(name, ())


def _si_text(quantity: Quantity) -> str:
    """A quantity as text of the equation language, in base units: ``0.01*second``."""
    dim = quantity.dim
    named = next((n for n, u in UNITS.items() if u.dim == dim and float(u.value) == 1.0), None)
    if named is not None:
        return f"{float(quantity.value)!r}*{named}"
    bases = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candela")
    factors = [f"{base}**({power})" for base, power in zip(bases, dim.exponents, strict=True) if power]
    return "*".join([repr(float(quantity.value)), *factors])


def _shift(eq: Equation, by: int) -> Equation:
    moved = _parse(Source(" " * by + str(eq)))[0]
    return replace(eq, expr=moved.expr, span=moved.span)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Each equation as (offset, text): lines are joined until the one that holds the ':'."""
    start: int | None = None
    position = 0
    for line in text.splitlines(keepends=True):
        if start is None and line.strip():
            start = position
        position += len(line)
        if ":" in line and start is not None:
            yield start, text[start:position]
            start = None
    if start is not None:
        yield start, text[start:]


def _parse(source: Source) -> list[Equation]:
    found: dict[str, Equation] = {}
    for offset, text in _lines(strip_comments(source.text)):
        eq = _parse_line(source, offset, text)
        if eq.name in found:
            raise source.error(f"{eq.name!r} is defined twice: '{found[eq.name]}' and '{eq}'", eq.span)
        found[eq.name] = eq
    return list(found.values())


def _parse_line(source: Source, offset: int, text: str) -> Equation:
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
        raise source.error("the unit cannot be read", (unit_start, whole[1]))
    unit_text, flag_text = tail["unit"].strip(), tail["flags"]
    unit_begin = unit_start + len(right) - len(right.lstrip())
    flags = _flags(source, kind, name, flag_text, (unit_begin + len(unit_text), whole[1]))
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


def _flags(source: Source, kind: str, name: str, text: str | None, span: tuple[int, int]) -> frozenset[str]:
    if text is None:
        return frozenset()
    flags = [" ".join(flag.split()) for flag in text.split(",")]
    known = frozenset().union(*FLAGS.values(), {"point current"})
    for flag in flags:
        if flag not in known:
            raise source.error(f"there is no flag {flag!r}.{did_you_mean(flag, known)}", span)
        if flag not in FLAGS[kind] and flag != "point current":
            allowed = ", ".join(sorted(FLAGS[kind]))
            raise source.error(
                f"the flag {flag!r} makes no sense for {name!r}, which is a {kind} (possible: {allowed})",
                span,
            )
    if {"event-driven", "clock-driven"} <= set(flags):
        raise source.error("an equation is either event-driven or clock-driven, not both", span)
    return frozenset(flags)


def _unit(source: Source, text: str, span: tuple[int, int]) -> tuple[str, Dimension]:
    """The declared unit: ``integer``, ``boolean``, ``1`` or a product of powers of units of scale 1."""
    if text in ("integer", "boolean"):
        return text, DIMENSIONLESS
    if text in ("1", "float"):
        return "float", DIMENSIONLESS
    if not text:
        raise source.error("the unit is missing after ':'; write ': 1' for a plain number", span)
    if text == "bool":
        raise source.error("write 'boolean' for a variable that is True or False", span)
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
                if name not in UNITS:
                    raise source.error(f"{name!r} is not a unit.{did_you_mean(name, UNITS)}", span)
                if float(UNITS[name].value) != 1.0:
                    raise source.error(
                        f"{name!r} is scaled; a variable is declared with an unscaled unit, here"
                        f" '{UNITS[name].dim}' (values can be given in {name})",
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


NOISE_DIM: Dimension = second.dim ** (-0.5)
"""Dimension of white noise: one over the square root of a second."""

# What callers use to see whether an expression is free of random numbers.
STATEFUL = frozenset(name for name, row in FUNCTIONS.items() if row.stateful)


def is_stateful(expr: Expr) -> bool:
    """Whether an expression draws random numbers."""
    return any(name in STATEFUL for name in calls(expr))
