"""CMA-ES: a normal distribution of candidates that learns where the better ones lie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.fit.methods.contract import Step
from jaxsnn.fit.problem import Problem

__all__ = ["CMAES"]

Array = Any


@dataclass(frozen=True)
class CMAES:
    """Covariance matrix adaptation, for rough losses with up to some tens of parameters. No gradient is needed.

    N. Hansen, "The CMA Evolution Strategy: A Tutorial" (arXiv:1604.00772), with its standard constants, weighted
    recombination of the better half, rank-one and rank-mu updates.

    steps: generations; population: candidates of each, by default 4 + 3 log(k); spread: the first standard deviation
    of the numbers without bounds.
    """

    steps: int = 100
    population: int | None = None
    spread: float = 1.0
    name: str = "CMA-ES"
    gradient = False
    residuals = False

    def _constants(self, k: int) -> tuple[int, np.ndarray, float, float, float, float, float, float]:
        n = self.population or 4 + int(3 * math.log(k))
        half = max(n // 2, 1)
        weights = math.log((n + 1) / 2) - np.log(np.arange(1, half + 1))
        weights /= weights.sum()
        effective = 1 / float(np.sum(weights**2))
        c_sigma = (effective + 2) / (k + effective + 5)
        damping = 1 + 2 * max(0.0, math.sqrt((effective - 1) / (k + 1)) - 1) + c_sigma
        c_path = (4 + effective / k) / (k + 4 + 2 * effective / k)
        c_one = 2 / ((k + 1.3) ** 2 + effective)
        c_mu = min(1 - c_one, 2 * (effective - 2 + 1 / effective) / ((k + 2) ** 2 + effective))
        return n, weights, effective, c_sigma, damping, c_path, c_one, max(c_mu, 0.0)

    def init(self, problem: Problem, z: Array) -> Any:
        k = z.shape[0]
        zero = jnp.zeros(k, z.dtype)
        return z, jnp.asarray(self.spread, z.dtype), jnp.eye(k, dtype=z.dtype), zero, zero, jnp.asarray(0, jnp.int32)

    def step(self, problem: Problem, state: Any, key: Array) -> tuple[Any, Step]:
        mean, sigma, covariance, path_sigma, path, generation = state
        k = mean.shape[0]
        n, weights, effective, c_sigma, damping, c_path, c_one, c_mu = self._constants(k)
        variances, axes = jnp.linalg.eigh(covariance)
        lengths = jnp.sqrt(jnp.maximum(variances, 1e-12))
        normal = jax.random.normal(key, (n, k), mean.dtype)
        steps = (normal * lengths) @ axes.T
        # The mean is the first candidate of the first generation: a search is never worse than its start.
        steps = steps.at[0].set(jnp.where(generation == 0, 0.0, steps[0]))
        candidates = mean + sigma * steps
        losses = jax.vmap(problem.loss)(candidates)
        ranked = jnp.where(jnp.isfinite(losses), losses, jnp.inf)
        order = jnp.argsort(ranked)
        chosen = steps[order[: len(weights)]]
        w = jnp.asarray(weights, mean.dtype)
        average = w @ chosen
        white = axes @ ((axes.T @ average) / lengths)
        path_sigma = (1 - c_sigma) * path_sigma + math.sqrt(c_sigma * (2 - c_sigma) * effective) * white
        expected = math.sqrt(k) * (1 - 1 / (4 * k) + 1 / (21 * k**2))
        norm = jnp.linalg.norm(path_sigma)
        bias = jnp.sqrt(1 - (1 - c_sigma) ** (2.0 * (generation + 1)))
        fresh = norm / bias < (1.4 + 2 / (k + 1)) * expected
        path = (1 - c_path) * path + jnp.where(fresh, math.sqrt(c_path * (2 - c_path) * effective), 0.0) * average
        lost = jnp.where(fresh, 0.0, c_one * c_path * (2 - c_path))
        covariance = (
            (1 - c_one - c_mu + lost) * covariance
            + c_one * jnp.outer(path, path)
            + c_mu * jnp.einsum("i,ij,ik->jk", w, chosen, chosen)
        )
        moved = mean + sigma * average
        sigma = sigma * jnp.exp(jnp.clip((c_sigma / damping) * (norm / expected - 1), -1.0, 1.0))
        some = jnp.any(jnp.isfinite(losses))
        new = (jnp.where(some, moved, mean), sigma, covariance, path_sigma, path, generation + 1)
        return new, Step(candidates[order[0]], ranked[order[0]], some, jnp.asarray(False), candidates[0])
