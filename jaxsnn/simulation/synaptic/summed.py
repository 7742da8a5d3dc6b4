"""Summed variables: for each neuron the sum of an expression over its synapses."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.codegen.lower import lower
from jaxsnn.equations.statements import Assign
from jaxsnn.events import fixed_point
from jaxsnn.program import Summed
from jaxsnn.simulation.frame import Frame, Setting, prepare_block, run_block

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
        (value,) = run_block(self.block, op.code, op.domain, op.every, frame, prepared, op.name)
        neuron = frame.end(op.domain.owner, self.ref.via)
        old = frame.value(self.ref.key)
        value = jnp.broadcast_to(value, (op.domain.size,)).astype(old.dtype)
        total = jnp.zeros_like(old)
        if self.deterministic:
            most = jnp.max(jnp.zeros(old.shape, jnp.int32).at[neuron].add(1), initial=1)
            total = fixed_point.add(total, neuron, value, most)
        else:
            total = total.at[neuron].add(value)
        for window in op.clears or ():
            frame.write(self.ref, window, jnp.zeros((), old.dtype))
        if op.clears is not None:
            total = frame.value(self.ref.key) + total
        frame.write(self.ref, op.target, total[op.target.start : op.target.stop])
