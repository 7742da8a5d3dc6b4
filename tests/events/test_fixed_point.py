"""Sums in fixed point: as exact as they say, and the same bits in every order."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsnn.events import fixed_point


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1.0, 1e12])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_are_right_and_do_not_depend_on_the_order(scale, dtype, x64):
    random = np.random.default_rng(0)
    terms, places = 5000, 7
    index = random.integers(0, places, terms)
    amount = (scale * random.standard_normal(terms)).astype(dtype)
    most = np.bincount(index).max()
    sums = set()
    for order in (np.arange(terms), np.arange(terms)[::-1], random.permutation(terms)):
        total = fixed_point.add(jnp.zeros(places, dtype), jnp.asarray(index[order]), jnp.asarray(amount[order]), most)
        sums.add(np.asarray(total).tobytes())
    assert len(sums) == 1
    exact = [math.fsum(amount[index == place].astype(float)) for place in range(places)]
    # Each term is rounded by half a unit at most, and the sum to its type.
    unit = 2.0 ** (math.ceil(math.log2(np.abs(amount).max() * most)) - (30 if dtype == "float32" else 62))
    rounding = np.finfo(dtype).eps * np.abs(exact)
    assert np.all(np.abs(np.asarray(total, float) - exact) <= most * unit / 2 + rounding)


def test_additions_of_floats_would_depend_on_the_order():
    terms = jnp.asarray(np.random.default_rng(1).standard_normal(1000), jnp.float32)
    forward, backward = (jax.lax.scan(lambda s, x: (s + x, None), 0.0, t)[0] for t in (terms, terms[::-1]))
    assert forward != backward  # else the test above shows nothing


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_stays_at_its_place(bad):
    total = fixed_point.add(jnp.zeros(3), jnp.array([0, 1, 0]), jnp.array([1.0, bad, 2.0]), most=2)
    np.testing.assert_array_equal(total, [3.0, bad, 0.0])


def test_whole_numbers_and_nothing():
    assert fixed_point.add(jnp.arange(3), jnp.array([2, 2]), jnp.array([4.0, 5.0]), most=2).tolist() == [0, 1, 11]
    assert fixed_point.add(jnp.ones(2), jnp.array([0]), jnp.array([0.0]), most=1).tolist() == [1.0, 1.0]
