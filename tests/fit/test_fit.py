"""Fits against closed forms: parameters come back, errors are those of regression, and what goes wrong is named."""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import pytest
from scipy.integrate import solve_ivp

from jaxsnn import Network, NeuronGroup, SpikeMonitor, StateMonitor
from jaxsnn.errors import ArgumentError, NumericalError
from jaxsnn.fit import (
    CMAES,
    LBFGS,
    METHODS,
    Affine,
    DifferentialEvolution,
    Gradient,
    Identity,
    LevenbergMarquardt,
    Softplus,
    SpikeFitter,
    TraceFitter,
    Trainable,
    firing_rate,
    fit,
    spike_time_distance,
    trace_mse,
    van_rossum,
)
from jaxsnn.fit.problem import Problem
from jaxsnn.fit.rounds import minimise
from jaxsnn.units import Hz, mS, ms, mV, second, uF, volt

T = np.arange(100) * 0.5  # ms
TAU, DRIVE, START = 12.0, 3.0, 1.0
MEMBRANE = DRIVE + (START - DRIVE) * np.exp(-T / TAU)


@pytest.fixture(scope="module")
def membrane():
    """tau dv/dt = I - v, whose solution is known: three unknowns."""
    cell = NeuronGroup(
        1, "dv/dt = (I - v)/tau : volt", namespace={"tau": 20 * ms, "I": 5 * mV}, method="exact", name="cell"
    )
    cell.v = 2 * mV
    sim = Network(cell, StateMonitor(cell, "v", name="trace")).compile(dt=0.5 * ms)
    return sim, *sim.init(0)


UNKNOWN = {"cell.tau": (2 * ms, 50 * ms), "cell.I": (0 * mV, 10 * mV), "cell.v": Affine(0 * mV, 2 * mV)}
LOSS = trace_mse("trace.v", MEMBRANE * mV)

WAYS = {
    "Gradient": Gradient(optax.adam(0.1), steps=400),
    "LBFGS": LBFGS(steps=50),
    "LevenbergMarquardt": LevenbergMarquardt(steps=30),
    "CMAES": CMAES(steps=120),
    "DifferentialEvolution": DifferentialEvolution(steps=100),
}


def test_every_method_is_tested():
    assert WAYS.keys() == METHODS.keys()


@pytest.mark.parametrize("name", WAYS)
def test_every_method_finds_the_membrane(membrane, name):
    result = fit(*membrane, UNKNOWN, LOSS, 50 * ms, method=WAYS[name], starts=2, tolerance=1e-9, patience=50)
    found = [result.best["cell.tau"] / ms, result.best["cell.I"] / mV, result.best["cell.v"] / mV]
    np.testing.assert_allclose(found, [TAU, DRIVE, START], rtol=5e-3)
    assert np.all(np.diff(result.history, axis=0) <= 0)
    assert result.loss == pytest.approx(float(result.terms()[LOSS.name]), abs=1e-7)


def test_best_values_are_in_the_trees(membrane):
    params = membrane[1]
    result = fit(*membrane, UNKNOWN, LOSS, 50 * ms)
    assert result.params["cell"]["tau"] == pytest.approx(TAU * 1e-3, rel=1e-4)
    assert result.state["cell"]["v"][0] == pytest.approx(START * 1e-3, rel=1e-3)
    assert params["cell"]["tau"] == pytest.approx(0.02)
    np.testing.assert_allclose(result.record()["trace"]["v"][:, 0], MEMBRANE * 1e-3, rtol=1e-3)
    text = str(result)
    assert text.startswith("loss ")
    assert "cell.tau" in text
    assert "Levenberg-Marquardt:" in text


@pytest.mark.parametrize(
    "method", [LevenbergMarquardt(steps=4), LBFGS(steps=8), Gradient(optax.sgd(0.1), steps=5)], ids=lambda m: m.name
)
def test_starts_in_one_batch_are_those_of_a_loop(membrane, method):
    problem = Problem(*membrane, UNKNOWN, LOSS, 50 * ms)
    z = problem.space.begin({"cell.tau": [5, 30, 14] * ms, "cell.I": [9, 1, 4] * mV}, np.random.default_rng(0))
    many = minimise(problem, z, [method])
    for k in range(3):
        one = minimise(problem, z[k : k + 1], [method])
        np.testing.assert_allclose(many.z[k], one.z[0], rtol=2e-3, atol=1e-4)
        assert many.loss[k] == pytest.approx(one.loss[0], rel=2e-3, abs=1e-6)


