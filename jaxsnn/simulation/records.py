"""What leaves a step for the reader: spikes (bit-packed), values of variables, population rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.codegen.lower import lower
from jaxsnn.errors import ArgumentError
from jaxsnn.events.gpu.bits import set_bits
from jaxsnn.program import Operation, RecordRate, RecordSpikes, RecordState
from jaxsnn.simulation.frame import Frame, Setting, prepare_block, run_block
from jaxsnn.simulation.gradient.spikes import flags

__all__ = ["AT_EVENTS", "RECORDS", "SpikeRecord", "compact", "pack", "unpack"]

Array = Any
AT_EVENTS = "at_events."
"""Before the names of variables that are recorded at events."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SpikeRecord:
    """Spikes of n elements over T steps, eight to a byte (see `pack` for the order of the bits).

    packed: (..., T, ceil(n / 8)) uint8; first_step: the step of the first row; size: n; floats: (..., T, n) spikes as
    floats, which have a derivative, in a run with ``float_spikes``; values: (..., T, n) what the monitor records at
    events, by name, for all elements: ``record.values["v"][record.dense()]`` are those of the events.
    """

    packed: Array
    first_step: Array
    size: int = field(metadata={"static": True})
    floats: Array | None = None
    values: Mapping[str, Array] = field(default_factory=dict)

    def dense(self) -> Array:
        """(..., T, n) on the device: bool, or floats if the run has recorded them."""
        if self.floats is not None:
            return self.floats
        bits = (self.packed[..., None, :] >> jnp.arange(8, dtype=jnp.uint8)[:, None]) & 1
        rows = bits.reshape(*self.packed.shape[:-1], 8 * self.packed.shape[-1])
        return rows[..., : self.size].astype(bool)

    def counts(self) -> Array:
        """(..., n) spikes of each element: int32, or floats if the run has recorded them."""
        if self.floats is not None:
            return self.floats.sum(axis=-2)
        return self.dense().sum(axis=-2, dtype=jnp.int32)

    def events(self) -> tuple[np.ndarray, np.ndarray]:
        """(steps, indices) of all spikes of one run, on the host, sorted by step, then index."""
        if np.ndim(self.packed) != 2:
            raise ArgumentError(
                f"events() is for the record of one run, but this one has the shape {np.shape(self.packed)}; take"
                f" one with jax.tree.map(lambda x: x[k], record), or use counts() or dense()"
            )
        rows, columns = unpack(np.asarray(self.packed), self.size)
        return rows + int(self.first_step), columns


