"""fit: parameters of a simulation that minimise a loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.fit.methods import Method
from jaxsnn.fit.problem import Problem
from jaxsnn.fit.result import FitResult, gradient_method
from jaxsnn.fit.rounds import Stop, as_methods, minimise
from jaxsnn.simulation import Params, Simulation, State

__all__ = ["fit"]


def fit(
    sim: Simulation,
    params: Params,
    state: State,
    parameters: Mapping[str, Any],
    loss: Any,
    duration: Any,
    *,
    method: Method | Sequence[Method] | None = None,
    starts: int | Mapping[str, Any] = 1,
    inputs: Mapping[str, Any] | None = None,
    seed: int = 0,
    patience: int = 20,
    tolerance: float = 1e-6,
    goal: float = 0.0,
    report: Any = None,
) -> FitResult:
    r"""Find values of parameters and initial values that minimise a loss of the record of a run.

    Args:
        sim, params, state: A simulation and its trees, from ``net.compile()`` and ``sim.init()``.
        parameters: What is fitted, by dotted name: ``(lower, upper)`` with units, a bijection, or a `Trainable`.
        loss: One of `jaxsnn.fit.losses`, a weighted sum of them, or a function of (record, dt in second).
        duration: Time of the run, or a whole number of steps.
        method: A method, or several: each goes on from the best points of the one before. By default
            `LevenbergMarquardt` for sums of squares and `LBFGS` for other losses.
        starts: 1 begins at the present values; n > 1 draws n points within the bounds, which run as one batch; a
            mapping from names to values gives them by hand.
        inputs: Inputs of the simulation, as for ``sim.run``.
        seed: For starts and methods.
        patience, tolerance, goal: A round ends early after ``patience`` steps without a relative gain of ``tolerance``
            in any start, or with a loss of at most ``goal``.
        report: ``"text"`` or ``"stderr"`` for a bar, or a function ``report(method, step, losses)``.

    Returns:
        A `FitResult`: best values with units, all starts, history, confidence intervals.

    Raises:
        ArgumentError: for unknown names, bounds that do not hold the present values, or a method that does not fit.
        DimensionError: for bounds in a wrong unit.
        NumericalError: if loss or derivatives become NaN in every start, with the parameter, start and step; or if a
            method that needs a slope finds none.

    Example:
        A leaky membrane decays from 1 with an unknown time constant.

        >>> import jax.numpy as jnp
        >>> from jaxsnn import Network, NeuronGroup, StateMonitor
        >>> from jaxsnn.fit import fit, trace_mse
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(1, "dv/dt = -v/tau : 1", namespace={"tau": 5 * ms}, method="exact", name="cell")
        >>> cell.v = 1
        >>> sim = Network(cell, StateMonitor(cell, "v", name="trace")).compile(dt=0.1 * ms)
        >>> params, state = sim.init()
        >>> seen = jnp.exp(-jnp.arange(200) * 0.1 / 12)
        >>> result = fit(sim, params, state, {"cell.tau": (1 * ms, 50 * ms)}, trace_mse("trace.v", seen), 20 * ms)
        >>> print(f"{result.best['cell.tau'] / ms:.3f}")
        12.000
    """
    if not isinstance(starts, Mapping) and (not isinstance(starts, int | np.integer) or starts < 1):
        raise ArgumentError(f"starts is a number of starts, or values by dotted name, got {starts!r}")
    problem = Problem(sim, params, state, parameters, loss, duration, inputs)
    methods = as_methods(gradient_method(problem) if method is None else method)
    z = problem.space.begin(starts, np.random.default_rng(seed))
    outcome = minimise(problem, z, methods, seed=seed, stop=Stop(patience, tolerance, goal), report=report)
    return FitResult(problem, outcome)
