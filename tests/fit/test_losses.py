"""Losses against hand counts and closed forms; every one has a formula, a source and an example."""

import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsnn.errors import ArgumentError, DimensionError
from jaxsnn.fit import (
    LOSSES,
    burst_count,
    fi_slope,
    firing_rate,
    first_spike_cross_entropy,
    gamma_factor,
    gamma_loss,
    interval_cv,
    latency,
    rate_cross_entropy,
    spike_time_distance,
    trace_mse,
    van_rossum,
)
from jaxsnn.simulation.records import SpikeRecord, pack
from jaxsnn.units import Hz, mA, ms, mV, second, volt

DT = 1e-4


def train(*steps, length=1000):
    """(T, n): one sequence of steps for each element."""
    spikes = np.zeros((length, len(steps)), np.float32)
    for k, own in enumerate(steps):
        spikes[list(own), k] = 1
    return spikes


def at(loss, spikes):
    return float(loss({"spikes": spikes}, DT))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_says_what_it_is(name):
    row = LOSSES[name]
    assert re.fullmatch(r"10\.\d{4,}/\S+", row.source.doi)
    assert row.formula
    # gamma_loss is gamma_factor, which has the example.
    assert ">>> " in inspect.getdoc(row.make) + (inspect.getdoc(gamma_factor) if name == "gamma_loss" else "")


# ---- traces -----------------------------------------------------------------------------------------------


def test_trace_mse_by_hand():
    target = np.array([[1.0, 2.0], [3.0, np.nan]]) * mV
    loss = trace_mse("m.v", target, scale=2 * mV)
    record = {"m": {"v": jnp.array([[2e-3, 2e-3], [3e-3, 7.0]])}}
    # Errors of 1/2, 0, 0 scales; the missing sample does not count.
    assert float(loss(record, DT)) == pytest.approx(0.25 / 3)
    assert loss.residuals(record, DT).shape == (3,)
    assert float((loss.residuals(record, DT) ** 2).sum()) == pytest.approx(float(loss(record, DT)))


def test_trace_mse_counts_errors_in_standard_deviations_and_takes_weights():
    target = np.array([1.0, 3.0, 5.0, 7.0])  # standard deviation sqrt(5)
    record = {"m": {"v": jnp.array([[1.0], [3.0], [5.0], [8.0]])}}
    assert float(trace_mse("m.v", target)(record, DT)) == pytest.approx(1 / 5 / 4)
    assert float(trace_mse("m.v", target, scale=1.0, weights=[0, 0, 1, 3])(record, DT)) == pytest.approx(3 / 2)


# ---- spikes -----------------------------------------------------------------------------------------------


def test_van_rossum_closed_forms():
    tau = 10 * ms
    loss = van_rossum("spikes", [[10 * ms], [10, 20] * ms], tau)
    same = train([100], [100, 200])
    assert at(loss, same) == 0
    # One spike without partner: 1/2, mean over two elements.
    assert at(loss, train([], [100, 200])) == pytest.approx(1 / 4, rel=1e-5)
    # Shifted by d: 1 - exp(-d/tau).
    assert at(loss, train([130], [100, 200])) == pytest.approx((1 - np.exp(-0.3)) / 2, rel=1e-5)
    # A spike too many at distance d of another: 1/2 again, as it is the only difference.
    assert at(loss, train([100], [100, 130, 200])) == pytest.approx(1 / 4, rel=1e-5)


def test_van_rossum_counts_what_is_left_after_the_run():
    loss = van_rossum("spikes", [[]], 100 * ms)
    assert at(loss, train([99], length=100)) == pytest.approx(0.5, rel=1e-5)


def test_spike_time_distance_by_hand():
    loss = spike_time_distance("spikes", [[10, 20] * ms, []], scale=1 * ms)
    assert at(loss, train([103, 195], [])) == pytest.approx((0.3 + 0.5) / 2)
    # A spike without partner costs the time to the end of the run of 100 ms.
    assert at(loss, train([100, 200], [400])) == pytest.approx(60 / 2)
    # However far, there is a slope: the derivative with respect to a spike is the time left, with a sign.
    slope = jax.grad(lambda s: loss({"spikes": s}, DT))(jnp.asarray(train([300, 800], [])))
    # From the first recorded spike on the recorded train lags behind by one or more until 80 ms.
    assert float(slope[290, 0]) < 0


def test_firing_rate_by_hand():
    spikes = train([0, 250, 500, 750], [10])  # 40 and 10 Hz in 100 ms
    assert at(firing_rate("spikes", [30, 10] * Hz), spikes) == pytest.approx((10 / 30) ** 2 / 2)
    assert at(firing_rate("spikes", 0 * Hz), spikes) == pytest.approx((40**2 + 10**2) / 2)
    assert at(firing_rate("spikes", 20 * Hz, scale=10 * Hz), spikes) == pytest.approx((4 + 1) / 2)


