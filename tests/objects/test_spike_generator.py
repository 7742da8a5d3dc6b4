"""Spikes at given times: every step against Brian2 and against a count by hand."""

import jax
import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, DimensionError, IndexRangeError, NetworkError
from jaxsnn.units import Hz, ms, mV, second

NOTHING = np.array([]) * ms


def emitted(group, *durations, dt=0.1 * ms):
    """(steps, neurons) of all spikes after runs of these durations."""
    spikes = snn.SpikeMonitor(group)
    net = snn.Network(group, spikes, dt=dt)
    for duration in durations:
        net.run(duration)
    return np.round(spikes.t / dt).astype(int), spikes.i


def expected(steps, index, total, period=0):
    """The same by hand: every spike in every repetition, sorted by step, then neuron."""
    repeats = range(0, total, period) if period else [0]
    pairs = sorted((s + r, i) for r in repeats for s, i in zip(steps, index, strict=True) if s + r < total)
    return [s for s, _ in pairs], [i for _, i in pairs]


def assert_emits(found, wanted):
    assert found[0].tolist() == list(wanted[0])
    assert found[1].tolist() == list(wanted[1])


def random_spikes(seed, n, count, last):
    """Distinct (step, neuron) pairs in random order."""
    generator = np.random.default_rng(seed)
    chosen = generator.choice(n * last, size=count, replace=False)
    return chosen // n, chosen % n


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("period", [0, 60, 97])
def test_periods_and_several_runs(seed, period):
    steps, index = random_spikes(seed, 5, 40, 60)
    group = snn.SpikeGeneratorGroup(5, index, steps * 0.1 * ms, period=period * 0.1 * ms)
    found = emitted(group, 4.3 * ms, 0.1 * ms, 5.6 * ms, 0 * ms, 10 * ms, 2.7 * ms)
    assert_emits(found, expected(steps, index, 227, period))


@pytest.mark.parametrize("dt", [0.1, 0.05, 0.3])
@pytest.mark.parametrize("period", [0, 12])
def test_times_between_steps_like_brian(brian, dt, period):
    generator = np.random.default_rng(7)
    times = np.sort(generator.uniform(0, 11, 8))
    times[0], times[1] = 0, 3 * dt
    times[2] = 7 * dt - 2e-4 * dt  # nearly a multiple: belongs to step 7
    times[3] = 8 * dt - 2e-3 * dt  # not near enough: step 7, of another neuron
    index = np.array([0, 1, 2, 3, 0, 1, 2, 3])
    theirs = brian.SpikeGeneratorGroup(4, index, times * brian.ms, period=period * brian.ms, dt=dt * brian.ms)
    monitor = brian.SpikeMonitor(theirs)
    brian.Network(theirs, monitor).run(30 * brian.ms)
    found = emitted(snn.SpikeGeneratorGroup(4, index, times * ms, period=period * ms), 30 * ms, dt=dt * ms)
    assert {(7, 2), (7, 3)} <= set(zip(*map(np.ndarray.tolist, found), strict=True))
    order = np.lexsort((monitor.i, np.round(monitor.t / brian.ms / dt)))
    assert_emits(found, (np.round(monitor.t / brian.ms / dt).astype(int)[order].tolist(), monitor.i[order].tolist()))


def test_multiples_of_the_step_never_fall_short():
    # 0.1*ms*k in floating point is below the multiple for some k; each has to reach its own step.
    steps = np.arange(3000)
    times = steps * 0.1 * ms
    found = emitted(snn.SpikeGeneratorGroup(1, np.zeros(3000, int), times), 300 * ms)
    assert found[0].tolist() == steps.tolist()


@pytest.mark.parametrize("cut", range(12))
def test_cut_runs_of_the_compiled_simulation(cut):
    steps, index = random_spikes(3, 3, 12, 10)
    group = snn.SpikeGeneratorGroup(3, index, steps * ms, period=10 * ms, name=f"cut{cut}")
    sim = snn.Network(group, snn.SpikeMonitor(group, name=f"found{cut}")).compile(dt=1 * ms)
    params, state = sim.init(0)
    rows = []
    for length in (cut, 25 - cut):
        state, record = sim.run(params, state, length)
        rows.append(np.asarray(record[f"found{cut}"].dense()))
    assert_emits(np.nonzero(np.concatenate(rows)), expected(steps, index, 25, 10))


