"""Fitting in rounds, in the manner of brian2modelfitting: what to fit is said once, then `fit` and `refine` go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.fit.fitting import fit
from jaxsnn.fit.losses import Loss, gamma_factor, gamma_loss, read_spikes, trace_mse
from jaxsnn.fit.losses.contract import seconds
from jaxsnn.fit.losses.spikes import target_train
from jaxsnn.fit.methods import CMAES, Method
from jaxsnn.fit.result import FitResult
from jaxsnn.simulation import Params, Simulation, State

__all__ = ["SpikeFitter", "TraceFitter"]


class _Fitter:
    """What both fitters have: a simulation, what is unknown, a loss, and the result so far."""

    def __init__(
        self,
        sim: Simulation,
        params: Params,
        state: State,
        parameters: Mapping[str, Any],
        loss: Loss,
        duration: Any,
        inputs: Mapping[str, Any] | None,
    ) -> None:
        self.sim, self.params, self.state = sim, params, state
        self.parameters = dict(parameters)
        self.loss, self.duration, self.inputs = loss, duration, inputs
        self._result: FitResult | None = None

    @property
    def result(self) -> FitResult:
        """The result of the last round."""
        if self._result is None:
            raise ArgumentError("there is no result yet; call fit() first")
        return self._result

    def fit(
        self,
        method: Method | Sequence[Method] | None = None,
        *,
        starts: int | Mapping[str, Any] = 4,
        restart: bool = False,
        seed: int = 0,
        **stopping: Any,
    ) -> FitResult:
        """One round, by default without gradients (`CMAES`). A second call goes on from where the first ended.

        Args:
            method: One or several methods.
            starts: Where the first round begins, as for `jaxsnn.fit.fit`.
            restart: Forget earlier rounds.
            seed: For starts and methods.
            **stopping: ``patience``, ``tolerance``, ``goal``, ``report`` of `jaxsnn.fit.fit`.
        """
        chosen = CMAES() if method is None else method
        if self._result is not None and not restart:
            self._result = self._result.refine(chosen, seed=seed, **stopping)
        else:
            self._result = fit(
                self.sim, self.params, self.state, self.parameters, self.loss, self.duration, method=chosen,
                starts=starts, inputs=self.inputs, seed=seed, **stopping,
            )  # fmt: skip
        return self._result

    def refine(
        self,
        method: Method | Sequence[Method] | None = None,
        *,
        loss: Any = None,
        keep: int | None = 1,
        **stopping: Any,
    ) -> FitResult:
        """A round with gradients from the best ``keep`` starts (from the present values if there was no round before).

        Args:
            method: By default `LevenbergMarquardt` for sums of squares, else `LBFGS`.
            loss: Another loss than before, for example one that has a slope.
            keep: How many of the best starts go on; all if None.
            **stopping: ``patience``, ``tolerance``, ``goal``, ``report``, ``seed`` of `jaxsnn.fit.fit`.
        """
        if self._result is not None and loss is None:
            self._result = self._result.refine(method, keep=keep, **stopping)
        else:
            starts: Any = 1
            if self._result is not None:
                order = np.sort(np.argsort(self._result.losses)[:keep])
                starts = {path: values[order] for path, values in self._result.starts.items()}
            self._result = fit(
                self.sim, self.params, self.state, self.parameters, self.loss if loss is None else loss,
                self.duration, method=method, starts=starts, inputs=self.inputs, **stopping,
            )  # fmt: skip
        return self._result

    def generate(self, duration: Any = None, inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The record of a run with the best values, for the same time and inputs or others."""
        result = self.result
        duration = self.duration if duration is None else duration
        return self.sim.run(result.params, result.state, duration, self.inputs if inputs is None else inputs)[1]


