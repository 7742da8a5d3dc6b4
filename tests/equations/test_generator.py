"""The generator syntax: what it means, in pieces, and where the caret stands."""

import pytest

from jaxsnn.equations.expressions import Name, Number, parse
from jaxsnn.equations.generator import Generator, Range, Sample, parse_generator
from jaxsnn.errors import EquationError, Source, UnknownNameError


def test_the_pieces_of_a_range() -> None:
    found = parse_generator("i + k for k in range(-2, 3) if i + k >= 0 and k != 0")
    assert found == Generator(
        target="j",
        element=parse("i + k"),
        variable="k",
        values=Range(parse("-2"), Number(3), Number(1)),
        condition=parse("i + k >= 0 and k != 0"),
    )
    assert found.outer == "i"


def test_the_pieces_of_a_sample() -> None:
    found = parse_generator("n for n in sample(1, N_pre, 2, p=0.1*x_post)", "i")
    assert found == Generator(
        "i",
        Name("n"),
        "n",
        Sample(Range(Number(1), Name("N_pre"), Number(2)), p=parse("0.1*x_post")),
    )
    assert found.outer == "j"
    size = parse_generator("k for k in sample(N_post, size=10)").values
    assert size == Sample(Range(Number(0), Name("N_post"), Number(1)), size=Number(10))


@pytest.mark.parametrize(
    "text, element, condition",
    [
        ("i", "i", None),
        (" i // 2 + 1 ", "i // 2 + 1", None),
        ("i + 1 if i < N_post - 1", "i + 1", "i < N_post - 1"),
        ("(i + 1) if (i < 3)", "i + 1", "i < 3"),
        ("i if x_pre > 0 and j > 2", "i", "x_pre > 0 and j > 2"),
    ],
)
def test_without_a_loop(text: str, element: str, condition: str | None) -> None:
    found = parse_generator(text)
    assert found == Generator("j", parse(element), condition=condition and parse(condition))


@pytest.mark.parametrize(
    "text",
    [
        "k for k in range(N_post)",
        "k for k in range(i, N_post)",
        "k for k in range(N_post - 1, -1, -1)",
        "(i + k) % N_post for k in range(3) if k != i or i == 0",
        "k for k in sample(N_post, p=0.1 * exp(-i))",
        "k for k in sample(0, N_post, 2, size=5) if x_post > 0",
        "i + 1 if i < 3",
        "i",
    ],
)
def test_the_text_of_a_generator_gives_the_generator_back(text: str) -> None:
    found = parse_generator(text)
    assert str(found) == f"j = {text}"
    assert parse_generator(str(found)[4:]) == found


def test_several_lines_and_comments() -> None:
    text = """k for k in range(i - 1,   # the neighbour below
                             i + 2)   # and the one above
              if k != i"""
    assert parse_generator(text) == parse_generator("k for k in range(i - 1, i + 2) if k != i")
    assert parse_generator("\n  (k for k in range(3))\n") == parse_generator("k for k in range(3)")


def test_places_are_those_in_the_users_text() -> None:
    text = "i + Σ for Σ in\n range(x_pre) if Σ > x_pre"
    found = parse_generator(text)
    assert isinstance(found.values, Range)
    assert found.condition is not None
    for expr, expected in (
        (found.element, "i + Σ"),
        (found.values.stop, "x_pre"),
        (found.condition, "Σ > x_pre"),
    ):
        start, end = expr.span  # type: ignore[attr-defined]
        assert text[start:end] == expected


@pytest.mark.parametrize(
    "text, message, marked",
    [
        ("k for k in rnge(3)", "Did you mean 'range'", "rnge"),
        ("k for k in other", "runs through range", "other"),
        ("k for k in range()", "got 0 arguments", "range()"),
        ("k for k in range(1, 2, 3, 4)", "got 4 arguments", "range(1, 2, 3, 4)"),
        ("k for k in range(*a)", "got 1 argument", "range(*a)"),
        ("k for k in range(3, p=0.1)", "range.. takes no keywords", "range(3, p=0.1)"),
        ("k for k in sample(3)", "either p=", "sample(3)"),
        ("k for k in sample(3, p=1, size=2)", "either p=", "sample(3, p=1, size=2)"),
        ("k for k in sample(3, n=1)", "either p=", "sample(3, n=1)"),
        ("k for k in range(3) for l in range(2)", "only one 'for'", "l"),
        ("k for k in range(3) if k > 0 if k < 2", "joined with 'and'", "k < 2"),
        ("k for k, l in range(3)", "must be one name", "k, l"),
        ("j for j in range(3)", "cannot be the loop variable", "j"),
        ("pi for pi in range(3)", "is a constant", "pi"),
        ("exp for exp in range(3)", "is a function", "exp"),
        ("_k for _k in range(3)", "kept for the simulator", "_k"),
        ("[k for k in range(3)]", "without the brackets", "[k for k in range(3)]"),
        ("j + 1", "cannot depend on j, which the generator defines", "j"),
        ("k for k in range(j)", "the range of 'k' cannot depend on j", "j"),
        ("k for k in sample(5, size=j)", "the range of 'k' cannot depend on j", "j"),
        ("k for k in range(k)", "'k' has no value yet", "k"),
        ("k for k range(3)", "this generator cannot be read", None),
        ("k for k in range(3", "this generator cannot be read", None),
        ("k for k in range(3) if", "this generator cannot be read", None),
        ("i +", "cannot be read", None),
        ("x[i]", "indexing is not possible", "x[i]"),
        ("i if i > 2 else 3", "conditional expressions", "i if i > 2 else 3"),
        ("k for k in range(3) if k & 1", "write 'and'", "k & 1"),
        ("k.real for k in range(3)", "attributes are not possible", "k.real"),
        ("  ", "a generator is missing", None),
    ],
)
def test_errors_mark_the_place(text: str, message: str, marked: str | None) -> None:
    with pytest.raises(EquationError, match=message) as caught:
        parse_generator(text)
    if marked is not None:
        *_, line, caret = str(caught.value).splitlines()
        first = caret.index("^")
        assert line[first : first + caret.count("^")] == marked


def test_errors_say_where_the_text_was_given() -> None:
    with pytest.raises(UnknownNameError, match=r"exc: connect: a loop variable runs through"):
        parse_generator("k for k in f(3)", "j", Source("k for k in f(3)", "exc: connect"))
    with pytest.raises(EquationError, match="cannot depend on i, which the generator defines"):
        parse_generator("i", "i")
    with pytest.raises(EquationError, match="gives i or j, not 'k'"):
        parse_generator("i", "k")
