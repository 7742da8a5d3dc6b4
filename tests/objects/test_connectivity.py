"""Connection rules: pair by pair against Brian2 and hand counts, random ones by statistics."""

import operator
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from math import comb
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from jaxsnn.equations.expressions import (
    Binary,
    Call,
    Compare,
    Expr,
    Logical,
    Name,
    Number,
    Unary,
    calls,
    names,
    parse,
)
from jaxsnn.equations.generator import parse_generator
from jaxsnn.errors import ConnectError, IndexRangeError
from jaxsnn.objects.connect.pairs import all_cells, grid, random_cells
from jaxsnn.objects.connect.rules import (
    all_to_all,
    by_condition,
    by_generator,
    from_arrays,
    multapses,
    n_incoming,
    n_outgoing,
)

OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "exp": np.exp,
    "int": lambda x: np.trunc(x).astype(int),
    "clip": np.clip,
    "sqrt": np.sqrt,
    "sin": np.sin,
}


@dataclass
class Interpreter:
    """Two groups with a variable x, and expressions evaluated node by node."""

    n_pre: int
    n_post: int
    x_pre: Any = None
    x_post: Any = None
    constants: dict[str, float] = field(default_factory=dict)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    seen: int = 0  # pairs handed to evaluate

    def __post_init__(self) -> None:
        self.x_pre = np.arange(self.n_pre) if self.x_pre is None else np.asarray(self.x_pre)
        self.x_post = np.arange(self.n_post) if self.x_post is None else np.asarray(self.x_post)
        self.constants |= {"N_pre": self.n_pre, "N_post": self.n_post}

    def reads(self, expr: Expr) -> set[str]:
        found = names(expr)
        random = "rand" in calls(expr)
        return {side for side, own in (("i", {"i", "x_pre"}), ("j", {"j", "x_post"})) if random or found & own}

    def evaluate(self, expr: Expr, i: Any, j: Any, /, **extra: Any) -> Any:
        shape = np.broadcast_shapes(i.shape, j.shape)
        self.seen += int(np.prod(shape))
        return self.value(expr, i, j, extra, shape)

    def value(self, expr: Expr, i: Any, j: Any, extra: dict[str, Any], shape: Any) -> Any:
        def inner(part: Expr) -> Any:
            return self.value(part, i, j, extra, shape)

        match expr:
            case Number(value=value):
                return np.asarray(value)
            case Name(id=name) if name in extra:
                return extra[name]
            case Name(id="i"):
                return i
            case Name(id="j"):
                return j
            case Name(id="x_pre"):
                return self.x_pre[i]
            case Name(id="x_post"):
                return self.x_post[j]
            case Name(id=name):
                return np.asarray(self.constants[name])
            case Unary(op="-", operand=operand):
                return -inner(operand)
            case Unary(op=op, operand=operand):
                return OPERATORS[op](inner(operand))
            case Binary(op=op, left=left, right=right) | Compare(op=op, left=left, right=right):
                return OPERATORS[op](inner(left), inner(right))
            case Logical(op=op, operands=operands):
                return reduce(OPERATORS[op], map(inner, operands))
            case Call(function="rand"):
                return self.rng.random(shape)
            case Call(function=name, args=args):
                return FUNCTIONS[name](*map(inner, args))
        raise AssertionError(expr)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


NO_RANDOM: Any = None  # a deterministic rule that asked for random numbers would fail


def lists(pairs: tuple[np.ndarray, np.ndarray]) -> list[tuple[int, int]]:
    i, j = pairs
    assert i.dtype == j.dtype == np.int32
    assert i.flags.c_contiguous
    assert j.flags.c_contiguous
    return list(zip(i.tolist(), j.tolist(), strict=True))


def condition(
    text: str | None,
    n_pre: int,
    n_post: int,
    p: str | float = 1.0,
    n: str | int = 1,
    rng: Any = NO_RANDOM,
    **values: Any,
) -> tuple[np.ndarray, np.ndarray]:
    return by_condition(
        Interpreter(n_pre, n_post, **values),
        None if text is None else parse(text),
        parse(p) if isinstance(p, str) else p,
        parse(n) if isinstance(n, str) else n,
        rng,
    )


