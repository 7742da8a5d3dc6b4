"""Masked execution: compute every synapse, keep those whose source fired, sum by target.

The work is S gathers and S additions a step, whatever the activity. Spikes may be floats; the
result is then linear in them and differentiable with respect to spikes, operands and accumulators.
"""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
from jax import Array, lax

from jaxsnn.events import fixed_point
from jaxsnn.events.contract import (
    Contribution,
    Evaluated,
    Execution,
    Operands,
    Output,
    Wiring,
    all_edge_values,
    evaluate_constants,
    with_outputs,
)


def prepare(
    wiring: Wiring,
    outputs: tuple[Output, ...],
    contribution: Contribution,
    constants: Operands | None = None,
    backend: str | None = None,
) -> Evaluated:
    """Evaluate the contributions if they are constant, and the source of each synapse."""
    return replace(evaluate_constants(wiring, outputs, contribution, constants, backend), source=wiring.source)


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
    if wiring.n_synapses == 0:
        return accumulators
    values = prepared.values
    if values is None:
        operands = with_outputs(operands or Operands(), prepared.outputs, accumulators)
        values = all_edge_values(contribution, operands, wiring)
    source = wiring.source if prepared.source is None else prepared.source
    fired = spikes if wiring.at_arrival else spikes[source]
    result = []
    for (side, _), value, accumulator in zip(prepared.outputs, values, accumulators, strict=True):
        if side == "synapse":
            result.append(_assigned(fired, value, accumulator, wiring))
            continue
        amount = jnp.broadcast_to(_masked(fired, value), fired.shape).astype(accumulator.dtype)
        to = wiring.target if side == "target" else wiring.origin(source)
        at: tuple[Array, ...] = (to,)
        if wiring.delay is not None and not wiring.at_arrival:
            at = (lax.rem(step + wiring.delay, jnp.int32(accumulator.shape[0])), to)
        if prepared.most is None:
            in_order = len(at) == 1 and side == "source" and wiring.repeats == 1
            result.append(accumulator.at[at].add(amount, indices_are_sorted=in_order))
        else:
            result.append(fixed_point.add(accumulator, at, amount, prepared.most[side]))
    return tuple(result)


def _masked(fired: Array, value: Array) -> Array:
    if fired.dtype == jnp.bool_:
        # A selection, not a product: an infinite contribution of a silent synapse stays outside.
        return jnp.where(fired, value, jnp.zeros_like(value))
    return fired * value


def _assigned(fired: Array, value: Array, old: Array, wiring: Wiring) -> Array:
    """The variable of the synapses with its new values; float spikes blend the old value and the new."""
    before = old if wiring.synapse is None else old[wiring.synapse]
    if fired.dtype == jnp.bool_:
        new = jnp.where(fired, value.astype(old.dtype), before)
    elif jnp.issubdtype(old.dtype, jnp.floating):
        new = (before + fired * (value - before)).astype(old.dtype)
    else:
        new = jnp.where(fired > 0.5, value.astype(old.dtype), before)
    return new if wiring.synapse is None else old.at[wiring.synapse].set(new, unique_indices=True)


def prepare_in_fixed_point(
    wiring: Wiring,
    outputs: tuple[Output, ...],
    contribution: Contribution,
    constants: Operands | None = None,
    backend: str | None = None,
) -> Evaluated:
    """And how many synapses a neuron has at most, as source and as target."""
    ready = prepare(wiring, outputs, contribution, constants, backend)
    inputs = jnp.zeros(wiring.n_target, jnp.int32).at[wiring.target].add(1)
    rows = jnp.diff(wiring.row_start).reshape(wiring.repeats, -1).sum(0)
    return replace(ready, most={"target": jnp.max(inputs, initial=1), "source": jnp.max(rows, initial=1)})


EXECUTION = Execution(prepare, deliver)
IN_FIXED_POINT = Execution(prepare_in_fixed_point, deliver)
"""The same with sums of whole numbers (see `jaxsnn.events.fixed_point`): equal bits in every run, on every device."""
