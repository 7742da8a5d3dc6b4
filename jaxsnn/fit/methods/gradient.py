"""Methods that follow the gradient: any transformation of optax, and L-BFGS."""

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

ENOUGH = 1e-4
"""Least gain of a step, relative to that of the tangent (L. Armijo, 1966, doi:10.2140/pjm.1966.16.1)."""


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
        update = optax.with_extra_args_support(self.transformation).update
        updates, inner = update(slope, inner, z, value=loss, grad=slope, value_fn=problem.differentiable())
        finite = jnp.isfinite(loss) & jnp.all(jnp.isfinite(slope))
        return (optax.apply_updates(z, updates), inner), Step(z, loss, finite, jnp.all(slope == 0), z)


@dataclass(frozen=True)
class LBFGS:
    """L-BFGS (D. C. Liu and J. Nocedal, 1989, doi:10.1007/BF01589116), with the directions of `optax.scale_by_lbfgs`.

    Each step evaluates the loss once: at the end of the direction, or, if that did not help enough, a third of the way
    to the point that failed. So no start of a batch waits for the line search of another. (optax's own search is
    ``Gradient(optax.lbfgs())``.)

    memory: how many past steps approximate the curvature; longest: most that a number without bounds changes in a step.
    """

    steps: int = 200
    memory: int = 10
    longest: float = 1.0
    name: str = "L-BFGS"
    gradient = True
    residuals = False

    def init(self, problem: Problem, z: Array) -> Any:
        loss, slope = problem.value_and_grad(z)
        direction, inner = self._direction(z, slope, optax.scale_by_lbfgs(self.memory).init(z))
        return z, loss, slope, direction, jnp.ones((), z.dtype), inner

    def _direction(self, z: Array, slope: Array, inner: Any) -> tuple[Array, Any]:
        """Where to go: downhill also where the curvature is negative, which L-BFGS is not made for."""
        transformation = optax.scale_by_lbfgs(self.memory)
        update, new = transformation.update(slope, inner, z)
        good = jnp.all(jnp.isfinite(update)) & (update @ slope > 0)
        _, fresh = transformation.update(slope, transformation.init(z), z)
        new = jax.tree.map(lambda a, b: jnp.where(good, a, b), new, fresh)
        direction = -jnp.where(good, update, slope)
        return direction * jnp.minimum(1.0, self.longest / jnp.maximum(jnp.max(jnp.abs(direction)), 1e-30)), new

    def step(self, problem: Problem, state: Any, key: Array) -> tuple[Any, Step]:
        z, loss, slope, direction, length, inner = state
        finite = jnp.isfinite(loss) & jnp.all(jnp.isfinite(slope))
        trial = z + length * direction
        trial_loss, trial_slope = problem.value_and_grad(trial)
        enough = trial_loss <= loss + ENOUGH * length * (direction @ slope)
        good = enough & jnp.all(jnp.isfinite(trial_slope))
        new_direction, new_inner = self._direction(trial, trial_slope, inner)
        ahead = (trial, trial_loss, trial_slope, new_direction, jnp.ones_like(length), new_inner)
        again = (z, loss, slope, direction, length / 3, inner)
        kept = jax.tree.map(lambda a, b: jnp.where(good, a, b), ahead, again)
        return kept, Step(kept[0], kept[1], finite, jnp.all(slope == 0), z)
