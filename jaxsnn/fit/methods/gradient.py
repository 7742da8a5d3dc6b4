"""Methods that follow the gradient: any transformation of optax, and L-BFGS with a line search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxsnn.errors import ArgumentError
from jaxsnn.fit.methods.contract import Step
from jaxsnn.fit.problem import Problem

__all__ = ["LBFGS", "Gradient"]

Array = Any


@dataclass(frozen=True)
class Gradient:
    """Any gradient transformation of optax: ``Gradient(optax.adam(0.05), steps=500)``.

    Steps are taken in the numbers without bounds, where a change of one is a large part of the range.
    """

    transformation: Any
    steps: int = 500
    name: str = "gradient descent"
    gradient = True
    residuals = False

    def __post_init__(self) -> None:
        if not hasattr(self.transformation, "update"):
            raise ArgumentError(
                f"Gradient takes a transformation of optax such as optax.adam(0.05), got {self.transformation!r}"
            )

    def init(self, problem: Problem, z: Array) -> Any:
        return z, self.transformation.init(z)

    def step(self, problem: Problem, state: Any, key: Array) -> tuple[Any, Step]:
        z, inner = state
        loss, slope = problem.value_and_grad(z)
        updates, inner = self.transformation.update(slope, inner, z, value=loss, grad=slope, value_fn=problem.loss)
        finite = jnp.isfinite(loss) & jnp.all(jnp.isfinite(slope))
        return (optax.apply_updates(z, updates), inner), Step(z, loss, finite, jnp.all(slope == 0), z)


@dataclass(frozen=True)
class LBFGS:
    """L-BFGS (D. C. Liu and J. Nocedal, 1989, doi:10.1007/BF01589116) with optax's zoom line search.

    memory: how many past steps approximate the curvature.
    """

    steps: int = 100
    memory: int = 10
    name: str = "L-BFGS"
    gradient = True
    residuals = False

    @property
    def transformation(self) -> Any:
        """The one of optax."""
        return optax.lbfgs(memory_size=self.memory)

    def init(self, problem: Problem, z: Array) -> Any:
        return z, self.transformation.init(z)

    def step(self, problem: Problem, state: Any, key: Array) -> tuple[Any, Step]:
        z, inner = state
        loss_of = problem.differentiable()
        # The line search has evaluated the point it went to.
        loss, slope = optax.value_and_grad_from_state(loss_of)(z, state=inner)
        updates, new = self.transformation.update(slope, inner, z, value=loss, grad=slope, value_fn=loss_of)
        finite = jnp.isfinite(loss) & jnp.all(jnp.isfinite(slope))
        after = optax.apply_updates(z, updates)
        after = jnp.where(jnp.all(jnp.isfinite(after)), after, z)
        new = jax.tree.map(lambda a, b: jnp.where(jnp.all(jnp.isfinite(updates)), a, b), new, inner)
        return (after, new), Step(z, loss, finite, jnp.all(slope == 0), z)
