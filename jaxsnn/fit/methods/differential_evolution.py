"""Differential evolution: candidates move along the differences between others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.fit.methods.contract import Step
from jaxsnn.fit.problem import Problem

__all__ = ["DifferentialEvolution"]

Array = Any


@dataclass(frozen=True)
class DifferentialEvolution:
    """``z_i + F (z_best - z_i) + F (z_a - z_b)``, mixed with z_i at the rate ``crossover``, and kept if it is better.

    R. Storn and K. Price (1997), doi:10.1023/A:1008202821328: "current to best", with F drawn for each candidate, which
    keeps them apart. No gradient is needed; slower than CMA-ES on smooth valleys, and harder to trap.

    steps: generations; population: candidates, by default 10 for each parameter, at least 20; spread: standard
    deviation of the first ones around the start, in numbers without bounds; factor: least F (the largest is 1).
    """

    steps: int = 100
    population: int | None = None
    spread: float = 1.5
    factor: float = 0.5
    crossover: float = 0.9
    name: str = "differential evolution"
    gradient = False
    residuals = False

    def init(self, problem: Problem, z: Array) -> Any:
        k = z.shape[0]
        n = self.population or max(20, 10 * k)
        # The same cloud around every start: random numbers come with the steps only.
        cloud = np.random.default_rng(0).normal(size=(n, k)) * self.spread
        cloud[0] = 0.0
        candidates = z + jnp.asarray(cloud, z.dtype)
        losses = jax.vmap(problem.loss)(candidates)
        return candidates, jnp.where(jnp.isfinite(losses), losses, jnp.inf)

    def step(self, problem: Problem, state: Any, key: Array) -> tuple[Any, Step]:
        candidates, losses = state
        n, k = candidates.shape
        partners, cross, fixed, size = jax.random.split(key, 4)
        best = candidates[jnp.argmin(losses)]
        # Two different others for each: shifts by different numbers.
        a = (jnp.arange(n) + jax.random.randint(partners, (n,), 1, n)) % n
        b = (a + jax.random.randint(jax.random.fold_in(partners, 1), (n,), 1, n)) % n
        factor = jax.random.uniform(size, (n, 1), candidates.dtype, self.factor, 1.0)
        mutant = candidates + factor * (best - candidates + candidates[a] - candidates[b])
        taken = jax.random.uniform(cross, (n, k)) < self.crossover
        taken = taken | (jnp.arange(k) == jax.random.randint(fixed, (n, 1), 0, k))
        trial = jnp.where(taken, mutant, candidates)
        trial_losses = jax.vmap(problem.loss)(trial)
        take = trial_losses < losses  # false for NaN
        candidates = jnp.where(take[:, None], trial, candidates)
        losses = jnp.where(take, trial_losses, losses)
        first = jnp.argmin(losses)
        finite = jnp.isfinite(losses[first])
        return (candidates, losses), Step(candidates[first], losses[first], finite, jnp.asarray(False), candidates[0])