def test_no_spikes_at_all():
    for times in (NOTHING, [] * ms):
        assert emitted(snn.SpikeGeneratorGroup(2, [], times), 1 * ms)[0].size == 0
    assert emitted(snn.SpikeGeneratorGroup(2, [], NOTHING, period=1 * ms), 3 * ms)[0].size == 0


@pytest.mark.parametrize("n", [1, 7, 1000])
def test_all_neurons_in_one_step(n):
    index = np.random.default_rng(0).permutation(np.tile(np.arange(n), 2))
    times = np.zeros(2 * n)
    seen = np.zeros(n, bool)
    for k, i in enumerate(index):  # the second spike of each neuron comes in step 4
        times[k] = 0.4 * seen[i]
        seen[i] = True
    found = emitted(snn.SpikeGeneratorGroup(n, index, times * ms, period=0.5 * ms), 1 * ms)
    every = np.arange(n).tolist()
    assert_emits(found, (np.repeat([0, 4, 5, 9], n).tolist(), every * 4))


def test_every_neuron_in_every_step():
    group = snn.SpikeGeneratorGroup(3, [0, 1, 2], [0, 0, 0] * ms, period=0.1 * ms)
    assert_emits(emitted(group, 0.4 * ms, 0.3 * ms), (np.repeat(np.arange(7), 3).tolist(), [0, 1, 2] * 7))


def test_set_spikes_between_runs():
    group = snn.SpikeGeneratorGroup(3, [0, 1], [0.1, 0.3] * ms)
    spikes = snn.SpikeMonitor(group)
    net = snn.Network(group, spikes)
    net.run(0.5 * ms)
    group.set_spikes([2, 1, 0], [0.9, 0.7, 0.7] * ms)
    net.run(0.5 * ms)
    group.set_spikes([2], [0.1] * ms, period=0.2 * ms)
    net.run(0.5 * ms)
    group.set_spikes([], NOTHING)
    net.run(0.5 * ms)
    assert np.round(spikes.t / (0.1 * ms)).astype(int).tolist() == [1, 3, 7, 7, 9, 11, 13]
    assert spikes.i.tolist() == [0, 1, 0, 1, 2, 2, 2]


def test_past_spikes_are_ignored_with_a_warning():
    group = snn.SpikeGeneratorGroup(1, [0], [0] * ms, name="late")
    spikes = snn.SpikeMonitor(group)
    net = snn.Network(group, spikes)
    net.run(1 * ms)
    group.set_spikes([0, 0, 0], [0.3, 0.9, 1.2] * ms)
    with pytest.warns(UserWarning, match=r"late: 2 of 3 spikes are before the time of this run \(t = 1 ms\)"):
        net.run(1 * ms)
    net.run(1 * ms)  # known by now
    np.testing.assert_allclose(spikes.t / ms, [0, 1.2])


