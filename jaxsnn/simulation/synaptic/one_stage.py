"""Code of one stage: each active synapse runs the whole block by itself, through one of the executions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.delays import interpolated, target_ring
from jaxsnn.events import EXECUTIONS, NUMBER, Operands, Output, Wiring, choose
from jaxsnn.program import Deliver, Ref
from jaxsnn.random import CounterDraw
from jaxsnn.simulation.frame import Frame, Setting
from jaxsnn.simulation.gradient.delivery import SmoothDelivery
from jaxsnn.simulation.synaptic.analysis import Analysis

__all__ = ["OneStage"]

KEY = ("_key0", "_key1")
"""Operands with the words of the random key of the step."""
SHARE = "_share"
"""Operand of interpolated delays: what part of a contribution arrives in the later of its two steps."""


class Prepared(NamedTuple):
    """What a run computes once: the execution's own, the hoisted values of the code, and the wiring."""

    execution: Any
    hoisted: tuple[Any, ...]
    wired: Wired


class Wired(NamedTuple):
    """The wiring with the delays of now; ``share`` (one number, or one for each synapse) if they are interpolated."""

    wiring: Wiring
    share: Any = None


class OneStage:
    """A block of one stage, carried out by an execution of `jaxsnn.events`."""

    def __init__(self, operation: Deliver, analysis: Analysis, setting: Setting) -> None:
        self.operation = operation
        self.analysis = analysis
        self.setting = setting
        self.changes = analysis.changes
        scope = analysis.code.scope
        fixed = setting.constant_name(scope)
        delay = operation.delay
        self.delay_moves = delay is not None and not setting.constant(delay)
        self.constant = analysis.constant(fixed) and not self.delay_moves
        # Only what is one number for all synapses is computed once a run; the rest would be as long as they are many.
        self.block = analysis.block(
            operation.name,
            lambda name: fixed(name) and (name == "dt" or scope[name].via == "scalar"),
            GUARDED if setting.gradient else None,
        )
        self.hoisted = tuple(f"_c{k}" for k in range(self.block.hoisted))
        outputs = tuple(self._output(change.name, change.ref) for change in self.changes)
        # Of interpolated delays two rings for each variable: what arrives first, and what one step later.
        self.outputs = outputs if delay is None else (*outputs, *outputs)

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
        amounts = tuple(
            jnp.asarray(result, self._dtype(change.ref)) for change, result in zip(self.changes, results, strict=True)
        )
        if self.operation.delay is None:
            return amounts
        share = values[SHARE]
        return (*(amount * (1 - share) for amount in amounts), *(amount * share for amount in amounts))

    def _dtype(self, ref: Ref) -> Any:
        # An increment keeps its fraction; the sum is rounded where it is stored.
        if ref.via != "self":
            return self.setting.dtype
        return {"float": self.setting.dtype, "integer": np.int32, "boolean": np.bool_}[ref.type]

    def wired(self, frame: Frame) -> Wired:
        """The wiring, with interpolated delays put in from the parameters."""
        op = self.operation
        wiring = frame.tables.wirings[op.pathway]
        if op.delay is None:
            return Wired(wiring)
        delay = frame.read(op.delay, op.source, op.every) if op.delay.via == "scalar" else frame.value(op.delay.key)
        slot, share = interpolated.split(delay, self.setting.program.dt * op.every, op.max_delay)
        if slot.ndim == 0:
            slot = jnp.broadcast_to(slot, wiring.source.shape)
        elif wiring.synapse is not None:
            slot = slot[wiring.synapse]
        return Wired(replace(wiring, delay=slot), share)

    def operands(self, frame: Frame, hoisted: tuple[Any, ...], share: Any = None) -> Operands:
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
        if share is not None:
            roles["synapse" if share.ndim else "shared"][SHARE] = share
        roles["shared"].update(zip(self.hoisted, hoisted, strict=True))
        if self.block.draws:
            words = frame.words(op.name)
            roles["shared"].update(zip(KEY, words, strict=True))
        return Operands(**roles)

    def prepare(self, frame: Frame) -> Prepared | None:
        if not self.changes:
            return None
        op, scope = self.operation, self.analysis.code.scope
        hoisted = self.block.prepare(*frame.arguments(self.block.constants, scope, op.source, op.every))
        wired = self.wired(frame)
        operands = self.operands(frame, hoisted, wired.share) if self.constant else None
        execution = self.execution(frame)
        ready = execution.prepare(wired.wiring, self.outputs, self.contribution, operands, self.setting.backend)
        return Prepared(ready, hoisted, wired)

    def execution(self, frame: Frame) -> Any:
        wiring = frame.tables.wirings[self.operation.pathway]
        name = self.setting.execution
        if name == "deterministic":
            return EXECUTIONS[name]
        if wiring.at_arrival:
            return EXECUTIONS["masked"]
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
        wiring, share = self.wired(frame) if self.delay_moves else prepared.wired
        now = frame.clock("t_in_timesteps", op.every)
        rings = frame.rings[op.pathway] if wiring.delay is not None and not wiring.at_arrival else ()
        current = tuple(self.part(frame, k) for k in range(len(self.changes)))
        operands = Operands() if self.constant else self.operands(frame, prepared.hoisted, share)
        new = self.execution(frame).deliver(
            prepared.execution, wiring, spikes, self.contribution, operands, rings or current, now
        )
        if rings:
            arrived, frame.rings[op.pathway] = self._take(new, now)
            new = tuple(old + more for old, more in zip(current, arrived, strict=True))
        for k, change in enumerate(self.changes):
            self.store(frame, change.ref, current[k], new[k])

    def add(self, frame: Frame, amounts: tuple[Any, ...]) -> None:
        """What spikes add that were delivered for all steps at once."""
        for k, change in enumerate(self.changes):
            current = self.part(frame, k)
            self.store(frame, change.ref, current, current + amounts[k].astype(current.dtype))

    def _take(self, rings: tuple[Any, ...], now: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """What arrives now for each change, and the rings for the next step."""
        if self.operation.delay is None:
            taken = [target_ring.take(ring, now) for ring in rings]
            return tuple(arrived for arrived, _ in taken), tuple(ring for _, ring in taken)
        n = len(self.changes)
        both = [interpolated.take(pair, now) for pair in zip(rings[:n], rings[n:], strict=True)]
        return tuple(arrived for arrived, _ in both), tuple(pair[k] for k in (0, 1) for _, pair in both)

    def part(self, frame: Frame, k: int) -> Any:
        """The variable an output changes: of the source window, of all the target's neurons, of the synapses."""
        key = self.changes[k].ref.key
        return frame.part(key, self.operation.source) if self.outputs[k].side == "source" else frame.value(key)

    def store(self, frame: Frame, ref: Ref, old: Any, new: Any) -> None:
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
        frame.values[ref.key] = new.astype(whole.dtype)  # what has arrived at an integer through a ring is a float
