"""The other rules against closed forms: resources, voltage, calcium, homeostasis, rates."""

import numpy as np
import pytest
from plasticity.running import DT, run

from jaxsnn import Network, NeuronGroup, SpikeMonitor, StateMonitor, TimedArray
from jaxsnn.plasticity import (
    BCM,
    CALCIUM,
    CALCIUM_NOISY,
    HEBB_HARD,
    HEBB_SOFT,
    OJA,
    SCALING,
    SHORT_TERM,
    SHORT_TERM_DEPRESSION,
    VOLTAGE_STDP,
)
from jaxsnn.units import Hz, ms, mV, second

pytestmark = pytest.mark.usefixtures("x64")

# ---- short-term plasticity ---------------------------------------------------------------------------

PERIODS = np.array([200, 500, 2000])  # steps: 50, 20, 5 Hz
SETS = [
    (SHORT_TERM, {}),
    (SHORT_TERM, {"U": 0.5, "tau_f": 20 * ms, "tau_d": 800 * ms}),
    (SHORT_TERM_DEPRESSION, {}),
]


@pytest.mark.parametrize("rule, values", SETS, ids=["facilitating", "depressing", "without facilitation"])
def test_released_resources(rule, values):
    """Spike by spike the map from one to the next; in the end its fixed point."""
    duration = 60000
    pre = [np.arange(p, duration, p) for p in PERIODS]
    done = run(rule, pre, [[]] * 3, duration, record=["released"], **values)
    rule = rule.with_values(**values)
    U, tau_d = rule.values["U"], rule.values["tau_d"].value
    for synapse, period in enumerate(PERIODS * DT):
        keep = np.exp(-period / rule.values["tau_f"].value) if "tau_f" in rule.values else 0.0
        recover = np.exp(-period / tau_d)
        u, x, expected = 0.0, 1.0, []
        for n in range(len(pre[synapse])):
            u = u * keep * (n > 0) + U * (1 - u * keep * (n > 0))
            expected.append(u * x)
            x = 1 - (1 - x * (1 - u)) * recover
        seen = done.trace.released[synapse, pre[synapse][:-1] + 1]
        np.testing.assert_allclose(seen, expected[:-1], rtol=1e-9)
        u_end = U / (1 - (1 - U) * keep)
        x_end = (1 - recover) / (1 - (1 - u_end) * recover)
        # 6 s are 11 of the longest time constant of the facilitating set.
        assert seen[-1] == pytest.approx(u_end * x_end, rel=2e-3)


def test_first_spikes_grow_or_shrink():
    pre = [np.arange(100, 2000, 500)]
    released = [run(rule, pre, [[]], 2000, record=["released"], **v).trace.released[0, pre[0] + 1] for rule, v in SETS]
    assert np.all(np.diff(released[0]) > 0)
    assert np.all(np.diff(released[1]) < 0)
    assert np.all(np.diff(released[2]) < 0)


# ---- voltage -----------------------------------------------------------------------------------------


def test_clamped_voltage():
    """At a fixed potential each presynaptic spike changes the weight by the two rectified products."""
    v = np.array([-80.0, -71.0, -60.0, -50.0, -44.0, -30.0, 0.0])
    spikes = 100 + 400 * np.arange(10)  # 25 Hz
    clamp = dict.fromkeys(("v", "v_minus", "v_plus"), v * mV)
    done = run(VOLTAGE_STDP, [spikes] * 7, [[]] * 7, 6000, neuron="v : volt", target_values=clamp, w_max=100.0)
    change = done.w - 50
    low, high = np.maximum(v + 70.6, 0), np.maximum(v + 45.3, 0)
    # Euler's decay of the trace, which is gone after the last 230 ms.
    np.testing.assert_allclose(change, 10 * (8e-5 * high * low - 14e-5 * low), rtol=1e-5, atol=1e-12)
    assert change[0] == 0
    assert np.all(change[2:4] < 0)
    assert np.all(change[5:] > 0)


