"""From the text of a pathway (on_pre, on_post) to a `Deliver` operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jaxsnn.equations.expressions import names
from jaxsnn.equations.statements import Assign, parse_block
from jaxsnn.errors import NetworkError, NotSupportedError, Source
from jaxsnn.objects.base import Connections, Parts
from jaxsnn.objects.blocks import bind_block
from jaxsnn.objects.groups import Group
from jaxsnn.objects.synaptic.equations import event_driven_statements
from jaxsnn.objects.synaptic.pathway import Pathway
from jaxsnn.program import Code, Deliver, Ref

if TYPE_CHECKING:
    from jaxsnn.objects.synapses import Synapses

__all__ = ["lower_pathway"]


def lower_pathway(synapses: Synapses, pathway: Pathway, parts: Parts, namespace: Mapping[str, Any]) -> None:
    """Add a pathway of `Synapses` to a program: its code, its connections and delays."""
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
    scope = synapses._scope(binder.constants) | {"delay": pathway.delay_ref()}
    # A pathway finds the ends of a synapse in its connections.
    for name, ref in scope.items():
        if ref.owner == owner and ref.name in ("i", "j") and ref.via == "self":
            scope[name] = Ref(owner, ref.name, "integer", via="pre_index" if ref.name == "i" else "post_index")
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
    raise NotSupportedError(
        f"{synapses.name}: {group.name} has no event {event!r} for {on}; this version knows the events"
        f" {', '.join(group._events()) or 'of groups with a threshold only'}"
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