def test_packed_spikes_and_floats_give_the_same():
    spikes = train([103, 195], [7])
    packed = SpikeRecord(jax.vmap(pack)(jnp.asarray(spikes, bool)), 0, 2)
    for loss in (
        van_rossum("spikes", [[10, 20] * ms, []], 5 * ms),
        firing_rate("spikes", 10 * Hz),
        latency("spikes", 5 * ms),
    ):
        assert at(loss, packed) == pytest.approx(at(loss, spikes), rel=1e-6)


# ---- features ---------------------------------------------------------------------------------------------


def test_latency_by_hand():
    spikes = train([40, 70], [])
    # 4 ms, and the whole run of 100 ms.
    assert at(latency("spikes", [3, 100] * ms, scale=1 * ms), spikes) == pytest.approx(0.5, rel=1e-5)


def test_interval_cv_by_hand():
    # Intervals 10, 30: standard deviation 10, mean 20. Regular firing: 0. One interval: 0.
    spikes = train([10, 20, 50], [0, 100, 200, 300], [10, 20])
    assert at(interval_cv("spikes", [0.5, 0, 0]), spikes) == pytest.approx(0, abs=1e-6)
    assert at(interval_cv("spikes", [1.5, 0, 0], scale=1.0), spikes) == pytest.approx(1 / 3, rel=1e-5)
    slope = jax.grad(lambda s: interval_cv("spikes", 1.0)({"spikes": s}, DT))(jnp.asarray(spikes))
    assert np.all(np.isfinite(slope))
    assert np.any(slope[:, 0] != 0)


def test_burst_count_by_hand():
    # Groups within 5 ms: (10, 40, 70), (500, 530); 900 is alone; 50 steps are within the gap, 51 are not.
    spikes = train([10, 40, 70, 500, 530, 900], [100, 150], [100, 151])
    assert at(burst_count("spikes", [2, 1, 0], gap=5 * ms), spikes) == 0
    assert at(burst_count("spikes", [2, 1, 1], gap=5 * ms, scale=1), spikes) == pytest.approx(1 / 3)


def test_fi_slope_is_the_regression_line():
    counts = [2, 3, 7, 8]
    current = np.array([1.0, 2.0, 3.0, 5.0]) * mA
    spikes = train(*[range(0, 10 * n, 10) for n in counts])
    k = np.polyfit([1, 2, 3, 5], np.array(counts) * 10, 1)[0]
    loss = fi_slope("spikes", current, (k + 2) * Hz / mA, scale=1 * Hz / mA)
    assert at(loss, spikes) == pytest.approx(4, rel=1e-4)


# ---- classes ----------------------------------------------------------------------------------------------


def test_cross_entropies_by_hand():
    spikes = train([10, 30], [20], [])
    e = np.exp
    assert at(rate_cross_entropy("spikes", 1), spikes) == pytest.approx(-np.log(e(1) / (e(2) + e(1) + 1)), rel=1e-5)
    t = np.array([1, 2, 100.0])
    expected = -np.log(e(-t[0] / 2) / e(-t / 2).sum())
    assert at(first_spike_cross_entropy("spikes", 0, tau=2 * ms), spikes) == pytest.approx(expected, rel=1e-5)


def test_several_labels_divide_the_elements():
    spikes = train([10], [], [], [10, 20])
    expected = (np.log(1 + np.exp(-1)) + np.log(1 + np.exp(-2))) / 2
    assert at(rate_cross_entropy("spikes", [0, 1]), spikes) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ArgumentError, match="labels are 0 to 1"):
        at(rate_cross_entropy("spikes", [0, 2]), spikes)


# ---- coincidences -----------------------------------------------------------------------------------------


def test_gamma_factor_by_hand():
    delta = 2e-3
    data, model = train([100, 300, 500, 800]), train([110, 330, 500])  # in 100 ms: 1 and 0 ms apart; 3 ms apart
    rate = 3 / 0.1
    chance = 2 * rate * delta * 4
    expected = (2 - chance) / (0.5 * (4 + 3)) / (1 - 2 * rate * delta)
    assert float(gamma_factor(model, data, DT, delta)[0]) == pytest.approx(expected, rel=1e-5)
    loss = gamma_loss("spikes", [[10, 30, 50, 80] * ms], delta=2 * ms)
    assert at(loss, model) == pytest.approx(1 - expected + 2 * 1 / 4, rel=1e-5)
    assert at(loss, data) == pytest.approx(0, abs=1e-6)


