"""The step: the operations of a program, in order, from one state to the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.program import Operation
from jaxsnn.simulation.frame import Frame, Setting
from jaxsnn.simulation.operations import OPERATIONS, build
from jaxsnn.simulation.records import RECORDS
from jaxsnn.simulation.state import Params, State

__all__ = ["Step", "sometimes"]

Array = Any
Record = dict[str, Any]


class Step:
    """One time step as a pure function; built once from the schedule."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.parts: list[Any] = []
        for operation in setting.program.operations:
            table = RECORDS if type(operation) in RECORDS else OPERATIONS
            self.parts.append(
                RECORDS[type(operation)](operation, setting) if table is RECORDS else build(operation, setting)
            )

    def prepare(self, params: Params, state: State) -> tuple[Any, ...]:
        """What is constant during a run: propagators, weights in delivery order, ..."""
        frame = self.frame(params, state)
        return tuple(part.prepare(frame) for part in self.parts)

    def __call__(
        self,
        params: Params,
        prepared: tuple[Any, ...],
        state: State,
        inputs: Mapping[str, Array] | None = None,
        float_spikes: bool = False,
        places: Collection[int] | None = None,
        fed: Mapping[str, tuple[Array, ...]] | None = None,
    ) -> tuple[State, Record]:
        """The next state, and what the monitors record in this step.

        Args:
            places: the operations that are carried out, if not all.
            fed: of pathways from elsewhere, what they add in this step.
        """
        if inputs:
            params = {owner: dict(names) for owner, names in params.items()}
            for path, value in inputs.items():
                owner, _, name = path.partition(".")
                if (owner, name) not in self.setting.inputs:
                    raise ArgumentError(
                        f"{path!r} is not among the inputs of this simulation; write compile(inputs=[{path!r}]), so"
                        f" that nothing computed from it is kept from step to step"
                    )
                old = params[owner][name]
                if np.shape(value) != old.shape and np.shape(value) not in ((), (1,)):
                    raise ArgumentError(
                        f"the input {path!r} has the shape {np.shape(value)} in a step; it needs {old.shape}, or one"
                        f" number"
                    )
                params[owner][name] = jnp.broadcast_to(jnp.asarray(value, old.dtype), old.shape)
        frame = self.frame(params, state)
        frame.float_spikes = float_spikes
        record: Record = {}
        for place, (part, ready) in enumerate(zip(self.parts, prepared, strict=True)):
            operation = part.operation
            if places is not None and place not in places:
                continue
            with jax.named_scope(operation.slot), jax.named_scope(operation.name):
                if type(operation) in RECORDS:
                    record[operation.label] = part.record(frame, ready)
                elif fed and getattr(operation, "pathway", None) in fed:
                    part.way.add(frame, fed[operation.pathway])
                elif operation.always:
                    part.apply(frame, ready)
                else:
                    sometimes(part, ready, frame)
        return self.state(frame, state), record

    def frame(self, params: Params, state: State) -> Frame:
        values = {(owner, name): v for owner, names in state.values.items() for name, v in names.items()}
        events = {_key(path): v for path, v in state.events.items()}
        return Frame(
            self.setting,
            params,
            state.tables,
            state.step,
            values,
            events,
            dict(state.rings),
            dict(state.cursors),
        )

    def state(self, frame: Frame, old: State) -> State:
        values = {owner: {name: frame.values[(owner, name)] for name in names} for owner, names in old.values.items()}
        events = {path: frame.events[_key(path)] for path in old.events}
        rings = {name: frame.rings[name] for name in old.rings}
        cursors = {name: frame.cursors[name] for name in old.cursors}
        return replace(old, step=old.step + 1, values=values, events=events, rings=rings, cursors=cursors)


def sometimes(part: Any, prepared: Any, frame: Frame) -> None:
    """An operation with a clock of its own: carried out in steps that are multiples of it, or stand in a list."""
    before = (dict(frame.values), dict(frame.events), dict(frame.rings), dict(frame.cursors))
    operation = part.operation
    owner_event = None
    if hasattr(operation, "event") and type(operation).__name__ in ("Threshold", "Emit"):
        owner_event = (operation.domain.owner, operation.event)

    def due() -> Any:
        inner = type(frame)(frame.setting, frame.params, frame.tables, frame.step, *map(dict, before))  # type: ignore[arg-type]
        part.apply(inner, prepared)
        return inner.values, inner.events, inner.rings, inner.cursors

    def skipped() -> Any:
        values, events, rings, cursors = dict(before[0]), dict(before[1]), dict(before[2]), dict(before[3])
        if owner_event is not None:
            events[owner_event] = jnp.zeros_like(events[owner_event])
        return values, events, rings, cursors

    frame.values, frame.events, frame.rings, frame.cursors = jax.lax.cond(_due(operation, frame), due, skipped)


def _due(operation: Operation, frame: Frame) -> Array:
    """Whether this step is one of an operation's own."""
    if not operation.listed:
        return frame.step % operation.every == 0
    steps = frame.tables.indices[f"{operation.name}.steps"]
    place = jnp.searchsorted(steps, frame.step)
    return steps[jnp.minimum(place, steps.shape[0] - 1)] == frame.step


def _key(path: str) -> tuple[str, str]:
    owner, _, event = path.rpartition(".")
    return owner, event
