"""Least squares by Levenberg's and Marquardt's damped Gauss-Newton steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.fit.methods.contract import Step
from jaxsnn.fit.problem import Problem

__all__ = ["LevenbergMarquardt"]

Array = Any

SMALLEST, LARGEST = 1e-7, 1e7


@dataclass(frozen=True)
class LevenbergMarquardt:
    """(J'J + d diag(J'J)) dz = -J'r, with the damping d divided by 3 after a step that helps and doubled after one that
    does not (D. W. Marquardt, 1963, doi:10.1137/0111030; the factors of M. K. Transtrum and J. P. Sethna, 2012,
    arXiv:1201.5885: "delayed gratification").

    For losses that are sums of squares. Few parameters need a few tens of steps.

    damping: the first d; longest: most that a number without bounds changes in one step.
    """

    steps: int = 60
    damping: float = 0.1
    longest: float = 1.0
    name: str = "Levenberg-Marquardt"
    gradient = True
    residuals = True

    def init(self, problem: Problem, z: Array) -> Any:
        r, jacobian = problem.jacobian(z)
        return z, r @ r, jacobian.T @ jacobian, jacobian.T @ r, jnp.asarray(self.damping, z.dtype)

    def step(self, problem: Problem, state: Any, key: Array) -> tuple[Any, Step]:
        z, loss, curvature, slope, damping = state
        finite = jnp.isfinite(loss) & jnp.all(jnp.isfinite(slope)) & jnp.all(jnp.isfinite(curvature))
        diagonal = jnp.diagonal(curvature)
        # A parameter without influence, as yet, does not move, instead of making the matrix singular.
        size = jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
        scaled = curvature / size[:, None] / size[None, :] + damping * jnp.eye(z.shape[0], dtype=z.dtype)
        move = -jax.scipy.linalg.solve(scaled, slope / size, assume_a="pos") / size
        move = move * jnp.minimum(1.0, self.longest / jnp.maximum(jnp.max(jnp.abs(move)), 1e-30))
        trial = z + jnp.where(jnp.all(jnp.isfinite(move)), move, 0.0)
        r, jacobian = problem.jacobian(trial)
        new = (trial, r @ r, jacobian.T @ jacobian, jacobian.T @ r)
        good = (new[1] < loss) & jnp.all(jnp.isfinite(new[2])) & jnp.all(jnp.isfinite(new[3]))
        kept = tuple(jnp.where(good, a, b) for a, b in zip(new, state[:4], strict=True))
        damping = jnp.clip(jnp.where(good, damping / 3, damping * 2), SMALLEST, LARGEST)
        return (*kept, damping), Step(kept[0], kept[1], finite, jnp.all(slope == 0), z)
