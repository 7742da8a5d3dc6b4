"""Numbers counted by element: the cipher against published vectors, the distributions, their independence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxsnn.random import CounterDraw, name_words, threefry

ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # the vectors of Random123 for threefry2x32 with 20 rounds
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers(key, counter, expected):
    got = threefry(tuple(map(jnp.uint32, key)), tuple(map(jnp.uint32, counter)))
    assert tuple(map(int, got)) == expected


def draws(seed, n, dtype=np.float32):
    return CounterDraw(name_words(jax.random.key(seed), "cells"), jnp.arange(n), np.dtype(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distributions(dtype, x64):
    draw = draws(1, 200_000, dtype)
    uniform, normal = np.asarray(draw.rand(0)), np.asarray(draw.randn(1))
    assert uniform.dtype == normal.dtype == dtype
    assert uniform.min() >= 0
    assert uniform.max() < 1
    # One fixed sample each: a wrong distribution of this size would give far smaller values.
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    assert stats.kstest(normal, "norm").pvalue > 1e-3


def test_neighbours_draws_and_keys_are_independent():
    n = 200_000
    first = np.asarray(draws(1, n).randn(0))
    others = [draws(1, n).randn(1), draws(2, n).randn(0), np.roll(first, 1), np.roll(first, 4)]
    for other in others:
        assert abs(np.corrcoef(first, np.asarray(other))[0, 1]) < 4 / np.sqrt(n)


def test_an_element_draws_the_same_in_any_company():
    key = name_words(jax.random.key(0), "cells")
    some = jnp.array([[7, 2], [0, 7]])
    for name in ("rand", "randn"):
        whole = getattr(draws(0, 10), name)(3)
        part = getattr(CounterDraw(key, some, np.dtype("float32"), first=1), name)(2)
        np.testing.assert_array_equal(part, whole[some])
