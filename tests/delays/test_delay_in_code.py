"""Code and equations that read the delay: its value as it was assigned, fixed during a run."""

import jax
import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.units import ms

DELAYS = np.array([0.33, 0.0, 1.21])


def network(model="", on_pre="v_post += delay/ms", on_post=None, threshold=None, **options):
    source = snn.SpikeGeneratorGroup(3, [0, 1, 2], [0.5, 0.5, 0.5] * ms)
    cells = snn.NeuronGroup(3, "v : 1\nu : 1\nI : 1", threshold=threshold, reset="" if threshold else None)
    syn = snn.Synapses(source, cells, model, on_pre=on_pre, on_post=on_post, **options)
    syn.connect(i=[2, 0, 1], j=[2, 0, 1])
    trace = snn.StateMonitor(syn, "delay", record=True)
    for label, given in (("source", source), ("cells", cells), ("syn", syn), ("trace", trace)):
        given.label(label)
    return snn.Network(source, cells, syn, trace)


def test_it_is_not_rounded_and_not_a_parameter():
    net = network()
    net["syn"].delay = DELAYS[[2, 0, 1]] * ms
    sim = net.compile()
    params, state = sim.init(0)
    assert "syn" not in params, "another value there would be read, but would not move the arrivals"
    np.testing.assert_allclose(state["syn"]["delay"], DELAYS[[2, 0, 1]] * 1e-3, rtol=1e-6)
    after, record = sim.run(params, state, 30)
    np.testing.assert_allclose(after["cells"]["v"], DELAYS, rtol=1e-6)
    np.testing.assert_allclose(record["trace"]["delay"][-1], DELAYS[[2, 0, 1]] * 1e-3, rtol=1e-6)
    with pytest.raises(snn.errors.ArgumentError, match=r"'syn.delay' cannot be an input"):
        net.compile(inputs=["syn.delay"])


def test_it_may_change_between_runs():
    net = network()
    net["syn"].delay = DELAYS * ms
    net.run(3 * ms)
    net["syn"].delay = 2 * DELAYS * ms
    assert len(net._simulations) == 1
    net.run(1 * ms)
    np.testing.assert_allclose(net["trace"].delay[:, [0, -1]] / ms, np.stack([DELAYS, 2 * DELAYS], 1), rtol=1e-6)
    assert len(net._simulations) == 1, "nothing is compiled again"


def test_each_pathway_reads_its_own():
    net = network(on_post="u_post += delay/ms", threshold="abs(t - 1*ms) < dt/2", delay={"pre": 0.4 * ms})
    net["syn"].post.delay = DELAYS * ms
    net.run(4 * ms)
    np.testing.assert_allclose(net["cells"].v[:], 0.4, rtol=1e-6)
    np.testing.assert_allclose(net["cells"].u[:], DELAYS[[1, 2, 0]], rtol=1e-6)


@pytest.mark.parametrize("max_delay", [None, 2 * ms])
def test_equations_read_that_of_pre(max_delay):
    model = "k = delay/ms : 1\nI_post = delay/ms : 1 (summed)\nh : 1\nq = h + delay/ms : 1 (constant over dt)"
    net = network(model, "v_post += k", max_delay=max_delay)
    net["syn"].delay = DELAYS[[2, 0, 1]] * ms
    net.run(3 * ms)
    np.testing.assert_allclose(net["cells"].v[:], DELAYS, rtol=1e-6)
    np.testing.assert_allclose(net["cells"].I[:], DELAYS, rtol=1e-6)


def test_continuous_delays_are_differentiated_where_code_reads_them(x64):
    """v = d/ms, whatever the time of arrival: the derivative is 1000 per second."""
    net = network(max_delay=2 * ms)
    net["syn"].delay = DELAYS[[2, 0, 1]] * ms
    sim = net.compile(execution="masked", dtype="float64")
    params, state = sim.init(0)

    def v(delay):
        return sim.run(sim.put(params, "syn.delay", delay), state, 40)[0]["cells"]["v"]

    np.testing.assert_allclose(
        jax.jacrev(v)(params["syn"]["delay"]), 1000 * np.eye(3)[:, [2, 0, 1]], rtol=1e-9, atol=1e-6
    )
