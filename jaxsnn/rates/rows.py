"""A kernel in which each program is one row: its weights stay in registers from the first step to the last.

A warp for a row, so that a weighted sum needs nothing but the exchange of numbers within a warp, and nobody waits for
anybody. Only the input is read in each step, the same by all rows, so that all but the first find it in a cache.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxsnn.events.gpu.triton import Kernel, Launch, Memory
from jaxsnn.rates.stage import Stage

__all__ = ["learn_rows"]

Array = Any
NUMBERS = ("gain", "coupling", "potentiation", "depression", "w_max")


def learn_rows(
    stages: tuple[Stage, ...], weights: tuple[Array, ...], streams: tuple[Array, ...], dt: Array, tau: Array
) -> tuple[Array, ...]:
    """`jaxsnn.rates.learn` row by row."""
    rows, steps, kind = weights[0].shape[0], streams[0].shape[0], weights[0].dtype
    launch = Launch()
    heard = [launch.read(x.astype(kind)) for x in streams]
    given = [jnp.asarray(getattr(stage, name), kind) for stage in stages for name in NUMBERS]
    numbers = launch.read(jnp.stack([*given, dt, tau]))
    own = [launch.change(w) for w in weights]
    widths = [streams[s.stream].shape[1] for s in stages]
    sizes = [1 << max(5, int(np.ceil(np.log2(n)))) for n in widths]

    def body(memory: Memory, row: Array) -> None:
        lanes = [jnp.arange(size) for size in sizes]
        live = [lane < n for lane, n in zip(lanes, widths, strict=True)]
        places = [row * n + lane for lane, n in zip(lanes, widths, strict=True)]
        gain, coupling, up, down, most = (
            [memory.scalar(numbers, k * len(NUMBERS) + j) for k in range(len(stages))] for j in range(len(NUMBERS))
        )
        dt = memory.scalar(numbers, len(given))
        part = dt / memory.scalar(numbers, len(given) + 1)
        first = tuple(memory.load(w, at, on) for w, at, on in zip(own, places, live, strict=True))
        zeros = tuple(
            jnp.zeros(size, kind) if s.plastic else jnp.zeros(1, kind) for size, s in zip(sizes, stages, strict=True)
        )
        rest = tuple(jnp.zeros((), kind) for _ in stages)

        def step(t: Array, carry: Any) -> Any:
            weights, before, xhat, yhat = carry
            new_w, new_y, new_xhat, new_yhat = [], [], [], []
            for k, stage in enumerate(stages):
                since = t - stage.lag
                x = memory.load(heard[stage.stream], since * widths[k] + lanes[k], live[k] & (since >= 0))
                w = weights[k]
                y = gain[k] * jnp.sum(w * x)
                if k:
                    y = y + coupling[k] * before[k - 1]
                trace, slow = xhat[k], yhat[k]
                if stage.plastic:
                    trace = trace + part * (x - trace)
                    slow = slow + part * (y - slow)
                    w = w + (up[k] * dt * y * trace - down[k] * dt * slow * x)
                    w = jnp.minimum(jnp.maximum(w, 0), most[k])
                new_w.append(w)
                new_y.append(y)
                new_xhat.append(trace)
                new_yhat.append(slow)
            return tuple(new_w), tuple(new_y), tuple(new_xhat), tuple(new_yhat)

        last, *_ = lax.fori_loop(0, steps, step, (first, rest, zeros, rest))
        for w, at, on, value in zip(own, places, live, last, strict=True):
            memory.store(w, at, value, on)

    changed, _ = launch(lambda copies: Kernel(body, rows, warps=1, name="learn_rows"))
    return changed