def test_other_time_step_between_runs():
    group = snn.SpikeGeneratorGroup(2, [0, 1, 0, 1], [0.12, 0.5, 1.26, 1.5] * ms)
    spikes = snn.SpikeMonitor(group)
    net = snn.Network(group, spikes, dt=0.1 * ms)
    net.run(1 * ms)
    net.dt = 0.25 * ms
    net.run(1 * ms)
    np.testing.assert_allclose(spikes.t / ms, [0.1, 0.5, 1.25, 1.5])
    assert spikes.i.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("first", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
def test_own_time_step_and_runs_that_end_between_its_steps(first):
    group = snn.SpikeGeneratorGroup(1, [0, 0, 0], [0, 0.4, 1.2] * ms, dt=0.4 * ms, period=1.6 * ms)
    spikes = snn.SpikeMonitor(group)
    net = snn.Network(group, spikes, dt=0.1 * ms)
    net.run(first * ms)
    net.run((3.2 - first) * ms)
    np.testing.assert_allclose(spikes.t / ms, [0, 0.4, 1.2, 1.6, 2.0, 2.8])


def test_subgroups_and_synapses():
    source = snn.SpikeGeneratorGroup(6, [1, 4, 5], [0, 0.1, 0.1] * ms)
    target = snn.NeuronGroup(3, "v : 1")
    synapses = snn.Synapses(source[3:], target, on_pre="v_post += 1")
    synapses.connect(j="i")
    spikes = snn.SpikeMonitor(source[3:5])
    snn.Network(source, target, synapses, spikes).run(0.5 * ms)
    assert target.v[:].tolist() == [0, 1, 1]
    assert spikes.i.tolist() == [1]


def test_sorted_spikes():
    group = snn.SpikeGeneratorGroup(3, [2, 0, 1], [0, 0, 0.2] * ms, sorted=True)
    assert_emits(emitted(group, 1 * ms), ([0, 0, 2], [0, 2, 1]))
    with pytest.raises(ArgumentError, match="sorted=True, but spike 1"):
        snn.SpikeGeneratorGroup(3, [2, 0], [1, 0] * ms, sorted=True)


def test_under_vmap_each_network_has_the_spikes():
    group = snn.SpikeGeneratorGroup(2, [0, 1], [0, 2] * ms, name="stimuli")
    cells = snn.NeuronGroup(2, "v : 1\nw : 1", threshold="v > 1", reset="v = 0", name="fed")
    cells.w = 1
    synapses = snn.Synapses(group, cells, "w : 1", on_pre="v_post += w", name="feed")
    synapses.connect(j="i")
    synapses.w = 1
    sim = snn.Network(group, cells, synapses).compile(dt=1 * ms)
    params, state = sim.init(0)

    def last(w):
        return sim.run({**params, "feed": {**params["feed"], "w": w}}, state, 4)[0]["fed"]["v"]

    found = jax.vmap(last)(np.array([[0.25, 0.5], [1, 0]], np.float32))
    assert found.tolist() == [[0.25, 0.5], [1, 0]]


@pytest.mark.parametrize(
    "change, kind, message",
    [
        ({"N": 0}, ArgumentError, "at least 1"),
        ({"indices": [0, 3]}, IndexRangeError, "a spike of neuron 3"),
        ({"indices": [0, -1]}, IndexRangeError, "neuron -1"),
        ({"indices": [0, 0.5]}, ArgumentError, "whole numbers"),
        ({"indices": [0, 1, 2]}, ArgumentError, "3 indices, 2 times"),
        ({"times": [1, -1] * ms}, ArgumentError, "-1 ms"),
        ({"times": [1, np.nan] * ms}, ArgumentError, "finite"),
        ({"times": [1, 2]}, DimensionError, "times"),
        ({"times": [1, 2] * mV}, DimensionError, "times"),
        ({"period": -1 * ms}, ArgumentError, "period"),
        ({"period": 2 * ms}, ArgumentError, "longer than the time of the last spike, 2 ms"),
        ({"period": 5 * Hz}, DimensionError, "period"),
    ],
)
def test_arguments_that_make_no_sense(change, kind, message):
    good = {"N": 3, "indices": [0, 1], "times": [1, 2] * ms}
    with pytest.raises(kind, match=message):
        snn.SpikeGeneratorGroup(**{**good, **change})


def test_what_only_the_time_step_shows():
    twice = snn.SpikeGeneratorGroup(3, [1, 0, 1], [1, 1.01, 1.02] * ms, name="twice")
    with pytest.raises(ArgumentError, match=r"twice: neuron 1 spikes at 1 ms and at 1.02 ms.*step of 0.1 ms"):
        snn.Network(twice).run(1 * ms)
    assert_emits(emitted(twice, 2 * ms, dt=0.01 * ms), ([100, 101, 102], [1, 0, 1]))
    apart = snn.SpikeGeneratorGroup(3, [1, 0, 1], [1.02, 1.01, 1] * ms)
    with pytest.raises(ArgumentError, match="neuron 1 spikes at 1 ms"):
        snn.Network(apart).run(1 * ms)
    odd = snn.SpikeGeneratorGroup(1, [0], [1] * ms, period=1.25 * ms)
    with pytest.raises(NetworkError, match=r"period is 1\.25"):
        snn.Network(odd).run(1 * ms)
    assert emitted(odd, 4 * ms, dt=0.25 * ms)[0].tolist() == [4, 9, 14]
    full = snn.SpikeGeneratorGroup(1, [0], [0.99999] * ms, period=1 * ms)
    with pytest.raises(ArgumentError, match="step 10 of 10"):
        snn.Network(full).run(1 * ms)
    far = snn.SpikeGeneratorGroup(1, [0], [1e6] * second)
    with pytest.raises(ArgumentError, match="is the unit right"):
        snn.Network(far).run(1 * ms)
    slow = snn.SpikeGeneratorGroup(1, [0], [0] * ms, dt=0.25 * ms)
    with pytest.raises(NetworkError, match="multiple"):
        snn.Network(slow).run(1 * ms)
