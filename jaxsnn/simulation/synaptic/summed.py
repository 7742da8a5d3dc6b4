"""Summed variables: for each neuron the sum of an expression over its synapses."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.codegen.lower import lower
from jaxsnn.equations.statements import Assign
from jaxsnn.events import fixed_point
from jaxsnn.program import Summed
from jaxsnn.simulation.frame import Frame, Setting, prepare_block, run_shaped

__all__ = ["SummedStep"]


class SummedStep:
    """The sum over synapses replaces the variable, or adds to other sums, in the elements of the target window."""

    def __init__(self, operation: Summed, setting: Setting) -> None:
        self.operation = operation
        self.deterministic = setting.execution == "deterministic"
        (statement,) = operation.code.statements
        assert isinstance(statement, Assign)
        self.ref = operation.code.scope[statement.target]
        self.block = lower(
            operation.name,
            (),
            ("_summed",),
            setting.constant_name(operation.code.scope),
            extra={"_summed": statement.expr},
            functions=GUARDED if setting.gradient else None,
        )

    def prepare(self, frame: Frame) -> Any:
        op = self.operation
        return prepare_block(self.block, op.code, op.domain, op.every, frame)

    def apply(self, frame: Frame, prepared: Any) -> None:
        op = self.operation
        (value,), pattern = run_shaped(self.block, op.code, op.domain, op.every, frame, prepared, op.name)
        old = frame.value(self.ref.key)
        total = self.by_index(frame, value, old) if pattern is None else pattern.total(value, self.ref.via, old.size)
        total = total.astype(old.dtype)
        for window in op.clears or ():
            frame.write(self.ref, window, jnp.zeros((), old.dtype))
        if op.clears is not None:
            total = frame.value(self.ref.key) + total
        frame.write(self.ref, op.target, total[op.target.start : op.target.stop])

    def by_index(self, frame: Frame, value: Any, old: Any) -> Any:
        """The sum for each neuron, of synapses that say one by one which neuron they lead to."""
        op = self.operation
        neuron = frame.end(op.domain.owner, self.ref.via)
        value = jnp.broadcast_to(value, (op.domain.size,)).astype(old.dtype)
        total = jnp.zeros_like(old)
        if not self.deterministic:
            return total.at[neuron].add(value)
        most = jnp.max(jnp.zeros(old.shape, jnp.int32).at[neuron].add(1), initial=1)
        return fixed_point.add(total, neuron, value, most)