def test_several_networks_of_one_group_share_what_is_shared():
    """Three membranes with own time constants and one common drive."""
    cells = NeuronGroup(3, "dv/dt = (I - v)/tau : 1\ntau : second\nI : 1", method="exact", name="cells")
    cells.tau, cells.I = 10 * ms, 1
    sim = Network(cells, StateMonitor(cells, "v", name="trace")).compile(dt=0.5 * ms)
    taus = np.array([5.0, 10.0, 15.0])
    target = 2.0 * (1 - np.exp(-T[:, None] / taus))
    unknown = {"cells.tau": Trainable((1 * ms, 50 * ms), mask=[0, 2]), "cells.I": Trainable((0, 5), shared=True)}
    result = fit(sim, *sim.init(0), unknown, trace_mse("trace.v", target), 50 * ms)
    np.testing.assert_allclose(result.best["cells.tau"] / ms, [5, 15], rtol=1e-3)
    assert result.best["cells.I"] == pytest.approx(2, rel=1e-3)
    np.testing.assert_allclose(result.params["cells"]["tau"], [5e-3, 10e-3, 15e-3], rtol=1e-3)


def test_many_parameters_take_reverse_mode():
    """40 membranes, 40 time constants: more than forward mode is for."""
    cells = NeuronGroup(40, "dv/dt = -v/tau : 1\ntau : second", method="exact", name="cells")
    cells.tau, cells.v = 10 * ms, 1
    sim = Network(cells, StateMonitor(cells, "v", name="trace")).compile(dt=0.5 * ms)
    taus = np.linspace(5, 15, 40)
    loss = trace_mse("trace.v", np.exp(-T[:, None] / taus))
    result = fit(sim, *sim.init(0), {"cells.tau": (1 * ms, 50 * ms)}, loss, 50 * ms, method=LBFGS(steps=60))
    assert not result.problem.forward
    np.testing.assert_allclose(result.best["cells.tau"] / ms, taus, rtol=0.01)


@pytest.mark.slow
def test_hodgkin_huxley_below_threshold():
    """A hyperpolarising step of current, integrated by SciPy: capacitance, leak and potassium conductance."""

    def rates(v):
        n = 0.01 * (10 - v) / (np.exp((10 - v) / 10) - 1), 0.125 * np.exp(-v / 80)
        m = 0.1 * (25 - v) / (np.exp((25 - v) / 10) - 1), 4 * np.exp(-v / 18)
        h = 0.07 * np.exp(-v / 20), 1 / (np.exp((30 - v) / 10) + 1)
        return n, m, h

    def slopes(t, y):
        v, n, m, h = y
        current = -5.0 if t < 15 else 2.0
        ionic = 120 * m**3 * h * (v - 115) + 36 * n**4 * (v + 12) + 0.3 * (v - 10.6)
        gates = [a * (1 - x) - b * x for (a, b), x in zip(rates(v), (n, m, h), strict=True)]
        return [current - ionic, *gates]

    rest = [a / (a + b) for a, b in rates(0.0)]
    times = np.arange(600) * 0.05
    y = [0.0, *rest]
    first = solve_ivp(slopes, (0, 15), y, t_eval=times[times < 15], rtol=1e-9, atol=1e-10, max_step=1)
    second = solve_ivp(slopes, (15, 30), solve_ivp(slopes, (0, 15 - 1e-9), y, rtol=1e-9, atol=1e-10).y[:, -1],
                       t_eval=times[times >= 15], rtol=1e-9, atol=1e-10, max_step=1)  # fmt: skip
    target = np.concatenate([first.y[0], second.y[0]])
    cell = NeuronGroup(
        1,
        """
        dv/dt = (I - g_Na*m**3*h*(v - 115) - g_K*n**4*(v + 12) - g_L*(v - 10.6))/C/ms : 1
        dn/dt = (0.1*exprel(-(10 - v)/10)**-1*exp(-(10 - v)/10)*(1 - n) - 0.125*exp(-v/80)*n)/ms : 1
        dm/dt = (exprel(-(25 - v)/10)**-1*exp(-(25 - v)/10)*(1 - m) - 4*exp(-v/18)*m)/ms : 1
        dh/dt = (0.07*exp(-v/20)*(1 - h) - h/(exp((30 - v)/10) + 1))/ms : 1
        I = -5 + 7*int(t >= 15*ms) : 1
        """,
        namespace={"g_Na": 120.0, "g_K": 20.0, "g_L": 0.6, "C": 2.0},
        method="rk4",
        name="cell",
    )
    cell.n, cell.m, cell.h = rest
    sim = Network(cell, StateMonitor(cell, "v", name="trace")).compile(dt=0.05 * ms)
    unknown = {"cell.C": (0.2, 5), "cell.g_L": (0.05, 2), "cell.g_K": (5, 100)}
    result = fit(sim, *sim.init(0), unknown, trace_mse("trace.v", target), 30 * ms)
    # The initial gates and the sodium conductance are given. One sample after the jump of the current is off by the
    # order of a step.
    np.testing.assert_allclose(
        [result.best[f"cell.{name}"] for name in ("C", "g_L", "g_K")], [1.0, 0.3, 36.0], rtol=0.01
    )


