"""Spike times and their derivatives against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.units import ms

pytestmark = pytest.mark.usefixtures("x64")


def compiled(*objects, dt=1 * ms, **arguments):
    exact = snn.adjoint.compile(snn.Network(*objects), dt=dt, **{"max_spikes": 20, **arguments})
    return exact, *exact.init()


def test_constant_current():
    """The k-th spike is at k tau log(I/(I - theta))."""
    cell = snn.NeuronGroup(
        2,
        "dv/dt = (I - v)/tau : 1\nI : 1",
        threshold="v > theta",
        reset="v = 0",
        namespace={"tau": 10 * ms, "theta": 1.0},
        name="cell",
    )
    cell.I = [2, 3]
    exact, params, state = compiled(cell)
    number = jnp.arange(1, 4)

    def closed(params):
        given = params["cell"]
        return number * given["tau"] * jnp.log(given["I"] / (given["I"] - given["theta"]))[:, None]

    def found(params):
        return exact.run(params, state, 25 * ms)[1].trains("cell", 3)

    np.testing.assert_allclose(found(params), closed(params), rtol=1e-13)
    expected = jax.jacrev(closed)(params)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14), jax.jacrev(found)(params), expected
    )
    _, forward = jax.jvp(lambda tau: found(exact.put(params, "cell.tau", tau)), (10e-3,), (1.0,))
    np.testing.assert_allclose(forward, expected["cell"]["tau"], rtol=1e-11)


def test_initial_value_and_refractory_period():
    """First spike at tau log((I - v0)/(I - theta)), the next one t_ref + tau log(I/(I - theta)) later."""
    cell = snn.NeuronGroup(
        1,
        "dv/dt = (I - v)/tau : 1 (unless refractory)",
        threshold="v > 1",
        reset="v = 0",
        refractory=2.3 * ms,
        namespace={"tau": 10 * ms, "I": 1.5},
        name="cell",
    )
    cell.v = 0.4
    exact, params, state = compiled(cell)

    def found(v0, rest):
        start = exact.put(state, "cell.v", v0)
        return exact.run(exact.put(params, "cell.refractory", rest), start, 30 * ms)[1].times[:2]

    climb = 10e-3 * np.log(1.5 / 0.5)
    first = 10e-3 * np.log(1.1 / 0.5)
    np.testing.assert_allclose(found(0.4, 2.3e-3), [first, first + 2.3e-3 + climb], rtol=1e-12)
    by_v0, by_rest = jax.jacrev(found, argnums=(0, 1))(0.4, 2.3e-3)
    np.testing.assert_allclose(by_v0, [-10e-3 / 1.1] * 2, rtol=1e-11)
    np.testing.assert_allclose(by_rest, [0, 1], atol=1e-12)


@pytest.fixture(scope="module")
def synaptic():
    """One input spike through an exponential current synapse, tau_m = 2 tau_s."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    cell = snn.NeuronGroup(
        1,
        "dv/dt = (g - v)/taum : 1\ndg/dt = -g/taus : 1\ndQ/dt = g/taus : 1",
        threshold="v > theta",
        reset="v = 0",
        method="exact",
        namespace={"taum": 20 * ms, "taus": 10 * ms, "theta": 1.0},
        name="cell",
    )
    source = snn.SpikeGeneratorGroup(1, [0], [3.21] * ms, name="source")
    syn = snn.Synapses(source, cell, "w : 1", on_pre="g_post += w", delay=1.37 * ms, name="syn")
    syn.connect()
    syn.w = 5
    yield compiled(source, cell, syn)
    jax.config.update("jax_enable_x64", before)


def rise(params):
    """With u = exp(-t/taum) the membrane is w (u - u**2), since taum = 2 taus: a quadratic equation for the spike.

    Derivatives by taum and taus apart come from v(t) = w taus/(taum - taus) (exp(-t/taum) - exp(-t/taus)).
    """
    w, theta, taum = params["syn"]["w"][0], params["cell"]["theta"], params["cell"]["taum"]
    u = (1 + jnp.sqrt(1 - 4 * theta / w)) / 2  # the larger root is the earlier time
    return -taum * jnp.log(u)


