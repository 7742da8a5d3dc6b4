"""Random models: gradients are finite, are those of finite differences, and none is silently 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gradient.check import moving, scaled
from gradient.random_models import model

import jaxsnn as snn

TOGETHER = 5
"""Models in one network: compiling is what takes the time."""
NETWORKS = 40


def compiled(seed, **given):
    rng = np.random.default_rng(seed)
    return snn.Network(*(model(rng) for _ in range(TOGETHER)), dtype="float64").compile(**given)


def losses(sim, params, state, steps):
    """A number for each model that depends on all that is recorded of it."""
    after, record = sim.run(params, state, steps, float_spikes=True)
    found = []
    for k, x in enumerate(moving((after.values, record))):
        pattern = np.cos(0.7 * np.arange(x.size) + k).reshape(x.shape)
        found.append(jnp.sum(pattern * x))
    return sum(found)


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, NETWORKS))])
def test_gradients_of_random_models(seed, x64):
    sim = compiled(seed, relaxed=True)
    params, state = sim.init(seed)
    both = jax.jit(jax.value_and_grad(lambda p: losses(sim, p, state, 30)))
    _, gradient = both(params)
    for owner, values in gradient.items():
        for name, slope in values.items():
            assert np.isfinite(slope).all(), f"{owner}.{name}"
            if name in ("th", "tau", "I"):
                assert np.all(slope != 0), f"{owner}.{name}"

    def moved(by):
        return scaled(params, np.random.default_rng(seed), by)

    direction = jax.jvp(moved, (0.0,), (1.0,))[1]
    slope = sum(float(jnp.vdot(g, d)) for g, d in zip(moving(gradient), moving(direction), strict=True))
    central = [float(both(moved(h))[0] - both(moved(-h))[0]) / (2 * h) for h in (1e-5, 1e-6, 1e-7)]
    assert min(abs(slope - c) / abs(c) for c in central) < 1e-5, (slope, central)


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, NETWORKS))])
def test_surrogate_gradients_of_random_models_are_finite(seed):
    rng = np.random.default_rng(seed)
    sim = snn.Network(*(model(rng) for _ in range(TOGETHER))).compile()
    params, state = sim.init(seed)
    gradient = jax.jit(jax.grad(lambda p: losses(sim, p, state, 30)))(params)
    for owner, values in gradient.items():
        for name, slope in values.items():
            assert np.isfinite(slope).all(), f"{owner}.{name}"
            if name in ("th", "tau", "I"):
                assert np.all(slope != 0), f"{owner}.{name}"
