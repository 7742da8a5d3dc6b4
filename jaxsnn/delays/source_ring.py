"""Ring of source spikes: one delay for all synapses of a pathway.

State: ``(D, n_source)`` bool with ``D = delay + 1``; slot ``t % D`` holds the spikes that are due
at step ``t``. Memory is ``D * n_source`` bytes; work is one row written and one read a step,
whatever the delay. Slots go by due time, so a spike in flight keeps its arrival when the delay
changes between runs. A slot holds a flag per source: two spikes of one source that fall due in the
same step count as one, which needs a delay shortened, between runs, by exactly the interval between
these spikes.

>>> import jax.numpy as jnp
>>> ring = init(delay=2, n_source=3)
>>> due, ring = exchange(ring, 0, jnp.array([True, False, True]), 2)
>>> due, ring = exchange(ring, 1, jnp.array([False, False, False]), 2)
>>> due, ring = exchange(ring, 2, jnp.array([False, False, False]), 2)
>>> due.tolist()
[True, False, True]
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from jaxsnn.delays.slots import resize

__all__ = ["exchange", "init", "resize"]


def init(delay: int, n_source: int) -> Array:
    """An empty ring for delays of up to ``delay`` steps (a pathway without delay needs none)."""
    return jnp.zeros((delay + 1, n_source), jnp.bool_)


def exchange(ring: Array, step: Array | int, spikes: Array, delay: Array | int) -> tuple[Array, Array]:
    """Hand in the spikes of this step, take out those that are due now.

    Args:
        ring: ``(D, n_source)`` bool.
        step: the current step.
        spikes: ``(n_source,)`` bool, due at ``step + delay``.
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
        ring = ring.at[(step + delay) % length].max(spikes)
    return ring[step % length], ring
