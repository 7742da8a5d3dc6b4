"""Code of one stage: each active synapse runs the whole block by itself, through one of the executions."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.delays import target_ring
from jaxsnn.events import EXECUTIONS, NUMBER, Operands, Output, choose
from jaxsnn.program import Deliver, Ref
from jaxsnn.random import CounterDraw, key_words, step_key
from jaxsnn.simulation.frame import Frame, Setting
from jaxsnn.simulation.gradient.delivery import SmoothDelivery
from jaxsnn.simulation.synaptic.analysis import Analysis

__all__ = ["OneStage"]

KEY = ("_key0", "_key1")
"""Operands with the words of the random key of the step."""


class Prepared(NamedTuple):
    """What a run computes once: the execution's own, and the hoisted values of the code."""

    execution: Any
    hoisted: tuple[Any, ...]


class OneStage:
    """A block of one stage, carried out by an execution of `jaxsnn.events`."""

    def __init__(self, operation: Deliver, analysis: Analysis, setting: Setting) -> None:
        self.operation = operation
        self.analysis = analysis
        self.setting = setting
        self.changes = analysis.changes
        scope = analysis.code.scope
        fixed = setting.constant_name(scope)
        self.constant = analysis.constant(fixed)
        # Only what is one number for all synapses is computed once a run; the rest would be as long as they are many.
        self.block = analysis.block(
            operation.name,
            lambda name: fixed(name) and (name == "dt" or scope[name].via == "scalar"),
            GUARDED if setting.gradient else None,
        )
        self.hoisted = tuple(f"_c{k}" for k in range(self.block.hoisted))
        self.outputs = tuple(self._output(change.name, change.ref) for change in self.changes)

    def _output(self, name: str, ref: Ref) -> Output:
        if ref.via == "self":
            return Output("synapse", name)
        return Output("source" if ref.via == self.operation.trigger else "target")

    def contribution(self, values: dict[str, Any]) -> tuple[Any, ...]:
        draw = None
        if self.block.draws:
            draw = CounterDraw((values[KEY[0]], values[KEY[1]]), values[NUMBER], self.setting.dtype)
        arguments = [values[name] for name in (*self.block.reads, *self.hoisted)]
        results = self.block.run(*arguments, draw)
        return tuple(
            jnp.asarray(result, self._dtype(change.ref)) for change, result in zip(self.changes, results, strict=True)
        )

    def _dtype(self, ref: Ref) -> Any:
        # An increment keeps its fraction; the sum is rounded where it is stored.
        if ref.via != "self":
            return self.setting.dtype
        return {"float": self.setting.dtype, "integer": np.int32, "boolean": np.bool_}[ref.type]

    def operands(self, frame: Frame, hoisted: tuple[Any, ...]) -> Operands:
        """The values the code reads, sorted by what they belong to."""
        op, scope = self.operation, self.analysis.code.scope
        roles: dict[str, dict[str, Any]] = {"synapse": {}, "source": {}, "target": {}, "shared": {}}
        changing = {output.name for output in self.outputs}
        for name in self.block.reads:
            if name in changing:
                continue  # read from the accumulator
            if name == "dt":
                roles["shared"][name] = frame.clock("dt", op.every)
                continue
            ref = scope[name]
            if ref.via.endswith("_index"):
                source_side = ref.via.startswith(op.trigger)
                size = op.source.size if source_side else frame.tables.wirings[op.pathway].n_target
                start = 0 if source_side else op.target.start
                roles["source" if source_side else "target"][name] = jnp.arange(size, dtype=jnp.int32) - start
            elif ref.via == op.trigger:
                roles["source"][name] = frame.part(ref.key, op.source)
            elif ref.via in ("pre", "post"):
                roles["target"][name] = frame.value(ref.key)
            elif ref.via == "self" and ref.owner != "clock":
                roles["synapse"][name] = frame.value(ref.key)
            else:
                roles["shared"][name] = frame.read(ref, op.source, op.every)
        roles["shared"].update(zip(self.hoisted, hoisted, strict=True))
        if self.block.draws:
            words = key_words(step_key(frame.tables.key, op.name, frame.step))
            roles["shared"].update(zip(KEY, words, strict=True))
        return Operands(**roles)

    def prepare(self, frame: Frame) -> Prepared | None:
        if not self.changes:
            return None
        op, scope = self.operation, self.analysis.code.scope
        hoisted = self.block.prepare(
            *(
                frame.clock("dt", op.every) if name == "dt" else frame.read(scope[name], op.source, op.every)
                for name in self.block.constants
            )
        )
        wiring = frame.tables.wirings[op.pathway]
        operands = self.operands(frame, hoisted) if self.constant else None
        execution = self.execution(frame)
        ready = execution.prepare(wiring, self.outputs, self.contribution, operands, self.setting.backend)
        return Prepared(ready, hoisted)

    def execution(self, frame: Frame) -> Any:
        wiring = frame.tables.wirings[self.operation.pathway]
        name = self.setting.execution
        fits = self.constant or self.analysis.fits_kernel
        if name is None or (name == "dense" and not self.constant) or (name == "kernel" and not fits):
            name = choose(wiring, self.constant, self.setting.backend, wiring.delay is not None, fits).name
        gradient = self.setting.gradient
        if gradient is None:
            return EXECUTIONS[name]
        return SmoothDelivery(EXECUTIONS[name], self.constant, wiring, self.outputs, gradient.relaxed)

    def apply(self, frame: Frame, prepared: Prepared | None, spikes: Any) -> None:
        if prepared is None:
            return
        op = self.operation
        wiring = frame.tables.wirings[op.pathway]
        now = frame.clock("t_in_timesteps", op.every)
        rings = frame.rings[op.pathway] if wiring.delay is not None else ()
        current = tuple(self._part(frame, k) for k in range(len(self.changes)))
        operands = Operands() if self.constant else self.operands(frame, prepared.hoisted)
        new = self.execution(frame).deliver(
            prepared.execution, wiring, spikes, self.contribution, operands, rings or current, now
        )
        if rings:
            taken = [target_ring.take(ring, now) for ring in new]
            frame.rings[op.pathway] = tuple(ring for _, ring in taken)
            new = tuple(old + arrived for old, (arrived, _) in zip(current, taken, strict=True))
        for k, change in enumerate(self.changes):
            self._store(frame, change.ref, current[k], new[k])

    def _part(self, frame: Frame, k: int) -> Any:
        """The variable an output changes: of the source window, of all the target's neurons, of the synapses."""
        key = self.changes[k].ref.key
        return frame.part(key, self.operation.source) if self.outputs[k].side == "source" else frame.value(key)

    def _store(self, frame: Frame, ref: Ref, old: Any, new: Any) -> None:
        guard = self.analysis.guard(ref)
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
