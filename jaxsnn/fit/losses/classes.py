"""Losses of classification: the elements that were recorded stand for classes."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.fit.losses.contract import Loss, Record, Value, read_spikes, seconds
from jaxsnn.fit.losses.features import first_spike

__all__ = ["first_spike_cross_entropy", "rate_cross_entropy"]

Array = Any


def _cross_entropy(name: str, logits: Array, labels: np.ndarray) -> Array:
    if logits.size % labels.size:
        raise ArgumentError(f"{name}: {logits.size} elements cannot be divided into classes for {labels.size} labels")
    logits = logits.reshape(labels.size, -1)
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ArgumentError(f"{name}: labels are 0 to {logits.shape[1] - 1}, got {labels.tolist()}")
    return -jax.nn.log_softmax(logits)[np.arange(labels.size), labels].mean()


def rate_cross_entropy(name: str, labels: Any, *, scale: float = 1.0) -> Loss:
    """Cross-entropy of the spike counts: -log(exp(n_y/scale) / sum_j exp(n_j/scale)), y the class that is right.

    Args:
        name: Name of a `SpikeMonitor`.
        labels: Class y, or B of them: then the elements are B groups, each with one element for each class.
        scale: Number of spikes that counts as 1.

    Example:
        >>> import numpy as np
        >>> train = np.zeros((100, 2))
        >>> train[[10, 20], 0] = 1
        >>> train[50, 1] = 1  # two spikes against one
        >>> print(f"{rate_cross_entropy('spikes', 0)({'spikes': train}, dt=1e-4):.4f} {np.log(1 + np.exp(-1)):.4f}")
        0.3133 0.3133
    """
    wanted = np.atleast_1d(np.asarray(labels, int))

    def function(record: Record, dt: float) -> Array:
        return _cross_entropy(name, read_spikes(record, name).sum(axis=0) / scale, wanted)

    return Value(f"cross-entropy of the rates of {name}", function)


def first_spike_cross_entropy(name: str, labels: Any, *, tau: Any) -> Loss:
    """Cross-entropy of the first spikes: -log(exp(-t_y/tau) / sum_j exp(-t_j/tau)); the first to fire wins.

    Args:
        name: Name of a `SpikeMonitor`.
        labels: Class y, or B of them: then the elements are B groups, each with one element for each class.
        tau: Difference of times that counts as 1.

    Example:
        >>> import numpy as np
        >>> from jaxsnn.units import ms
        >>> train = np.zeros((100, 2))
        >>> train[20, 0] = train[50, 1] = 1  # 3 ms earlier
        >>> loss = first_spike_cross_entropy("spikes", 0, tau=3 * ms)
        >>> print(f"{loss({'spikes': train}, dt=1e-4):.4f} {np.log(1 + np.exp(-1)):.4f}")
        0.3133 0.3133
    """
    wanted = np.atleast_1d(np.asarray(labels, int))
    constant = seconds(tau, f"{name}: tau")
    if not constant > 0:
        raise ArgumentError(f"{name}: tau needs to be positive, got {tau}")

    def function(record: Record, dt: float) -> Array:
        return _cross_entropy(name, -first_spike(read_spikes(record, name), dt) / constant, wanted)

    return Value(f"cross-entropy of the first spikes of {name}", function)