def generator(
    text: str,
    n_pre: int,
    n_post: int,
    target: str = "j",
    skip: bool = False,
    n: str | int = 1,
    rng: Any = NO_RANDOM,
    **values: Any,
) -> tuple[np.ndarray, np.ndarray]:
    return by_generator(
        Interpreter(n_pre, n_post, **values),
        parse_generator(text, target),
        skip,
        rng,
        parse(n) if isinstance(n, str) else n,
    )


# ---- deterministic rules: every pair, in order, as Brian2 makes them ----------------------------

CONDITIONS = [
    (None, 1),
    ("i == j", 1),
    ("j == i", 3),
    ("i != j", 1),
    ("i != j", 2),
    ("j != i and i < 5", 1),
    ("i < 3", 1),
    ("j >= 2", 1),
    ("i < 3 and j >= 2 and i != j", 1),
    ("j == i + 2", 1),
    ("i // 2 == j", 1),
    ("j == i / 2", 1),
    ("j == i + 2 and j < 5", 1),
    ("i == 2 * j", 1),
    ("j == 3", 1),
    ("abs(i - j) <= 1", 1),
    ("(i + j) % 3 == 0 and i != j", "1 + i % 3"),
    ("x_pre == x_post", 1),
    ("x_pre > 3 or x_post < 1", 1),
    ("not (i == j) and x_pre + x_post < N_post", 1),
    ("i < 0", 1),
]
GENERATORS = [
    ("i", "j", 8, 8),
    ("i + 1 if i < N_pre - 1", "j", 6, 6),
    ("i", "j", 3, 7),
    ("j // 2", "i", 3, 6),
    ("3", "j", 4, 5),
    ("k for k in range(N_post)", "j", 3, 4),
    ("k for k in range(i)", "j", 6, 6),
    ("k for k in range(i, N_post, 2)", "j", 5, 6),
    ("k for k in range(9, 0, -3)", "j", 3, 10),
    ("k for k in range(3, 1)", "j", 3, 3),
    ("k for k in range(i - 2, i + 3) if k >= 0 and k < N_post", "j", 6, 6),
    ("i + k for k in range(-1, 2) if j >= 0 and j < N_post", "j", 5, 5),
    ("i + k for k in range(-1, 2) if j >= 0 and j < N_post and i != j", "j", 5, 5),
    ("(i + k) % N_post for k in range(1, 3)", "j", 5, 5),
    ("k for k in range(N_post) if x_post < x_pre", "j", 5, 5),
    ("(j * 2 + k) % N_pre for k in range(3) if k != 1", "i", 5, 4),
    ("n * 2 for n in range(3)", "j", 2, 5),
]


def brian_pairs(brian: Any, n_pre: int, n_post: int, **arguments: Any) -> list[tuple[int, int]]:
    source = brian.NeuronGroup(n_pre, "x : integer")
    target = brian.NeuronGroup(n_post, "x : integer")
    source.x = np.arange(n_pre)
    target.x = np.arange(n_post)
    synapses = brian.Synapses(source, target)
    synapses.connect(**arguments)
    return list(zip(synapses.i[:].tolist(), synapses.j[:].tolist(), strict=True))


@pytest.mark.parametrize("text, n", CONDITIONS)
def test_conditions_connect_what_brian_connects(brian: Any, text: str | None, n: Any) -> None:
    # Brian2's NumPy target cannot evaluate an n that depends on the pair, so it is repeated here.
    found = lists(condition(text, 7, 6, n=n))
    arguments = {} if text is None else {"condition": text}
    expected = brian_pairs(brian, 7, 6, **arguments)
    times = [(1 + i % 3) if isinstance(n, str) else n for i, _ in expected]
    assert found == [pair for pair, count in zip(expected, times, strict=True) for _ in range(count)]


