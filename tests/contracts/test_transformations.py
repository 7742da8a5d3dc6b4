"""`run` and `step` under JAX's transformations."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contracts.compare import agree, spikes_of
from contracts.networks import NETWORKS

import jaxsnn as snn
from jaxsnn.units import ms, mV, second

STEPS = 60


def leaf(tree, k):
    """Entry k of a batch of trees."""
    return jax.tree.map(lambda x: x[k], tree)


@pytest.mark.parametrize("name", ["cuba", "delays", "weights", "own_clock"])
def test_a_batch_of_parameters_equals_a_loop(name):
    sim = NETWORKS[name]("float32").compile()
    params, state = sim.init(3)
    factors = jnp.array([0.9, 1.0, 1.1])
    path = "cells.taum"
    batch = jax.vmap(lambda f: sim.put(params, path, sim.get(params, path) * f))(factors)
    many, record = jax.vmap(sim.run, in_axes=(0, None, None))(batch, state, 6 * ms)
    counts = record["spikes"].counts()
    assert counts.shape[0] == 3
    for k in range(3):
        one, its_record = sim.run(leaf(batch, k), state, 6 * ms)
        agree(one.values, leaf(many.values, k))
        np.testing.assert_array_equal(its_record["spikes"].counts(), counts[k])
        np.testing.assert_array_equal(its_record["spikes"].dense(), record["spikes"].dense()[k])
    v = np.asarray(many["cells"]["v"])
    assert not np.allclose(v[0], v[2], rtol=1e-3), "the parameter has no effect here"


def test_a_batch_of_keys_equals_a_loop():
    sim = NETWORKS["noise"]("float32").compile()
    params, state = sim.init(0)
    keys = jax.random.split(jax.random.key(5), 3)

    def run(key):
        return sim.run(params, with_key(state, key), STEPS)

    many, record = jax.vmap(run)(keys)
    assert not np.array_equal(many["cells"]["v"][0], many["cells"]["v"][1])
    for k in range(3):
        one, its_record = run(keys[k])
        np.testing.assert_allclose(one["cells"]["v"], many["cells"]["v"][k], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(its_record["spikes"].dense(), record["spikes"].dense()[k])
    other = sim.init(keys[1])[1]
    np.testing.assert_allclose(
        sim.run(params, other, STEPS)[0]["cells"]["v"], many["cells"]["v"][1], rtol=1e-5, atol=1e-6
    )


def with_key(state, key):
    from dataclasses import replace

    return replace(state, tables=replace(state.tables, key=key))


def test_inside_jit_and_scan():
    sim = NETWORKS["delays"]("float32").compile()
    params, state = sim.init(0)
    expected, record = sim.run(params, state, STEPS)
    agree((expected, record), jax.jit(lambda p, s: sim.run(p, s, STEPS))(params, state))
    agree((expected, record), jax.jit(sim.run, static_argnums=2)(params, state, STEPS))

    @jax.jit
    def in_pieces(params, state):
        def piece(state, _):
            state, record = sim.run(params, state, STEPS // 3)
            return state, record["spikes"].packed

        return jax.lax.scan(piece, state, length=3)

    after, packed = in_pieces(params, state)
    agree(expected, after)
    np.testing.assert_array_equal(packed.reshape(STEPS, -1), record["spikes"].packed)

    @jax.jit
    def by_hand(params, state):
        return jax.lax.scan(lambda s, _: sim.step(params, s), state, length=STEPS)

    after, rows = by_hand(params, state)
    agree(expected, after)
    np.testing.assert_array_equal(rows["spikes"]["spikes"], record["spikes"].packed)


def test_a_batched_state_may_be_at_different_times():
    """Networks of a batch need not be in the same step: slower clocks tick for each by itself."""
    sim = NETWORKS["own_clock"]("float32").compile()
    params, state = sim.init(0)
    starts = [sim.run(params, state, n)[0] for n in (0, 3)]
    batch = jax.tree.map(lambda *x: jnp.stack(x), *(s.values for s in starts))
    from dataclasses import replace

    def run(values, step, ring, events):
        return sim.run(params, replace(state, values=values, step=step, rings=ring, events=events), 10)[0].values

    rings, events = (
        jax.tree.map(lambda *x: jnp.stack(x), *(getattr(s, n) for s in starts)) for n in ("rings", "events")
    )
    many = jax.vmap(run)(batch, jnp.array([0, 3], jnp.int32), rings, events)
    for k, begun in enumerate(starts):
        agree(sim.run(params, begun, 10)[0].values, leaf(many, k))


def test_uneven_samples_inside_jit_are_refused():
    """Three or two samples: JAX has to know before it knows the step."""
    sim = NETWORKS["own_clock"]("float32").compile()
    params, state = sim.init(0)
    with pytest.raises(snn.errors.NetworkError, match=r"trace records every 5 steps.*multiple of 5"):
        jax.jit(lambda p, s: sim.run(p, s, 12))(params, state)


def smooth(dtype):
    """Below threshold: conductance, current and leak, driven by spikes that no parameter here moves."""
    drive = snn.NeuronGroup(3, "dx/dt = 1/(4*ms) : 1", threshold="x > 1", reset="x = 0", method="euler", namespace={})
    drive.x = [0, 0.3, 0.6]
    cells = snn.NeuronGroup(
        2,
        "dv/dt = (El - v + g*(E - v) + 0.2*sin(v/(10*mV))*mV)/tau : volt\ndg/dt = -g/taug : 1",
        method="rk4",
        namespace={"El": -60 * mV, "E": 0 * mV, "tau": 10 * ms, "taug": 3 * ms},
    )
    cells.v = -60 * mV
    syn = snn.Synapses(drive, cells, "w : 1", on_pre="g_post += w")
    syn.connect()
    syn.w = [0.1, 0.2, 0.05, 0.3, 0.15, 0.25]
    syn.delay = [0.0, 1.0, 0.2, 0.5, 0.0, 2.0] * ms
    trace = snn.StateMonitor(cells, "v", record=True)
    for label, given in (("drive", drive), ("cells", cells), ("syn", syn), ("trace", trace)):
        given.label(label)
    return snn.Network(drive, cells, syn, trace, dtype=dtype)


@pytest.mark.parametrize("execution", ["dense", "masked"])
def test_gradient_equals_finite_differences(execution, x64):
    sim = smooth("float64").compile(execution=execution)
    params, state = sim.init(0)

    def loss(params):
        record = sim.run(params, state, 100)[1]
        return jnp.mean(record["trace"]["v"] ** 2) * 1e3

    value, gradient = jax.jit(jax.value_and_grad(loss))(params)
    jitted = jax.jit(loss)
    checked = 0
    for path in ("cells.tau", "cells.taug", "cells.El", "syn.w"):
        here, slope = sim.get(params, path), sim.get(gradient, path)
        for at in np.ndindex(here.shape):
            h = 1e-5 * max(abs(float(here[at])), 1e-3)
            up = jitted(sim.put(params, path, here.at[at].add(h)))
            down = jitted(sim.put(params, path, here.at[at].add(-h)))
            central = float(up - down) / (2 * h)
            assert float(slope[at]) == pytest.approx(central, rel=2e-6, abs=1e-9 * abs(float(value)))
            assert central != 0
            checked += 1
    assert checked == 9


def test_gradient_with_respect_to_the_state_and_forward_mode(x64):
    sim = smooth("float64").compile(execution="masked")
    params, state = sim.init(0)

    def end(v):
        return sim.run(params, sim.put(state, "cells.v", v), 40)[0]["cells"]["v"]

    v = sim.get(state, "cells.v")
    backward = jax.jacrev(end)(v)
    forward = jax.jacfwd(end)(v)
    np.testing.assert_allclose(backward, forward, rtol=1e-10)
    h = 1e-7
    central = np.stack([(end(v.at[k].add(h)) - end(v.at[k].add(-h))) / (2 * h) for k in range(2)], axis=1)
    np.testing.assert_allclose(backward, central, rtol=1e-6, atol=1e-9)
    assert backward[0, 1] == 0  # the two cells do not hear each other


def test_inputs_of_a_run(x64):
    """dv/dt = (I(t) - v)/tau by Euler's rule, with I given in every step."""
    cell = snn.NeuronGroup(2, "dv/dt = (I - v)/tau : 1\nI : 1", method="euler", namespace={"tau": 5 * ms})
    cell.label("cell")
    sim = snn.Network(cell, dtype="float64").compile(inputs=["cell.I"])
    params, state = sim.init(0)
    current = np.random.default_rng(0).normal(size=(30, 2))
    v = np.zeros(2)
    for row in current:
        v = v + 0.1 / 5 * (row - v)
    after, _ = sim.run(params, state, 30, inputs={"cell.I": current})
    np.testing.assert_allclose(after["cell"]["v"], v, rtol=1e-12)
    # One number a step for all elements; 32-bit values do not change the type of the state.
    shared, _ = sim.run(params, state, 30, inputs={"cell.I": current[:, 0].astype(np.float32)})
    assert float(shared["cell"]["v"][0]) == pytest.approx(v[0], rel=1e-6)
    assert shared["cell"]["v"].dtype == np.float64
    # Without inputs the parameter counts.
    still, _ = sim.run(sim.put(params, "cell.I", 1.0), state, 30)
    np.testing.assert_allclose(still["cell"]["v"], 1 - (1 - 0.02) ** 30, rtol=1e-12)
    many = jax.vmap(lambda c: sim.run(params, state, 30, {"cell.I": c})[0]["cell"]["v"])(
        np.stack([current, 2 * current])
    )
    np.testing.assert_allclose(many, [v, 2 * v], rtol=1e-12)
    slope = jax.grad(lambda c: sim.run(params, state, 30, {"cell.I": c})[0]["cell"]["v"][0])(jnp.asarray(current))
    np.testing.assert_allclose(slope[:, 0], 0.02 * 0.98 ** np.arange(29, -1, -1), rtol=1e-10)


