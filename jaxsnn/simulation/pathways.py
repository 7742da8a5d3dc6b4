"""Deliver spikes along a pathway: analysis of its code, the delay buffer, the execution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from jaxsnn.codegen.lower import lower
from jaxsnn.delays import source_ring, target_ring
from jaxsnn.equations.expressions import Binary, Call, Expr, Name, Unary, names, substitute, walk
from jaxsnn.equations.functions import FUNCTIONS
from jaxsnn.equations.statements import Assign
from jaxsnn.errors import NotSupportedError
from jaxsnn.events import EXECUTIONS, Operands, Output, choose
from jaxsnn.program import Code, Deliver, Ref
from jaxsnn.simulation.frame import Frame, Setting

__all__ = ["DeliverStep", "Increment", "increments", "reads_changing"]


@dataclass(frozen=True)
class Increment:
    """``variable += expr`` for each arriving spike; several to one variable are one, with their sum."""

    name: str
    ref: Ref
    expr: Expr


def increments(code: Code) -> tuple[Increment, ...]:
    """The code of a pathway as increments of variables of neurons.

    Raises `NotSupportedError` for code that does anything else, with the line.
    """
    local: dict[str, Expr] = {}
    found: dict[str, tuple[Ref, Expr]] = {}
    for statement in code.statements:
        assert isinstance(statement, Assign)
        ref = code.scope.get(statement.target)
        if ref is None:
            local[statement.target] = substitute(statement.value, local)
            continue

        def refuse(why: str, statement: Assign = statement) -> Exception:
            return code.source.error(
                f"{why}; this version carries out code that adds to a variable of a neuron, such as 'v_post += w'",
                statement.span,
                NotSupportedError,
            )

        if ref.via not in ("pre", "post"):
            raise refuse(f"{statement.target!r} belongs to the synapses" if ref.via == "self" else "it is shared")
        added = _added(statement)
        if added is None:
            raise refuse("this assigns a value, so the result would depend on the order of the spikes")
        added = substitute(added, local)
        changed = {key for key, _ in found.values()}
        if any(code.scope[n] in changed for n in names(added) if n in code.scope):
            raise refuse("this reads a variable that the block has changed before")
        if any(isinstance(n, Call) and n.function in FUNCTIONS and FUNCTIONS[n.function].stateful for n in walk(added)):
            raise refuse("this draws random numbers for every spike")
        key = f"{ref.owner}.{ref.name}.{ref.via}"
        if key in found:
            added = Binary("+", found[key][1], added)
        found[key] = (ref, added)
    return tuple(Increment(key, ref, expr) for key, (ref, expr) in found.items())


def _added(statement: Assign) -> Expr | None:
    """What a statement adds to its target, or None if it does something else (``v = v + w`` adds w)."""
    match statement:
        case Assign(op="+=", expr=expr):
            return expr
        case Assign(op="-=", expr=expr):
            return Unary("-", expr)
        case Assign(op="=", expr=Binary(op="+", left=Name(id=name), right=right)) if name == statement.target:
            return None if name in names(right) else right
        case Assign(op="=", expr=Binary(op="+", left=left, right=Name(id=name))) if name == statement.target:
            return None if name in names(left) else left
        case Assign(op="=", expr=Binary(op="-", left=Name(id=name), right=right)) if name == statement.target:
            return None if name in names(right) else Unary("-", right)
    return None


def reads_changing(code: Code, found: tuple[Increment, ...], setting: Setting) -> bool:
    """Whether what is added may change between a spike and its arrival."""
    constant = setting.constant_name(code.scope)
    return not all(constant(name) for increment in found for name in names(increment.expr))


class DeliverStep:
    """One pathway in a step: spikes into the delay buffer, those due through the execution to their targets.

    ``delay``: "none", "source_ring" or "target_ring", decided with the connectivity (see `jaxsnn.delays`).
    """

    def __init__(self, operation: Deliver, setting: Setting) -> None:
        self.operation = operation
        self.setting = setting
        code = operation.code
        self.increments = increments(code)
        self.constant = not reads_changing(code, self.increments, setting)
        self.reads = tuple(sorted(set().union(*(names(i.expr) for i in self.increments), set())))
        outputs = {f"_out{k}": increment.expr for k, increment in enumerate(self.increments)}
        self.block = lower(operation.name, (), tuple(outputs), lambda name: False, extra=outputs)
        self.outputs = tuple(Output("source" if i.ref.via == operation.trigger else "target") for i in self.increments)

    def contribution(self, values: dict[str, Any]) -> tuple[Any, ...]:
        dtype = self.setting.dtype
        results = self.block.run(*(values[name] for name in self.block.reads), None)
        return tuple(jnp.asarray(result, dtype) for result in results)

    def operands(self, frame: Frame) -> Operands:
        """The values the code reads, sorted by what they belong to."""
        op = self.operation
        roles: dict[str, dict[str, Any]] = {"synapse": {}, "source": {}, "target": {}, "shared": {}}
        for name in self.reads:
            if name == "dt":
                roles["shared"][name] = frame.clock("dt", op.every)
                continue
            ref = op.code.scope[name]
            if ref.via.endswith("_index"):
                source_side = ref.via.startswith(op.trigger)
                window = op.source if source_side else op.target
                size = window.size if source_side else self.target_size(frame)
                start = 0 if source_side else window.start
                roles["source" if source_side else "target"][name] = jnp.arange(size, dtype=jnp.int32) - start
            elif ref.via == op.trigger:
                roles["source"][name] = frame.read(ref, op.source, op.every)
            elif ref.via in ("pre", "post"):
                roles["target"][name] = frame.value(ref.key)
            elif ref.via == "self":
                roles["synapse"][name] = frame.value(ref.key)
            else:
                roles["shared"][name] = frame.read(ref, op.source, op.every)
        return Operands(**roles)

    def target_size(self, frame: Frame) -> int:
        return frame.tables.wirings[self.operation.pathway].n_target

    def prepare(self, frame: Frame) -> Any:
        if not self.increments:
            return None
        wiring = frame.tables.wirings[self.operation.pathway]
        operands = self.operands(frame) if self.constant else None
        return self.execution(frame).prepare(wiring, self.outputs, self.contribution, operands, self.setting.backend)

    def execution(self, frame: Frame) -> Any:
        wiring = frame.tables.wirings[self.operation.pathway]
        name = self.setting.execution
        if name is None or (name == "dense" and not self.constant):
            name = choose(wiring, self.constant, self.setting.backend, wiring.delay is not None).name
        return EXECUTIONS[name]

    def apply(self, frame: Frame, prepared: Any) -> None:
        op = self.operation
        wiring = frame.tables.wirings[op.pathway]
        spikes = frame.event(op.source.owner, op.event, op.source)
        rings = frame.rings.get(op.pathway, ())
        if rings and wiring.delay is None:
            delay = frame.tables.indices[f"{op.pathway}.delay"]
            spikes, ring = source_ring.exchange(rings[0], frame.step, spikes, delay)
            frame.rings[op.pathway] = (ring,)
            rings = ()
        if not self.increments:
            return
        current = [self._part(frame, k) for k in range(len(self.increments))]
        accumulators = rings if rings else tuple(current)
        operands = Operands() if self.constant else self.operands(frame)
        new = self.execution(frame).deliver(
            prepared, wiring, spikes, self.contribution, operands, accumulators, frame.step
        )
        if rings:
            taken = [target_ring.take(ring, frame.step) for ring in new]
            frame.rings[op.pathway] = tuple(ring for _, ring in taken)
            new = tuple(old + arrived for old, (arrived, _) in zip(current, taken, strict=True))
        for k, increment in enumerate(self.increments):
            self._store(frame, k, increment.ref, current[k], new[k])

    def _part(self, frame: Frame, k: int) -> Any:
        """The variable an output adds to: of the source window, or of all the target's neurons."""
        whole = frame.value(self.increments[k].ref.key)
        if self.outputs[k].side == "source":
            window = self.operation.source
            return whole if whole.shape[0] == window.size else whole[window.start : window.stop]
        return whole

    def _store(self, frame: Frame, k: int, ref: Ref, old: Any, new: Any) -> None:
        guard = self._guard(ref)
        window = self.operation.source
        if guard is not None:
            free = frame.value(guard.key)
            if free.shape[0] != new.shape[0]:
                free = free[window.start : window.stop]
            new = jnp.where(free, new, old)
        whole = frame.value(ref.key)
        if whole.shape[0] != new.shape[0]:
            new = whole.at[window.start : window.stop].set(new)
        frame.values[ref.key] = new

    def _guard(self, ref: Ref) -> Ref | None:
        code = self.operation.code
        for name, guard in code.guards.items():
            if code.scope.get(name) == ref:
                return code.scope[guard]
        return None
