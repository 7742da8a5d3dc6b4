"""Kernel execution: one GPU kernel for a pathway, which walks the rows of the sources that fired.

Each program of the kernel looks at a block of sources. What happens next depends on the rows:

* long rows: the program takes its firing sources one after the other and adds a row in pieces of
  up to 512 synapses, one synapse a lane;
* short rows (fewer than `SHORT_ROW` synapses on average): every lane walks the row of its own
  source, all lanes at once.

The user's contribution is traced into the kernel, so it is the same function that every other
execution calls; additions to accumulators are atomic. New values of synapses
need no atomics, because each synapse stands in one row. No list of spikes is made, so no number of
spikes is too many, and a step without spikes costs one read of the flags. The order of the atomic
additions differs from run to run, hence so does the last bit of a sum.

Pallas' Triton backend compiles it. That backend is deprecated since JAX 0.11, so this is the only
file that touches it, and `available` says whether it can be used; everything else works without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl

from jaxsnn.events.contract import (
    NUMBER,
    Contribution,
    Evaluated,
    Execution,
    Operands,
    Wiring,
    evaluate_constants,
    with_outputs,
)

try:
    from jax.experimental.pallas import triton

    HAS_TRITON = True
except ImportError:  # pragma: no cover - a JAX without this backend
    HAS_TRITON = False

SHORT_ROW = 24
SOURCES = 128
LONGEST_PIECE = 512
NUM_WARPS = 4


def available(backend: str) -> bool:
    """Whether the kernel can be compiled: on an NVIDIA GPU, with Pallas' Triton backend."""
    return HAS_TRITON and backend == "gpu" and jax.default_backend() == "gpu"


def deliver(
    prepared: Evaluated,
    wiring: Wiring,
    spikes: Array,
    contribution: Contribution,
    operands: Operands | None,
    accumulators: tuple[Array, ...],
    step: Array | int = 0,
) -> tuple[Array, ...]:
    """Add the contributions of the synapses of firing sources to the accumulators."""
    if wiring.n_synapses == 0 or not accumulators:
        return accumulators
    arrays = _Arrays()
    fired = arrays.add((spikes if spikes.dtype == jnp.bool_ else spikes != 0).astype(jnp.int8))
    row_start = arrays.add(wiring.row_start)
    target = arrays.add(wiring.target)
    delay = None if wiring.delay is None else arrays.add(wiring.delay)
    now = None if delay is None else arrays.add(jnp.asarray(step, jnp.int32).reshape(1))
    operands = with_outputs(operands or Operands(), prepared.outputs, accumulators)
    numbers = None if wiring.synapse is None or prepared.values is not None else arrays.add(wiring.synapse)

    def number(refs: tuple[Any, ...], edge: Array, live: Array) -> Array:
        return edge if numbers is None else triton.load(refs[numbers].at[edge], mask=live, other=0)

    values = _values(prepared, number, contribution, operands, arrays)
    # Pallas cannot load the single bits that Triton makes of booleans.
    flags = [a.dtype == jnp.bool_ for a in accumulators]
    accumulators = tuple(a.astype(jnp.int8) if flag else a for a, flag in zip(accumulators, flags, strict=True))
    n_inputs = len(arrays.given)

    def add(refs: tuple[Any, ...], sums: tuple[Any, ...], edge: Array, live: Array, source: Array) -> None:
        to = triton.load(refs[target].at[edge], mask=live, other=0)
        amounts = values(refs, sums, edge, live, wiring.origin(source), to)
        for (side, _), amount, total in zip(prepared.outputs, amounts, sums, strict=True):
            amount = jnp.broadcast_to(amount, edge.shape).astype(total.dtype)
            if side == "synapse":
                # A synapse belongs to one row, so nobody else writes its place.
                triton.store(total.at[number(refs, edge, live)], amount, mask=live)
                continue
            place = to if side == "target" else jnp.broadcast_to(wiring.origin(source), edge.shape)
            if delay is None or now is None:
                triton.atomic_add(total, (place,), amount, mask=live)
            else:
                wait = triton.load(refs[delay].at[edge], mask=live, other=0)
                slot = lax.rem(refs[now][0] + wait, jnp.int32(total.shape[0]))
                triton.atomic_add(total, (slot, place), amount, mask=live)

    short = wiring.n_synapses < SHORT_ROW * wiring.n_source
    walk = _walk_lanes if short else _walk_rows
    width = _power_of_two(wiring.longest_row, 32, LONGEST_PIECE)

    def kernel(*refs: Any) -> None:
        inputs, sums = refs[:n_inputs], refs[n_inputs + len(accumulators) :]
        walk(
            inputs[fired],
            inputs[row_start],
            wiring.n_source,
            width,
            lambda edge, live, source: add(inputs, sums, edge, live, source),
        )

    anywhere = pl.BlockSpec(memory_space=pl.ANY)
    results = pl.pallas_call(
        kernel,
        out_shape=tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in accumulators),
        grid=(pl.cdiv(wiring.n_source, SOURCES),),
        in_specs=[anywhere] * (n_inputs + len(accumulators)),
        out_specs=(anywhere,) * len(accumulators),
        input_output_aliases={n_inputs + k: k for k in range(len(accumulators))},
        compiler_params=triton.CompilerParams(num_warps=NUM_WARPS),
    )(*arrays.given, *accumulators)
    return tuple(a.astype(jnp.bool_) if flag else a for a, flag in zip(results, flags, strict=True))


