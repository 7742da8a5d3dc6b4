"""Which execution a pathway gets, and the sentence that says why.

Measured, float32, microseconds a step, when a fraction r of the sources fires. One CPU thread:

| synapses      | dense | event list, r = 0.001 | r = 0.01 | r = 0.1 | masked |
|---------------|-------|-----------------------|----------|---------|--------|
| 20 x 20       | 0.5   | 0.8                   | 0.8      | 1.2     | 1.1    |
| 100 x 100     | 1.0   | 0.9                   | 1.2      | 3.5     | 15     |
| 300 x 300     | 6.3   | 1.4                   | 2.9      | 15      | 129    |
| 1,000 x 1,000 | 47    | 3.0                   | 14       | 111     | 1,108  |

A product of 20,000 entries or fewer costs no more than the search for spikes, whatever fires; above
it the activity decides, and spiking neurons rarely fire a tenth at a time. One H200 GPU (``n x K``:
n neurons with K synapses each), the loop over steps included:

| synapses      | dense | masked | event list |
|---------------|-------|--------|------------|
| 1,000 x 1,000 | 10    | -      | 71         |
| 4,000 x 100   | 27    | 16     | 62         |
| 10,000 x 100  | -     | 28     | 78         |
| 40,000 x 100  | -     | 69     | 70         |
| 4,000 x 1,000 | -     | 205    | -          |
| 100,000 x 100 | -     | 132    | 64         |

There a loop inside the step costs 50 microseconds by itself: small pathways compute every synapse.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxsnn.events import dense, event_list, kernel, masked
from jaxsnn.events.contract import Execution, Wiring

EXECUTIONS: dict[str, Execution] = {
    "dense": dense.EXECUTION,
    "masked": masked.EXECUTION,
    "event_list": event_list.EXECUTION,
    "kernel": kernel.EXECUTION,
    "deterministic": masked.IN_FIXED_POINT,
}

# The largest matrix, and the largest number of synapses to compute all of, by backend.
DENSE_ENTRIES = {"cpu": 20_000, "gpu": 1_000_000}
MASKED_SYNAPSES = {"cpu": 0, "gpu": 2_000_000}


class Choice(NamedTuple):
    """The name of an execution in `EXECUTIONS`, and why it was chosen."""

    name: str
    reason: str


def choose(wiring: Wiring, constant: bool, backend: str, delays: bool = False, kernel_fits: bool = True) -> Choice:
    """Choose the execution of a pathway.

    Args:
        wiring: its synapses (only the sizes are looked at).
        constant: whether every operand of the contributions keeps its value over the run.
        backend: ``"cpu"``, ``"gpu"``, ...; any other counts as a GPU.
        delays: whether the accumulators are rings, filled by the delays in ``wiring``.
        kernel_fits: whether the contributions can be computed inside a GPU kernel.

    >>> choose(Wiring.build([0, 1], [1, 0], 2, 2), constant=True, backend="cpu").name
    'dense'
    """
    if kernel_fits and kernel.available(backend):
        return Choice("kernel", "a GPU kernel walks the rows of the sources that fired, whatever the size")
    entries = wiring.n_source * wiring.n_target
    if delays:
        entries *= len(wiring.distinct_delays)
    kind = backend if backend in DENSE_ENTRIES else "gpu"
    if constant and entries <= DENSE_ENTRIES[kind]:
        return Choice(
            "dense",
            f"a matrix of {entries} entries (at most {DENSE_ENTRIES[kind]} on a {kind}): its "
            "product costs less than finding the spikes",
        )
    if wiring.n_synapses <= MASKED_SYNAPSES[kind]:
        return Choice(
            "masked",
            f"{wiring.n_synapses} synapses (at most {MASKED_SYNAPSES[kind]} on a {kind}): "
            "computing all of them costs less than finding the spikes",
        )
    why = f"a matrix would have {entries} entries" if constant else "what a spike adds may change"
    return Choice("event_list", f"{why}: only the synapses of sources that fired are read")
