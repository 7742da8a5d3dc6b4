"""The benchmark networks: that each builds and runs, and that numbers of the papers are in them."""

import itertools
import math

import jax
import numpy as np
import pytest

import jaxsnn
from jaxsnn.bench.networks import NETWORKS, build, monitor_names
from jaxsnn.bench.networks import microcircuit as pd
from jaxsnn.bench.networks.mushroom import odours
from jaxsnn.bench.worker import synapse_bytes
from jaxsnn.objects.synapses import Synapses
from jaxsnn.units import ms, second

SMALL = {"cuba": 200, "cobahh": 200, "cobahh-uncoupled": 50}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_builds_and_runs(name):
    size = SMALL.get(name, 1000)
    network, objects = build(name, size)
    simulation = network.compile()
    params, state = simulation.init(0)
    state, record = simulation.run(params, state, 20)
    finite = jax.tree.map(lambda x: bool(np.all(np.isfinite(x))), state.values)
    assert all(jax.tree.leaves(finite))
    populations = NETWORKS[name].populations(size)
    for monitor, group in monitor_names(name, size).items():
        assert record[monitor].packed.shape[0] == 20
        assert (
            record[monitor].size == len(objects[group]) == max(p.stop for p in populations.values() if p.group == group)
        )
    assert all(low <= high for low, high in (p.rate for p in populations.values()))
    assert NETWORKS[name].smallest <= min(NETWORKS[name].sizes)


@pytest.mark.parametrize("name", [n for n in NETWORKS if n not in SMALL])
def test_sources_are_cited(name):
    assert "doi 10." in NETWORKS[name].source


# ---- bytes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "each"),
    [
        ("cuba", 4),  # target
        ("cuba-1000", 8),  # and a weight
        ("brunel", 8),  # and a delay
        ("brunel-homogeneous", 4),
        ("microcircuit", 12),  # weight and delay
    ],
)
def test_bytes_of_a_synapse_are_those_counted_by_hand(name, each):
    network, objects = build(name, 1000)
    synapses = [x for x in objects.values() if isinstance(x, Synapses)]
    params, state = network.compile().init(0)
    rows = sum(len(x.source) + 1 for x in synapses)  # where the synapses of each source begin
    assert synapse_bytes(synapses, params, state) == each * sum(map(len, synapses)) + 4 * rows


# ---- cuba-1000, brunel-homogeneous, cobahh --------------------------------------------------------------------------


def test_thousand_synapses_of_each_neuron_in_the_order_of_sources():
    _, objects = build("cuba-1000", 1000)
    exc, inh = objects["excitatory"], objects["inhibitory"]
    assert (len(exc), len(inh)) == (800_000, 200_000)
    for synapses, mean in ((exc, 1.62e-3), (inh, -9e-3)):
        assert np.array_equal(synapses.i[:], np.repeat(np.arange(len(synapses.source)), 1000))
        # uniform between 0 and twice 80/1000 of the mean: the standard error of the mean is 0.58/sqrt(200,000) = 0.13 %
        assert synapses.w_.mean() == pytest.approx(0.08 * mean, rel=0.007)
        assert np.abs(synapses.w_).max() <= abs(0.16 * mean) * (1 + 1e-6)
        # 1000 expected for each of 1000 targets; chi square of 999 degrees is 999 +- 45
        got = np.bincount(synapses.j[:], minlength=1000)
        assert np.sum((got - got.mean()) ** 2 / got.mean()) == pytest.approx(999, abs=5 * 45)


def test_delay_of_the_published_brunel_network():
    _, objects = build("brunel-homogeneous", 1000)
    assert objects["inhibitory"].delays() == 2e-3
    assert objects["cells"].namespace["mu"] == 25 * jaxsnn.units.mV


def test_weights_without_effect():
    _, objects = build("cobahh-1000", 1000)
    for name in ("excitatory", "inhibitory"):
        w = objects[name].w_
        assert 0 <= w.min() < w.max() < 1e-18
    assert len(objects["excitatory"]) + len(objects["inhibitory"]) == 1_000_000


# ---- plastic networks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stdp", "stdp-delay", "stdp-heterogeneous"])
def test_plastic_synapses(name):
    _, objects = build(name, 5000)
    synapses = objects["synapses"]
    # 5000 inputs to 5 cells with probability 1000/5000: binomial, standard deviation 63
    assert len(synapses) == pytest.approx(5000, abs=5 * 63)
    delays = np.broadcast_to(synapses.delays(), len(synapses))
    low, high = {"stdp": (0, 0), "stdp-delay": (2e-3, 2e-3), "stdp-heterogeneous": (0, 4e-3)}[name]
    assert low <= delays.min() <= delays.max() <= high
    assert delays.mean() == pytest.approx((low + high) / 2, rel=0.05)
    assert 0 <= synapses.w[:].min() < synapses.w[:].max() <= 0.01


