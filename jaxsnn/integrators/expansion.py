"""A scheme written out over a model: statements for every variable and every noise of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxsnn.equations.expressions import (
    Binary,
    Call,
    Expr,
    Name,
    Number,
    Unary,
    children,
    names,
    rebuild,
    substitute,
    walk,
)
from jaxsnn.equations.statements import Assign, Statement
from jaxsnn.integrators import contract
from jaxsnn.integrators.algebra import Term, add, arithmetic, negate, total
from jaxsnn.integrators.contract import Locals, OdeSystem, Refusal
from jaxsnn.integrators.linear import NotLinear, decompose

__all__ = ["NoisyModel", "expand", "split_noise"]


@dataclass(frozen=True)
class NoisyModel:
    """In the equation of x, ``drift[x]`` is f and ``factors[x][xi]`` is the g of one noise."""

    drift: Mapping[str, Term]
    factors: Mapping[str, Mapping[str, Expr]]
    noises: tuple[str, ...]


def split_noise(system: OdeSystem) -> NoisyModel | Refusal:
    """Read the right sides as f + sum(g xi), which they have to be."""
    found = contract.noises(system)
    drift: dict[str, Term] = {}
    factors: dict[str, Mapping[str, Expr]] = {}
    for variable, expr in system.rhs.items():
        parts = decompose(expr, found)
        if isinstance(parts, NotLinear):
            return Refusal(
                f"d{variable}/dt is {parts}",
                parts.span,
                "noise is multiplied by a factor and added",
            )
        drift[variable], factors[variable] = parts.rest, parts.coefficients
    return NoisyModel(drift, factors, found)


def expand(steps: tuple[Assign, ...], model: NoisyModel) -> tuple[Statement, ...]:
    """The statements of a scheme for all variables of a model."""
    return _Expansion(steps, model).statements()


class _Expansion:
    """Writes a scheme out for every variable.

    A line of the scheme becomes either one value a variable, with its noisy terms summed over the
    noises, or, if all its terms are noisy and it is not used as a value of x, one value for each
    variable and noise.
    """

    def __init__(self, steps: tuple[Assign, ...], model: NoisyModel) -> None:
        self.steps = steps
        self.model = model
        self.name = Locals(model.drift)
        self.values: dict[tuple[str, ...], Term] = {}
        as_value = {
            name
            for step in steps
            for node in walk(step.expr)
            if isinstance(node, Call) and node.function in ("f", "g")
            for name in names(node.args[0])
        }
        self.per_noise: set[str] = set()
        for step in steps[:-1]:
            quiet, noisy = self.split(step.expr)
            if quiet is None and noisy is not None and step.target not in as_value:
                self.per_noise.add(step.target)

    def statements(self) -> tuple[Statement, ...]:
        root_dt = Call("sqrt", (Name("dt"),))
        lines = [
            Assign(self.name("dW", noise), "=", Binary("*", root_dt, Call("randn", ()))) for noise in self.model.noises
        ]
        for step in self.steps[:-1]:
            for variable in self.model.drift:
                for key, value in self.step(step, variable):
                    self.values[key] = None if value is None else Name(self.name(*key))
                    if value is not None:
                        lines.append(Assign(self.name(*key), "=", value))
        new = {variable: self.sum(self.steps[-1].expr, variable) for variable in self.model.drift}
        computed = contract.assign_new({name: expr or Number(0) for name, expr in new.items()})
        return (*_used(lines, computed), *computed)

    def step(self, step: Assign, variable: str) -> list[tuple[tuple[str, ...], Term]]:
        if step.target not in self.per_noise:
            return [((step.target, variable), self.sum(step.expr, variable))]
        return [
            ((step.target, variable, noise), self.expand(step.expr, variable, noise))
            for noise in self.model.factors[variable]
        ]

    def is_noisy(self, expr: Expr) -> bool:
        match expr:
            case Name(id=name):
                return name == "dW" or name in self.per_noise
            case Call(function="f"):
                return False  # f takes values, whose noise is summed already
            case Call(function="g"):
                return True
        return any(self.is_noisy(child) for child in children(expr))

    def split(self, expr: Expr) -> tuple[Term, Term]:
        """The terms without and with noise."""
        if not self.is_noisy(expr):
            return expr, None
        match expr:
            case Unary(op="-", operand=operand):
                quiet, noisy = self.split(operand)
                return negate(quiet), negate(noisy)
            case Binary(op="+" | "-" as op, left=left, right=right):
                (a, b), (c, d) = self.split(left), self.split(right)
                return arithmetic(op, a, c), arithmetic(op, b, d)
            case Binary(op="*", left=left, right=right):
                (a, b), (c, d) = self.split(left), self.split(right)
                both = right if c is None or d is None else Binary("+", c, d)
                return arithmetic("*", a, c), add(arithmetic("*", b, both), arithmetic("*", a, d))
            case Binary(op="/", left=left, right=right) if not self.is_noisy(right):
                quiet, noisy = self.split(left)
                return arithmetic("/", quiet, right), arithmetic("/", noisy, right)
        return None, expr

    def sum(self, expr: Expr, variable: str) -> Term:
        """A value for one variable: terms without noise, and the others summed over the noises."""
        quiet, noisy = self.split(expr)
        terms = [None if quiet is None else self.expand(quiet, variable)]
        if noisy is not None:
            terms += [self.expand(noisy, variable, xi) for xi in self.model.factors[variable]]
        return total(terms)

    def expand(self, expr: Expr, variable: str, noise: str = "") -> Term:
        """A part of the description for one variable and one noise."""
        match expr:
            case Name(id="x"):
                return Name(variable)
            case Name(id="dW"):
                return Name(self.name("dW", noise))
            case Name(id="t" | "dt"):
                return expr
            case Name(id=name):
                key = (name, variable, noise) if name in self.per_noise else (name, variable)
                return self.values.get(key)
            case Call(function="f", args=(value, time)):
                return self.at(self.model.drift[variable], value, time)
            case Call(function="g", args=(value, time)):
                return self.at(self.model.factors[variable].get(noise), value, time)
            case Unary(op="-", operand=operand):
                return negate(self.expand(operand, variable, noise))
            case Binary(op=op, left=left, right=right):
                a, b = (self.expand(part, variable, noise) for part in (left, right))
                return arithmetic(op, a, b)
        parts = tuple(self.expand(part, variable, noise) or Number(0) for part in children(expr))
        return rebuild(expr, parts)

    def at(self, function: Term, value: Expr, time: Expr) -> Term:
        """The f or g of one equation at other values of the variables and another time."""
        if function is None:
            return None
        read = names(function)
        places: dict[str, Expr] = {} if time == Name("t") else {"t": time}
        if value != Name("x"):
            moved = (name for name in self.model.drift if name in read)
            places |= {name: self.sum(value, name) or Number(0) for name in moved}
        return substitute(function, places)


def _used(lines: list[Assign], end: tuple[Assign, ...]) -> list[Assign]:
    """The lines whose values are read later: without noise, most of a noisy scheme is not."""
    read = set().union(*(names(line.expr) for line in end))
    kept = []
    for line in reversed(lines):
        if line.target in read:
            read |= names(line.expr)
            kept.append(line)
    return kept[::-1]
