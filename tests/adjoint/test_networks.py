"""Networks and general neurons against finite differences, a closed form and an independent solver."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxsnn as snn
from jaxsnn.units import ms

pytestmark = pytest.mark.usefixtures("x64")


def recurrent(method, reset="v = vr"):
    """Four neurons, all to all, each synapse with its own delay, and two inputs.

    No arrival is at a multiple of 0.5 ms: a scheme's result has a kink where an event crosses a point of its grid.
    """
    cell = snn.NeuronGroup(
        4,
        """
        dv/dt = (I + g - v)/taum : 1 (unless refractory)
        dg/dt = -g/taus : 1
        I : 1
        """,
        threshold="v > theta",
        reset=reset,
        refractory=2 * ms,
        method=method,
        namespace={"taum": 10 * ms, "taus": 4 * ms, "theta": 1.0, "vr": 0.1},
        name="cell",
    )
    cell.I = [1.5, 1.3, 0.6, 1.2]
    cell.v = [0, 0.1, 0.2, 0.3]
    syn = snn.Synapses(cell, cell, "w : 1", on_pre="g_post += w", name="syn")
    syn.connect(condition="i != j")
    syn.w = "0.1 + 0.05*i + 0.03*j"
    syn.delay = "1.04*ms + 0.31*ms*j + 0.17*ms*i"
    source = snn.SpikeGeneratorGroup(2, [0, 1, 0, 1], [1, 2.5, 7, 9.4] * ms, name="source")
    given = snn.Synapses(source, cell, "w : 1", on_pre="v_post += w", delay=0.7 * ms, name="given")
    given.connect()
    given.w = 0.15
    return snn.Network(cell, syn, source, given)


@pytest.mark.parametrize(
    "method, reset",
    [
        pytest.param("exact", "v = vr", marks=pytest.mark.slow),
        pytest.param("rk4", "v -= theta - vr; g *= 0.9", marks=pytest.mark.slow),
    ],
    ids=["exact", "rk4"],
)
def test_recurrent_network_against_finite_differences(method, reset):
    """All times, the final state, by every number there is: weights, delays, times, time constants, initial values."""
    exact = snn.adjoint.compile(recurrent(method, reset), dt=0.5 * ms, max_spikes=20)
    params, state = exact.init()
    count = int(exact.run(params, state, 25 * ms)[1].count)
    assert count >= 5
    weights = np.random.default_rng(0).normal(size=count + 8)

    def loss(given):
        params, values = given
        after, spikes = exact.run(params, replace(state, values=values), 25 * ms)
        parts = [1e3 * spikes.times[:count], after["cell"]["v"], after["cell"]["g"]]
        return jnp.dot(weights, jnp.concatenate(parts))

    given = (params, state.values)
    found, _ = ravel_pytree(jax.grad(loss)(given))
    flat, back = ravel_pytree(given)
    for k in range(flat.size):
        h = 1e-5 * max(abs(float(flat[k])), 0.1 if flat[k] == 0 else 0.0)
        moved = [loss(back(flat.at[k].add(m * h))) for m in (2, 1, -1, -2)]
        differences = (8 * (moved[1] - moved[2]) - (moved[0] - moved[3])) / (12 * h)
        # What rounding adds to the loss (about 10), divided by h.
        assert found[k] == pytest.approx(float(differences), rel=1e-6, abs=1e-12 / h), k


def quadratic(dt):
    cell = snn.NeuronGroup(
        1,
        "dv/dt = (v**2 + I)/tau : 1",
        threshold="v > peak",
        reset="v = vr",
        method="rk4",
        namespace={"tau": 10 * ms, "I": 1.0, "peak": 5.0, "vr": -2.0},
        name="cell",
    )
    cell.v = -2
    exact = snn.adjoint.compile(snn.Network(cell), dt=dt, max_spikes=4)
    params, state = exact.init()

    def second(params):
        return exact.run(params, state, 60 * ms)[1].times[1]

    return jax.value_and_grad(second)(params)


@pytest.mark.slow
def test_quadratic_neuron_converges_to_its_closed_form_with_the_order_of_the_scheme():
    """From vr to the peak in tau/sqrt(I) (arctan(peak/sqrt(I)) - arctan(vr/sqrt(I))); Runge-Kutta has order 4."""

    def closed(I, tau, peak, vr):
        root = jnp.sqrt(I)
        climb = lambda start: tau / root * (jnp.arctan(peak / root) - jnp.arctan(start / root))  # noqa: E731
        return climb(vr) + climb(-2.0)

    names = ("I", "tau", "peak", "vr")
    value, slopes = jax.value_and_grad(closed, argnums=(0, 1, 2, 3))(1.0, 10e-3, 5.0, -2.0)
    expected = np.array([value, *slopes])
    errors = []
    for dt in (0.5 * ms, 0.125 * ms):
        time, by = quadratic(dt)
        found = np.array([time, *(by["cell"][name] for name in names)])
        errors.append(np.abs(found / expected - 1))
    assert np.all(errors[1] < 3e-6)
    # 4**4 = 256, give or take where in its last step the neuron fires.
    assert errors[0].max() / errors[1].max() > 60


@pytest.mark.slow
def test_adaptive_exponential_neuron_against_diffrax():
    """The first spike, and its derivatives through diffrax's own event handling and adjoint."""
    diffrax = pytest.importorskip("diffrax")
    optimistix = pytest.importorskip("optimistix")
    cell = snn.NeuronGroup(
        1,
        """
        dv/dt = (-v + exp(v - 1) - w + I)/taum : 1
        dw/dt = (a*v - w)/tauw : 1
        """,
        threshold="v > 3",
        reset="v = 0; w += b",
        method="rk4",
        namespace={"taum": 10 * ms, "tauw": 50 * ms, "a": 0.5, "b": 0.3, "I": 1.9},
        name="cell",
    )
    exact = snn.adjoint.compile(snn.Network(cell), dt=0.1 * ms, max_spikes=3)
    params, state = exact.init()
    value, by = jax.value_and_grad(lambda p: exact.run(p, state, 60 * ms)[1].times[0])(params)

    def field(t, y, given):
        v, w = y
        dv = (-v + jnp.exp(v - 1) - w + given["I"]) / given["taum"]
        return jnp.stack([dv, (given["a"] * v - w) / given["tauw"]])

    def first(given):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Dopri8(),
            0.0,
            60e-3,
            1e-4,
            jnp.zeros(2),
            given,
            stepsize_controller=diffrax.PIDController(rtol=1e-10, atol=1e-10),
            event=diffrax.Event(lambda t, y, args, **_: y[0] - 3, optimistix.Newton(1e-11, 1e-11)),
        )
        return solution.ts[-1]

    other, theirs = jax.value_and_grad(first)({name: params["cell"][name] for name in ("I", "a", "taum", "tauw")})
    assert value == pytest.approx(float(other), rel=1e-7)
    for name, slope in theirs.items():
        assert by["cell"][name] == pytest.approx(float(slope), rel=1e-6), name


