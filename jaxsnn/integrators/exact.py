"""Exact integration of linear systems dX/dt = M X + b with M and b constant during a step.

The usual neuron and synapse models are triangular: in some order, each variable reads only itself
and earlier ones. Then every entry of the propagator exp(M dt) is a closed formula, a sum over the
ways from one variable to another through the system,

    [exp(M dt)]_ij = sum over i = s0 -> s1 -> ... -> sk = j of
                     M_s0s1 ... M_sk-1sk dt**k exp[M_s0s0 dt, ..., M_sksk dt]

with the divided difference of exp, which is smooth where rates coincide or vanish. Constant forcing
is one more variable with rate 0. Variables that depend on one another in a circle (oscillators,
adaptation) become one `Propagate` statement, a matrix exponential at run time.

Sources: G. Opitz (1964), Z. angew. Math. Mech. 44 (divided differences and triangular matrices);
S. Rotter, M. Diesmann (1999), doi:10.1007/s004220050570 (exact integration of neurons).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from jaxsnn.equations.expressions import Expr, Name, Number, render
from jaxsnn.equations.statements import Assign, Propagate, Statement
from jaxsnn.integrators import contract
from jaxsnn.integrators.algebra import DT, ONE, Term, call, multiply, power, product, total
from jaxsnn.integrators.contract import Integrator, Locals, OdeSystem, Refusal
from jaxsnn.integrators.linear import Linear, NotLinear, decompose

__all__ = ["EXACT"]

# Above these the closed formulas are longer than a matrix exponential: the ways from one variable
# to the others, and the variables on one way (exp_divided takes one more, for the forcing).
MAX_WAYS = 32
MAX_LENGTH = 15

_NOT_LINEAR = "for equations that are not linear write method='euler', 'rk2', 'rk4' or 'exponential_euler'"


def _refuses(system: OdeSystem) -> Refusal | None:
    noise = contract.refuse_noise(system)
    if noise is not None:
        return noise
    for variable, expr in system.rhs.items():
        drawn = contract.stateful_call(expr)
        if drawn is not None:
            return Refusal(
                f"d{variable}/dt draws random numbers ({render(drawn)})",
                drawn.span,
            )
        found = decompose(expr, tuple(system.rhs))
        if isinstance(found, NotLinear):
            return Refusal(f"d{variable}/dt is {found}", found.span, _NOT_LINEAR)
        for part in (*found.coefficients.values(), found.rest):
            moving = None if part is None else contract.changes_in_step(part, system)
            if moving is not None:
                return Refusal(
                    f"d{variable}/dt changes with time during a step (term {render(moving)})",
                    getattr(moving, "span", None),
                )
    return None


def _statements(system: OdeSystem) -> tuple[Statement, ...]:
    linear: dict[str, Linear] = {}
    for variable, expr in system.rhs.items():
        found = decompose(expr, tuple(system.rhs))
        assert isinstance(found, Linear)
        linear[variable] = found
    together = _matrix_blocks(linear)
    apart = set().union(*together) if together else set()
    name = Locals(linear)
    coefficients: list[Statement] = []
    new: list[Statement] = []
    for variable in linear:
        if variable not in apart:
            factors, step = _closed_form(variable, linear, name)
            coefficients += factors
            new.append(step)
    new += [_propagate(block, linear) for block in together]
    return (*coefficients, *new, *contract.finish(linear))


# ---- which variables have closed formulas -------------------------------------------------------


def _matrix_blocks(linear: Mapping[str, Linear]) -> list[tuple[str, ...]]:
    """Groups that need a matrix exponential: circles, what reads them, and what they read."""
    reached = {variable: _reached(variable, linear) for variable in linear}
    circular = {start for start in linear for end in reached[start] if start != end and start in reached[end]}
    blocks: list[set[str]] = []
    for variable in linear:
        if reached[variable] & circular or _is_tangled(variable, linear):
            block = set(reached[variable])
            for other in [other for other in blocks if other & block]:
                block |= other
                blocks.remove(other)
            blocks.append(block)
    return [tuple(name for name in linear if name in block) for block in blocks]


def _reached(start: str, linear: Mapping[str, Linear]) -> set[str]:
    """The variable and everything that it reads, directly or through others."""
    found, waiting = {start}, [start]
    while waiting:
        new = set(linear[waiting.pop()].coefficients) - found
        found |= new
        waiting += sorted(new)
    return found


def _is_tangled(variable: str, linear: Mapping[str, Linear]) -> bool:
    """Whether a variable outside all circles has more ways to others than are worth writing out."""
    ways = list(islice(_ways(variable, linear), MAX_WAYS + 1))
    return len(ways) > MAX_WAYS or len(ways[-1].path) > MAX_LENGTH


# ---- closed formulas ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Way:
    """A way through the system: the variables on it, and the couplings between them."""

    path: tuple[str, ...]
    couplings: tuple[Expr, ...] = ()


def _ways(start: str, linear: Mapping[str, Linear]) -> Iterator[_Way]:
    """All ways from a variable through what it reads, shortest first."""
    waiting = [_Way((start,))]
    while waiting:
        way = waiting.pop(0)
        yield way
        for other, coupling in linear[way.path[-1]].coefficients.items():
            if other != way.path[-1]:
                waiting.append(_Way((*way.path, other), (*way.couplings, coupling)))


def _closed_form(variable: str, linear: Mapping[str, Linear], name: Locals) -> tuple[list[Statement], Statement]:
    """The factors (often constant: statements of their own), then the new value."""
    propagators: dict[str, list[Expr]] = {}
    forcing: dict[str, list[Expr]] = {}
    for way in _ways(variable, linear):
        end = way.path[-1]
        rates = [linear[each].coefficients.get(each) for each in way.path]
        propagators.setdefault(end, []).append(_weight(way.couplings, rates))
        if linear[end].rest is not None:
            forcing.setdefault(end, []).append(_weight(way.couplings, [*rates, None]))

    lines: list[Statement] = []

    def factor(kind: str, end: str, weights: list[Expr]) -> Expr:
        parts = (kind, variable) if end == variable else (kind, variable, end)
        weight = total(weights)
        assert weight is not None
        if isinstance(weight, Number | Name):
            return weight
        lines.append(Assign(name(*parts), "=", weight))
        return Name(name(*parts))

    terms = [multiply(factor("P", end, w), Name(end)) for end, w in propagators.items()]
    drive = total(multiply(factor("Q", end, w), linear[end].rest) for end, w in forcing.items())
    if drive is not None:
        lines.append(Assign(name("B", variable), "=", drive))
        terms.append(Name(name("B", variable)))
    return lines, Assign(f"_{variable}", "=", total(terms) or Number(0))


def _weight(couplings: tuple[Expr, ...], rates: list[Term]) -> Expr:
    """The factor of one way: couplings * dt**k * exp[rates*dt], k the number of its steps."""
    steps = len(rates) - 1
    return product([*couplings, power(DT, steps), _exp_divided([multiply(r, DT) for r in rates])])


def _exp_divided(points: list[Term]) -> Expr:
    """The divided difference of exp over the points (None is 0), by its plainest name."""
    first = points[0]
    if all(point == first for point in points):
        # All n points coincide: exp(z)/(n - 1)!.
        return product([Number(_reciprocal(len(points) - 1)), ONE if first is None else call("exp", first)])
    if len(points) == 2 and None in points:
        return call("exprel", points[0] or points[1] or ONE)
    return call("exp_divided", *(point or Number(0) for point in points))


def _reciprocal(n: int) -> int | float:
    """1/n!."""
    return 1 if n < 2 else 1 / math.factorial(n)


def _propagate(variables: tuple[str, ...], linear: Mapping[str, Linear]) -> Propagate:
    return Propagate(
        tuple(f"_{variable}" for variable in variables),
        variables,
        tuple(tuple(linear[row].coefficients.get(column) or Number(0) for column in variables) for row in variables),
        tuple(linear[row].rest or Number(0) for row in variables),
    )


EXACT = Integrator(
    "exact",
    _refuses,
    _statements,
    reason="the equations are linear with coefficients that are constant during a step",
    source="S. Rotter, M. Diesmann (1999), doi:10.1007/s004220050570",
)
