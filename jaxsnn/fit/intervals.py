"""Confidence intervals from the curvature of the loss at its minimum."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.fit.problem import Problem
from jaxsnn.units import Quantity, get_dimensions
from jaxsnn.units.display import best_scale

__all__ = ["Intervals", "intervals"]

PINNED = 1e-3
"""Where a bijection is so flat, relative to where it is steepest, a parameter is at its bound."""


@dataclass(frozen=True)
class Intervals:
    """Best values with their uncertainty.

    best, error, lower, upper: quantities by dotted name; ``error`` is the standard error. correlation: (k, k), of the
    entries in ``labels``. notes: what the data do not determine.
    """

    level: float
    best: dict[str, Any]
    error: dict[str, Any]
    lower: dict[str, Any]
    upper: dict[str, Any]
    labels: tuple[str, ...]
    correlation: np.ndarray
    notes: tuple[str, ...]

    def __str__(self) -> str:
        width = max(len(path) for path in self.best)
        lines = [f"{'':{width}}  best ± standard error ({self.level:.0%} interval)"]
        for path, value in self.best.items():
            row = (value, self.error[path], self.lower[path], self.upper[path])
            lines.append(f"{path:{width}}  " + _in_one_unit(*row))
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def _in_one_unit(best: Any, error: Any, lower: Any, upper: Any) -> str:
    """A row of the table, with as many digits as the error has meaning (two)."""
    dim = get_dimensions(best)
    numbers = [np.asarray(x.value if isinstance(x, Quantity) else x, float) for x in (best, error, lower, upper)]
    scale = best_scale(numbers[0], dim)
    numbers = [x / scale.size for x in numbers]
    finite = numbers[1][np.isfinite(numbers[1]) & (numbers[1] > 0)]
    digits = max(0, 1 - int(np.floor(np.log10(finite.min())))) if finite.size else 4
    b, e, low, high = (np.array2string(x, formatter={"float_kind": lambda y: f"{y:.{digits}f}"}) for x in numbers)
    return f"{b} ± {e} ({low}, {high}) {scale.symbol}".rstrip()


def intervals(problem: Problem, z: Any, *, level: float = 0.95, curvature: str | None = None) -> Intervals:
    """Intervals of the parameters at a minimum z (k,).

    For a sum of squares of m residuals the covariance of z is s² (J'J)^-1 (``curvature="gauss-newton"``) or
    2 s² H^-1 (``"hessian"``), with s² = loss/(m - k): that of nonlinear regression with independent errors of equal
    size (G. A. F. Seber and C. J. Wild, 1989, doi:10.1002/0471725315). Any other loss is taken for a negative
    log-likelihood, with the covariance H^-1. The interval of a number without bounds, z ± q error, is mapped to the
    parameter, so it respects the bounds. Residuals of one trace are rarely independent: then errors come out too small.
    """
    if not 0 < level < 1:
        raise ArgumentError(f"level is a probability such as 0.95, got {level!r}")
    space = problem.space
    z = jnp.asarray(z, space.dtype)
    squares = problem.residuals(z) is not None
    curvature = curvature or ("gauss-newton" if squares else "hessian")
    if curvature not in ("gauss-newton", "hessian") or (curvature == "gauss-newton" and not squares):
        raise ArgumentError(
            f"curvature is 'gauss-newton' (for sums of squares) or 'hessian', got {curvature!r}"
            + ("" if squares else "; this loss is no sum of squares")
        )
    slopes = np.asarray(jax.jacfwd(space.values)(z), float).diagonal()
    free = _free(problem, np.asarray(z, float), slopes)
    noise = 1.0
    if squares:
        r, jacobian = (np.asarray(x, float) for x in jax.jit(problem.jacobian)(z))
        if r.size <= space.size:
            raise ArgumentError(f"{r.size} residuals leave nothing to estimate the noise for {space.size} parameters")
        noise = float(r @ r) / (r.size - space.size)
    if curvature == "gauss-newton":
        matrix = jacobian.T @ jacobian
    else:
        matrix = np.asarray(jax.jit(jax.jacfwd(jax.jacfwd(problem.smooth_loss)))(z), float)
        matrix = (matrix + matrix.T) / (4 if squares else 2)
    covariance, notes = _inverse(matrix, free, space.labels)
    covariance = noise * covariance
    error = np.sqrt(np.diagonal(covariance))
    quantile = NormalDist().inv_cdf(0.5 + level / 2)
    reach = np.where(np.isfinite(error), quantile * error, np.inf)
    low, high = (np.asarray(space.values(jnp.asarray(np.asarray(z) + s * reach, space.dtype))) for s in (-1, 1))
    with np.errstate(invalid="ignore"):
        correlation = covariance / np.outer(error, error)
    return Intervals(
        level=level,
        best=space.shown(space.values(z)),
        error=space.shown(np.abs(slopes) * error),
        lower=space.shown(low),
        upper=space.shown(high),
        labels=tuple(space.labels),
        correlation=correlation,
        notes=tuple(notes),
    )


def _free(problem: Problem, z: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Which entries are not at a bound."""
    free = np.ones(len(z), bool)
    for place in problem.space.places:
        low, high = place.bijection.range()
        if np.isfinite(low) and np.isfinite(high):
            free[place.part] = slopes[place.part] > PINNED * (high - low) / 4
    return free


def _inverse(matrix: np.ndarray, free: np.ndarray, labels: list[str]) -> tuple[np.ndarray, list[str]]:
    """The inverse among free entries, infinite where the matrix says nothing, and sentences about that."""
    k = len(matrix)
    result = np.full((k, k), 0.0)
    result[~free, ~free] = np.inf
    notes = [f"{labels[i]} is at its bound, so it has no interval" for i in np.flatnonzero(~free)]
    if not free.any():
        return result, notes
    inner = matrix[np.ix_(free, free)]
    size = np.sqrt(np.maximum(np.diagonal(inner), 0))
    size = np.where(size > 0, size, 1.0)
    scaled = inner / np.outer(size, size)
    values, vectors = np.linalg.eigh(scaled)
    names = [label for label, f in zip(labels, free, strict=True) if f]
    weak = values < 1e-7 * max(values[-1], 1e-300)
    inverse = (vectors[:, ~weak] / values[~weak]) @ vectors[:, ~weak].T
    for direction in vectors[:, weak].T:
        parts = [(w, name) for w, name in zip(direction, names, strict=True) if abs(w) > 0.1]
        notes.append("the data do not determine " + " ".join(f"{w:+.2f} {name}" for w, name in parts))
        lost = np.abs(direction) > 0.1
        inverse[lost, lost] = np.inf
    result[np.ix_(free, free)] = inverse / np.outer(size, size)
    return result, notes