def test_odours_are_ten_patterns_shown_ten_times():
    neurons, times = odours()
    shown, first = np.unique(times, return_index=True)
    assert len(shown) == 100
    since = shown - 0.05 * np.arange(100)
    assert 1e-3 <= since.min() < since.max() <= 3e-3
    sets = [set(part.tolist()) for part in np.split(neurons, first[1:])]
    assert sum(map(len, sets)) == len(neurons)  # a neuron fires once in a showing
    # On average 2 of 20 are replaced, one time in five by one of the same pattern.
    same = [len(a & b) for a, b in itertools.pairwise(sets)]
    within = [s for k, s in enumerate(same) if k % 10 != 9]
    assert 14 < np.mean(within) < 18.5
    assert np.mean(same[9::10]) < 8  # two patterns share 4 by chance


def test_mushroom_body_connections():
    _, objects = build("mushroom", 12_000, recording=False)
    # binomial: 0.15 of 100 x 12,000 and 10,000/12,000 of 12,000 x 100, five standard deviations
    assert len(objects["PN_iKC"]) == pytest.approx(180_000, abs=5 * np.sqrt(180_000 * 0.85))
    assert len(objects["iKC_eKC"]) == pytest.approx(1_000_000, abs=5 * np.sqrt(1_000_000 / 6))
    assert len(objects["eKC_eKC"]) == 10_000
    w = objects["PN_iKC"].w_ / 1e-9
    assert (w.mean(), w.std()) == pytest.approx((6.75, 0.675 * 1.25), rel=0.01)
    w = objects["iKC_eKC"].w_ / 1e-9 * 4  # four times 2500 inputs
    strong = w > 1
    assert strong.mean() == pytest.approx(0.2, abs=0.003)
    assert w[strong].mean() == pytest.approx(2.5, rel=0.01)
    assert w[~strong].mean() == pytest.approx(3.75 / 10 / 4 / 2, rel=0.02)


# ---- the microcircuit ----------------------------------------------------------------------------------------------


def test_microcircuit_has_the_published_numbers_of_synapses():
    assert pd.FULL == 77_169
    numbers = pd.synapse_numbers(pd.FULL)
    # ln(1 - p) / ln(1 - 1/pairs) is -ln(1 - p) * pairs for many pairs.
    assert numbers[0, 0] == pytest.approx(-np.log(1 - 0.1009) * 20683**2, abs=1)  # rounded down
    assert numbers[0, 5] == numbers[2, 7] == 0
    assert numbers.sum() == pytest.approx(2.99e8, rel=0.002)
    probability = 1 - (1 - 1 / (1065 * 4850)) ** numbers[4, 5]  # that a pair from 5I to 5E has a synapse
    assert probability == pytest.approx(0.3726, rel=1e-6)


def test_smaller_microcircuit_keeps_proportions():
    sizes = pd.population_sizes(7717)
    assert sizes.sum() == 7717
    assert np.abs(sizes - pd.SIZES / 10).max() < 1
    full, tenth = pd.synapse_numbers(pd.FULL), pd.synapse_numbers(7717)
    inputs = (full / pd.SIZES[:, None], tenth / sizes[:, None])
    assert inputs[1] == pytest.approx(inputs[0] / 10, rel=0.01, abs=0.1)


@pytest.fixture(scope="module")
def small_microcircuit():
    return build("microcircuit", 3000)[1]


