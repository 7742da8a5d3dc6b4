"""The two ways through the steps of a run: operation by operation, or with kernels of whole groups.

Both have one silhouette: ``enter(state, length)`` gives what one step hands to the next, ``way(carry, first, inputs)``
makes a step of a run that began at step ``first``, ``leave(carry)`` gives the state and what kernels recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from jaxsnn.simulation.connections import Matrices
from jaxsnn.simulation.fused import Fused
from jaxsnn.simulation.state import Params, State
from jaxsnn.simulation.step import Step

__all__ = ["Plain", "Way", "way_through"]

Array = Any
Inputs = Mapping[str, Array] | None


class Way(Protocol):
    """A way through the steps of a run."""

    def enter(self, state: State, length: int) -> Any:
        """What the first step starts from; at most ``length`` steps follow."""

    def __call__(self, carry: Any, first: Array, inputs: Inputs = None) -> tuple[Any, dict[str, Any]]:
        """One step, and what the monitors record."""

    def leave(self, carry: Any) -> tuple[State, dict[str, Any]]:
        """The state, and rows that are not among those the steps returned."""


class Plain:
    """Operation by operation."""

    def __init__(self, step: Step, params: Params, state: State, ready: tuple[Any, ...], float_spikes: bool) -> None:
        self.step = step
        self.params = params
        self.tables = state.tables
        self.ready = ready
        self.float_spikes = float_spikes
        self.matrices = Matrices.of(step.setting.program, state.tables.patterns)

    def enter(self, state: State, length: int) -> State:
        return replace(state, values=self.matrices.fold(state.values), tables=None)  # type: ignore[arg-type]

    def __call__(self, carry: State, first: Array, inputs: Inputs = None) -> tuple[State, dict[str, Any]]:
        state, _ = self.leave(carry)
        new, record = self.step(self.params, self.ready, state, inputs, self.float_spikes)
        return self.enter(new, 1), record

    def leave(self, carry: State) -> tuple[State, dict[str, Any]]:
        return replace(carry, values=self.matrices.unfold(carry.values), tables=self.tables), {}


def way_through(step: Step, params: Params, state: State, inputs: Inputs = None, float_spikes: bool = False) -> Way:
    """Kernels where there can be any, but not for inputs of every step, nor for spikes as floats."""
    ready = step.prepare(params, state)
    if inputs is None and not float_spikes:
        fused = Fused.of(step, params, state, ready)
        if fused is not None:
            return fused
    return Plain(step, params, state, ready, float_spikes)
