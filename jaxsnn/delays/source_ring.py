"""Ring of source spikes: one delay for all synapses of a pathway.

State: ``(D, n_source)`` bool with ``D = delay + 1``; slot ``t % D`` holds the spikes that are due
at step ``t``. Memory is ``D * n_source`` bytes; work is one row written and one read a step,
whatever the delay. Slots go by due time, so a spike in flight keeps its arrival when the delay
changes between runs. A slot holds a flag per source, and two spikes of one source can fall due in the
same step only if a delay was shortened between runs: then `carry` leaves those in flight in a ring of
their own.

>>> import jax.numpy as jnp
>>> ring = init(delay=2, n_source=3)
>>> due, ring = exchange(ring, 0, jnp.array([True, False, True]), 2)
>>> due, ring = exchange(ring, 1, jnp.array([False, False, False]), 2)
>>> due, ring = exchange(ring, 2, jnp.array([False, False, False]), 2)
>>> due.tolist()
[True, False, True]
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from jaxsnn.delays.slots import resize

__all__ = ["carry", "exchange", "init", "resize"]


def init(delay: int, n_source: int) -> Array:
    """An empty ring for delays of up to ``delay`` steps (a pathway without delay needs none)."""
    return jnp.zeros((delay + 1, n_source), jnp.bool_)


def exchange(ring: Array, step: Array | int, spikes: Array, delay: Array | int) -> tuple[Array, Array]:
    """Hand in the spikes of this step, take out those that are due now.

    Args:
        ring: ``(D, n_source)`` bool, or floats.
        step: the current step.
        spikes: ``(n_source,)`` of the same type, due at ``step + delay``.
        delay: steps, ``0 <= delay < D``.

    Returns:
        ``(due, ring)``: ``(n_source,)`` bool, and the ring for the next step.
    """
    length = ring.shape[0]
    # Write, then read: reading a slot before it is overwritten makes XLA copy the ring each step.
    # So the slot that is cleared is the one of the previous step, read then.
    past = (step - 1) % length
    if isinstance(delay, int) and delay == length - 1:
        ring = ring.at[past].set(spikes)
    else:
        ring = ring.at[past].set(False)
        slot = (step + delay) % length
        if ring.dtype == jnp.bool_:
            ring = ring.at[slot].max(spikes)
        else:  # the same for numbers from 0 to 1, with a derivative
            before = ring[slot]
            ring = ring.at[slot].set(before + spikes - before * spikes)
    return ring[step % length], ring


def carry(rings: Sequence[ArrayLike], step: int, delay: int) -> tuple[np.ndarray, ...]:
    """The rings for a run with another delay, on the host.

    Args:
        rings: ``(D, n_source)`` bool, that of the run before first, then what earlier runs left over.
        step: the next step to be run: what is in flight is due at ``step ... step + D - 2``.
        delay: steps, of the spikes to come.

    Returns:
        A ring for the spikes to come with those in flight that no new one can meet, and, oldest first, each ring
        with spikes in flight that a new one of the same source may meet.

    >>> ring = np.array([[0], [1], [1], [0]], bool)  # due at steps 5 and 6
    >>> [r.astype(int).ravel().tolist() for r in carry([ring], step=4, delay=3)]
    [[0, 1, 1, 0]]
    >>> [r.astype(int).ravel().tolist() for r in carry([ring], step=4, delay=2)]
    [[0, 0, 0], [0, 1, 1, 0]]
    """
    newest, *older = (np.asarray(ring, bool) for ring in rings)
    ring = np.zeros((delay + 1, newest.shape[1]), bool)
    apart = []
    for old in (*older, newest):
        due = step + np.arange(old.shape[0] - 1)
        due = due[old[due % old.shape[0]].any(axis=1)]
        if not due.size:
            continue
        flags = old[due % old.shape[0]]
        if due[-1] < step + delay and not (ring[due % (delay + 1)] & flags).any():
            ring[due % (delay + 1)] |= flags
        else:
            apart.append(old)
    return (ring, *apart)
