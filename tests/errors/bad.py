"""What the tables of bad inputs share: how one row is run, and what its message is asked for."""

from __future__ import annotations

import gc
import re
import textwrap
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn import units
from jaxsnn.errors import JaxsnnError

__all__ = ["Bad", "check", "message"]

PRELUDE = """
LIF = "dv/dt = (I - v)/tau : volt (unless refractory)\\nI : volt"
cells = NeuronGroup(
    4, LIF, threshold="v > 10*mV", reset="v = 0*mV", namespace={"tau": 10*ms}, method="exact", name="cells"
)
quiet = NeuronGroup(3, "x : 1", name="quiet")
"""


@dataclass(frozen=True)
class Bad:
    """One misuse: the code, the exception it must raise, and what the message must say.

    Attributes:
        id: The misuse in words.
        code: What the user wrote; `cells` (4 neurons with a threshold) and `quiet` (3 without) are there.
        kind: The built-in exception that a user would expect; it must be an error of the package too.
        says: Pieces of the message: the object, what was needed, what to write instead.
        at: The part of the user's text above the caret, or None if the mistake is in no text.
        line: The whole line shown, where that is worth a check (multi-line texts).
    """

    id: str
    code: str
    kind: type[Exception]
    says: tuple[str, ...]
    at: str | None = None
    line: str | None = None


def scope() -> dict[str, Any]:
    """Fresh names for one misuse."""
    gc.collect()
    names: dict[str, Any] = {"__name__": "user", "snn": snn, "np": np}
    for module in (units, snn):
        names |= {
            name: getattr(module, name)
            for name in dir(module)
            if not name.startswith("_") and not isinstance(getattr(module, name), ModuleType)
        }
    execute(PRELUDE, names)
    return names


def execute(code: str, names: dict[str, Any]) -> None:
    exec(compile(textwrap.dedent(code), "user.py", "exec"), names)


def message(bad: Bad) -> BaseException:
    """The error of a row."""
    names = scope()
    with pytest.raises(BaseException) as caught:  # noqa: PT011 (which one it is, is asked next)
        execute(bad.code, names)
    return caught.value


def check(bad: Bad) -> None:
    """The error is of the expected kind, says what it must, and points at the right place."""
    error = message(bad)
    # Unnamed objects are numbered, and how many others are alive is another test's affair.
    text = re.sub(r"\b(neurongroup|synapses|statemonitor|spikemonitor|ratemonitor)_\d+", r"\1", str(error))
    assert isinstance(error, bad.kind), f"{type(error).__name__}: {text}"
    assert isinstance(error, JaxsnnError | AttributeError | KeyError), f"{type(error).__name__}: {text}"
    for piece in bad.says:
        assert piece in text, f"{piece!r} is not in: {text}"
    lines = text.splitlines()
    if bad.at is None:
        assert "^" not in lines[-1], text
        return
    caret = lines[-1]
    start, end = caret.index("^"), len(caret)
    assert set(caret[start:]) == {"^"}, text
    assert lines[-2][start:end] == bad.at, text
    if bad.line is not None:
        assert lines[-2].strip() == bad.line, text