@pytest.mark.parametrize("text, target, n_pre, n_post", GENERATORS)
def test_generators_list_what_brian_lists(brian: Any, text: str, target: str, n_pre: int, n_post: int) -> None:
    found = lists(generator(text, n_pre, n_post, target))
    assert found == brian_pairs(brian, n_pre, n_post, **{target: text})


@pytest.mark.parametrize("text", ["i + 1", "i + k for k in range(-2, 3) if i != j", "k for k in range(-1, N_post + 1)"])
def test_invalid_targets_are_left_out_as_in_brian(brian: Any, text: str) -> None:
    found = lists(generator(text, 5, 5, skip=True))
    assert found == brian_pairs(brian, 5, 5, j=text, skip_if_invalid=True)


def test_repeats_of_a_generator_as_in_brian(brian: Any) -> None:
    text = "k for k in range(3)"
    assert lists(generator(text, 2, 3, n="i + 1")) == brian_pairs(brian, 2, 3, j=text, n="i + 1")


def test_arrays_as_in_brian(brian: Any) -> None:
    found = lists(from_arrays(1, [3, 0, 2], 2, 4, n=2, rng=NO_RANDOM))
    assert found == brian_pairs(brian, 2, 4, i=1, j=np.array([3, 0, 2]), n=2)


# ---- deterministic rules: counted by hand --------------------------------------------------------


def test_all_to_all_is_ordered_by_source() -> None:
    assert lists(all_to_all(2, 3)) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert lists(all_to_all(2, 3)) == lists(condition(None, 2, 3))


@pytest.mark.parametrize(
    "text, target, skip, expected",
    [
        ("i", "j", False, [(0, 0), (1, 1), (2, 2)]),
        ("i + 1 if i < 2", "j", False, [(0, 1), (1, 2)]),
        ("i if x_pre > 1", "j", False, [(2, 2)]),
        ("j", "i", False, [(0, 0), (1, 1), (2, 2)]),
        ("k for k in range(j)", "i", False, [(0, 1), (0, 2), (1, 2)]),
        ("k for k in range(1, i)", "j", False, [(2, 1)]),
        ("k for k in range(x_pre)", "j", False, [(1, 0), (2, 0), (2, 1)]),
        (
            "k for k in range(2, -1, -1) if k != i",
            "j",
            False,
            [(0, 2), (0, 1), (1, 2), (1, 0), (2, 1), (2, 0)],
        ),
        # The variable of a target is read only where the target exists.
        (
            "i + k for k in range(-1, 2) if x_post != 2",
            "j",
            True,
            [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)],
        ),
        (
            "i + k for k in range(-1, 2) if j >= 0 and j < 3 and x_post != 2",
            "j",
            False,
            [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)],
        ),
        ("i/2 for k in range(1) if i % 2 == 0", "j", False, [(0, 0), (2, 1)]),
        (
            "k for k in sample(5, size=4)",
            "j",
            True,
            [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)],
        ),
    ],
)
def test_generators_counted_by_hand(
    text: str, target: str, skip: bool, expected: list[tuple[int, int]], rng: np.random.Generator
) -> None:
    if "sample" not in text:
        assert lists(generator(text, 3, 3, target, skip)) == expected
    else:  # at most the three targets that exist are left of four out of five
        found = lists(generator(text, 3, 3, target, skip, rng=rng))
        assert set(found) <= set(expected)
        assert len(found) >= 6


@pytest.mark.parametrize("block", [1, 2, 3, 5, 100])
def test_blocks_do_not_change_the_result(block: int, rng: np.random.Generator) -> None:
    rows, columns = np.array([1, 4, 5]), np.array([0, 2, 3, 9])
    pairs = [
        (int(a), int(b))
        for i, j in grid(rows, columns, block)
        for a, b in zip(*map(np.ravel, np.broadcast_arrays(i, j)), strict=True)
    ]
    assert pairs == [(a, b) for a in (1, 4, 5) for b in (0, 2, 3, 9)]

    sizes = np.array([0, 3, 0, 0, 1, 4, 0])
    every = [(r, c) for r, size in enumerate(sizes) for c in range(size)]
    blocks = list(all_cells(sizes, block))
    assert max(len(row) for row, _ in blocks) <= block
    assert [p for row, cell in blocks for p in zip(row.tolist(), cell.tolist(), strict=True)] == every

    counts = np.array([0, 3, 0, 0, 0, 2, 0])
    drawn = [
        p
        for row, cell in random_cells(sizes, counts, rng, block)
        for p in zip(row.tolist(), cell.tolist(), strict=True)
    ]
    assert drawn[:3] == [(1, 0), (1, 1), (1, 2)]
    assert [row for row, _ in drawn[3:]] == [5, 5]
    assert drawn == sorted(set(drawn))


