"""The twin of a run: the same program with float spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.simulation.connections import Matrices
from jaxsnn.simulation.frame import Setting
from jaxsnn.simulation.gradient.layers import Layer, layered, merged, over_time, whole
from jaxsnn.simulation.gradient.loop import nested_scan, plan, residual_bytes, tree_bytes
from jaxsnn.simulation.gradient.setting import Gradient
from jaxsnn.simulation.state import Params, State
from jaxsnn.simulation.step import Step

__all__ = ["Twin"]

Array = Any


class Twin:
    """The step of a program with float spikes, and loops over it that fit into memory when differentiated."""

    def __init__(self, setting: Setting, gradient: Gradient, unroll: int = 1) -> None:
        self.gradient = gradient
        self.unroll = unroll
        self.setting = replace(setting, gradient=gradient)
        self.step = Step(self.setting)

    def once(self, params: Params, state: State, inputs: Mapping[str, Array] | None) -> tuple[State, Any]:
        """One step."""
        floating = self.floating(state)
        new, record = self.step(params, self.step.prepare(params, floating), floating, inputs)
        return _like(new, state), record

    def run(
        self, params: Params, state: State, inputs: Mapping[str, Array] | None, steps: int, float_spikes: bool
    ) -> tuple[State, Any]:
        """So many steps: the state and the rows of the records."""
        start = self.floating(state)
        prepared = self.step.prepare(params, start)
        frame = self.step.frame(params, start)
        # Segments of a truncated run end at the same steps in all layers, and what is on its way between layers would
        # cross them.
        layers = (
            layered(self.step.parts, frame) if self.gradient.truncate is None and steps else (whole(self.step.parts),)
        )
        rows: dict[str, Any] = {}
        fed: dict[str, tuple[Array, ...]] = {}
        new = replace(start, step=start.step + steps)
        waiting: dict[str, tuple[Array, ...]] = {}
        for layer in layers:
            given = self._given(layer, layers, inputs or {}, fed)
            constants = (params, prepared, start.tables)
            moving, (recorded, events) = self._loop(layer, constants, start, given, steps, float_spikes, len(layers))
            rows |= recorded
            new = merged(new, moving)
            for k in layer.sends:
                op = self.step.parts[k].operation
                spikes = events[f"{op.source.owner}.{op.event}"]
                amounts, rings = over_time(self.step.parts[k], prepared[k], frame, spikes)
                fed[op.pathway] = amounts
                if rings:
                    waiting[op.pathway] = rings
        return _like(replace(new, rings={**new.rings, **waiting}), state), rows

    def _given(
        self, layer: Layer, layers: Sequence[Layer], inputs: Mapping[str, Array], fed: Mapping[str, tuple[Array, ...]]
    ) -> tuple[Mapping[str, Array], Mapping[str, tuple[Array, ...]]]:
        """What a layer gets in each step: inputs of the run that it reads, and what other layers send."""
        pathways = {getattr(self.step.parts[k].operation, "pathway", None) for k in layer.places}
        # One that no layer reads is refused by the first that gets it.
        elsewhere = {path for other in layers if other is not layer for path in other.reads}
        own = {path: x for path, x in inputs.items() if path in layer.reads or path not in elsewhere}
        return own, {pathway: amounts for pathway, amounts in fed.items() if pathway in pathways}

    def _loop(
        self, layer: Layer, constants: Any, start: State, given: Any, steps: int, float_spikes: bool, layers: int
    ) -> tuple[State, Any]:
        """All steps of a layer: its part of the state, the records, and the spikes that it sends."""
        sent = {f"{op.source.owner}.{op.event}" for op in (self.step.parts[k].operation for k in layer.sends)}

        matrices = Matrices.of(self.setting.program, start.tables.patterns)

        def one(constants: Any, carry: State, given: Any) -> tuple[State, Any]:
            params, prepared, tables = constants
            inputs, fed = given
            state = replace(carry, values=matrices.unfold(carry.values), tables=tables)
            new, record = self.step(params, prepared, state, inputs, float_spikes, layer.places, fed)
            spikes = {path: new.events[path] for path in sent}
            values = matrices.fold(new.values)
            return replace(new, values=values, tables=None), (record, spikes)  # type: ignore[arg-type]

        moving = layer.part_of(start)
        moving = replace(moving, values=matrices.fold(moving.values))
        if layer.memoryless:
            when = start.step + jnp.arange(steps, dtype=start.step.dtype)
            states, found = jax.vmap(lambda step, given: one(constants, replace(moving, step=step), given))(when, given)
            last = jax.tree.map(lambda x: x[-1], states)
            return replace(last, values=matrices.unfold(last.values)), found
        lengths = self._segments(one, constants, moving, given, steps, layers)

        def body(carry: State, given: Any) -> tuple[State, Any]:
            return one(constants, carry, given)

        last, found = nested_scan(body, moving, given, steps, lengths, self.gradient.truncate is not None, self.unroll)
        return replace(last, values=matrices.unfold(last.values)), found

    def _segments(
        self, one: Callable[..., Any], constants: Any, moving: Any, inputs: Any, steps: int, layers: int
    ) -> tuple[int, ...]:
        if steps == 0:
            return ()
        limit, outer = self.gradient.memory_limit // layers, self.gradient.truncate or steps
        outer = min(outer, steps)
        given = jax.tree.map(lambda x: x[0], inputs)
        residual = residual_bytes(lambda c, m: one(c, *m), constants, (moving, given))
        state = tree_bytes(moving)
        if outer == steps:
            return plan(steps, state, residual, limit)
        return (outer, *plan(outer, state, residual, max(1, limit - steps // outer * state)))

    def floating(self, state: State) -> State:
        """The state with spikes, and those on their way, as floats."""
        dtype = self.setting.dtype

        def as_float(x: Array) -> Array:
            return x.astype(dtype) if x.dtype == jnp.bool_ else x

        return replace(state, events=jax.tree.map(as_float, state.events), rings=jax.tree.map(as_float, state.rings))


def _like(new: State, old: State) -> State:
    """Spikes as flags again where they were flags."""

    def back(x: Array, before: Array) -> Array:
        return x > 0.5 if before.dtype == jnp.bool_ else x.astype(before.dtype)

    return replace(
        new,
        events=jax.tree.map(back, new.events, old.events),
        rings=jax.tree.map(back, new.rings, old.rings),
    )
