r"""Equations: the model text, read and checked as a whole.

>>> print(Equations("dv/dt = (I - v)/tau : volt\nI : volt  # input"))
dv/dt = (I - v) / tau : volt
I : volt
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from jaxsnn.equations.expressions import (
    Expr,
    Name,
    Number,
    calls,
    names,
    parse,
    substitute,
)
from jaxsnn.equations.functions import FUNCTIONS
from jaxsnn.equations.grammar import (
    DIFFERENTIAL,
    NOISE_DIM,
    PARAMETER,
    SUBEXPRESSION,
    Equation,
    is_noise,
    read_equations,
)
from jaxsnn.errors import EquationError, Source, did_you_mean
from jaxsnn.units import Quantity
from jaxsnn.units.display import unit_text

__all__ = ["DIFFERENTIAL", "NOISE_DIM", "PARAMETER", "SUBEXPRESSION", "Equation", "Equations", "is_noise"]


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

    _equations: dict[str, Equation]
    source: Source

    def __init__(self, text: str | Equations, **replacements: object) -> None:
        if isinstance(text, Equations):
            self._equations, self.source = dict(text._equations), text.source
        elif not isinstance(text, str):
            raise EquationError(f"equations are given as text, for example 'dv/dt = -v/tau : volt'; got {text!r}")
        else:
            self.source = Source(text, "equations")
            self._equations = {eq.name: eq for eq in read_equations(self.source)}
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
        for name in other:
            if name in self:
                raise other.source.error(
                    f"{name!r} is defined in both models that are added; rename one of them,"
                    f" for example Equations(text, {name}='{name}_2')",
                    other[name].span,
                )
        # One text, read anew, so that the places of all equations are places in it.
        source = Source(f"{self.source.text}\n{other.source.text}", self.source.where)
        return Equations._of(read_equations(source), source)

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
            elif isinstance(new, Quantity) and np.ndim(new.value) == 0:
                values[name] = Number(float(new.value), new.dim, text=f"({float(new.value)!r}*{unit_text(new.dim)})")
            else:
                values[name] = self._number(name, new)
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
        self._equations = {eq.name: eq for eq in read_equations(self.source)}

    def _number(self, name: str, value: object) -> Number:
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = float("nan")
        if number != number:
            raise self.source.error(
                f"{name!r} can be replaced by a name or expression in text, a number or a quantity, not {value!r}"
            )
        return Number(number)

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


# What callers use to see whether an expression is free of random numbers.
STATEFUL = frozenset(name for name, row in FUNCTIONS.items() if row.stateful)


def is_stateful(expr: Expr) -> bool:
    """Whether an expression draws random numbers."""
    return any(name in STATEFUL for name in calls(expr))