def unpack(packed: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(row, element) of every set bit of a (T, bytes) array of `pack`, sorted by row, then element."""
    # Most bytes are empty, and eight at once are tested as fast as one.
    flat = np.ascontiguousarray(packed).reshape(-1)
    whole = flat.size - flat.size % 8
    words = np.flatnonzero(flat[:whole].view(np.uint64) != 0)
    places = np.append((8 * words[:, None] + np.arange(8)).reshape(-1), np.arange(whole, flat.size))
    bits = np.unpackbits(flat[places][:, None], axis=1, bitorder="little")
    which, bit = np.nonzero(bits)
    row, byte = np.divmod(places[which], max(1, packed.shape[1]))
    # One number for both, as sorting by two keys takes five times as long.
    both = np.sort(row * size + bit * packed.shape[1] + byte)
    row, element = np.divmod(both, max(1, size))
    return row, element.astype(np.int32)


@partial(jax.jit, static_argnames=("size", "capacity"))
def compact(packed: Array, rows: Array, size: int, capacity: int) -> tuple[Array, Array]:
    """What `unpack` gives for the first ``rows`` rows, made on a GPU: few numbers travel instead of all bits.

    (T,) int32, how many bits are set in each row; (capacity,) int32, their elements, row by row and sorted. If more
    bits are set than ``capacity``, only the first result has a meaning.
    """
    length, width = packed.shape
    valid = jnp.where(jnp.arange(length)[:, None] < rows, packed, 0)
    counts = lax.population_count(valid).sum(axis=1, dtype=jnp.int32)
    flat = valid.reshape(-1)
    bit = set_bits(lax.bitcast_convert_type(jnp.pad(flat, (0, -flat.size % 4)).reshape(-1, 4), jnp.uint32), capacity)
    row, place = jnp.divmod(bit // 8, width)
    keys = row * size + bit % 8 * width + place
    keys = jnp.sort(jnp.where(jnp.arange(capacity) < counts.sum(), keys, jnp.iinfo(jnp.int32).max))
    return counts, keys % size


def pack(flags: Array) -> Array:
    """(n,) bool as ceil(n / 8) bytes: bit k of byte j is element ``k * ceil(n / 8) + j``.

    Bits of one byte come from eight far-apart places, so that packing is seven shifts and sums of long rows. With
    neighbours in one byte it would be a reduction over eight, which spoils the kernel it is fused into: 68 instead of
    8 us for the update of 10^6 neurons on an H200.
    """
    n_bytes = -(-flags.shape[0] // 8)
    rows = jnp.pad(flags, (0, 8 * n_bytes - flags.shape[0])).astype(jnp.uint8).reshape(8, n_bytes)
    packed = rows[0]
    for bit in range(1, 8):
        packed = packed | (rows[bit] << bit)
    return packed


class SpikesStep:
    """Bits of an event set, and the values of expressions, of all elements (how many will fire is not known)."""

    def __init__(self, operation: RecordSpikes, setting: Setting) -> None:
        self.operation = operation
        self.values = None
        if operation.code is not None:
            everything = RecordState(
                name=operation.name,
                slot=operation.slot,
                domain=operation.domain,
                every=operation.every,
                expressions=operation.expressions,
                code=operation.code,
            )
            self.values = StateStep(everything, setting)

    def prepare(self, frame: Frame) -> Any:
        return None if self.values is None else self.values.prepare(frame)

    def record(self, frame: Frame, prepared: Any) -> dict[str, Array]:
        op = self.operation
        spikes = frame.event(op.domain.owner, op.event, op.domain)
        record = {"spikes": pack(flags(spikes))}
        if frame.float_spikes:
            record["floats"] = spikes.astype(frame.setting.dtype)
        if self.values is not None:
            record |= {f"{AT_EVENTS}{name}": x for name, x in self.values.record(frame, prepared).items()}
        return record

    def finish(self, rows: Mapping[str, Array], first_step: Array) -> Any:
        values = {name.removeprefix(AT_EVENTS): x for name, x in rows.items() if name.startswith(AT_EVENTS)}
        return SpikeRecord(rows["spikes"], first_step, self.operation.domain.size, rows.get("floats"), values)


class StateStep:
    """Values of expressions at chosen elements."""

    def __init__(self, operation: RecordState, setting: Setting) -> None:
        self.operation = operation
        self.results = {f"_record_{name}": expr for name, expr in operation.expressions.items()}
        self.block = lower(
            operation.name,
            (),
            tuple(self.results),
            setting.constant_name(operation.code.scope),
            extra=self.results,
            functions=GUARDED if setting.gradient else None,
        )

    def prepare(self, frame: Frame) -> Any:
        op = self.operation
        return prepare_block(self.block, op.code, op.domain, op.every, frame)

    def record(self, frame: Frame, prepared: Any) -> dict[str, Array]:
        op = self.operation
        values = run_block(self.block, op.code, op.domain, op.every, frame, prepared, op.name)
        index = frame.tables.indices.get(op.name)
        result: dict[str, Array] = {}
        for name, value in zip(op.expressions, values, strict=True):
            value = jnp.asarray(value)
            if value.ndim == 0:
                result[name] = jnp.broadcast_to(value, (op.domain.size if index is None else index.shape[0],))
            else:
                result[name] = value if index is None else value[index]
        return result

    def finish(self, rows: Mapping[str, Array], first_step: Array) -> Any:
        return dict(rows)


class RateStep:
    """How many elements are in an event set."""

    def __init__(self, operation: RecordRate, setting: Setting) -> None:
        self.operation = operation

    def prepare(self, frame: Frame) -> Any:
        return None

    def record(self, frame: Frame, prepared: Any) -> dict[str, Array]:
        op = self.operation
        spikes = frame.event(op.domain.owner, op.event, op.domain)
        if frame.float_spikes:
            return {"count": spikes.astype(frame.setting.dtype).sum()}
        return {"count": flags(spikes).sum(dtype=jnp.int32)}

    def finish(self, rows: Mapping[str, Array], first_step: Array) -> Any:
        return dict(rows)


RECORDS: Mapping[type[Operation], Any] = {
    RecordSpikes: SpikesStep,
    RecordState: StateStep,
    RecordRate: RateStep,
}
"""The class that carries out each kind of recording."""
