"""Expressions: the tree keeps what the user wrote, its text gives the same tree, and its values are Brian's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxsnn as snn
from jaxsnn.codegen.host import evaluate
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
    render,
    substitute,
    transform,
    walk,
)
from jaxsnn.errors import EquationError, Source
from jaxsnn.units import ms

# ---- the tree -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, tree",
    [
        ("a - b - c", Binary("-", Binary("-", Name("a"), Name("b")), Name("c"))),
        ("a ** b ** c", Binary("**", Name("a"), Binary("**", Name("b"), Name("c")))),
        ("-a ** 2", Unary("-", Binary("**", Name("a"), Number(2)))),
        ("(-a) ** 2", Binary("**", Unary("-", Name("a")), Number(2))),
        ("2 ** -a", Binary("**", Number(2), Unary("-", Name("a")))),
        ("+a", Name("a")),
        ("a / b * c", Binary("*", Binary("/", Name("a"), Name("b")), Name("c"))),
        ("a // b % c", Binary("%", Binary("//", Name("a"), Name("b")), Name("c"))),
        ("not a > b", Unary("not", Compare(">", Name("a"), Name("b")))),
        ("a or b and c", Logical("or", (Name("a"), Logical("and", (Name("b"), Name("c")))))),
        ("a and b and c", Logical("and", (Name("a"), Name("b"), Name("c")))),
        ("f(a, 1.5)", Call("f", (Name("a"), Number(1.5)))),
        ("1e-3", Number(0.001)),
        ("True", Number(True)),
    ],
)
def test_precedence(text: str, tree: Expr) -> None:
    assert parse(text) == tree


def test_the_order_of_operations_is_kept() -> None:
    # (a + b) - b is not simplified: in floating point it is not a.
    assert parse("a + b - b") == Binary("-", Binary("+", Name("a"), Name("b")), Name("b"))


def test_lines_and_tabs_are_blanks() -> None:
    assert parse("a +\n\tb *\r\n c") == parse("a + b * c")


def test_every_node_knows_its_place() -> None:
    text = "  gNa*m**3*\n (ENa - v)  + äther(v)"
    for node in walk(parse(text)):
        start, end = node.span  # type: ignore[attr-defined]
        assert parse(text[start:end]) == node, text[start:end]


def test_places_are_those_of_the_whole_text() -> None:
    source = Source("v = a +\n    tanh(b)")
    tree = parse(source.text[4:], source, 4)
    call = next(node for node in walk(tree) if isinstance(node, Call))
    assert source.text[call.span[0] : call.span[1]] == "tanh(b)"
    assert str(source.error("no", call.span)).endswith("no\n    tanh(b)\n    ^^^^^^^")


def test_names_and_calls() -> None:
    expr = parse("exp(-t/tau)*clip(exp(a), 0, tau)")
    assert names(expr) == {"t", "tau", "a"}
    assert calls(expr) == ["exp", "clip", "exp"]


def test_substitution_is_simultaneous() -> None:
    assert render(substitute(parse("a - b"), {"a": Name("b"), "b": Name("a")})) == "b - a"


def test_a_rule_that_changes_nothing_gives_the_same_tree() -> None:
    tree = parse("a*(b + c)")
    assert transform(tree, lambda node: None) is tree


@pytest.mark.parametrize("size", [300, 5000])
def test_deep_nesting_is_refused_in_words(size: int) -> None:
    with pytest.raises(EquationError):
        parse("(" * size + "a" + ")" * size)


def test_a_number_that_no_float_holds_is_refused() -> None:
    with pytest.raises(EquationError, match="too large"):
        parse("1e999 * a")


# ---- text and back ------------------------------------------------------------------------------

_NAMES = st.sampled_from(["a", "v", "tau_m", "x_pre", "I"]).map(Name)
_NUMBERS = st.one_of(
    st.integers(0, 10**9),
    st.floats(0, allow_nan=False, allow_infinity=False),
    st.booleans(),
).map(Number)


def _branches(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    operators = ["+", "-", "*", "/", "//", "%", "**"]
    return st.one_of(
        st.builds(Unary, st.sampled_from(["-", "not"]), inner),
        st.builds(Binary, st.sampled_from(operators), inner, inner),
        st.builds(Compare, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner, inner),
        st.builds(Logical, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Call, st.sampled_from(["exp", "clip", "f"]), st.lists(inner, max_size=3).map(tuple)),
    )


EXPRESSIONS: st.SearchStrategy[Expr] = st.recursive(st.one_of(_NAMES, _NUMBERS), _branches, max_leaves=12)


@given(EXPRESSIONS)
@settings(max_examples=400)
def test_the_text_of_a_tree_gives_the_tree(tree: Expr) -> None:
    text = render(tree)
    again = parse(text)
    assert again == tree, text
    assert render(again) == text


# ---- values: Brian2's, on the host and in the step ----------------------------------------------

VALUES: dict[str, Any] = {
    "a": np.array([-2.5, -1.0, 0.0, 0.3, 7.25]),
    "b": np.array([1.5, -0.7, 2.0, -3.0, 0.1]),
    "k": np.array([-7, -1, 0, 3, 8]),
    "m": np.array([2, 3, -2, -5, 4]),
    "p": np.array([True, False, True, False, True]),
    "q": np.array([True, True, False, False, True]),
}
TYPES = {"a": "1", "b": "1", "k": "integer", "m": "integer", "p": "boolean", "q": "boolean"}
# Each is a number; conditions become one by int().
SHARED = (
    "a + b - a",
    "a - b - 1",
    "a / b / 2",
    "a * b ** 2",
    "-b ** 2",
    "(-b) ** 2",
    "2 ** -b",
    "2 ** 3 ** 0.5",
    "a // b",
    "a % b",
    "k / m",
    "1 / m",
    "k // m",
    "k % m",
    "-k // 2",
    "k % 3 - 5 % m",
    "k * m + 1",
    "k ** 2",
    "m ** 3",
    "k + 0.5",
    "int(a)",
    "int(-2.7) + int(2.7)",
    "int(a > b)",
    "int(a > 0) * a + int(a <= 0) * b",
    "int(not p)",
    "int(p and q)",
    "int(p or q and not p)",
    "int(not (a < b or k >= m))",
    "int(a == 0) + int(k != 3)",
    "int(p) + int(q)",
    "exp(a) * cos(b) - sin(a) * tanh(b)",
    "log(abs(a) + 1) + sqrt(abs(b))",
    "log10(abs(b)) + arctan(a)",
    "abs(k) + abs(a)",
    "sign(a) + sign(k)",
    "clip(a, -1, 1)",
    "clip(k, 0, 5)",
    "floor(a) + ceil(b)",
    "exprel(a) + exprel(0)",
    "arcsin(clip(b, -1, 1)) + arccos(clip(a, -1, 1))",
    "cosh(b) - sinh(b)",
    "expm1(a) + log1p(abs(b))",
    "i + N * 2",
    "a * pi + e",
    "timestep(abs(a)*ms, 0.1*ms)",
)
MODEL = "\n".join(f"{name} : {unit}" for name, unit in TYPES.items())


@pytest.fixture(scope="module")
def brian_values(brian_module: Any) -> dict[str, np.ndarray]:
    brian_module.start_scope()
    lines = [f"r{n} = {text} : 1" for n, text in enumerate(SHARED)]
    group = brian_module.NeuronGroup(5, "\n".join([MODEL, *lines]), namespace={})
    for name, value in VALUES.items():
        setattr(group, name, value)
    return {text: np.asarray(getattr(group, f"r{n}")[:]) for n, text in enumerate(SHARED)}


def _group() -> snn.NeuronGroup:
    lines = [f"r{n} = {text} : 1" for n, text in enumerate(SHARED)]
    group = snn.NeuronGroup(5, "\n".join([MODEL, *lines]), namespace={"ms": ms})
    for name, value in VALUES.items():
        setattr(group, name, value)
    return group


def test_values_on_the_host_are_brians(brian_values: dict[str, np.ndarray]) -> None:
    group = _group()
    for n, text in enumerate(SHARED):
        # Both are NumPy in double precision; they may differ in the last bits of exp and the like.
        np.testing.assert_allclose(getattr(group, f"r{n}")[:], brian_values[text], rtol=1e-14, atol=1e-15, err_msg=text)


@pytest.mark.usefixtures("x64")
def test_values_in_the_step_are_brians(brian_values: dict[str, np.ndarray]) -> None:
    group = _group()
    monitor = snn.StateMonitor(group, [f"r{n}" for n in range(len(SHARED))])
    snn.Network(group, monitor, dtype="float64").run(0.1 * ms)
    for n, text in enumerate(SHARED):
        found = getattr(monitor, f"r{n}")
        assert found.shape == (5, 1)
        # XLA's elementary functions are good to a few units in the last place. Two integers of 32 bits
        # are divided in float32 by JAX, whatever the type of the floats is.
        rtol = 1e-13
        np.testing.assert_allclose(found[:, 0], brian_values[text], rtol=rtol, atol=1e-14, err_msg=text)


def test_numbers_of_different_types_are_different():
    assert len({parse("1"), parse("1.0"), parse("True")}) == 3
    assert [type(evaluate(parse(text), {})) for text in ("1", "True", "1.0")] == [int, bool, float]
