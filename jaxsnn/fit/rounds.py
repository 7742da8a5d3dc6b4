"""The loop: methods one after the other, all starts in one batch, with early stopping and a watch for NaN."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from jaxsnn.errors import ArgumentError, NumericalError
from jaxsnn.fit.methods import Method
from jaxsnn.fit.problem import Problem

__all__ = ["Outcome", "Round", "Stop", "as_methods", "minimise"]

Array = Any

REMEDY = (
    "Common remedies: narrower bounds, a smaller learning rate or optax.clip_by_global_norm before it, several starts,"
    " a smaller dt; a method without gradients (CMAES) passes over such points"
)


@dataclass(frozen=True)
class Stop:
    """When a round ends before its last step.

    patience: steps in which no start became better by ``tolerance`` (relative); goal: a loss that is good enough.
    """

    patience: int = 20
    tolerance: float = 1e-6
    goal: float = 0.0


@dataclass(frozen=True)
class Round:
    """One method's share of a fit.

    history: (steps, S), the best loss of each start so far; reason: why it ended.
    """

    method: str
    history: np.ndarray
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What the loop found: z (S, k) and loss (S,) of each start; notes name starts that went wrong."""

    z: np.ndarray
    loss: np.ndarray
    rounds: tuple[Round, ...]
    notes: tuple[str, ...]


def minimise(
    problem: Problem,
    z: Array,
    methods: Sequence[Method],
    *,
    seed: int = 0,
    stop: Stop = Stop(),
    report: Any = None,
) -> Outcome:
    """Improve every start z (S, k) by one method after the other.

    Each method begins at the best points of the one before. A start whose loss or derivatives become NaN or infinite
    keeps its best point and waits for the next method; a note names the parameter or variable and the step.

    Raises:
        NumericalError: if that happens to every start, or the loss has no slope anywhere for a method that needs one.
        ArgumentError: for a method that does not fit the loss.
    """
    best_z, best = np.array(z), np.full(len(z), np.inf)
    key = jax.random.key(seed)
    rounds, notes = [], []
    with _Progress(report, sum(method.steps for method in methods)) as progress:
        for number, method in enumerate(methods):
            _check(problem, method)
            init, step = _compiled(problem, method)
            state = init(jnp.asarray(best_z))
            alive = np.ones(len(z), bool)
            history: list[np.ndarray] = []
            reason = f"after {method.steps} steps"
            stream = jax.random.fold_in(key, number)
            for k in range(method.steps):
                keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(stream, k), np.arange(len(z)))
                state, info = step(state, keys)
                found, loss = np.asarray(info.z), np.asarray(info.loss, float)
                take = alive & (loss < best)
                best_z[take], best[take] = found[take], loss[take]
                broken = alive & ~np.asarray(info.finite)
                for start in np.flatnonzero(broken):
                    notes.append(_note(problem, method, start, k, info.at[start]))
                alive &= ~broken
                history.append(best.copy())
                progress(method, k, best)
                if not alive.any():
                    if not np.isfinite(best).any() or len(z) == 1:
                        raise NumericalError(f"{notes[-1]}. {REMEDY}")
                    reason = "no start was left"
                    break
                if k == 0 and method.gradient and np.all(np.asarray(info.flat)[alive]) and np.all(best[alive] > 0):
                    raise NumericalError(_flat(problem, method))
                if np.min(best) <= stop.goal:
                    reason = f"at the goal, a loss of {stop.goal:g}"
                    break
                if k >= stop.patience:
                    before = history[-1 - stop.patience]
                    gained = before - best > stop.tolerance * np.abs(before)
                    if not np.any(gained[alive]):
                        reason = f"no better for {stop.patience} steps"
                        break
            rounds.append(Round(method.name, np.array(history), reason))
    return Outcome(best_z, best, tuple(rounds), tuple(notes))


def as_methods(given: Any) -> tuple[Method, ...]:
    """One or several methods as a tuple; `ArgumentError` for anything else."""
    methods = tuple(given) if isinstance(given, list | tuple) else (given,)
    for method in methods:
        if not hasattr(method, "init") or not hasattr(method, "step"):
            raise ArgumentError(
                f"a method is LevenbergMarquardt(), LBFGS(), Gradient(optax.adam(0.05)), CMAES() or"
                f" DifferentialEvolution(), or a list of them; got {method!r}"
            )
    return methods


def _compiled(problem: Problem, method: Method) -> tuple[Any, Any]:
    if method not in problem.compiled:
        problem.compiled[method] = (
            jax.jit(jax.vmap(lambda z: method.init(problem, z))),
            jax.jit(jax.vmap(lambda state, key: method.step(problem, state, key))),
        )
    return problem.compiled[method]


def _check(problem: Problem, method: Method) -> None:
    if method.residuals:
        shape = jax.eval_shape(problem.residuals, jnp.zeros(problem.space.size, problem.space.dtype))
        if shape is None:
            name = getattr(problem.criterion, "name", "this loss")
            raise ArgumentError(f"{method.name} needs a sum of squares, which {name!r} is not; write method=LBFGS()")


def _note(problem: Problem, method: Method, start: int, step: int, z: Array) -> str:
    what = problem.culprit(z, method.gradient) or "no point that it tried had a finite loss and finite derivatives"
    return f"start {start} stopped in step {step} of {method.name}: {what}"


def _flat(problem: Problem, method: Method) -> str:
    return (
        f"{method.name}: the derivatives of the loss with respect to {', '.join(problem.space.labels)} are all 0, so"
        " there is no direction to go. Either they have no influence at these values, or the loss sees them through"
        " spikes alone: that needs a simulation with surrogate gradients, or a method without gradients, method=CMAES()"
    )


class _Progress:
    """A bar with the best loss, a function ``report(method, step, losses)`` of the user, or nothing."""

    def __init__(self, report: Any, steps: int) -> None:
        self.function: Callable[..., None] | None = report if callable(report) else None
        self.bar: Any = None
        if report is not None and self.function is None:
            stream = sys.stdout if report in ("text", "stdout") else sys.stderr
            self.bar = tqdm(total=steps, file=stream, unit="step", mininterval=0.2)

    def __enter__(self) -> _Progress:
        return self

    def __call__(self, method: Method, step: int, losses: np.ndarray) -> None:
        if self.function is not None:
            self.function(method.name, step, losses.copy())
        elif self.bar is not None:
            self.bar.set_description(f"{method.name}, loss {np.min(losses):.4g}", refresh=False)
            self.bar.update()

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()
