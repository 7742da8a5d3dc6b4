"""Ring of target increments: a delay per synapse, for code that only adds.

State: ``(D, n)`` with ``D = max delay + 2``; slot ``t % D`` holds the sum of what arrives at step
``t``. A spike writes its contributions into the slots ``(step + delay) % D`` at once, so that a
delayed synapse costs what an undelayed one costs; memory is ``D * n`` numbers for each accumulated
variable, however many synapses there are. Push first, then take: a delay of 0 arrives in the same
step.

>>> ring = init(longest_delay=2, n=3)
>>> ring = ring.at[(0 + 2) % 4, 1].add(0.5)  # a push at step 0 with a delay of 2
>>> for step in range(3):
...     arrivals, ring = take(ring, step)
>>> arrivals.tolist()
[0.0, 0.5, 0.0]
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxsnn.delays.slots import resize

__all__ = ["init", "resize", "take"]


def init(longest_delay: int, n: int, dtype: Any = None) -> Array:
    """An empty ring ``(longest_delay + 2, n)`` for delays of 0 to ``longest_delay`` steps."""
    return jnp.zeros((longest_delay + 2, n), dtype)


def take(ring: Array, step: Array | int) -> tuple[Array, Array]:
    """``(what arrives at this step (n,), the ring for the next step)``; once in every step.

    What is taken stays in its slot until the next step, which clears it: clearing a slot after
    reading it makes XLA copy the ring each step (50 us for 100 slots of 4,000 floats on a CPU,
    against 3). That is what the second slot beyond the longest delay is for.
    """
    length = ring.shape[0]
    ring = ring.at[(step - 1) % length].set(0)
    return ring[step % length], ring