class TraceFitter(_Fitter):
    """Fit recorded traces.

    Args:
        sim, params, state: A simulation and its trees. Several recordings are several neurons of one group, each with
            its own input.
        parameters: What is fitted, by dotted name, with bounds.
        output: Targets by ``"monitor.variable"``: (T, n) or (T,) values with their unit; NaN is missing data.
        duration: Time of the run.
        inputs: Inputs of the simulation in every step.
        weights: (T,) or (T, n) weights of the samples.
        scale: Sizes of errors by ``"monitor.variable"``; by default the standard deviations of the targets.

    Example:
        >>> import numpy as np
        >>> from jaxsnn import Network, NeuronGroup, StateMonitor
        >>> from jaxsnn.fit import CMAES, TraceFitter
        >>> from jaxsnn.units import ms, mV
        >>> equations = "dv/dt = (I - v)/tau : volt"
        >>> cell = NeuronGroup(1, equations, namespace={"tau": 5 * ms, "I": 1 * mV}, method="exact", name="cell")
        >>> sim = Network(cell, StateMonitor(cell, "v", name="trace")).compile(dt=0.1 * ms)
        >>> seen = 3 * mV * (1 - np.exp(-np.arange(200) * 0.1 / 8))
        >>> unknown = {"cell.tau": (1 * ms, 50 * ms), "cell.I": (0 * mV, 10 * mV)}
        >>> fitter = TraceFitter(sim, *sim.init(), unknown, {"trace.v": seen}, 20 * ms)
        >>> rough = fitter.fit(CMAES(steps=5), starts=2)
        >>> fine = fitter.refine()
        >>> print(f"{fine.best['cell.tau'] / ms:.2f} {fine.best['cell.I'] / mV:.2f}")
        8.00 3.00
    """

    def __init__(
        self,
        sim: Simulation,
        params: Params,
        state: State,
        parameters: Mapping[str, Any],
        output: Mapping[str, Any],
        duration: Any,
        *,
        inputs: Mapping[str, Any] | None = None,
        weights: Any = None,
        scale: Mapping[str, Any] | None = None,
    ) -> None:
        sizes = dict(scale or {})
        losses = [trace_mse(path, y, scale=sizes.pop(path, None), weights=weights) for path, y in output.items()]
        if not losses or sizes:
            raise ArgumentError(
                f"TraceFitter: output needs at least one 'monitor.variable' with its target, and scale names of"
                f" output; got output for {list(output)} and scale for {list(scale or {})}"
            )
        loss = losses[0]
        for other in losses[1:]:
            loss = loss + other
        super().__init__(sim, params, state, parameters, loss, duration, inputs)


class SpikeFitter(_Fitter):
    """Fit spike times.

    Args:
        sim, params, state: A simulation and its trees.
        parameters: What is fitted, by dotted name, with bounds.
        spikes: Name of the `SpikeMonitor`.
        output: Spike times with a unit, one sequence for each recorded neuron, or a (T, n) train.
        duration: Time of the run.
        delta: Precision of a coincidence in the Gamma factor.
        loss: Another loss than `gamma_loss`, for example a sum with `firing_rate` or `trace_mse`.
        inputs: Inputs of the simulation in every step.

    Example:
        >>> from jaxsnn import Network, NeuronGroup, SpikeMonitor
        >>> from jaxsnn.fit import CMAES, SpikeFitter
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(
        ...     1,
        ...     "dv/dt = drive/(10*ms) : 1",
        ...     threshold="v > 1",
        ...     reset="v = 0",
        ...     method="euler",
        ...     namespace={"drive": 1.0},
        ...     name="cell",
        ... )
        >>> sim = Network(cell, SpikeMonitor(cell, name="spikes")).compile(dt=0.1 * ms)
        >>> seen = [[5.0, 10.0, 15.0, 20.0] * ms]
        >>> fitter = SpikeFitter(sim, *sim.init(), {"cell.drive": (0.5, 4.0)}, "spikes", seen, 24 * ms, delta=0.5 * ms)
        >>> result = fitter.fit(CMAES(steps=20), starts=4)
        >>> print(f"{fitter.gamma()[0]:.2f}")
        1.00
    """

    def __init__(
        self,
        sim: Simulation,
        params: Params,
        state: State,
        parameters: Mapping[str, Any],
        spikes: str,
        output: Any,
        duration: Any,
        *,
        delta: Any,
        loss: Any = None,
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        self.spikes, self.output, self.delta = spikes, output, seconds(delta, "SpikeFitter: delta")
        loss = gamma_loss(spikes, output, delta=delta) if loss is None else loss
        super().__init__(sim, params, state, parameters, loss, duration, inputs)

    def gamma(self) -> np.ndarray:
        """The Gamma factor of each neuron with the best values, (n,)."""
        train = read_spikes(self.generate(), self.spikes)
        target = target_train(self.output, train.shape, self.sim.dt, self.spikes)
        return np.asarray(gamma_factor(train, target, self.sim.dt, self.delta))