def test_f_i_curve_without_gradients():
    """Rates of leaky cells, 1/(t_ref + tau log((I - v_r)/(I - theta))) with v_r = 0: time constant and threshold."""
    drive = np.linspace(10.5, 20, 40)
    tau, theta, t_ref = 15.0, 10.0, 2.0
    rates = 1e3 / (t_ref + tau * np.log(drive / (drive - theta)))
    cells = NeuronGroup(
        40,
        "dv/dt = (I - v)/tau : volt (unless refractory)\nI : volt",
        threshold="v > theta",
        reset="v = 0*mV",
        refractory=t_ref * ms,
        method="exact",
        namespace={"tau": 30 * ms, "theta": 5 * mV},
        name="cells",
    )
    cells.I = drive * mV
    sim = Network(cells, SpikeMonitor(cells, name="spikes")).compile(dt=0.1 * ms)
    unknown = {"cells.tau": (5 * ms, 50 * ms), "cells.theta": (2 * mV, 12 * mV)}
    loss = firing_rate("spikes", rates * Hz)
    result = fit(sim, *sim.init(0), unknown, loss, 500 * ms, method=CMAES(steps=40, population=8), starts=2)
    # A spike more or less in 500 ms is 2 Hz of 20 to 80, and intervals are whole steps.
    assert result.best["cells.tau"] / ms == pytest.approx(tau, rel=0.03)
    assert result.best["cells.theta"] / mV == pytest.approx(theta, rel=0.03)


# ---- intervals ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def line():
    """v = a + b t: regression with known standard errors. c has no influence."""
    cell = NeuronGroup(1, "dv/dt = b*c/second : 1", namespace={"b": 1.0, "c": 1.0}, method="euler", name="cell")
    sim = Network(cell, StateMonitor(cell, "v", name="trace")).compile(dt=0.01 * second)
    return sim, *sim.init(0)


@pytest.mark.parametrize("curvature", ["gauss-newton", "hessian"])
def test_intervals_are_those_of_linear_regression(line, curvature):
    random = np.random.default_rng(0)
    t = np.arange(100) * 0.01
    y = 2 + 3 * t + 0.1 * random.normal(size=100)
    unknown = {"cell.v": Affine(0, 1), "cell.b": Affine(0, 1)}
    result = fit(*line, unknown, trace_mse("trace.v", y), 1 * second)
    design = np.stack([np.ones(100), t], axis=1)
    best, rest = np.linalg.lstsq(design, y, rcond=None)[:2]
    errors = np.sqrt(np.diagonal(rest[0] / 98 * np.linalg.inv(design.T @ design)))
    found = result.intervals(0.95, curvature)
    for k, name in enumerate(unknown):
        assert np.squeeze(found.best[name]) == pytest.approx(best[k], rel=1e-3)
        assert np.squeeze(found.error[name]) == pytest.approx(errors[k], rel=2e-3)
        assert np.squeeze(found.lower[name]) == pytest.approx(best[k] - 1.959964 * errors[k], rel=1e-3)
        assert np.squeeze(found.upper[name]) == pytest.approx(best[k] + 1.959964 * errors[k], rel=1e-3)
    # Corr(a, b) = -mean(t)/sqrt(mean(t²)).
    assert found.correlation[0, 1] == pytest.approx(-t.mean() / np.sqrt((t**2).mean()), rel=1e-3)
    assert "±" in str(found)


