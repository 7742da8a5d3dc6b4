"""The GPU kernel, checked on machines without a GPU by lowering it for CUDA."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

from jaxsnn.events import Operands, Output, Wiring, choose, kernel


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
        prepared = kernel.prepare(wiring, outputs, contribution, constants)
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
