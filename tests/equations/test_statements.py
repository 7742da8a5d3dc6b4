"""Blocks of statements: how they are read, what they read and write."""

from __future__ import annotations

import pytest

from jaxsnn.equations.expressions import Binary, Name, Number, parse
from jaxsnn.equations.statements import Assign, locals_of, parse_block, reads, strip_comments, writes
from jaxsnn.errors import EquationError, Source

BLOCK = """
v = Vr   # reset
w += b; n -= 1   # two on one line
u = clip(u +
         d, 0, 1)

"""


def test_lines_semicolons_comments_and_open_parentheses() -> None:
    assert [str(statement) for statement in parse_block(BLOCK)] == [
        "v = Vr",
        "w += b",
        "n -= 1",
        "u = clip(u + d, 0, 1)",
    ]


def test_places_are_those_of_the_block() -> None:
    shown = [BLOCK[s.span[0] : s.span[1]] for s in parse_block(BLOCK)]
    assert [" ".join(text.split()) for text in shown] == ["v = Vr", "w += b", "n -= 1", "u = clip(u + d, 0, 1)"]
    d = parse_block(BLOCK)[3].expr.args[0].right  # type: ignore[attr-defined]
    assert BLOCK[d.span[0] : d.span[1]] == "d"


@pytest.mark.parametrize("op", ["+", "-", "*", "/", "//", "%", "**"])
def test_augmented_assignments_are_the_operation(op: str) -> None:
    (statement,) = parse_block(f"x {op}= a + 1")
    assert statement == Assign("x", f"{op}=", parse("a + 1"))
    # As in Python the whole right side is one operand: x *= a + 1 is x*(a + 1).
    assert statement.value == Binary(op, Name("x"), Binary("+", Name("a"), Number(1)))
    assert reads(statement) == {"x", "a"}


def test_comparisons_are_no_assignments() -> None:
    (statement,) = parse_block("flag = a == b")
    assert str(statement) == "flag = a == b"
    assert reads(statement) == {"a", "b"}


def test_names_of_a_block() -> None:
    block = parse_block("a = x; b = a*2; a += 1; x = b")
    assert writes(block) == ("a", "b", "x")
    assert locals_of(block, {"x"}) == ("a", "b")


def test_nothing_is_no_statement() -> None:
    assert parse_block("") == ()
    assert parse_block("  # only a comment\n;\n") == ()


def test_comments_become_blanks_of_the_same_length() -> None:
    text = "a = 1 # b = 2\nc = 3#"
    stripped = strip_comments(text)
    assert len(stripped) == len(text)
    assert stripped.split() == ["a", "=", "1", "c", "=", "3"]


@pytest.mark.parametrize(
    "text, at, says",
    [
        ("v = 1\nv == 2", "v == 2", "this is not a statement"),
        ("v", "v", "variable = expression"),
        ("v[0] = 1", "v[0] = 1", "not a statement"),
        ("v =", "=", "missing"),
        ("a, b = 1, 2", "a, b = 1, 2", "not a statement"),
        ("v = (1", "(", "never closed"),
        ("x = 0\nv = 1) # c", ")", "closes nothing"),
        ("if v > 0: v = 0", "if v > 0: v = 0", "not a statement"),
        ("v = w = 3", "=", "'=='"),
        ("v := 3", "v := 3", "not a statement"),
        ("v++", "v++", "not a statement"),
    ],
)
def test_errors_show_the_line(text: str, at: str, says: str) -> None:
    with pytest.raises(EquationError) as caught:
        parse_block(text, Source(text, "cells: reset"))
    message = str(caught.value)
    assert says in message
    line, caret = (row[4:] for row in message.splitlines()[-2:])
    if text != "v =":  # nothing stands there to point at
        assert line[caret.index("^") : len(caret)] == at