def test_a_negative_log_likelihood_has_the_inverse_hessian(line):
    t = np.arange(100) * 0.01

    def loss(record, dt):
        return jnp.sum((record["trace"]["v"][:, 0] - (2 + 3 * t)) ** 2) / (2 * 0.5**2)

    result = fit(*line, {"cell.b": Affine(0, 1)}, loss, 1 * second, method=LBFGS(steps=30))
    error = 0.5 / np.sqrt((t**2).sum())
    assert result.intervals().error["cell.b"] == pytest.approx(error, rel=2e-3)


def test_what_the_data_do_not_determine_is_named(line):
    t = np.arange(100) * 0.01
    y = 2 * t + 0.01 * np.random.default_rng(1).normal(size=100)
    result = fit(*line, {"cell.b": Affine(1, 1), "cell.c": Affine(1, 1)}, trace_mse("trace.v", y), 1 * second)
    found = result.intervals()
    assert "do not determine" in found.notes[0]
    assert "cell.b" in found.notes[0]
    assert "cell.c" in found.notes[0]
    assert np.isinf(found.error["cell.b"])


def test_a_parameter_at_its_bound_has_no_interval(line):
    t = np.arange(100) * 0.01
    y = 2 * t + 0.01 * np.random.default_rng(1).normal(size=100)
    unknown = {"cell.b": (0, 1.5), "cell.v": Affine(0, 1)}
    found = fit(*line, unknown, trace_mse("trace.v", y), 1 * second, method=LevenbergMarquardt(steps=60)).intervals()
    assert found.notes == ("cell.b is at its bound, so it has no interval",)


# ---- what goes wrong ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fragile():
    """v = log(k) t, NaN for negative k; u = p t."""
    cell = NeuronGroup(
        1,
        "dv/dt = log(k)/second : 1\ndu/dt = p/second : 1",
        namespace={"k": 0.5, "p": 1.0},
        method="euler",
        name="cell",
    )
    sim = Network(cell, StateMonitor(cell, ["v", "u"], name="trace")).compile(dt=0.01 * second)
    return sim, *sim.init(0)


def test_nan_names_start_step_variable_and_parameter(fragile):
    loss = trace_mse("trace.v", -5 * np.arange(50) * 0.01)
    with pytest.raises(
        NumericalError, match=r"start 0 stopped in step 1 of gradient descent.*cell\.v of element 0.*k = -"
    ):
        fit(*fragile, {"cell.k": Identity()}, loss, 0.5 * second, method=Gradient(optax.sgd(100.0), steps=5))


def test_a_derivative_that_is_nan_names_its_parameter(fragile):
    sim, params, state = fragile
    params = sim.put(params, "cell.p", 0.0)

    def loss(record, dt):
        """The root of a square: 0 at 0, where its derivative is infinity times 0."""
        return (record["trace"]["v"][-1, 0] + 1) ** 2 + jnp.sqrt(record["trace"]["u"][-1, 0] ** 2)

    unknown = {"cell.k": (0.1, 2), "cell.p": Identity()}
    with pytest.raises(NumericalError, match=r"derivative with respect to cell\.p is not finite"):
        fit(sim, params, state, unknown, loss, 0.5 * second, method=LBFGS(steps=5))