@pytest.mark.slow
def test_a_run_cut_in_two_equals_one_run():
    """Spikes on their way, refractory neurons and inputs go over the cut."""
    exact = snn.adjoint.compile(recurrent("exact"), dt=0.5 * ms, max_spikes=20)
    params, state = exact.init()
    whole, spikes = exact.run(params, state, 24 * ms)
    times, neurons = [], []
    now = state
    for _ in range(2):
        now, part = exact.run(params, now, 12 * ms)
        times.append(part.times[: part.count])
        neurons.append(part.neuron[: part.count])
    np.testing.assert_allclose(np.concatenate(times), spikes.times[: spikes.count], rtol=1e-12)
    np.testing.assert_array_equal(np.concatenate(neurons), spikes.neuron[: spikes.count])
    np.testing.assert_allclose(now["cell"]["v"], whole["cell"]["v"], rtol=1e-11)


@pytest.mark.slow
def test_many_parameter_sets_at_once():
    """Under vmap every move is carried out and all but one thrown away: nothing of those may reach the gradient."""
    cell = snn.NeuronGroup(
        2,
        "dv/dt = (I - v)/tau : 1 (unless refractory)\nI : 1",
        threshold="v > 1",
        reset="v = 0",
        refractory=1 * ms,
        namespace={"tau": 10 * ms},
        name="cell",
    )
    cell.I = [2, 0.5]
    syn = snn.Synapses(cell, cell, on_pre="v_post += 0.8", delay=0.5 * ms, name="syn")
    syn.connect(i=0, j=1)
    exact = snn.adjoint.compile(snn.Network(cell, syn), dt=1 * ms, max_spikes=4)
    params, state = exact.init()

    def last(tau):
        return exact.run(exact.put(params, "cell.tau", tau), state, 10 * ms)[1].trains("cell", 1)[1, 0]

    # The second neuron fires with the arrival: tau log(2) + 0.5 ms.
    taus = jnp.array([10e-3, 11e-3])
    times, slopes = jax.vmap(jax.value_and_grad(last))(taus)
    np.testing.assert_allclose(times, taus * np.log(2) + 0.5e-3, rtol=1e-12)
    np.testing.assert_allclose(slopes, np.log(2), rtol=1e-12)


def test_spikes_agree_with_the_clock_driven_run():
    """With steps of 10 us the simulation in steps finds the same spikes, each at most two steps later."""
    fine = 0.01 * ms
    exact = snn.adjoint.compile(recurrent("exact"), dt=0.5 * ms, max_spikes=20)
    _, spikes = exact.run(*exact.init(), 12 * ms)
    net = recurrent("exact")
    monitor = snn.SpikeMonitor(net["cell"], name="monitor")
    net.add(monitor)
    net.dt = fine
    net.run(12 * ms)
    index, times = spikes.events_of("cell")
    assert monitor.i.tolist() == index.tolist()
    late = monitor.t / ms - times * 1e3
    assert np.all(np.abs(late) < 0.02 * (1 + np.arange(late.size)))
