"""Errors that say what came, what was needed and what to write instead.

Every error of jaxsnn derives from `JaxsnnError` and from the built-in exception a Python user would expect,
so ``except ValueError`` keeps working. An error about text the user wrote shows that line with a caret
(`Source.error`).
"""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "ArgumentError",
    "ConnectError",
    "DelayError",
    "DimensionError",
    "EquationError",
    "IndexRangeError",
    "JaxsnnError",
    "NetworkError",
    "NotSupportedError",
    "NumericalError",
    "UnknownNameError",
]


class JaxsnnError(Exception):
    """Base class of all errors raised by jaxsnn."""


class ArgumentError(JaxsnnError, ValueError):
    """An argument has a value that makes no sense for the object it was given to."""


class EquationError(JaxsnnError, ValueError):
    """Text of the user (equations, threshold, reset, condition, ...) that cannot be understood."""


class UnknownNameError(EquationError):
    """A name in the user's text that is neither variable, constant, unit nor function."""


class DimensionError(JaxsnnError, TypeError):
    """Two physical dimensions that do not fit; the message names both sides."""


class IndexRangeError(JaxsnnError, IndexError):
    """An index beyond the elements of a group."""


class ConnectError(JaxsnnError, ValueError):
    """A `Synapses.connect` call that cannot be carried out."""


class DelayError(JaxsnnError, ValueError):
    """A delay that is negative, not finite or too long."""


class NetworkError(JaxsnnError, ValueError):
    """Objects that cannot be run together, or a run that cannot be made."""


class NumericalError(JaxsnnError, FloatingPointError):
    """A value that became NaN or infinite during a run; names the variable, the element and the time."""


class NotSupportedError(JaxsnnError, NotImplementedError):
    """Something valid that this version cannot do yet; says what to do instead."""


@dataclass(frozen=True)
class Source:
    """A piece of text the user wrote, and where it was given (``"cells: threshold"``)."""

    text: str
    where: str = ""

    def error(
        self,
        message: str,
        span: tuple[int, int] | None = None,
        kind: type[JaxsnnError] = EquationError,
    ) -> JaxsnnError:
        """The exception for a problem at ``span`` (character offsets into the text): line and caret."""
        head = f"{self.where}: {message}" if self.where else message
        if span is None:
            shown = "\n".join(f"    {line}" for line in self.text.strip().splitlines())
            return kind(f"{head}\n{shown}" if shown else head)
        start, end = span
        start = max(0, min(start, len(self.text)))
        line_start = self.text.rfind("\n", 0, start) + 1
        line_end = self.text.find("\n", start)
        line_end = len(self.text) if line_end < 0 else line_end
        line = self.text[line_start:line_end]
        indent = len(line) - len(line.lstrip())
        shown = self.text[start:end] if end <= line_end else self.text[start:line_end].partition("#")[0].rstrip()
        width = max(1, len(shown))
        caret = " " * (start - line_start - indent) + "^" * width
        return kind(f"{head}\n    {line.strip()}\n    {caret}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``" Did you mean 'tau'?"`` if a known name is close to ``name``, else an empty string."""
    candidates = list(known)
    close = [other for other in candidates if other.lower() == name.lower() and other != name]
    close = close or difflib.get_close_matches(name, candidates, n=1, cutoff=0.65)
    return f" Did you mean {close[0]!r}?" if close else ""


# ---- what is wrong with a text that is no expression ---------------------------------------------

CONDITIONAL = "conditional expressions are not part of the language; write where(condition, a, b)"
_CLOSES = {")": "(", "]": "[", "}": "{"}


def unbalanced(text: str) -> int | None:
    """The place of a bracket without its other half, or None."""
    if "'" in text or '"' in text:
        return None  # a string may hold any bracket, and is refused as such
    waiting: list[int] = []
    for position, character in enumerate(text):
        if character in "([{":
            waiting.append(position)
        elif character in _CLOSES and (not waiting or text[waiting.pop()] != _CLOSES[character]):
            return position
    return waiting[-1] if waiting else None


_WORDS = ("and", "or", "not", "True", "False", "if", "else")
_WORD = rf"(?:{'|'.join(_WORDS)})\b"
# What users of other languages write, with what it is here.
_HABITS = (
    (re.compile(r"&&"), "write 'and'"),
    (re.compile(r"\|\|"), "write 'or'"),
    (re.compile(r"!(?!=)"), "write 'not'"),
    (re.compile(r"\bif\b"), CONDITIONAL),
    (re.compile(r"(?<![=<>!])=(?!=)"), "an expression assigns nothing; two values are compared with '=='"),
    (re.compile(r"(?<![\w.])\d[\d.]*(?:e[+-]?\d+)?[^\W\d]\w*"), "between a number and a name stands a '*'"),
    (re.compile(rf"(?!{_WORD})(?<![\w.])(?:[\w.]+|\))\s+(?!{_WORD})[\w.]+"), "an operator is missing here"),
    (re.compile(r";"), "one expression is needed here"),
)


def unreadable(text: str, column: int) -> tuple[str, int, int]:
    """For text that is no expression: what is wrong, and where (start, end)."""
    for word in re.finditer(r"[^\W\d]\w*", text):
        if keyword.iskeyword(word[0]) and word[0] not in _WORDS:
            return f"{word[0]!r} is a word of Python and cannot be a name; choose another", *word.span()
    for pattern, what in _HABITS:
        if found := pattern.search(text):
            return f"this expression cannot be read; {what}", *found.span()
    last = len(text.rstrip()) - 1
    column = max(0, min(column, last))
    if text.rstrip()[-1] in "+-*/%<>=":
        return f"this expression cannot be read; something is missing after {text.rstrip()[-1]!r}", last, last + 1
    return "this expression cannot be read", column, column + 1
