"""The functions of the language in NumPy: what strings on the host are evaluated with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["RUNTIME", "NumpyDraw"]

Array = Any


def exprel(x: Array) -> Array:
    """(exp(x) - 1)/x, 1 at 0."""
    x = np.asarray(x, dtype=float)
    small = np.abs(x) < 1e-16
    safe = np.where(small, 1.0, x)
    with np.errstate(over="ignore"):
        return np.where(small, 1.0, np.expm1(safe) / safe)


def timestep(t: Array, dt: Array) -> Array:
    """Whole number of steps in a time, with a margin of a thousandth of a step."""
    return np.trunc((np.asarray(t) + 1e-3 * dt) / dt).astype(np.int64)


def to_int(x: Array) -> Array:
    """Truncation towards zero; True becomes 1."""
    return np.trunc(x).astype(np.int64) if np.asarray(x).dtype.kind == "f" else np.asarray(x).astype(np.int64)


def power(x: Array, y: Array) -> Array:
    """X ** y; integer bases with negative exponents give fractions as true division does."""
    if np.asarray(x).dtype.kind in "iub" and np.asarray(y).dtype.kind in "iu" and np.any(np.asarray(y) < 0):
        return np.asarray(x, dtype=float) ** y
    return x**y


def exp_divided(*z: Array) -> Array:
    """Divided difference of exp at the given points (which may coincide)."""
    points = np.broadcast_arrays(*(np.asarray(p, dtype=float) for p in z))
    n = len(points)
    if n == 1:
        return np.exp(points[0])
    matrix = np.zeros((*points[0].shape, n, n))
    for k, point in enumerate(points):
        matrix[..., k, k] = point
        if k + 1 < n:
            matrix[..., k, k + 1] = 1.0
    # Scaling and squaring of the bidiagonal matrix (Opitz); 20 terms reach double precision below norm 1.
    norm = np.max(np.abs(matrix).sum(-1))
    squarings = max(0, int(np.ceil(np.log2(max(norm, 1e-300)))) + 1)
    scaled = matrix / 2.0**squarings
    total = np.broadcast_to(np.eye(n), scaled.shape).copy()
    term = total.copy()
    for k in range(1, 20):
        term = term @ scaled / k
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total[..., 0, n - 1]


def timed_array(values: Array, index: Array) -> Array:
    """The value at an index; beyond either end the value at that end."""
    return np.asarray(values)[np.clip(index, 0, len(values) - 1)]


def timed_array_2d(values: Array, index: Array, i: Array) -> Array:
    """The value at an index in column i; NaN in a column that does not exist."""
    values, column = np.asarray(values), np.asarray(i).astype(np.int64)
    valid = (column >= 0) & (column < values.shape[1])
    return np.where(valid, values[np.clip(index, 0, len(values) - 1), np.where(valid, column, 0)], np.nan)


def remember_row(ring: Array, values: Array, now: Array) -> Array:
    """The ring with the values of step ``now``; its rows are steps."""
    ring = np.array(ring)
    ring[now % len(ring)] = values
    return ring


def look_back(ring: Array, now: Array, back: Array, i: Array) -> Array:
    """Column i of a ring, ``back`` steps before ``now``: linear between steps; NaN for what it does not hold."""
    length = len(ring)
    known = (back >= 0) & (back <= length - 1)
    whole = np.clip(np.floor(back), 0, max(length - 2, 0)).astype(np.int64)
    later, earlier = ring[(now - whole) % length, i], ring[(now - whole - 1) % length, i]
    return np.where(known, later + (back - whole) * (earlier - later), np.nan)


def tally_bins(counts: Array, place: Array) -> Array:
    """Counts (elements, bins) with one more where ``place`` (in bins) falls; the upper end is in the last bin."""
    counts = np.array(counts)
    n, bins = counts.shape
    place = np.broadcast_to(place, (n,))
    inside = (place >= 0) & (place <= bins)
    which = np.clip(np.floor(np.where(inside, place, 0)), 0, bins - 1).astype(np.int64)
    counts[np.arange(n), which] += inside
    return counts


class NumpyDraw:
    """Random draws for one block on the host: ``shape`` values each, from one generator in order."""

    def __init__(self, generator: np.random.Generator, shape: tuple[int, ...]) -> None:
        self.generator = generator
        self.shape = shape

    def rand(self, number: int) -> Array:
        return self.generator.random(self.shape)

    def randn(self, number: int) -> Array:
        return self.generator.standard_normal(self.shape)

    def poisson(self, number: int, mean: Array) -> Array:
        return self.generator.poisson(mean, self.shape)

    def binomial(self, number: int, n: Array, p: Array) -> Array:
        return self.generator.binomial(n, p, self.shape)


RUNTIME: Mapping[str, Callable[..., Any] | float] = {
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "exprel": exprel,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sign": np.sign,
    "clip": np.clip,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "where": np.where,
    "floor": np.floor,
    "ceil": np.ceil,
    "int": to_int,
    "timestep": timestep,
    "exp_divided": exp_divided,
    "timed_array": timed_array,
    "timed_array_2d": timed_array_2d,
    "remember_row": remember_row,
    "look_back": look_back,
    "tally_bins": tally_bins,
    "power": power,
    "divide": np.true_divide,
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
    "logical_not": np.logical_not,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "inf": np.inf,
}
