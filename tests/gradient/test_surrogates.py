"""Each surrogate is a step of height 1 with slope 1 at the threshold, and its derivative is that of its primitive."""

import re
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.surrogate import SURROGATES, SuperSpike, Surrogate, Triangular
from jaxsnn.units import ms, mV


@pytest.mark.parametrize("name", SURROGATES)
def test_a_surrogate_is_a_smooth_step(name, x64):
    s = SURROGATES[name]()
    x = np.linspace(-3, 3, 601) + 0.0021  # beside the corners
    h = 1e-6
    central = (s.primitive(x + h) - s.primitive(x - h)) / (2 * h)
    np.testing.assert_allclose(s.derivative(x), central, rtol=1e-6, atol=1e-9)
    assert float(s.derivative(0.0)) == pytest.approx(1)
    assert float(s.primitive(0.0)) == pytest.approx(0.5)
    np.testing.assert_allclose(s.primitive(np.array([-1e9, 1e9])), [0, 1], atol=1e-8)
    np.testing.assert_allclose(s.primitive(-x), 1 - s.primitive(x), atol=1e-12)
    extremes = jnp.array([-1e30, -100, 0, 100, 1e30], jnp.float32)
    assert np.isfinite(s.derivative(extremes)).all()
    assert np.isfinite(s.primitive(extremes)).all()
    assert "doi:10." in s.source


def test_a_surrogate_of_ones_own(x64):
    @dataclass(frozen=True)
    class Tanh(Surrogate):
        def primitive(self, x):
            return (1 + jnp.tanh(2 * x)) / 2

    np.testing.assert_allclose(Tanh().derivative(0.3), 1 / np.cosh(0.6) ** 2, rtol=1e-12)
    with pytest.raises(NotImplementedError, match="Surrogate needs a method primitive"):
        Surrogate().primitive(0.0)


def group(**given):
    given = {"threshold": "v > 10*mV", "reset": "v = 0*mV", **given}
    return snn.NeuronGroup(2, "dv/dt = -v/(10*ms) : volt", method="exact", name="cells", **given)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"surrogate": "superspike"}, r"surrogate=SuperSpike\(width=1\*mV\)"),
        ({"surrogate": {"cell": SuperSpike()}}, r"no object 'cell' with a threshold.*cells"),
        ({"relaxed": True, "detach_reset": True}, "leave out detach_reset"),
        ({"memory_limit": 0}, "memory_limit is a number of bytes above 0"),
        ({"truncate": 0}, "truncate is a number of steps of at least 1"),
    ],
)
def test_arguments_that_make_no_sense(given, message):
    with pytest.raises(snn.errors.ArgumentError, match=message):
        snn.Network(group()).compile(**given)


@pytest.mark.parametrize("width", [0 * mV, -1 * mV, [1, 2] * mV, (1 * mV, 0)])
def test_widths_that_make_no_sense(width):
    with pytest.raises(snn.errors.ArgumentError, match=r"width.*positive number with the unit.*width=1\*mV"):
        SuperSpike(width=width)
    with pytest.raises(snn.errors.ArgumentError, match="scale"):
        Triangular(scale=float("nan"))


def slope(v, threshold="v > 10*mV", **given):
    """d(spikes of the first step)/dv, for a cell at this voltage."""
    kept = {k: given.pop(k) for k in ("surrogate", "relaxed") if k in given}
    cell = snn.NeuronGroup(1, "v : volt\nu : 1\nw : siemens", threshold=threshold, name="cell", **given)
    net = snn.Network(cell, snn.SpikeMonitor(cell, name="spikes"), dtype="float64")
    sim = net.compile(**kept)
    params, state = sim.init(0)
    start = {**state["cell"], **params["cell"]}
    values = {"v": v, **{name: float(start[name][0]) for name in ("u", "w")}}

    def count(v):
        where = params if "v" in params["cell"] else state
        changed = sim.put(where, "cell.v", v)
        trees = (changed, state) if where is params else (params, changed)
        return sim.run(*trees, 1, float_spikes=True)[1]["spikes"].counts()[0]

    return float(count(values["v"])), float(jax.grad(count)(values["v"]))


