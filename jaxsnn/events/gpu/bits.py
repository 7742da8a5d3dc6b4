"""Which bits of a long row of bits are set: a list of them, in order."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxsnn.events.gpu.triton import Kernel, Launch, Memory

__all__ = ["set_bits"]

Array = Any
LANES = 256
"""Words that a program takes."""


def set_bits(words: Array, capacity: int) -> Array:
    """(capacity,) int32: ``32 * word + bit`` of the first bits that are set, in order; what is left over is undefined.

    Args:
        words: (n,) uint32, less than 2^26 of them.
        capacity: How many to list.

    >>> from jaxsnn.events.gpu import triton
    >>> with triton.interpreted():
    ...     set_bits(jnp.array([0, 5, 1 << 31], jnp.uint32), 3).tolist()
    [32, 34, 95]
    """
    n = words.shape[0]
    programs = -(-n // LANES)
    counts = lax.population_count(jnp.pad(words, (0, -n % LANES))).reshape(programs, LANES).sum(axis=1, dtype=jnp.int32)
    launch = Launch()
    given = launch.read(lax.bitcast_convert_type(words, jnp.int32))
    begin = launch.read(jnp.cumsum(counts) - counts)
    listed = launch.make(capacity, jnp.int32)

    def body(memory: Memory, program: Array) -> None:
        at = program * LANES + jnp.arange(LANES)
        word = memory.load(given, at, at < n)
        bits = [(word >> k) & 1 for k in range(32)]  # the sign comes in from the left, behind the bit that is taken
        count = sum(bits[1:], bits[0])
        place = memory.scalar(begin, program) + jnp.cumsum(count) - count
        for k, bit in enumerate(bits):
            memory.store(listed, place, 32 * at + k, (bit != 0) & (place < capacity))
            place = place + bit

    _, (found,) = launch(lambda copies: Kernel(body, programs, name="set_bits"))
    return found
