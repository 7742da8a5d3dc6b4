"""Every way of delivering spikes, compiled or not, gives the same run."""

import jax
import numpy as np
import pytest
from contracts.compare import agree, spikes_of
from contracts.networks import NETWORKS

from jaxsnn.program import Deliver

STEPS = 200
START = {"cuba": 10, "delays": 6, "weights": 19, "own_clock": 20, "hh": 23}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_executions_give_the_same_run(name, dtype, x64):
    net = NETWORKS[name](dtype)
    runs = {}
    for execution in ("masked", "event_list", "dense"):
        sim = net.compile(execution=execution)
        if not any(isinstance(operation, Deliver) for operation in sim.program.operations):
            pytest.skip("a network without synapses")
        if execution == "dense" and name == "weights":
            continue  # what is not constant is not a matrix
        params, state = sim.init(jax.random.key(3))
        runs[execution] = sim.run(params, state, STEPS)
    after, record = runs["masked"]
    assert len(spikes_of(record)) >= 10, "a network without spikes shows nothing"
    for other, its_record in runs.values():
        assert spikes_of(record) == spikes_of(its_record)
        agree((after, record), (other, its_record))


@pytest.mark.parametrize(
    "name, execution",
    [
        ("cuba", "dense"),
        ("delays", "masked"),
        ("weights", "event_list"),
        pytest.param("own_clock", None, marks=pytest.mark.slow),
        pytest.param("hh", None, marks=pytest.mark.slow),
    ],
)
def test_compiled_equals_step_by_step(name, execution, x64):
    net = NETWORKS[name]("float64")
    sim = net.compile(execution=execution)
    params, state = sim.init(jax.random.key(3))
    # Begin where there are spikes, and some under way.
    state, _ = sim.run(params, state, START[name])
    compiled = sim.run(params, state, 4)
    assert spikes_of(compiled[1])
    with jax.disable_jit():
        agree(compiled, sim.run(params, state, 4))


def test_whole_numbers_are_exact(x64):
    """The counters network by hand: two matrix products a step."""
    net = NETWORKS["counters"]("float32")
    syn, cells = net["syn"], net["cells"]
    matrix = np.zeros((48, 48))
    np.add.at(matrix, (syn.i[:], syn.j[:]), np.asarray(syn.w[:]))
    v, k = np.array(cells.v[:]), np.array(cells.k[:])
    expected = []
    for step in range(STEPS):
        fired = v >= k
        expected += [(step, int(n)) for n in np.flatnonzero(fired)]
        v = v + fired @ matrix + 2
        v[fired] -= k[fired]
    for execution in ("dense", "masked", "event_list"):
        sim = net.compile(execution=execution)
        after, record = sim.run(*sim.init(0), STEPS)
        assert spikes_of(record) == expected
        np.testing.assert_array_equal(np.asarray(after["cells"]["v"]), v)


def test_every_neuron_firing_in_every_step_loses_nothing():
    import jaxsnn as snn

    n = 300
    cells = snn.NeuronGroup(n, "v : 1", threshold="v >= 0", reset="")
    syn = snn.Synapses(cells, cells, on_pre="v_post += 1")
    syn.connect()
    ahead = snn.Synapses(cells, cells, on_pre="v_post += 1", delay=0.3 * snn.units.ms)
    ahead.connect(j="i")
    spikes = snn.SpikeMonitor(cells)
    net = snn.Network(cells, syn, ahead, spikes)
    for execution in ("dense", "masked", "event_list"):
        sim = net.compile(execution=execution)
        label = next(iter(sim.init(0)[1].values))
        after, record = sim.run(*sim.init(0), 20)
        # n from all, one more from each neuron itself in the 17 steps whose arrivals are within the run.
        np.testing.assert_array_equal(np.asarray(after[label]["v"]), 20 * n + 17)
        assert int(record[spikes.name].counts().sum()) == 20 * n