class _Arrays:
    """Inputs of the kernel in order; `add` returns the place of an array among them."""

    def __init__(self) -> None:
        self.given: list[Array] = []

    def add(self, array: Array) -> int:
        self.given.append(array.astype(jnp.int8) if array.dtype == jnp.bool_ else array)
        return len(self.given) - 1


def _values(
    prepared: Evaluated,
    number: Callable[..., Array],
    contribution: Contribution,
    operands: Operands,
    arrays: _Arrays,
) -> Callable[..., tuple[Array, ...]]:
    """A function of (refs, sums, edge, live, source, target) that gives the contributions inside the kernel."""
    if prepared.values is not None:
        places = [(arrays.add(value.reshape(-1)), value.ndim) for value in prepared.values]

        def constant(refs: Any, sums: Any, edge: Array, live: Array, source: Array, target: Array) -> tuple[Array, ...]:
            return tuple(
                triton.load(refs[place].at[edge], mask=live, other=0) if ndim else refs[place][0]
                for place, ndim in places
            )

        return constant
    changing = {output.name: k for k, output in enumerate(prepared.outputs) if output.side == "synapse"}
    own = {name: arrays.add(value) for name, value in operands.synapse.items() if name not in changing}
    by_source = {name: arrays.add(value) for name, value in operands.source.items()}
    by_target = {name: arrays.add(value) for name, value in operands.target.items()}
    shared = {name: arrays.add(jnp.reshape(value, 1)) for name, value in operands.shared.items()}
    every = (operands.synapse, operands.source, operands.target, operands.shared)
    flags = {name for values in every for name, value in values.items() if jnp.asarray(value).dtype == jnp.bool_}

    def computed(refs: Any, sums: Any, edge: Array, live: Array, source: Array, target: Array) -> tuple[Array, ...]:
        synapse = number(refs, edge, live)
        source = jnp.broadcast_to(source, edge.shape)

        def load(ref: Any, place: Array) -> Array:
            return triton.load(ref.at[place], mask=live, other=0)

        found = {name: load(sums[k], synapse) for name, k in changing.items()}
        found |= {name: load(refs[k], synapse) for name, k in own.items()}
        found |= {name: load(refs[k], source) for name, k in by_source.items()}
        found |= {name: load(refs[k], target) for name, k in by_target.items()}
        found |= {name: refs[k][0] for name, k in shared.items()}
        found |= {name: found[name] != 0 for name in flags}
        return contribution({**found, NUMBER: synapse})

    return computed


def _walk_rows(fired: Any, row_start: Any, n: int, width: int, add: Callable[..., None]) -> None:
    """One firing source of the block after the other, a piece of its row at a time."""
    lane = jnp.arange(SOURCES, dtype=jnp.int32)
    piece = jnp.arange(width, dtype=jnp.int32)
    base = pl.program_id(0) * SOURCES
    flags = triton.load(fired.at[base + lane], mask=base + lane < n, other=0).astype(jnp.int32)

    def one_source(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        flags, left = carry
        place = jnp.max(jnp.where(flags > 0, lane, -1))
        source = base + place
        end = row_start[source + 1]

        def one_piece(carry: tuple[Array]) -> tuple[Array]:
            (begin,) = carry
            edge = begin + piece
            add(edge, edge < end, source)
            return (begin + width,)

        lax.while_loop(lambda carry: carry[0] < end, one_piece, (row_start[source],))
        return jnp.where(lane == place, 0, flags), left - 1

    lax.while_loop(lambda carry: carry[1] > 0, one_source, (flags, jnp.sum(flags)))


def _walk_lanes(fired: Any, row_start: Any, n: int, width: int, add: Callable[..., None]) -> None:
    """Every lane walks the row of its own source."""
    source = pl.program_id(0) * SOURCES + jnp.arange(SOURCES, dtype=jnp.int32)
    active = triton.load(fired.at[source], mask=source < n, other=0) > 0
    begin = triton.load(row_start.at[source], mask=active, other=0)
    end = triton.load(row_start.at[source + 1], mask=active, other=0)
    longest = jnp.max(end - begin)

    def one_each(carry: tuple[Array]) -> tuple[Array]:
        (k,) = carry
        edge = begin + k
        add(edge, active & (edge < end), source)
        return (k + 1,)

    lax.while_loop(lambda carry: carry[0] < longest, one_each, (jnp.int32(0),))


def _power_of_two(size: int, least: int, most: int) -> int:
    return min(most, max(least, 1 << max(0, size - 1).bit_length()))


EXECUTION = Execution(evaluate_constants, deliver)
