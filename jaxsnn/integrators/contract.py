"""What an integration method gets and gives: a system of equations in, statements for one step out.

The statements compute the new values of all variables from the old ones first (``_v = ...``), then
assign them (``v = _v``), so the order of the equations never matters. All locals begin with an
underscore, which names of the user cannot. The step is ``dt``, the time at its begin ``t``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from jaxsnn.equations.dimensions import Typed
from jaxsnn.equations.expressions import Call, Expr, Name, children, walk
from jaxsnn.equations.functions import FUNCTIONS
from jaxsnn.equations.statements import Assign, Statement
from jaxsnn.equations.system import STATEFUL, is_noise
from jaxsnn.errors import Source

__all__ = [
    "Integration",
    "Integrator",
    "Locals",
    "OdeSystem",
    "Refusal",
    "Span",
    "assign_new",
    "changes_in_step",
    "finish",
    "noises",
    "refuse_noise",
    "stateful_call",
]

Span = tuple[int, int]


@dataclass(frozen=True)
class OdeSystem:
    """Differential equations dx/dt = f(x, t) + g(x, t) xi, sub-expressions already put in.

    Attributes:
        rhs: Right side by variable, in the order of the model.
        scope: Every name the right sides may read, with type and dimension.
        source: The user's text, for messages.
        varying: Names and functions that change inside a step, besides the variables and ``t`` (for
            example a user's function of time, or a `TimedArray` on a grid finer than the step).
            Every other name, and every call ``f(t)`` of a function that is neither listed here nor
            one of the language, keeps its value during a step.
    """

    rhs: Mapping[str, Expr]
    scope: Mapping[str, Typed]
    source: Source = Source("")
    varying: frozenset[str] = frozenset()


class Refusal(NamedTuple):
    """Why a method cannot integrate a system, where in the text, and what to write instead."""

    message: str
    span: Span | None = None
    advice: str = ""

    def __str__(self) -> str:
        return self.message


class Integrator(NamedTuple):
    """An integration method.

    Attributes:
        name: As in ``method="..."``.
        refuses: Why it cannot integrate a system (a `Refusal` or a sentence), or None if it can.
        statements: The statements of one step; called only where ``refuses`` gives None.
        order: Order of convergence in dt without noise; None if exact.
        strong_order: Order of convergence of single paths with noise; None if it takes no noise.
        reason: What to know about it when it was chosen, for the user.
        source: Author, year, DOI.
    """

    name: str
    refuses: Callable[[OdeSystem], Refusal | str | None]
    statements: Callable[[OdeSystem], tuple[Statement, ...]]
    order: int | None = None
    strong_order: float | None = None
    reason: str = ""
    source: str = ""


class Integration(NamedTuple):
    """The result: the method that was taken, its statements, and the sentence that says why."""

    method: str
    statements: tuple[Statement, ...]
    reason: str

    def __str__(self) -> str:
        return "\n".join([f"# {self.reason}", *map(str, self.statements)])


class Locals:
    """Names for local variables that differ from one another, whatever the variables are called.

    Without it the factor from ``ge`` to ``v`` and that of a variable ``v_ge`` would both be
    ``_P_v_ge``.
    """

    def __init__(self, variables: Iterable[str]) -> None:
        self._taken: dict[str, tuple[str, ...]] = {f"_{name}": ("", name) for name in variables}

    def __call__(self, *parts: str) -> str:
        """The name for these parts, the same one each time: ``("P", "v")`` gives ``_P_v``."""
        name = "_" + "_".join(parts)
        while self._taken.setdefault(name, parts) != parts:
            name += "_"
        return name


def assign_new(new: Mapping[str, Expr]) -> tuple[Assign, ...]:
    """``_v = ...`` for all variables, then ``v = _v`` for all."""
    computed = [Assign(f"_{name}", "=", expr) for name, expr in new.items()]
    return (*computed, *finish(new))


def finish(variables: Iterable[str]) -> tuple[Assign, ...]:
    """``v = _v`` for all variables."""
    return tuple(Assign(name, "=", Name(f"_{name}")) for name in variables)


def noises(system: OdeSystem) -> tuple[str, ...]:
    """The white-noise names of a system, in the order of their first appearance."""
    found = (
        node.id for expr in system.rhs.values() for node in walk(expr) if isinstance(node, Name) and is_noise(node.id)
    )
    return tuple(dict.fromkeys(found))


def refuse_noise(system: OdeSystem) -> Refusal | None:
    """The refusal of a method without noise, if there is noise."""
    for variable, expr in system.rhs.items():
        for node in walk(expr):
            if isinstance(node, Name) and is_noise(node.id):
                return Refusal(
                    f"d{variable}/dt contains the noise {node.id}",
                    node.span,
                    "for noise whose factor does not depend on the variables write method='euler',"
                    " for any other 'heun' or 'milstein' (Stratonovich)",
                )
    return None


def stateful_call(expr: Expr) -> Call | None:
    """The first call that draws a random number."""
    drawn = (node for node in walk(expr) if isinstance(node, Call) and node.function in STATEFUL)
    return next(drawn, None)


def changes_in_step(expr: Expr, system: OdeSystem) -> Expr | None:
    """The part of an expression without variables that changes inside a step, or None.

    ``sin(w*t)`` does; ``stimulus(t)`` with a `TimedArray` on the grid of the steps does not.
    """
    match expr:
        case Name(id=name):
            return expr if name == "t" or name in system.varying else None
        case Call(function=function, args=args) if function in system.varying:
            return expr
        case Call(function=function, args=args) if function not in FUNCTIONS:
            args = tuple(arg for arg in args if arg != Name("t"))
            return expr if any(changes_in_step(arg, system) for arg in args) else None
    for child in children(expr):
        found = changes_in_step(child, system)
        if found is not None:
            # A bare t says little: show the call or product it stands in.
            return expr if isinstance(found, Name) and isinstance(expr, Call) else found
    return None
