"""Which neurons synapses connect, where a few numbers say it all: everyone with everyone, or one with one.

Values of synapses are one long array in any case. Where they are a matrix in disguise, code for all of them reads
neurons by broadcasting along its axes, and sums are sums over an axis: nothing is gathered and nothing scattered, which
for 65,536 synapses costs more than all arithmetic. A pattern is fixed when a run is compiled (it is part of the
structure of a tree, not a leaf), so it takes part in `jax.jit`, `jax.vmap` and `jax.grad` without being traced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["AllToAll", "OneToOne", "Pattern", "find"]

Array = Any


class Pattern(Protocol):
    """How the synapses of an object are connected; ``via`` is the end, ``"pre"`` or ``"post"``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that values of the synapses take; in row-major order it is theirs."""

    def read(self, whole: Array, via: str) -> Array:
        """Values of neurons, in a shape that broadcasts to that of the synapses."""

    def number(self, numbers: Array, via: str) -> Array:
        """Numbers of the neurons at an end, given for each synapse, likewise."""

    def total(self, values: Array, via: str, size: int) -> Array:
        """For each of ``size`` neurons at an end the sum over its synapses."""


@jax.tree_util.register_static
@dataclass(frozen=True)
class AllToAll:
    """Every neuron of a range with every one of another, ordered by source, then target.

    Attributes:
        pre, post: First place in the arrays of the groups.
        rows, columns: How many neurons follow.

    >>> pattern = AllToAll(pre=0, rows=2, post=1, columns=3)
    >>> pattern.read(jnp.array([1.0, 2.0]), "pre").shape
    (2, 1)
    >>> pattern.total(jnp.ones((2, 3)), "post", 5)
    Array([0., 2., 2., 2., 0.], dtype=float32)
    """

    pre: int
    rows: int
    post: int
    columns: int

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rows, self.columns

    def read(self, whole: Array, via: str) -> Array:
        if via == "pre":
            return whole[self.pre : self.pre + self.rows, None]
        return whole[None, self.post : self.post + self.columns]

    def number(self, numbers: Array, via: str) -> Array:
        matrix = numbers.reshape(self.shape)
        return matrix[:, :1] if via == "pre" else matrix[:1]

    def total(self, values: Array, via: str, size: int) -> Array:
        sums = jnp.sum(jnp.broadcast_to(values, self.shape), axis=1 if via == "pre" else 0)
        return _placed(sums, self.pre if via == "pre" else self.post, size)


@jax.tree_util.register_static
@dataclass(frozen=True)
class OneToOne:
    """Neurons of a range, each with the one of another range that has the same place in it.

    >>> OneToOne(pre=1, post=0, size=2).read(jnp.array([1.0, 2.0, 3.0]), "pre")
    Array([2., 3.], dtype=float32)
    """

    pre: int
    post: int
    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size,)

    def read(self, whole: Array, via: str) -> Array:
        first = self.pre if via == "pre" else self.post
        return whole[first : first + self.size]

    def number(self, numbers: Array, via: str) -> Array:
        return numbers

    def total(self, values: Array, via: str, size: int) -> Array:
        return _placed(jnp.broadcast_to(values, self.shape), self.pre if via == "pre" else self.post, size)


def _placed(values: Array, first: int, size: int) -> Array:
    """Values from a place on in an array of zeros."""
    return jnp.pad(values, (first, size - first - values.shape[0]))


def find(pre: np.ndarray, post: np.ndarray) -> Pattern | None:
    """The pattern of synapses from neurons ``pre`` to neurons ``post``, places in the arrays of their groups.

    >>> find(np.array([0, 0, 1, 1]), np.array([2, 3, 2, 3]))
    AllToAll(pre=0, rows=2, post=2, columns=2)
    >>> find(np.array([0, 1]), np.array([1, 0])) is None
    True
    """
    if not pre.size:
        return None
    first, other, n = int(pre[0]), int(post[0]), int(pre.size)
    rows, columns = int(pre[-1]) - first + 1, int(post[-1]) - other + 1
    if rows == columns == n and _same(pre, np.arange(first, first + n)) and _same(post, np.arange(other, other + n)):
        return OneToOne(first, other, n)
    if rows < 1 or columns < 1 or rows * columns != n:
        return None
    matrix = pre.reshape(rows, columns), post.reshape(rows, columns)
    if _same(matrix[0], np.arange(first, first + rows)[:, None]) and _same(
        matrix[1], np.arange(other, other + columns)[None, :]
    ):
        return AllToAll(first, rows, other, columns)
    return None


def _same(found: np.ndarray, expected: np.ndarray) -> bool:
    return bool((found == expected).all())
