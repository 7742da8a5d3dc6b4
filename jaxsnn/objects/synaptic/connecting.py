"""From the arguments of `Synapses.connect` to the pairs it creates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsnn.equations.expressions import parse
from jaxsnn.equations.generator import parse_generator
from jaxsnn.errors import ConnectError, Source
from jaxsnn.objects.base import generator_for
from jaxsnn.objects.connect import rules
from jaxsnn.objects.connect.sides import SynapseSides

if TYPE_CHECKING:
    from jaxsnn.objects.synapses import Synapses

__all__ = ["new_pairs"]


def new_pairs(
    synapses: Synapses,
    condition: Any,
    i: Any,
    j: Any,
    p: Any,
    n: Any,
    skip_if_invalid: bool,
    given: Mapping[str, Any] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """The ends (i, j) of the synapses to be created, (S,) int32 each."""
    n_pre, n_post = len(synapses.source), len(synapses.target)
    random = generator_for(synapses.order_name, "connect")
    where = f"{synapses.name}: connect"
    _check(where, condition, i, j, p, n)
    if isinstance(i, str) or isinstance(j, str):
        side = "j" if isinstance(j, str) else "i"
        text = j if isinstance(j, str) else i
        source = Source(text, f"{where}: {side}")
        rule = parse_generator(text, side, source)
        new = rules.by_generator(SynapseSides(synapses, source, given), rule, skip_if_invalid, random)
    elif i is not None:
        new = rules.from_arrays(i, j, n_pre, n_post, p=p, n=n, rng=random)
    elif condition is False:
        new = np.zeros(0, np.int32), np.zeros(0, np.int32)
    else:
        chosen = condition if isinstance(condition, str) else None
        source = Source(str(p) if chosen is None else chosen, where)
        sides = SynapseSides(synapses, source, given)
        parsed = None if chosen is None else parse(chosen, source)
        probability = parse(p, Source(p, f"{where}: p")) if isinstance(p, str) else p
        number = parse(n, Source(n, f"{where}: n")) if isinstance(n, str) else n
        new = rules.by_condition(sides, parsed, probability, number, random)
    return np.asarray(new[0], np.int32), np.asarray(new[1], np.int32)


def _check(where: str, condition: Any, i: Any, j: Any, p: Any, n: Any) -> None:
    if condition is not None and not isinstance(condition, str | bool):
        raise ConnectError(
            f"{where}: a condition is text such as 'i != j', got {type(condition).__name__}; a matrix of True and"
            f" False connects with i, j = matrix.nonzero() and connect(i=i, j=j)"
        )
    for what, number in (("p", p), ("n", n)):
        if np.ndim(number):
            raise ConnectError(f"{where}: {what} is one number or text, got {number!r}")
    if condition is not None and (i is not None or j is not None):
        raise ConnectError(f"{where}: give either a condition or i/j, not both")
    if isinstance(i, str) or isinstance(j, str):
        if i is not None and j is not None:
            raise ConnectError(f"{where}: a rule in text is for one end; give either i='...' or j='...'")
        side = "j" if isinstance(j, str) else "i"
        if not (isinstance(p, int | float) and p == 1) or not (isinstance(n, int) and n == 1):
            raise ConnectError(
                f"{where}: p and n do not go with a rule for {side}; write 'k for k in sample(..., p=...)'"
            )
    elif i is not None or j is not None:
        if i is None or j is None:
            raise ConnectError(f"{where}: give both i and j, or a rule in text for one of them")
        if isinstance(p, str) or isinstance(n, str):
            raise ConnectError(f"{where}: with arrays i and j, p and n are numbers")
