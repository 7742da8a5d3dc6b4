"""Losses on spike trains: distances between what fired and what should have.

Spikes are (T, n) floats, so a network that is differentiable through its spikes makes these losses differentiable.
Targets are spike times, one sequence with a unit for each of the n elements, or a (T, n) array of zeros and ones.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.fit.losses.contract import Loss, Record, Squares, Value, read_spikes, seconds
from jaxsnn.units import Quantity, hertz, second, strip

__all__ = ["firing_rate", "spike_time_distance", "target_train", "van_rossum"]

Array = Any


def target_train(target: Any, shape: tuple[int, int], dt: float, what: str) -> np.ndarray:
    """(T, n) zeros and ones of a target: a train already, or one sequence of spike times for each element."""
    steps, n = shape
    if not isinstance(target, Quantity) and not isinstance(target, list | tuple):
        array = np.asarray(target)
        if array.ndim == 2:
            if array.shape != shape:
                raise ArgumentError(f"{what}: the target train has the shape {array.shape}, the recorded one {shape}")
            return array.astype(float)
    times = [target] if _one_train(target) else list(target)
    if len(times) != n:
        raise ArgumentError(f"{what}: {n} elements were recorded, but there are spike times for {len(times)}")
    train = np.zeros(shape)
    for k, own in enumerate(times):
        if len(own) == 0:
            continue
        at = np.rint(np.asarray(strip(own, second.dim, f"{what}: target"), float) / dt).astype(int)
        if at.min() < 0 or at.max() >= steps:
            raise ArgumentError(
                f"{what}: a spike of the target at {at.max() * dt:g} s is outside of the run of {steps * dt:g} s"
            )
        np.add.at(train[:, k], at, 1.0)
    return train


def _numbers(times: Any) -> Any:
    return times.value if isinstance(times, Quantity) else times


def _one_train(target: Any) -> bool:
    if isinstance(target, Quantity):
        return target.ndim == 1
    return len(target) > 0 and all(not isinstance(t, list | tuple) and np.ndim(_numbers(t)) == 0 for t in target)


def van_rossum(name: str, target: Any, tau: Any) -> Loss:
    """The distance of M. C. W. van Rossum: D² = (1/tau) ∫ (f - f*)² dt, f = sum of exp(-(t - t_k)/tau) from t_k on.

    The integral is that of the continuous exponentials, beyond the end of the run too: one spike without a partner
    gives 1/2, two spikes apart by d give 1 - exp(-d/tau). Mean over the elements.

    Args:
        name: Name of a `SpikeMonitor`.
        target: Spike times with a unit, one sequence for each element, or a (T, n) train.
        tau: Time constant: much shorter than the intervals it counts coincidences, much longer the number of spikes.

    Example:
        >>> import numpy as np
        >>> from jaxsnn.units import ms
        >>> loss = van_rossum("spikes", [[1 * ms]], tau=10 * ms)
        >>> train = np.zeros((100, 1))
        >>> train[60] = 1  # 5 ms later
        >>> print(f"{loss({'spikes': train}, dt=1e-4):.4f} {1 - np.exp(-0.5):.4f}")
        0.3935 0.3935
    """
    constant = seconds(tau, f"{name}: tau")
    if not constant > 0:
        raise ArgumentError(f"{name}: tau needs to be positive, got {tau}")

    def errors(record: Record, dt: float) -> Array:
        spikes = read_spikes(record, name)
        wanted = jnp.asarray(target_train(target, spikes.shape, dt, name), spikes.dtype)
        decay = jnp.asarray(np.exp(-dt / constant), spikes.dtype)

        def filtered(trace: Array, difference: Array) -> tuple[Array, Array]:
            trace = decay * trace + difference
            return trace, trace

        last, traces = jax.lax.scan(filtered, jnp.zeros(spikes.shape[1], spikes.dtype), spikes - wanted)
        # Within a step the difference decays: its square integrates to tau/2 (1 - decay²); after the run to tau/2.
        factors = np.sqrt(0.5 * -np.expm1(-2 * dt / constant) / spikes.shape[1])
        tail = np.sqrt(0.5 / spikes.shape[1]) * decay * last
        return jnp.concatenate([(traces * jnp.asarray(factors, spikes.dtype)).reshape(-1), tail])

    return Squares(f"van Rossum distance of {name}", errors)


def spike_time_distance(name: str, target: Any, *, scale: Any) -> Loss:
    """The area between the counting functions: (1/scale) ∫ |N(t) - N*(t)| dt, mean over the elements.

    With equal numbers of spikes it is the sum of |t_k - t*_k|/scale (the earth mover's distance of the trains); a spike
    without a partner costs the time from it to the end of the run. Unlike a distance with a short kernel it has a
    slope however far apart spikes are.

    Args:
        name: Name of a `SpikeMonitor`.
        target: Spike times with a unit, one sequence for each element, or a (T, n) train.
        scale: Time that counts as 1.

    Example:
        >>> import numpy as np
        >>> from jaxsnn.units import ms
        >>> loss = spike_time_distance("spikes", [[1, 4] * ms], scale=1 * ms)
        >>> train = np.zeros((100, 1))
        >>> train[[12, 45]] = 1  # 0.2 and 0.5 ms late
        >>> print(f"{loss({'spikes': train}, dt=1e-4):.2f}")
        0.70
    """
    unit = seconds(scale, f"{name}: scale")

    def function(record: Record, dt: float) -> Array:
        spikes = read_spikes(record, name)
        wanted = jnp.asarray(target_train(target, spikes.shape, dt, name), spikes.dtype)
        ahead = jnp.cumsum(spikes - wanted, axis=0)
        return jnp.abs(ahead).sum() * (dt / unit) / spikes.shape[1]

    return Value(f"spike-time distance of {name}", function)


def firing_rate(name: str, target: Any, *, scale: Any = None) -> Loss:
    """Mean of ((r - r*)/scale)² of the rates r = spikes/duration.

    Args:
        name: Name of a `SpikeMonitor`.
        target: Rate with a unit, one for all elements or one for each.
        scale: Difference that counts as 1; by default the largest target, or 1 Hz if all are 0.

    Example:
        >>> import numpy as np
        >>> from jaxsnn.units import Hz
        >>> train = np.zeros((1000, 1))
        >>> train[::250] = 1  # 4 spikes in 100 ms
        >>> float(firing_rate("spikes", 20 * Hz)({"spikes": train}, dt=1e-4))
        1.0
    """
    wanted = np.asarray(strip(target, hertz.dim, f"{name}: target"), float)
    unit = float(np.max(np.abs(wanted)) or 1.0) if scale is None else float(strip(scale, hertz.dim, f"{name}: scale"))

    def errors(record: Record, dt: float) -> Array:
        spikes = read_spikes(record, name)
        rate = spikes.sum(axis=0) / (spikes.shape[0] * dt)
        return (rate - jnp.asarray(wanted, rate.dtype)) / (unit * np.sqrt(spikes.shape[1]))

    return Squares(f"firing rate of {name}", errors)
