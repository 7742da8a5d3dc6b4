"""Expressions of connect rules, computed for pairs of neurons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxsnn.codegen.host import evaluate
from jaxsnn.equations.dimensions import Symbol, describe, infer
from jaxsnn.equations.expressions import Call, Expr, Name, names, walk
from jaxsnn.errors import ConnectError, DimensionError, Source
from jaxsnn.objects.base import generator_for
from jaxsnn.units import DIMENSIONLESS

__all__ = ["SynapseSides"]


class SynapseSides:
    """What connect rules may read of two groups (the `Sides` of `jaxsnn.objects.connect.pairs`)."""

    def __init__(self, synapses: Any, source: Source, namespace: Mapping[str, Any] | None) -> None:
        self.synapses = synapses
        self.source = source
        self.n_pre, self.n_post = len(synapses.source), len(synapses.target)
        symbols = {
            name: symbol
            for name, symbol in synapses._symbols().items()
            if name not in synapses._hosts and name not in synapses.equations
        }
        self.symbols = symbols
        self.binder = synapses._binder(namespace)
        self.binder.known = set(self.symbols)

    def evaluate(self, expr: Expr, i: Any, j: Any, /, **extra: Any) -> Any:
        from_names: dict[str, Any] = {}
        for node in walk(expr):
            if isinstance(node, Name) and (node.id in self.synapses.equations or node.id == "delay"):
                raise self.source.error(
                    f"{node.id!r} is a variable of the synapses, which do not exist yet when connect decides; use i, j"
                    f" and variables of the neurons (x_pre, x_post)",
                    node.span,
                    ConnectError,
                )
        self.binder.known = {*self.symbols, *extra}
        bound = self.binder.bind(expr, self.source)
        constants = {n: Symbol(c.type, c.dim) for n, c in self.binder.constants.items()}
        scope = {**self.symbols, **{n: Symbol("integer") for n in extra}, **constants}
        found = infer(bound, scope, self.source, self.binder.functions)
        if found.dim != DIMENSIONLESS:
            raise self.source.error(
                f"a number without unit is needed here, but this expression is {describe(found.dim)}",
                getattr(expr, "span", None),
                DimensionError,
            )
        shape = np.broadcast_shapes(np.shape(i), np.shape(j), *(np.shape(v) for v in extra.values()))
        for name in names(bound):
            if name in extra:
                from_names[name] = extra[name]
            elif name in self.binder.constants:
                from_names[name] = self.binder.constants[name].value
            else:
                from_names[name] = self.synapses._read_at(name, np.asarray(i), np.asarray(j), None)
        generator = generator_for(self.synapses.order_name, "connect text")
        return evaluate(bound, from_names, generator, shape, self.binder.host_functions)

    def reads(self, expr: Expr) -> set[str]:
        found: set[str] = set()
        for node in walk(expr):
            if isinstance(node, Call) and (row := self.binder.row(node.function)) is not None and row.stateful:
                found |= {"i", "j"}
            if isinstance(node, Name):
                end = self.synapses._end(node.id)
                if node.id in ("i", "N_outgoing") or (end is not None and end[2] == "pre"):
                    found.add("i")
                if node.id in ("j", "N_incoming") or (end is not None and end[2] == "post"):
                    found.add("j")
        return found
