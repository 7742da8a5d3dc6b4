"""The contract of methods: how a vector is improved, one step at a time, for one start.

`fit` runs the methods of all starts in one batch with `jax.vmap`, so both functions are pure, and shapes are fixed.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from jaxsnn.fit.problem import Problem

__all__ = ["Method", "Step"]

Array = Any


class Step(NamedTuple):
    """What a step tells.

    z: (k,), the best point that it evaluated; loss: (), there; finite: whether loss and derivatives were; flat: whether
    all derivatives were 0; at: (k,), the point it began from.
    """

    z: Array
    loss: Array
    finite: Array
    flat: Array
    at: Array


class Method(Protocol):
    """A way of minimising.

    name: for messages; steps: most of them; gradient: whether it differentiates the loss; residuals: whether the loss
    needs to be a sum of squares.
    """

    @property
    def name(self) -> str: ...

    @property
    def steps(self) -> int: ...

    @property
    def gradient(self) -> bool: ...

    @property
    def residuals(self) -> bool: ...

    def init(self, problem: Problem, z: Array) -> Any:
        """What the method keeps, for a start at z (k,)."""

    def step(self, problem: Problem, state: Any, key: Array) -> tuple[Any, Step]:
        """One step with random numbers of its own."""
