"""What a fit found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn import plot
from jaxsnn.fit.intervals import Intervals, intervals
from jaxsnn.fit.methods import LBFGS, LevenbergMarquardt, Method
from jaxsnn.fit.problem import Problem
from jaxsnn.fit.rounds import Outcome, Stop, as_methods, minimise
from jaxsnn.simulation import Params, State

__all__ = ["FitResult", "gradient_method"]


@dataclass(frozen=True)
class FitResult:
    """The outcome of `fit`. ``print`` shows it.

    Attributes:
        problem: What was minimised.
        outcome: Best vector and loss of every start, the rounds and their notes.
    """

    problem: Problem
    outcome: Outcome

    @cached_property
    def _winner(self) -> int:
        return int(np.argmin(np.where(np.isfinite(self.outcome.loss), self.outcome.loss, np.inf)))

    @property
    def loss(self) -> float:
        """The smallest loss."""
        return float(self.outcome.loss[self._winner])

    @property
    def losses(self) -> np.ndarray:
        """(S,): the loss of every start."""
        return self.outcome.loss

    @property
    def best(self) -> dict[str, Any]:
        """The best values with their units, by dotted name."""
        return self.problem.space.shown(self.problem.space.values(self._z))

    @property
    def starts(self) -> dict[str, Any]:
        """The values every start ended with, (S, ...), by dotted name."""
        return self.problem.space.shown(self.problem.space.values(jnp.asarray(self.outcome.z)))

    @property
    def params(self) -> Params:
        """The parameters of the simulation with the best values put in."""
        return self.problem.space.trees(self._z)[0]

    @property
    def state(self) -> State:
        """The initial state with the best values put in."""
        return self.problem.space.trees(self._z)[1]

    @property
    def history(self) -> np.ndarray:
        """(steps, S): the best loss of each start so far, all rounds one after the other."""
        return np.concatenate([r.history for r in self.outcome.rounds])

    @property
    def notes(self) -> tuple[str, ...]:
        """Starts that went wrong: which, when, and what became NaN."""
        return self.outcome.notes

    @property
    def _z(self) -> Any:
        return jnp.asarray(self.outcome.z[self._winner])

    def record(self) -> dict[str, Any]:
        """The record of a run with the best values."""
        return jax.jit(lambda z: self.problem.run(z)[1])(self._z)

    def terms(self) -> dict[str, float]:
        """The parts of a loss that is a weighted sum, at the best values."""
        criterion = self.problem.criterion
        if not hasattr(criterion, "terms"):
            return {"loss": self.loss}
        return {name: float(x) for name, x in criterion.terms(self.record(), self.problem.sim.dt).items()}

    def intervals(self, level: float = 0.95, curvature: str | None = None) -> Intervals:
        """Confidence intervals of the best values from the curvature of the loss (see `fit.intervals`).

        Args:
            level: Probability.
            curvature: ``"gauss-newton"`` (the default for sums of squares) or ``"hessian"``.
        """
        return intervals(self.problem, self._z, level=level, curvature=curvature)

    def refine(
        self,
        method: Method | Sequence[Method] | None = None,
        *,
        keep: int | None = None,
        seed: int = 0,
        patience: int = 20,
        tolerance: float = 1e-6,
        goal: float = 0.0,
        report: Any = None,
    ) -> FitResult:
        """Go on with another method from where the starts ended.

        Args:
            method: By default one with gradients: `LevenbergMarquardt` for sums of squares, else `LBFGS`.
            keep: How many of the best starts go on; all if left out.
            seed, patience, tolerance, goal, report: As for `fit`.
        """
        methods = as_methods(gradient_method(self.problem) if method is None else method)
        order = np.argsort(np.where(np.isfinite(self.losses), self.losses, np.inf))[:keep]
        z = jnp.asarray(self.outcome.z[np.sort(order)])
        outcome = minimise(self.problem, z, methods, seed=seed, stop=Stop(patience, tolerance, goal), report=report)
        return FitResult(self.problem, outcome)

    def plot(self, ax: Any = None) -> Any:
        """The loss of every start over the steps (see `plot.convergence`); returns the `Axes`."""
        return plot.convergence(self, ax)

    def __str__(self) -> str:
        lines = [f"loss {self.loss:.6g} (best of {len(self.losses)} starts)"]
        width = max(len(path) for path in self.best)
        lines += [f"  {path:{width}}  {value}" for path, value in self.best.items()]
        for r in self.outcome.rounds:
            lines.append(f"{r.method}: {len(r.history)} steps, {r.reason}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def gradient_method(problem: Problem) -> Method:
    """The method with gradients that fits the loss."""
    z = jnp.zeros(problem.space.size, problem.space.dtype)
    return LBFGS() if jax.eval_shape(problem.residuals, z) is None else LevenbergMarquardt()
