"""The twin of a run: the same program with float spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.simulation.frame import Setting
from jaxsnn.simulation.gradient.loop import nested_scan, plan, residual_bytes, tree_bytes
from jaxsnn.simulation.gradient.setting import Gradient
from jaxsnn.simulation.state import Params, State
from jaxsnn.simulation.step import Step

__all__ = ["Twin"]

Array = Any


class Twin:
    """The step of a program with float spikes, and loops over it that fit into memory when differentiated."""

    def __init__(self, setting: Setting, gradient: Gradient) -> None:
        self.gradient = gradient
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
        tables = state.tables
        start = self.floating(state)
        prepared = self.step.prepare(params, start)

        def one(constants: Any, carry: State, given: Any) -> tuple[State, Any]:
            params, prepared, tables = constants
            new, record = self.step(params, prepared, replace(carry, tables=tables), given, float_spikes)
            return replace(new, tables=None), record  # type: ignore[arg-type]

        constants = (params, prepared, tables)
        moving = replace(start, tables=None)  # type: ignore[arg-type]
        lengths = self._segments(one, constants, moving, inputs, steps)

        def body(carry: State, given: Any) -> tuple[State, Any]:
            return one(constants, carry, given)

        moving, rows = nested_scan(body, moving, inputs, steps, lengths, self.gradient.truncate is not None)
        return _like(replace(moving, tables=tables), state), rows

    def _segments(
        self, one: Callable[..., Any], constants: Any, moving: Any, inputs: Any, steps: int
    ) -> tuple[int, ...]:
        if steps == 0:
            return ()
        limit, outer = self.gradient.memory_limit, self.gradient.truncate or steps
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
