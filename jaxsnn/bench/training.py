"""How long one step of training takes: forward, backward and Adam, beside a loop written by hand.

The task has the shape of the Spiking Heidelberg Digits (B. Cramer et al. 2022, doi:10.1109/TNNLS.2020.3044364): 700
inputs that fire with probability 0.02 in each of 256 steps, a batch of 256, 20 classes. Between them are two layers of
128 leaky integrate-and-fire neurons, or one with recurrent connections; the class is read from leaky integrators.

`equations` writes the network as a user of this package does, `by_hand` as somebody who knows JAX and needs nothing
else: products of matrices outside the loops over time, which are unrolled. Both train all weights with the surrogate
of SuperSpike and resets that are detached.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxsnn.network import Network
from jaxsnn.objects.monitors import StateMonitor
from jaxsnn.objects.neurongroup import NeuronGroup
from jaxsnn.objects.synapses import Synapses
from jaxsnn.surrogate import SuperSpike
from jaxsnn.units import ms

__all__ = ["PRECISIONS", "Shape", "Timing", "by_hand", "compare_training", "equations", "measure"]

Array = Any
Loss = Callable[[Any, Array, Array], Array]
"""``loss(weights, x, labels)``; x: ``(steps, batch, inputs)`` 0 or 1."""
DECAY, WIDTH = 0.95, 0.1
PRECISIONS = ("float32", "tensorfloat32")
"""Of products of matrices. On a GPU JAX takes the second by default, and this package the first."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a task; ``recurrent``: one recurrent layer instead of two without."""

    batch: int = 256
    steps: int = 256
    inputs: int = 700
    hidden: int = 128
    classes: int = 20
    density: float = 0.02
    recurrent: bool = False

    def weights(self, seed: int = 0) -> dict[str, Array]:
        """Random weights as matrices, by the name of their pathway."""
        rng = np.random.default_rng(seed)
        sizes = {"first": (self.inputs, self.hidden, 0.1), "last": (self.hidden, self.classes, 0.1)}
        sizes["second"] = (self.hidden, self.hidden, 0.05 if self.recurrent else 0.2)
        return {k: jnp.asarray(rng.normal(0, scale, (n, m)), jnp.float32) for k, (n, m, scale) in sizes.items()}

    def data(self, seed: int = 0) -> tuple[Array, Array]:
        """A random batch: spikes ``(steps, batch, inputs)`` and labels."""
        rng = np.random.default_rng(seed)
        x = rng.random((self.steps, self.batch, self.inputs), np.float32) < self.density
        return jnp.asarray(x, jnp.float32), jnp.asarray(rng.integers(0, self.classes, self.batch), jnp.int32)


@dataclass(frozen=True)
class Timing:
    """first: seconds of the first call; step: seconds of a training step, median; memory: bytes of the compiled step,
    arguments included.
    """

    first: float
    step: float
    memory: int
    loss: float


def equations(shape: Shape, **compile_options: Any) -> tuple[Loss, Any]:
    """The loss of the network as equations, and its weights."""
    leaky = "dv/dt = -v/tau : 1"
    tau = -1 / np.log(DECAY) * ms
    spiking: dict[str, Any] = {"threshold": "v > 1", "reset": "v = 0", "method": "exact", "namespace": {"tau": tau}}
    inputs = NeuronGroup(shape.inputs, "x : 1", threshold="x > 0.5", reset="", name="inputs")
    hidden = [NeuronGroup(shape.hidden, leaky, name="one", **spiking)]
    if not shape.recurrent:
        hidden.append(NeuronGroup(shape.hidden, leaky, name="two", **spiking))
    readout = NeuronGroup(shape.classes, leaky, method="exact", namespace={"tau": tau}, name="readout")
    ends = {"first": (inputs, hidden[0]), "second": (hidden[0], hidden[-1]), "last": (hidden[-1], readout)}
    synapses = []
    for name, (source, target) in ends.items():
        pathway = Synapses(source, target, "w : 1", on_pre="v_post += w", name=name)
        pathway.connect()
        synapses.append(pathway)
    trace = StateMonitor(readout, "v", record=True, name="trace")
    net = Network(inputs, *hidden, readout, *synapses, trace, dtype="float32")
    options: dict[str, Any] = {"execution": "dense", "surrogate": SuperSpike(width=WIDTH), **compile_options}
    sim = net.compile(dt=1 * ms, inputs=["inputs.x"], **options)
    params, state = sim.init(0)

    def loss(weights: dict[str, Array], x: Array, labels: Array) -> Array:
        given = params
        for name, matrix in weights.items():
            given = sim.put(given, f"{name}.w", matrix.reshape(-1))

        def run(one: Array) -> Array:
            return sim.run(given, state, shape.steps, {"inputs.x": one})[1]["trace"]["v"].mean(axis=0)

        return _cross_entropy(jax.vmap(run, in_axes=1)(x), labels)

    return loss, shape.weights()


