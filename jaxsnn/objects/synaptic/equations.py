"""From the equations of synapses to statements and operations: at spikes, in every step, and as sums over synapses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jaxsnn.equations.dimensions import Symbol, require
from jaxsnn.equations.expressions import Binary, Expr, Name, names, substitute
from jaxsnn.equations.names import Binder
from jaxsnn.equations.statements import Adapt, Assign, Propagate, Statement
from jaxsnn.equations.system import Equation, Equations
from jaxsnn.errors import ArgumentError, NotSupportedError, Source
from jaxsnn.integrators import INTEGRATORS
from jaxsnn.integrators.contract import Refusal
from jaxsnn.objects.base import Parts, steps_of
from jaxsnn.objects.integration import expanded, integration_statements, ode_system
from jaxsnn.objects.synaptic.delayed import NAME, Delayed, past_refs
from jaxsnn.program import Code, Key, Summed, Update, Window
from jaxsnn.units import second

if TYPE_CHECKING:
    from jaxsnn.objects.synapses import Synapses

__all__ = ["check_summed", "code_for_all", "event_driven_statements", "lower_equations"]

_ELAPSED = "_elapsed"
_STEP = "_step"


@dataclass(frozen=True)
class _System:
    """Some equations of synapses, as the integration of a group sees them."""

    name: str
    equations: Equations
    method: Any
    symbols: Mapping[str, Symbol]
    method_options: Mapping[str, Any] | None = None
    _has_refractory: bool = False
    _links: tuple[str, ...] = ()

    def _symbols(self) -> Mapping[str, Symbol]:
        return self.symbols

    def _guards(self) -> Mapping[str, str]:
        return {}


def _system(
    synapses: Synapses, differential: Mapping[str, Equation], method: Any, rename: Mapping[str, Expr]
) -> _System:
    """Differential equations with all sub-expressions put in, those of the neurons too."""
    values = synapses._code_substitutes()
    equations = [
        replace(eq, expr=substitute(substitute(eq.expr, values), rename))  # type: ignore[arg-type]
        for eq in differential.values()
    ]
    source = synapses.model.own.source
    symbols = {**synapses._symbols(), _STEP: Symbol("float", second.dim)}
    options = synapses.method_options if method is synapses.method else None
    return _System(synapses.name, Equations._of(equations, source), method, symbols, options)


# ---- at spikes ----------------------------------------------------------------------------------------------


def event_driven_statements(synapses: Synapses, binder: Binder) -> tuple[list[Assign], list[Assign]]:
    """What a pathway does before and after its code: solve the equations from the last spike to this one.

    The exact solution of a step of length dt is that of any length: dt becomes the time since the last update.

    Raises:
        EquationError: for equations without an exact solution.
    """
    model = synapses.model
    if not model.event_driven:
        return [], []
    known = binder.known
    system = ode_system(_system(synapses, model.event_driven, "exact", {"dt": Name(_STEP)}), binder)
    exact = INTEGRATORS["exact"]
    refusal = exact.refuses(system)
    if refusal is not None:
        refusal = Refusal(refusal) if isinstance(refusal, str) else refusal
        raise model.own.source.error(
            f"an event-driven equation is solved exactly from one spike to the next, but {refusal}; mark it as"
            f" (clock-driven)",
            refusal.span,
        )
    statements = expanded(exact.statements(system), binder)
    binder.known = known
    elapsed = Binary("*", Binary("-", Name("t_in_timesteps"), Name("_lastupdate")), Name("dt"))
    rename: dict[str, Expr] = {"dt": Name(_ELAPSED), _STEP: Name("dt")}
    head = [Assign(_ELAPSED, "=", elapsed)]
    for statement in statements:
        if not isinstance(statement, Assign):
            circle = ", ".join(model.event_driven)
            raise model.own.source.error(
                f"the event-driven equations of {circle} depend on one another in a circle, which this version solves"
                f" in every step only; mark them as (clock-driven)",
                next(iter(model.event_driven.values())).span,
                NotSupportedError,
            )
        head.append(replace(statement, expr=substitute(statement.expr, rename)))
    return head, [Assign("_lastupdate", "=", Name("t_in_timesteps"))]


# ---- in every step ------------------------------------------------------------------------------------------


def lower_equations(synapses: Synapses, parts: Parts, namespace: Mapping[str, Any]) -> None:
    """The operations of clock-driven equations, ``constant over dt`` sub-expressions and sums."""
    model, owner = synapses.model, synapses.name
    every = 1 if synapses._dt is None else steps_of(synapses._dt, parts.dt, f"{owner}: dt")
    binder = _binder(synapses, namespace, parts, every)
    for what, window in (("shared_", Window(owner, 0, 1)), ("", synapses._window)):
        kept = [
            Assign(name, "=", _bound(synapses, eq, f"{name!r}", binder))
            for name, eq in model.own.subexpressions.items()
            if "constant over dt" in eq.flags and ("shared" in eq.flags) == bool(what)
        ]
        if kept:
            _update(synapses, parts, kept, binder, f"{what}subexpression_update", "before_start", every, window)
    if model.clock_driven:
        binder = _binder(synapses, namespace, parts, every)
        system = _system(synapses, model.clock_driven, synapses.method, {})
        statements = integration_statements(system, binder, parts)
        _update(synapses, parts, statements, binder, "stateupdater", "groups", every)
        if model.unmarked:
            parts.notes.append(
                f"{owner}: {', '.join(model.unmarked)} carry neither (clock-driven) nor (event-driven) and are"
                f" integrated in every step; where a value is needed at spikes only, (event-driven) is faster"
            )
    elif synapses.method is not None:
        raise ArgumentError(f"{owner}: method={synapses.method!r}, but no equation is integrated in every step")
    if model.event_driven:
        parts.notes.append(f"{owner}: exact from spike to spike for {', '.join(model.event_driven)} (event-driven)")
    for name, eq in model.summed.items():
        _lower_sum(synapses, name, eq, parts, namespace)


def _binder(synapses: Synapses, namespace: Mapping[str, Any], parts: Parts, every: int) -> Binder:
    """What names mean in what is computed in every step; there the past can be read."""
    binder = synapses._binder(namespace, parts.dt * every)
    binder.namespace = {**binder.namespace, NAME: Delayed(synapses, parts, binder)}
    return binder


def _update(
    synapses: Synapses,
    parts: Parts,
    statements: Iterable[Statement],
    binder: Binder,
    what: str,
    slot: str,
    every: int,
    window: Window | None = None,
) -> None:
    code = code_for_all(synapses, statements, binder, parts)
    parts.operations.append(
        Update(
            name=f"{synapses.order_name}_{what}",
            slot=slot,
            order=synapses.order,
            every=every,
            domain=window or synapses._window,
            code=code,
        )
    )


def code_for_all(synapses: Synapses, statements: Iterable[Statement], binder: Binder, parts: Parts) -> Code:
    """Statements that run for all synapses, with what they read made known to the program."""
    scope = synapses._scope(binder.constants) | past_refs(synapses)
    statements = tuple(statements)
    read = set().union(*map(_reads, statements), ())
    synapses._provide(parts, [scope[name] for name in sorted(read & set(scope))])
    parts.add_constants(synapses.name, binder.constants)
    return Code(statements, scope, {}, synapses.model.own.source)


def _reads(statement: Statement) -> set[str]:
    match statement:
        case Assign():
            return names(statement.value)
        case Propagate(variables=variables, matrix=matrix, forcing=forcing):
            return set(variables).union(*(names(e) for row in (*matrix, forcing) for e in row))
        case Adapt(variables=variables, rhs=rhs):
            return set(variables).union(*map(names, rhs))
    return set()


def _bound(synapses: Synapses, eq: Equation, what: str, binder: Binder) -> Expr:
    source = synapses.model.own.source
    assert eq.expr is not None
    bound = binder.bind(substitute(eq.expr, synapses._code_substitutes()), source)
    scope = {**synapses._symbols(), **{n: Symbol(c.type, c.dim) for n, c in binder.constants.items()}}
    require(bound, Symbol(eq.type, eq.dim), scope, source, what, binder.functions)
    return binder.expand(bound)


# ---- sums over synapses -------------------------------------------------------------------------------------


def check_summed(synapses: Synapses) -> None:
    """Refuse sums into what is no parameter of the neurons.

    Raises:
        EquationError: with the line, for a variable that does not exist, has another unit, or follows something else.
    """
    source: Source = synapses.model.own.source
    for name, eq in synapses.model.summed.items():
        end = synapses._end(name)
        own = name.rpartition("_")[0]
        group = synapses.source if name.endswith("_pre") else synapses.target
        theirs: Equation | None = getattr(group._parent, "equations", {}).get(own)
        if end is None or theirs is None or theirs.kind != "parameter":
            raise source.error(
                f"{name!r} is summed into {own!r} of {group._parent.name}, which needs the line '{own} :"
                f" {eq.unit_text or 1}' for it in its equations",
                eq.span,
            )
        wrong = theirs.flags & {"constant", "shared"}
        if wrong or theirs.type != "float":
            raise source.error(
                f"{name!r} cannot be a sum: {own!r} of {group._parent.name} is {' and '.join(wrong) or theirs.type}",
                eq.span,
            )
        if theirs.dim != eq.dim:
            raise source.error(
                f"{name!r} has the unit {eq.unit_text}, but {own!r} of {group._parent.name} has {theirs.unit_text}",
                eq.span,
            )


def _lower_sum(synapses: Synapses, name: str, eq: Equation, parts: Parts, namespace: Mapping[str, Any]) -> None:
    group, _, _ = synapses._end(name)  # type: ignore[misc]
    own_dt = getattr(group._parent, "_dt", None)
    every = 1 if own_dt is None else steps_of(own_dt, parts.dt, f"{group.name}: dt")
    binder = _binder(synapses, namespace, parts, every)
    expr = _bound(synapses, eq, f"the sum {name!r}", binder)
    code = code_for_all(synapses, [Assign(name, "=", expr, eq.span)], binder, parts)
    synapses._provide(parts, [code.scope[name]])
    new = Summed(
        name=f"{synapses.order_name}_summed_variable_{name}",
        slot="groups",
        # As in Brian, whose subgroups come one after their group.
        order=group._parent.order - (group is group._parent),
        every=every,
        domain=synapses._window,
        target=group._window,
        code=code,
    )
    others = [op for op in parts.operations if isinstance(op, Summed) and _target(op) == _target(new)]
    if any(op.target.start < new.target.stop and new.target.start < op.target.stop for op in others):
        parts.operations[:] = [op for op in parts.operations if op not in others]
        parts.operations.extend(_together([*others, new]))
    else:
        parts.operations.append(new)


def _target(operation: Summed) -> Key:
    return operation.code.scope[operation.code.written[0]].key


def _together(sums: list[Summed]) -> list[Summed]:
    """Sums into one variable: one after the other, none of them after what a group does with the result."""
    order = min(op.order for op in sums)
    first, *others = sorted((replace(op, order=order) for op in sums), key=lambda op: (op.order, op.name))
    windows = tuple(dict.fromkeys(op.target for op in sums))
    return [replace(first, clears=windows), *(replace(op, clears=()) for op in others)]
