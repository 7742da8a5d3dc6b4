"""The cell of examples/consolidation/figure1.py: against its equations in plain NumPy, and in pieces."""

import doctest
import math
from dataclasses import replace

import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.events import kernel
from jaxsnn.events.gpu import triton
from jaxsnn.simulation.fused import Fused
from jaxsnn.simulation.fused import run as fused_run
from jaxsnn.units import Hz, ms, mV

N = 100
FEW = 100 * Hz  # with 100 inputs the cell fires as it does with 1000 at 10 Hz
STEPS_OF_A_MINUTE = 600_000


@pytest.fixture(scope="module")
def cell(consolidation):
    return consolidation("cell")


def recorded(cells):
    """A monitor of all spikes; the example keeps only their number."""
    monitor = snn.SpikeMonitor(cells.cells, name="all_spikes")
    cells.net.add(monitor)
    return monitor


def test_examples_in_the_docstrings(cell):
    result = doctest.testmod(cell)
    assert result.attempted > 0
    assert result.failed == 0


def test_first_weights(cell):
    plastic, teaching = cell.Trial(seed=3, delay=5.0).weights(20_000)
    low, high = teaching[:10_000], teaching[10_000:]
    # An exponential cut at 1, with mean 0.05: the mean falls short by 0.05 exp(-20), nothing at all.
    assert low.mean() == pytest.approx(0.05, abs=4 * 0.05 / 100)
    assert high.mean() == pytest.approx(0.95, abs=4 * 0.05 / 100)
    assert np.mean(low < 0.05 * math.log(2)) == pytest.approx(0.5, abs=0.02)
    assert min(plastic.min(), low.min()) >= 0
    assert max(plastic.max(), high.max()) <= 1
    assert abs(np.corrcoef(plastic, teaching)[0, 1]) < 4 / math.sqrt(20_000)
    assert np.intersect1d(plastic, teaching).size == 0  # a draw of its own
    again = cell.Trial(seed=3, delay=-5.0).weights(20_000)
    np.testing.assert_array_equal(again, (plastic, teaching))


# ---- the equations, step by step --------------------------------------------------------------------


def oracle(fired, delays, plastic, teaching, steps):
    """The model written out: fired (steps, K, n), delays (K,) in steps, weights (K, n) as parts of the largest.

    Returns spikes as (step, cell), and the plastic weights. Traces decay in every step, where the network computes them
    at spikes.
    """
    dt, g_max, tau = 0.1, 0.006, 20.0
    w, u = g_max * plastic, g_max * teaching
    v, g = np.full(len(w), -70.0), np.zeros(len(w))
    pre, post = np.zeros_like(w), np.zeros(len(w))
    last = np.full(len(w), -(10**6))
    spikes = []
    begin = int(np.abs(delays).max())
    padded = np.concatenate([np.zeros_like(fired[:begin]), fired])
    late, early = np.maximum(delays, 0), np.maximum(-delays, 0)
    row = np.arange(len(w))
    for step in range(steps):
        free = step - last >= 17
        v, g = np.where(free, v + dt * (-70 - v + g * (0 - v)) / 20, v), g - dt * g / 5
        spike = free & (v > -54)
        pre, post = pre * math.exp(-dt / tau), post * math.exp(-dt / tau)
        now = padded[begin + step - early, row]
        pre = pre + 0.005 * g_max * now
        w = np.where(now, np.clip(w + post[:, None], 0, g_max), w)
        g = g + (w * now).sum(1) + (u * padded[begin + step - late, row]).sum(1)
        post = post - 1.05 * 0.005 * g_max * spike
        w = np.where(spike[:, None], np.clip(w + pre, 0, g_max), w)
        v, last = np.where(spike, -60.0, v), np.where(spike, step, last)
        spikes += [(step, k) for k in np.flatnonzero(spike)]
    return spikes, w / g_max


