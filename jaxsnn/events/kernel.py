"""Kernel execution: one GPU kernel for a pathway, which walks the rows of the sources that fired.

Each program of the kernel looks at a block of sources (see `jaxsnn.events.gpu.walk`). The user's contribution is
traced into the kernel, so it is the same function that every other execution calls; additions to accumulators are
atomic. New values of synapses need no atomics, because each synapse stands in one row. No list of spikes is made,
so no number of spikes is too many, and a step without spikes costs one read of the flags. The order of the atomic
additions differs from run to run, hence so does the last bit of a sum.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

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
from jaxsnn.events.gpu.triton import Kernel, Launch, Memory, Place, available
from jaxsnn.events.gpu.walk import Lanes, block, walk, warps

__all__ = ["EXECUTION", "available", "constant_values", "deliver"]

FEWEST_SOURCES, MOST_SOURCES = 128, 1024

Values = Callable[[Memory, Array, Array, Array, Array], tuple[Any, ...]]
"""``values(memory, edge, live, source, target)``: the contributions of the synapses at these places."""


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
    launch = Launch()
    fired = launch.read(spikes if spikes.dtype == jnp.bool_ else spikes != 0)
    row_start, target = launch.read(wiring.row_start), launch.read(wiring.target)
    delay = None if wiring.delay is None else launch.read(wiring.delay)
    now = None if delay is None else launch.read(jnp.asarray(step, jnp.int32))
    sums = [launch.change(total) for total in accumulators]
    widths = [total.shape[-1] for total in accumulators]
    lengths = [total.shape[0] for total in accumulators]
    operands = with_outputs(operands or Operands(), prepared.outputs, accumulators)
    numbers = None if wiring.synapse is None else launch.read(wiring.synapse)
    values = _values(prepared, numbers, contribution, operands, sums, launch)

    def body(size: int, memory: Memory, program: Array) -> None:
        lane = jnp.arange(size, dtype=jnp.int32)
        base = program * size
        source = base + lane
        active = memory.load(fired, source, source < wiring.n_source) > 0

        def add(edge: Array, live: Array, source: Array) -> None:
            to = memory.load(target, edge, live)
            origin = jnp.broadcast_to(wiring.origin(source), edge.shape)
            amounts = values(memory, edge, live, origin, to)
            for k, ((side, _), amount) in enumerate(zip(prepared.outputs, amounts, strict=True)):
                if side == "synapse":
                    number = edge if numbers is None else memory.load(numbers, edge, live)
                    # A synapse belongs to one row, so nobody else writes its place.
                    memory.store(sums[k], number, amount, live)
                    continue
                place = to if side == "target" else origin
                if delay is not None and now is not None:
                    due = memory.scalar(now) + memory.load(delay, edge, live)
                    place = lax.rem(due, jnp.int32(lengths[k])) * jnp.int32(widths[k]) + place
                memory.add(sums[k], place, amount, live)

        walk(memory, row_start, Lanes(lane, source, active, lambda lane: base + lane), wiring, add)

    def kernel(copies: int) -> Kernel:
        size = block(wiring.n_source, FEWEST_SOURCES, MOST_SOURCES, copies)
        return Kernel(partial(body, size), -(-wiring.n_source // size), warps([wiring]), "deliver")

    return launch(kernel)[0]


def _values(
    prepared: Evaluated,
    numbers: Place | None,
    contribution: Contribution,
    operands: Operands,
    sums: list[Place],
    launch: Launch,
) -> Values:
    """The contributions inside the kernel."""
    if prepared.values is not None:
        return constant_values(prepared.values, launch)
    changing = {o.name: place for o, place in zip(prepared.outputs, sums, strict=True) if o.side == "synapse"}
    own = {name: launch.read(value) for name, value in operands.synapse.items() if name not in changing}
    by_source = {name: launch.read(value) for name, value in operands.source.items()}
    by_target = {name: launch.read(value) for name, value in operands.target.items()}
    shared = {name: launch.read(value) for name, value in operands.shared.items()}
    every = (operands.synapse, operands.source, operands.target, operands.shared)
    flags = {name for values in every for name, value in values.items() if jnp.asarray(value).dtype == jnp.bool_}

    def computed(memory: Memory, edge: Array, live: Array, source: Array, target: Array) -> tuple[Array, ...]:
        number = edge if numbers is None else memory.load(numbers, edge, live)
        found = {name: memory.load(k, number, live) for name, k in {**own, **changing}.items()}
        found |= {name: memory.load(k, source, live) for name, k in by_source.items()}
        found |= {name: memory.load(k, target, live) for name, k in by_target.items()}
        found |= {name: memory.scalar(k) for name, k in shared.items()}
        found |= {name: found[name] != 0 for name in flags}
        return contribution({**found, NUMBER: number})

    return computed


def constant_values(values: tuple[Array, ...], launch: Launch) -> Values:
    """Contributions that were evaluated before the run, one number for all synapses or one each (sorted)."""
    places = [(launch.read(value), jnp.ndim(value)) for value in values]

    def constant(memory: Memory, edge: Array, live: Array, source: Array, target: Array) -> tuple[Any, ...]:
        return tuple(memory.load(k, edge, live) if ndim else memory.scalar(k) for k, ndim in places)

    return constant


EXECUTION = Execution(evaluate_constants, deliver)
