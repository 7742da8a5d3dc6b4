"""Comparison of trees: discrete values exactly, floating-point values to rounding."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

ROUNDING = {np.dtype("float32"): 2e-4, np.dtype("float64"): 1e-9}
"""Of the largest entry: room for a few hundred steps in another order of summation."""


def agree(one: Any, other: Any) -> None:
    """Two trees hold the same values."""
    leaves, tree = jax.tree_util.tree_flatten_with_path(one)
    others, other_tree = jax.tree_util.tree_flatten_with_path(other)
    assert tree == other_tree
    for (path, a), (_, b) in zip(leaves, others, strict=True):
        a, b = host(a), host(b)
        where = jax.tree_util.keystr(path)
        assert a.dtype == b.dtype, where
        assert a.shape == b.shape, where
        if a.dtype.kind == "f":
            room = ROUNDING[a.dtype] * np.max(np.abs(a), initial=1e-30)
            np.testing.assert_allclose(b, a, rtol=0, atol=room, err_msg=where)
        else:
            np.testing.assert_array_equal(b, a, err_msg=where)


def host(leaf: Any) -> np.ndarray:
    if hasattr(leaf, "dtype") and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def spikes_of(record: Any, label: str = "spikes") -> list[tuple[int, int]]:
    """(step, neuron) of all spikes of a run."""
    steps, index = record[label].events()
    return list(zip(steps.tolist(), index.tolist(), strict=True))
