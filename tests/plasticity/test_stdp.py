"""The rules of spike timing against sums over pairs and triplets of spikes."""

import numpy as np
import pytest
from plasticity.running import DT, run

from jaxsnn import Network, NeuronGroup, PoissonGroup, SpikeGeneratorGroup, SpikeMonitor, StateMonitor, Synapses
from jaxsnn.plasticity import (
    INHIBITORY_STDP,
    REWARD_STDP,
    STDP,
    STDP_MULTIPLICATIVE,
    STDP_NEAREST,
    STDP_POWER,
    TRIPLET_STDP,
    TRIPLET_STDP_MINIMAL,
    TRIPLET_STDP_NEAREST,
)
from jaxsnn.units import Hz, ms, second

pytestmark = pytest.mark.usefixtures("x64")

LAGS = np.array([-600, -251, -100, -30, -1, 0, 1, 30, 100, 251, 600])
"""t_post - t_pre in steps."""


def change(rule, pre, post, duration, **arguments):
    """Change of the weight of each synapse."""
    done = run(rule, pre, post, duration, **arguments)
    return done.w - done.trace.w[:, 0]


def pair_windows(rule, **arguments):
    return change(rule, [[650]] * LAGS.size, [[650 + lag] for lag in LAGS], 1300, **arguments)


# ---- pairs -------------------------------------------------------------------------------------------

PLUS, MINUS = np.exp(-LAGS * DT / 17e-3), np.exp(LAGS * DT / 34e-3)
TAU = {"tau_plus": 17 * ms, "tau_minus": 34 * ms}


@pytest.mark.parametrize(
    "rule, values, up, down",
    [
        (STDP, {}, 0.005, 0.00525),
        (STDP, {"w_max": 4.0}, 4 * 0.005, 4 * 0.00525),
        (STDP_NEAREST, {}, 0.005, 0.00525),
        (STDP_MULTIPLICATIVE, {"w": "200e-12*siemens"}, 1e-12, 0.003 * 200e-12),
        (STDP_POWER, {"w": 0.3, "mu": 0.0}, 0.005, 0.005 * 1.05),
        (STDP_POWER, {"w": 0.3, "mu": 0.5}, 0.005 * 0.7**0.5, 0.005 * 1.05 * 0.3**0.5),
        (STDP_POWER, {"w": 0.3, "mu": 1.0}, 0.005 * 0.7, 0.005 * 1.05 * 0.3),
        (TRIPLET_STDP, {"A2_plus": 2e-3}, 2e-3, 7e-3),
        (INHIBITORY_STDP, {"rho_0": 0 * Hz, "w": 1.0}, 0.01, -0.01),
    ],
)
def test_window_of_a_pair(rule, values, up, down):
    tau = {name: TAU[name] for name in TAU if name in rule.values} or {"tau_stdp": 17 * ms}
    minus = MINUS if "tau_minus" in tau else np.exp(LAGS * DT / 17e-3)
    expected = np.where(LAGS >= 0, up * PLUS, -down * minus)
    # The weight is about 100 times its change, so 2 digits of 16 are lost.
    np.testing.assert_allclose(pair_windows(rule, **values, **tau), expected, rtol=1e-10)


def test_triplets_of_spikes_by_hand():
    def e(milliseconds, tau=20):
        return np.exp(-milliseconds / tau)

    # Two presynaptic spikes at 10 and 15 ms before one at 20 ms, and the other way round.
    pre, post = [[100, 150], [200]], [[200], [100, 150]]
    both = change(STDP, pre, post, 250)
    nearest = change(STDP_NEAREST, pre, post, 250)
    np.testing.assert_allclose(both, [0.005 * (e(10) + e(5)), -0.00525 * (e(10) + e(5))], rtol=1e-10)
    np.testing.assert_allclose(nearest, [0.005 * e(5), -0.00525 * e(5)], rtol=1e-10)
    # The last spike of the other neuron counts for every spike, also for a second one.
    again = change(STDP_NEAREST, [[100]], [[200, 250]], 300)
    np.testing.assert_allclose(again, 0.005 * (e(10) + e(15)), rtol=1e-10)