def test_depression_needs_a_depolarised_past_and_potentiation_a_depolarised_now():
    """The potential jumps up for 10 ms, after or before the presynaptic spike."""
    v_of_t = TimedArray(np.where((np.arange(1000) // 100) == 3, -20, -75) * mV, dt=0.1 * ms)
    neuron = "v = v_of_t(t) : volt"
    rule = VOLTAGE_STDP.with_values(w_max=10.0)
    done = {}
    for name, step in (("before", 290), ("after", 410)):
        cells = NeuronGroup(1, f"{neuron}\n{rule.neuron_equations}", namespace={**rule.values, "v_of_t": v_of_t})
        cells.v_minus = cells.v_plus = -75 * mV
        source = NeuronGroup(1, "k : 1", threshold=f"t_in_timesteps == {step}", reset="")
        wires = rule.synapses(source, cells, connect=True)
        Network(source, cells, wires, dtype="float64").run(80 * ms)
        done[name] = float(wires.w[0]) - 5
    assert done["after"] < 0 < done["before"]


# ---- calcium -----------------------------------------------------------------------------------------

LAGS = np.array([-400, -150, -20, 0, 90, 200, 400])


def pair_of(lag, values):
    """Times and heights of the calcium of one pair."""
    delay = round(values["D"].value / DT)
    arrivals = sorted([(500 + delay, values["C_pre"]), (500 + lag, values["C_post"])])
    return [(step * DT, height) for step, height in arrivals]


def calcium_at(t, arrivals, tau):
    """Spikes of a step act after the integration of that step, so their calcium decays from the next one on."""
    return sum(height * np.exp(-(t - at) / tau) * (t > at + DT / 4) for at, height in arrivals)


@pytest.mark.parametrize("pattern", CALCIUM.patterns)
def test_calcium_of_a_pair(pattern):
    rule = CALCIUM.pattern(pattern)
    values, tau = rule.values, rule.values["tau_Ca"].value
    done = run(rule, [[500]] * LAGS.size, [[500 + lag] for lag in LAGS], 1600, record=["c", "rho"])
    for synapse, lag in enumerate(LAGS):
        arrivals = pair_of(lag, values)
        # The value at the start of a step; the spike of step s is integrated from step s + 1 on.
        t = np.arange(1600) * DT
        expected = calcium_at(t, [(at + DT, height) for at, height in arrivals], tau)
        expected += sum(height * (np.abs(t - at - DT) < DT / 4) for at, height in arrivals)
        # The midpoint method: (dt/tau)**2/6 in each time constant.
        np.testing.assert_allclose(done.trace.c[synapse], expected, rtol=2e-4, atol=1e-12)
        # Time above a threshold: until the first maximum has fallen to it, and the second.
        (t1, c1), (t2, c2) = arrivals
        top = c2 + c1 * np.exp(-(t2 - t1) / tau)
        for theta in (values["theta_d"], values["theta_p"]):
            above = min(max(tau * np.log(c1 / theta), 0), t2 - t1) + max(tau * np.log(top / theta), 0)
            assert np.sum(done.trace.c[synapse] > theta) * DT == pytest.approx(above, abs=2 * DT)
        assert done.trace.rho[synapse, -1] == pytest.approx(relaxed(values, arrivals), abs=1e-3 * 0.5)


def relaxed(values, arrivals):
    """rho after one pair: exponential relaxation to 0 or to gamma_p/(gamma_p + gamma_d) while c is above thresholds."""
    tau, up, down = values["tau"].value, values["gamma_p"], values["gamma_d"]
    ends = [arrivals[1][0], np.inf]
    c, rho = 0.0, 0.5
    for k, (at, height) in enumerate(arrivals):
        c = c * (k > 0) + height
        left = ends[k] - at
        above = [
            min(max(values["tau_Ca"].value * np.log(c / values[name]), 0), left) for name in ("theta_p", "theta_d")
        ]
        middle = up / (up + down)
        rho = middle + (rho - middle) * np.exp(-(up + down) / tau * above[0])
        rho *= np.exp(-down / tau * (above[1] - above[0]))
        c *= np.exp(-left / values["tau_Ca"].value)
    return rho


def test_rho_is_bistable_at_rest():
    start = "0.05 + 0.4*int(i > 0) + 0.1*int(i > 1) + 0.4*int(i > 2)"
    done = run(CALCIUM, [[]] * 4, [[]] * 4, 4000, record=["rho"], tau=0.02 * second, rho=start)
    assert done.trace.rho[:, 0] == pytest.approx([0.05, 0.45, 0.55, 0.95])
    assert done.trace.rho[:, -1] == pytest.approx([0, 0, 1, 1], abs=0.02)
    assert done.w == pytest.approx([1, 1, 5, 5], abs=0.1)


def test_noise_acts_above_the_thresholds():
    """The variance grows by sigma**2/tau a second while c is above one threshold, by twice that above both."""
    n = 400
    done = run(
        CALCIUM_NOISY, [[]] * n, [[100]] * n, 400, record=["rho", "c"], C_post=1.2, tau=1 * second, gamma_p=0.0,
        gamma_d=0.0, sigma=0.05,
    )  # fmt: skip
    assert np.ptp(done.trace.rho[:, 100]) == 0
    steps = np.sum(done.trace.c[0] > 1)
    assert steps * DT == pytest.approx(20e-3 * np.log(1.2), abs=2 * DT)
    variance = np.var(done.trace.rho[:, -1])
    assert variance == pytest.approx(0.05**2 * steps * DT, rel=4 * (2 / n) ** 0.5)


# ---- homeostasis -------------------------------------------------------------------------------------


def test_scaling_brings_the_rate_to_its_goal():
    rule = SCALING.with_values(beta=0.1, tau_a=0.5 * second)
    source = NeuronGroup(1, "k : 1", threshold="t_in_timesteps % 10 == 0", reset="")  # 100 Hz
    cells = NeuronGroup(
        2, f"v : 1\n{rule.neuron_equations}", threshold="v > 1", reset=f"v -= 1\n{rule.neuron_reset}",
        namespace=rule.values, method="exact",
    )  # fmt: skip
    wires = rule.synapses(source, cells, transmit="v_post += 0.2*w", connect=True, w=[0.1, 2.0])
    spikes = SpikeMonitor(cells, record=False)
    network = Network(source, cells, wires, spikes, dt=1 * ms, dtype="float64")
    network.run(15 * second)
    before = np.array(spikes.count)
    network.run(10 * second)
    # The rate is 20 Hz times the weight, so the weight comes to 1/2.
    assert (np.array(spikes.count) - before) / 10 == pytest.approx([10, 10], abs=0.2)
    assert wires.w[:] == pytest.approx([0.5, 0.5], rel=0.05)


# ---- rates -------------------------------------------------------------------------------------------


def rates(rule, patterns, interval, duration, targets=1, **values):
    """Weights (synapses, steps) of neurons with these inputs (times, sources) one after the other; steps of 1 ms."""
    inputs = TimedArray(patterns, dt=interval)
    source = NeuronGroup(patterns.shape[1], "x = inputs(t, i) : 1", namespace={"inputs": inputs})
    cells = NeuronGroup(targets, rule.neuron_equations, namespace=rule.with_values(**values).values)
    wires = rule.synapses(source, cells, connect=True, **values)
    trace = StateMonitor(wires, "w", record=True)
    output = StateMonitor(cells, "y", record=True)
    Network(source, cells, wires, trace, output, dt=1 * ms, dtype="float64").run(duration)
    return np.asarray(trace.w), np.asarray(output.y)


def test_hebb_with_hard_and_soft_bounds():
    """One input: dw/dt = eta x^2 w, cut off at 1, or times 1 - w, which is the logistic curve."""
    one = np.ones((1, 1))
    t = np.arange(6000) * 1e-3
    hard, _ = rates(HEBB_HARD, one, 1 * ms, 6 * second, w=0.1)
    np.testing.assert_allclose(hard[0], np.minimum(0.1 * np.exp(t), 1), rtol=2e-3)
    assert hard.max() == 1
    soft, _ = rates(HEBB_SOFT, one, 1 * ms, 6 * second, w=0.1)
    np.testing.assert_allclose(soft[0], 1 / (1 + 9 * np.exp(-t)), rtol=2e-3)


@pytest.mark.parametrize("alpha", [1.0, 4.0])
def test_oja_finds_the_principal_component(alpha):
    covariance = np.array([[1.0, 0.5, 0.2], [0.5, 0.8, 0.3], [0.2, 0.3, 0.4]])
    x = np.random.default_rng(0).multivariate_normal(np.zeros(3), covariance, 20000)
    w, _ = rates(OJA, x, 1 * ms, 20 * second, alpha=alpha, eta=3 * Hz, w="0.1*(3 - i)")
    eigenvalues, vectors = np.linalg.eigh(x.T @ x)
    last = w[:, -5000:].mean(axis=1)
    assert np.linalg.norm(last) == pytest.approx(alpha**-0.5, rel=0.01)
    assert abs(last @ vectors[:, -1]) / np.linalg.norm(last) == pytest.approx(1, abs=1e-3)
    assert eigenvalues[-1] > 2 * eigenvalues[-2]


def test_bcm_becomes_selective():
    """Two patterns in turn: the neuron answers one with y = 1/p = 2 (where y is the threshold), the other with 0."""
    patterns = np.tile(np.eye(2), (2000, 1))
    w, y = rates(BCM, patterns, 5 * ms, 20 * second, tau_theta=0.1 * second, eta=2 * Hz, w="0.5 + 0.1*i")
    assert w[:, -1] == pytest.approx([0, 2], abs=0.1)
    late = y[0, -1000:]
    # y**2 low-pass filtered over many patterns.
    assert np.mean(late**2) == pytest.approx(np.max(late), rel=0.03)
