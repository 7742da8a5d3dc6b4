"""The pure simulation of a network of Brian2: the same spikes, derivatives, and many networks in one call."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

brian2: Any = pytest.importorskip("brian2")

import jaxsnn  # noqa: E402
from jaxsnn.errors import ArgumentError, NotSupportedError  # noqa: E402
from jaxsnn.events.gpu import triton  # noqa: E402
from jaxsnn.simulation.fused import Fused  # noqa: E402

ms = brian2.ms


@pytest.fixture(autouse=True)
def _runtime(brian: Any) -> None:
    brian.set_device("runtime")
    brian.Network(brian.NeuronGroup(1, "")).run(0 * ms)


def two_layers() -> Any:
    tau, vt, vr = 10 * ms, 1.0, 0.0  # found by name when the network is compiled
    source = brian2.NeuronGroup(
        5, "dv/dt = (I - v)/tau : 1\nI : 1", threshold="v > vt", reset="v = vr", method="exact", name="cells"
    )
    source.I = np.linspace(1.1, 2, 5)
    target = brian2.NeuronGroup(3, "dv/dt = -v/tau : 1", threshold="v > 0.5", reset="v = 0", method="exact", name="out")
    synapses = brian2.Synapses(source, target, "w : 1", on_pre="v_post += w", delay=1 * ms, name="syn")
    synapses.connect()
    synapses.w = np.linspace(0.1, 0.4, 15)
    monitor = brian2.SpikeMonitor(target, name="spikes")
    names = {"tau": tau, "vt": vt, "vr": vr}
    return brian2.Network(source, target, synapses, monitor), monitor, names


def test_spikes_are_those_of_brian2_also_where_its_queue_holds_some(x64):
    net, monitor, names = two_layers()
    net.run(8.4 * ms, namespace=names)
    begun = monitor.num_spikes
    sim = jaxsnn.from_brian2(net, namespace=names)
    params, state = sim.init(0)
    assert int(state.step) == 84
    _, record = sim.run(params, state, 400)
    steps, index = record["spikes"].events()
    net.run(40 * ms, namespace=names)
    np.testing.assert_array_equal(steps, np.rint(monitor.t[begun:] / ms * 10))
    np.testing.assert_array_equal(index, monitor.i[begun:])
    assert index.size > 20


def test_the_gradient_of_a_relaxed_network_is_that_of_finite_differences(x64):
    net, _, names = two_layers()
    surrogate = jaxsnn.surrogate.SuperSpike(width=0.2)
    sim = jaxsnn.from_brian2(net, namespace=names, relaxed=True, surrogate=surrogate)
    params, state = sim.init(0)

    def loss(params: Any) -> Any:
        end, record = sim.run(params, state, 150, float_spikes=True)
        return jnp.sum(record["spikes"].counts() ** 2) + jnp.sum(end["out"]["v"])

    gradient = jax.grad(loss)(params)
    for owner, name in (("cells", "tau"), ("cells", "vt"), ("syn", "w"), ("cells", "I")):
        value = params[owner][name]
        direction = jnp.ones_like(value)
        h = 1e-6 * float(jnp.max(jnp.abs(value)))

        def shifted(by: float, owner=owner, name=name, value=value, direction=direction) -> Any:
            return loss({**params, owner: {**params[owner], name: value + by * direction}})

        expected = (shifted(h) - shifted(-h)) / (2 * h)
        # Central differences in float64: an error of the order of h**2 and of 1e-16/h.
        np.testing.assert_allclose(jnp.sum(gradient[owner][name]), expected, rtol=1e-6, err_msg=name)


def test_one_call_does_a_study_of_many_time_constants(x64):
    """The study of Brian2's example of several runs of one standalone program: rates over time constants."""
    inputs = brian2.PoissonGroup(100, rates=10 * brian2.Hz, name="inputs")
    group = brian2.NeuronGroup(
        1, "dv/dt = -v/tau : 1\ntau : second (constant)", threshold="v > 1", reset="v = 0", method="euler", name="G"
    )
    group.tau = 5 * ms
    synapses = brian2.Synapses(inputs, group, on_pre="v += weight", name="S")
    synapses.connect()
    monitor = brian2.SpikeMonitor(group, name="M")
    net = brian2.Network(inputs, group, synapses, monitor)
    sim = jaxsnn.from_brian2(net, namespace={"weight": 0.1})
    params, state = sim.init(0)
    taus = jnp.linspace(1e-3, 15e-3, 15)

    def spikes(tau: Any) -> Any:
        record = sim.run({**params, "G": {**params["G"], "tau": tau}}, state, 2000)[1]
        return record["M"].counts().sum()

    counts = jax.vmap(lambda tau: spikes(tau[None]))(taus)
    assert counts.tolist() == [int(spikes(tau[None])) for tau in taus]
    assert int(counts[0]) == 0
    # At 15 ms the mean of v would be 100*10 Hz*0.1*15 ms = 1.5 without the threshold at 1.
    assert 3 < int(counts[-1]) < 20


def test_what_cannot_be_carried_is_named(x64):
    group = brian2.NeuronGroup(1, "v : 1", name="cells")
    operation = brian2.NetworkOperation(lambda: None, name="looks")
    net = brian2.Network(group, operation)
    with pytest.raises(NotSupportedError, match="looks"):
        jaxsnn.from_brian2(net)
    assert type(brian2.get_device()).__name__ == "RuntimeDevice"


def test_double_precision_has_to_be_switched_on():
    net = brian2.Network(brian2.NeuronGroup(1, "dv/dt = -v/(10*ms) : 1", method="exact", name="cells"))
    with pytest.raises(ArgumentError, match="jax_enable_x64"):
        jaxsnn.from_brian2(net)
    _, state = jaxsnn.from_brian2(net, dtype="float32").init()
    assert state["cells"]["v"].dtype == np.float32


@pytest.mark.parametrize("delay", ["0*ms", "1*ms", "(0.1 + 0.1*(i % 7))*ms"])
def test_groups_and_pathways_fit_into_kernels(delay):
    """What a GPU carries out in one kernel a step, it does for a network of Brian2 too."""
    group = brian2.NeuronGroup(
        40,
        "dv/dt = (ge + gi - (v + 49*mV))/(20*ms) : volt (unless refractory)\n"
        "dge/dt = -ge/(5*ms) : volt\ndgi/dt = -gi/(10*ms) : volt",
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=5 * ms,
        method="exact",
        name="cells",
    )
    group.v = "-60*mV + i*0.2*mV"
    excitatory = brian2.Synapses(group, group, on_pre="ge += 1.62*mV", name="exc")
    inhibitory = brian2.Synapses(group, group, on_pre="gi -= 9*mV", name="inh")
    for synapses, sources in ((excitatory, "i < 32"), (inhibitory, "i >= 32")):
        synapses.connect(f"({sources}) and (i + 2*j) % 3 == 0")
        synapses.delay = delay
    net = brian2.Network(group, excitatory, inhibitory, brian2.SpikeMonitor(group, name="spikes"))
    with triton.interpreted():
        sim = jaxsnn.from_brian2(net, dtype="float32")
        params, state = sim.init(0)
        fused = Fused.of(sim._step, params, state, sim._step.prepare(params, state))
    assert fused is not None
    (kernel,) = fused.plan.groups
    operations = [part.operation.name for part in sim._step.parts]
    assert [operations[k] for k in kernel.deliveries] == ["exc_pre", "inh_pre"]
    assert operations[kernel.record] == "spikes"
    assert len([name for name in operations if "trail" in name]) == 0