def test_triplet_rule_of_nearest_spikes_by_hand():
    values = TRIPLET_STDP_NEAREST.values
    (found,) = change(TRIPLET_STDP_NEAREST, [[100]], [[40, 70, 150]], 200)
    slow = {name: np.exp(-8e-3 / values[name].value) for name in ("tau_y",)}
    up = np.exp(-5e-3 / 16.8e-3) * (8.8e-11 + 5.3e-2 * slow["tau_y"])
    down = np.exp(-3e-3 / 33.7e-3) * 6.6e-3
    assert found == pytest.approx(up - down, rel=1e-10)


def test_weights_stop_at_their_bounds():
    first, second = [[100, 200, 300]], [[101, 201, 301]]
    assert run(STDP, first, second, 400, A_plus=0.3, A_minus=0.0).w.tolist() == [1.0]
    assert run(STDP, second, first, 400, A_plus=0.0, A_minus=0.3).w.tolist() == [0.0]


def test_multiplicative_weights_have_a_fixed_point():
    """Of many random pairs the weights come to c_p/c_d from both sides (equal windows, independent neurons)."""
    n = 40
    sources, targets = PoissonGroup(n, 50 * Hz), PoissonGroup(n, 50 * Hz)
    wires = STDP_MULTIPLICATIVE.synapses(
        sources, targets, connect={"j": "i"}, c_d=0.02, w="(20 + 60*int(i >= 20))*psiemens"
    )
    Network(sources, targets, wires, dt=1 * ms, dtype="float64").run(8 * second)
    w = wires.w_[:] * 1e12
    # The relaxation is 50**2 * 0.02 s * c_d = 1/s; one weight fluctuates by some 15 %.
    assert w[:20].mean() == pytest.approx(50, rel=0.12)
    assert w[20:].mean() == pytest.approx(50, rel=0.12)


# ---- triplets ----------------------------------------------------------------------------------------


def regular_pairs(values, n, period, lag):
    """Sum over n pairs of spikes, ``period`` apart, with the postsynaptic spike ``lag`` after the presynaptic one.

    Each trace just before or at its k-th use is a geometric sum: of k + 1 spikes of the other neuron for the one that
    is first in the pair, of k for the second.
    """
    k = np.arange(n)

    def trace(tau, gap, spikes):
        q = np.exp(-period / tau)
        return np.exp(-gap / tau) * (1 - q**spikes) / (1 - q)

    ahead, behind = (lag, period - lag) if lag > 0 else (period + lag, -lag)
    own_pre = trace(values["tau_plus"].value, ahead, k + 1 if lag > 0 else k)
    own_post = trace(values["tau_minus"].value, behind, k if lag > 0 else k + 1)
    slow_post = trace(values["tau_y"].value, period, k)
    up = own_pre * (values["A2_plus"] + values["A3_plus"] * slow_post)
    down = own_post * values["A2_minus"]
    if "tau_x" in values:
        down = down + own_post * values["A3_minus"] * trace(values["tau_x"].value, period, k)
    return np.sum(up - down)


@pytest.mark.parametrize("pattern", ["visual cortex", "hippocampus"])
@pytest.mark.parametrize("rule", [TRIPLET_STDP, TRIPLET_STDP_MINIMAL], ids=["full", "minimal"])
def test_frequency_dependence(rule, pattern):
    rule = rule.pattern(pattern).with_values(w_max=20.0, w=10.0)
    trials = [(10000, 8), (1000, 60), (500, 60), (250, 60), (200, 60)]  # 1, 10, 20, 40, 50 Hz
    pre = [200 + p * np.arange(n) for p, n in trials for lag in (100, -100)]
    post = [200 + lag + p * np.arange(n) for p, n in trials for lag in (100, -100)]
    found = change(rule, pre, post, 70400).reshape(5, 2)
    expected = [[regular_pairs(rule.values, n, p * DT, lag) for lag in (10e-3, -10e-3)] for p, n in trials]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    if pattern == "visual cortex":
        # Pre before post gains with the frequency; post before pre turns from depression into potentiation.
        assert np.all(np.diff(found[:, 0] / [n for _, n in trials]) > 0)
        assert found[0, 1] < 0 < found[-1, 1]


