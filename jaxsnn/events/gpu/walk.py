"""How a program of a kernel walks the rows of the sources that fired.

A row is what one source has: synapses ``row_start[source]`` to ``row_start[source + 1]``. Long rows are taken in
pieces, some sources at once, one synapse a lane; of short rows every lane walks that of its own source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxsnn.events.contract import Wiring
from jaxsnn.events.gpu.triton import Memory, Place

__all__ = ["Lanes", "block", "is_short", "piece", "walk", "warps"]

Array = Any
SHORT_ROW = 24
"""Synapses of a source, on average, below which every lane walks a row of its own."""
LONGEST_PIECE = 1024
"""Synapses that the lanes of a program take at once."""
PROGRAMS = 1024
"""About as many programs as run at the same time: more would wait for those that walk rows."""
LANES = 512
"""Lanes for rows that are taken together."""
MOST_AT_ONCE = 4

Add = Callable[..., None]
"""``add(edge, live, source, *carried)``: carry out the synapses at these places, in lanes of one shape."""


class Lanes(NamedTuple):
    """The sources of a program, one a lane.

    number: (B,) of each lane, 0 to B - 1; source: (B,) the source of each lane; fired: (B,) bool;
    of: lane number -> source; carried: further values of each lane, which ``add`` gets for each synapse;
    part, parts: which pieces of long rows this program takes, if several share them.
    """

    number: Array
    source: Array
    fired: Array
    of: Callable[[Array], Array]
    carried: tuple[Array, ...] = ()
    part: Array | int = 0
    parts: int = 1


def is_short(wiring: Wiring) -> bool:
    """Whether rows are short on average."""
    return wiring.n_synapses < SHORT_ROW * wiring.n_source


def block(size: int, smallest: int, largest: int, copies: int = 1) -> int:
    """How many elements a program takes: a power of two, so that there are about as many programs as run at a time.

    ``copies``: how many such kernels there are at once.
    """
    found = smallest
    while found < min(largest, size) and found * PROGRAMS < size * copies:
        found *= 2
    return found


def warps(wirings: Iterable[Wiring]) -> int:
    """Warps of a program that walks their rows: 128 synapses of a long row each."""
    widest = max((0 if is_short(wiring) else piece(wiring) for wiring in wirings), default=0)
    return 8 if widest > LANES else 4


def walk(memory: Memory, row_start: Place, lanes: Lanes, wiring: Wiring, add: Add) -> None:
    """Call ``add`` for every synapse of the sources that fired."""
    if is_short(wiring):
        _own_rows(memory, row_start, lanes, add)
    else:
        width = piece(wiring)
        _pieces(memory, row_start, lanes, width if lanes.parts == 1 else min(width, LANES), add)


def piece(wiring: Wiring) -> int:
    """How many synapses of a long row are taken at once."""
    return _power_of_two(wiring.longest_row, 32, LONGEST_PIECE)


def _pieces(memory: Memory, row_start: Place, lanes: Lanes, width: int, add: Add) -> None:
    """Some sources that fired after the others, a piece of each row at a time."""
    at_once = max(1, min(MOST_AT_ONCE, LANES // width))
    slot = jnp.arange(at_once * width, dtype=jnp.int32)
    row, column = slot // width, slot % width

    def some_sources(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        flags, left = carry
        begin = end = sources = jnp.zeros_like(slot)
        values = [jnp.zeros(slot.shape, value.dtype) for value in lanes.carried]
        longest = jnp.int32(0)
        for taken in range(at_once):
            lane = jnp.max(jnp.where(flags > 0, lanes.number, -1))
            own = lanes.number == lane
            flags = jnp.where(own, 0, flags)
            # Without one left, any row will do: none of it is live.
            source = jnp.where(lane < 0, 0, lanes.of(lane))
            first = memory.scalar(row_start, source)
            length = jnp.where(lane < 0, 0, memory.scalar(row_start, source + 1) - first)
            mine = row == taken
            begin = jnp.where(mine, first, begin)
            end = jnp.where(mine, first + length, end)
            sources = jnp.where(mine, source, sources)
            longest = jnp.maximum(longest, length)
            taken_values = [jnp.sum(jnp.where(own, value, 0), dtype=value.dtype) for value in lanes.carried]
            values = [jnp.where(mine, new, old) for new, old in zip(taken_values, values, strict=True)]

        def one_piece(carry: tuple[Array]) -> tuple[Array]:
            (done,) = carry
            edge = begin + done + column
            add(edge, edge < end, sources, *values)
            return (done + width * lanes.parts,)

        first_piece = jnp.asarray(lanes.part, jnp.int32) * width
        lax.while_loop(lambda carry: carry[0] < longest, one_piece, (first_piece,))
        return flags, left - at_once

    flags = lanes.fired.astype(jnp.int32)
    lax.while_loop(lambda carry: carry[1] > 0, some_sources, (flags, jnp.sum(flags, dtype=jnp.int32)))


def _own_rows(memory: Memory, row_start: Place, lanes: Lanes, add: Add) -> None:
    """Every lane walks the row of its own source."""
    begin = memory.load(row_start, lanes.source, lanes.fired)
    end = memory.load(row_start, lanes.source + 1, lanes.fired)
    longest = jnp.max(end - begin)

    def one_each(carry: tuple[Array]) -> tuple[Array]:
        (done,) = carry
        edge = begin + done
        add(edge, lanes.fired & (edge < end), lanes.source, *lanes.carried)
        return (done + 1,)

    lax.while_loop(lambda carry: carry[0] < longest, one_each, (jnp.int32(0),))


def _power_of_two(size: int, least: int, most: int) -> int:
    return min(most, max(least, 1 << max(0, size - 1).bit_length()))