def by_hand(shape: Shape, unroll: int | None = None) -> tuple[Loss, Any]:
    """The loss of the network as a loop written for it, and its weights.

    ``unroll``: steps written out in one trip of a loop; by default what is fastest, 32 on a GPU and 1 on a CPU.
    """
    unroll = unroll or (32 if jax.default_backend() == "gpu" else 1)

    @jax.custom_jvp
    def spike(margin: Array) -> Array:
        return (margin > 0).astype(margin.dtype)

    @spike.defjvp
    def surrogate(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
        (margin,), (change,) = primals, tangents
        return spike(margin), change / (1 + jnp.abs(margin) / WIDTH) ** 2

    def layer(current: Array, weights: Array | None = None) -> Array:
        def step(carry: tuple[Array, Array], given: Array) -> tuple[Any, Array]:
            v, fired = carry
            v = DECAY * v * (1 - jax.lax.stop_gradient(fired)) + given
            if weights is not None:
                v = v + fired @ weights
            fired = spike(v - 1)
            return (v, fired), fired

        zero = jnp.zeros(current.shape[1:], current.dtype)
        return jax.lax.scan(step, (zero, zero), current, unroll=unroll)[1]

    def integrated(current: Array) -> Array:
        def step(v: Array, given: Array) -> tuple[Array, Array]:
            v = DECAY * v + given
            return v, v

        return jax.lax.scan(step, jnp.zeros(current.shape[1:], current.dtype), current, unroll=unroll)[1]

    def loss(weights: dict[str, Array], x: Array, labels: Array) -> Array:
        if shape.recurrent:
            fired = layer(x @ weights["first"], weights["second"])
        else:
            fired = layer(layer(x @ weights["first"]) @ weights["second"])
        return _cross_entropy(integrated(fired @ weights["last"]).mean(axis=0), labels)

    return loss, shape.weights()


def _cross_entropy(scores: Array, labels: Array) -> Array:
    return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()


def measure(loss: Loss, weights: Any, shape: Shape, repeats: int = 20) -> Timing:
    """Time training steps on the default device."""
    adam = optax.adam(1e-3)

    def step(weights: Any, moments: Any, x: Array, labels: Array) -> tuple[Any, Any, Array]:
        value, slopes = jax.value_and_grad(loss)(weights, x, labels)
        changes, moments = adam.update(slopes, moments)
        return optax.apply_updates(weights, changes), moments, value

    x, labels = shape.data()
    moments = adam.init(weights)
    begun = time.perf_counter()
    compiled = jax.jit(step).lower(weights, moments, x, labels).compile()
    weights, moments, value = jax.block_until_ready(compiled(weights, moments, x, labels))
    first = time.perf_counter() - begun
    needed: Any = compiled.memory_analysis()
    memory = int(needed.temp_size_in_bytes + needed.argument_size_in_bytes + needed.output_size_in_bytes)
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        weights, moments, _ = jax.block_until_ready(compiled(weights, moments, x, labels))
        times.append(time.perf_counter() - begun)
    return Timing(first, float(np.median(times)), memory, float(value))


def compare_training(shape: Shape, repeats: int, say: Callable[[str], None]) -> str:
    """A table of training steps, as equations and by hand, with and without recurrent connections.

    Args:
        shape: the sizes; repeats: training steps after the first; say: gets a line for each measurement.
    """
    rows = ["network | products in | equations, ms | by hand, ms | ratio | MiB | by hand, MiB | first call, s"]
    rows.append("|".join(["---"] * 8))
    for recurrent in (False, True):
        own = replace(shape, recurrent=recurrent)
        name = f"{shape.inputs}-{shape.hidden}{' recurrent' if recurrent else f'-{shape.hidden}'}-{shape.classes}"
        for precision in PRECISIONS:
            with jax.default_matmul_precision(precision):
                loop = measure(*by_hand(own), own, repeats)
                ours = measure(*equations(own), own, repeats)
            say(f"{name}, {precision}: {ours.step * 1e3:.2f} ms, by hand {loop.step * 1e3:.2f} ms")
            numbers = (ours.step * 1e3, loop.step * 1e3, ours.step / loop.step)
            memory = (ours.memory / 2**20, loop.memory / 2**20)
            cells = [name, precision, *(f"{x:.2f}" for x in numbers), *(f"{x:.0f}" for x in memory)]
            rows.append(" | ".join([*cells, f"{ours.first:.1f}"]))
    head = (
        f"One step of training: batch {shape.batch}, {shape.steps} steps, forward, backward, Adam; median of {repeats}"
    )
    return "\n".join([head, "", *(f"| {row} |" for row in rows)])
