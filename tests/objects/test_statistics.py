"""Statistics over time against NumPy's of the recorded traces."""

import jax
import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, NetworkError
from jaxsnn.units import ms, mV, volt

EVERYTHING = ("mean", "variance", "minimum", "maximum")


def model(dtype="float32", **options):
    cells = snn.NeuronGroup(
        4,
        """dv/dt = (10*mV*sin(2*pi*t/(7*ms))*i - v)/(3*ms) : volt
        above = v > 2*mV : boolean
        w = v/mV + off_w : 1
        off_w : 1
        k : integer
        s : 1 (shared)""",
        threshold="v > 6*mV",
        reset="v = -1*mV; k += 1",
        method="euler",
        name="cells",
    )
    cells.off_w = "100*i"
    cells.s = 3
    stats = snn.StatisticsMonitor(
        cells, ["v", "above", "w", "off_w", "k", "s"], EVERYTHING, histogram={"v": (-5 * mV, 5 * mV, 7)}, name="stats",
        **options,
    )  # fmt: skip
    trace = snn.StateMonitor(cells, True, record=True, name="trace", **options)
    return snn.Network(cells, stats, trace, dtype=dtype), stats, trace


@pytest.mark.parametrize("options", [{}, {"dt": 0.3 * ms}, {"when": "end"}], ids=str)
def test_equals_numpy(options, x64):
    net, stats, trace = model("float64", **options)
    for duration in (7 * ms, 1 * ms, 5.5 * ms):
        net.run(duration)
    assert stats.samples == trace.t.size
    for name in ("v", "above", "w", "off_w", "k", "s"):
        values = np.asarray(getattr(trace, f"{name}_"), float)
        found = getattr(stats, name)
        for statistic, expected in (
            ("mean", values.mean(1)),
            ("variance", values.var(1)),
            ("std", values.std(1)),
            ("minimum", values.min(1)),
            ("maximum", values.max(1)),
        ):
            value = getattr(found, statistic)
            value = np.asarray(getattr(value, "value", value))
            np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-15, err_msg=f"{name} {statistic}")
    assert stats.v.mean.dim == volt.dim
    assert stats.v.variance.dim == volt.dim**2
    counts = [np.histogram(row, bins=7, range=(-5e-3, 5e-3))[0] for row in trace.v_]
    np.testing.assert_array_equal(stats.v.histogram, counts)
    assert 0 < counts[3].sum() < stats.samples  # some fall outside
    np.testing.assert_allclose(stats.v.edges / mV, np.linspace(-5, 5, 8))


def test_float32_keeps_a_small_variance():
    """A sum of squares would lose it: 1000 +- 0.01 in seven digits."""
    cells = snn.NeuronGroup(1, "x = 1000 + 0.01*sin(2*pi*t/(1*ms)) : 1")
    stats = snn.StatisticsMonitor(cells, "x")
    trace = snn.StateMonitor(cells, "x", record=0)
    snn.Network(cells, stats, trace).run(500 * ms)
    assert stats.x.variance[0] == pytest.approx(trace.x[0].var(), rel=1e-3)
    assert stats.x.variance[0] == pytest.approx(0.5e-4, rel=0.05)


def test_synapses_and_subgroups():
    net, _, _ = model()
    cells = net["cells"]
    synapses = snn.Synapses(cells, cells, "w : 1\nd = w + v_pre/mV : 1", on_pre="w += 1")
    later = snn.StatisticsMonitor(synapses, ["w", "d"])  # before there are synapses
    synapses.connect(i=[3, 2, 3], j=[0, 1, 2])
    part = snn.StatisticsMonitor(cells[2:], "w")
    weights = snn.StateMonitor(synapses, ["w", "d"], record=True)
    net.add(synapses, later, part, weights)
    net.run(10 * ms)
    np.testing.assert_allclose(later.w.mean, weights.w.mean(1), rtol=1e-5)
    np.testing.assert_allclose(later.d.variance, weights.d.var(1), rtol=1e-4)
    np.testing.assert_allclose(part.w.mean, net["trace"].w[2:].mean(1), rtol=1e-5)
    assert weights.w[0].max() > 0


def test_clear_store_and_the_pure_way():
    net, stats, _ = model()
    net.run(5 * ms)
    net.store()
    net.run(5 * ms)
    mean = stats.v.mean / mV
    net.restore()
    assert stats.samples == 50
    net.run(5 * ms)
    np.testing.assert_array_equal(stats.v.mean / mV, mean)
    stats.clear()
    with pytest.raises(NetworkError, match="seen nothing yet"):
        print(stats.v.mean)
    sim = net.compile()
    params, state = sim.init(0)
    offsets = np.stack([np.zeros(4), np.ones(4)])
    run = jax.vmap(lambda x: sim.run(sim.put(params, "cells.off_w", x), state, 70)[0]["stats"]["off_w_mean"])
    np.testing.assert_allclose(run(offsets), offsets)


def test_what_is_refused():
    cells = snn.NeuronGroup(1, "x : 1\ny : volt")
    for arguments, message in (
        ((cells, "z"), "no variable 'z'"),
        ((cells, "x", "median"), "no statistic 'median'"),
        ((3, "x"), "follows groups and synapses"),
    ):
        with pytest.raises(ArgumentError, match=message):
            snn.StatisticsMonitor(*arguments)
    for bins, message in (((0, 1), "number of bins"), ((1, 0, 3), "low < high"), ((0, 1, 0), "at least one bin")):
        with pytest.raises(ArgumentError, match=message):
            snn.StatisticsMonitor(cells, "x", histogram={"x": bins})
    with pytest.raises(ArgumentError, match="does not follow that"):
        print(snn.StatisticsMonitor(cells, "x", "mean").x.variance)
    with pytest.raises(AttributeError, match="no variable or attribute 'q'"):
        print(snn.StatisticsMonitor(cells, "x").q)


def test_derivative_is_that_of_the_recorded_mean():
    cells = snn.NeuronGroup(3, "dv/dt = (I - v)/(5*ms) : 1\nI : 1", threshold="v > 1", reset="v = 0", name="cells")
    cells.I = [0.5, 2, 3]
    stats = snn.StatisticsMonitor(cells, "v", name="stats")
    trace = snn.StateMonitor(cells, "v", record=True, name="trace")
    sim = snn.Network(cells, stats, trace).compile()
    params, state = sim.init(0)
    slopes = [
        jax.grad(lambda p, value=value: value(*sim.run(p, state, 20 * ms)).sum())(params)["cells"]["I"]
        for value in (lambda s, r: s["stats"]["v_mean"], lambda s, r: r["trace"]["v"].mean(0))
    ]
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-5)
    assert abs(slopes[0][2]) > 0.1
