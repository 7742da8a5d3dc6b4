"""What a group does between spikes: its refractory state and the statements of its integration scheme."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from jaxsnn.equations.dimensions import Symbol, infer, require
from jaxsnn.equations.expressions import (
    Binary,
    Call,
    Compare,
    Expr,
    Logical,
    Name,
    Number,
    Unary,
    names,
    parse,
    substitute,
)
from jaxsnn.equations.names import Binder, Constant
from jaxsnn.equations.statements import Adapt, Assign, Propagate, Statement
from jaxsnn.equations.system import NOISE_DIM, is_noise
from jaxsnn.errors import ArgumentError, Source
from jaxsnn.integrators import OdeSystem, integrate
from jaxsnn.objects.base import Parts
from jaxsnn.program import Update, Window
from jaxsnn.units import second, strip

__all__ = [
    "check_refractory",
    "expanded",
    "integration_statements",
    "ode_system",
    "refractory_statements",
    "stored_updates",
]


def refractory_statements(group: Any, binder: Binder) -> list[Statement]:
    """``not_refractory`` from the steps since the last spike, or from a condition that ends it."""
    if not group._has_refractory:
        return []
    given = group.refractory
    source = Source(str(given), f"{group.name}: refractory")
    if isinstance(given, str):
        expr = binder.bind(substitute(parse(given, source), group._code_substitutes()), source)
        scope = {
            **group._symbols(),
            **{n: Symbol(c.type, c.dim) for n, c in binder.constants.items()},
        }
        from_condition = infer(expr, scope, source, binder.functions).type == "boolean"
        if from_condition:
            free = Unary("not", binder.expand(expr))
            return [Assign("not_refractory", "=", Logical("or", (Name("not_refractory"), free)))]
        require(
            expr,
            Symbol("float", second.dim),
            scope,
            source,
            "a refractory period",
            binder.functions,
        )
        expr = binder.expand(expr)
    else:
        check_refractory(group)
        binder.constants["refractory"] = Constant(float(strip(given, second.dim, "refractory")), second.dim)
        expr = Name("refractory")
    since = Binary("-", Name("t_in_timesteps"), Name("_lastspike"))
    enough = Compare(">=", since, Call("timestep", (expr, Name("dt"))))
    return [Assign("not_refractory", "=", enough)]


def check_refractory(group: Any) -> None:
    """Refuse a refractory period that is neither text nor one time."""
    given = group.refractory
    if isinstance(given, str):
        parse(given, Source(given, f"{group.name}: refractory"))
    elif group._has_refractory:
        if given is True:
            raise ArgumentError(f"{group.name}: refractory=True has no end; give a time (5*ms) or a condition in text")
        value = strip(given, second.dim, f"{group.name}: refractory")
        if np.ndim(value):
            raise ArgumentError(
                f"{group.name}: refractory is one time for all neurons; for one each, add 'tref : second' to the"
                f" equations, assign it, and write refractory='tref'"
            )
        if not 0 <= float(value) < np.inf:
            raise ArgumentError(f"{group.name}: a refractory period is a finite time of at least 0; got {given}")


def integration_statements(group: Any, binder: Binder, parts: Parts) -> list[Statement]:
    """The scheme's statements, with the frozen variables of refractory neurons taken into account."""
    if not group.equations.differential:
        if group.method is not None:
            raise ArgumentError(f"{group.name}: method={group.method!r}, but there is nothing to integrate")
        return []
    system = ode_system(group, binder)
    options = getattr(group, "method_options", None)
    result = integrate(system, group.method, options)
    parts.notes.append(f"{group.name}: {result.reason}")
    parts.methods[group.name] = result.method
    rhs = system.rhs
    guarded = set(group._guards())
    dependents = _dependents(rhs, guarded)
    if not dependents:
        return expanded(result.statements, binder)
    # The frozen system may be simpler (linear where the free one is not): it keeps the free one's scheme.
    automatic = group.method is None or (isinstance(group.method, list | tuple))
    method = result.method if automatic else group.method
    options = None if automatic else options
    frozen = {n: Number(0) if n in guarded else e for n, e in rhs.items()}
    blended = _blend(
        result.statements,
        integrate(OdeSystem(frozen, system.scope, system.source, binder.varying), method, options).statements,
        tuple(rhs),
        guarded,
        dependents,
    )
    return expanded(blended, binder)


def stored_updates(group: Any, binder: Binder, every: int) -> Iterator[Update]:
    """The operations of sub-expressions that are ``constant over dt``: those with one value for all come first."""
    for shared, what in ((True, "shared_subexpression"), (False, "subexpression")):
        statements = [
            Assign(
                name, "=", group._bound(eq.expr, group.equations.source, binder, Symbol(eq.type, eq.dim), f"{name!r}")
            )
            for name, eq in group.equations.subexpressions.items()
            if "constant over dt" in eq.flags and ("shared" in eq.flags) == shared
        ]
        if statements:
            yield Update(
                name=f"{group.order_name}_{what}_update",
                slot="before_start",
                order=group.order,
                every=every,
                domain=Window(group.name, 0, 1) if shared else group._window,
                code=group._code(statements, binder, {}),
            )


