"""Joining the texts and values of two rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jaxsnn.errors import ArgumentError

__all__ = ["joined", "lines", "merged", "merged_values", "variable"]

TRANSMIT = "{transmit}"


def lines(text: str) -> list[str]:
    """The lines of a text that say something."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def variable(line: str) -> str:
    """The name that a line of equations defines.

    >>> variable("dw/dt = -w/tau : 1"), variable("x : 1"), variable("y = w*x_pre : 1")
    ('w', 'x', 'y')
    """
    found = re.match(r"d(\w+)\s*/\s*dt|(\w+)", line)
    assert found is not None, line
    return found[1] or found[2]


def joined(first: str, second: str) -> str:
    r"""Statements of two blocks, one block after the other, around the one place where a spike acts.

    >>> print(joined("a += 1", "b += 1\n{transmit}\nb -= 1"))
    b += 1
    {transmit}
    a += 1
    b -= 1
    """
    if TRANSMIT not in first + second:
        return "\n".join(lines(first) + lines(second))
    parts = [text.partition(TRANSMIT) if TRANSMIT in text else ("", "", text) for text in (first, second)]
    before, after = ([line for part in parts for line in lines(part[k])] for k in (0, 2))
    return "\n".join([*before, TRANSMIT, *after])


def merged(title: str, first: str, second: str) -> str:
    """Lines of two sets of equations; a line that says how a parameter changes stands in for the parameter's.

    Raises:
        ArgumentError: for a variable with two different equations.
    """
    found: dict[str, str] = {}
    for line in lines(first) + lines(second):
        name = variable(line)
        other = found.get(name)
        if other is not None and other.split() != line.split():
            plain = [text for text in (other, line) if "=" not in text]
            if not plain:
                raise ArgumentError(
                    f"{title}: {name!r} has two equations; rename one of them, or write one that is the sum:\n{other}\n"
                    f"{line}"
                )
            line = next((text for text in (other, line) if "=" in text), line)
        found[name] = line
    return "\n".join(found.values())


def merged_values(title: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Values of two rules.

    Raises:
        ArgumentError: for a name with two values.
    """
    for name in first.keys() & second.keys():
        if not _same(first[name], second[name]):
            raise ArgumentError(
                f"{title}: {name!r} is {first[name]} in one rule and {second[name]} in the other; make them equal with"
                f" with_values({name}=...), or rename one of them"
            )
    return {**first, **second}


def _same(first: Any, second: Any) -> bool:
    try:
        return bool(first == second)
    except (ArgumentError, TypeError, ValueError):
        return False