def test_rules_do_not_try_out_pairs_that_they_know(rng: np.random.Generator) -> None:
    n = 100_000  # 10^10 pairs
    for text, p, least, most in (
        ("i == j", 1.0, n, n),
        ("j == i + 1 and i < 10", 1.0, 10, 10),
        ("i < 3 and j > N_post - 4", 1.0, 9, 9),
        ("i != j", 1e-6, 9_500, 10_500),  # 10^4 expected, standard deviation 100
        ("i != j", "1e-6*(i < 50000)", 4_600, 5_400),
    ):
        sides = Interpreter(n, n)
        chance = parse(p) if isinstance(p, str) else p
        i, _ = by_condition(sides, parse(text), chance, 1, rng)
        assert least <= len(i) <= most
        assert sides.seen <= 5 * n


def test_a_probability_is_read_only_where_the_condition_holds(rng: np.random.Generator) -> None:
    i, j = condition("i != j", 4, 4, p="1/abs(i - j)*(abs(i - j) < 2)", rng=rng)
    assert lists((i, j)) == lists(condition("abs(i - j) == 1", 4, 4))


def test_constants_and_zero_probability(rng: np.random.Generator) -> None:
    assert lists(condition("i + j < limit", 3, 3, constants={"limit": 1})) == [(0, 0)]
    for p in (0.0, "0*i", "0*j", 0, "never"):
        assert lists(condition(None, 30, 30, p=p, rng=rng, constants={"never": 0.0})) == []
    assert lists(condition(None, 2, 1, p="always", constants={"always": 1.0})) == [(0, 0), (1, 0)]
    assert lists(condition("True", 2, 1)) == [(0, 0), (1, 0)]
    assert lists(condition(None, 2, 2, n=0)) == []


def test_multapses_and_counts() -> None:
    i, j = np.array([0, 1, 0, 0, 1]), np.array([1, 1, 1, 0, 1])
    assert multapses(i, j).tolist() == [0, 0, 1, 0, 1]
    assert multapses(np.array([2, 2, 3]), np.array([1, 1, 1])).tolist() == [0, 1, 0]
    assert multapses(i[:0], j[:0]).tolist() == []
    assert n_outgoing(i, 3).tolist() == [3, 2, 0]
    assert n_incoming(j, 3).tolist() == [1, 4, 0]
    assert n_outgoing(i[:0], 2).tolist() == [0, 0]


def test_multapses_number_the_repeats_of_each_pair(rng: np.random.Generator) -> None:
    i, j = rng.integers(0, 20, 5000), rng.integers(0, 20, 5000)
    seen: dict[tuple[int, int], int] = {}
    expected = []
    for pair in zip(i.tolist(), j.tolist(), strict=True):
        seen[pair] = seen.get(pair, -1) + 1
        expected.append(seen[pair])
    assert multapses(i, j).tolist() == expected


def test_arrays_of_any_integer_type_and_shape() -> None:
    i, j = from_arrays(np.array([[0], [1]], np.uint8), np.array([[0, 1, 2]], np.int64), 2, 3, rng=NO_RANDOM)
    assert lists((i, j)) == lists(all_to_all(2, 3))
    assert lists(from_arrays([], [], 2, 3, rng=NO_RANDOM)) == []


# ---- random rules: statistics --------------------------------------------------------------------
# Seeds are fixed. Bounds are five standard deviations of the quantity, or a chi-square probability
# of 1e-4, so that a right rule would fail for one seed in ten thousand.

