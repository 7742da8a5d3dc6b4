"""The function that is minimised: from the vector of parameters through a run to the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.fit.parameters import Space
from jaxsnn.simulation import Params, Simulation, State

__all__ = ["Problem"]

Array = Any

FEW = 32
"""Up to so many parameters, forward mode costs less than reverse mode: it keeps nothing of the run, and all
directions share the operations of a step."""


class Problem:
    """A loss as a function of the vector z of a `Space`: (k,) -> ().

    ``compiled`` keeps the functions of methods for later rounds.
    """

    def __init__(
        self,
        sim: Simulation,
        params: Params,
        state: State,
        wanted: Mapping[str, Any],
        loss: Any,
        duration: Any,
        inputs: Mapping[str, Array] | None = None,
    ) -> None:
        if not callable(loss):
            raise ArgumentError(f"loss is a loss of jaxsnn.fit or a function of (record, dt), got {loss!r}")
        self.sim = sim
        self.space = Space(sim, params, state, wanted)
        self.criterion = loss
        self.steps = sim.steps(duration)
        self.inputs = None if inputs is None else dict(inputs)
        self.compiled: dict[Any, Any] = {}
        self.forward = self.space.size <= FEW
        value = jax.eval_shape(self.loss, jnp.zeros(self.space.size, self.space.dtype))
        if value.shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
            raise ArgumentError(
                f"the loss needs to be one floating-point number, got {value.dtype} of shape {value.shape}"
            )

    def run(self, z: Array, smooth: bool = False) -> tuple[State, dict[str, Any]]:
        """State and record of a run with the values of z; ``smooth``: spikes are recorded so that they have a slope."""
        params, state = self.space.trees(z)
        return self.sim.run(params, state, self.steps, self.inputs, float_spikes=smooth)

    def loss(self, z: Array) -> Array:
        """The loss, without a slope with respect to spikes."""
        return self.criterion(self.run(z)[1], self.sim.dt)

    def smooth_loss(self, z: Array) -> Array:
        """The same, to be differentiated."""
        return self.criterion(self.run(z, smooth=True)[1], self.sim.dt)

    def residuals(self, z: Array) -> Array | None:
        """(m,) errors whose squares sum up to the loss, or None if it has none."""
        if not hasattr(self.criterion, "residuals"):
            return None
        return self.criterion.residuals(self.run(z, smooth=True)[1], self.sim.dt)

    def jacobian(self, z: Array) -> tuple[Array, Array]:
        """Residuals (m,) and their derivatives (m, k)."""

        def twice(z: Array) -> tuple[Array, Array]:
            r = self.residuals(z)
            return r, r

        derivative, r = (jax.jacfwd if self.forward else jax.jacrev)(twice, has_aux=True)(z)
        return r, derivative

    def value_and_grad(self, z: Array) -> tuple[Array, Array]:
        """The loss and its gradient."""
        if not self.forward:
            return jax.value_and_grad(self.smooth_loss)(z)

        def twice(z: Array) -> tuple[Array, Array]:
            value = self.smooth_loss(z)
            return value, value

        gradient, value = jax.jacfwd(twice, has_aux=True)(z)
        return value, gradient

    def differentiable(self) -> Any:
        """The loss as a function whose derivative, asked for in reverse mode, is computed by `value_and_grad`."""

        @jax.custom_vjp
        def loss(z: Array) -> Array:
            return self.loss(z)

        loss.defvjp(self.value_and_grad, lambda gradient, ct: (ct * gradient,))
        return loss

    # ---- what went wrong -------------------------------------------------------------------------

    def culprit(self, z: Array, derivatives: bool) -> str:
        """Which of variables, loss and (if asked) derivatives is not finite at z, in a sentence; empty if none."""
        state, record = self.run(z)
        value = float(self.criterion(record, self.sim.dt))
        shown = ", ".join(f"{path} = {x}" for path, x in self.space.shown(self.space.values(z)).items())
        bad = [
            f"{owner}.{name} of element {np.flatnonzero(~np.isfinite(np.atleast_1d(x)))[0]}"
            for owner, names in state.values.items()
            for name, x in names.items()
            if jnp.issubdtype(x.dtype, jnp.floating) and not np.all(np.isfinite(x))
        ]
        if bad:
            return f"in the run, {' and '.join(bad)} became NaN or infinite, with {shown}"
        if not np.isfinite(value):
            return f"the loss is {value}, although all variables are finite at the end of the run, with {shown}"
        if not derivatives:
            return ""
        try:
            # In reverse mode a NaN stays with its parameter; forward mode carries 0 * NaN into every direction.
            gradient = np.asarray(jax.grad(self.smooth_loss)(z))
        except ValueError:  # loops over spikes have no reverse mode
            gradient = np.asarray(self.value_and_grad(z)[1])
        wrong = [label for label, g in zip(self.space.labels, gradient, strict=True) if not np.isfinite(g)]
        if wrong:
            which = "every parameter" if len(wrong) == len(gradient) > 1 else ", ".join(wrong)
            return f"the loss is {value:.4g}, but its derivative with respect to {which} is not finite, with {shown}"
        return ""
