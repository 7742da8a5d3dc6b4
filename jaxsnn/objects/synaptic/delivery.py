"""From the text of a pathway (on_pre, on_post) to a `Deliver` operation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jaxsnn.equations.expressions import Compare, Number, names
from jaxsnn.equations.statements import Assign, parse_block
from jaxsnn.errors import NetworkError, Source, did_you_mean
from jaxsnn.objects.base import Connections, Parts
from jaxsnn.objects.blocks import bind_block
from jaxsnn.objects.groups import Group
from jaxsnn.objects.synaptic.equations import code_for_all, event_driven_statements
from jaxsnn.program import Code, Deliver, Ref, Threshold

if TYPE_CHECKING:
    from jaxsnn.objects.schedule.runners import CodeRunner, Times
    from jaxsnn.objects.synapses import Synapses
    from jaxsnn.objects.synaptic.pathway import Pathway

__all__ = ["lower_pathway", "lower_regular_delivery", "regular_code"]

EARLIER = 10**6
"""By how much of the order within a slot an event that depends on nothing comes before what it triggers."""


def lower_pathway(pathway: Pathway, parts: Parts, namespace: Mapping[str, Any]) -> None:
    """Add a pathway of `Synapses` to a program: its code, its connections and delays."""
    synapses = pathway.synapses
    owner, key = synapses.name, pathway.key
    _check_event(synapses, pathway)
    pathway.check()
    binder = pathway._binder(namespace, parts.dt)
    source = Source(pathway.code, f"{owner}: on_{pathway.trigger}" + ("" if key == pathway.trigger else f" ({key})"))
    statements = parse_block(pathway.code, source)
    head, tail = event_driven_statements(synapses, binder)
    block = bind_block(
        statements,
        source,
        pathway._symbols(),
        _protected(synapses),
        binder,
        synapses._code_substitutes(),
    )
    scope = _scope_of_ends(synapses, synapses._scope(binder.constants) | {"delay": pathway.delay_ref()})
    block = (*head, *block, *tail)
    read = set().union(*(names(s.value) for s in block if isinstance(s, Assign)), ())
    if "delay" in read or pathway.max_delay is not None:
        pathway.provide_delay(parts)
    synapses._provide(parts, [scope[name] for name in sorted(read & set(scope))], ends=False)
    parts.add_constants(owner, binder.constants)
    ends = (synapses._i, synapses._j) if pathway.trigger == "pre" else (synapses._j, synapses._i)
    parts.connections[f"{owner}.{key}"] = Connections(*ends, pathway.delays())
    parts.operations.append(
        Deliver(
            name=pathway.order_name,
            slot="synapses",
            order=pathway.order,
            synapses=owner,
            pathway=f"{owner}.{key}",
            trigger=pathway.trigger,
            event=pathway.event,
            source=pathway.source._window,
            target=pathway.target._window,
            code=Code(block, scope, _guards(synapses), source),
            delay=None if pathway.max_delay is None else pathway.delay_ref(),
            max_delay=pathway.max_delay or 0.0,
        )
    )


def regular_code(
    synapses: Synapses,
    statements: tuple[Assign, ...],
    source: Source,
    parts: Parts,
    namespace: Mapping[str, Any],
    dt: float,
) -> Code:
    """Statements that run for all synapses, at times of their own (``run_regularly``)."""
    reasons = dict(_protected(synapses))
    for name, eq in synapses.model.own.items():
        if "shared" in eq.flags and eq.kind != "subexpression" and "constant" not in eq.flags:
            del reasons[name]
    binder = synapses._binder(namespace, dt)
    block = bind_block(statements, source, synapses._symbols(), reasons, binder, synapses._code_substitutes())
    return replace(code_for_all(synapses, block, binder, parts), source=source)


def lower_regular_delivery(
    synapses: Synapses, runner: CodeRunner, parts: Parts, namespace: Mapping[str, Any], times: Times
) -> None:
    """Code at times of its own that changes neurons: a delivery at all synapses, on an event that all sources have."""
    owner, source = synapses.name, runner.source
    binder = synapses._binder(namespace, parts.dt)
    statements = parse_block(runner.code, source)
    symbols = synapses._symbols()
    block = bind_block(statements, source, symbols, _protected(synapses), binder, synapses._code_substitutes())
    scope = _scope_of_ends(synapses, synapses._scope(binder.constants))
    read = set().union(*(names(statement.value) for statement in block), ())
    synapses._provide(parts, [scope[name] for name in sorted(read & set(scope))], ends=False)
    parts.add_constants(owner, binder.constants)
    parts.connections[f"{owner}.{runner.suffix}"] = Connections(synapses._i, synapses._j, 0.0)
    window, event = synapses.source._window, runner.order_name
    parts.events[(window.owner, event)] = len(synapses.source._parent)
    if times.listed:
        parts.indices[f"{event}_event.steps"] = parts.indices.pop(f"{event}.steps")
    parts.operations += [
        Threshold(
            name=f"{event}_event",
            slot=runner.when,
            order=runner.order - EARLIER,
            every=times.every,
            listed=times.listed,
            domain=synapses.source._parent._window,
            event=event,
            condition=Compare("==", Number(0), Number(0)),
            code=Code((), {}, {}, source),
        ),
        Deliver(
            name=event,
            slot=runner.when,
            order=runner.order,
            synapses=owner,
            pathway=f"{owner}.{runner.suffix}",
            trigger="pre",
            event=event,
            source=window,
            target=synapses.target._window,
            code=Code(block, scope, _guards(synapses), source),
        ),
    ]


def _scope_of_ends(synapses: Synapses, scope: dict[str, Ref]) -> dict[str, Ref]:
    """A pathway finds the ends of a synapse in its connections."""
    for name, ref in scope.items():
        if ref.owner == synapses.name and ref.name in ("i", "j") and ref.via == "self":
            scope[name] = Ref(ref.owner, ref.name, "integer", via="pre_index" if ref.name == "i" else "post_index")
    return scope


def _check_event(synapses: Synapses, pathway: Pathway) -> None:
    group, event = pathway.source, pathway.event
    if event in group._events():
        return
    on = f"on_{pathway.trigger}"
    if not isinstance(group, Group):
        raise NetworkError(f"{synapses.name}: {group.name} are synapses, which never fire, so {on} never acts")
    if event == "spike":
        raise NetworkError(
            f"{synapses.name}: {group.name} has no threshold, so it never fires and {on} never acts; give it"
            f" threshold='...'"
        )
    raise NetworkError(
        f"{synapses.name}: {group.name} has no event {event!r} for {on}; it has"
        f" {', '.join(group._events()) or 'none'}.{did_you_mean(event, group._events())} Events are named where the"
        f" group is made: events={{{event!r}: 'v < -70*mV'}}"
    )


def _protected(synapses: Synapses) -> Mapping[str, str]:
    reasons = dict.fromkeys((*synapses._given(), "delay"), "is given by the simulator")
    for name, eq in synapses.model.own.items():
        if eq.kind == "subexpression":
            reasons[name] = "is computed by its sub-expression"
        elif "linked" in eq.flags:
            reasons[name] = "is linked to a variable of a group"
        elif "constant" in eq.flags:
            reasons[name] = "is marked constant"
        elif "shared" in eq.flags:
            reasons[name] = "is shared by all synapses"
    for suffix, group in (("_pre", synapses.source), ("_post", synapses.target), ("", synapses.target)):
        for name, reason in getattr(group._parent, "_writable", dict)().items():
            full = f"{name}{suffix}"
            if synapses._end(full) is not None:
                reasons.setdefault(full, reason)
    for name in synapses.model.summed:
        group, own, side = synapses._end(name)  # type: ignore[misc]
        reasons[name] = "is a sum over synapses"
        if side == "post" and synapses._end(own) is not None:
            reasons[own] = reasons[name]
    return reasons


def _guards(synapses: Synapses) -> dict[str, str]:
    guards: dict[str, str] = {}
    for suffix, group in (("_pre", synapses.source), ("_post", synapses.target)):
        inner: dict[str, str] = getattr(group._parent, "_guards", dict)()
        for name in inner:
            guards[f"{name}{suffix}"] = f"not_refractory{suffix}"
            if suffix == "_post" and synapses._end(name) is not None:
                guards[name] = "not_refractory_post"
    return guards
