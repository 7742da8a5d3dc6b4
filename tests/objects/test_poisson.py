"""Poisson spikes and Poisson input, in distribution: closed forms, SciPy, and Brian2."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, DimensionError, EquationError, NetworkError, UnknownNameError
from jaxsnn.random import Draw, name_words
from jaxsnn.units import Hz, kHz, ms, mV, nA, second

# A test that draws from the right distribution fails with this probability; the seeds are fixed.
UNLIKELY = 1e-4


def counted(group, duration, **options):
    """Spikes of each neuron."""
    spikes = snn.SpikeMonitor(group)
    snn.Network(group, spikes, **options).run(duration)
    return spikes


def fits(observed, probabilities, total):
    """Chi-square test of counts against probabilities, rare outcomes taken together."""
    expected = np.asarray(probabilities) * total
    common = expected >= 5
    observed = np.append(observed[common], total - observed[common].sum())
    expected = np.append(expected[common], total - expected[common].sum())
    kept = expected > 1e-6
    return stats.chisquare(observed[kept], expected[kept]).pvalue


# ---- PoissonGroup ---------------------------------------------------------------------------------------


def test_rate_and_independence():
    snn.seed(1)
    p, n, steps = 0.02, 200, 5000
    spikes = counted(snn.PoissonGroup(n, rates=200 * Hz), steps * 0.1 * ms)
    # Counts of the neurons are binomial, and so are counts of the steps.
    assert stats.kstest(spikes.count + np.random.default_rng(0).random(n), _smooth(steps, p)).pvalue > UNLIKELY
    at = np.bincount(np.round(spikes.t / (0.1 * ms)).astype(int), minlength=steps)
    values = np.arange(n + 1)
    observed = np.bincount(at, minlength=n + 1)
    assert fits(observed, stats.binom(n, p).pmf(values), steps) > UNLIKELY
    # A spike does not change the probability of another one in the next step.
    trains = np.zeros((n, steps), bool)
    trains[spikes.i, np.round(spikes.t / (0.1 * ms)).astype(int)] = True
    pairs = (trains[:, 1:] & trains[:, :-1]).sum()
    assert abs(pairs - n * steps * p**2) < 4 * np.sqrt(n * steps * p**2)


def _smooth(n, p):
    """Distribution of a binomial number plus a uniform one: continuous, as the test needs it."""
    binomial = stats.binom(n, p)

    def cdf(x):
        k = np.floor(x)
        return binomial.cdf(k - 1) + (x - k) * binomial.pmf(k)

    return cdf


def draws(key, size):
    return Draw(name_words(key, "cells"), jnp.arange(size), jnp.float32)


def test_low_rates_are_not_rounded_up():
    # Numbers with steps of 2**-23 make rand() < 1e-6 true 9/8.39 times as often as it should be.
    values = np.asarray(draws(jax.random.key(0), 1_000_000).rand(0), dtype=np.float64)
    small = values[values < 2**-12] * 2**23
    assert abs(small.size - 1e6 * 2**-12) < 4 * np.sqrt(1e6 * 2**-12)
    assert stats.kstest(small % 1, "uniform").pvalue > UNLIKELY
    assert stats.kstest(values, "uniform").pvalue > UNLIKELY
    assert values.max() < 1


def test_different_rates_and_subgroups():
    snn.seed(2)
    group = snn.PoissonGroup(100, rates=np.repeat([0.0, 100, 1000, 5000], 25) * Hz)
    part = snn.SpikeMonitor(group[50:75])
    whole = snn.SpikeMonitor(group)
    snn.Network(group, part, whole).run(200 * ms)
    mean = whole.count.reshape(4, 25).sum(1)
    expected = 25 * np.array([0, 0.01, 0.1, 0.5]) * 2000
    assert mean[0] == 0
    assert np.all(np.abs(mean - expected)[1:] < 4 * np.sqrt(expected[1:]))
    np.testing.assert_array_equal(part.count, whole.count[50:75])


def test_rates_are_assigned_between_runs():
    group = snn.PoissonGroup(4, rates=0 * Hz)
    spikes = snn.SpikeMonitor(group)
    net = snn.Network(group, spikes)
    net.run(1 * ms)
    assert spikes.num_spikes == 0
    group.rates = [0, 0, 10, 10] * kHz
    net.run(1 * ms)
    assert spikes.count.tolist() == [0, 0, 10, 10]
    group.rates[2:] = 0 * Hz
    group[1:2].rates = 10 * kHz
    net.run(1 * ms)
    assert spikes.count.tolist() == [0, 10, 10, 10]
    group.rates = "(i % 2)*10*kHz"
    np.testing.assert_allclose(group.rates / kHz, [0, 10, 0, 10])


def test_rates_in_text():
    # Probabilities 0 and 1: what is read, and when, can be counted.
    group = snn.PoissonGroup(4, rates="int(i == t_in_timesteps % N)*top", namespace={"top": 10 * kHz})
    spikes = counted(group, 1 * ms)
    assert spikes.i.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    np.testing.assert_allclose(spikes.t / ms, np.arange(10) * 0.1)
    assert group.rates[0] == 10 * kHz or group.rates[2] == 10 * kHz  # at the time reached


def test_rates_from_a_timed_array():
    stimulus = snn.TimedArray(np.array([[0, 10], [10, 0]]) * kHz, dt=1 * ms)
    group = snn.PoissonGroup(2, rates="stimulus(t, i)", namespace={"stimulus": stimulus})
    spikes = counted(group, 3 * ms)
    assert spikes.i.tolist() == [1] * 10 + [0] * 20


def test_own_time_step():
    spikes = counted(snn.PoissonGroup(1, rates=2 * kHz, dt=0.5 * ms), 2 * ms)
    np.testing.assert_allclose(spikes.t / ms, [0, 0.5, 1, 1.5])


@pytest.mark.parametrize("rates", [300, "(100 + 400*int(t > 50*ms))*Hz*(1 + 0.2*i/N)"])
def test_counts_like_brian(brian, rates):
    """Counts of both in two halves of the run are from one distribution."""
    theirs = brian.PoissonGroup(500, rates=rates if isinstance(rates, str) else rates * brian.Hz)
    found = brian.SpikeMonitor(theirs)
    brian.Network(theirs, found).run(100 * brian.ms)
    snn.seed(5)
    ours = counted(snn.PoissonGroup(500, rates=rates if isinstance(rates, str) else rates * Hz), 100 * ms)
    for begin, end in ((0, 0.05), (0.05, 0.1)):
        for half in (slice(0, 250), slice(250, 500)):
            counts = []
            for t, i in ((np.asarray(found.t), np.asarray(found.i)), (np.asarray(ours.t / second), ours.i)):
                inside = (t > begin - 1e-9) & (t < end - 1e-9)
                counts.append(np.bincount(i[inside], minlength=500)[half].sum())
            difference = (counts[0] - counts[1]) / np.sqrt(sum(counts))
            assert abs(difference) < 4


def test_rates_are_parameters():
    group = snn.PoissonGroup(3, rates=0 * Hz, name="sources")
    spikes = snn.SpikeMonitor(group, name="spikes")
    sim = snn.Network(group, spikes).compile(dt=1 * ms)
    params, state = sim.init(0)
    batch = {"sources": {**params["sources"], "rates": jnp.array([[0.0, 0, 1000], [1000, 1000, 0]])}}
    _, record = jax.vmap(lambda p: sim.run(p, state, 5))(batch)
    assert record["spikes"].counts().tolist() == [[0, 0, 5], [5, 5, 0]]


def test_one_run_equals_two_halves():
    def spikes_of(*durations):
        snn.seed(9)
        group = snn.PoissonGroup(50, rates=500 * Hz, name="halved")
        sim = snn.Network(group, snn.SpikeMonitor(group, name="found")).compile()
        params, state = sim.init(3)
        found = []
        for duration in durations:
            state, record = sim.run(params, state, duration * ms)
            found.append(np.asarray(record["found"].dense()))
        return np.concatenate(found)

    np.testing.assert_array_equal(spikes_of(20), spikes_of(7, 13))


def test_wrong_rates():
    with pytest.raises(ArgumentError, match="rate of neuron 1 is -5 Hz"):
        snn.PoissonGroup(2, rates=[3, -5] * Hz)
    with pytest.raises(ArgumentError, match="negative"):
        snn.PoissonGroup(2, rates=np.nan * Hz)
    with pytest.raises(DimensionError):
        snn.PoissonGroup(2, rates=5)
    with pytest.raises(DimensionError):
        snn.PoissonGroup(2, rates=5 * ms)
    with pytest.raises(ArgumentError, match="3 values"):
        snn.PoissonGroup(2, rates=[1, 2, 3] * Hz)
    with pytest.raises(ArgumentError, match="at least 1"):
        snn.PoissonGroup(0, rates=5 * Hz)
    group = snn.PoissonGroup(2, rates=1 * Hz)
    group.rates = [1, -1] * Hz
    with pytest.raises(ArgumentError, match="negative"):
        snn.Network(group).run(1 * ms)
    for text, kind in (("5", DimensionError), ("5*Hz*nonsense", UnknownNameError), ("5*(Hz", EquationError)):
        with pytest.raises(kind):
            snn.Network(snn.PoissonGroup(2, rates=text)).run(1 * ms)
    with pytest.raises(ArgumentError, match="computed by its sub-expression"):
        snn.PoissonGroup(2, rates="5*Hz").rates = 3 * Hz


def test_rates_that_a_step_cannot_follow_are_warned_of():
    group = snn.PoissonGroup(2, rates=[1, 20] * kHz, name="fast")
    with pytest.warns(UserWarning, match=r"fast: the rate of neuron 1, 20000 Hz.*at most once a step.*10000 Hz"):
        snn.Network(group).run(1 * ms)


# ---- the binomial distribution --------------------------------------------------------------------------


@pytest.mark.parametrize("n, p", [(1000, 5e-4), (1, 0.3), (20, 0.5), (1000, 0.02), (100_000, 5e-4), (30, 0.95)])
def test_binomial_distribution(n, p):
    size, steps = 1000, 60

    @jax.jit
    def drawn(key):
        def body(carry, step):
            draw = draws(jax.random.fold_in(key, step), size)
            return carry, draw.binomial(0, jnp.asarray(n), jnp.float32(p))

        return jax.lax.scan(body, 0, jnp.arange(steps))[1]

    values = np.asarray(jax.vmap(drawn)(jax.random.split(jax.random.key(3), 2))).ravel()
    total, exact = values.size, stats.binom(n, p)
    assert values.dtype == np.int32
    assert abs(values.mean() - exact.mean()) < 4 * exact.std() / np.sqrt(total)
    assert abs(values.var() / exact.var() - 1) < 4 * np.sqrt((2 + exact.stats("k")) / total)
    top = values.max() + 1
    assert fits(np.bincount(values), exact.pmf(np.arange(top)), total) > UNLIKELY


@pytest.mark.parametrize("n, p, value", [(1000, 0.0, 0), (1000, 1.0, 1000), (5, 1.0, 5)])
def test_certain_outcomes(n, p, value):
    draw = draws(jax.random.key(0), 100)
    assert set(np.asarray(draw.binomial(0, jnp.asarray(n), jnp.float32(p))).tolist()) == {value}


# ---- PoissonInput ---------------------------------------------------------------------------------------


def test_input_is_binomial():
    snn.seed(4)
    cells = snn.NeuronGroup(500, "v : 1")
    given = snn.PoissonInput(cells, "v", N=1000, rate=5 * Hz, weight=1)
    trace = snn.StateMonitor(cells, "v", record=True)
    snn.Network(cells, given, trace).run(10 * ms)
    steps = np.diff(trace.v, axis=1).astype(int)
    exact = stats.binom(1000, 5e-4)
    assert fits(np.bincount(steps.ravel(), minlength=8), exact.pmf(np.arange(8)), steps.size) > UNLIKELY
    # Neurons and steps are independent: the variance of sums is the sum of variances.
    for axis in (0, 1):
        sums = steps.sum(axis)
        assert abs(sums.var() / (exact.var() * steps.shape[axis]) - 1) < 4 * np.sqrt(2 / sums.size)


def test_input_like_brian(brian):
    theirs = brian.NeuronGroup(1000, "dv/dt = -v/(10*ms) : volt", method="exact")
    given = brian.PoissonInput(theirs, "v", 100, 50 * brian.Hz, weight=0.2 * brian.mV)
    brian.Network(theirs, given).run(50 * brian.ms)
    snn.seed(11)
    cells = snn.NeuronGroup(1000, "dv/dt = -v/(10*ms) : volt", method="exact")
    ours = snn.PoissonInput(cells, "v", 100, 50 * Hz, weight=0.2 * mV)
    snn.Network(cells, ours).run(50 * ms)
    assert stats.ks_2samp(np.asarray(theirs.v), np.asarray(cells.v / (1000 * mV))).pvalue > UNLIKELY


def test_weight_in_text_and_subgroup():
    # Probability one: every source fires in every step.
    cells = snn.NeuronGroup(5, "v : volt\nw : volt\nhalf = w/2 : volt")
    cells.w = "(i + 1)*mV"
    given = snn.PoissonInput(cells[2:4], "v", N=3, rate=10 * kHz, weight="g*half + i*mV", name="given")
    g = 2  # found where run is called
    snn.Network(cells, given).run(0.2 * ms)
    np.testing.assert_allclose(cells.v / mV, [0, 0, 2 * 3 * 3, 2 * 3 * (4 + 1), 0], rtol=1e-6)
    assert g == 2


def test_refractory_neurons_are_protected():
    model = "dv/dt = 0/ms : 1 (unless refractory)\nu : 1"
    cells = snn.NeuronGroup(
        1, model, threshold="v > 2.5", reset="v = 0", refractory=0.5 * ms, method="euler", name="guarded"
    )
    one = snn.PoissonInput(cells, "v", N=1, rate=10 * kHz, weight=1)
    two = snn.PoissonInput(cells, "u", N=1, rate=10 * kHz, weight=1)
    trace = snn.StateMonitor(cells, ["v", "u"], record=0, when="end")
    snn.Network(cells, one, two, trace).run(1.2 * ms)
    # Steps 0 to 2 add up to 3, which is seen in step 3; free again in step 8.
    assert trace.v[0].tolist() == [1, 2, 3, 0, 0, 0, 0, 0, 1, 2, 3, 0]
    assert trace.u[0].tolist() == list(range(1, 13))


def test_refractory_neurons_like_brian(brian):
    model = "dv/dt = 0/ms : 1 (unless refractory)"
    theirs = brian.NeuronGroup(1, model, threshold="v > 2.5", reset="v = 0", refractory=0.5 * brian.ms, method="euler")
    given = brian.PoissonInput(theirs, "v", 1, 10 * brian.kHz, weight=1)
    trace = brian.StateMonitor(theirs, "v", record=0, when="end")
    brian.Network(theirs, given, trace).run(1.2 * brian.ms)
    assert trace.v[0].tolist() == [1, 2, 3, 0, 0, 0, 0, 0, 1, 2, 3, 0]


def test_slot_and_order():
    cells = snn.NeuronGroup(1, "v : 1", threshold="v > 0", reset="v = 0")
    given = snn.PoissonInput(cells, "v", 1, 10 * kHz, 1, when="resets", order=1)
    spikes = snn.SpikeMonitor(cells)
    net = snn.Network(cells, given, spikes)
    net.run(0.5 * ms)
    assert spikes.num_spikes == 4  # the input comes after the reset, so v > 0 in the next step
    assert "binomial(_N, _rate * dt)" in str(net)


def test_input_parameters():
    snn.seed(0)
    cells = snn.NeuronGroup(2, "v : 1", name="receiving")
    given = snn.PoissonInput(cells, "v", N=10, rate=0 * Hz, weight=0.5, name="background")
    sim = snn.Network(cells, given).compile(dt=1 * ms)
    params, state = sim.init(0)
    assert params["background"] == {"rate": 0, "weight": 0.5}

    def last(rate, weight):
        own = {"rate": rate, "weight": weight}
        return sim.run({**params, "background": own}, state, 4)[0]["receiving"]["v"][0]

    found = jax.vmap(last)(jnp.array([0.0, 1000, 1000]), jnp.array([1.0, 1, 0.25]))
    np.testing.assert_allclose(found, [0, 40, 10])
    by_rate, by_weight = jax.grad(last, (0, 1))(1000.0, 0.5)
    # By rate the derivative is that of the mean: 10 inputs, 4 steps of 1 ms, a weight of 0.5.
    assert float(by_rate) == pytest.approx(0.02, rel=1e-6)
    assert float(by_weight) == 40


def test_wrong_input():
    cells = snn.NeuronGroup(2, "v : volt\nk : integer\nx = 2*v : volt\nfixed : volt (constant)", name="fed")
    good = {"target": cells, "target_var": "v", "N": 5, "rate": 5 * Hz, "weight": 1 * mV}
    for change, kind, message in [
        ({"target": snn.PoissonGroup(2, rates=1 * Hz)}, ArgumentError, "NeuronGroup"),
        ({"target_var": "w"}, ArgumentError, "no variable 'w'"),
        ({"target_var": "k"}, ArgumentError, "floating-point"),
        ({"target_var": "x"}, ArgumentError, "no variable 'x'"),
        ({"N": 0}, ArgumentError, "at least 1"),
        ({"N": 2.5}, ArgumentError, "whole number"),
        ({"rate": -5 * Hz}, ArgumentError, "negative"),
        ({"rate": 5}, DimensionError, "rate"),
        ({"rate": [1, 2] * Hz}, ArgumentError, "one value"),
        ({"weight": 1 * nA}, DimensionError, "weight"),
        ({"weight": [1, 2] * mV}, ArgumentError, "weight='w'"),
        ({"when": "never"}, ArgumentError, "no slot"),
    ]:
        with pytest.raises(kind, match=message):
            snn.PoissonInput(**{**good, **change})
    for change, kind, message in [
        ({"weight": "3*nA"}, DimensionError, "'v' is"),
        ({"weight": "3*nonsense"}, UnknownNameError, "nonsense"),
        ({"rate": 20 * kHz}, ArgumentError, "no probability"),
        ({"target_var": "fixed"}, EquationError, "constant"),
    ]:
        with pytest.raises(kind, match=message):
            snn.Network(cells, snn.PoissonInput(**{**good, **change})).run(1 * ms)
    with pytest.raises(NetworkError, match="fed, which is not in the network"):
        snn.Network(snn.PoissonInput(**good)).run(1 * ms)
