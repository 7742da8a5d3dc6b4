"""Interpolated delays: the split between two steps, by hand, by finite differences, and in every execution."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

import jaxsnn as snn
from jaxsnn.delays import interpolated
from jaxsnn.errors import DelayError, NotSupportedError
from jaxsnn.events import kernel
from jaxsnn.units import ms

EXECUTIONS = ("dense", "masked", "event_list")
DT = 1e-4
SPIKES = [(0, 3), (1, 3), (2, 10), (3, 12), (0, 20), (2, 25)]  # (source, step)


def labelled(dtype, **objects):
    for label, given in objects.items():
        given.label(label)
    return snn.Network(*objects.values(), dtype=dtype)


def network(dtype="float32", model="w : 1", on_pre="v_post += w", pairs=None, **options):
    """Four sources with spikes at given times, three cells that only sum up, synapses in no order of sources."""
    source = snn.SpikeGeneratorGroup(4, [i for i, _ in SPIKES], [0.1 * k for _, k in SPIKES] * ms)
    cells = snn.NeuronGroup(3, "v : 1")
    syn = snn.Synapses(source, cells, model, on_pre=on_pre, **options)
    i, j = np.divmod(np.arange(12)[::-1], 3) if pairs is None else pairs
    syn.connect(i=i, j=j)
    syn.w = 1 + i + 8 * j
    trace = snn.StateMonitor(cells, "v", record=True)
    return labelled(dtype, source=source, cells=cells, syn=syn, trace=trace)


def arrivals(syn, delay, steps):
    """(steps, 3) what has arrived *before* each step: the share 1 - f after floor(d) steps, f one later."""
    due = np.zeros((steps + 100, 3))
    for source, step in SPIKES:
        for s in np.flatnonzero(syn.i[:] == source):
            whole = int(np.floor(delay[s]))
            f = delay[s] - whole
            due[step + whole, syn.j[s]] += (1 - f) * syn.w[s]
            due[step + whole + 1, syn.j[s]] += f * syn.w[s]
    return (np.cumsum(due, axis=0) - due)[:steps]


# ---- the split of one number ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("dt", [1e-4, 5e-5, 2.5e-5, 1e-3 / 3])
def test_whole_steps_have_no_share(dt, dtype, x64):
    k = np.arange(3000)
    slot, share = interpolated.split(jnp.asarray(k * dt, dtype), dt, 3000 * dt)
    np.testing.assert_array_equal(slot, k)
    np.testing.assert_array_equal(share, 0)
    assert share.dtype == dtype


def test_split_is_linear_and_its_slope_is_one_over_dt(x64):
    delay = np.array([0.0, 0.3, 1.0, 1.25, 9.999]) * DT
    slot, share = interpolated.split(jnp.asarray(delay), DT, 10 * DT)
    np.testing.assert_array_equal(slot, [0, 0, 1, 1, 9])
    np.testing.assert_allclose(share, [0, 0.3, 0, 0.25, 0.999], atol=1e-12)
    slope = jax.vmap(jax.grad(lambda d: interpolated.split(d, DT, 10 * DT)[1]))(jnp.asarray(delay))
    np.testing.assert_allclose(slope, 1 / DT, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_delay_outside_is_not_clipped(dtype, x64):
    delay = jnp.asarray(np.array([-1e-6, 10.01 * DT, np.nan, np.inf, -np.inf, 0, 10 * DT]), dtype)
    slot, share = interpolated.split(delay, DT, 10 * DT)
    np.testing.assert_array_equal(np.isnan(share), [True] * 5 + [False] * 2)
    assert slot.tolist() == [0] * 5 + [0, 10]


@pytest.mark.parametrize(("max_delay", "steps"), [(1e-3, 10), (1.04e-3, 11), (0.3e-4, 1), (3e-4, 3), (0.7, 7000)])
def test_longest(max_delay, steps):
    assert interpolated.longest(max_delay, DT) == steps


def test_rings_deliver_each_share_once():
    rng = np.random.default_rng(0)
    longest, expected = 5, np.zeros((80, 4))
    lower, upper = interpolated.init(longest, 4)
    for t in range(60):
        if t == 23:  # to longer rings, on the host, as between two runs
            lower, upper = map(jnp.asarray, interpolated.resize((np.asarray(lower), np.asarray(upper)), t, 13))
        k, n = int(rng.integers(0, longest + 1)), int(rng.integers(0, 4))
        expected[t + k, n] += t
        expected[t + k + 1, n] += 1000 * t
        lower = lower.at[(t + k) % len(lower), n].add(t)
        upper = upper.at[(t + k) % len(upper), n].add(1000 * t)
        now, (lower, upper) = interpolated.take((lower, upper), t)
        np.testing.assert_array_equal(now, expected[t])


# ---- in networks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("homogeneous", [False, True])
def test_a_spike_arrives_in_two_parts(execution, homogeneous):
    delay = np.full(12, 4.25) if homogeneous else 19.75 * np.arange(12) / 11
    net = network(max_delay=2 * ms, **({"delay": 0.425 * ms} if homogeneous else {}))
    if not homogeneous:
        net["syn"].delay = 0.1 * delay * ms
    sim = net.compile(execution=execution)
    params, state = sim.init(0)
    assert params["syn"]["delay"].shape == (() if homogeneous else (12,))
    expected = arrivals(net["syn"], delay, 60)
    np.testing.assert_allclose(sim.run(params, state, 60)[1]["trace"]["v"], expected, rtol=1e-5, atol=1e-4)
    # Another value of the parameter, without another compilation.
    params = sim.put(params, "syn.delay", 0.3 * params["syn"]["delay"])
    record = sim.run(params, state, 60)[1]
    np.testing.assert_allclose(record["trace"]["v"], arrivals(net["syn"], 0.3 * delay, 60), rtol=1e-5, atol=1e-4)
    assert sim._scan._cache_size() == 1


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_whole_steps_are_an_ordinary_delay(execution):
    runs = []
    for options in ({}, {"max_delay": 2 * ms}):
        net = network(**options)
        net["syn"].delay = 0.3 * (np.arange(12) % 7) * ms
        sim = net.compile(execution=execution)
        runs.append(np.asarray(sim.run(*sim.init(0), 60)[1]["trace"]["v"]))
    assert runs[0].max() > 100
    np.testing.assert_array_equal(*runs)


def test_a_run_in_pieces_is_one_run():
    delay = 19.9 * np.arange(12) / 11
    net = network(max_delay=2 * ms)
    net["syn"].delay = 0.1 * delay * ms
    net.run(0.5 * ms)
    net.run(0.1 * ms)
    net.store()
    net.run(1.5 * ms)
    net.restore()
    net.run(5.4 * ms)
    np.testing.assert_allclose(net["trace"].v.T, arrivals(net["syn"], delay, 60), rtol=1e-5, atol=1e-4)


def test_pathways_of_both_ends_and_their_names():
    """A spike of the cell reaches `early` of the source through on_post, after 1.5 steps."""
    source = snn.NeuronGroup(1, "x : 1", threshold="abs(t - 1*ms) < dt/2", reset="")
    cell = snn.NeuronGroup(1, "v : 1\nu : 1", threshold="abs(t - 1.3*ms) < dt/2", reset="")
    syn = snn.Synapses(
        source,
        cell,
        on_pre={"fast": "v_post += 1", "slow": "u_post += 1"},
        on_post="x_pre += 8",
        max_delay={"fast": 1 * ms, "post": 0.4 * ms},
        delay={"slow": 0.2 * ms},
    )
    syn.connect()
    syn.fast.delay = 0.275 * ms
    syn.post.delay = 0.15 * ms
    trace, back = snn.StateMonitor(cell, ["v", "u"], record=True), snn.StateMonitor(source, "x", record=True)
    net = labelled("float32", source=source, cell=cell, syn=syn, trace=trace, back=back)
    sim = net.compile()
    params, state = sim.init(0)
    assert {name for name in params["syn"] if "delay" in name} == {"fast.delay", "post.delay"}
    assert sim.get(params, "syn.post.delay") == pytest.approx([0.15e-3])
    record = sim.run(params, state, 20)[1]
    v, u, x = (np.diff(np.asarray(record[m][n])[:, 0]) for m, n in (("trace", "v"), ("trace", "u"), ("back", "x")))
    step = np.arange(19)
    np.testing.assert_allclose(v, 0.25 * (step == 12) + 0.75 * (step == 13), atol=1e-5)
    np.testing.assert_array_equal(u, step == 12)
    np.testing.assert_allclose(x, 4 * np.isin(step, [14, 15]), atol=1e-4)


@pytest.mark.parametrize("execution", EXECUTIONS[1:])  # the product of a batch is in contracts/test_batches.py
def test_a_batch_of_delays_equals_a_loop(execution):
    net = network(max_delay=2 * ms)
    sim = net.compile(execution=execution)
    params, state = sim.init(0)
    batch = jnp.asarray(np.random.default_rng(1).uniform(0, 2e-3, (3, 12)), jnp.float32)

    def run(delay):
        return sim.run(sim.put(params, "syn.delay", delay), state, 60)[1]["trace"]["v"]

    many = jax.vmap(run)(batch)
    for delay, v in zip(batch, many, strict=True):
        np.testing.assert_allclose(v, run(delay), rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(v, arrivals(net["syn"], np.asarray(delay) / DT, 60), rtol=1e-4, atol=1e-3)


def leaky(homogeneous, on_pre="v_post += w"):
    """Cells whose traces depend smoothly on what arrives, and a loss of them."""
    source = snn.SpikeGeneratorGroup(4, [i for i, _ in SPIKES], [0.1 * k for _, k in SPIKES] * ms)
    cells = snn.NeuronGroup(3, "dv/dt = -v/(3*ms) : 1", method="exact")
    options = {"delay": 0.777 * ms} if homogeneous else {}
    syn = snn.Synapses(source, cells, "w : 1", on_pre=on_pre, max_delay=2 * ms, **options)
    i, j = np.divmod(np.arange(12)[::-1], 3)
    syn.connect(i=i, j=j)
    syn.w = 1 + i + 0.1 * j
    if not homogeneous:
        syn.delay = 0.0123 * ms + 0.17 * np.arange(12) * ms
    trace = snn.StateMonitor(cells, "v", record=True)
    sim = labelled("float64", source=source, cells=cells, syn=syn, trace=trace).compile(execution="masked")
    params, state = sim.init(0)
    wish = 3 * jnp.sin(jnp.arange(180.0)).reshape(60, 3)

    def loss(delay):
        return jnp.mean((sim.run(sim.put(params, "syn.delay", delay), state, 60)[1]["trace"]["v"] - wish) ** 2)

    return loss, params["syn"]["delay"]


@pytest.mark.parametrize(
    ("homogeneous", "on_pre"), [(False, "v_post += w"), (True, "v_post += w"), (False, "v_post += w*exp(-delay/ms)")]
)
def test_gradient_with_respect_to_delays(homogeneous, on_pre, x64):
    loss, delay = leaky(homogeneous, on_pre)
    loss = jax.jit(loss)
    gradient = jax.jit(jax.grad(loss))(delay)
    forward = jax.jit(jax.jacfwd(loss))(delay)
    h = 1e-9  # seconds: a hundred-thousandth of a step, so that no delay crosses one
    for at in np.ndindex(delay.shape):
        central = float(loss(delay.at[at].add(h)) - loss(delay.at[at].add(-h))) / (2 * h)
        assert abs(central) > 1
        assert float(gradient[at]) == pytest.approx(central, rel=1e-5)
    np.testing.assert_allclose(gradient, forward, rtol=1e-10)


def test_delays_are_found_by_descent(x64):
    """Two delays of 4.3 and 12.6 steps, from 2 and 15: gradient descent on the trace of a leaky cell."""
    source = snn.SpikeGeneratorGroup(2, [0, 1], [1, 1] * ms)
    cell = snn.NeuronGroup(1, "dv/dt = (g - v)/(2*ms) : 1\ndg/dt = -g/(1*ms) : 1", method="exact")
    syn = snn.Synapses(source, cell, on_pre="g_post += 1", max_delay=3 * ms)
    syn.connect()
    trace = snn.StateMonitor(cell, "v", record=True)
    sim = labelled("float64", source=source, cell=cell, syn=syn, trace=trace).compile(execution="masked")
    params, state = sim.init(0)

    def v(steps):
        return sim.run(sim.put(params, "syn.delay", steps * DT), state, 100)[1]["trace"]["v"][:, 0]

    goal = v(jnp.array([4.3, 12.6]))
    slope = jax.jit(jax.grad(lambda steps: 1e3 * jnp.mean((v(steps) - goal) ** 2)))
    steps = jnp.array([2.0, 15.0])
    for _ in range(150):
        steps = steps - 2 * slope(steps)
    np.testing.assert_allclose(steps, [4.3, 12.6], atol=1e-3)


def test_a_delay_given_in_every_step_counts_at_the_spike():
    net = network(max_delay=2 * ms, delay=0)
    sim = net.compile(inputs=["syn.delay"])
    params, state = sim.init(0)
    delay = np.where(np.arange(60) < 10, 2.5, 0.5) * DT
    record = sim.run(params, state, 60, inputs={"syn.delay": delay})[1]["trace"]["v"]
    due, syn = np.zeros((80, 3)), net["syn"]
    for source, step in SPIKES:
        for s in np.flatnonzero(syn.i[:] == source):
            for late in (0, 1):
                due[step + (2 if step < 10 else 0) + late, syn.j[s]] += syn.w[s] / 2
    np.testing.assert_allclose(record, (np.cumsum(due, axis=0) - due)[:60], rtol=1e-5)


@pytest.mark.parametrize("batch", [False, True])
def test_the_gpu_kernel_takes_interpolated_delays(batch, monkeypatch):
    """Lowered for CUDA on this machine: one kernel a step, that adds into two rings."""
    monkeypatch.setattr(kernel, "available", lambda backend: True)
    sim = network(max_delay=2 * ms).compile(execution="kernel", unroll=1)
    params, state = sim.init(0)

    def run(delay):
        return sim._run_steps(sim.put(params, "syn.delay", delay), state, None, steps=5, phase=None)

    delay = jnp.ones(12) * 1e-3
    if batch:
        run, delay = jax.vmap(run), jnp.stack([delay, delay / 2])
    device = AbstractDevice("NVIDIA H200", 132, "gpu")
    with use_abstract_mesh(AbstractMesh((), (), abstract_device=device)):
        text = jax.jit(run).trace(delay).lower(lowering_platforms=("cuda",)).as_text()
    assert text.count("__gpu$xla.gpu.triton") == 1


# ---- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "on_pre", "why"),
    [
        ("w : 1", "v_post += w; w += 1", "it changes 'w' of the synapse"),
        ("w : 1", "v_post += w*rand()", "it draws random numbers"),
        ("w : 1", "v_post *= w", "'v_post' is multiplied"),
        ("w : 1", "v_post += w*(1 - v_post)", "'v_post' is written after the block has read it"),
        ("w : 1\ndx/dt = -x/ms : 1 (clock-driven)", "v_post += w*x", "'x' may change between the spike and its"),
    ],
)
def test_code_that_cannot_be_split(model, on_pre, why):
    options = {"method": "euler"} if "dx/dt" in model else {}
    net = network(model=model, on_pre=on_pre, max_delay=2 * ms, **options)
    with pytest.raises(NotSupportedError, match=r"syn.pre: with max_delay .* only adds to neurons.*") as caught:
        net.run(1 * ms)
    assert why in str(caught.value)
    assert "Leave out max_delay" in str(caught.value)


@pytest.mark.parametrize("value", [0 * ms, -1 * ms, np.inf * ms, [1, 2] * ms, np.nan * ms])
def test_a_longest_delay_that_makes_no_sense(value):
    with pytest.raises(DelayError, match=r"max_delay is the longest delay, one time above 0 such as 10\*ms"):
        network(max_delay=value)
    with pytest.raises(DelayError, match="there is no pathway 'fast' for this max_delay"):
        network(max_delay={"fast": 1 * ms})


def test_a_delay_that_is_too_long():
    net = network(max_delay=2 * ms)
    with pytest.raises(DelayError, match=r"the delay of synapse 3, 2.1 ms, is longer than max_delay = 2 ms"):
        net["syn"].delay = [0, 1, 2, 2.1, *[0] * 8] * ms
    with pytest.raises(DelayError, match=r"delay of synapse 0, 3 ms, is longer than max_delay = 2 ms"):
        network(delay=3 * ms, max_delay=2 * ms)
    net["syn"].delay = 1 * ms
    net["syn"].delay[5] = 2.5 * ms
    with pytest.raises(DelayError, match=r"the delay of synapse 5, 2.5 ms"):
        net.run(1 * ms)
    with pytest.raises(DelayError, match=r"syn.pre: max_delay = 1000 s is 10000000 steps.*ms, not second"):
        network(max_delay=1e6 * ms).run(1 * ms)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_a_parameter_outside_of_the_bounds_is_seen(execution):
    """Nothing is clipped: what such a synapse adds is NaN, which no run passes over."""
    sim = network(max_delay=2 * ms).compile(execution=execution)
    params, state = sim.init(0)
    # Synapse 11 leads from source 0 to cell 0; its first spike is in step 3.
    for wrong in (-1e-6, 2.1e-3, np.nan):
        delay = params["syn"]["delay"].at[11].set(wrong)
        v = np.asarray(sim.run(sim.put(params, "syn.delay", delay), state, 30)[1]["trace"]["v"])
        assert np.isnan(v[4:, 0]).all()
        if execution != "dense":  # whose product is with a whole column, silent sources too
            assert not np.isnan(v[:4, 0]).any()
        assert not np.isnan(v[:, 1:]).any()