def test_exponential_synapse_value(synaptic):
    exact, params, state = synaptic
    _, spikes = exact.run(params, state, 30 * ms)
    assert spikes.count == 1
    np.testing.assert_allclose(spikes.times[0], 3.21e-3 + 1.37e-3 + rise(params), rtol=1e-13)


def test_exponential_synapse_derivatives(synaptic):
    exact, params, state = synaptic
    t = float(rise(params))
    w, taum, taus = 5.0, 20e-3, 10e-3

    def membrane(w, taum, taus, t):
        return w * taus / (taum - taus) * (jnp.exp(-t / taum) - jnp.exp(-t / taus))

    by_w, by_taum, by_taus, slope = jax.grad(membrane, argnums=(0, 1, 2, 3))(w, taum, taus, t)
    found = jax.grad(lambda p: exact.run(p, state, 30 * ms)[1].times[0])(params)
    quadratic = jax.grad(rise)(params)
    np.testing.assert_allclose(found["syn"]["w"], quadratic["syn"]["w"], rtol=1e-11)
    np.testing.assert_allclose(found["cell"]["theta"], quadratic["cell"]["theta"], rtol=1e-11)
    np.testing.assert_allclose(found["cell"]["taum"], -by_taum / slope, rtol=1e-9)
    np.testing.assert_allclose(found["cell"]["taus"], -by_taus / slope, rtol=1e-9)
    np.testing.assert_allclose(found["syn"]["w"], -by_w / slope, rtol=1e-11)
    np.testing.assert_allclose(found["syn"]["delay"], 1, rtol=1e-12)
    np.testing.assert_allclose(found["source"]["times"], [1], rtol=1e-12)


def test_a_maximum_between_two_points_of_the_grid_fires(synaptic):
    """At the weight 4.0001 the membrane is above threshold for less than 0.3 ms; the grid has steps of 1 ms."""
    exact, params, state = synaptic
    params = exact.put(params, "syn.w", 4.0001)
    _, spikes = exact.run(params, state, 30 * ms)
    # At its maximum the membrane is at exp(-t/taum) = 1/2.
    np.testing.assert_allclose(spikes.times[0], 4.58e-3 + rise(params), rtol=1e-9)
    _, spikes = exact.run(exact.put(params, "syn.w", 3.9999), state, 30 * ms)
    assert spikes.count == 0
    assert np.all(np.isinf(spikes.times))


@pytest.mark.slow
def test_a_chain_adds_up_its_delays():
    """Every spike is caused by a jump: its time is the input's plus the delays on the way, whatever the weights."""
    n = 4
    cell = snn.NeuronGroup(
        n, "dv/dt = -v/tau : 1", threshold="v > 1", reset="v = 0", namespace={"tau": 5 * ms}, name="cell"
    )
    source = snn.SpikeGeneratorGroup(1, [0], [0.5] * ms, name="source")
    first = snn.Synapses(source, cell[:1], on_pre="v_post += 1.5", delay=0.25 * ms, name="first")
    first.connect()
    chain = snn.Synapses(cell, cell, "w : 1", on_pre="v_post += w", name="chain")
    chain.connect(j="i + 1", skip_if_invalid=True)
    chain.w = 2
    chain.delay = "(1 + 0.3*i)*ms"
    exact, params, state = compiled(source, cell, first, chain)

    def last(params):
        return exact.run(params, state, 10 * ms)[1].trains("cell", 1)[n - 1, 0]

    np.testing.assert_allclose(last(params), (0.5 + 0.25 + 1 + 1.3 + 1.6) * 1e-3, rtol=1e-12)
    found = jax.grad(last)(params)
    np.testing.assert_allclose(found["chain"]["delay"], 1)
    np.testing.assert_allclose(found["first"]["delay"], 1)
    np.testing.assert_allclose(found["source"]["times"], 1)
    np.testing.assert_allclose(found["chain"]["w"], 0)
    np.testing.assert_allclose(found["cell"]["tau"], 0)