def test_microcircuit_synapses_are_drawn_as_published(small_microcircuit):
    synapses = small_microcircuit["synapses"]
    numbers, sizes = pd.synapse_numbers(3000), pd.population_sizes(3000)
    population = np.repeat(np.arange(8), sizes)
    i, j, w, delay = synapses.i[:], synapses.j[:], synapses.w_, synapses.delay_
    assert np.all(np.diff(i) >= 0)
    found = np.zeros((8, 8), int)
    np.add.at(found, (population[j], population[i]), 1)
    assert np.array_equal(found, numbers)
    grown = np.sqrt(77_169 / 3000)
    for to, source, mean in ((1, 0, 87.8e-12), (0, 2, 2 * 87.8e-12), (2, 3, -4 * 87.8e-12)):
        of = (population[j] == to) & (population[i] == source)
        error = 0.1 / np.sqrt(of.sum())
        assert w[of].mean() == pytest.approx(mean * grown, rel=5 * error)
        assert w[of].std() == pytest.approx(abs(0.1 * mean * grown), rel=5 / np.sqrt(2 * of.sum()))
    inhibitory = population[i] % 2 == 1
    assert np.all(w[inhibitory] <= 0)
    assert np.all(w[~inhibitory] >= 0)
    assert delay.min() == pytest.approx(1e-4)
    # Clipped normal with spread half the mean; with z = (0.1 ms - mean)/spread the clipping raises the mean by
    # spread * (phi(z) + z Phi(z)).
    for of, mean in ((~inhibitory, 1.5e-3), (inhibitory, 0.75e-3)):
        z = (1e-4 - mean) / (mean / 2)
        below = 0.5 * (1 + math.erf(z / np.sqrt(2)))
        raised = mean / 2 * (np.exp(-z * z / 2) / np.sqrt(2 * np.pi) + z * below)
        assert delay[of].mean() == pytest.approx(mean + raised, rel=0.01)


def test_microcircuit_background_has_the_mean_of_its_poisson_input(small_microcircuit):
    """Without synapses the mean current is that of the background: weight * rate * inputs * tau."""
    cells = small_microcircuit["cells"]
    lone = jaxsnn.Network(cells)
    cells.v = -200 * jaxsnn.units.mV  # far below the threshold
    lone.run(5 * ms)
    sizes = pd.population_sizes(3000)
    total = np.zeros(8)
    for _ in range(20):
        lone.run(2 * ms)  # four time constants apart
        total += np.add.reduceat(cells.I_, np.cumsum(sizes) - sizes) / sizes / 20
    grown = np.sqrt(77_169 / 3000)
    expected = 87.8e-12 * grown * pd.EXTERNAL / grown**2 * 8 * 0.5e-3
    # One sample: spread / mean = 1/sqrt(2 * number in tau) = 1/sqrt(2 * 1600/25.7 * 8 * 0.5e-3) = 1.4; 20 samples of at
    # least 41 neurons, five standard errors.
    error = 5 / np.sqrt(2 * pd.EXTERNAL / grown**2 * 8 * 0.5e-3 * 20 * sizes)
    assert np.all(np.abs(total / expected - 1) < error)
    # What the constant current adds to it makes up for the smaller number of inputs.
    lost = 1 - 1 / grown
    recurrent = (pd.mean_weights() * pd.synapse_numbers(pd.FULL) / pd.SIZES[:, None]) @ pd.RATES
    external = 87.8e-12 * pd.EXTERNAL * 8
    starts = np.cumsum(sizes) - sizes
    assert cells.direct_[starts] == pytest.approx(0.5e-3 * lost * (recurrent + external), rel=1e-6)


@pytest.mark.slow
def test_tenth_of_the_microcircuit_fires_in_order():
    """The smaller it is, the less it fires; which population fires more than another stays as published."""
    jaxsnn.seed(1)
    network, objects = build("microcircuit", 7717)
    network.run(0.6 * second)
    t, i = np.asarray(objects["spikes"].t / ms), np.asarray(objects["spikes"].i)
    late = i[t > 100]
    rates = {n: np.sum((late >= p.start) & (late < p.stop)) / p.size / 0.5 for n, p in pd.layers(7717).items()}
    published = dict(zip(pd.NAMES, pd.PUBLISHED_RATES, strict=True))
    for name in pd.NAMES:
        assert 0.4 * published[name] < rates[name] < 1.2 * published[name]
    assert rates["2/3E"] < rates["2/3I"] < rates["4E"] < rates["4I"] < rates["5E"] < rates["5I"]
    assert rates["6E"] < rates["6I"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [("cobahh-uncoupled", 4000), ("brunel-homogeneous", 10_000), ("stdp", 10_000), ("mushroom", 10_000)],
)
def test_rates_are_those_of_the_table(name, size):
    jaxsnn.seed(1)
    network, objects = build(name, size)
    network.run(0.2 * second)
    before = {m: objects[m].num_spikes for m in monitor_names(name, size)}
    network.run(0.8 * second)
    for population in NETWORKS[name].populations(size).values():
        monitor = next(m for m, g in monitor_names(name, size).items() if g == population.group)
        rate = (objects[monitor].num_spikes - before[monitor]) / population.size / 0.8
        assert population.rate[0] <= rate <= population.rate[1]
