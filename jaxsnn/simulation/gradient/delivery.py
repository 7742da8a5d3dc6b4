"""Delivery in the twin: computed as in any run, differentiated as the linear map that it is."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxsnn.events import EXECUTIONS, Contribution, Execution, Operands, Output, Wiring
from jaxsnn.simulation.gradient.spikes import flags
from jaxsnn.simulation.gradient.transform import differentiated_as

__all__ = ["SmoothDelivery"]

Array = Any

DENSE_SHARE = 0.05
"""Part of all pairs that must be connected for a matrix to be faster than the synapses one by one."""


class Prepared(NamedTuple):
    """What both executions compute once a run."""

    hard: Any
    smooth: Any


class SmoothDelivery:
    """An execution for the spikes that there are, and one for the derivative.

    The tangent of what a pathway adds is linear in the tangents of spikes and of contributions, over *all* synapses: a
    silent neuron close to its threshold has a derivative too. Finding the spikes has none, so the execution that does
    it only gives the values.
    """

    def __init__(self, hard: Execution, constant: bool, wiring: Wiring, relaxed: bool) -> None:
        dense = constant and wiring.n_synapses > DENSE_SHARE * wiring.n_source * wiring.n_target * max(
            1, len(wiring.distinct_delays)
        )
        self.smooth = EXECUTIONS["dense" if dense or hard is EXECUTIONS["dense"] else "masked"]
        self.hard = self.smooth if relaxed or hard is EXECUTIONS["dense"] else hard

    def prepare(
        self,
        wiring: Wiring,
        outputs: tuple[Output, ...],
        contribution: Contribution,
        constants: Operands | None,
        backend: str,
    ) -> Prepared:
        smooth = self.smooth.prepare(wiring, outputs, contribution, constants, backend)
        if self.hard is self.smooth:
            return Prepared(None, smooth)
        return Prepared(self.hard.prepare(wiring, outputs, contribution, constants, backend), smooth)

    def deliver(
        self,
        prepared: Prepared,
        wiring: Wiring,
        spikes: Array,
        contribution: Contribution,
        operands: Operands,
        accumulators: tuple[Array, ...],
        step: Array,
    ) -> tuple[Array, ...]:
        def smooth(prepared: Prepared, wiring: Wiring, spikes: Array, *rest: Any) -> tuple[Array, ...]:
            operands, accumulators, step = rest
            return self.smooth.deliver(prepared.smooth, wiring, spikes, contribution, operands, accumulators, step)

        def hard(prepared: Prepared, wiring: Wiring, spikes: Array, *rest: Any) -> tuple[Array, ...]:
            operands, accumulators, step = rest
            return self.hard.deliver(prepared.hard, wiring, flags(spikes), contribution, operands, accumulators, step)

        arguments = (prepared, wiring, spikes, operands, accumulators, step)
        if self.hard is self.smooth:
            return smooth(*arguments)
        return differentiated_as(hard, smooth)(*arguments)