# ---- inhibition --------------------------------------------------------------------------------------


def test_inhibition_brings_the_target_to_its_rate():
    inhibition = PoissonGroup(50, 20 * Hz)
    cells = NeuronGroup(
        40,
        "dg/dt = -g/(50*ms) : 1\ngo : 1\nrate = clip(go - g, 0, inf)*Hz : Hz",
        threshold="rand() < rate*dt",
        reset="",
        method="exact",
    )
    cells.go = "30 + i"
    rule = INHIBITORY_STDP.with_values(eta=0.02, rho_0=10 * Hz)
    wires = rule.synapses(inhibition, cells, transmit="g_post += w", connect=True)
    spikes = SpikeMonitor(cells, record=False)
    network = Network(inhibition, cells, wires, spikes, dt=1 * ms, dtype="float64")
    network.run(8 * second)
    before = np.array(spikes.count)
    network.run(8 * second)
    # 3,200 spikes, so 2 % by chance; inhibition that follows from a spike lowers the coincidences a little.
    rate = (np.array(spikes.count) - before) / 8
    assert rate.mean() == pytest.approx(10, rel=0.06)
    assert rate[:20].mean() == pytest.approx(rate[20:].mean(), rel=0.12)


# ---- reward ------------------------------------------------------------------------------------------


def test_change_is_the_overlap_of_eligibility_and_dopamine():
    """Pre before post, and post before pre, then dopamine that was there from the start."""
    done = run(
        REWARD_STDP, [[100], [200]], [[200], [100]], 6000, target_values={"d": [0.3, 0.3]}, record=["w", "c"],
        d_0=0.05,
    )  # fmt: skip
    c = np.array([0.1, -0.12]) * np.exp(-10 / 20)
    start, end = 0.02, 0.6

    def integral(tau):  # of exp(-t/tau), where t counts from the pair on
        return tau * (1 - np.exp(-(end - start) / tau))

    expected = c / 10e-3 * (0.3 * np.exp(-start / 0.2) * integral(1 / (1 / 1.0 + 1 / 0.2)) + 0.05 * integral(1.0))
    # Euler's steps of 0.1 ms against time constants of 0.2 and 1 s.
    np.testing.assert_allclose(done.w - 1, expected, rtol=2e-3)
    np.testing.assert_allclose(done.trace.c[:, -1], c * np.exp(-(end - start) / 1.0), rtol=1e-3)


def test_late_reward_finds_the_synapse_that_caused_the_spike():
    inputs = SpikeGeneratorGroup(2, [0, 1], [10, 100] * ms)
    reward = SpikeGeneratorGroup(1, [0], [300] * ms)
    cell = NeuronGroup(1, REWARD_STDP.neuron_equations, threshold="t_in_timesteps == 150", reset="",
                       namespace=REWARD_STDP.values, method="exact")  # fmt: skip
    wires = REWARD_STDP.synapses(inputs, cell, connect=True, d_0=0.0)
    dopamine = Synapses(reward, cell, on_pre="d_post += 0.5")
    dopamine.connect()
    trace = StateMonitor(wires, "w", record=True)
    Network(inputs, reward, cell, wires, dopamine, trace, dtype="float64").run(800 * ms)
    assert np.all(trace.w[:, 2900] == 1)
    assert wires.w[0] > 1.4  # 0.1 exp(-5/20) exp(-0.285) of eligibility, 0.5*0.154/0.01 of dopamine
    assert 0.8 < wires.w[1] < 1  # fired long after the neuron: a little depression