def test_a_start_that_fails_is_noted_and_the_others_go_on(fragile):
    loss = trace_mse("trace.v", np.log(0.7) * np.arange(50) * 0.01)
    result = fit(
        *fragile, {"cell.k": Identity()}, loss, 0.5 * second, starts={"cell.k": [-1.0, 0.5]},
        method=LevenbergMarquardt(steps=20),
    )  # fmt: skip
    assert result.best["cell.k"] == pytest.approx(0.7, rel=1e-3)
    assert len(result.notes) == 1
    assert "start 0 stopped in step 0" in result.notes[0]
    assert result.notes[0] in str(result)


def test_searches_without_gradients_pass_over_nan(fragile):
    loss = trace_mse("trace.v", np.log(0.7) * np.arange(50) * 0.01)
    for method in (CMAES(steps=60, population=8), DifferentialEvolution(steps=40)):
        result = fit(*fragile, {"cell.k": Identity()}, loss, 0.5 * second, method=method)
        assert result.best["cell.k"] == pytest.approx(0.7, rel=0.01)


def test_a_loss_without_slope_is_said_to_have_none(line):
    """dv/dt = b c with c = 0: b has no influence."""
    sim, params, state = line
    loss = trace_mse("trace.v", np.arange(100) * 0.01)
    with pytest.raises(NumericalError, match=r"with respect to cell\.b are all 0, so there is no direction"):
        fit(sim, sim.put(params, "cell.c", 0.0), state, {"cell.b": (0.1, 5)}, loss, 1 * second)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"method": "adam"}, "a method is"),
        ({"method": LevenbergMarquardt(), "loss": van_rossum("spikes", [[]], 5 * ms)}, "no monitor 'spikes'"),
        ({"method": LevenbergMarquardt(), "loss": lambda record, dt: record["trace"]["v"].sum()}, "a sum of squares"),
        ({"loss": lambda record, dt: record["trace"]["v"]}, "one floating-point number"),
        ({"loss": 3}, "loss is a loss"),
        ({"starts": 0}, "starts is a number"),
        ({"starts": {"cell.x": [1.0]}}, "is not fitted"),
    ],
)
def test_mistakes(membrane, change, message):
    arguments = {"loss": LOSS, **change}
    with pytest.raises(ArgumentError, match=message):
        fit(*membrane, UNKNOWN, arguments.pop("loss"), 50 * ms, **arguments)
    with pytest.raises(ArgumentError, match=r"optax\.adam"):
        Gradient("adam")


# ---- rounds -------------------------------------------------------------------------------------------


def test_rounds_go_on_from_one_another_and_stop_early(membrane):
    said = []
    result = fit(
        *membrane, UNKNOWN, LOSS, 50 * ms, method=[CMAES(steps=5), LevenbergMarquardt(steps=50)], starts=3,
        patience=4, tolerance=1e-3, goal=1e-9, report=lambda method, step, losses: said.append((method, step)),
    )  # fmt: skip
    search, descent = result.outcome.rounds
    assert len(search.history) == 5
    assert len(descent.history) < 50
    assert descent.reason.startswith(("no better", "at the goal"))
    assert np.all(descent.history[0] <= search.history[-1])
    assert said[:2] == [("CMA-ES", 0), ("CMA-ES", 1)]
    assert len(said) == len(result.history)
    finer = result.refine(keep=2)
    assert finer.losses.shape == (2,)
    assert finer.loss <= result.loss


def test_a_bar_shows_the_progress(membrane, capsys):
    fit(*membrane, UNKNOWN, LOSS, 50 * ms, method=LevenbergMarquardt(steps=3), report="text")
    assert "3/3" in capsys.readouterr().out


def test_the_figure_has_a_line_for_each_start(membrane):
    result = fit(*membrane, UNKNOWN, LOSS, 50 * ms, method=[LevenbergMarquardt(steps=3)] * 2, starts=3)
    ax = result.plot()
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("Step", "Loss", "log")
    curves = [line for line in ax.get_lines() if len(line.get_xdata()) == 6]
    assert len(curves) == 3
    best = min(curves, key=lambda line: line.get_ydata()[-1])
    np.testing.assert_allclose(best.get_ydata(), result.history[:, np.argmin(result.losses)])
    plt.close(ax.figure)