def test_inputs_that_make_no_sense():
    cell = snn.NeuronGroup(2, "dv/dt = (I - v)/tau : 1\nI : 1", method="euler", namespace={"tau": 5 * ms})
    cell.label("cell")
    net = snn.Network(cell)
    with pytest.raises(snn.errors.ArgumentError, match=r"'cell.v' cannot be an input.*cell.I"):
        net.compile(inputs=["cell.v"])
    sim = net.compile(inputs=["cell.I"])
    params, state = sim.init(0)
    with pytest.raises(snn.errors.ArgumentError, match=r"'cell.tau' is not among the inputs.*inputs=\['cell.tau'\]"):
        sim.run(params, state, 3, inputs={"cell.tau": np.ones(3)})
    with pytest.raises(snn.errors.ArgumentError, match=r"'cell.I' needs its values in the 3 steps.*\(4, 2\)"):
        sim.run(params, state, 3, inputs={"cell.I": np.ones((4, 2))})
    with pytest.raises(snn.errors.ArgumentError, match=r"'cell.I' has the shape \(3,\) in a step; it needs \(2,\)"):
        sim.run(params, state, 3, inputs={"cell.I": np.ones((3, 3))})


def test_events_of_a_batch_are_refused():
    sim = NETWORKS["delayed"]("float32").compile()
    params, state = sim.init(0)
    batch = jax.tree.map(lambda x: jnp.stack([x, x]), params)
    record = jax.vmap(partial(sim.run, state=state, duration=20))(batch)[1]["spikes"]
    assert record.dense().shape == (2, 20, 60)
    with pytest.raises(snn.errors.ArgumentError, match="one run"):
        record.events()
    one = jax.tree.map(lambda x: x[1], record)
    assert len(one.events()[0]) == int(record.counts()[1].sum()) > 0
    assert spikes_of({"spikes": one})[0][0] == 0


def test_the_run_of_the_readme(x64):
    """`in_axes=(0, None, None)` with a duration in second."""
    sim = NETWORKS["delayed"]("float64").compile()
    params, state = sim.init(0)
    batch = jax.tree.map(lambda x: jnp.stack([x, x]), params)
    many, _ = jax.vmap(sim.run, in_axes=(0, None, None))(batch, state, 0.001 * second)
    assert many.step.tolist() == [10, 10]
