"""Pairs as arrays: explicit pairs, blocks of candidates, random parts of them, counts, checks.

A *row* is one element of the outer group; its *cells* are the candidates 0 .. size-1 that it may
connect to. Rows come in blocks in ascending order of row and cell, so memory does not grow with the
number of candidates, and random parts cost time for what is taken, not for the candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxsnn.equations.expressions import Expr, render
from jaxsnn.errors import ConnectError, IndexRangeError

__all__ = [
    "BLOCK",
    "Indices",
    "Ints",
    "Pairs",
    "Sides",
    "all_cells",
    "all_to_all",
    "copies",
    "from_arrays",
    "grid",
    "multapses",
    "n_incoming",
    "n_outgoing",
    "not_whole",
    "place",
    "probabilities",
    "quietly",
    "random_cells",
    "truth",
]

Ints: TypeAlias = NDArray[np.integer[Any]]
Indices: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32]]

BLOCK = 1 << 20
"""Pairs a block may hold: temporaries of 8 MB, which stay in the cache of most machines."""

# Above this fraction of taken cells a table of all cells is cheaper than sorting the taken ones.
_DENSE = 1 / 16


class Pairs:
    """Collects blocks of (i, j) and joins them to int32; the peak is one and a half results."""

    def __init__(self) -> None:
        self._i: list[NDArray[np.int32]] = []
        self._j: list[NDArray[np.int32]] = []

    def add(self, i: Ints, j: Ints, times: Ints) -> None:
        """Append pairs, each as many times in a row as ``times`` says (one number or one each)."""
        if (times != 1).any():
            i, j = np.repeat(i, times), np.repeat(j, times)
        self._i.append(i.astype(np.int32))
        self._j.append(j.astype(np.int32))

    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """All pairs so far; the collection is empty afterwards."""
        return self._join(self._i), self._join(self._j)

    @staticmethod
    def _join(blocks: list[NDArray[np.int32]]) -> NDArray[np.int32]:
        # A single block is a copy already (see `add`), which matters for a billion pairs.
        joined = blocks[0] if len(blocks) == 1 else np.concatenate(blocks) if blocks else np.zeros(0, np.int32)
        blocks.clear()
        return joined


def grid(rows: Ints, columns: Ints, block: int = BLOCK) -> Iterator[tuple[Ints, Ints]]:
    """The pairs rows x columns as blocks: i of shape (r, 1), j of shape (1, c), r*c <= block."""
    if len(columns) == 0:
        return
    height = max(1, block // len(columns))
    for top in range(0, len(rows), height):
        i = rows[top : top + height, None]
        for left in range(0, len(columns), block):
            yield i, columns[None, left : left + block]


def all_cells(sizes: Ints, block: int = BLOCK) -> Iterator[tuple[Ints, Ints]]:
    """All cells of rows of different sizes, as blocks of (row, cell)."""
    ends = np.cumsum(sizes, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    for first in range(0, total, block):
        last = min(first + block, total)
        low = int(np.searchsorted(ends, first, side="right"))
        high = int(np.searchsorted(ends, last, side="left")) + 1
        begins = ends[low:high] - sizes[low:high]
        inside = np.minimum(ends[low:high], last) - np.maximum(begins, first)
        yield (
            np.repeat(np.arange(low, high), inside),
            np.arange(first, last) - np.repeat(begins, inside),
        )


def random_cells(
    sizes: Ints, counts: Ints, rng: np.random.Generator, block: int = BLOCK
) -> Iterator[tuple[Ints, Ints]]:
    """``counts[r]`` different cells of row r, all sets equally likely, as blocks of (row, cell).

    With counts from a binomial distribution (sizes, p) this is an independent draw with probability
    p for every cell.
    """
    ends = np.cumsum(counts, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    low = 0
    while low < len(ends):
        done = int(ends[low - 1]) if low else 0
        if done == total:
            return
        high = max(low + 1, int(np.searchsorted(ends, done + block, side="right")))
        size = sizes[low:high].astype(np.int64, copy=False)
        count = counts[low:high].astype(np.int64, copy=False)
        begins = np.cumsum(size) - size
        row = np.repeat(np.arange(high - low), count)
        cells = _subsets(begins, size, count, rng)
        cells -= begins[row]
        row += low
        yield row, cells
        low = high


def _subsets(begins: Ints, sizes: Ints, counts: Ints, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random subset of each row, as ascending positions in all the rows put end to end."""
    dense = counts > _DENSE * sizes
    parts = []
    if dense.any():
        parts.append(_by_table(begins[dense], sizes[dense], counts[dense], rng))
    if not dense.all():
        sparse = ~dense
        parts.append(_by_redrawing(begins[sparse], sizes[sparse], counts[sparse], rng))
    return parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))


def _draw(begins: Ints, sizes: Ints, row: Ints, rng: np.random.Generator) -> NDArray[np.int64]:
    """One uniform cell for each entry of ``row`` (ascending), sorted; rows keep their places."""
    drawn = (rng.random(len(row)) * sizes[row]).astype(np.int64)
    drawn += begins[row]
    drawn.sort()
    return drawn


