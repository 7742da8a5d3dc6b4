"""Which buffer a pathway's delays get, and the sentence that says why."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Choice(NamedTuple):
    """A kind of delay buffer.

    Fields:
        name: ``"none"``, ``"source_ring"``, ``"target_ring"`` or ``"spike_history"``.
        length: the number of slots, 0 for ``"none"``.
        reason: why.
    """

    name: str
    length: int
    reason: str


def choose(delay_steps: np.ndarray | int, additive: bool, reads_changing: bool) -> Choice:
    """Choose the delay buffer of a pathway.

    Args:
        delay_steps: whole steps, one for all synapses or one each.
        additive: whether the code only adds to variables (``x_post += expr``).
        reads_changing: whether what is added may change between the spike and its arrival.

    >>> choose(15, additive=True, reads_changing=True)[:2]
    ('source_ring', 16)
    >>> choose(np.array([3, 0, 7]), additive=True, reads_changing=False)[:2]
    ('target_ring', 9)
    """
    delays = np.asarray(delay_steps)
    shortest, longest = int(delays.min(initial=np.iinfo(np.int32).max)), int(delays.max(initial=0))
    if longest == 0:
        return Choice("none", 0, "no synapse has a delay: spikes act in the step they are emitted")
    if shortest == longest:
        return Choice(
            "source_ring",
            longest + 1,
            f"every synapse has a delay of {longest} steps: the spikes wait, {longest + 1} flags per source",
        )
    spread = f"delays differ ({shortest} to {longest} steps)"
    if additive and not reads_changing:
        return Choice(
            "target_ring",
            longest + 2,
            f"{spread} and the code adds a value known at the spike: the sums wait at the target, "
            f"{longest + 2} slots each",
        )
    why = "reads what may change before arrival" if additive else "does more than add"
    return Choice(
        "spike_history",
        longest + 1,
        f"{spread} and the code {why}: it must run at arrival, from {longest + 1} steps of history",
    )
