"""Which pairs of elements are connected: the rules behind `Synapses.connect`.

Every rule returns two int32 arrays ``(i, j)``: for each synapse its index in the source and in the
target group, in Brian's order. Nothing loops over elements in Python: candidates come in blocks
(`jaxsnn.objects.connect.pairs`), and what a rule can say beforehand (rows, columns, one partner
for each i, a probability that does not depend on j) is never tried out pair by pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxsnn.equations.expressions import Compare, Expr, Logical, Name, names, render, walk
from jaxsnn.equations.generator import Generator, Range, Sample
from jaxsnn.errors import ConnectError, JaxsnnError
from jaxsnn.objects.connect.pairs import (
    BLOCK,
    Indices,
    Ints,
    Pairs,
    Sides,
    all_cells,
    all_to_all,
    copies,
    from_arrays,
    grid,
    multapses,
    n_incoming,
    n_outgoing,
    not_whole,
    place,
    probabilities,
    quietly,
    random_cells,
    truth,
)

__all__ = [
    "Sides",
    "all_to_all",
    "by_condition",
    "by_generator",
    "from_arrays",
    "multapses",
    "n_incoming",
    "n_outgoing",
]

_ANY: Ints = np.zeros(1, np.int64)  # stands for an index that an expression does not read


# ---- condition and probability ------------------------------------------------------------------


def by_condition(
    sides: Sides,
    condition: Expr | None,
    p: Expr | float,
    n: Expr | int,
    rng: np.random.Generator,
) -> Indices:
    """Every pair that fulfils the condition, with probability p, n times; ordered by i, then j.

    A probability that does not depend on j costs time for the synapses, not for the pairs: for each
    i their number is drawn from the binomial distribution, then which. That is the same as one draw
    for every pair.

    Args:
        sides: The two groups.
        condition: A boolean expression of i, j and the variables of both sides; None for all pairs.
        p: A probability, or an expression that gives one.
        n: How many synapses each connected pair gets, or an expression that gives it.
        rng: Random numbers; not read if p is 1.

    Raises:
        ConnectError: if the condition is not boolean, p outside 0 to 1, n negative or not whole.
    """
    plan = _plan(condition, sides)
    rows = _selected(plan.rows, sides, "i", sides.n_pre)
    columns = _selected(plan.columns, sides, "j", sides.n_post)
    pairs = Pairs()
    for i, j in _connected(plan, p, rows, columns, sides, rng):
        pairs.add(i, j, _repeats(n, sides, i, j))
    return pairs.arrays()


class _Plan(NamedTuple):
    """A condition, taken apart at its ``and``: what each part says about the pairs."""

    rows: tuple[Expr, ...]  # read i only
    columns: tuple[Expr, ...]  # read j only
    partner: Expr | None  # j == partner(i)
    pairs: tuple[Expr, ...]  # the rest


def _plan(condition: Expr | None, sides: Sides) -> _Plan:
    rows, columns, pairs, partner = [], [], [], None
    for part in _conjuncts(condition):
        reads = sides.reads(part)
        if reads <= {"i"}:
            rows.append(part)
        elif reads == {"j"}:
            columns.append(part)
        elif partner is None and (found := _partner(part, sides)) is not None:
            partner = found
        else:
            pairs.append(part)
    return _Plan(tuple(rows), tuple(columns), partner, tuple(pairs))


def _conjuncts(condition: Expr | None) -> Iterator[Expr]:
    if isinstance(condition, Logical) and condition.op == "and":
        for part in condition.operands:
            yield from _conjuncts(part)
    elif condition is not None:
        yield condition


def _partner(part: Expr, sides: Sides) -> Expr | None:
    """The expression f of a part ``j == f(i)`` or ``f(i) == j``."""
    if isinstance(part, Compare) and part.op == "==":
        for one, other in ((part.left, part.right), (part.right, part.left)):
            if one == Name("j") and sides.reads(other) <= {"i"}:
                return other
    return None


def _selected(parts: tuple[Expr, ...], sides: Sides, side: str, size: int) -> Ints:
    """The elements of one side for which all parts hold."""
    left = np.arange(size, dtype=np.int64)
    for part in parts:
        i, j = (left, _ANY) if side == "i" else (_ANY, left)
        left = left[truth(sides, part, i, j)]
    return left


def _connected(
    plan: _Plan,
    p: Expr | float,
    rows: Ints,
    columns: Ints,
    sides: Sides,
    rng: np.random.Generator,
) -> Iterator[tuple[Ints, Ints]]:
    """The connected pairs in blocks, each pair once."""
    per_row = not isinstance(p, Expr) or sides.reads(p) <= {"i"}
    if plan.partner is not None:
        i, j = _where(plan.pairs, *_partners(plan.partner, rows, columns, sides), sides)
        yield _thinned(p, i, j, sides, rng)
        return
    chance = np.broadcast_to(_chance(p, sides, rows, _ANY), rows.shape) if per_row else None
    if chance is None or (chance == 1).all():
        for i, j in _grid_where(plan.pairs, rows, columns, sides):
            yield _thinned(p, i, j, sides, rng) if chance is None else (i, j)
        return
    counts = rng.binomial(len(columns), chance)
    for row, cell in random_cells(np.full(len(rows), len(columns)), counts, rng):
        yield _where(plan.pairs, rows[row], columns[cell], sides)


def _partners(partner: Expr, rows: Ints, columns: Ints, sides: Sides) -> tuple[Ints, Ints]:
    value = np.broadcast_to(quietly(sides, partner, rows, _ANY), rows.shape)
    # A value that is not whole equals no index.
    inside = (value >= 0) & (value < sides.n_post) & (value == np.floor(value))
    i, j = rows[inside], value[inside].astype(np.int64)
    wanted = np.zeros(sides.n_post, dtype=bool)
    wanted[columns] = True
    return i[wanted[j]], j[wanted[j]]


def _where(parts: tuple[Expr, ...], i: Ints, j: Ints, sides: Sides) -> tuple[Ints, Ints]:
    for part in parts:
        keep = truth(sides, part, i, j)
        i, j = i[keep], j[keep]
    return i, j


def _grid_where(parts: tuple[Expr, ...], rows: Ints, columns: Ints, sides: Sides) -> Iterator[tuple[Ints, Ints]]:
    for i, j in grid(rows, columns):
        if parts:
            keep = truth(sides, parts[0], i, j)
            for part in parts[1:]:
                keep = keep & truth(sides, part, i, j)
            row, column = np.nonzero(keep)
            yield i[row, 0], j[0, column]
        else:
            yield np.repeat(i[:, 0], j.shape[1]), np.tile(j[0], i.shape[0])


def _thinned(p: Expr | float, i: Ints, j: Ints, sides: Sides, rng: np.random.Generator) -> tuple[Ints, Ints]:
    chance = _chance(p, sides, i, j)
    if (chance == 1).all():
        return i, j
    keep = rng.random(i.shape) < chance
    return i[keep], j[keep]


def _chance(p: Expr | float, sides: Sides, i: Ints, j: Ints) -> NDArray[np.float64]:
    if not isinstance(p, Expr):
        return probabilities(np.asarray(p), "p")
    value = np.asarray(sides.evaluate(p, i, j))
    read = {name: index for name, index in (("i", i), ("j", j)) if name in sides.reads(p)}
    return probabilities(value, f"p = '{render(p)}'", read)


def _repeats(n: Expr | int, sides: Sides, i: Ints, j: Ints, /, **extra: Ints) -> Ints:
    if not isinstance(n, Expr):
        return copies(np.asarray(n), "n")
    value = np.asarray(sides.evaluate(n, i, j, **extra))
    return np.broadcast_to(copies(value, f"n = '{render(n)}'"), i.shape)


# ---- generators ---------------------------------------------------------------------------------


def by_generator(
    sides: Sides,
    generator: Generator,
    skip_if_invalid: bool,
    rng: np.random.Generator,
    n: Expr | int = 1,
) -> Indices:
    """The pairs a generator lists, in its order: by i for ``j='...'``, by j for ``i='...'``.

    Args:
        sides: The two groups.
        generator: What `parse_generator` made of the user's text.
        skip_if_invalid: Leave out targets that do not exist, and take as many as there are where a
            sample is larger than its range, instead of raising an error.
        rng: Random numbers, for ``sample``.
        n: How many synapses each listed pair gets, or an expression that gives it.

    Raises:
        ConnectError: for a target outside the group, an index or a range that is not whole, a step
            0, a probability outside 0 to 1, a sample larger than its range.
    """
    return _Generation(sides, generator, skip_if_invalid, rng).run(n)


class _Generation:
    """One use of a generator: for each ``outer`` index it makes ``target`` indices."""

    def __init__(self, sides: Sides, generator: Generator, skip: bool, rng: np.random.Generator) -> None:
        self.sides, self.generator, self.skip, self.rng = sides, generator, skip, rng
        forward = generator.target == "j"
        self.n_outer, self.n_target = sides.n_pre, sides.n_post
        if not forward:
            self.n_outer, self.n_target = self.n_target, self.n_outer

    def run(self, n: Expr | int) -> Indices:
        if self.reads_target_variables(self.generator.element):
            raise self.error(
                f"the index {self.generator.target} cannot depend on variables of its own side;"
                " compare them in a condition after 'if'",
                self.generator.element,
            )
        # A part that reads variables of the target waits until it is sure that the target exists.
        before: list[Expr] = []
        on_index: list[Expr] = []
        on_variables: list[Expr] = []
        for part in _conjuncts(self.generator.condition):
            if self.reads_target_variables(part):
                on_variables.append(part)
            else:
                (on_index if self.generator.target in names(part) else before).append(part)
        pairs = Pairs()
        for outer, k in self.candidates():
            outer, _, k = self.kept(before, outer, _ANY, k)
            outer, target, k = self.kept(on_index, outer, self.element(outer, k), k)
            outer, target, k = self.existing(outer, target, k)
            outer, target, k = self.kept(on_variables, outer, target, k)
            i, j = self.pair(outer, target)
            pairs.add(i, j, _repeats(n, self.sides, i, j, **self.loop(k)))
        return pairs.arrays()

    def reads_target_variables(self, expr: Expr) -> bool:
        # The loop variable hides a variable of the same name.
        target, own = self.generator.target, {self.generator.target, self.generator.variable}
        found = (node for node in walk(expr) if isinstance(node, Name) and node.id not in own)
        return any(target in self.sides.reads(node) for node in found)

    def pair(self, outer: Ints, target: Ints) -> tuple[Ints, Ints]:
        return (outer, target) if self.generator.target == "j" else (target, outer)

    def loop(self, k: Ints | None) -> dict[str, Ints]:
        return {} if k is None or self.generator.variable is None else {self.generator.variable: k}

    def kept(self, parts: list[Expr], outer: Ints, target: Ints, k: Ints | None) -> tuple[Ints, Ints, Ints | None]:
        for part in parts:
            keep = truth(self.sides, part, *self.pair(outer, target), **self.loop(k))
            outer, k = outer[keep], None if k is None else k[keep]
            target = target if target is _ANY else target[keep]
        return outer, target, k

    def existing(self, outer: Ints, target: Ints, k: Ints | None) -> tuple[Ints, Ints, Ints | None]:
        inside = (target >= 0) & (target < self.n_target)
        if inside.all():
            return outer, target, k
        if not self.skip:
            first = int(np.flatnonzero(~inside)[0])
            raise self.error(
                f"{self.generator.target} = {int(target[first])} for {self.generator.outer} ="
                f" {int(outer[first])} is outside the group, whose {self.n_target} elements have"
                f" the indices 0 to {self.n_target - 1}; give a condition after 'if', or leave such"
                " pairs out with skip_if_invalid=True",
                self.generator.element,
            )
        return outer[inside], target[inside], None if k is None else k[inside]

    def element(self, outer: Ints, k: Ints | None) -> Ints:
        expr = self.generator.element
        if k is not None and expr == Name(self.generator.variable or ""):
            return k
        return self.whole(expr, outer, f"the index {self.generator.target}", k)

    def candidates(self) -> Iterator[tuple[Ints, Ints | None]]:
        """Outer index and loop variable of all candidates, in blocks."""
        match self.generator.values:
            case None:
                for first in range(0, self.n_outer, BLOCK):
                    yield np.arange(first, min(first + BLOCK, self.n_outer)), None
            case Range() as listed:
                start, step, sizes = self.progression(listed)
                for row, cell in all_cells(sizes):
                    yield row, _at(start, step, row, cell)
            case Sample(population=population) as sample:
                start, step, sizes = self.progression(population)
                # A sample is in ascending order, whichever way its range runs.
                start = np.where(step < 0, start + step * (sizes - 1), start)
                for row, cell in random_cells(sizes, self.counts(sample, sizes), self.rng):
                    yield row, _at(start, np.abs(step), row, cell)

    def progression(self, listed: Range) -> tuple[Ints, Ints, Ints]:
        """First value, step and number of values for each outer element."""
        outer = np.arange(self.n_outer)
        start = self.whole(listed.start, outer, "the start of the range")
        stop = self.whole(listed.stop, outer, "the end of the range")
        step = self.whole(listed.step, outer, "the step of the range")
        if (step == 0).any():
            raise self.error("the step of the range must not be 0", listed.step)
        # Rounded up: -(-a // b) is the ceiling of a / b.
        return start, step, np.maximum(-(-(stop - start) // step), 0)

    def counts(self, sample: Sample, sizes: Ints) -> Ints:
        """How many values each outer element takes."""
        outer = np.arange(self.n_outer)
        if sample.p is not None:
            chance = _chance(sample.p, self.sides, *self.pair(outer, _ANY))
            return self.rng.binomial(sizes, np.broadcast_to(chance, outer.shape))
        assert sample.size is not None  # the parser asks for exactly one
        count = self.whole(sample.size, outer, "the size of the sample")
        wrong = (count < 0) | (count > sizes)
        if wrong.any() and not self.skip:
            first = int(np.flatnonzero(wrong)[0])
            raise self.error(
                f"a sample of {int(count[first])} out of {int(sizes[first])} values is not possible"
                f" (for {self.generator.outer} = {first}); skip_if_invalid=True takes as many as"
                " there are",
                sample.size,
            )
        return np.clip(count, 0, sizes)

    def whole(self, expr: Expr, outer: Ints, what: str, k: Ints | None = None) -> Ints:
        """The values of an expression that must be whole numbers."""
        value = np.asarray(self.sides.evaluate(expr, *self.pair(outer, _ANY), **self.loop(k)))
        wrong = not_whole(value)
        if wrong.any():
            at = place(wrong, {self.generator.outer: outer})
            raise self.error(
                f"{what} must be a whole number, got {value[wrong].flat[0]}{at}; write int(...)",
                expr,
            )
        return np.broadcast_to(value.astype(np.int64), outer.shape)

    def error(self, message: str, expr: Expr) -> JaxsnnError:
        span = expr.span if expr.span != (0, 0) else None  # type: ignore[attr-defined]
        return self.generator.source.error(message, span, ConnectError)


def _at(start: Ints, step: Ints, row: Ints, cell: Ints) -> Ints:
    """The value number ``cell`` of the progression of each row."""
    if (step != 1).any():
        cell = cell * step[row]
    return cell + start[row] if start.any() else cell
