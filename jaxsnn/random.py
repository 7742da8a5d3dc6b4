"""Random numbers: keys of operations and steps, and numbers counted by element.

A key belongs to a run, folded with the operation's name and the step. So the numbers of an operation do not
depend on which other objects exist, a run cut in two equals one run, and CPU and GPU draw the same.

`CounterDraw` makes the numbers of single elements: a block cipher of (which draw, which element), so that it
does not matter which elements are computed, in which order, or on which device. The cipher is Threefry with
two words of 32 bits and 20 rounds (Salmon, Moraes, Dror & Shaw 2011, doi:10.1145/2063384.2063405), written in
plain integer operations that also compile inside a GPU kernel.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

__all__ = ["CounterDraw", "Draw", "name_words", "step_words", "threefry"]

Array = Any

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_SECOND = 1 << 31
"""Added to the number of a draw for the second block of bits that double precision needs."""


Words = tuple[Array, ...]


def name_words(key: Any, name: str) -> Words:
    """The key of an operation in a run, as two words of 32 bits."""
    data = jax.random.key_data(jax.random.fold_in(key, zlib.crc32(name.encode())))
    return data[..., 0], data[..., 1]


def step_words(words: Words, step: Any) -> Words:
    """The key of an operation in one step: `jax.random.fold_in`, written out so that a kernel can do it too.

    A third word is the step from which steps are counted.

    >>> one = step_words((jnp.uint32(1), jnp.uint32(2)), 5)
    >>> one == step_words((jnp.uint32(1), jnp.uint32(2), jnp.uint32(100)), 105)
    True
    """
    first, second, *origin = words
    step = jnp.asarray(step).astype(jnp.uint32)
    if origin:
        step = step - origin[0]
    return threefry((first, second), (jnp.zeros_like(step), step))


def threefry(key: Words, counter: Words) -> Words:
    """Threefry-2x32-20: two words of random bits for a key and a counter of two words each (uint32)."""
    k0, k1 = key
    # Arrays of one element type throughout: a GPU kernel takes no mixture of signs.
    schedule = (k0, k1, k0 ^ k1 ^ np.uint32(_PARITY))
    x0, x1 = counter[0] + k0, counter[1] + k1
    for block in range(5):
        for distance in _ROTATIONS[block % 2]:
            x0 = x0 + x1
            x1 = (x1 << np.uint32(distance)) | lax.shift_right_logical(x1, jnp.full_like(x1, 32 - distance))
            x1 = x0 ^ x1
        x0 = x0 + schedule[(block + 1) % 3]
        x1 = x1 + schedule[(block + 2) % 3] + np.uint32(block + 1)
    return x0, x1


@dataclass(frozen=True)
class CounterDraw:
    """Random draws of single elements, what the generated code calls ``_draw``.

    Attributes:
        key: Two words (see `step_words`) of the operation and step.
        element: Numbers of the elements, integers of any shape, which is that of the draws.
        dtype: float32 or float64.
        first: Added to the number of each draw.

    >>> words = name_words(jax.random.key(0), "cells")
    >>> draw = CounterDraw(words, jnp.arange(3), jnp.float32)
    >>> some = CounterDraw(words, jnp.array([2, 0]), jnp.float32)
    >>> bool((draw.rand(0)[jnp.array([2, 0])] == some.rand(0)).all())
    True
    """

    key: Words
    element: Array
    dtype: Any
    first: int = 0

    def _bits(self, number: int) -> tuple[Array, Array]:
        element = self.element.astype(jnp.uint32)
        return threefry(self.key, (jnp.full_like(element, self.first + number), element))

    def rand(self, number: int) -> Array:
        """Uniform in [0, 1): all 32 bits, rounded, in float32 (as fine near 0 as float32 is); 53 in float64."""
        high, low = self._bits(number)
        if jnp.dtype(self.dtype) == jnp.float32:
            return jnp.minimum(_single(high), jnp.float32(1 - 2**-24))
        return _double(high, low)

    def randn(self, number: int) -> Array:
        """Normal with mean 0 and variance 1, after Box & Muller (1958)."""
        high, low = self._bits(number)
        if jnp.dtype(self.dtype) == jnp.float32:
            # Half a unit more than the bits: never 0, whose logarithm is infinite.
            radius = _single(high) + jnp.float32(2**-33)
            angle = _single(low)
        else:
            radius = 1 - _double(high, low)
            angle = _double(*self._bits(number + _SECOND))
        return jnp.sqrt(-2 * jnp.log(radius)) * jnp.cos(angle * np.asarray(2 * np.pi, self.dtype))


def _single(bits: Array) -> Array:
    return bits.astype(jnp.float32) * jnp.float32(2**-32)


def _double(high: Array, low: Array) -> Array:
    upper = lax.shift_right_logical(high, jnp.full_like(high, 5)).astype(jnp.float64)
    lower = lax.shift_right_logical(low, jnp.full_like(low, 6)).astype(jnp.float64)
    return (upper * 2.0**26 + lower) * 2.0**-53


@dataclass(frozen=True)
class Draw(CounterDraw):
    """Draws of all elements at once: numbers that need a loop until one is accepted come from `jax.random`."""

    def _key(self, number: int) -> Array:
        words = jnp.stack(self.key)
        return jax.random.fold_in(jax.random.wrap_key_data(words, impl="threefry2x32"), self.first + number)

    def poisson(self, number: int, mean: Array) -> Array:
        mean = jax.lax.stop_gradient(mean)  # the rejection loop has no reverse mode, and counts no derivative
        return jax.random.poisson(self._key(number), mean, self.element.shape, jnp.int32)

    def binomial(self, number: int, n: Array, p: Array) -> Array:
        n, p = jax.lax.stop_gradient((n, p))
        key, shape, dtype = self._key(number), self.element.shape, self.dtype

        def general() -> Array:
            return jax.random.binomial(key, n, p, shape, dtype).astype(jnp.int32)

        if jnp.ndim(n) or jnp.ndim(p):
            return general()
        n, p = jnp.asarray(n, dtype), jnp.asarray(p, dtype)
        # One n and p for all elements, few successes: a table is ten times as fast as the rejection loops.
        return jax.lax.cond((n * p <= _FEW) & (p <= 0.5), lambda: _few_successes(key, n, p, shape, dtype), general)


_FEW = 10.0
_LONGEST = 48
"""The probability of more successes than this is below 1e-16 for a mean of `_FEW`."""


def _few_successes(key: Array, n: Array, p: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Binomial numbers by inversion: the number of k with u < P(X > k)."""
    k = jnp.arange(_LONGEST, dtype=dtype)
    ratios = jnp.maximum(n - k, 0) / (k + 1) * (p / (1 - p))
    first = jnp.exp(n * jnp.log1p(-p))
    masses = first * jnp.cumprod(ratios)  # P(X = 1), P(X = 2), ...
    tails = jnp.cumsum(masses[::-1])[::-1]  # summed from the small end: exact where u is finest, near 0
    bits = jax.random.bits(key, shape, jnp.uint32)
    # Half a unit keeps u above 0, where every k would count.
    u = bits.astype(dtype) * jnp.asarray(2.0**-32, dtype) + jnp.asarray(2.0**-33, dtype)
    found = jnp.zeros(shape, jnp.int32)
    for tail in tails:
        found = found + (u < tail)
    return found
