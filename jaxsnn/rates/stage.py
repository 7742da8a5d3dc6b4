"""One stage of a chain of linear rate neurons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax

__all__ = ["Stage"]

Array = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Stage:
    """What the neurons of a stage hear, and how their weights change; see `jaxsnn.rates.learn`.

    Numbers may be traced by JAX (to fit them); ``stream``, ``lag`` and ``plastic`` are fixed.

    Attributes:
        gain: What part of the weighted input is heard (no unit).
        coupling: What part of the rate of the stage before is added, one step later.
        potentiation: A+, change of a weight per second and hertz^2 where the input comes first.
        depression: A- > 0, likewise where the output comes first.
        w_max: Upper bound of the weights; the lower one is 0.
        stream: Which of the inputs it hears.
        lag: How many steps later.
        plastic: Whether the weights change at all; if not, no bound applies either.

    >>> from jaxsnn.rates import Stage
    >>> Stage(gain=0.5, lag=2, plastic=False).lag
    2
    """

    gain: Array | float = 1.0
    coupling: Array | float = 0.0
    potentiation: Array | float = 0.0
    depression: Array | float = 0.0
    w_max: Array | float = float("inf")
    stream: int = field(default=0, metadata={"static": True})
    lag: int = field(default=0, metadata={"static": True})
    plastic: bool = field(default=True, metadata={"static": True})