def _by_redrawing(begins: Ints, sizes: Ints, counts: Ints, rng: np.random.Generator) -> NDArray[np.int64]:
    # Drawing on until enough different values are there gives each subset the same chance, because
    # nothing in it tells one value from another.
    row = np.repeat(np.arange(len(counts)), counts)
    cells = _draw(begins, sizes, row, rng)
    while (again := np.flatnonzero(cells[1:] == cells[:-1])).size:
        cells[again] = _draw(begins, sizes, row[again], rng)
        cells.sort()
    return cells


def _by_table(begins: Ints, sizes: Ints, counts: Ints, rng: np.random.Generator) -> NDArray[np.int64]:
    # More than half of a row is drawn as what is left out, so that few draws hit a taken cell.
    inverted = 2 * counts > sizes
    starts = np.cumsum(sizes) - sizes
    taken = np.zeros(int(sizes.sum()), dtype=bool)
    row = np.repeat(np.arange(len(counts)), np.where(inverted, sizes - counts, counts))
    while row.size:
        cells = _draw(starts, sizes, row, rng)
        again = taken[cells]
        again[1:] |= cells[1:] == cells[:-1]
        taken[cells] = True
        row = row[again]
    if inverted.any():
        taken ^= np.repeat(inverted, sizes)
    cells = np.flatnonzero(taken)
    cells += np.repeat(begins - starts, counts)
    return cells


# ---- rules without expressions ------------------------------------------------------------------


def all_to_all(n_pre: int, n_post: int) -> Indices:
    """Every pair once, ordered by i, then j.

    >>> i, j = all_to_all(2, 3)
    >>> i.tolist(), j.tolist()
    ([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2])
    """
    i = np.repeat(np.arange(n_pre, dtype=np.int32), n_post)
    return i, np.tile(np.arange(n_post, dtype=np.int32), n_pre)


def from_arrays(
    i: ArrayLike,
    j: ArrayLike,
    n_pre: int,
    n_post: int,
    p: ArrayLike = 1.0,
    n: ArrayLike = 1,
    *,
    rng: np.random.Generator,
) -> Indices:
    """The pairs that are given, in their order.

    Args:
        i: Source indices; ``i`` and ``j`` broadcast.
        j: Target indices.
        n_pre: Elements of the source group.
        n_post: Elements of the target group.
        p: Probability with which each pair is really connected.
        n: How many synapses each connected pair gets.
        rng: Random numbers, read only if p is neither 0 nor 1.

    Raises:
        ConnectError: if the arrays do not fit, are no integers, or p or n are out of range.
        IndexRangeError: for an index outside the group.

    Example:
        >>> i, j = from_arrays(0, [2, 1], 1, 3, n=2, rng=np.random.default_rng(0))
        >>> i.tolist(), j.tolist()
        ([0, 0, 0, 0], [2, 2, 1, 1])
    """
    given = {
        "i": _whole_array("i", i, n_pre, "source"),
        "j": _whole_array("j", j, n_post, "target"),
    }
    try:
        pre, post = np.broadcast_arrays(given["i"], given["j"])
    except ValueError:
        raise ConnectError(
            f"i has shape {given['i'].shape} and j has shape {given['j'].shape}; give arrays of one"
            " length (or one number), or all combinations with a condition"
        ) from None
    pre, post = pre.ravel(), post.ravel()
    chance = probabilities(np.asarray(p), "p").ravel()
    times = copies(np.asarray(n), "n").ravel()
    for name, values in (("p", chance), ("n", times)):
        if values.size not in (1, pre.size):
            raise ConnectError(f"{name} has {values.size} values for {pre.size} pairs; give one, or one each")
    if not (chance == 1).all():
        keep = rng.random(pre.size) < chance
        pre, post = pre[keep], post[keep]
        times = times[keep] if times.size > 1 else times
    pairs = Pairs()
    pairs.add(pre, post, times)
    return pairs.arrays()


def _whole_array(name: str, values: ArrayLike, size: int, side: str) -> Ints:
    array = np.asarray(values)
    if array.size == 0:
        return array.astype(np.int32)
    if array.dtype.kind not in "iu":
        hint = "; for a mask give numpy.flatnonzero(mask)" if array.dtype == bool else ""
        raise ConnectError(f"{name} must be integers, got an array of {array.dtype}{hint}")
    if array.min() < 0 or array.max() >= size:
        bad = int(array[(array < 0) | (array >= size)].flat[0])
        raise IndexRangeError(
            f"{name} = {bad} is outside the {side} group, whose {size} elements have the indices 0 to {size - 1}"
        )
    return array