RANDOM_PAIRS = [
    ("p", lambda rng, p: condition(None, 300, 200, p=p, rng=rng)),
    ("p of i", lambda rng, p: condition(None, 300, 200, p=f"{p} + 0*i", rng=rng)),
    ("p of j", lambda rng, p: condition(None, 300, 200, p=f"{p} + 0*j", rng=rng)),
    ("rand()", lambda rng, p: condition(f"rand() < {p}", 300, 200)),
    ("sample", lambda rng, p: generator(f"k for k in sample(N_post, p={p})", 300, 200, rng=rng)),
    (
        "i=sample",
        lambda rng, p: generator(f"k for k in sample(N_pre, p={p})", 300, 200, "i", rng=rng),
    ),
    ("arrays", lambda rng, p: from_arrays(*all_to_all(300, 200), 300, 200, p, rng=rng)),
]


@pytest.mark.parametrize("p", [0.02, 0.1, 0.45, 0.8])
@pytest.mark.parametrize("rule", [row[1] for row in RANDOM_PAIRS], ids=[r[0] for r in RANDOM_PAIRS])
def test_each_pair_is_drawn_alone(rule: Any, p: float, rng: np.random.Generator) -> None:
    stats = pytest.importorskip("scipy.stats")
    i, j = rule(rng, p)
    pairs = 300 * 200
    assert abs(len(i) - p * pairs) < 5 * np.sqrt(p * (1 - p) * pairs)
    table = np.zeros((300, 200), int)
    np.add.at(table, (i, j), 1)
    assert table.max() == 1
    # In- and out-degrees are binomial: dispersion around the mean is chi-square.
    for degrees, size in ((table.sum(1), 200), (table.sum(0), 300)):
        dispersion = ((degrees - p * size) ** 2).sum() / (p * (1 - p) * size)
        assert 1e-4 < stats.chi2.sf(dispersion, len(degrees)) < 1 - 1e-4
    # Neighbours in a row do not know of one another.
    both = (table[:, 1:] & table[:, :-1]).sum()
    cells = table[:, 1:].size
    assert abs(both - p**2 * cells) < 7 * np.sqrt(p**2 * cells)


def test_order_of_random_pairs(rng: np.random.Generator) -> None:
    i, j = condition("i != j", 500, 400, p=0.3, rng=rng)
    assert (np.diff(i.astype(np.int64) * 400 + j) > 0).all()
    assert (i != j).all()
    i, j = generator("k for k in sample(N_pre, p=0.3)", 400, 500, "i", rng=rng)
    assert (np.diff(j.astype(np.int64) * 400 + i) > 0).all()


@pytest.mark.parametrize("size, count", [(5, 2), (6, 4), (40, 2)])
def test_all_subsets_are_equally_likely(size: int, count: int, rng: np.random.Generator) -> None:
    stats = pytest.importorskip("scipy.stats")
    draws = 40_000
    i, j = generator(f"k for k in sample({size}, size={count})", draws, size, rng=rng)
    assert_array_equal(i, np.repeat(np.arange(draws), count))
    chosen = j.reshape(draws, count)
    assert (np.diff(chosen, axis=1) > 0).all()
    code = (2.0**chosen).sum(1)
    seen = np.unique(code, return_counts=True)[1]
    assert len(seen) == comb(size, count)
    assert stats.chisquare(seen).pvalue > 1e-4


def test_probability_for_each_row_and_for_each_pair(rng: np.random.Generator) -> None:
    n = 2000
    i, j = condition(None, 4, n, p="x_pre", x_pre=[0.0, 0.01, 0.6, 1.0], rng=rng)
    assert (np.diff(i.astype(np.int64) * n + j) > 0).all()
    degrees = n_outgoing(i, 4)
    assert degrees[0] == 0
    assert degrees[3] == n
    assert abs(degrees[1] - 20) < 5 * np.sqrt(20)
    assert abs(degrees[2] - 1200) < 5 * np.sqrt(480)

    i, j = condition("i != j", n, n, p="p_max*exp(-abs(i - j)/10)", constants={"p_max": 0.5}, rng=rng)
    for distance in (1, 10, 30):
        expected = 0.5 * np.exp(-distance / 10)
        pairs = 2 * (n - distance)
        found = (abs(i - j) == distance).sum()
        assert abs(found - expected * pairs) < 5 * np.sqrt(expected * (1 - expected) * pairs)


