"""Methods on functions whose minima are known, without any simulation."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxsnn.fit import CMAES, LBFGS, DifferentialEvolution, Gradient, LevenbergMarquardt


def problem_of(residuals):
    """What a method needs of a problem."""

    def loss(z):
        return (residuals(z) ** 2).sum()

    return SimpleNamespace(
        loss=loss,
        value_and_grad=jax.value_and_grad(loss),
        differentiable=lambda: loss,
        jacobian=lambda z: (residuals(z), jax.jacfwd(residuals)(z)),
    )


def best_of(method, problem, z, seed=0):
    """The best point of all steps, in one scan, and its loss."""

    def step(state, key):
        state, info = method.step(problem, state, key)
        return state, (info.z, info.loss)

    keys = jax.random.split(jax.random.key(seed), method.steps)
    points, losses = jax.jit(lambda z: jax.lax.scan(step, method.init(problem, z), keys)[1])(z)
    return points[jnp.argmin(losses)], float(losses.min())


def rosenbrock(z):
    """H. H. Rosenbrock (1960), doi:10.1093/comjnl/3.3.175: a bent valley with its minimum 0 at (1, ..., 1)."""
    return jnp.concatenate([10 * (z[1:] - z[:-1] ** 2), 1 - z[:-1]])


def rastrigin(z):
    """z² + 10 (1 - cos(2 pi z)), a minimum near every whole number, the lowest at 0."""
    return jnp.sqrt(z**2 + 10 * (1 - jnp.cos(2 * jnp.pi * z)) + 1e-12)


@pytest.mark.parametrize(
    "method",
    [
        CMAES(steps=200),
        LBFGS(steps=120),
        LevenbergMarquardt(steps=60),
        Gradient(optax.lbfgs(), steps=40),
        DifferentialEvolution(steps=200),
    ],
    ids=lambda method: method.name,
)
def test_the_bent_valley(method):
    found, _ = best_of(method, problem_of(rosenbrock), jnp.array([-1.2, 1.0]))
    np.testing.assert_allclose(found, [1, 1], atol=0.02)


@pytest.mark.parametrize(
    "method", [CMAES(steps=80, population=60, spread=3.0), DifferentialEvolution(steps=150, spread=3.0)]
)
def test_searches_cross_hills_that_gradients_do_not(method):
    problem = problem_of(rastrigin)
    start = jnp.array([3.1, -2.1])
    # One search may end in a hollow beside the lowest; of three, the best counts, as in a fit with several starts.
    found, _ = min((best_of(method, problem, start, seed) for seed in range(3)), key=lambda pair: pair[1])
    np.testing.assert_allclose(found, np.zeros(2), atol=0.02)
    nearby, _ = best_of(LBFGS(steps=60, longest=0.1), problem, start)
    # The minimum of the hollow it began in: 2 z + 20 pi sin(2 pi z) = 0, near 3 and -2.
    np.testing.assert_allclose(nearby, [2.985, -1.990], atol=0.01)


def test_cma_es_learns_the_scales():
    """An ellipsoid of axes 1 to 1000, turned by 45 degrees."""
    turn = jnp.array([[1.0, 1.0], [-1.0, 1.0]]) / jnp.sqrt(2.0)
    problem = problem_of(lambda z: jnp.array([1.0, 1000.0]) * (turn @ (z - jnp.array([2.0, 3.0]))))
    found, _ = best_of(CMAES(steps=150), problem, jnp.zeros(2))
    np.testing.assert_allclose(found, [2, 3], atol=1e-3)


def test_levenberg_marquardt_solves_a_linear_problem_as_lstsq_does():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(20, 3)), random.normal(size=20)
    problem = problem_of(lambda z: jnp.asarray(a, jnp.float32) @ z - jnp.asarray(b, jnp.float32))
    found, _ = best_of(LevenbergMarquardt(steps=20), problem, jnp.zeros(3))
    np.testing.assert_allclose(found, np.linalg.lstsq(a, b, rcond=None)[0], atol=1e-4)