def multapses(i: Ints, j: Ints) -> NDArray[np.int32]:
    """For each synapse how many earlier ones connect the same pair.

    >>> multapses(np.array([0, 0, 1, 0]), np.array([2, 2, 2, 2])).tolist()
    [0, 1, 0, 2]
    """
    if len(i) == 0:
        return np.zeros(0, np.int32)
    pair = i.astype(np.int64) * (int(j.max()) + 1) + j
    order = None
    if (pair[1:] < pair[:-1]).any():
        order = np.argsort(pair, kind="stable")
        pair = pair[order]
    first = np.flatnonzero(np.concatenate(([True], pair[1:] != pair[:-1])))
    count = np.arange(len(pair)) - np.repeat(first, np.diff(first, append=len(pair)))
    result = np.empty(len(pair), np.int32)
    result[slice(None) if order is None else order] = count
    return result


def n_outgoing(i: Ints, n_pre: int) -> NDArray[np.int32]:
    """For each element of the source group how many synapses leave it."""
    return np.bincount(i, minlength=n_pre).astype(np.int32)


def n_incoming(j: Ints, n_post: int) -> NDArray[np.int32]:
    """For each element of the target group how many synapses reach it."""
    return np.bincount(j, minlength=n_post).astype(np.int32)


# ---- expressions and checks ---------------------------------------------------------------------


class Sides(Protocol):
    """The two groups, as far as expressions in `connect` may read them."""

    @property
    def n_pre(self) -> int:
        """Elements of the source group."""

    @property
    def n_post(self) -> int:
        """Elements of the target group."""

    def evaluate(self, expr: Expr, i: Ints, j: Ints, /, **extra: Ints) -> NDArray[Any]:
        """The value for pairs (i, j), of a shape that broadcasts to that of i and j together.

        ``i`` and ``j`` broadcast with each other (a block of pairs comes as a column and a row);
        ``extra`` gives the loop variable of a generator, of the same shape. Variables are read at
        ``x[i]`` and ``x[j]``; random functions draw one number for each pair, also where the
        expression reads no index. An index that the expression does not read may be any.
        """

    def reads(self, expr: Expr) -> set[str]:
        """Which of the two sides, out of ``{"i", "j"}``, the expression depends on.

        A random function depends on both; a constant and a loop variable on none.
        """


def quietly(sides: Sides, expr: Expr, i: Ints, j: Ints, /, **extra: Ints) -> NDArray[Any]:
    """The value, where a part of ``i != j and 1/abs(i - j) > x`` meets pairs another rules out."""
    with np.errstate(all="ignore"):
        return np.asarray(sides.evaluate(expr, i, j, **extra))


def truth(sides: Sides, expr: Expr, i: Ints, j: Ints, /, **extra: Ints) -> NDArray[np.bool_]:
    """A condition for each pair (i, j)."""
    value = quietly(sides, expr, i, j, **extra)
    if value.dtype != np.bool_:
        raise ConnectError(
            f"a condition must be True or False for each pair, but '{render(expr)}' gives numbers"
            f" ({value.dtype}); compare it with something"
        )
    return np.broadcast_to(value, np.broadcast_shapes(i.shape, j.shape))


def probabilities(value: NDArray[Any], what: str, indices: Mapping[str, Ints] | None = None) -> NDArray[np.float64]:
    """The values as probabilities; ``indices`` (those an expression reads) are for the message."""
    try:
        chance = value.astype(np.float64)
    except (TypeError, ValueError):
        raise ConnectError(f"{what} must be a number from 0 to 1, got {value!r}") from None
    wrong = ~((chance >= 0) & (chance <= 1))
    if wrong.any():
        hint = "" if indices is None else "; to cut it off write clip(..., 0, 1)"
        raise ConnectError(
            f"{what} must be a probability from 0 to 1, got {chance[wrong].flat[0]:g}"
            f"{place(wrong, indices or {})}{hint}"
        )
    return chance


def place(wrong: NDArray[np.bool_], indices: Mapping[str, Ints]) -> str:
    """``" for i = 3, j = 4"``: the first pair with a wrong value; empty for a single value."""
    if wrong.size == 1 and all(index.size > 1 for index in indices.values()):
        return ""
    first = int(np.flatnonzero(wrong)[0])
    found = (f"{n} = {np.broadcast_to(x, wrong.shape).flat[first]}" for n, x in indices.items())
    return f" for {', '.join(found)}" if indices else ""


def copies(value: NDArray[Any], what: str) -> NDArray[np.int64]:
    """The values as numbers of synapses for each pair."""
    wrong = not_whole(value)
    wrong = wrong if wrong.any() else value < 0
    if wrong.any():
        raise ConnectError(
            f"{what} is the number of synapses for each pair and must be whole and not negative,"
            f" got {value[wrong].flat[0]}"
        )
    return value.astype(np.int64)


def not_whole(value: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a value is no whole number."""
    if value.dtype.kind in "iu":
        return np.zeros(value.shape, dtype=bool)
    if value.dtype.kind != "f":
        return np.ones(value.shape, dtype=bool)
    return ~np.isfinite(value) | (value != np.floor(value))