def test_sample_arguments_may_depend_on_the_outer_side(rng: np.random.Generator) -> None:
    i, j = generator("k for k in sample(i, N_post, 2, size=x_pre)", 4, 12, x_pre=[0, 1, 3, 5], rng=rng)
    assert n_outgoing(i, 4).tolist() == [0, 1, 3, 5]
    assert (j >= i).all()
    assert ((j - i) % 2 == 0).all()
    # Downwards, in steps: 9, 6, 3; a sample is in ascending order.
    i, j = generator("k for k in sample(9, 0, -3, size=3)", 2, 10, rng=rng)
    assert lists((i, j)) == [(0, 3), (0, 6), (0, 9), (1, 3), (1, 6), (1, 9)]
    i, j = generator("k for k in sample(N_pre, size=2) if k != j", 50, 50, "i", rng=rng)
    assert (i != j).all()


def test_a_loop_variable_hides_a_variable_of_the_target() -> None:
    text = "x_post for x_post in range(3) if x_post != i"
    assert lists(generator(text, 3, 3)) == lists(condition("i != j", 3, 3))


def test_targets_drawn_with_rand() -> None:
    i, j = generator("int(rand()*N_post) for k in range(50)", 100, 20)
    assert_array_equal(i, np.repeat(np.arange(100), 50))
    # 5000 draws over 20 targets: 250 each, standard deviation 15.4.
    assert (abs(n_incoming(j, 20) - 250) < 5 * 15.4).all()
    assert n_outgoing(i, 100).tolist() == [50] * 100


def test_same_seed_same_synapses() -> None:
    def draw(seed: int) -> list[tuple[int, int]]:
        return lists(condition("i != j", 50, 50, p=0.2, rng=np.random.default_rng(seed)))

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: condition(None, 3, 3, p=1.5), r"p must be a probability from 0 to 1, got 1\.5$"),
        (lambda: condition(None, 3, 3, p=-0.1), r"got -0\.1"),
        (lambda: condition(None, 3, 3, p=float("nan")), "got nan"),
        (lambda: condition(None, 3, 3, p="i"), r"p = 'i' must be .* got 2 for i = 2;"),
        (
            lambda: condition("i > 0", 3, 3, p="0.7*(i + j)", rng=np.random.default_rng(0)),
            r"got 1\.4 for i = 1, j = 1;",
        ),
        (lambda: condition("i - j", 3, 3), r"'i - j' gives numbers \(int64\)"),
        (lambda: condition(None, 3, 3, n=-1), "not negative, got -1"),
        (lambda: condition(None, 3, 3, n=1.5), r"whole and not negative, got 1\.5"),
        (lambda: condition("i != j", 3, 3, n="i - j"), "n = 'i - j' is the number of synapses"),
        (
            lambda: generator("i + 1", 3, 3),
            r"(?s)j = 3 for i = 2 is outside the group, whose 3 elements have the indices 0 to 2"
            r".*skip_if_invalid.*i \+ 1\n +\^\^\^\^\^",
        ),
        (lambda: generator("j - 1", 3, 3, "i"), r"i = -1 for j = 0 is outside"),
        (lambda: generator("i/2", 3, 3), r"the index j must be a whole number, got 0\.5 for i = 1"),
        (
            lambda: generator("k for k in range(i*1.5)", 3, 3),
            r"the end of the range must be a whole number, got 1\.5 for i = 1",
        ),
        (
            lambda: generator("k for k in range(0, 3, i)", 3, 3),
            "the step of the range must not be 0",
        ),
        (
            lambda: generator("k for k in sample(N_post, size=i + 2)", 3, 3),
            r"a sample of 4 out of 3 values is not possible \(for i = 2\)",
        ),
        (
            lambda: generator("k for k in sample(N_post, size=i - 1)", 3, 3),
            "a sample of -1 out of 3",
        ),
        (
            lambda: generator("k for k in sample(N_post, p=i)", 3, 3),
            r"p = 'i' must be a probability from 0 to 1, got 2 for i = 2",
        ),
        (lambda: generator("k for k in sample(N_post, p=1.5)", 3, 3), r"got 1\.5;"),
        (
            lambda: generator("k + x_post for k in range(3)", 3, 3),
            "cannot depend on variables of its own side",
        ),
        (
            lambda: from_arrays([0, 1], [0, 1, 2], 3, 3, rng=NO_RANDOM),
            r"i has shape \(2,\) and j has shape \(3,\)",
        ),
        (
            lambda: from_arrays([0.0], [0], 3, 3, rng=NO_RANDOM),
            "i must be integers, got an array of float64",
        ),
        (lambda: from_arrays([0], [True], 3, 3, rng=NO_RANDOM), r"numpy\.flatnonzero"),
        (
            lambda: from_arrays([0, 1, 2], 0, 3, 3, p=[0.1, 0.2], rng=NO_RANDOM),
            "p has 2 values for 3 pairs",
        ),
        (lambda: from_arrays([0, 1, 2], 0, 3, 3, p=2, rng=NO_RANDOM), "got 2"),
        (
            lambda: from_arrays([0, 1, 2], 0, 3, 3, n=[1, 2], rng=NO_RANDOM),
            "n has 2 values for 3 pairs",
        ),
    ],
)
def test_errors_name_the_value_and_the_place(make: Any, message: str) -> None:
    with pytest.raises(ConnectError, match=message):
        make()


