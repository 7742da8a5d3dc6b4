"""Layer by layer gives what step by step gives: values, records, gradients, spikes on their way."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gradient.check import holds

import jaxsnn as snn
from jaxsnn.simulation.gradient import twin
from jaxsnn.simulation.gradient.layers import layered, whole
from jaxsnn.surrogate import Sigmoid
from jaxsnn.units import Hz, ms

slow = pytest.mark.slow
LEAKY = """
dv/dt = (g - v)/(8*ms) : 1 (unless refractory)
dg/dt = -g/(4*ms) : 1
"""


def network(back=False, plastic=False):
    """Inputs without memory, a generator, a recurrent group, another one, a readout; with delays and without."""
    inputs = snn.NeuronGroup(6, "x : 1", threshold="x > 0.5", reset="", name="inputs")
    noise = snn.PoissonGroup(5, rates=150 * Hz, name="noise")
    clicks = snn.SpikeGeneratorGroup(3, [0, 1, 2, 0, 1], [0.5, 1, 1.5, 4, 6] * ms, period=7 * ms, name="clicks")
    one, two = (
        snn.NeuronGroup(n, LEAKY, threshold="v > 0.5", reset="v = 0", refractory=1 * ms, method="exact", name=name)
        for n, name in ((7, "one"), (4, "two"))
    )
    readout = snn.NeuronGroup(2, "dv/dt = -v/(10*ms) : 1", method="exact", name="readout")
    pathways = [
        (inputs, one, "g_post += w", 0),
        (noise, one, "v_post += 0.3*w", 0),
        (clicks, one, "g_post += w", 0.7),
        (one, one, "g_post -= 0.2*w", 0.2),
        (one, two, "g_post += w\nv_post += 0.05", 1.5),
        (inputs, two, "g_post += 0.3*w", 0),
        (two, readout, "v_post += w", 0),
        (one, readout, "v_post -= 0.5*w", 0.1),
    ]
    if back:
        pathways.append((two, one, "g_post -= 0.1*w", 0.3))
    synapses = []
    for k, (source, target, code, delay) in enumerate(pathways):
        own = snn.Synapses(source, target, "w : 1", on_pre=code, delay=delay * ms, name=f"path{k}")
        own.connect(condition="(i + j) % 3 != 0")
        own.w = f"0.4 + 0.1*((i + 2*j + {k}) % 5)"
        synapses.append(own)
    if plastic:
        learning = snn.Synapses(one, two, "w : 1", on_pre="v_post += 0.1*w\nw *= 0.9", name="learning")
        learning.connect()
        learning.w = 0.2
        synapses.append(learning)
    monitors = [
        snn.SpikeMonitor(one, name="spikes_one"),
        snn.SpikeMonitor(inputs, name="spikes_inputs"),
        snn.StateMonitor(readout, "v", record=True, name="trace"),
        snn.StateMonitor(two, "v", record=[1], dt=0.2 * ms, name="slow"),
        snn.PopulationRateMonitor(two, name="rate"),
    ]
    return snn.Network(inputs, noise, clicks, one, two, readout, *synapses, *monitors, dtype="float64")


def compiled(relaxed=False, **given):
    options = {"relaxed": True, "surrogate": Sigmoid(width=0.2)} if relaxed else {}
    return network(**given).compile(dt=0.1 * ms, execution="dense", inputs=["inputs.x"], **options)


def found(sim):
    params, state = sim.init(3)
    return layered(sim._twin.step.parts, sim._twin.step.frame(params, sim._twin.floating(state)))


def test_what_goes_only_forward_is_told_apart(x64):
    first, second, third, fourth = found(compiled())
    groups = {"inputs", "noise", "clicks", "one", "two", "readout"}
    assert [layer.owners & groups for layer in (first, second, third, fourth)] == [
        {"inputs", "noise", "clicks"},
        {"one"},
        {"two"},
        {"readout"},
    ]
    assert [len(layer.sends) for layer in (first, second, third, fourth)] == [4, 2, 1, 0]
    sim = compiled()
    every = set(range(len(sim._twin.step.parts)))
    assert set().union(*(layer.places for layer in found(sim))) == every
    # Neurons without a memory need no loop. (The generator has one: where it is in its list.)
    assert not first.memoryless


def test_groups_that_drive_each_other_share_a_layer(x64):
    assert [layer.owners & {"one", "two"} for layer in found(compiled(back=True))] == [set(), {"one", "two"}, set()]
    assert [layer.owners & {"one", "two"} for layer in found(compiled(plastic=True))] == [set(), {"one", "two"}, set()]


def test_only_matrices_can_be_taken_out_of_the_loop(x64):
    sim = network().compile(dt=0.1 * ms, execution="event_list", inputs=["inputs.x"])
    assert len(found(sim)) == 1


def gradients(sim, steps=(40, 36)):
    params, state = sim.init(3)
    rng = np.random.default_rng(1)
    given = [{"inputs.x": jnp.asarray((rng.random((n, 6)) < 0.1) * 1.0)} for n in steps]

    def loss(params, values, given):
        now, total, records = replace(state, values=values), 0.0, []
        for n, inputs in zip(steps, given, strict=True):
            now, record = sim.run(params, now, n, inputs, float_spikes=True)
            total += jnp.sum(jnp.sin(record["trace"]["v"])) + 0.1 * jnp.sum(record["slow"]["v"])
            total += jnp.sum(record["spikes_one"].counts() ** 2) + 0.01 * jnp.sum(next(iter(record["rate"].values())))
            records.append(record)
        return total, (now, records)

    return jax.jit(jax.value_and_grad(loss, (0, 1, 2), has_aux=True, allow_int=True))(params, state.values, given)


@pytest.mark.parametrize(
    ("relaxed", "back"),
    [
        (False, False),
        pytest.param(True, True, marks=slow),
        pytest.param(True, False, marks=slow),
        pytest.param(False, True, marks=slow),
    ],
)
def test_layers_are_the_loop_over_all(relaxed, back, x64, monkeypatch):
    layer_by_layer = gradients(compiled(relaxed, back=back))
    monkeypatch.setattr(twin, "layered", lambda parts, frame: (whole(parts),))
    step_by_step = gradients(compiled(relaxed, back=back))
    assert jax.tree.structure(layer_by_layer) == jax.tree.structure(step_by_step)
    for one, other in zip(jax.tree.leaves(layer_by_layer), jax.tree.leaves(step_by_step), strict=True):
        assert one.dtype == other.dtype
        if jnp.issubdtype(one.dtype, jnp.floating) or jnp.issubdtype(one.dtype, jnp.integer):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
    assert layer_by_layer[0][1][1][0]["spikes_one"].counts().sum() > 3
    weights = layer_by_layer[1][0]
    assert all(np.any(weights[f"path{k}"]["w"] != 0) for k in range(8))


def test_the_gradient_is_that_of_finite_differences(x64):
    holds(network().compile(dt=0.1 * ms, execution="dense", relaxed=True, surrogate=Sigmoid(width=0.2)))


@slow
def test_checkpoints_of_layers(x64):
    """What memory allows changes no number."""
    options = {"dt": 0.1 * ms, "execution": "dense", "inputs": ["inputs.x"]}
    plenty = gradients(network().compile(**options))
    little = gradients(network().compile(**options, memory_limit=60_000))
    for one, other in zip(jax.tree.leaves(plenty), jax.tree.leaves(little), strict=True):
        if jnp.issubdtype(one.dtype, jnp.floating):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_a_group_of_inputs_needs_no_loop():
    inputs = snn.NeuronGroup(4, "x : 1", threshold="x > 0.5", reset="", name="inputs")
    cells = snn.NeuronGroup(3, "dv/dt = -v/(5*ms) : 1", threshold="v > 1", reset="v = 0", method="exact", name="cells")
    synapses = snn.Synapses(inputs, cells, "w : 1", on_pre="v_post += w", name="synapses")
    synapses.connect()
    net = snn.Network(inputs, cells, synapses)
    sim = net.compile(dt=1 * ms, execution="dense", inputs=["inputs.x"])
    assert [layer.memoryless for layer in found(sim)] == [True, False]
    params, state = sim.init(0)
    text = str(
        jax.make_jaxpr(jax.grad(lambda p, x: sim.run(p, state, 8, {"inputs.x": x})[0].values["cells"]["v"].sum()))(
            params, jnp.zeros((8, 4))
        )
    )
    # One loop forward and one backward, of the cells alone.
    assert text.count("scan[") == 2


def test_a_generator_without_a_name():
    """Its operation has another name than itself; its place in the list of spikes goes on from run to run."""
    source = snn.SpikeGeneratorGroup(2, [0, 1, 0], [1, 5, 9] * ms)
    cells = snn.NeuronGroup(1, "v : 1", name="cells")
    synapses = snn.Synapses(source, cells, "w : 1", on_pre="v_post += w", name="synapses")
    synapses.connect()
    synapses.w = [2, 3]
    sim = snn.Network(source, cells, synapses).compile(dt=1 * ms, execution="dense")
    params, state = sim.init(0)

    def after(w):
        given = sim.put(params, "synapses.w", w)
        return sim.run(given, sim.run(given, state, 4)[0], 6)[0]["cells"]["v"][0]

    value, slope = jax.value_and_grad(after)(jnp.array([2.0, 3.0]))
    assert (float(value), slope.tolist()) == (7.0, [2.0, 1.0])


def test_linked_variables_are_those_of_another_layer():
    """What they link to is in no code, so the network is one layer; the slope is that of x(4) = 1.5 + 1.5 w."""
    source = snn.NeuronGroup(1, "dv/dt = 1/ms : 1", threshold="v > 1.5", reset="v = 0", method="euler", name="source")
    cells = snn.NeuronGroup(1, "dx/dt = 0.5*drive/ms : 1\ndrive : 1 (linked)", method="euler", name="cells")
    cells.drive = snn.linked_var(source, "v")
    synapses = snn.Synapses(source, cells, "w : 1", on_pre="x_post += w", name="synapses")
    synapses.connect()
    synapses.w = 2
    sim = snn.Network(source, cells, synapses).compile(dt=1 * ms, execution="dense")
    params, state = sim.init(0)
    assert len(found(sim)) == 1
    assert "cells" in state
    assert "cell" not in state
    slope = jax.grad(lambda w: sim.run(sim.put(params, "synapses.w", w), state, 5)[0]["cells"]["x"][0])(2.0)
    assert slope == 2  # spikes in steps 1 and 3
