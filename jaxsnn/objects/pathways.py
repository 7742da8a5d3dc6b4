"""From the text of a pathway (on_pre) to a `Deliver` operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxsnn.equations.expressions import Expr, Name, names, substitute
from jaxsnn.equations.statements import parse_block
from jaxsnn.errors import NetworkError, Source
from jaxsnn.objects.base import Connections, Parts
from jaxsnn.objects.blocks import bind_block
from jaxsnn.program import Code, Deliver, Ref, Variable
from jaxsnn.units import DIMENSIONLESS

__all__ = ["lower_pathway"]


def lower_pathway(synapses: Any, parts: Parts, namespace: Mapping[str, Any]) -> None:
    """Add the on_pre pathway of `Synapses` to a program: its code, its connections and delays."""
    owner = synapses.name
    if "spike" not in synapses.source._events():
        raise NetworkError(
            f"{owner}: {synapses.source.name} has no threshold, so it never fires and on_pre never acts; give it"
            f" threshold='...'"
        )
    binder = synapses._binder(namespace, parts.dt)
    source = Source(synapses.on_pre, f"{owner}: on_pre")
    substitutes = {**synapses._subexpressions(), **_end_substitutes(synapses)}
    symbols = synapses._symbols()
    block = bind_block(
        parse_block(synapses.on_pre, source),
        source,
        symbols,
        _protected(synapses),
        binder,
        substitutes,
    )
    scope = {name: synapses._ref(name) for name in symbols if name not in substitutes and name != "delay"}
    for name in _refractory_names(synapses):
        scope[name] = synapses._ref(name)
    for name, constant in binder.constants.items():
        scope[name] = Ref(owner, name, constant.type, constant.dim, "scalar")
    read = set().union(*(names(s.value) for s in block)) if block else set()
    for needed in sorted(read & set(scope)):
        ref = scope[needed]
        if ref.owner == owner and ref.name in ("N", "N_pre", "N_post"):
            value = {"N": len(synapses), "N_pre": len(synapses.source), "N_post": len(synapses.target)}[ref.name]
            parts.add(Variable(owner, ref.name, "integer", DIMENSIONLESS, 1, True, "constant"), value)
        if ref.owner == owner and ref.name in ("N_incoming", "N_outgoing"):
            value = synapses._read_at(ref.name, synapses._i, synapses._j, np.arange(len(synapses)))
            parts.add(
                Variable(owner, ref.name, "integer", DIMENSIONLESS, len(synapses), False, "constant"),
                value,
            )
    parts.add_constants(owner, binder.constants)
    parts.connections[f"{owner}.pre"] = Connections(synapses._i, synapses._j, synapses.delays())
    parts.operations.append(
        Deliver(
            name=f"{synapses.order_name}_pre",
            slot="synapses",
            order=synapses.order - 1,
            synapses=owner,
            pathway=f"{owner}.pre",
            trigger="pre",
            event="spike",
            source=synapses.source._window,
            target=synapses.target._window,
            code=Code(block, scope, _guards(synapses), source),
        )
    )


def _protected(synapses: Any) -> Mapping[str, str]:
    reasons = dict.fromkeys((*synapses._given, "delay"), "is given by the simulator")
    reasons |= dict.fromkeys(synapses.equations.subexpressions, "is computed by its sub-expression")
    for suffix, group in (("_pre", synapses.source), ("_post", synapses.target), ("", synapses.target)):
        for name, reason in getattr(group, "_writable", dict)().items():
            if f"{name}{suffix}" not in synapses._hosts:
                reasons.setdefault(f"{name}{suffix}", reason)
    return reasons


def _end_substitutes(synapses: Any) -> dict[str, Expr]:
    """Sub-expressions of the neurons at both ends, in terms of ``_pre`` and ``_post`` names."""
    found: dict[str, Expr] = {}
    for suffix, group in (("_pre", synapses.source), ("_post", synapses.target)):
        for name, expr in group._code_substitutes().items():
            inner = {n: f"{n}{suffix}" for n in names(expr) if n in group._symbols()}
            moved = substitute(expr, {n: Name(m) for n, m in inner.items()})
            found[f"{name}{suffix}"] = moved
            if suffix == "_post" and name not in synapses._hosts and name not in synapses.equations:
                found.setdefault(name, moved)
    return found


def _refractory_names(synapses: Any) -> list[str]:
    return [f"not_refractory_{s}" for s in ("pre", "post") if f"not_refractory_{s}" in synapses._symbols()]


def _guards(synapses: Any) -> dict[str, str]:
    guards: dict[str, str] = {}
    for suffix, group in (("_pre", synapses.source), ("_post", synapses.target)):
        inner: dict[str, str] = getattr(group._parent, "_guards", dict)()
        for name in inner:
            guards[f"{name}{suffix}"] = f"not_refractory{suffix}"
            if suffix == "_post" and name not in synapses._hosts:
                guards[name] = "not_refractory_post"
    return guards
