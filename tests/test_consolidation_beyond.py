"""What the examples add to the article: derivatives of forgetting curves and of learned weights, and spiking levels."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsnn.rates import Stage, learn

pytest.importorskip("matplotlib")
FOLDER = Path(__file__).resolve().parents[1] / "examples" / "consolidation"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fit_forgetting", "spiking_levels"])
def test_small_size_from_the_command_line(name, tmp_path):
    folder = tmp_path / "examples" / "consolidation"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "MPLBACKEND": "Agg", "PYTHONPATH": str(FOLDER.parents[1])}
    command = [sys.executable, "-W", "error", str(folder / f"{name}.py"), "--small"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "consolidation" / f"{name}.png").stat().st_size > 10_000
    if name == "fit_forgetting":
        slope, _ = map(float, re.search(r"wanted t\^-0.7: slope ([-\d.]+), r2 ([\d.]+)", result.stdout).groups())
        assert abs(slope + 0.7) < 0.02
    else:
        peaks = [int(n) for n in re.findall(r"level \d: largest correlation [\d.]+ at night (\d+)", result.stdout)]
        assert peaks[0] < peaks[1]


@pytest.fixture(scope="module", autouse=True)
def double_precision():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture(scope="module")
def example():
    """Import a script of the folder, with the modules beside it; all are forgotten in the end."""
    known = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module
    sys.path.remove(str(FOLDER))
    for name in set(sys.modules) - known:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == FOLDER:
            del sys.modules[name]


# ---- forgetting curves ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hierarchy(example):
    return example("fit_forgetting").Hierarchy(2, 12)


def test_the_curve_is_that_of_the_closed_form(example, hierarchy):
    expected = example("theory").Hierarchy(2).overlaps(hierarchy.at).max(0)
    assert hierarchy.curve(hierarchy.params) == pytest.approx(expected, rel=1e-4)  # steps of a quarter


def test_derivatives_of_the_loss_are_finite_differences(example, hierarchy):
    fit_forgetting = example("fit_forgetting")
    wanted = 0.5 * hierarchy.at**-0.7
    values = {"hierarchy.eta": 1.1, "hierarchy.q": 0.52, "hierarchy.A_0": 0.9, "hierarchy.D": 2.2e-3}
    found = fit_forgetting.gradients(hierarchy, fit_forgetting.Forgetting(hierarchy, wanted, 1.0), values)
    assert found.keys() == values.keys()
    for by_gradient, by_differences in found.values():
        assert abs(by_gradient) > 0.01
        assert by_gradient == pytest.approx(by_differences, rel=1e-6)


def test_hidden_numbers_are_found(example, hierarchy):
    fit_forgetting = example("fit_forgetting")
    hidden = {"hierarchy.eta": 1.4, "hierarchy.q": 0.4, "hierarchy.A_0": 1.2}
    seen = hierarchy.curve(hierarchy.with_values(hidden))
    loss = fit_forgetting.Forgetting(hierarchy, seen)
    result = hierarchy.fit(hierarchy.params, fit_forgetting.COMMON, loss)
    for path, value in hidden.items():
        assert float(hierarchy.sim.get(result.params, path)) == pytest.approx(value, rel=1e-3)


def test_a_free_factor_does_not_count(example, hierarchy):
    fit_forgetting = example("fit_forgetting")
    _, record = hierarchy.sim.run(hierarchy.params, hierarchy.state, hierarchy.steps)
    curve = np.where(hierarchy.at > 2, hierarchy.curve(hierarchy.params), np.nan)
    free = fit_forgetting.Forgetting(hierarchy, 3 * curve, factor=True)
    assert float(free(record, 0.25)) == pytest.approx(0, abs=1e-20)
    # log 3 in units of 0.01, the same at all times
    assert float(fit_forgetting.Forgetting(hierarchy, 3 * curve)(record, 0.25)) == pytest.approx((100 * np.log(3)) ** 2)


# ---- the rule ---------------------------------------------------------------------------------------


def test_derivative_of_what_nights_leave_in_the_weights():
    """Correlation of level 1 with a memory after two nights, with respect to A_plus, alpha and a weight of V."""
    rows, inputs, steps = 6, 8, 300
    keys = jax.random.split(jax.random.key(0), 4)
    memory = jax.random.bernoulli(keys[0], shape=(rows, inputs)) * 2 / inputs
    start = jax.random.uniform(keys[1], (rows, inputs), minval=0.3, maxval=0.7) * 2 / inputs
    days = jnp.maximum(0, 10 + 5 * jax.random.normal(keys[2], (2, steps, inputs)))

    def correlation(x: jax.Array) -> jax.Array:
        V, W = memory.at[0, 0].add(x[2]), start
        for heard in days:
            hpc = Stage(lag=1, plastic=False)
            one = Stage(gain=0.5, coupling=0.5, lag=1, potentiation=x[0], depression=x[0] * x[1], w_max=2 / inputs)
            _, W = learn([hpc, one], [V, W], [heard], dt=0.005, tau=0.02, execution="scan")
        return jnp.corrcoef(W.ravel(), memory.ravel())[0, 1]

    at = jnp.array([0.002, 1.002, 0.0])
    gradient = jax.grad(correlation)(at)
    for k, step in enumerate((1e-8, 1e-6, 1e-6)):
        up, down = correlation(at.at[k].add(step)), correlation(at.at[k].add(-step))
        assert abs(gradient[k]) > 1e-3
        assert float(gradient[k]) == pytest.approx(float(up - down) / (2 * step), rel=1e-4)


# ---- two levels with spikes -------------------------------------------------------------------------


def test_drift_of_the_spiking_levels(example):
    spiking = example("spiking_levels")
    levels = spiking.Levels(rows=192, dt=0.0025, speed=(1e-9, 1e-9), dtype="float64")
    found, errors = spiking.measure_drift(levels, 16.0)
    # By hand: level 1 hears HPC one delay of 5 ms later, at 1/2; its own spikes are depression. The speed is that of
    # the last one, so the ratio does not depend on amplitudes.
    ratio = -found[0, 0] / found[0, 1]
    assert ratio == pytest.approx(np.exp(-0.005 / 0.02 + 0.0025 / 0.02), rel=0.15)  # 3 standard errors
    theory = levels.drift()
    assert theory[0, 1] == pytest.approx(-1e-9, rel=1e-12)
    assert np.abs(errors[0, :2] / theory[0, :2]).max() < 0.035
    assert np.abs((found - theory) / errors).max() < 3.5  # six normal numbers


def test_propagation_is_the_linear_system(example):
    spiking = example("spiking_levels")
    levels = spiking.Levels(N=4, rows=2)
    rng = np.random.default_rng(0)
    V, W = rng.random((2, 4)), rng.random((2, 2, 4))
    A = levels.drift()
    steps, w = 20_000, W.copy()
    for _ in range(steps):  # Euler's, whose error is 300 s/20,000 of a time constant of 600 s
        w = w + 300 / steps * np.stack([A[k, 0] * V + A[k, 1] * w[0] + A[k, 2] * w[1] for k in range(2)])
    assert spiking.propagate(levels, W, V, 300.0) == pytest.approx(w, abs=2e-5)


def test_a_memory_reaches_level_1_before_level_2(example):
    spiking = example("spiking_levels")
    levels = spiking.Levels(N=8, rows=128, speed=(1 / 30, 1 / 60))
    found = spiking.nights(levels, number=5, tracked=2, length=12.0, past=20)
    simulated, expected = found["simulated"][..., 0], found["expected"][..., 0]
    assert simulated[:, 0] == pytest.approx(expected[:, 0], rel=1e-5)
    assert simulated[0, 1] > 2 * simulated[0, 2] > 0
    assert simulated[:, 1:] == pytest.approx(expected[:, 1:], abs=0.04)
