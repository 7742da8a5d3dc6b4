"""Exponential Euler: each variable decays exactly, while the others stand still during the step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import count

from jaxsnn.equations.expressions import (
    Binary,
    Call,
    Expr,
    Name,
    Number,
    children,
    rebuild,
    transform,
)
from jaxsnn.equations.statements import Assign, Statement
from jaxsnn.equations.system import STATEFUL
from jaxsnn.integrators import contract
from jaxsnn.integrators.algebra import DT, add, call, multiply
from jaxsnn.integrators.contract import Integrator, Locals, OdeSystem, Refusal
from jaxsnn.integrators.linear import Linear, NotLinear, decompose

__all__ = ["EXPONENTIAL_EULER"]


def _refuses(system: OdeSystem) -> Refusal | None:
    for variable, expr in system.rhs.items():
        found = decompose(expr, (variable,))
        if isinstance(found, NotLinear):
            return Refusal(
                f"d{variable}/dt is {found}",
                found.span,
                "each equation needs the form dx/dt = A*x + B (A, B may read other variables)",
            )
    return contract.refuse_noise(system)


def _statements(system: OdeSystem) -> tuple[Statement, ...]:
    """For dx/dt = A x + B with A and B standing still: x*exp(A dt) + B dt exprel(A dt).

    exprel(z) = (exp(z) - 1)/z is smooth through z = 0, so A may vanish (a closed channel, a
    refractory neuron) without 0/0, in the value and in its derivatives.
    """
    name = Locals(system.rhs)
    draws: list[Statement] = []

    def draw(node: Expr) -> Expr | None:
        # A and B both hold the factor of a product: the random number in it is drawn once.
        if isinstance(node, Call) and node.function in STATEFUL:
            draws.append(Assign(name("draw", str(len(draws))), "=", node))
            return Name(name("draw", str(len(draws) - 1)))
        return None

    parts: dict[str, Expr] = {}
    for variable, expr in system.rhs.items():
        linear = decompose(transform(expr, draw), (variable,))
        assert isinstance(linear, Linear)
        if variable in linear.coefficients:
            parts[name("A", variable)] = linear.coefficients[variable]
        if linear.rest is not None:
            parts[name("B", variable)] = linear.rest

    new: dict[str, Expr] = {}
    for variable in system.rhs:
        rate, drive = name("A", variable), name("B", variable)
        z = multiply(Name(rate), DT) if rate in parts else None
        kept = Name(variable) if z is None else Binary("*", Name(variable), _call("exp", z))
        gained = multiply(Name(drive), DT) if drive in parts else None
        if z is not None:
            gained = multiply(gained, _call("exprel", z))
        new[variable] = add(kept, gained) or Number(0)
    return (*draws, *_share(parts, name), *contract.assign_new(new))


def _call(function: str, z: Expr | None) -> Expr:
    assert z is not None
    return call(function, z)


def _share(parts: dict[str, Expr], name: Locals) -> tuple[Assign, ...]:
    """Assignments of the parts, where expressions that occur several times are computed once.

    For a gating variable, dm/dt = alpha*(1 - m) - beta*m, alpha and its exp stand in A and in B.
    """
    uses = _uses(parts.values())
    shared: dict[Expr, Name] = {}
    lines: list[Assign] = []
    number = count()

    def rewrite(expr: Expr, top: bool = False) -> Expr:
        if expr in shared:
            return shared[expr]
        new = rebuild(expr, tuple(rewrite(child) for child in children(expr)))
        if top or uses[expr] < 2 or not _is_costly(expr):
            return new
        shared[expr] = Name(name("shared", str(next(number))))
        lines.append(Assign(shared[expr].id, "=", new))
        return shared[expr]

    for target, expr in parts.items():
        value = rewrite(expr, top=True)
        lines.append(Assign(target, "=", value))
        if _is_costly(expr):
            shared.setdefault(expr, Name(target))
    return tuple(lines)


def _uses(exprs: Iterable[Expr]) -> Counter[Expr]:
    """How often each expression is used; what is inside of a repeated expression counts once."""
    uses: Counter[Expr] = Counter()
    waiting = list(exprs)
    while waiting:
        expr = waiting.pop()
        uses[expr] += 1
        if uses[expr] == 1:
            waiting.extend(children(expr))
    return uses


def _is_costly(expr: Expr) -> bool:
    """Whether a local variable is worth it: anything with a call or a power."""
    match expr:
        case Call() | Binary(op="**"):
            return True
    return any(_is_costly(child) for child in children(expr))


EXPONENTIAL_EULER = Integrator(
    "exponential_euler",
    _refuses,
    _statements,
    order=1,
    reason="each variable decays exactly while the others stand still, first order in dt",
    source="S. Rush, H. Larsen (1978), doi:10.1109/TBME.1978.326270",
)