def test_equal_neurons_fire_together_and_keep_their_own_derivatives():
    cell = snn.NeuronGroup(
        3,
        "dv/dt = (I - v)/tau : 1\nI : 1",
        threshold="v > 1",
        reset="v = 0",
        namespace={"tau": 10 * ms},
        name="cell",
    )
    cell.I = 2
    exact, params, state = compiled(cell)
    found = jax.jacrev(lambda I: exact.run(exact.put(params, "cell.I", I), state, 15 * ms)[1].trains("cell", 2))(
        params["cell"]["I"]
    )
    one = 10e-3 * (1 / 2 - 1)
    np.testing.assert_allclose(found, np.eye(3)[:, None, :] * np.array([one, 2 * one])[:, None], rtol=1e-11)


def test_integral_is_one_more_equation(synaptic):
    """Q is the integral of g/taus: w (1 - exp(-(T - t)/taus)) for a spike that arrives at t."""
    exact, params, state = synaptic

    def closed(params, T=30e-3):
        arrival = params["source"]["times"][0] + params["syn"]["delay"]
        return params["syn"]["w"][0] * (1 - jnp.exp(-(T - arrival) / params["cell"]["taus"]))

    def found(params):
        return exact.run(params, state, 30 * ms)[0]["cell"]["Q"][0]

    np.testing.assert_allclose(found(params), closed(params), rtol=1e-13)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12),
        jax.grad(found)(params),
        jax.grad(closed)(params),
    )


def test_a_stimulus_in_steps_has_derivatives_by_its_values():
    """I[0] for 5 ms, then I[1]: from v = I[0] (1 - exp(-5 ms/tau)) on in tau log((I[1] - v)/(I[1] - 1)).

    The group is carried along the grid.
    """
    cell = snn.NeuronGroup(
        1,
        "dv/dt = (I(t) - v)/tau : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
        namespace={"tau": 10 * ms, "I": snn.TimedArray([0.5, 2.0], dt=5 * ms)},
        name="cell",
    )
    exact, params, state = compiled(cell)

    def closed(params):
        I, tau = params["cell"]["I"], params["cell"]["tau"]
        v = I[0] * (1 - jnp.exp(-5e-3 / tau))
        return 5e-3 + tau * jnp.log((I[1] - v) / (I[1] - 1))

    found = jax.value_and_grad(lambda p: exact.run(p, state, 14 * ms)[1].times[0])(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11), found, jax.value_and_grad(closed)(params))


@pytest.mark.slow
def test_equal_delays_can_be_learned_apart():
    """Two spikes of one source reach two neurons, each by its own delay, though both are 1 ms now."""
    cell = snn.NeuronGroup(2, "v : 1", threshold="v > 1", reset="v = 0", name="cell")
    source = snn.SpikeGeneratorGroup(1, [0, 0], [0.5, 2] * ms, name="source")
    syn = snn.Synapses(source, cell, on_pre="v_post += 1.5", delay=1 * ms, name="syn")
    syn.connect()
    exact, params, state = compiled(source, cell, syn, own_delays=("syn",))
    assert params["syn"]["delay"].shape == (2,)

    def times(delay):
        return exact.run(exact.put(params, "syn.delay", delay), state, 5 * ms)[1].trains("cell", 2)

    delays = jnp.array([1e-3, 1e-3])
    np.testing.assert_allclose(times(delays), [[1.5e-3, 3e-3]] * 2, rtol=1e-12)
    # Each neuron fires twice, and both times move with its own delay.
    np.testing.assert_allclose(jax.jacfwd(times)(delays), np.eye(2)[:, None, :] * np.ones((1, 2, 1)), atol=1e-12)