def test_the_width_is_the_distance_from_the_threshold_to_the_reset(x64):
    # at the threshold the slope is 1/width
    assert slope(10.0e-3 + 1e-12, reset="v = -5*mV") == pytest.approx((1, 1 / 15e-3), rel=1e-6)
    assert slope(10.0e-3 + 1e-12, reset="v -= 4*mV") == pytest.approx((1, 1 / 4e-3), rel=1e-6)
    # onto the threshold, or by something else: 10 mV
    assert slope(10.0e-3 - 1e-12, reset="v = 10*mV") == pytest.approx((0, 1 / 10e-3), rel=1e-6)
    assert slope(10.0e-3 - 1e-12, reset="u = 1") == pytest.approx((0, 1 / 10e-3), rel=1e-6)


def test_the_width_given_counts_and_so_does_the_scale(x64):
    # one width above: 1/(1 + 2)^2 of the peak
    given = SuperSpike(width=2 * mV, scale=0.5)
    assert slope(12e-3, reset="v = 0*mV", surrogate=given) == pytest.approx((1, 0.5 / 9 / 2e-3), rel=1e-6)
    assert slope(12e-3, reset="v = 0*mV", surrogate={"cell": given})[1] == pytest.approx(0.5 / 9 / 2e-3, rel=1e-6)
    assert slope(12e-3, reset="v = 0*mV", surrogate=given, relaxed=True) == pytest.approx((0.5 + 1 / 3, 1 / 9 / 2e-3))
    assert slope(14e-3, reset="v = 0*mV", surrogate=Triangular(width=2 * mV))[1] == 0


def test_compound_thresholds(x64):
    wide = SuperSpike(width=(1 * mV, 1))
    peak = 1 / 1e-3
    reset = {"reset": "v = 0*mV"}
    # the comparison that decides has the derivative: v is one width above, u three below its limit
    assert slope(11e-3, "v > 10*mV and u < 3", surrogate=wide, **reset) == pytest.approx((1, peak / 9), rel=1e-6)
    # here u decides: it is 0.5 below, v two widths above
    assert slope(12e-3, "v > 10*mV and u < 0.5", surrogate=wide, **reset)[1] == 0
    assert slope(9e-3, "v > 10*mV or u > 0.5", surrogate=wide, **reset)[1] == 0
    assert slope(9e-3, "v > 10*mV or u > 1.5", surrogate=wide, **reset)[1] == pytest.approx(peak / 9)
    assert slope(11e-3, "not (v <= 10*mV)", surrogate=wide, **reset)[1] == pytest.approx(peak / 9)
    assert slope(9e-3, "not (v < 10*mV)", surrogate=wide, **reset) == pytest.approx((0, peak / 9))
    # gates: closed, there is no derivative; open, all of it
    assert slope(11e-3, "v > 10*mV and t > 5*ms", surrogate=wide, **reset)[1] == pytest.approx(0, abs=1e-9)
    assert slope(11e-3, "v > 10*mV and t >= 0*ms", surrogate=wide, **reset)[1] == pytest.approx(peak / 9)
    assert slope(11e-3, "v > 10*mV and i == 0", surrogate=wide, **reset)[1] == pytest.approx(peak / 9)


def test_a_unit_without_a_usual_scale():
    cell = snn.NeuronGroup(1, "x : volt**2", threshold="x > 4*mV**2", name="cell", reset="")
    sim = snn.Network(cell, snn.SpikeMonitor(cell, name="spikes")).compile()
    params, state = sim.init(0)
    with pytest.raises(snn.errors.NotSupportedError, match=r"(?s)'cell': SuperSpike\(width=.*x > 4\*mV\*\*2.*\^\^"):
        jax.grad(lambda p: sim.run(p, state, 1 * ms, float_spikes=True)[1]["spikes"].counts()[0])(params)


def test_the_table_of_the_documentation_is_complete():
    page = (Path(__file__).parents[2] / "docs" / "gradients.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == {surrogate.__name__ for surrogate in SURROGATES.values()}
    for surrogate in SURROGATES.values():
        assert surrogate.source.split("doi:")[1] in page
