"""Losses on features of spike trains: f-I slope, latency, irregularity, bursts.

A feature is a function ``feature(spikes, dt) -> (n,) or ()`` of a (T, n) train of zeros and ones. Written with sums and
products of the train, so that it has a slope where the train has one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.fit.losses.contract import Loss, Record, Squares, read_spikes, seconds
from jaxsnn.units import Quantity, get_dimensions, hertz, quantity, second, strip

__all__ = ["burst_count", "bursts", "fi_slope", "first_spike", "interval_cv", "latency", "slope", "variation"]

Array = Any


# ---- the features --------------------------------------------------------------------------------------


def first_spike(spikes: Array, dt: float) -> Array:
    """Time to the first spike in second, (n,): dt times the number of steps before it; the duration without one.

    t_1 = dt sum_t prod_{u <= t} (1 - s_u)
    """
    return dt * jnp.cumprod(1 - spikes, axis=0).sum(axis=0)


def variation(spikes: Array, dt: float) -> Array:
    """Coefficient of variation of the intervals, (n,): standard deviation over mean; 0 with fewer than two.

    CV = sqrt(<I²> - <I>²)/<I>
    """

    def count(carry: Any, s: Array) -> tuple[Any, Any]:
        age, begun, sums = carry
        age = age + 1
        ended = s * begun
        sums = sums[0] + ended, sums[1] + ended * age, sums[2] + ended * age**2
        return (age * (1 - s), begun + (1 - begun) * s, sums), None

    zero = jnp.zeros(spikes.shape[1], spikes.dtype)
    (_, _, (n, total, squares)), _ = jax.lax.scan(count, (zero, zero, (zero, zero, zero)), spikes)
    several = n > 1.5
    n, total = jnp.where(several, n, 1.0), jnp.where(several, total, 1.0)
    excess = n * squares / total**2 - 1
    # The root has no slope at 0, which regular firing reaches.
    positive = several & (excess > 1e-6)
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, excess, 1.0)), 0.0)


def bursts(spikes: Array, dt: float, gap: float) -> Array:
    """Number of bursts, (n,): groups of two spikes or more with intervals of at most ``gap`` second.

    A burst begins at a spike with none in the gap before it and one or more in the gap after it.
    """
    width = max(1, round(gap / dt))
    total = jnp.concatenate([jnp.zeros((1, spikes.shape[1]), spikes.dtype), jnp.cumsum(spikes, axis=0)])
    at = np.arange(spikes.shape[0])
    before = total[at] - total[np.maximum(at - width, 0)]
    after = total[np.minimum(at + 1 + width, len(at))] - total[at + 1]
    return (spikes * jnp.maximum(1 - before, 0) * jnp.minimum(after, 1)).sum(axis=0)


def slope(spikes: Array, dt: float, current: Array) -> Array:
    """Slope of the rate over the current of each element, by linear regression: a number.

    sum (I - <I>)(r - <r>) / sum (I - <I>)²
    """
    rate = spikes.sum(axis=0) / (spikes.shape[0] * dt)
    centered = current - current.mean()
    # Currents are small numbers in ampere, whose squares 32 bits cannot hold.
    size = jnp.abs(centered).max()
    part = centered / size
    return (part * (rate - rate.mean())).sum() / (part**2).sum() / size


# ---- the losses ----------------------------------------------------------------------------------------


def _on(name: str, what: str, feature: Callable[..., Array], target: Any, scale: float | None) -> Loss:
    wanted = np.asarray(target, float)
    if scale is None:
        scale = float(np.max(np.abs(wanted)))
    if not scale > 0:
        raise ArgumentError(
            f"{what} of {name}: with a target of 0 the scale of a difference has to be given: scale=..."
        )

    def errors(record: Record, dt: float) -> Array:
        spikes = read_spikes(record, name)
        value = feature(spikes, dt)
        if np.ndim(wanted) and wanted.shape != value.shape:
            raise ArgumentError(f"{what} of {name}: there are {value.shape} values and targets of {wanted.shape}")
        return (value / scale - jnp.asarray(wanted / scale, spikes.dtype)).reshape(-1) / np.sqrt(value.size)

    return Squares(f"{what} of {name}", errors)


def latency(name: str, target: Any, *, scale: Any = None) -> Loss:
    """Mean of ((t_1 - t*)/scale)², where t_1 is the time of the first spike (the duration if there is none).

    Args:
        name: Name of a `SpikeMonitor`.
        target: Time with a unit, for all elements or for each.
        scale: Difference that counts as 1, by default the largest target.

    Example:
        >>> import numpy as np
        >>> from jaxsnn.units import ms
        >>> train = np.zeros((100, 1))
        >>> train[[40, 70]] = 1
        >>> print(f"{latency('spikes', 2 * ms)({'spikes': train}, dt=1e-4):.2f}")
        1.00
    """
    size = None if scale is None else seconds(scale, f"{name}: scale")
    return _on(name, "latency", first_spike, strip(target, second.dim, f"{name}: target"), size)


def interval_cv(name: str, target: Any, *, scale: float | None = None) -> Loss:
    """Mean of ((CV - CV*)/scale)², where CV is the coefficient of variation of the intervals.

    Args:
        name: Name of a `SpikeMonitor`.
        target: Number, for all elements or for each.
        scale: Difference that counts as 1, by default the largest target.

    Example:
        >>> import numpy as np
        >>> train = np.zeros((100, 1))
        >>> train[[10, 20, 50]] = 1  # intervals of 10 and 30 steps: mean 20, standard deviation 10
        >>> print(f"{interval_cv('spikes', 1.0)({'spikes': train}, dt=1e-4):.2f}")
        0.25
    """
    return _on(name, "CV of intervals", variation, strip(target, get_dimensions(1), f"{name}: target"), scale)


def burst_count(name: str, target: Any, *, gap: Any, scale: float | None = None) -> Loss:
    """Mean of ((B - B*)/scale)², where B counts groups of two or more spikes with intervals of at most ``gap``.

    Args:
        name: Name of a `SpikeMonitor`.
        target: Number, for all elements or for each.
        gap: Longest interval within a burst.
        scale: Difference that counts as 1, by default the largest target.

    Example:
        >>> import numpy as np
        >>> from jaxsnn.units import ms
        >>> train = np.zeros((1000, 1))
        >>> train[[10, 40, 70, 500, 530, 900]] = 1  # two bursts and a single spike
        >>> float(burst_count("spikes", 1, gap=5 * ms)({"spikes": train}, dt=1e-4))
        1.0
    """
    feature = partial(bursts, gap=seconds(gap, f"{name}: gap"))
    return _on(name, "number of bursts", feature, strip(target, get_dimensions(1), f"{name}: target"), scale)


def fi_slope(name: str, current: Any, target: Any, *, scale: Any = None) -> Loss:
    """((k - k*)/scale)², where k is the slope of the line through the rates over the currents of the elements.

    Args:
        name: Name of a `SpikeMonitor`.
        current: (n,) currents with their unit.
        target: Slope, in Hz for a unit of the current.
        scale: Difference that counts as 1, by default the target.

    Example:
        >>> import numpy as np
        >>> from jaxsnn.units import Hz, nA
        >>> train = np.zeros((1000, 2))
        >>> train[::500, 0] = train[::250, 1] = 1  # 20 and 40 Hz at 1 and 2 nA
        >>> float(fi_slope("spikes", [1, 2] * nA, 10 * Hz / nA)({"spikes": train}, dt=1e-4))
        1.0
    """
    given = quantity(current)
    values = np.asarray(given.value if isinstance(given, Quantity) else given, float)
    if values.ndim != 1 or np.ptp(values) == 0:
        raise ArgumentError(f"{name}: a slope needs two or more different currents, got {current}")
    dim = hertz.dim / get_dimensions(given)
    size = None if scale is None else float(strip(scale, dim, f"{name}: scale"))

    def feature(spikes: Array, dt: float) -> Array:
        return slope(spikes, dt, jnp.asarray(values, spikes.dtype))

    return _on(name, "f-I slope", feature, strip(target, dim, f"{name}: target"), size)