def test_trace_fitter(membrane):
    fitter = TraceFitter(*membrane, UNKNOWN, {"trace.v": MEMBRANE * mV}, 50 * ms)
    with pytest.raises(ArgumentError, match="call fit"):
        fitter.result  # noqa: B018
    first = fitter.fit(CMAES(steps=4), starts=2)
    second_round = fitter.fit(CMAES(steps=4))
    assert second_round.loss <= first.loss
    fine = fitter.refine()
    np.testing.assert_allclose(fitter.generate()["trace"]["v"][:, 0], MEMBRANE * 1e-3, rtol=1e-3)
    assert fine.best["cell.tau"] / ms == pytest.approx(TAU, rel=1e-3)
    # After the data, the best membrane goes on by its closed form.
    later = fitter.generate(100 * ms)["trace"]["v"][-1, 0]
    assert later == pytest.approx(1e-3 * (DRIVE + (START - DRIVE) * np.exp(-99.5 / TAU)), rel=1e-3)


def test_spike_fitter_finds_the_rate_of_a_regular_cell():
    """dv/dt = drive, threshold 1: the interval is 1/drive, here 7 ms."""
    cell = NeuronGroup(
        1, "dv/dt = drive/ms : 1", threshold="v >= 0.9999", reset="v = 0", method="euler", namespace={"drive": 0.05},
        name="cell",
    )  # fmt: skip
    sim = Network(cell, SpikeMonitor(cell, name="spikes")).compile(dt=0.1 * ms)
    seen = [np.arange(1, 15) * 7.0 * ms]
    unknown = {"cell.drive": (0.08, 0.3)}
    fitter = SpikeFitter(sim, *sim.init(0), unknown, "spikes", seen, 100 * ms, delta=2 * ms)
    result = fitter.fit(CMAES(steps=20, population=16), starts=4)
    assert fitter.gamma()[0] == pytest.approx(1, abs=1e-6)
    assert 1 / result.best["cell.drive"] == pytest.approx(7, rel=0.021)  # within 2 ms after 14 intervals


def test_spikes_lead_to_the_drive_by_surrogate_gradients():
    """dv/dt = drive, threshold 1: from 11 ms to the recorded interval of 7 ms, by the times of the spikes alone."""
    cell = NeuronGroup(
        1, "dv/dt = drive/ms : 1", threshold="v >= 0.9999", reset="v = 0", method="euler",
        namespace={"drive": 1 / 11}, name="cell",
    )  # fmt: skip
    sim = Network(cell, SpikeMonitor(cell, name="spikes")).compile(dt=0.1 * ms)
    loss = spike_time_distance("spikes", [np.arange(1, 15) * 7.0 * ms], scale=10 * ms)
    result = fit(
        sim, *sim.init(0), {"cell.drive": (0.05, 0.3)}, loss, 100 * ms, method=Gradient(optax.adam(0.05), steps=60)
    )
    assert 1 / result.best["cell.drive"] == pytest.approx(7, rel=0.03)


def test_units_of_conductances_come_back():
    cell = NeuronGroup(1, "dv/dt = -g*v/C : volt", namespace={"g": 1 * mS, "C": 10 * uF}, method="exact", name="cell")
    cell.v = 1 * volt
    sim = Network(cell, StateMonitor(cell, "v", name="trace")).compile(dt=0.5 * ms)
    loss = trace_mse("trace.v", np.exp(-T / 5) * volt)
    result = fit(sim, *sim.init(0), {"cell.g": Softplus(0 * mS, 1 * mS)}, loss, 50 * ms)
    assert result.best["cell.g"] / mS == pytest.approx(2, rel=1e-3)


def test_forward_and_reverse_mode_agree(membrane):
    problem = fit(*membrane, UNKNOWN, LOSS, 50 * ms, method=LevenbergMarquardt(steps=1)).problem
    z = jnp.asarray([0.3, -0.4, 0.2])
    by_reverse = jax.grad(problem.loss)(z)
    np.testing.assert_allclose(problem.value_and_grad(z)[1], by_reverse, rtol=1e-3)
    np.testing.assert_allclose(jax.grad(problem.differentiable())(z), by_reverse, rtol=1e-3)
    r, jacobian = problem.jacobian(z)
    np.testing.assert_allclose(2 * r @ jacobian, by_reverse, rtol=1e-3)
