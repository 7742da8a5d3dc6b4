"""Every function of the language has a lowering on both sides, with one value and a right derivative."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg

from jaxsnn import random
from jaxsnn.codegen import jax_runtime, numpy_runtime
from jaxsnn.equations.functions import FUNCTIONS

X = np.array([-3.7, -1.0, -0.3, -1e-3, 1e-8, 0.2, 0.5, 1.0, 2.5, 7.0])
POSITIVE = np.abs(X)
UNIT = X / 8
FLAGS = X > 0.3
POINTS = {
    **dict.fromkeys(("sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "exp", "expm1", "exprel"), (X,)),
    **dict.fromkeys(("abs", "sign", "floor", "ceil", "int"), (X,)),
    **dict.fromkeys(("arcsin", "arccos", "log1p"), (UNIT,)),
    **dict.fromkeys(("log", "log10", "sqrt"), (POSITIVE,)),
    "clip": (X, -1.5, 2.0),
    "minimum": (X, X[::-1].copy()),
    "maximum": (X, X[::-1].copy()),
    "where": (FLAGS, X, X[::-1].copy()),
    "timestep": (POSITIVE, 0.1),
    "exp_divided": (X, X[::-1].copy(), UNIT),
    "timed_array": (X, np.array([-3, 0, 4, 9, 12])),
    "timed_array_2d": (np.outer(X, X), np.array([-3, 0, 4, 9, 12]), np.array([0, 1, 2, 9, 3])),
}
RING = np.outer(np.arange(1.0, 6), X)
POINTS |= {
    "remember_row": (RING, X[::-1].copy(), np.array(7)),
    "tally_bins": (
        np.arange(40, dtype=np.int32).reshape(10, 4),
        np.array([-0.1, 0, 0.5, 1, 1.5, 2.5, 3.9, 4.0, 4.1, np.nan]),
    ),
    "look_back": (RING, np.array(7), np.linspace(0.1, 3.9, 10), np.arange(10)),
}
STEPWISE = {"tally_bins", "sign", "floor", "ceil", "int", "timestep"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_both_lowerings(name, x64):
    row = FUNCTIONS[name]
    if row.stateful:
        assert callable(getattr(numpy_runtime.NumpyDraw, name))
        assert callable(getattr(random.Draw, name))
        return
    arguments = POINTS[name]
    on_host, in_step = numpy_runtime.RUNTIME[name], jax_runtime.RUNTIME[name]
    host = np.asarray(on_host(*arguments))
    step = np.asarray(in_step(*(jnp.asarray(a) for a in arguments)))
    np.testing.assert_allclose(step, host, rtol=1e-12, atol=1e-300)
    kinds = {"f": "float", "i": "integer", "b": "boolean"}
    types = tuple(kinds[np.asarray(a).dtype.kind] for a in arguments)
    assert kinds[host.dtype.kind] == kinds[step.dtype.kind] == row.type(types)
    in_float32 = in_step(*(jnp.asarray(a, jnp.float32) if np.asarray(a).dtype.kind == "f" else a for a in arguments))
    assert in_float32.dtype in (np.float32, np.int32, np.bool_), "32 bits stay 32 bits"


@pytest.mark.parametrize("name", [n for n, row in FUNCTIONS.items() if not row.stateful])
def test_derivatives_equal_finite_differences(name, x64):
    function, arguments = jax_runtime.RUNTIME[name], POINTS[name]
    if name == "int":
        return  # whole numbers have no derivative
    for which, argument in enumerate(arguments):
        argument = np.asarray(argument)
        if argument.dtype.kind != "f" or argument.ndim != 1:
            continue

        def at(x, which=which):
            return jnp.sum(function(*arguments[:which], x, *arguments[which + 1 :]) * 1.0)

        slope = np.asarray(jax.grad(at)(jnp.asarray(argument)))
        if name in STEPWISE:
            np.testing.assert_array_equal(slope, 0)
            continue
        away = np.abs(argument) > 1e-4  # kinks of abs, and sqrt and log next to 0, are looked at below
        for k in np.flatnonzero(away):
            h = 1e-5 * abs(argument[k])
            up, down = argument.copy(), argument.copy()
            up[k] += h
            down[k] -= h
            central = float(at(up) - at(down)) / (2 * h)
            scale = abs(float(at(argument))) * 1e-16 / h  # rounding of the sum, divided by h
            assert slope[k] == pytest.approx(central, rel=1e-7, abs=1e-8 + 10 * scale), (name, which, argument[k])


def test_draws_have_the_moments_of_their_distribution():
    """Mean and variance within five standard errors, the same on both sides."""
    n = 40_000
    table = {
        "rand": ((), 1 / 2, 1 / 12),
        "randn": ((), 0, 1),
        "poisson": ((3.0,), 3, 3),
        "binomial": ((10, 0.3), 3, 2.1),
    }
    assert set(table) == {name for name, row in FUNCTIONS.items() if row.stateful}
    sides = (
        numpy_runtime.NumpyDraw(np.random.default_rng(0), (n,)),
        random.Draw(random.name_words(jax.random.key(0), "cells"), jnp.arange(n), np.dtype("float32")),
    )
    for draw in sides:
        for name, (arguments, mean, variance) in table.items():
            sample = np.asarray(getattr(draw, name)(0, *arguments), float)
            assert sample.shape == (n,)
            assert np.mean(sample) == pytest.approx(mean, abs=5 * math.sqrt(variance / n))
            # The variance of a sample variance is at most 2.4 variance**2/n for these four.
            assert np.var(sample) == pytest.approx(variance, abs=5 * math.sqrt(2.4 / n) * variance)
    jax_draw = sides[1]
    assert not np.array_equal(jax_draw.rand(0), jax_draw.rand(1))
    np.testing.assert_array_equal(jax_draw.rand(0), jax_draw.rand(0))


# ---- traps -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype, value_error, slope_error", [("float32", 5e-7, 3e-4), ("float64", 1e-15, 1e-11)])
def test_exprel_near_zero(dtype, value_error, slope_error, x64):
    for x in (0.0, 1e-12, -1e-8, 1e-6, 9e-6, 1.1e-5, -3e-5, 1e-4, -1e-3, 0.01, 0.05, -0.3, 2.0):
        x = float(np.dtype(dtype).type(x))
        with mpmath.workdps(50):
            exact = mpmath.mpf(1) if x == 0 else mpmath.expm1(x) / x
            slope = mpmath.mpf(1) / 2 if x == 0 else (mpmath.exp(z := mpmath.mpf(x)) * (z - 1) + 1) / z**2
        given = jnp.asarray(x, dtype)
        assert float(jax_runtime.exprel(given)) == pytest.approx(float(exact), rel=value_error)
        assert float(jax.grad(jax_runtime.exprel)(given)) == pytest.approx(float(slope), rel=slope_error), x
    assert float(jax_runtime.exprel(jnp.asarray(-1e4, dtype))) == pytest.approx(1e-4)
    assert np.isfinite(jax.grad(jax_runtime.exprel)(jnp.asarray(-1e4, dtype)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_derivatives_that_have_no_value_do_not_spoil_the_rest(dtype, x64):
    """sqrt(x) and x**0.5 at 0: the textbook derivative is infinite, and infinity times 0 is NaN."""
    zero = jnp.asarray(0.0, dtype)
    assert float(jax.grad(lambda x: jax_runtime.safe_sqrt(x))(zero)) == 0
    assert float(jax.grad(lambda x: 0 * jax_runtime.safe_sqrt(x))(zero)) == 0
    assert float(jax_runtime.safe_sqrt(zero)) == 0
    for y in (0.5, 1.0, 1.5, 2.0, 3.0):
        exponent = jnp.asarray(y, dtype)
        value, (dx, dy) = jax.value_and_grad(jax_runtime.power, argnums=(0, 1))(zero, exponent)
        assert (float(value), float(dx), float(dy)) == (0, 1.0 if y == 1 else 0, 0)


def test_powers(x64):
    x = np.array([-2.5, -1.0, 0.0, 0.3, 4.0])
    for y in (0, 1, 2, 3, -1, -2):
        with np.errstate(divide="ignore"):
            expected = x ** float(y)
        for exponent in (y, float(y), jnp.asarray(float(y))):
            np.testing.assert_allclose(jax_runtime.power(jnp.asarray(x), exponent), expected, rtol=1e-14)
        slopes = jax.vmap(jax.grad(lambda x, y=y: jax_runtime.power(x, jnp.asarray(float(y)))))(jnp.asarray(x[x != 0]))
        np.testing.assert_allclose(slopes, y * x[x != 0] ** (y - 1.0), rtol=1e-13)
    assert float(jax.grad(jax_runtime.power, argnums=1)(2.0, jnp.asarray(3.0))) == pytest.approx(8 * math.log(2))
    # Whole numbers stay whole with a literal exponent.
    assert jax_runtime.power(jnp.arange(4), 2).dtype.kind == "i"
    np.testing.assert_allclose(jax_runtime.power(jnp.array([1, 2, 4]), -1), [1, 0.5, 0.25])


def divided(points):
    """Divided difference of exp, with coinciding points apart by nothing: by the integral form of Hermite
    and Genocchi, as the matrix exponential of the bidiagonal matrix in 60 digits.
    """
    n = len(points)
    with mpmath.workdps(60):
        matrix = mpmath.matrix(n, n)
        for k, z in enumerate(points):
            matrix[k, k] = mpmath.mpf(z)
            if k + 1 < n:
                matrix[k, k + 1] = 1
        return float(mpmath.expm(matrix)[0, n - 1])


DIVIDED = [
    (0.0,),
    (-0.5, -0.5),
    (-0.5, -0.5000001),
    (-1e-3, -40.0),
    (-0.1, -0.1, -0.1),
    (-0.1, -0.10001, -3.0),
    (-30.0, -0.01, -0.01),
    (0.0, -1e-6, -2e-6, -5.0),
]


@pytest.mark.parametrize("points", DIVIDED)
def test_divided_differences_of_exp(points, x64):
    expected = divided(points)
    for dtype, tolerance in (("float64", 1e-12), ("float32", 2e-5)):
        given = [jnp.asarray(p, dtype) for p in points]
        rounded = expected if dtype == "float64" else divided([float(g) for g in given])
        assert float(jax_runtime.exp_divided(*given)) == pytest.approx(rounded, rel=tolerance)
    assert float(numpy_runtime.exp_divided(*points)) == pytest.approx(expected, rel=1e-12)
    # The derivative with respect to a point is the divided difference with that point twice.
    for k in range(len(points)):
        slope = jax.grad(lambda *z: jax_runtime.exp_divided(*z), argnums=k)(*points)
        assert float(slope) == pytest.approx(divided((*points, points[k])), rel=1e-8), k


@pytest.mark.parametrize("far", [-90.0, -200.0, -1e4, -1e6])
def test_divided_differences_far_apart_stay_finite_in_float32(far):
    for n in (2, 3, 4):
        points = [jnp.float32(far)] + [jnp.float32(-0.1 * k) for k in range(n - 1)]
        value = float(jax_runtime.exp_divided(*points))
        # About the divided difference of the near points, divided by their distance from the far one.
        near = divided([float(p) for p in points[1:]]) if n > 2 else 1.0
        assert np.isfinite(value)
        assert value == pytest.approx(near / abs(far), rel=0.2)
        slopes = jax.grad(lambda *z: jax_runtime.exp_divided(*z), argnums=tuple(range(n)))(*points)
        assert np.all(np.isfinite(slopes))


def augmented(matrix, dt):
    n = len(matrix)
    block = np.zeros((2 * n, 2 * n))
    block[:n, :n], block[:n, n:] = matrix, np.eye(n)
    full = scipy.linalg.expm(block * dt)
    return full[:n, :n], full[:n, n:]


MATRICES = {
    "decay": [[-50.0]],
    "chain": [[-100.0, 0.0], [1.0, -20.0]],
    "rotation": [[-3.0, 400.0], [-400.0, -3.0]],
    "cable": [[-50.0, 5e9, 5e9], [0.0, -200.0, 0.0], [0.0, 0.0, -100.0]],
    "back and forth": [[-50.0, 5e9], [-2e-8, -30.0]],
    "nothing": [[0.0, 0.0], [0.0, 0.0]],
    "nilpotent": [[0.0, 1e6, 0.0], [0.0, 0.0, 1e-6], [0.0, 0.0, 0.0]],
    "stiff": [[-1e5, 1e5], [10.0, -10.0]],
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-11)])
def test_propagators(name, dtype, tolerance, x64):
    """Against SciPy in 64 bits; entries in SI units differ by 18 powers of ten, errors count in scaled variables."""
    matrix, dt = np.array(MATRICES[name]), 1e-4
    given = [[jnp.asarray(entry, dtype) for entry in row] for row in matrix]
    full, integral = (np.asarray(x, float) for x in jax_runtime.propagator(given, jnp.asarray(dt, dtype)))
    full_exact, integral_exact = augmented(matrix, dt)
    off = np.abs(matrix - np.diag(np.diag(matrix)))
    scale = np.ones(len(matrix))
    for k in range(1, len(matrix)):
        if off[0, k]:
            scale[k] = math.sqrt(off[k, 0] / off[0, k]) if off[k, 0] else 1 / off[0, k]
    in_scale = scale[None, :] / scale[:, None]
    for got, exact, size in ((full, full_exact, 1), (integral, integral_exact, dt)):
        assert np.max(np.abs(got - exact) * in_scale) <= tolerance * max(size, np.max(np.abs(exact) * in_scale))


@pytest.mark.slow
def test_the_propagator_of_many_neurons_has_derivatives(x64):
    tau = jnp.array([5e-3, 10e-3, 20e-3])

    def v(tau):
        full, integral = jax_runtime.propagator(((-1 / tau, 1 / tau), (jnp.zeros(()), jnp.asarray(-150.0))), 1e-4)
        new = jax_runtime.propagate((full, integral), (jnp.ones(3), jnp.full(3, 2.0)), (jnp.zeros(3), jnp.zeros(3)))
        return new[0]

    # v' = (g - v)/tau, g' = -150 g, in closed form.
    a, b, g, dt = 1 / np.asarray(tau), 150.0, 2.0, 1e-4
    expected = np.exp(-a * dt) + g * a / (a - b) * (np.exp(-b * dt) - np.exp(-a * dt))
    np.testing.assert_allclose(v(tau), expected, rtol=1e-12)
    slope = np.diag(jax.jacrev(v)(tau))
    h = 1e-8
    central = np.asarray(v(tau + h) - v(tau - h)) / (2 * h)
    np.testing.assert_allclose(slope, central, rtol=1e-6)
