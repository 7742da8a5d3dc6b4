"""Masked execution: compute every synapse, keep those whose source fired, sum by target.

The work is S gathers and S additions a step, whatever the activity. Spikes may be floats; the
result is then linear in them and differentiable with respect to spikes, operands and accumulators.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Masked:
    """``values``: one ``(S,)`` array or scalar per output when contributions are constant."""

    values: tuple[Array, ...] | None
    sides: tuple[str, ...] = field(metadata={"static": True})


def prepare(
    wiring: Wiring,
    outputs: tuple[Output, ...],
    contribution: Contribution,
    constants: Operands | None = None,
    backend: str | None = None,
) -> Masked:
    """Evaluate the contributions if they are constant. The backend makes no difference."""
    values = None if constants is None else all_edge_values(contribution, constants, wiring)
    return Masked(values=values, sides=tuple(output.side for output in outputs))


def deliver(
    prepared: Masked,
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
        values = all_edge_values(contribution, operands or Operands(), wiring)
    fired = spikes[wiring.source]
    result = []
    for side, value, accumulator in zip(prepared.sides, values, accumulators, strict=True):
        amount = _masked(fired, value).astype(accumulator.dtype)
        to = wiring.target if side == "target" else wiring.source
        if wiring.delay is None:
            result.append(accumulator.at[to].add(amount, indices_are_sorted=side == "source"))
        else:
            slot = lax.rem(step + wiring.delay, jnp.int32(accumulator.shape[0]))
            result.append(accumulator.at[slot, to].add(amount))
    return tuple(result)


def _masked(fired: Array, value: Array) -> Array:
    if fired.dtype == jnp.bool_:
        # A selection, not a product: an infinite contribution of a silent synapse stays outside.
        return jnp.where(fired, value, jnp.zeros_like(value))
    return fired * value


EXECUTION = Execution(prepare, deliver)
