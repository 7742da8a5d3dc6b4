"""Two rings of target increments: delays between whole steps, which have a derivative.

A delay of ``k + f`` steps, ``0 <= f < 1``, splits each contribution c: ``(1 - f)*c`` arrives after k steps and
``f*c`` after ``k + 1``. So the derivative of what arrives with respect to the delay is the difference of the
two slots over dt, and a whole number of steps gives what an ordinary delay gives.

State: ``(lower, upper)``, each ``(D, n)`` with ``D = longest delay + 3``. A spike at step t adds both shares into
slot ``(t + k) % D``, the one of `lower`, the other of `upper`; `lower` is read at its slot's step, `upper` one step
later. With the same slot for both, an execution sees two outputs and one delay, and looks for spikes once.

>>> import jax.numpy as jnp
>>> slot, share = split(jnp.array([0.2e-3, 0.25e-3]), dt=0.1e-3, max_delay=1e-3)
>>> slot.tolist(), [round(x, 3) for x in share.tolist()]
([2, 2], [0.0, 0.5])
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxsnn.delays import slots, target_ring

__all__ = ["init", "longest", "resize", "split", "take"]

Rings = tuple[Array, Array]
ROUNDING = 4
"""Units in the last place that a delay over dt may be off a whole number and still count as one: the delay, dt and
the division are rounded."""


def longest(max_delay: float, dt: float) -> int:
    """The longest delay in steps, rounded up."""
    return math.ceil(max_delay / dt - 1e-6)


def init(longest_delay: int, n: int, dtype: Any = None) -> Rings:
    """Empty rings for delays of 0 to ``longest_delay`` steps.

    One slot more than a `target_ring` has: `upper` is read and cleared a step later.
    """
    return target_ring.init(longest_delay + 1, n, dtype), target_ring.init(longest_delay + 1, n, dtype)


def split(delay: Array, dt: float, max_delay: float) -> tuple[Array, Array]:
    """``(slot, share)`` of delays in second: the whole steps, int32, and the rest, what arrives one step later.

    A delay outside of 0 to ``max_delay`` has the share NaN, and so has what its synapses add: nothing is clipped.
    On whole steps the derivative is the one to the right.
    """
    delay = jnp.asarray(delay)
    room = ROUNDING * float(jnp.finfo(delay.dtype).eps)
    position = delay / jnp.asarray(dt, delay.dtype)
    fixed = lax.stop_gradient(position)
    nearest = jnp.round(fixed)
    steps = jnp.where(jnp.abs(fixed - nearest) <= room * nearest, nearest, fixed)
    valid = (steps >= 0) & (steps <= max_delay / dt * (1 + room))
    slot = jnp.where(valid, jnp.floor(steps), 0)
    # The value comes from the first two terms, the derivative from the last two.
    share = jnp.where(valid, (steps - slot) + (position - fixed), jnp.nan)
    return slot.astype(jnp.int32), share


def take(rings: Rings, step: Array | int) -> tuple[Array, Rings]:
    """``(what arrives at this step (n,), the rings for the next step)``; once in every step, after the pushes."""
    first, lower = target_ring.take(rings[0], step)
    second, upper = target_ring.take(rings[1], step - 1)
    return first + second, (lower, upper)


def resize(rings: tuple[np.ndarray, np.ndarray], step: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The same increments in flight in rings of another length (see `jaxsnn.delays.slots`)."""
    return slots.resize(rings[0], step, length), slots.resize(rings[1], step - 1, length)
