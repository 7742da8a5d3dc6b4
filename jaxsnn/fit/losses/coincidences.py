"""The Gamma factor: coincident spikes, beyond those by chance. It has no slope: for searches without gradients."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.fit.losses.contract import Loss, Record, Value, read_spikes, seconds
from jaxsnn.fit.losses.spikes import target_train

__all__ = ["gamma_factor", "gamma_loss"]

Array = Any


def gamma_factor(spikes: Array, target: Array, dt: float, delta: float) -> Array:
    """Gamma = 2/(1 - 2 nu D) (N_coinc - 2 nu D N_target)/(N_target + N), for each element: (n,).

    N_coinc: spikes of the target with one of the model at most D = ``delta`` second away; nu: rate of the model. 1 for
    the same spikes, 0 for as many coincidences as a Poisson train of the rate nu has. Two silent trains give 1, a
    silent and an active one 0. Where 2 nu D reaches 1, coincidences say nothing, and Gamma is -1.

    Args:
        spikes, target: (T, n) zeros and ones.
        dt, delta: Time step and precision in second.

    Example:
        >>> import numpy as np
        >>> model, data = np.zeros((10000, 1)), np.zeros((10000, 1))
        >>> model[[1000, 5000]] = data[[1010, 5000]] = 1  # 1 and 0 ms apart
        >>> gamma_factor(model, data, dt=1e-4, delta=2e-3).tolist()
        [1.0]
    """
    width = int(np.floor(delta / dt + 1e-6))
    steps = spikes.shape[0]
    total = jnp.concatenate([jnp.zeros((1, spikes.shape[1])), jnp.cumsum(spikes, axis=0)])
    at = np.arange(steps)
    near = total[np.minimum(at + width + 1, steps)] - total[np.maximum(at - width, 0)]
    coincident = (target * (near > 0.5)).sum(axis=0)
    model, data = spikes.sum(axis=0), target.sum(axis=0)
    chance = 2 * delta * model / (steps * dt)
    gamma = 2 * (coincident - chance * data) / jnp.maximum(model + data, 1) / jnp.maximum(1 - chance, 1e-6)
    return jnp.where(model + data == 0, 1.0, jnp.where(chance < 1, gamma, -1.0))


def gamma_loss(name: str, target: Any, *, delta: Any, rate_weight: float = 2.0) -> Loss:
    """1 - Gamma + rate_weight |N - N*|/N*, mean over the elements (see `gamma_factor`); for searches without gradients.

    The second term is that of C. Clopath, R. Jolivet, A. Rauch, H.-R. Lüscher and W. Gerstner (2007),
    doi:10.1016/j.neucom.2006.10.047. Without it, a model that fires so often that it cannot miss a spike does well.

    Args:
        name: Name of a `SpikeMonitor`.
        target: Spike times with a unit, one sequence for each element, or a (T, n) train.
        delta: Precision of a coincidence, commonly 2 or 4 ms.
        rate_weight: Weight of the difference of the numbers of spikes.
    """
    width = seconds(delta, f"{name}: delta")
    if not width > 0:
        raise ArgumentError(f"{name}: delta needs to be positive, got {delta}")

    def function(record: Record, dt: float) -> Array:
        spikes = read_spikes(record, name)
        wanted = jnp.asarray(target_train(target, spikes.shape, dt, name), spikes.dtype)
        counts, wanted_counts = spikes.sum(axis=0), wanted.sum(axis=0)
        missed = jnp.abs(counts - wanted_counts) / jnp.maximum(wanted_counts, 1)
        return (1 - gamma_factor(spikes, wanted, dt, width) + rate_weight * missed).mean()

    return Value(f"1 - Gamma factor of {name}", function)
