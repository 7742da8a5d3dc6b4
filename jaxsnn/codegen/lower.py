"""Lower a block of code to two JAX functions: what is constant during a run, and what is done each step.

Sub-expressions that read nothing but constants of the run (``exp(-dt/tau)``, whole propagators) are taken out
of the step and computed once, by ``prepare``. The step receives their values as ``_c0, _c1, ...``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from jaxsnn.codegen.jax_runtime import RUNTIME
from jaxsnn.codegen.jax_user import implementations, user_function
from jaxsnn.codegen.printer import USER, Draws, compile_source, print_expression, print_statement
from jaxsnn.equations.expressions import (
    Binary,
    Call,
    Compare,
    Expr,
    Name,
    Number,
    calls,
    children,
    names,
    rebuild,
    substitute,
)
from jaxsnn.equations.functions import FUNCTIONS
from jaxsnn.equations.statements import Adapt, Assign, Propagate, Statement, expressions

__all__ = ["Block", "lower"]


STEPS = frozenset({"int", "floor", "ceil", "timestep", "sign", "timed_array", "timed_array_2d"})
"""Functions that jump, so that the last bit of an argument matters."""

OF_WHOLE_ARRAYS = frozenset({"remember_row", "tally_bins"})
"""Functions that are no matter of single elements."""


@dataclass(frozen=True)
class Block:
    """A lowered block of code.

    Attributes:
        constants: Names ``prepare`` reads.
        reads: Names ``run`` reads besides the hoisted values.
        returns: Names whose new values ``run`` returns, in order.
        draws: Number of random draws per step.
        hoisted: How many values ``prepare`` returns.
        elementwise: Whether arguments may have any shapes that broadcast, and results have the shape of all together.
        prepare: ``prepare(*constants) -> tuple`` of values that do not change during a run.
        run: ``run(*reads, *prepared, _draw) -> tuple`` of the values of ``returns``.
    """

    constants: tuple[str, ...]
    reads: tuple[str, ...]
    returns: tuple[str, ...]
    draws: int
    hoisted: int
    elementwise: bool
    prepare: Callable[..., tuple[Any, ...]]
    run: Callable[..., tuple[Any, ...]]

    @property
    def source(self) -> str:
        """The generated Python source of both functions."""
        return f"{self.prepare.source}\n{self.run.source}"  # type: ignore[attr-defined]

    def __str__(self) -> str:
        return self.source


def lower(
    name: str,
    statements: Collection[Statement],
    returns: tuple[str, ...],
    constant: Callable[[str], bool],
    guards: Mapping[str, str] | None = None,
    extra: Mapping[str, Expr] | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    reciprocals: bool = False,
) -> Block:
    """Lower statements.

    Args:
        name: Of the generated functions.
        statements: In order.
        returns: Names to return: variables or locals assigned by the statements, or names in ``extra``.
        constant: Whether a name keeps its value during a run (``dt`` included).
        guards: Names written only where another (boolean) name holds.
        extra: Further results that are expressions of their own (conditions, recorded expressions).
        functions: Functions of the user by name.
        reciprocals: Multiply by reciprocals computed once, instead of dividing by constants: equal but for rounding.
    """
    guards = guards or {}
    extra = extra or {}
    assigned_twice: set[str] = set()
    seen: set[str] = set()
    for statement in statements:
        for target in _targets(statement):
            (assigned_twice if target in seen else seen).add(target)
    hoist = _Hoist(lambda n: n not in seen and constant(n), reciprocals)
    body: list[str] = []
    used: dict[str, None] = {}
    draws = Draws()
    adapts: dict[str, Adapt] = {}
    written: set[str] = set()  # so far: reading these needs no argument

    def final(expr: Expr) -> Expr:
        """The expression as the step computes it; its names become arguments."""
        taken = hoist(expr)
        used.update(dict.fromkeys(sorted(names(taken) - written)))
        return taken

    for statement in statements:
        match statement:
            case Assign(target=target, op="=", expr=expr) if (
                target.startswith("_")
                and target not in assigned_twice
                and target not in returns
                and hoist.movable(expr)
            ):
                hoist.alias(target, expr)
            case Assign(target=target):
                if target in guards:
                    used.update(dict.fromkeys(n for n in (guards[target], target) if n not in written))
                body.append(print_statement(Assign(target, "=", final(statement.value)), draws, guards))
                written.add(target)
            case Propagate():
                used.update(dict.fromkeys(n for n in statement.variables if n not in written))
                body.append(_propagation(statement, hoist, final, draws))
                written.update(statement.targets)
            case Adapt():
                used.update(dict.fromkeys(n for n in ("t", "dt", *statement.variables) if n not in written))
                function = f"_rhs{len(adapts)}"
                adapts[f"_adapt{len(adapts)}"] = statement
                inner = {Adapt.TIME, *statement.variables}
                slopes = [hoist(expr) for expr in statement.rhs]
                used.update(dict.fromkeys(sorted(set().union(*map(names, slopes)) - written - inner)))
                body += _substeps(statement, slopes, function, f"_adapt{len(adapts) - 1}", draws)
                written.update(statement.targets)
    for result, expr in extra.items():
        body.append(f"{result} = {print_expression(final(expr), draws)}")
    local = seen | set(extra)
    used.update(dict.fromkeys(r for r in returns if r not in local))
    texts = [expr for statement in statements for expr in expressions(statement)] + list(extra.values())
    users = {f"{USER}{name}": user_function(name, found) for name, found in implementations(texts).items()}
    runtime: dict[str, Any] = {**RUNTIME, **(functions or {}), **users}
    runtime |= {name: partial(runtime["adaptive"], statement.scheme) for name, statement in adapts.items()}
    hoisted = [f"_c{k}" for k in range(hoist.count)]
    prepare = compile_source(f"{name}_prepare", hoist.reads, hoist.lines, hoisted, runtime)
    arguments = [n for n in used if n not in hoisted]
    run = compile_source(name, [*arguments, *hoisted, "_draw"], body, returns, runtime)
    # A function of the user was promised arrays of one number for each element.
    elementwise = not users and not adapts and not OF_WHOLE_ARRAYS & {c for expr in texts for c in calls(expr)}
    return Block(
        tuple(hoist.reads), tuple(arguments), tuple(returns), draws.count, hoist.count, elementwise, prepare, run
    )


def _propagation(statement: Propagate, hoist: _Hoist, final: Callable[[Expr], Expr], draws: Draws) -> str:
    """The line of an exact step; the propagator is computed once if its matrix is constant."""
    matrix = tuple(tuple(hoist.inline(entry) for entry in row) for row in statement.matrix)
    entries = [entry for row in matrix for entry in row]
    constant = all(map(hoist.constant_tree, entries))
    rows = ", ".join(
        f"({', '.join(print_expression(e if constant else final(e), draws) for e in row)},)" for row in matrix
    )
    if constant:
        parts = hoist.raw(f"propagator(({rows},), dt)", set().union(*map(names, entries)) | {"dt"})
    else:
        final(Name("dt"))
        parts = f"propagator(({rows},), dt)"
    variables = "".join(f"{v}, " for v in statement.variables)
    forcing = "".join(f"{print_expression(final(b), draws)}, " for b in statement.forcing)
    return f"({', '.join(statement.targets)},) = propagate({parts}, ({variables}), ({forcing}))"


def _substeps(statement: Adapt, slopes: list[Expr], function: str, adapt: str, draws: Draws) -> list[str]:
    """The lines of adaptive steps: the right sides as a function, and its integration."""
    variables = "".join(f"{v}, " for v in statement.variables)
    return [
        f"def {function}({Adapt.TIME}, {variables}):",
        f"    return ({''.join(f'{print_expression(slope, draws)}, ' for slope in slopes)})",
        f"({', '.join(statement.targets)},) = {adapt}({function}, ({variables}), t, dt)",
    ]


def _targets(statement: Statement) -> tuple[str, ...]:
    match statement:
        case Assign(target=target):
            return (target,)
        case Propagate(targets=targets) | Adapt(targets=targets):
            return targets
    return ()


class _Hoist:
    """Collects what is constant during the run, each distinct expression once."""

    def __init__(self, constant: Callable[[str], bool], reciprocals: bool = False) -> None:
        self.constant = constant
        self.reciprocals = reciprocals
        self.lines: list[str] = []
        self.found: dict[Expr, str] = {}
        self.aliases: dict[str, Expr] = {}
        self.read: dict[str, None] = {}
        self.count = 0

    @property
    def reads(self) -> list[str]:
        return list(self.read)

    def constant_tree(self, expr: Expr) -> bool:
        stateful = any(FUNCTIONS[c].stateful for c in calls(expr) if c in FUNCTIONS)
        asked = any(not i.stateless for i in implementations([expr]).values())
        return not stateful and not asked and all(self.constant(n) for n in names(expr))

    def divides(self, expr: Binary) -> bool:
        """Whether this divides what changes by what does not."""
        return self.constant_tree(expr.right) and not self.constant_tree(expr.left)

    def movable(self, expr: Expr) -> bool:
        return self.constant_tree(self.inline(expr))

    def inline(self, expr: Expr) -> Expr:
        return substitute(expr, self.aliases)

    def alias(self, target: str, expr: Expr) -> None:
        self.aliases[target] = self.inline(expr)

    def raw(self, text: str, reads: set[str]) -> str:
        self.read.update(dict.fromkeys(sorted(reads)))
        name = f"_c{self.count}"
        self.count += 1
        self.lines.append(f"{name} = {text}")
        return name

    def __call__(self, expr: Expr) -> Expr:
        return self._take(self.inline(expr), self.reciprocals)

    def _take(self, expr: Expr, reciprocals: bool) -> Expr:
        if isinstance(expr, Number | Name):
            return expr
        # Numbers alone are left to the step, functions of them are not (where anything is constant): a kernel cannot
        # compute those.
        if (names(expr) or (any(calls(expr)) and self.constant("dt"))) and self.constant_tree(expr):
            if expr not in self.found:
                self.found[expr] = self.raw(print_expression(expr), names(expr))
            return Name(self.found[expr])
        if isinstance(expr, Call) and not expr.args:
            return expr
        if isinstance(expr, Compare) or (isinstance(expr, Call) and expr.function in STEPS):
            reciprocals = False  # where rounding would decide
        if reciprocals and isinstance(expr, Binary) and expr.op == "/" and self.divides(expr):
            expr = Binary("*", expr.left, Binary("/", Number(1.0), expr.right))
        return rebuild(expr, tuple(self._take(child, reciprocals) for child in children(expr)))
