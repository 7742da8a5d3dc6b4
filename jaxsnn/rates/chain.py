"""Chains of linear rate neurons, and what their weights become while they hear something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.events.gpu import triton
from jaxsnn.rates.rows import learn_rows
from jaxsnn.rates.stage import Stage

__all__ = ["EXECUTIONS", "Stage", "learn"]

Array = Any


def learn(
    stages: Sequence[Stage],
    weights: Sequence[Array],
    streams: Sequence[Array],
    *,
    dt: float,
    tau: float,
    execution: str | None = None,
) -> tuple[Array, ...]:
    """The weights after a stretch of input, in which every step changes them.

    Row r of each stage k is a neuron. In a step, in this order, with x the input that the stage hears and y[k-1] the
    rate that the stage before had one step ago,

        y[k]     = gain sum_j w[k, j] x_j + coupling y[k-1](t - dt)
        xhat_j  += dt/tau (x_j - xhat_j),    yhat[k] += dt/tau (y[k] - yhat[k])
        w[k, j]  = clip(w[k, j] + dt (potentiation y[k] xhat_j - depression yhat[k] x_j), 0, w_max)

    This is pair STDP with exponential windows, potentiation where the input comes first, for rates instead of spikes.
    It begins with all rates and traces at zero. A stage with ``plastic=False`` keeps its weights, whatever they are.

    Args:
        stages: From the first to the last.
        weights: For each stage an array (rows, inputs), the same number of rows in all.
        streams: Arrays (steps, inputs) of rates in hertz. A stage hears one of them, some steps later if it says so.
        dt: The time step in seconds.
        tau: The time constant of the traces (of the window) in seconds.
        execution: ``"scan"``, a loop of steps of whole matrices. ``"rows"``, a kernel in which every row goes through
            all steps by itself: on an NVIDIA GPU. None: rows where that is possible, otherwise the loop. Derivatives
            are those of the loop in any case.

    Returns:
        The weights of each stage after the last step. Batches are made by `jax.vmap`.

    Raises:
        ArgumentError: if shapes do not fit each other, or an execution is not known or cannot work here.

    >>> import jax.numpy as jnp
    >>> from jaxsnn.rates import Stage, learn
    >>> stage = Stage(potentiation=1.0, depression=1.0)
    >>> (after,) = learn([stage], [jnp.ones((1, 1))], [jnp.ones((2, 1))], dt=0.005, tau=0.02)
    >>> float(after[0, 0])  # both traces are equal as long as the weight is 1, so nothing changes
    1.0

    Source: R. Kempter, W. Gerstner, J. L. van Hemmen (1999), Phys. Rev. E 59: 4498-4514 (STDP of rates), in the
    discrete steps of M. W. H. Remme et al. (2021), PLoS Comput. Biol. 17: e1009681.
    """
    stages, streams = tuple(stages), tuple(jnp.asarray(x) for x in streams)
    weights = tuple(jnp.asarray(w) for w in weights)
    _check(stages, weights, streams)
    kind = jnp.result_type(jnp.float32, *weights)
    weights = tuple(w.astype(kind) for w in weights)
    # A place in a stream is a number of 32 bits.
    possible = triton.available(jax.default_backend()) and all(x.size < 2**31 for x in streams)
    if execution is None:
        execution = "rows" if possible else "scan"
    if execution not in EXECUTIONS:
        raise ArgumentError(f"execution={execution!r} is not known.{did_you_mean(execution, EXECUTIONS)}")
    if execution == "rows" and not possible:
        raise ArgumentError(
            f'execution="rows" is a kernel for NVIDIA GPUs and streams of less than 2^31 numbers; this process'
            f" computes on {jax.default_backend()}, with streams of {[x.shape for x in streams]}. "
            'Write execution="scan", or leave it out.'
        )
    return EXECUTIONS[execution](stages, weights, streams, jnp.asarray(dt, kind), jnp.asarray(tau, kind))


def _check(stages: tuple[Stage, ...], weights: tuple[Array, ...], streams: tuple[Array, ...]) -> None:
    if not stages or len(stages) != len(weights):
        raise ArgumentError(f"{len(stages)} stages need as many matrices of weights, and there are {len(weights)}.")
    if len({x.shape[0] for x in streams if x.ndim == 2}) != 1 or any(x.ndim != 2 for x in streams):
        raise ArgumentError(
            f"streams are arrays (steps, inputs) with the same number of steps, not {[x.shape for x in streams]}; "
            "batches are made by jax.vmap."
        )
    for k, (stage, w) in enumerate(zip(stages, weights, strict=True)):
        if not 0 <= stage.stream < len(streams):
            raise ArgumentError(
                f"stage {k} hears stream {stage.stream}, and there are streams 0 to {len(streams) - 1}."
            )
        if stage.lag < 0:
            raise ArgumentError(f"stage {k} hears its stream {stage.lag} steps later: a lag is 0 or more.")
        inputs = streams[stage.stream].shape[1]
        if w.ndim != 2 or w.shape != (weights[0].shape[0], inputs):
            rows = weights[0].shape[0] if weights[0].ndim == 2 else "rows"
            raise ArgumentError(f"the weights of stage {k} are of shape {w.shape}; ({rows}, {inputs}) would fit.")


@jax.jit
def _scan(
    stages: tuple[Stage, ...], weights: tuple[Array, ...], streams: tuple[Array, ...], dt: Array, tau: Array
) -> tuple[Array, ...]:
    """A loop of steps, each of which reads and writes whole matrices."""
    kind, rows = weights[0].dtype, weights[0].shape[0]
    steps = streams[0].shape[0]
    heard = tuple(jnp.pad(streams[s.stream].astype(kind), ((s.lag, 0), (0, 0)))[:steps] for s in stages)

    def step(carry: Any, xs: tuple[Array, ...]) -> tuple[Any, None]:
        weights, before, xhat, yhat = carry
        rates, new = [], []
        for k, (stage, w, x) in enumerate(zip(stages, weights, xs, strict=True)):
            y = stage.gain * (w @ x) + (stage.coupling * before[k - 1] if k else 0)
            rates.append(y)
        xhat = tuple(trace + dt / tau * (x - trace) for trace, x in zip(xhat, xs, strict=True))
        yhat = tuple(trace + dt / tau * (y - trace) for trace, y in zip(yhat, rates, strict=True))
        for k, (stage, w) in enumerate(zip(stages, weights, strict=True)):
            if stage.plastic:
                up = stage.potentiation * dt * rates[k]
                down = stage.depression * dt * yhat[k]
                w = jnp.clip(w + (up[:, None] * xhat[k] - down[:, None] * xs[k]), 0, stage.w_max)
            new.append(w)
        return (tuple(new), tuple(rates), xhat, yhat), None

    zeros = tuple(jnp.zeros(rows, kind) for _ in stages)
    silent = tuple(jnp.zeros(x.shape[1], kind) for x in heard)
    start: Any = (weights, zeros, silent, zeros)
    (weights, *_), _ = lax.scan(step, start, heard)
    return weights


_rows = jax.custom_jvp(learn_rows)


@_rows.defjvp
def _rows_jvp(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
    """A kernel has no derivative; the loop gives both, the weights and their derivative."""
    return jax.jvp(_scan, primals, tangents)


EXECUTIONS: Mapping[str, Callable[..., tuple[Array, ...]]] = MappingProxyType({"scan": _scan, "rows": _rows})
"""How the steps are carried out, by name."""
