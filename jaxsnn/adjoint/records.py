"""What a run in continuous time gives: the spikes, and the state at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.adjoint.search import Queue
from jaxsnn.errors import ArgumentError, did_you_mean

__all__ = ["ExactSpikes", "ExactState"]

Array = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ExactState:
    """Everything that a run goes on from.

    step: int32, steps of the grid done; values: ``values[object][name]``, floating point, differentiable; free,
    release: (N,) whether each neuron is not refractory, and when that ends; spikes, queue: spikes on their way.
    """

    step: Array
    values: dict[str, dict[str, Array]]
    free: Array
    release: Array
    spikes: Array
    queue: Queue

    def __getitem__(self, owner: str) -> Mapping[str, Array]:
        """The variables of an object: ``state["cells"]["v"]``."""
        if owner not in self.values:
            raise KeyError(f"no object {owner!r} in the state.{did_you_mean(owner, self.values)}")
        return self.values[owner]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ExactSpikes:
    r"""The spikes of a run, in order: (max_spikes,) arrays of which the first ``count`` are filled.

    times: in second, not on any grid, differentiable; infinity behind the last spike, NaN throughout if the run failed
    (``status`` is not 0), so that nothing computed from it can be taken for a result; neuron: number among all neurons
    of the network, -1 behind the last spike; events: how many events there were (to choose ``max_events``).

    Example:
        >>> import jaxsnn as snn
        >>> from jaxsnn.units import ms
        >>> cell = snn.NeuronGroup(
        ...     2,
        ...     "dv/dt = (I - v)/tau : 1\nI : 1",
        ...     threshold="v > 1",
        ...     reset="v = 0",
        ...     namespace={"tau": 10 * ms},
        ...     name="cell",
        ... )
        >>> cell.I = [2, 0.5]
        >>> exact = snn.adjoint.compile(snn.Network(cell), dt=1 * ms, max_spikes=10)
        >>> state, spikes = exact.run(*exact.init(), 15 * ms)
        >>> spikes.trains("cell", 2)  # 10 ms * log(2), and the second neuron never
        Array([[0.0069, 0.0139],
               [   inf,    inf]], dtype=float32)
    """

    times: Array
    neuron: Array
    count: Array
    events: Array
    status: Array
    groups: Mapping[str, tuple[int, int]] = field(metadata={"static": True})

    def trains(self, owner: str, n: int) -> Array:
        """The times of the first n spikes of each neuron of a group: (neurons, n), infinity where there are fewer."""
        first, size = self._group(owner)
        room = self.times.shape[0]
        mine = (self.neuron >= first) & (self.neuron < first + size)
        local = jnp.where(mine, self.neuron - first, size)
        order = jnp.argsort(local, stable=True)
        ends = jnp.searchsorted(local[order], jnp.arange(size + 1, dtype=local.dtype))
        place = ends[:-1, None] + jnp.arange(n)[None, :]
        there = place < ends[1:, None]
        found = self.times[order[jnp.minimum(place, room - 1)]]
        return jnp.where(there, found, jnp.where(self.status == 0, jnp.inf, jnp.nan))

    def events_of(self, owner: str) -> tuple[np.ndarray, np.ndarray]:
        """Indices and times of the spikes of a group, in order, on the host."""
        first, size = self._group(owner)
        neuron = np.asarray(self.neuron)
        mine = (neuron >= first) & (neuron < first + size)
        return neuron[mine] - first, np.asarray(self.times)[mine]

    def _group(self, owner: str) -> tuple[int, int]:
        if owner not in self.groups:
            raise ArgumentError(f"no group {owner!r} among the spikes.{did_you_mean(owner, self.groups)}")
        return self.groups[owner]
