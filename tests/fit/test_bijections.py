"""Bijections: inverse to each other, increasing, onto their range; and vectors of parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsnn import Network, NeuronGroup, Synapses
from jaxsnn.errors import ArgumentError, DimensionError
from jaxsnn.fit import BIJECTIONS, Affine, Identity, Log, LogSigmoid, Sigmoid, Softplus, Trainable
from jaxsnn.fit.parameters import Space
from jaxsnn.units import Quantity, metre, ms, mV, second, volt

EXAMPLES = {
    "Identity": Identity(),
    "Affine": Affine(-0.07, 0.005),
    "Log": Log(1e-9),
    "Softplus": Softplus(2.0, 0.5),
    "Sigmoid": Sigmoid(5e-3, 50e-3),
    "LogSigmoid": LogSigmoid(1e-3, 1.0),
}


def test_the_table_is_complete():
    assert EXAMPLES.keys() == BIJECTIONS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_inverse(name, x64):
    bijection = EXAMPLES[name]
    z = jnp.linspace(-5, 5, 41)
    np.testing.assert_allclose(bijection.inverse(bijection.forward(z)), z, atol=1e-9)


@pytest.mark.parametrize("name", EXAMPLES)
def test_increasing_onto_its_range(name, x64):
    bijection = EXAMPLES[name]
    low, high = bijection.range()
    x = np.asarray(bijection.forward(jnp.linspace(-12, 12, 97)))
    assert np.all(np.diff(x) > 0)
    assert np.all(x > low)
    assert np.all(x < high)
    # Whatever lies in the range has a number: the map is onto.
    inner = np.clip(np.array([low, high]), -10.0, 10.0)
    chosen = inner[0] + np.array([0.01, 0.5, 0.99]) * (inner[1] - inner[0])
    assert np.all(np.isfinite(bijection.inverse(jnp.asarray(chosen))))


@pytest.mark.parametrize("name", EXAMPLES)
def test_slope_is_that_of_differences(name, x64):
    bijection = EXAMPLES[name]
    for z in (-2.0, 0.3, 4.0):
        difference = (bijection.forward(z + 1e-5) - bijection.forward(z - 1e-5)) / 2e-5
        assert float(jax.grad(bijection.forward)(z)) == pytest.approx(float(difference), rel=1e-7)


@pytest.mark.parametrize("name", EXAMPLES)
def test_samples_are_in_range(name):
    low, high = EXAMPLES[name].range()
    x = np.asarray(EXAMPLES[name].sample(np.array([1e-6, 0.3, 0.999999]), np.array([1.0, 1.0, 1.0])))
    assert np.all((x > low) & (x < high))


def test_closed_forms():
    assert float(Sigmoid(1.0, 3.0).forward(np.log(3.0))) == pytest.approx(2.5)
    assert float(LogSigmoid(1.0, 16.0).forward(np.log(3.0))) == pytest.approx(8.0)
    assert float(Softplus(1.0, 2.0).forward(0.0)) == pytest.approx(1 + 2 * np.log(2))
    assert float(Log(5.0).forward(np.log(2.0))) == pytest.approx(10.0)
    assert float(Affine(5.0, 2.0).forward(-3.0)) == -1.0


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Sigmoid(2 * ms, 1 * ms), "below the upper"),
        (lambda: LogSigmoid(0 * ms, 1 * ms), "lower needs to be positive"),
        (lambda: Log(-1.0), "scale needs to be positive"),
        (lambda: Softplus(0.0, 0.0), "scale needs to be positive"),
        (lambda: Affine(0.0, -1.0), "scale needs to be positive"),
    ],
)
def test_impossible_bounds(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


# ---- vectors of parameters ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    cells = NeuronGroup(
        4,
        "dv/dt = (E - v)/tau : volt\nE : volt\nk : integer",
        threshold="v > 1*volt",
        reset="v = 0*volt",
        method="exact",
        namespace={"tau": 10 * ms},
        name="cells",
    )
    cells.v = [1, 2, 3, 4] * mV
    cells.E = [10, 20, 30, 40] * mV
    wires = Synapses(cells, cells, "w : volt", on_pre="v_post += w", name="wires")
    wires.connect(i=[0, 1], j=[1, 2])
    wires.w = 1 * mV
    sim = Network(cells, wires).compile(dt=0.1 * ms, execution="masked")
    return sim, *sim.init(0)


def test_values_go_where_they_belong(network):
    sim, params, state = network
    wanted = {
        "cells.tau": (1 * ms, 100 * ms),
        "cells.E": Trainable(Affine(0 * mV, 10 * mV), mask=[1, 3]),
        "cells.v": Trainable((0 * mV, 10 * mV), shared=True),
        "wires.w": Softplus(0 * mV, 1 * mV),
    }
    space = Space(sim, params, state, wanted)
    assert space.labels == ["cells.tau", "cells.E[1]", "cells.E[3]", "cells.v", "wires.w[0]", "wires.w[1]"]
    np.testing.assert_allclose(space.present(), [0.01, 0.02, 0.04, 0.0025, 1e-3, 1e-3], rtol=1e-6)
    x = np.array([0.05, -0.011, 0.013, 0.007, 2e-3, 3e-3])
    p, s = space.trees(space.numbers(jnp.asarray(x, jnp.float32)))
    assert float(p["cells"]["tau"]) == pytest.approx(0.05, rel=1e-5)
    np.testing.assert_allclose(p["cells"]["E"], [0.01, -0.011, 0.03, 0.013], rtol=1e-5)
    np.testing.assert_allclose(s["cells"]["v"], [0.007] * 4, rtol=1e-5)
    np.testing.assert_allclose(p["wires"]["w"], [2e-3, 3e-3], rtol=1e-5)
    np.testing.assert_allclose(params["cells"]["E"], [0.01, 0.02, 0.03, 0.04], rtol=1e-6)  # untouched
    shown = space.shown(x)
    assert shown["cells.tau"] == Quantity(0.05, second.dim)
    assert shown["cells.E"].dim == volt.dim
    assert shown["cells.E"].shape == (2,)


def test_a_boolean_mask_is_the_same_as_numbers(network):
    given = [
        Space(*network, {"cells.E": Trainable((0 * mV, 50 * mV), mask=mask)}).labels
        for mask in ([1, 3], np.array([False, True, False, True]))
    ]
    assert given[0] == given[1] == ["cells.E[1]", "cells.E[3]"]


def test_starts_are_a_latin_hypercube(network):
    space = Space(*network, {"cells.tau": (10 * ms, 50 * ms), "cells.E": Trainable((0 * mV, 80 * mV), shared=True)})
    z = space.begin(8, np.random.default_rng(3))
    x = np.asarray(space.values(z))
    for column, (low, high) in zip(x.T, [(0.01, 0.05), (0.0, 0.08)], strict=True):
        # One start in each eighth of the range.
        assert sorted(((column - low) / (high - low) * 8).astype(int)) == list(range(8))


@pytest.mark.parametrize(
    "wanted, error, message",
    [
        ({"cells.tua": (1 * ms, 2 * ms)}, ArgumentError, "Did you mean 'cells.tau'"),
        ({"cells.k": (1, 2)}, ArgumentError, "whole number"),
        ({"cells.tau": (1 * metre, 2 * metre)}, DimensionError, "needs second"),
        ({"cells.tau": 5 * ms}, ArgumentError, "a pair"),
        ({"cells.tau": (1 * ms, 2 * ms, 3 * ms)}, ArgumentError, "a pair"),
        ({"cells.E": Trainable((0 * mV, 1 * mV), mask=[7])}, ArgumentError, "0 to 3"),
        ({"cells.E": Trainable((0 * mV, 1 * mV), mask=[True, False])}, ArgumentError, "shape"),
        ({}, ArgumentError, "nothing is to be fitted"),
    ],
)
def test_what_cannot_be_fitted(network, wanted, error, message):
    with pytest.raises(error, match=message):
        Space(*network, wanted)


def test_a_start_outside_the_bounds_is_refused_and_one_on_a_bound_is_moved_inside(network):
    space = Space(*network, {"cells.tau": (20 * ms, 50 * ms)})
    with pytest.raises(ArgumentError, match=r"cells\.tau begins at"):
        space.begin(1, np.random.default_rng(0))
    z = space.begin({"cells.tau": [20, 50, 30] * ms}, np.random.default_rng(0))
    np.testing.assert_allclose(np.asarray(space.values(z))[:, 0], [0.02003, 0.04997, 0.03], rtol=1e-4)