@pytest.mark.parametrize("bad", [-1, 4])
def test_an_index_outside_the_group_is_named(bad: int) -> None:
    with pytest.raises(IndexRangeError, match=rf"j = {bad} is outside the target group, whose 4"):
        from_arrays([0, 1], [0, bad], 2, 4, rng=NO_RANDOM)


def test_sizes_without_a_place_are_clipped_when_invalid_is_skipped(
    rng: np.random.Generator,
) -> None:
    i, _ = generator("k for k in sample(N_post, size=2*i - 1)", 3, 2, skip=True, rng=rng)
    assert n_outgoing(i, 3).tolist() == [0, 1, 2]


# ---- ten million synapses ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda rng: condition(None, 10_000, 10_000, p=0.1, rng=rng),
        lambda rng: condition("i != j", 10_000, 10_000, p="0.1 + 0*i", rng=rng),
        lambda rng: condition("i != j", 3163, 3163, rng=rng),
        lambda rng: all_to_all(3163, 3163),
        lambda rng: generator("i + k for k in range(1000) if j < N_post", 10_500, 10_500),
        lambda rng: generator("k for k in sample(N_post, p=0.1)", 10_000, 10_000, rng=rng),
        lambda rng: generator("k for k in sample(N_pre, size=1000)", 10_000, 10_000, "i", rng=rng),
        lambda rng: generator("k for k in sample(N_pre, size=100)", 100_000, 100_000, "i", rng=rng),
        lambda rng: condition(None, 4473, 4473, p=0.5, rng=rng),
    ],
    ids=["p", "p(i)", "i!=j", "all", "range", "sample(p)", "indegree", "sparse", "dense"],
)
def test_ten_million_synapses_in_seconds_and_little_memory(make: Any, rng: np.random.Generator) -> None:
    start = time.perf_counter()
    i, j = make(rng)
    seconds = time.perf_counter() - start
    result = i.nbytes + j.nbytes
    assert len(i) > 0.98e7
    del i, j
    tracemalloc.start()
    try:
        make(rng)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print(f"{seconds:.2f} s, peak {peak / result:.2f} results")
    assert peak < 3 * result
    assert seconds < 10  # 5 s on one core; the other half for a machine that does more at a time
