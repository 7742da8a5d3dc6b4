"""Pathways of synapses in continuous time: units that deliver together, and what a delivery adds.

A *unit* is what one event delivers: the whole row of a source neuron where all synapses have one delay, a single
synapse where each has its own. A unit's deliveries come in the order of the spikes, because its delay is one number: so
a pointer into the list of spikes is its whole queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsnn.adjoint.populations import Environment, Population, evaluate
from jaxsnn.codegen.lower import Block

__all__ = ["Operand", "Pathway", "Units", "units_of"]

Array = Any


@dataclass(frozen=True, eq=False)
class Units:
    """The units of a pathway, synapses sorted by source.

    source: (U,) neuron that fires, as a place in the source window; start, count: (U,) its synapses in sorted order;
    synapse: (S,) the user's number of each; target: (S,) place in the target group; row: synapses of the longest unit.
    """

    source: np.ndarray
    start: np.ndarray
    count: np.ndarray
    synapse: np.ndarray
    target: np.ndarray
    row: int
    single: bool


def units_of(source: np.ndarray, target: np.ndarray, sources: int, each: bool) -> Units:
    """Group synapses into units; ``each``: every synapse has a delay of its own."""
    order = np.argsort(source, kind="stable")
    source, target = source[order], target[order]
    # Two synapses of one pair have one target: they follow one another.
    pairs = np.stack([source, target])
    single = each or np.unique(pairs, axis=1).shape[1] < source.size
    if single:
        firing, start, count = source, np.arange(source.size), np.ones(source.size, int)
    else:
        firing = np.unique(source)
        start = np.searchsorted(source, firing, "left")
        count = np.searchsorted(source, firing, "right") - start
    return Units(firing, start, count, order, target, int(count.max(initial=1)), single)


@dataclass(frozen=True)
class Operand:
    """Where the code of a delivery finds a name.

    kind: ``"self"`` (a constant of the synapse), ``"scalar"``, ``"near"`` and ``"far"`` (a constant of the neuron that
    fires, or of the target), ``"state"`` (a variable of the target), ``"clock"`` (the time of arrival).
    """

    kind: str
    owner: str
    name: str


@dataclass(frozen=True, eq=False)
class Pathway:
    """What a spike does to the neurons at the other end.

    changes: ``(variable of the target, result of the block)``; guarded: variables that are not written while the
    target is refractory; first: number of the first neuron of the source window among all that fire, inputs counted
    after the neurons; shift: of the source window in its group, for operands of that end.
    """

    name: str
    synapses: str
    delay: str
    target: Population
    block: Block
    operands: Mapping[str, Operand]
    changes: tuple[tuple[str, str], ...]
    guarded: frozenset[str]
    units: Units
    first: int
    shift: int
    one_delay: bool

    def delays(self, env: Environment) -> Array:
        """(U,) the delay of each unit."""
        delay = jnp.asarray(env(self.synapses, self.delay))
        if self.one_delay:
            return jnp.broadcast_to(delay, self.units.source.shape)
        return delay[self.units.synapse]

    def additions(
        self, env: Environment, u: Array, row: Array, t: Array, x: Mapping[str, Array], free: Array
    ) -> dict[str, Array]:
        """What the delivery of unit u adds to each target variable, for the synapses at ``row`` in sorted order.

        x, free: state of their targets when the spike arrives.
        """
        units = self.units
        synapse, target = jnp.asarray(units.synapse)[row], jnp.asarray(units.target)[row]
        near = jnp.asarray(units.source)[u] + self.shift
        find = {
            "self": lambda op: env(op.owner, op.name)[synapse],
            "scalar": lambda op: env(op.owner, op.name),
            "near": lambda op: env(op.owner, op.name)[near],
            "far": lambda op: env(op.owner, op.name)[target],
            "state": lambda op: x[op.name],
            "clock": lambda op: t,
        }
        results = evaluate(self.block, {name: find[op.kind](op) for name, op in self.operands.items()})
        added = {}
        for variable, result in self.changes:
            value = jnp.broadcast_to(results[result], row.shape)
            added[variable] = jnp.where(free, value, 0) if variable in self.guarded else value
        return added

    def __str__(self) -> str:
        what = "synapse by synapse" if self.units.single else "row by row"
        return f"{self.name}: {self.units.synapse.size} synapses to {self.target.owner}, delivered {what}"
