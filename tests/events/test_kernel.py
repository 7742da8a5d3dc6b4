"""The GPU kernel, checked on machines without a GPU by lowering it for CUDA."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

from jaxsnn.events import NUMBER, Operands, Output, Wiring, choose, history_wiring, kernel
from jaxsnn.random import CounterDraw


def lowered(function, *arguments):
    """The module that a CUDA machine would compile."""
    device = AbstractDevice("NVIDIA H200", 132, "gpu")
    with use_abstract_mesh(AbstractMesh((), (), abstract_device=device)):
        return jax.jit(function).trace(*arguments).lower(lowering_platforms=("cuda",)).as_text()


def pathway(row, delays, shuffled):
    random = np.random.default_rng(0)
    n = 300
    source = np.repeat(np.arange(n), row)
    if shuffled:
        source = random.permutation(source)
    delay = random.integers(0, 20, n * row) if delays else None
    wiring = Wiring.build(source, random.integers(0, n, n * row), n, n, delay)
    accumulator = jnp.zeros((22, n)) if delays else jnp.zeros(n)
    return wiring, (accumulator, accumulator)


def general(values):
    return values["w"] * values["a"] + values["b"] * values["c"], jnp.exp(values["w"])


def constant(values):
    return values["w"], jnp.float32(3)


@pytest.mark.parametrize("row", [3, 80, 900])
@pytest.mark.parametrize("delays", [False, True])
@pytest.mark.parametrize("contribution", [constant, general])
@pytest.mark.parametrize("batch", [False, True])
def test_lowers_for_cuda(row, delays, contribution, batch):
    wiring, accumulators = pathway(row, delays, shuffled=contribution is general)
    n = wiring.n_source
    operands = Operands({"w": jnp.ones(wiring.n_synapses)})
    if contribution is general:
        operands = operands._replace(source={"a": jnp.ones(n)}, target={"b": jnp.ones(n)}, shared={"c": jnp.float32(2)})
    outputs = (Output("target"), Output("source"))

    def step(spikes, accumulators, wiring, operands, now):
        constants = operands if contribution is constant else None
        prepared = kernel.EXECUTION.prepare(wiring, outputs, contribution, constants)
        return kernel.deliver(prepared, wiring, spikes, contribution, operands, accumulators, now)

    spikes = jnp.zeros(n, bool)
    if batch:
        step = jax.vmap(step, in_axes=(0, 0, None, None, None))
        spikes, accumulators = jax.tree.map(lambda x: jnp.stack([x] * 2), (spikes, accumulators))
    text = lowered(step, spikes, accumulators, wiring, operands, jnp.int32(0))
    assert text.count("triton") >= 1
    assert "while" not in text.split("triton")[0]  # one kernel, no loop of XLA around it


def test_without_a_gpu_another_execution_is_chosen():
    wiring, _ = pathway(80, delays=False, shuffled=False)
    assert not kernel.available("cpu")
    assert choose(wiring, constant=True, backend="cpu").name == "event_list"


def plasticity(values):
    """Traces with a clock of their own, a clipped weight, a coin toss, a flag and a count for each synapse."""
    decay = jnp.exp(-(values["now"] - values["last"]).astype(jnp.float32) * values["rate"][()])
    draw = CounterDraw((values["k0"], values["k1"]), values[NUMBER], jnp.float32)
    trace = values["trace"] * decay + values["a"]
    weight = jnp.clip(values["w"] + trace * values["b"] + 1e-3 * draw.randn(0), 0.0, 1.0)
    opens = (draw.rand(1) < 0.5) & values["free"]
    return weight, trace, values["now"], jnp.where(opens, weight, 0.0), opens | values["open"]


@pytest.mark.parametrize("row", [3, 80])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("repeats", [1, 3])
def test_new_values_of_synapses_lower_for_cuda(row, shuffled, repeats):
    wiring, (current, _) = pathway(row, False, shuffled)
    n, size = wiring.n_source, wiring.n_synapses
    if repeats > 1:
        delay = np.arange(size) % repeats
        source = np.arange(size) % n if shuffled else np.arange(size) // row
        wiring, _ = history_wiring(source, wiring.target, n, n, delay)
    outputs = (
        *(Output("synapse", name) for name in ("w", "trace", "last")),
        Output("target"),
        Output("synapse", "open"),
    )
    synapses = (jnp.ones(size), jnp.ones(size), jnp.zeros(size, jnp.int32))
    accumulators = (*synapses, current, jnp.zeros(size, bool))
    shared = {"now": jnp.int32(5), "rate": jnp.float32(0.1), "k0": jnp.uint32(1), "k1": jnp.uint32(2)}
    operands = Operands({}, {"a": jnp.ones(n)}, {"b": jnp.ones(n), "free": jnp.ones(n, bool)}, shared)

    def step(spikes, accumulators, wiring, operands):
        prepared = kernel.EXECUTION.prepare(wiring, outputs, plasticity, None)
        return kernel.deliver(prepared, wiring, spikes, plasticity, operands, accumulators, jnp.int32(0))

    text = lowered(step, jnp.zeros(wiring.n_source, bool), accumulators, wiring, operands)
    assert text.count("triton") >= 1
    assert "while" not in text.split("triton")[0]
