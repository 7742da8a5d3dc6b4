"""Masked execution: compute every synapse, keep those whose source fired, sum by target.

The work is S gathers and S additions a step, whatever the activity. Spikes may be floats; the
result is then linear in them and differentiable with respect to spikes, operands and accumulators.
"""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
from jax import Array, lax

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
        amount = _masked(fired, value).astype(accumulator.dtype)
        to = wiring.target if side == "target" else wiring.origin(source)
        if wiring.delay is None or wiring.at_arrival:
            result.append(accumulator.at[to].add(amount, indices_are_sorted=side == "source" and wiring.repeats == 1))
        else:
            slot = lax.rem(step + wiring.delay, jnp.int32(accumulator.shape[0]))
            result.append(accumulator.at[slot, to].add(amount))
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


EXECUTION = Execution(prepare, deliver)
