"""Losses on recorded traces."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.fit.losses.contract import Loss, Record, Squares, read_trace
from jaxsnn.units import Quantity, get_dimensions, quantity, strip

__all__ = ["trace_mse"]

Array = Any


def trace_mse(path: str, target: Any, *, scale: Any = None, weights: Any = None) -> Loss:
    """The mean square error of a trace: mean of w ((y - y*)/scale)².

    Args:
        path: ``"monitor.variable"`` of a `StateMonitor`.
        target: (T, n) or (T,) values y* with their unit, in the steps that the monitor records. NaN is missing data.
        scale: Size of an error that counts as 1; by default the standard deviation of the target, so that a loss of
            0.01 leaves 1 % of the variance unexplained.
        weights: (T,) or (T, n) weights w, 1 by default; 0 leaves samples out.

    Example:
        >>> import numpy as np
        >>> loss = trace_mse("trace.v", [0.0, 1.0, 2.0], scale=1.0)
        >>> float(loss({"trace": {"v": np.array([[0.0], [1.0], [5.0]])}}, dt=1e-4))
        3.0
    """
    given = quantity(target)
    wanted = np.asarray(given.value if isinstance(given, Quantity) else given, float)
    wanted = wanted[:, None] if wanted.ndim == 1 else wanted
    if wanted.ndim != 2:
        raise ArgumentError(f"{path}: the target needs the shape (T, n) or (T,), got {wanted.shape}")
    weight = np.isfinite(wanted).astype(float)
    if weights is not None:
        given_weights = np.asarray(weights, float)
        weight = weight * (given_weights[:, None] if given_weights.ndim == 1 else given_weights)
    if not weight.any():
        raise ArgumentError(f"{path}: no sample of the target is left to compare with")
    used = wanted[weight > 0]
    size = float(np.std(used)) if scale is None else float(strip(scale, get_dimensions(given), f"{path}: scale"))
    if not size > 0:
        raise ArgumentError(f"{path}: the scale of errors needs to be positive, got {size:g}; write scale=1*mV or so")
    factor = np.sqrt(weight / np.count_nonzero(weight)) / size
    wanted = np.where(weight > 0, wanted, 0.0)
    # The samples that count, so that residuals can be counted too.
    rows, columns = np.nonzero(weight)
    everything = rows.size == wanted.size

    def errors(record: Record, dt: float) -> Array:
        trace = jnp.asarray(read_trace(record, path))
        if trace.shape != wanted.shape:
            raise ArgumentError(f"{path} was recorded with the shape {trace.shape}; the target has {wanted.shape}")
        error = (trace - jnp.asarray(wanted, trace.dtype)) * jnp.asarray(factor, trace.dtype)
        return error.reshape(-1) if everything else error[rows, columns]

    return Squares(f"mean square error of {path}", errors)
