"""Dense execution: a product of the spike vector with a matrix of contributions.

The matrix is built once per run, so contributions must be constant over the run and finite (a
silent source's infinite contribution would give ``0 * inf``). Several synapses of one pair sum up
in its entry. The work is ``n_source * n_target`` multiplications a step and distinct delay.
Spikes may be floats; the result is differentiable with respect to spikes and contributions. Products have the full
precision of the type, or that of ``jax.default_matmul_precision`` where it is set (``with
jax.default_matmul_precision("tensorfloat32")`` is faster on a GPU, and rounds weights to ten bits).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxsnn.errors import ArgumentError
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
class Dense:
    """One matrix per output; K = number of distinct delays, 1 without delays.

    ``matrices``: ``(K, n_source, n_target)`` for a variable of the target, ``(K, n_source)`` (the
    diagonal of the same sum) for a variable of the source.
    """

    matrices: tuple[Array, ...]
    sides: tuple[str, ...] = field(metadata={"static": True})


def prepare(
    wiring: Wiring,
    outputs: tuple[Output, ...],
    contribution: Contribution,
    constants: Operands | None = None,
    backend: str | None = None,
) -> Dense:
    """Build the matrices. The backend makes no difference.

    Raises:
        ArgumentError: if the contributions are not constant (``constants`` is None).
    """
    if constants is None:
        raise ArgumentError(
            "the dense execution needs contributions that stay constant over the run, and this "
            "pathway's change: use the 'masked' or the 'event_list' execution."
        )
    values = all_edge_values(contribution, constants, wiring)
    if wiring.delay is None:
        n_delays, which = 1, jnp.zeros_like(wiring.source)
    else:
        delays = jnp.asarray(wiring.distinct_delays, jnp.int32)
        n_delays, which = len(wiring.distinct_delays), jnp.searchsorted(delays, wiring.delay)
    matrices = []
    for output, value in zip(outputs, values, strict=True):
        # Whole-number contributions still need a float matrix: no BLAS multiplies integers.
        dtype = jnp.promote_types(value.dtype, jnp.float32)
        value = jnp.broadcast_to(value, wiring.source.shape).astype(dtype)
        if output.side == "target":
            empty = jnp.zeros((n_delays, wiring.n_source, wiring.n_target), dtype)
            matrices.append(empty.at[which, wiring.source, wiring.target].add(value))
        else:
            empty = jnp.zeros((n_delays, wiring.n_source), dtype)
            matrices.append(empty.at[which, wiring.source].add(value))
    return Dense(matrices=tuple(matrices), sides=tuple(output.side for output in outputs))


def deliver(
    prepared: Dense,
    wiring: Wiring,
    spikes: Array,
    contribution: Contribution,
    operands: Operands | None,
    accumulators: tuple[Array, ...],
    step: Array | int = 0,
) -> tuple[Array, ...]:
    """Add ``spikes @ matrix`` to the accumulators."""
    if wiring.n_synapses == 0:
        return accumulators
    result = []
    for side, matrix, accumulator in zip(prepared.sides, prepared.matrices, accumulators, strict=True):
        weight = spikes.astype(matrix.dtype)
        if side == "target":
            # TensorFloat-32 on a GPU would round weights to ten bits: only for who asks for it.
            precision = None if getattr(jax.config, "jax_default_matmul_precision", None) else lax.Precision.HIGHEST
            amount = jnp.einsum("s,kst->kt", weight, matrix, precision=precision)
        else:
            amount = weight * matrix
        amount = amount.astype(accumulator.dtype)
        if wiring.delay is None:
            result.append(accumulator + amount[0])
        else:
            delays = jnp.asarray(wiring.distinct_delays, jnp.int32)
            slots = lax.rem(step + delays, jnp.int32(accumulator.shape[0]))
            result.append(accumulator.at[slots].add(amount))
    return tuple(result)


EXECUTION = Execution(prepare, deliver)
