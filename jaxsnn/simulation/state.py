"""The trees a simulation works on: parameters, state, and what a run only reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.events import Wiring
from jaxsnn.program import Key, Program
from jaxsnn.simulation.connections import Pattern

__all__ = ["Layout", "Params", "Schedule", "State", "Tables", "layout_of"]

Array = Any
Params = dict[str, dict[str, Array]]
"""Parameters: ``params[object][name]``, floating-point arrays only, so that `jax.grad` takes the whole tree."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Schedule:
    """Spikes at given steps: the spikes of ``steps[m]`` are ``indices[row_start[m]:row_start[m + 1]]``.

    steps: (M,) int32 increasing; row_start: (M + 1,) int32; indices: int32; longest: most spikes in one step.
    """

    steps: Array
    row_start: Array
    indices: Array
    longest: int = field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tables:
    """What a run reads and never changes, besides the parameters: all that is discrete.

    key: random key of the run; values: integer and boolean parameters, and delays that code reads; wirings:
    connectivity of each pathway; schedules: of spike generators; indices: elements that monitors record; origin: the
    step from which random numbers are counted; patterns: of synapses that are connected by a simple rule.
    """

    key: Array
    values: dict[str, dict[str, Array]]
    wirings: dict[str, Wiring]
    schedules: dict[str, Schedule]
    indices: dict[str, Array]
    origin: Array
    patterns: dict[str, Pattern] = field(default_factory=dict)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    """Everything the next step needs, by role.

    step: int32, steps done; values: ``values[object][name]``, what equations and statements change;
    events: (n,) bool for each event set; rings: delay buffers of pathways; cursors: positions of spike
    generators; tables: what stays the same during a run.
    """

    step: Array
    values: dict[str, dict[str, Array]]
    events: dict[str, Array]
    rings: dict[str, tuple[Array, ...]]
    cursors: dict[str, Array]
    tables: Tables

    def __contains__(self, owner: object) -> bool:
        return owner in self.values or owner in self.tables.values

    def __getitem__(self, owner: str) -> Mapping[str, Array]:
        """The variables of an object: ``state["cells"]["v"]``."""
        if owner not in self.values and owner not in self.tables.values:
            raise KeyError(f"no object {owner!r} in the state.{did_you_mean(owner, self.values)}")
        return {**self.tables.values.get(owner, {}), **self.values.get(owner, {})}


@dataclass(frozen=True)
class Layout:
    """Where each variable of a program lives: in the state, the parameters or the tables."""

    state: frozenset[Key]
    params: frozenset[Key]
    tables: frozenset[Key]

    def place(self, key: Key) -> str:
        return "state" if key in self.state else "params" if key in self.params else "tables"


def layout_of(program: Program) -> Layout:
    """What operations change is state; floating-point numbers nothing changes are parameters; the rest tables.

    So are delays of whole steps: their buffers are made when the trees are.
    """
    written = program.written()
    params = {k for k, v in program.variables.items() if k not in written and v.type == "float" and v.role != "delay"}
    tables = {k for k in program.variables if k not in written and k not in params}
    return Layout(frozenset(written & set(program.variables)), frozenset(params), frozenset(tables))


def get(tree: Any, path: str) -> Array:
    """The leaf at a dotted name, ``"cells.v"``, of parameters or state."""
    owner, _, name = path.partition(".")
    try:
        return tree[owner][name]
    except KeyError:
        raise ArgumentError(f"there is no {path!r} here.{did_you_mean(path, paths(tree))}") from None


def put(tree: Any, path: str, value: Any) -> Any:
    """A copy of parameters or state with another value (of the same shape) at a dotted name."""
    old = get(tree, path)
    owner, _, name = path.partition(".")
    new = jax.numpy.broadcast_to(jax.numpy.asarray(value, dtype=old.dtype), np.shape(old))
    if isinstance(tree, State):
        if name in tree.values.get(owner, {}):
            values = {**tree.values, owner: {**tree.values[owner], name: new}}
            return State(tree.step, values, tree.events, tree.rings, tree.cursors, tree.tables)
        raise ArgumentError(f"{path!r} is discrete and fixed during a run; change it in the object and compile again")
    return {**tree, owner: {**tree[owner], name: new}}


def paths(tree: Any) -> list[str]:
    """All dotted names of parameters or state."""
    owners = tree.values if isinstance(tree, State) else tree
    return [f"{owner}.{name}" for owner, names in owners.items() for name in names]
