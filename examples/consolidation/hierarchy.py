"""The hierarchical network of Figure 5: one input, the hippocampus and a chain of levels, night after night.

Source: M. W. H. Remme et al. (2021), doi:10.1371/journal.pcbi.1009681, the model of Figure 5. Where the article's text
and its published code differ, a value is that of the code and the docstring says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.rates import Stage, learn

Array = Any
Weights = tuple[Array, ...]  # V of the hippocampus, W_1, W_2, ...: each (outputs, inputs)

EARLIER = 31  # memories in the hippocampus before the first night: a random matrix and 30 imprints


@dataclass(frozen=True)
class Network:
    """Input layers x_L, ..., x_1, the hippocampus and output layers y_1, ..., y_L of n linear neurons each.

    Every connection takes one step, D = dt. With xi(t) = max(0, normal(rate, rate/2)), new in each step,

        x_L(t) = xi(t),    x_i(t) = x_(i+1)(t - D),    y_0(t) = V x_1(t - D)
        y_i(t) = (W_i x_i(t - D) + y_(i-1)(t - D))/2
        dW_i/dt = A_i (y_i(t) xhat_i(t - D) - ratio yhat_i(t) x_i(t - D)),    clipped to [0, w_max] in each step

    where a hat is a low-pass filter with the time constant tau. So level i hears xi as it was L + 1 - i steps ago, the
    hippocampus as it was L steps ago. Weights are written (outputs, inputs), the transpose of the article's.

    Attributes:
        n: Neurons a layer (N).
        levels: L.
        steps: Steps a night.
        level_one: A_1 in units of w_max; 0.4 in the article's text, 0.2 in its code.
        q: A_(i+1)/A_i.
        fresh: The part of the newest memory in the weights of the hippocampus (lambda).
        dt: The step and the delay of a connection, in s.
        tau: Of the traces, in s.
        rate: r in Hz.
    """

    n: int = 256
    levels: int = 8
    steps: int = 30_000
    level_one: float = 0.2
    q: float = 0.5
    fresh: float = 0.5
    dt: float = 5e-3
    tau: float = 20e-3
    rate: float = 10.0

    @property
    def w_max(self) -> float:
        """2/n."""
        return 2 / self.n

    @property
    def ratio(self) -> float:
        """Depression over potentiation: 1.00008 for 256 neurons.

        What it takes from the sum of a neuron's n weights must balance what the hippocampus adds to it, which does not
        depend on n, so ratio - 1 goes as 1/n.
        """
        return 1 + 8e-5 * 256 / self.n

    def stages(self, scale: Array | float = 1.0) -> tuple[Stage, ...]:
        """The hippocampus and the levels, all learning rates times `scale`."""
        rates = [self.level_one * self.w_max * self.q**i * scale for i in range(self.levels)]
        return (
            Stage(lag=self.levels, plastic=False),
            *(
                Stage(
                    gain=0.5,
                    coupling=0.5,
                    potentiation=A,
                    depression=self.ratio * A,
                    w_max=self.w_max,
                    lag=self.levels - i,
                )
                for i, A in enumerate(rates)
            ),
        )

    def memory(self, key: Array, night: Array | int) -> Array:
        """What is imprinted in a night: random bits, the same sum of weights from each input (the article's rows)."""
        bits = jax.random.bernoulli(_drawn(key, 0, night), 0.5, (self.n, self.n)).astype(jnp.float32)
        return bits / bits.sum(0)

    def imprint(self, V: Array, memory: Array) -> Array:
        """The weights of the hippocampus with one memory more."""
        new = V + self.fresh / (1 - self.fresh) * memory
        return new / new.sum(0)

    def inputs(self, key: Array, night: Array | int) -> Array:
        """The input of a whole night, xi of shape (steps, n), in Hz."""
        noise = jax.random.normal(_drawn(key, 1, night), (self.steps, self.n), jnp.float32)
        return jnp.maximum(0, self.rate + self.rate / 2 * noise)

    @partial(jax.jit, static_argnums=0)
    def start(self, key: Array) -> Weights:
        """The hippocampus full of earlier memories, the others uniform in [0, w_max]."""
        V = jax.lax.fori_loop(
            1, EARLIER, lambda night, V: self.imprint(V, self.memory(key, night)), self.memory(key, 0)
        )
        W = jax.random.uniform(_drawn(key, 2, 0), (self.levels, self.n, self.n), maxval=self.w_max)
        return V, *W

    def night(self, key: Array, night: Array, weights: Weights) -> Weights:
        """One memory is imprinted, then all levels learn. Activity and traces begin at zero."""
        V = self.imprint(weights[0], self.memory(key, EARLIER + night))
        inputs = self.inputs(key, night)
        return learn(self.stages(), (V, *weights[1:]), [inputs], dt=self.dt, tau=self.tau)

    @partial(jax.jit, static_argnums=0)
    def references(self, key: Array, nights: Array) -> Array:
        """The memories of some nights, each with mean 0 and norm 1, shape (nights, n*n)."""
        return jax.vmap(lambda night: _normalised(self.memory(key, EARLIER + night)))(nights)

    @partial(jax.jit, static_argnums=(0, 1))
    def nights(
        self, count: int, key: Array, first: Array, weights: Weights, references: Array
    ) -> tuple[Weights, Array]:
        """So many nights in one call, and the correlations after each: (count, levels + 1, references)."""

        def step(weights: Weights, night: Array) -> tuple[Weights, Array]:
            weights = self.night(key, night, weights)
            levels = jnp.stack([_normalised(w) for w in weights])
            return weights, jnp.matmul(levels, references.T, precision="highest")

        return jax.lax.scan(step, weights, first + jnp.arange(count))


def _drawn(key: Array, what: int, night: Array | int) -> Array:
    return jax.random.fold_in(jax.random.fold_in(key, what), night)


def _normalised(w: Array) -> Array:
    centred = w.ravel() - w.mean()
    return centred / jnp.linalg.norm(centred)


# ---- the drift of frozen weights --------------------------------------------------------------------


def drift(network: Network, weights: Weights, inputs: Array) -> Array:
    """dW_i/dt averaged over the inputs, in units of A_i, while the weights stay as they are: (levels, n, n).

    The derivative of what a night makes of the weights with respect to the learning rate, at the rate zero: so no
    weight moves, and rounding does not hide how little it would.
    """

    def after(scale: Array) -> Weights:
        stages = network.stages(scale)
        return learn(stages, weights, [inputs], dt=network.dt, tau=network.tau, execution="scan")

    zero = jnp.zeros((), weights[0].dtype)
    _, change = jax.jvp(after, (zero,), (zero + 1,))
    amplitudes = jnp.array([stage.potentiation for stage in network.stages()[1:]])
    return jnp.stack(change[1:]) / (amplitudes[:, None, None] * inputs.shape[0] * network.dt)


def regression(weights: Weights, change: Array, *, centred: bool) -> Array:
    """How much of each W_j is in the change of each W_i, by least squares: (levels, levels + 1), 0 for j > i.

    Centred: without the means of rows and columns, which the mean activity changes too.
    """

    def flat(w: Array) -> Array:
        if centred:
            w = w - w.mean(0) - w.mean(1)[:, None] + w.mean()
        return w.ravel()

    heard = jnp.stack([flat(w) for w in weights], axis=1)
    rows = []
    for i, changed in enumerate(change):
        slopes = jnp.linalg.lstsq(heard[:, : i + 2], flat(changed))[0]
        rows.append(jnp.pad(slopes, (0, len(change) - i - 1)))
    return jnp.stack(rows)


def pulses(network: Network) -> Array:
    """Inputs in which each neuron fires once and alone, 1 Hz for a step: their covariance is exactly the unit matrix.

    The time between two of them is that of the longest path and of traces to fall by 16 digits.
    """
    fading = 36 / -math.log1p(-network.dt / network.tau)
    apart = 2 * network.levels + math.ceil(fading)
    neurons = jnp.arange(network.n)
    alone = jnp.zeros((network.n, apart, network.n)).at[neurons, 0, neurons].set(1)
    return alone.reshape(-1, network.n)
