"""Random draws with a derivative: uniform and normal numbers do not depend on parameters, counts follow their mean."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.simulation.gradient.setting import Gradient

__all__ = ["ExpectedDraw", "expected"]

Array = Any


def expected(draw: Any, gradient: Gradient | None) -> Any:
    """The draws of a step, or of its twin."""
    return draw if gradient is None else ExpectedDraw(draw, gradient.relaxed)


class ExpectedDraw:
    """The draws of another object, but counts are floats with the derivative of their mean.

    Noise is reparametrised: ``mu + sigma*randn()`` has the derivatives 1 and ``randn()``. A count has none of its own;
    that of its mean gives the right gradient, on average, of all that is linear in the count. Relaxed, a count *is* its
    mean.
    """

    def __init__(self, draw: Any, relaxed: bool) -> None:
        self.draw = draw
        self.relaxed = relaxed
        self.rand = draw.rand
        self.randn = draw.randn

    def poisson(self, number: int, mean: Array) -> Array:
        return self._count(lambda: self.draw.poisson(number, mean), mean)

    def binomial(self, number: int, n: Array, p: Array) -> Array:
        return self._count(lambda: self.draw.binomial(number, n, p), n * p)

    def _count(self, drawn: Any, mean: Array) -> Array:
        mean = jnp.asarray(mean, jnp.result_type(float, mean))
        if self.relaxed:
            return mean
        return drawn().astype(mean.dtype) + (mean - jax.lax.stop_gradient(mean))
