"""Delays in seconds -> whole steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxsnn.errors import DelayError

LONGEST = 2**31 - 1


def delay_steps(delay_seconds: ArrayLike, dt: float) -> np.ndarray:
    """Delays as whole steps: ``trunc(delay / dt + 0.5)`` in float64, so halves round up.

    Args:
        delay_seconds: a scalar or array of delays in seconds.
        dt: the step in seconds.

    Returns:
        int32 steps, in the shape of ``delay_seconds``.

    Raises:
        DelayError: for a negative, NaN or infinite delay, or one of 2**31 steps or more.

    >>> delay_steps([0.0, 0.05e-3, 0.15e-3, 0.25e-3], dt=0.1e-3).tolist()
    [0, 1, 1, 3]

    (``0.15e-3 / 0.1e-3`` is just below 1.5 in float64, hence 1; ``0.25e-3 / 0.1e-3`` is 2.5.)
    """
    if not (np.isfinite(dt) and dt > 0):
        raise DelayError(f"a step of {dt} s: dt must be a positive, finite number of seconds.")
    seconds = np.asarray(delay_seconds, np.float64)
    if seconds.size > 1 and seconds.min() == seconds.max():
        # Millions of synapses with one delay: one number to check and convert.
        return np.full(seconds.shape, delay_steps(seconds.flat[0], dt))
    exact = seconds / dt + 0.5
    bad = ~((seconds >= 0) & (exact < LONGEST + 1))
    if bad.any():
        where = int(np.flatnonzero(bad.ravel())[0])
        place = f" (entry {where}, the first of {int(bad.sum())} such)" if seconds.ndim else ""
        raise DelayError(
            f"a delay of {seconds.ravel()[where]} s{place}: delays must be numbers from 0 to {LONGEST} steps of {dt} s."
        )
    return np.trunc(exact).astype(np.int32)
