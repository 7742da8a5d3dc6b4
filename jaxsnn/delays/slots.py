"""Moving what is in flight to a ring of another length, on the host, between runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxsnn.errors import DelayError


def resize(ring: ArrayLike, step: int, length: int) -> np.ndarray:
    """The same events in flight in a ring of ``length`` slots, each at its due time.

    Args:
        ring: ``(D, n)`` spikes or increments; slot ``t % D`` is due at step ``t``.
        step: the next step to be run: what is in flight is due at ``step ... step + D - 2``, and
            the slot of ``step - 1`` holds what has already arrived.
        length: the new number of slots.

    Raises:
        DelayError: if something is due later than the new ring reaches.

    >>> resize(np.array([[0], [7], [0]]), step=4, length=5)[:, 0].tolist()  # due at step 4
    [0, 0, 0, 0, 7]
    """
    old = np.asarray(ring)
    due = step + np.arange(old.shape[0] - 1)
    in_flight = due[old[due % old.shape[0]].any(axis=1)]
    needed = int(in_flight[-1]) - step + 2 if in_flight.size else 1
    if length < needed:
        raise DelayError(
            f"a ring of {length} slots is too short: at step {step} an event in flight is due at "
            f"step {in_flight[-1]}. Use a length of at least {needed}."
        )
    new = np.zeros((length, *old.shape[1:]), old.dtype)
    new[in_flight % length] = old[in_flight % old.shape[0]]
    return new