def test_spikes_and_weights_are_those_of_the_equations(cell, x64):
    steps, delays = 8000, (5.0, -5.0, 2.0)
    trials = [cell.Trial(seed, delay) for seed, delay in enumerate(delays)]
    fired = np.random.default_rng(1).random((steps, len(trials), N)) < 0.01
    when, who = np.nonzero(fired.reshape(steps, -1))
    inputs = snn.SpikeGeneratorGroup(len(trials) * N, who, when * 0.1 * ms)
    cells = cell.Cells(trials, N, inputs=inputs, dtype="float64")
    monitor = recorded(cells)
    plastic, teaching = cells.weights(cells.plastic), cells.weights(cells.teaching)
    cells.net.run(steps * 0.1 * ms)

    spikes, weights = oracle(fired, np.round(np.array(delays) / 0.1).astype(int), plastic, teaching, steps)
    assert len(spikes) > 20
    found = zip(np.round(np.asarray(monitor.t / ms) / 0.1).astype(int), np.asarray(monitor.i), strict=True)
    assert [tuple(map(int, pair)) for pair in found] == spikes
    # Some thousand additions and products, each rounded: far below the 0.005 of one change.
    np.testing.assert_allclose(cells.weights(cells.plastic), weights, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(cells.weights(cells.teaching), teaching)
    assert np.abs(weights - plastic).max() > 0.05


# ---- pieces -----------------------------------------------------------------------------------------


def test_pieces_change_no_spike_and_no_bit(cell, tmp_path):
    trials = cell.protocol(1, [20])
    assert [trial.delay for trial in trials] == [5, -5, 20]
    whole = 12_000 / STEPS_OF_A_MINUTE

    def built():
        snn.seed(5)
        cells = cell.Cells(trials, N, rate=FEW)
        return cells, recorded(cells)

    at_once, wanted = built()
    expected = cell.run(at_once, whole, piece=2)
    assert wanted.num_spikes > 30
    assert len(expected.minutes) == 2

    file = tmp_path / "state"
    cells, _ = built()
    cell.run(cells, whole / 3, piece=0.2, checkpoint=file)
    assert any(np.any(ring) for _, rings in cells.net._kept.rings.values() for ring in rings)  # some on their way
    # A process that stopped after it had written what it recorded, and before the state.
    beside = file.with_name("state.course.npz")
    course = cell.Course.load(beside)
    cells.net.run(100 * ms)
    course.then(cells).save(beside)
    assert cell.Course.load(beside).minutes[-1] > course.minutes[-1]

    cells, monitor = built()
    found = cell.run(cells, whole, piece=0.3, checkpoint=file)
    np.testing.assert_array_equal(monitor.i, wanted.i)
    np.testing.assert_array_equal(monitor.t / ms, wanted.t / ms)
    np.testing.assert_array_equal(found.last, expected.last)
    np.testing.assert_array_equal(found.first, expected.first)
    for name in ("correlation", "low", "high", "spikes"):
        np.testing.assert_array_equal(getattr(found, name)[-1], getattr(expected, name)[-1])
    np.testing.assert_allclose(found.minutes * 60, [0, 0.2, 0.4, 0.7, 1.0, 1.2], atol=1e-9)
    np.testing.assert_array_equal(found.spikes[-1], wanted.count)
    np.testing.assert_allclose(found.rates().T @ np.diff(found.minutes * 60), wanted.count)
    again = cell.Course.load(beside)
    for name, value in vars(found).items():
        np.testing.assert_array_equal(getattr(again, name), value)

    # There is nothing left to do, and no time: neither runs anything.
    for arguments in ({}, {"deadline": -math.inf}):
        cells, _ = built()
        assert cell.run(cells, whole, checkpoint=file, **arguments).minutes[-1] == found.minutes[-1]
    assert cell.run(built()[0], whole, deadline=-math.inf).minutes.tolist() == [0]
    snn.seed(5)
    with pytest.raises(ValueError, match="differ from those of this run in 'delay'"):
        cell.run(cell.Cells([*trials[:2], replace(trials[2], delay=30.0)], N), whole, checkpoint=file)


def test_what_a_course_says(cell):
    cells = cell.Cells([cell.Trial(0, 5.0)], n=4)
    cells.teaching.w = 0.006 * np.array([0.0, 0.1, 0.9, 1.0])
    cells.plastic.w = 0.006 * np.array([0.2, 0.2, 0.6, 0.6])
    course = cell.Course.start(cells)
    # Deviations (-0.5, -0.4, 0.4, 0.5) and (-1, -1, 1, 1)/5: 0.36/sqrt(0.82*0.16).
    assert course.correlation.tolist() == [[pytest.approx(0.36 / math.sqrt(0.82 * 0.16))]]
    assert (course.low.item(), course.high.item()) == (pytest.approx(0.2), pytest.approx(0.6))


# ---- kernels ----------------------------------------------------------------------------------------


def test_a_step_is_two_kernels_for_all_trials(cell, monkeypatch):
    for module in (kernel, fused_run):
        monkeypatch.setattr(module, "available", lambda backend: True)
    cells = cell.Cells(cell.protocol(2, [2, 100]))
    simulation = cells.net.compile()
    params, state = simulation.init(0)
    step = simulation._step
    plan = Fused.of(step, params, state, step.prepare(params, state)).plan
    names = [[step.parts[k].operation.name for k in stage] for stage in plan.stages]
    assert names == [["plastic_pre", "teaching_pre"], ["plastic_post"]]
    assert [group.owner for group in plan.groups] == ["inputs", "cells"]
    assert not plan.reasons
    outside = [part.operation.name for k, part in enumerate(step.parts) if k not in plan.inside]
    assert outside == ["spikes"]  # written down by the kernel of the cells


@pytest.mark.slow
def test_kernels_do_what_operations_do(cell, x64):
    spikes, weights = [], []
    for interpreted in (False, True):
        cells = cell.Cells(cell.protocol(1, [0.7]), 10, rate=2000 * Hz, dtype="float64")
        cells.cells.v, cells.cells.ge = -55 * mV, 0.6
        recorded(cells)
        if interpreted:
            with triton.interpreted():
                simulation = cells.net.compile()
                state, record = simulation.run(*simulation.init(2), 120)
        else:
            simulation = cells.net.compile()
            state, record = simulation.run(*simulation.init(2), 120)
        spikes.append(record["all_spikes"].dense())
        weights.append(state["plastic"]["w"])
    assert spikes[0].sum() > 3
    np.testing.assert_array_equal(*spikes)
    np.testing.assert_allclose(*weights, rtol=1e-9)


# ---- what the figure shows --------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_minutes(cell):
    """Of a program in C: after 10 minutes 0.158 (standard deviation of a trial 0.03) and -0.054 (0.035).

    The first weights, which correlate by chance, are taken off.
    """
    courses = []
    for delay in (5.0, -5.0):  # the same first weights and inputs, with the delays exchanged
        snn.seed(1)
        courses.append(cell.run(cell.Cells([cell.Trial(0, delay)]), 10, piece=120))
    forward, reversed_ = (course.correlation[-1, 0] - course.correlation[0, 0] for course in courses)
    assert forward == pytest.approx(0.158, abs=3 * 0.03)
    assert reversed_ == pytest.approx(-0.054, abs=3 * 0.035)
    assert forward - reversed_ > 0.1
    assert 14 < courses[0].rates()[-1, 0] < 19


def test_trials_alone_are_reproducible_and_join_to_one_course(cell):
    trials = [cell.Trial(0, 5.0), cell.Trial(1, -5.0)]
    parts = [cell.run_alone(trial, 0.01, piece=0.3) for trial in trials]
    again = cell.run_alone(trials[1], 0.01, piece=0.3)
    np.testing.assert_array_equal(again.last, parts[1].last)
    whole = cell.Course.joined(parts)
    np.testing.assert_array_equal(whole.delay, [5.0, -5.0])
    np.testing.assert_allclose(whole.minutes, [0, 0.005, 0.01])
    for k, part in enumerate(parts):
        np.testing.assert_array_equal(whole.correlation[:, k], part.correlation[:, 0])
        np.testing.assert_array_equal(whole.last[k], part.last[0])
        assert part.spikes[-1, 0] > part.spikes[1, 0] > 0
        assert not np.array_equal(part.last, part.first)
    with pytest.raises(ValueError, match="same times"):
        cell.Course.joined([parts[0], cell.run_alone(trials[0], 0.005, piece=0.3)])
