"""Event-list execution: only the rows of sources that fired are read.

Any number of spikes is exact, because the spikes are worked off in a loop and not gathered into
a list of limited length. Two strategies give the same sums:

* `_one_by_one` (CPU): flags are packed into 32-bit words; a scalar loop steps over empty words and
  takes the lowest set bit, and the row of that source is added as one contiguous slice.
* `_in_blocks` (GPU): a two-level compaction (counts per block, prefix sums, scatter) lists the
  sources that fired, and each trip of a loop adds a rectangle of several rows at once; the usual
  step needs one trip (10^6 neurons of 100 synapses on an H200: 94 us a step at 220 spikes).

Microseconds a step on one CPU thread for n neurons of 80 synapses firing at 5.5 Hz (dt = 0.1 ms),
float32, weights of single synapses: two pathways, and the decay of two currents, which is 0.4 and 4
of it. This chose how `_one_by_one` finds the next source:

| finding the next source                         | n = 4,000 | n = 40,000 |
|-------------------------------------------------|-----------|------------|
| packed by bytes, scalar loop over words         | 3.3       | 31         |
| packed by bits of 32 rows, scalar loop          | 4.2       | 48         |
| any of sqrt(n) blocks, vector search per level  | 5.3       | 45         |
| two-level compaction into a list                | 73        | 311        |
| nothing to find: the same number of random rows | -         | 26         |

Spikes are flags here: a float spike counts as fired unless it is 0, and carries no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxsnn.events.contract import (
    Contribution,
    Execution,
    Operands,
    Output,
    Wiring,
    all_edge_values,
    edge_values,
    with_outputs,
)

Sums = tuple[Array, ...]
WORD, BYTE = 32, 8
LANES_OF_A_ROW = 1024  # on a CPU some 0.5 us of work, a few times what a trip costs by itself
LANES_OF_A_BLOCK = 65_536  # fills a GPU
SOURCES_OF_A_BLOCK = 128


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class EventList:
    """``values``: one ``(S,)`` array or scalar per output when contributions are constant."""

    values: tuple[Array, ...] | None
    outputs: tuple[Output, ...] = field(metadata={"static": True})
    backend: str = field(metadata={"static": True})


def prepare(
    wiring: Wiring,
    outputs: tuple[Output, ...],
    contribution: Contribution,
    constants: Operands | None = None,
    backend: str | None = None,
) -> EventList:
    """Evaluate the contributions if they are constant, and fix the strategy.

    ``backend`` is ``"cpu"``, ``"gpu"``, ...; by default that of JAX.
    """
    values = None if constants is None else all_edge_values(contribution, constants, wiring)
    return EventList(
        values=values,
        outputs=outputs,
        backend=jax.default_backend() if backend is None else backend,
    )


def deliver(
    prepared: EventList,
    wiring: Wiring,
    spikes: Array,
    contribution: Contribution,
    operands: Operands | None,
    accumulators: Sums,
    step: Array | int = 0,
) -> Sums:
    """Add the contributions of the synapses of firing sources to the accumulators."""
    if wiring.n_synapses == 0:
        return accumulators
    fired = spikes if spikes.dtype == jnp.bool_ else spikes != 0
    add = partial(_add, prepared, wiring, contribution, operands or Operands(), step)
    by_row = prepared.backend == "cpu"
    width = min(wiring.longest_row, LANES_OF_A_ROW)
    n_rows = max(1, min(wiring.n_source, LANES_OF_A_BLOCK // width))
    shape = (width,) if by_row else (n_rows, width)
    sums = tuple(accumulators)
    totals = Totals(sums, _nothing(prepared.outputs, sums, shape, by_row and wiring.synapse is None))
    totals = (_one_by_one if by_row else _in_blocks)(wiring, fired, add, totals, shape)
    return _written(prepared.outputs, totals)


class Piece(NamedTuple):
    """Some synapses, as places in the sorted arrays.

    ``read(x)`` takes their entries out of a sorted ``(S,)`` array; ``edge`` are their places, those that are not
    ``live`` count for nothing, and ``source`` is broadcastable to their shape. ``start``: where they begin, if
    they are contiguous.
    """

    read: Callable[[Array], Array]
    edge: Array
    source: Array
    live: Array
    start: Array | None


class Pending(NamedTuple):
    """New values of the synapses of the last piece, not yet written: one array for each output of synapses.

    ``place``: where contiguous values begin, or the number of each synapse (S or more: of none).
    """

    place: Array
    values: Sums


class Totals(NamedTuple):
    """What the loop over pieces carries.

    A piece is written after the next trip has begun, and the next one is read from what was written then.
    With reading and writing of one array in one trip, XLA cannot tell which comes first, and copies the array.
    """

    sums: Sums
    pending: Pending | None


def _nothing(outputs: tuple[Output, ...], sums: Sums, shape: tuple[int, ...], contiguous: bool) -> Pending | None:
    """Writing this changes nothing."""
    arrays = [x for output, x in zip(outputs, sums, strict=True) if output.side == "synapse"]
    if not arrays:
        return None
    if contiguous:
        return Pending(jnp.int32(0), tuple(x[: shape[0]] for x in arrays))
    return Pending(jnp.full(shape, arrays[0].shape[0], jnp.int32), tuple(jnp.zeros(shape, x.dtype) for x in arrays))


def _written(outputs: tuple[Output, ...], totals: Totals) -> Sums:
    """The accumulators with what was pending."""
    if totals.pending is None:
        return totals.sums
    place, values = totals.pending
    left = iter(values)
    return tuple(
        total
        if output.side != "synapse"
        else lax.dynamic_update_slice(total, next(left), (place,))
        if place.ndim == 0
        else total.at[place].set(next(left), mode="drop")
        for output, total in zip(outputs, totals.sums, strict=True)
    )


def _add(
    prepared: EventList,
    wiring: Wiring,
    contribution: Contribution,
    operands: Operands,
    step: Array | int,
    piece: Piece,
    totals: Totals,
) -> Totals:
    """Add some synapses to the accumulators."""
    sums = _written(prepared.outputs, totals)
    read, live = piece.read, piece.live
    source, target = wiring.origin(piece.source), read(wiring.target)
    values = prepared.values
    number = piece.edge if wiring.synapse is None else read(wiring.synapse)
    if values is not None:
        values = tuple(read(value) if value.ndim else value for value in values)
    else:
        operands = with_outputs(operands, prepared.outputs, sums)
        take = read if wiring.synapse is None else lambda x: jnp.take(x, number, mode="clip")
        before = {name: take(value) for name, value in operands.synapse.items()}
        values = edge_values(contribution, operands._replace(synapse=before), source, target, None, number)
    delay = None if wiring.delay is None else read(wiring.delay)
    result, new = [], []
    contiguous = piece.start is not None and wiring.synapse is None
    for (side, name), value, total in zip(prepared.outputs, values, sums, strict=True):
        if side == "synapse":
            value = jnp.broadcast_to(value, live.shape).astype(total.dtype)
            new.append(jnp.where(live, value, before[name]) if contiguous else value)
            result.append(total)
            continue
        # What is not live gets an index beyond the end, which "drop" leaves out.
        to = jnp.where(live, target if side == "target" else source, total.shape[-1])
        value = jnp.broadcast_to(value, live.shape).astype(total.dtype)
        if delay is None:
            result.append(total.at[to].add(value, mode="drop"))
        else:
            slot = lax.rem(step + delay, jnp.int32(total.shape[0]))
            result.append(total.at[slot, to].add(value, mode="drop"))
    if not new:
        return Totals(tuple(result), None)
    scattered = jnp.where(live, number, wiring.n_synapses)
    place = piece.start if contiguous and piece.start is not None else scattered
    return Totals(tuple(result), Pending(place, tuple(new)))


def _one_by_one(
    wiring: Wiring, fired: Array, add: Callable[..., Totals], totals: Totals, shape: tuple[int, ...]
) -> Totals:
    words = _pack(fired)
    n_words = words.shape[0]
    (width,) = shape
    lane = jnp.arange(width, dtype=jnp.int32)

    def add_row(source: Array, totals: Totals) -> Totals:
        begin, end = wiring.row_start[source], wiring.row_start[source + 1]

        def add_piece(piece: Array | int, totals: Totals) -> Totals:
            first = begin + piece * width
            # A slice cannot reach beyond the array: near its end it starts early instead.
            start = jnp.minimum(first, wiring.n_synapses - width)
            edge = start + lane
            live = (edge >= first) & (edge < end)
            return add(Piece(lambda x: lax.dynamic_slice(x, (start,), (width,)), edge, source, live, start), totals)

        if wiring.longest_row <= width:
            return add_piece(0, totals)
        return lax.fori_loop(0, (end - begin + width - 1) // width, add_piece, totals)

    def skip_empty(place: Array, word: Array) -> tuple[Array, Array]:
        return lax.while_loop(
            lambda at: (at[1] == 0) & (at[0] < n_words),
            lambda at: (at[0] + 1, words[jnp.minimum(at[0] + 1, n_words - 1)]),
            (place, word),
        )

    def one_spike(carry: tuple[Array, Array, Totals]) -> tuple[Array, Array, Totals]:
        place, word, totals = carry
        bit = (WORD - 1) - lax.clz(word & (~word + jnp.uint32(1))).astype(jnp.int32)
        totals = add_row(_source_of(place, bit, n_words), totals)
        place, word = skip_empty(place, word & (word - jnp.uint32(1)))
        return place, word, totals

    place, word = skip_empty(jnp.int32(0), words[0])
    return lax.while_loop(lambda carry: carry[0] < n_words, one_spike, (place, word, totals))[2]


def _pack(fired: Array) -> Array:
    """Flags as uint32 words, eight rows of flags to a row of bytes, four bytes to a word.

    Consecutive bytes hold consecutive sources, so that packing is eight vector operations on long
    rows; consecutive *bits* would need a reduction over each eight neighbours.
    """
    n_words = -(-fired.shape[0] // WORD)
    rows = jnp.pad(fired, (0, n_words * WORD - fired.shape[0])).reshape(BYTE, -1)
    weight = jnp.uint8(1) << jnp.arange(BYTE, dtype=jnp.uint8)
    packed = jnp.sum(rows.astype(jnp.uint8) * weight[:, None], axis=0, dtype=jnp.uint8)
    words = lax.bitcast_convert_type(packed.reshape(n_words, 4), jnp.uint32)
    # Without the barrier XLA may recompute the packing wherever a word is read.
    return lax.optimization_barrier(words)


def _source_of(place: Array, bit: Array, n_words: int) -> Array:
    """The source behind a bit of the word at this place: the inverse of `_pack`."""
    byte, row = bit // BYTE, bit % BYTE
    return row * (4 * n_words) + 4 * place + byte


def _in_blocks(
    wiring: Wiring, fired: Array, add: Callable[..., Totals], totals: Totals, shape: tuple[int, ...]
) -> Totals:
    n_source = wiring.n_source
    n_rows, width = shape
    listed, n_fired = _compact(fired)
    lane, row = jnp.arange(width, dtype=jnp.int32), jnp.arange(n_rows, dtype=jnp.int32)

    def one_block(carry: tuple[Array, Array, Totals]) -> tuple[Array, Array, Totals]:
        block, piece, totals = carry
        source = jnp.take(listed, block * n_rows + row, mode="fill", fill_value=n_source)
        # Beyond the list the source is n_source, whose row is empty: both ends are clamped to S.
        begin = jnp.take(wiring.row_start, source, mode="clip") + piece * width
        end = jnp.take(wiring.row_start, source + 1, mode="clip")
        edge = begin[:, None] + lane
        live = edge < end[:, None]
        sources = jnp.broadcast_to(source[:, None], edge.shape)
        totals = add(Piece(lambda x: jnp.take(x, edge, mode="clip"), edge, sources, live, None), totals)
        longer = jnp.any(begin + width < end)
        return jnp.where(longer, block, block + 1), jnp.where(longer, piece + 1, 0), totals

    start = (jnp.int32(0), jnp.int32(0), totals)
    return lax.while_loop(lambda carry: carry[0] * n_rows < n_fired, one_block, start)[2]


def _compact(fired: Array) -> tuple[Array, Array]:
    """``(listed (n,), n_fired)``: the sources that fired, ascending, then ``n`` as filling."""
    n = fired.shape[0]
    grid = jnp.pad(fired, (0, -n % SOURCES_OF_A_BLOCK)).reshape(-1, SOURCES_OF_A_BLOCK)
    within = jnp.cumsum(grid, axis=1, dtype=jnp.int32)
    count = within[:, -1]
    before = jnp.cumsum(count, dtype=jnp.int32) - count
    position = jnp.where(grid, before[:, None] + within - 1, n).reshape(-1)
    number = jnp.arange(position.shape[0], dtype=jnp.int32)
    return jnp.full(n, n, jnp.int32).at[position].set(number, mode="drop"), jnp.sum(count)


EXECUTION = Execution(prepare, deliver)