def ode_system(group: Any, binder: Binder) -> OdeSystem:
    """The differential equations of a group, with their dimensions checked and their names given meaning."""
    source = group.equations.source
    scope: dict[str, Symbol] = dict(group._symbols())
    rhs: dict[str, Expr] = {}
    for expr in group.equations.inlined().values():
        scope |= {n: Symbol("float", NOISE_DIM) for n in names(expr) if is_noise(n)}
    noise = _Known(scope)
    binder.known = noise
    for eq in group.equations.subexpressions.values():  # each on its own, for messages about its line
        assert eq.expr is not None
        bound = binder.bind(eq.expr, source)
        all_names = {**scope, **{n: Symbol(c.type, c.dim) for n, c in binder.constants.items()}}
        require(bound, Symbol(eq.type, eq.dim), all_names, source, f"{eq.name!r}", binder.functions)
    for name, eq in group.equations.differential.items():
        assert eq.expr is not None
        bound = binder.bind(eq.expr, source)
        all_names = {**scope, **{n: Symbol(c.type, c.dim) for n, c in binder.constants.items()}}
        require(
            bound,
            Symbol("float", eq.dim / second.dim),
            all_names,
            source,
            f"d{name}/dt",
            binder.functions,
        )
    known = group._code_substitutes() if group._has_refractory or group._links else {}
    substitutes = {name: known[name] for name in ("lastspike", *group._links) if name in known}
    for name, expr in group.equations.inlined().items():
        rhs[name] = binder.bind(substitute(expr, substitutes), source)
    all_names = {**scope, **{n: Symbol(c.type, c.dim) for n, c in binder.constants.items()}}
    # Calls of timed arrays are expanded after integration: a scheme may evaluate them at other times than t.
    return OdeSystem(rhs, all_names, source, binder.varying)


def expanded(statements: Iterable[Statement], binder: Binder) -> list[Statement]:
    """Statements with the calls of timed arrays written in functions of the language."""
    expand = binder.expand
    result: list[Statement] = []
    for statement in statements:
        if isinstance(statement, Assign):
            result.append(Assign(statement.target, statement.op, expand(statement.expr), statement.span))
        elif isinstance(statement, Propagate):
            matrix = tuple(tuple(map(expand, row)) for row in statement.matrix)
            forcing = tuple(map(expand, statement.forcing))
            result.append(Propagate(statement.targets, statement.variables, matrix, forcing))
        elif isinstance(statement, Adapt):
            result.append(replace(statement, rhs=tuple(map(expand, statement.rhs))))
    return result


class _Known:
    """A container of names that also iterates, for suggestions."""

    def __init__(self, scope: Mapping[str, Symbol]) -> None:
        self.scope = scope

    def __contains__(self, name: object) -> bool:
        return name in self.scope

    def __iter__(self) -> Any:
        return iter(self.scope)


def _dependents(rhs: Mapping[str, Expr], guarded: set[str]) -> set[str]:
    """Unguarded variables whose equations read, directly or not, a guarded variable."""
    reached = set(guarded)
    while True:
        more = {n for n, e in rhs.items() if n not in reached and names(e) & reached}
        if not more:
            return reached - guarded
        reached |= more


def _blend(
    free: Iterable[Statement],
    frozen: Iterable[Statement],
    variables: tuple[str, ...],
    guarded: set[str],
    dependents: set[str],
) -> list[Statement]:
    """Variables that read a guarded one follow the frozen system while the neuron is refractory."""

    def renamed(statements: Iterable[Statement], rename: Callable[[str], str]) -> list[Statement]:
        result: list[Statement] = []
        local: dict[str, Expr] = {}
        for statement in statements:
            result.append(_rename(statement, local, rename))
        return result

    first = renamed(free, lambda n: f"_new_{n}" if n in variables else n)
    second_ = renamed(
        frozen,
        lambda n: f"_frozen_{n}" if n in variables else n if n.startswith("_dW") else f"_frozen{n}",
    )
    drawn = {s.target for s in first if isinstance(s, Assign) and s.target.startswith("_dW")}
    second_ = [s for s in second_ if not (isinstance(s, Assign) and s.target in drawn)]
    final: list[Statement] = []
    for name in variables:
        value: Expr = Name(f"_new_{name}")
        if name in dependents:
            value = Call("where", (Name("not_refractory"), value, Name(f"_frozen_{name}")))
        final.append(Assign(name, "=", value))
    return [*first, *second_, *final]


def _rename(statement: Statement, local: dict[str, Expr], rename: Callable[[str], str]) -> Statement:
    """The statement with its targets renamed; later statements read the new names of locals only."""
    from_value = getattr(statement, "value", None)
    if isinstance(statement, Assign):
        assert from_value is not None
        target = rename(statement.target)
        new = Assign(target, "=", substitute(from_value, local))
        if statement.target.startswith("_"):
            local[statement.target] = Name(target)
        return new
    if isinstance(statement, Propagate):
        matrix = tuple(tuple(substitute(e, local) for e in row) for row in statement.matrix)
        forcing = tuple(substitute(e, local) for e in statement.forcing)
        targets = tuple(rename(t) for t in statement.targets)
        local.update({t: Name(r) for t, r in zip(statement.targets, targets, strict=True) if t.startswith("_")})
        return Propagate(targets, statement.variables, matrix, forcing)
    if isinstance(statement, Adapt):
        targets = tuple(rename(t) for t in statement.targets)
        local.update({t: Name(r) for t, r in zip(statement.targets, targets, strict=True)})
        return replace(statement, targets=targets, rhs=tuple(substitute(e, local) for e in statement.rhs))
    raise TypeError(f"not a statement: {statement!r}")
