"""Deliver spikes along a pathway: the delay buffer, then the code, in one stage or statement by statement."""

from __future__ import annotations

from typing import Any

from jaxsnn.delays import source_ring, spike_history
from jaxsnn.program import Deliver
from jaxsnn.simulation.frame import Frame, Setting
from jaxsnn.simulation.synaptic.analysis import analyse
from jaxsnn.simulation.synaptic.one_stage import OneStage
from jaxsnn.simulation.synaptic.statementwise import Statementwise

__all__ = ["DeliverStep"]


class DeliverStep:
    """One pathway in a step.

    How spikes wait was decided with the connectivity (see `jaxsnn.delays`): a wiring with delays of single
    synapses fills rings of increments, one with repeated sources has a spike history, any other with a ring has a
    ring of source spikes.
    """

    def __init__(self, operation: Deliver, setting: Setting) -> None:
        self.operation = operation
        self.backend = setting.backend
        analysis = analyse(operation.code)
        self.way: OneStage | Statementwise
        if analysis.several is None:
            self.way = OneStage(operation, analysis, setting)
        else:
            self.way = Statementwise(operation, analysis, setting)

    @property
    def block(self) -> Any:
        """The generated code."""
        return self.way.block

    def prepare(self, frame: Frame) -> Any:
        return self.way.prepare(frame)

    def apply(self, frame: Frame, prepared: Any) -> None:
        self.way.apply(frame, prepared, self.arriving(frame))

    def arriving(self, frame: Frame) -> Any:
        """Flags of the wiring's sources: whose spikes act now (or, with rings of increments, are emitted now)."""
        op = self.operation
        spikes = frame.event(op.source.owner, op.event, op.source)
        rings = frame.rings.get(op.pathway, ())
        wiring = frame.tables.wirings[op.pathway]
        if not rings or wiring.delay is not None:
            return spikes
        delay = frame.tables.indices[f"{op.pathway}.delay"]
        now = frame.clock("t_in_timesteps", op.every)
        if wiring.repeats > 1:
            ring = spike_history.push(rings[0], now, spikes)
            arriving = spike_history.due(ring, now, delay, self.backend)
        else:
            arriving, ring = source_ring.exchange(rings[0], now, spikes, delay)
        frame.rings[op.pathway] = (ring,)
        return arriving