def test_gamma_factor_of_independent_poisson_trains_is_zero():
    random = np.random.default_rng(0)
    model, data = (random.random((20000, 200)) < 20 * DT for _ in range(2))
    gamma = gamma_factor(jnp.asarray(model, jnp.float32), jnp.asarray(data, jnp.float32), DT, 4e-3)
    # Chance is counted to first order in the rate: 1 - exp(-0.16) instead of 0.16 of the spikes coincide.
    error = float(gamma.std()) / np.sqrt(200)
    second_order = (1 - np.exp(-0.162) - 0.16) / (1 - 0.16)
    assert float(gamma.mean()) == pytest.approx(second_order, abs=4 * error)


def test_silent_trains():
    empty, one = train([]), train([10])
    assert float(gamma_factor(empty, empty, DT, 2e-3)[0]) == 1
    assert float(gamma_factor(empty, one, DT, 2e-3)[0]) == 0


# ---- sums, slopes and mistakes -------------------------------------------------------------------------------


def test_weighted_sums():
    a, b = firing_rate("spikes", 20 * Hz), latency("spikes", 5 * ms)
    spikes = train([10, 30])
    total = 2 * a + b * 0.5
    assert at(total, spikes) == pytest.approx(2 * at(a, spikes) + 0.5 * at(b, spikes))
    assert total.terms({"spikes": spikes}, DT).keys() == {a.name, b.name}
    residuals = total.residuals({"spikes": spikes}, DT)
    assert float((residuals**2).sum()) == pytest.approx(at(total, spikes))
    assert (total + gamma_loss("spikes", [[]], delta=2 * ms)).residuals({"spikes": spikes}, DT) is None
    with pytest.raises(ArgumentError, match="positive"):
        -1 * a


SMOOTH = {
    "van_rossum": van_rossum("spikes", [[3, 5] * ms, [1 * ms]], 5 * ms),
    "spike_time_distance": spike_time_distance("spikes", [[3, 5] * ms, [1 * ms]], scale=1 * ms),
    "firing_rate": firing_rate("spikes", 200 * Hz),
    "latency": latency("spikes", 5 * ms),
    "interval_cv": interval_cv("spikes", 1.0),
    "burst_count": burst_count("spikes", 2, gap=2 * ms),
    "fi_slope": fi_slope("spikes", [1, 2] * mA, 100 * Hz / mA),
    "rate_cross_entropy": rate_cross_entropy("spikes", 1),
    "first_spike_cross_entropy": first_spike_cross_entropy("spikes", 1, tau=2 * ms),
}


def test_slopes_are_tested_for_every_loss_on_spikes_that_has_one():
    assert SMOOTH.keys() == LOSSES.keys() - {"trace_mse", "gamma_loss"}


@pytest.mark.parametrize("name", SMOOTH)
def test_slopes_are_those_of_differences(name, x64):
    """At trains of floats between 0 and 1, as a surrogate makes them, away from kinks."""
    random = np.random.default_rng(4)
    spikes = jnp.asarray(random.uniform(0.02, 0.1, (60, 2)))

    def value(s):
        return SMOOTH[name]({"spikes": s}, DT)

    direction = jnp.asarray(random.normal(size=spikes.shape))
    by_gradient = float((jax.grad(value)(spikes) * direction).sum())
    step = 1e-7
    by_differences = float((value(spikes + step * direction) - value(spikes - step * direction)) / (2 * step))
    assert by_gradient == pytest.approx(by_differences, rel=1e-4)
    assert by_gradient != 0


@pytest.mark.parametrize(
    "act, error, message",
    [
        (lambda: at(van_rossum("spiks", [[]], 5 * ms), train([])), ArgumentError, "Did you mean 'spikes'"),
        (lambda: at(van_rossum("spikes", [[1 * second]], 5 * ms), train([])), ArgumentError, "outside"),
        (lambda: at(van_rossum("spikes", [[1.0]], 5 * ms), train([])), DimensionError, "needs second"),
        (lambda: at(van_rossum("spikes", [[], []], 5 * ms), train([])), ArgumentError, "for 2"),
        (lambda: van_rossum("spikes", [[]], 5 * mV), DimensionError, "needs second"),
        (lambda: trace_mse("m.v", [1.0, 1.0] * volt), ArgumentError, "scale"),
        (lambda: trace_mse("m.v", [1.0, 2.0])({"m": {"v": jnp.zeros((3, 1))}}, DT), ArgumentError, "shape"),
        (lambda: trace_mse("m.u", [1.0, 2.0])({"m": {"v": jnp.zeros((2, 1))}}, DT), ArgumentError, "m.v"),
        (lambda: latency("spikes", 0 * ms), ArgumentError, "scale"),
        (lambda: fi_slope("spikes", [1, 1] * mA, 1 * Hz / mA), ArgumentError, "different currents"),
    ],
)
def test_mistakes(act, error, message):
    with pytest.raises(error, match=message):
        act()
