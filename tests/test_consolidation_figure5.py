"""The hierarchy of examples/consolidation/figure5.py: its chain, its drift, and its memories at tiny sizes."""

import doctest
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "consolidation"
NAMES = ("theory", "hierarchy", "figure5")


@pytest.fixture(scope="module")
def scripts():
    """The modules of the folder, imported as the script imports them, and forgotten afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        patch.setattr(sys, "argv", ["figure5.py"])
        for name in NAMES:
            patch.delitem(sys.modules, name, raising=False)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in NAMES})
    for name in NAMES:
        sys.modules.pop(name, None)


def plain_night(n, L, V, W, xi, amplitude, ratio, w_max, a=0.25, dt=5e-3):
    """The equations of the article in plain NumPy: every layer by itself, every connection a delay of one step.

    Matrices as the article writes them, (inputs, outputs).
    """
    W = [w.copy() for w in W]
    x_before = np.zeros((L + 1, n))  # x_1 to x_L one step ago; 0 is not used
    y_before = np.zeros((L + 1, n))  # y_HPC, y_1, ..., y_L one step ago
    xhat, yhat = np.zeros((L + 1, n)), np.zeros((L + 1, n))
    for now in xi:
        x, y = np.zeros((L + 1, n)), np.zeros((L + 1, n))
        x[L] = now
        for i in range(1, L):
            x[i] = x_before[i + 1]
        y[0] = V.T @ x_before[1]
        for i in range(1, L + 1):
            y[i] = 0.5 * W[i - 1].T @ x_before[i] + 0.5 * y_before[i - 1]
        for i in range(1, L + 1):
            xhat[i] += a * (x_before[i] - xhat[i])
            yhat[i] += a * (y[i] - yhat[i])
            change = amplitude[i - 1] * (np.outer(xhat[i], y[i]) - ratio * np.outer(x_before[i], yhat[i]))
            W[i - 1] = np.clip(W[i - 1] + dt * change, 0, w_max)
        x_before, y_before = x, y
    return W


@pytest.mark.parametrize("level_one", [0.2, 3.0])
def test_a_night_is_the_equations_of_the_article(scripts, level_one):
    n, L = 8, 3
    network = scripts.hierarchy.Network(n=n, levels=L, steps=200, level_one=level_one)
    with jax.enable_x64(True):
        key = jax.random.key(1)
        weights = tuple(w.astype(float) for w in network.start(key))
        xi = network.inputs(key, 0)
        after = scripts.hierarchy.learn(network.stages(), weights, [xi], dt=5e-3, tau=20e-3, execution="scan")
    before = [np.asarray(w).T for w in weights]
    amplitude = [level_one * 2 / n * 0.5**i for i in range(L)]
    expected = plain_night(n, L, before[0], before[1:], np.asarray(xi), amplitude, 1 + 8e-5 * 256 / n, 2 / n)
    for i in range(L):
        assert np.abs(np.asarray(after[i + 1]).T - expected[i]).max() < 1e-12
        assert np.abs(expected[i] - before[i + 1]).max() > 0.01 * 2 / n  # something was learned
    if level_one == 3.0:
        assert (np.stack(expected) == 2 / n).any()  # and this one is bounded by w_max in some places
        assert (np.stack(expected) == 0).any()


def test_delays_of_responses_are_those_of_a_pulse(scripts):
    """One pulse into x_L; when does it reach y_L, if only the hippocampus or one level has weights?"""
    L = 4
    for level, delay in enumerate(scripts.theory.response_delays(L)):
        x, y, heard = np.zeros(L + 1), np.zeros(L + 1), []
        for t in range(20):
            x_new, y_new = np.zeros(L + 1), np.zeros(L + 1)
            x_new[L] = t == 0
            x_new[1:L] = x[2:]
            y_new[0] = x[1] * (level == 0)
            for i in range(1, L + 1):
                y_new[i] = x[i] * (level == i) + y[i - 1]
            x, y = x_new, y_new
            heard.append(y[L])
        assert np.flatnonzero(heard).tolist() == [delay]
    assert (5 * scripts.theory.response_delays()[[0, -1]]).tolist() == [80, 5]  # ms


def test_coefficients_of_two_levels_by_hand(scripts):
    a, ratio = 0.25, 1.01
    theory = scripts.theory.Drift(2, a, ratio).coefficients()
    expected = [
        [a * (1 - a) / 2, a * (1 - ratio) / 2, 0],
        [a * (1 - a) ** 3 / 4, a * (1 - a) ** 2 / 4, a * (1 - ratio) / 2],
    ]
    assert theory == pytest.approx(np.array(expected), rel=1e-12)


def test_drift_under_single_pulses_is_the_theory(scripts):
    network = scripts.hierarchy.Network(n=8, levels=4)
    with jax.enable_x64(True):
        weights = tuple(w.astype(float) for w in network.start(jax.random.key(2)))
        alone = scripts.hierarchy.pulses(network)
        change = scripts.hierarchy.drift(network, weights, alone) * len(alone)
        found = np.asarray(scripts.hierarchy.regression(weights, change, centred=False))
    expected = scripts.theory.Drift(4, 0.25, network.ratio).coefficients()
    assert found == pytest.approx(expected, rel=1e-8, abs=1e-14)


def test_drift_is_what_learn_does_at_tiny_rates_and_the_theory_to_2_percent(scripts):
    """All terms, under the noise of the nights; centred, as the mean term is the same for all weights of a neuron."""
    network = scripts.hierarchy.Network(n=32, levels=3, steps=20_000, level_one=1e-7)
    nights = jnp.arange(4)
    with jax.enable_x64(True):
        key = jax.random.key(3)
        weights = tuple(w.astype(float) for w in network.start(key))
        stages = network.stages()

        def one(night):
            xi = network.inputs(key, night)
            after = scripts.hierarchy.learn(stages, weights, [xi], dt=5e-3, tau=20e-3, execution="scan")
            moved = [(w - v) / (s.potentiation * 100) for w, v, s in zip(after, weights, stages, strict=True)][1:]
            return jnp.stack(moved), scripts.hierarchy.drift(network, weights, xi)

        moved, drift = jax.jit(jax.vmap(one))(nights)
        assert np.abs(moved - drift).max() < 1e-4 * np.abs(drift).max()  # rates are tiny, not zero
        found = np.asarray(scripts.hierarchy.regression(weights, moved.mean(0), centred=True))
    _, variance = scripts.theory.rectified_normal(10, 5)
    expected = variance * scripts.theory.Drift(3, 0.25, network.ratio).coefficients()
    assert expected[0, 0] == pytest.approx(2.25, abs=0.001)  # 24.005*0.25*0.75/2
    for i, j in ((0, 0), (1, 0), (1, 1), (2, 2)):
        assert found[i, j] == pytest.approx(expected[i, j], rel=0.02)


def test_mean_term_of_the_drift(scripts):
    network = scripts.hierarchy.Network(n=8, levels=2)
    with jax.enable_x64(True):
        weights = tuple(w.astype(float) for w in network.start(jax.random.key(4)))
        x = jnp.full((300, 8), 10.0)
        last = (
            scripts.hierarchy.drift(network, weights, x) * 300
            - scripts.hierarchy.drift(network, weights, x[:150]) * 150
        )
    V, W1, W2 = (np.asarray(w).sum(1) * 10 for w in weights)
    y1 = (W1 + V) / 2
    y2 = (W2 + y1) / 2
    theory = scripts.theory.Drift(2, 0.25, network.ratio)
    for found, y in zip(np.asarray(last) / 150, (y1, y2), strict=True):
        assert found == pytest.approx(np.repeat(theory.mean_term(10, y)[:, None], 8, axis=1), rel=1e-9)
        assert theory.mean_term(10, y) == pytest.approx(-(network.ratio - 1) * 10 * y)


def test_moments_of_the_input(scripts):
    network = scripts.hierarchy.Network(n=100, steps=10_000)
    xi = np.asarray(network.inputs(jax.random.key(0), 3), float)
    mean, variance = scripts.theory.rectified_normal(10, 5)
    assert xi.min() == 0
    assert xi.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / xi.size))
    assert xi.var() == pytest.approx(variance, rel=0.01)


def test_memories_and_weights_of_the_hippocampus(scripts):
    network = scripts.hierarchy.Network(n=64, levels=1, steps=10)
    key = jax.random.key(5)
    memory = np.asarray(network.memory(key, 7))
    assert np.allclose(memory.sum(0), 1, atol=1e-6)  # each input (the article's row) has the same sum
    assert len(np.unique(memory[:, 0])) == 2
    assert (memory > 0).mean() == pytest.approx(0.5, abs=0.03)
    assert not np.array_equal(memory, network.memory(key, 8))
    V, W = network.start(key)
    assert np.allclose(np.asarray(V).sum(0), 1, atol=1e-6)
    assert 0 <= W.min() < W.max() <= 2 / 64


@pytest.fixture(scope="module")
def tiny(scripts):
    network = scripts.hierarchy.Network(n=48, levels=2, steps=1200)
    return scripts.figure5.Plan(network, equilibrate=4, nights=16, realisations=2, memories=8, chunk=5)


@pytest.fixture(scope="module")
def course(scripts, tiny):
    return scripts.figure5.simulate(tiny)


def test_memories_of_the_hippocampus_follow_the_exact_law(scripts, tiny, course):
    mean = scripts.figure5.by_age(tiny, course).mean((0, 1))
    expected = np.sqrt(3) / 2 * 0.5 ** np.arange(6)
    assert mean.shape == (3, 20 - (4 + 7))
    assert np.abs(mean[0, :6] - expected).max() < 3 / 48 / np.sqrt(16)  # three standard errors of chance
    assert mean[1, 0] > 2 * mean[2, 0] > 0  # level 1 hears of it first


def test_references_are_pearson_correlations(scripts, tiny, course):
    """The last night's correlations, with NumPy's own function."""
    network = tiny.network
    key = jax.random.fold_in(jax.random.key(tiny.seed), 1)
    for level in range(3):
        for m, night in ((0, 4), (7, 11)):
            memory = np.asarray(network.memory(key, night + scripts.hierarchy.EARLIER))
            expected = np.corrcoef(memory.ravel(), course.weights[1, level].ravel())[0, 1]
            assert course.correlations[1, -1, level, m] == pytest.approx(expected, abs=1e-5)


def test_a_run_that_was_cut_goes_on(scripts, tiny, course, tmp_path, monkeypatch, capsys):
    file = tmp_path / "run.npz"
    write = scripts.figure5.save

    def save(*arguments):
        write(*arguments)
        if len(np.load(file)["seconds"]) == 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(scripts.figure5, "save", save)
    with pytest.raises(KeyboardInterrupt):
        scripts.figure5.simulate(tiny, file)
    monkeypatch.undo()
    whole = scripts.figure5.simulate(tiny, file)
    assert np.array_equal(whole.weights, course.weights)
    assert np.array_equal(whole.correlations, course.correlations)
    assert scripts.figure5.load(file)[0] == tiny
    with pytest.raises(ValueError, match="ask for what is in it"):
        scripts.figure5.simulate(scripts.figure5.changed(tiny, seed=6), file)


def test_report_and_figure(scripts, tiny, course, tmp_path, capsys):
    scripts.figure5.draw(tiny, course, scripts.figure5.report(tiny, course), tmp_path / "figure.png")
    assert "r2 of a single exponential" in capsys.readouterr().out
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_examples_in_the_docstrings(scripts):
    assert doctest.testmod(scripts.theory).failed == 0


@pytest.mark.slow
def test_a_small_hierarchy_forgets_by_a_power_law(scripts):
    plan = scripts.figure5.SMALL
    numbers = scripts.figure5.report(plan, scripts.figure5.simulate(plan))
    mean, peaks = numbers["mean"], numbers["peaks"]
    assert np.abs(mean[0, :6] - np.sqrt(3) / 2 * 0.5 ** np.arange(6)).max() < 0.01
    assert np.all(np.diff(peaks[1:]) > 0)
    heights = mean[np.arange(5), peaks]
    assert np.all((heights[1:] > 0.25 * heights[:-1]) & (heights[1:] < 0.75 * heights[:-1]))
    # The article's size is expected at -0.6 to -0.4; short nights hand on less of a memory.
    assert -0.8 < numbers["slope"] < -0.4
    assert numbers["r2"] > 0.95
    assert numbers["exponential"] < 0.85
