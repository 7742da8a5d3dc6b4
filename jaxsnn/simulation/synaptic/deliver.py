"""Deliver spikes along a pathway: the delay buffer, then the code, in one of three ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.delays import source_ring, spike_history
from jaxsnn.errors import NotSupportedError
from jaxsnn.program import Deliver
from jaxsnn.simulation.frame import Frame, Setting
from jaxsnn.simulation.synaptic.analysis import Analysis, analyse
from jaxsnn.simulation.synaptic.one_by_one import OneByOne
from jaxsnn.simulation.synaptic.one_stage import OneStage
from jaxsnn.simulation.synaptic.statementwise import Statementwise

__all__ = ["DeliverStep"]


class DeliverStep:
    """One pathway in a step.

    How spikes wait was decided with the connectivity (see `jaxsnn.delays`): a wiring with delays of single
    synapses (or to be given them by the parameters) fills rings of increments, one with repeated sources has a spike
    history, any other with a ring has a ring of source spikes. After that ring there may be others, with spikes of an
    earlier run that had another delay: one of them may be due together with a later spike of its source, and both
    count.
    """

    def __init__(self, operation: Deliver, setting: Setting) -> None:
        self.operation = operation
        self.backend = setting.backend
        analysis = analyse(operation.code)
        if operation.delay is not None:
            _check_interpolated(operation, analysis, setting)
        self.way: OneStage | Statementwise | OneByOne
        if analysis.one_by_one:
            self.way = OneByOne(operation, analysis, setting)
        elif analysis.several is not None:
            self.way = Statementwise(operation, analysis, setting)
        else:
            self.way = OneStage(operation, analysis, setting)

    @property
    def block(self) -> Any:
        """The generated code."""
        return self.way.block

    def prepare(self, frame: Frame) -> Any:
        return self.way.prepare(frame)

    def apply(self, frame: Frame, prepared: Any) -> None:
        spikes = self.arriving(frame)
        for earlier in self.left_over(frame):
            self.sometimes(frame, prepared, earlier)
        self.way.apply(frame, prepared, spikes)

    def arriving(self, frame: Frame) -> Any:
        """Flags of the wiring's sources: whose spikes act now (or, with rings of increments, are emitted now)."""
        op = self.operation
        spikes = frame.event(op.source.owner, op.event, op.source)
        rings = frame.rings.get(op.pathway, ())
        wiring = frame.tables.wirings[op.pathway]
        now = frame.clock("t_in_timesteps", op.every)
        if wiring.at_arrival:
            ring = spike_history.push(rings[0], now, spikes)
            frame.rings[op.pathway] = (ring,)
            return ring[(now - wiring.delay) % ring.shape[0], wiring.source]
        if not rings or wiring.delay is not None:
            return spikes
        delay = frame.tables.indices[f"{op.pathway}.delay"]
        if wiring.repeats > 1:
            ring = spike_history.push(rings[0], now, spikes)
            arriving = spike_history.due(ring, now, delay, self.backend)
        else:
            arriving, ring = source_ring.exchange(rings[0], now, spikes, delay)
        frame.rings[op.pathway] = (ring, *rings[1:])
        return arriving

    def left_over(self, frame: Frame) -> list[Any]:
        """Flags of the spikes that are due now and were emitted in runs with other delays, oldest first."""
        pathway = self.operation.pathway
        wiring = frame.tables.wirings[pathway]
        first, *others = frame.rings.get(pathway, ()) or (None,)
        if not others or wiring.delay is not None or wiring.repeats > 1:
            return []
        now = frame.clock("t_in_timesteps", self.operation.every)
        none = jnp.zeros(first.shape[1], first.dtype)
        taken = [source_ring.exchange(ring, now, none, 0) for ring in others]
        frame.rings[pathway] = (first, *(ring for _, ring in taken))
        return [due for due, _ in taken]

    def sometimes(self, frame: Frame, prepared: Any, spikes: Any) -> None:
        """Apply the code if there are any spikes; mostly there are none left of an earlier run."""

        def due(values: Any) -> Any:
            inner = replace(frame, values=dict(values))
            self.way.apply(inner, prepared, spikes)
            return inner.values

        frame.values = jax.lax.cond(jnp.any(spikes), due, dict, dict(frame.values))


def _check_interpolated(operation: Deliver, analysis: Analysis, setting: Setting) -> None:
    """Refuse code that cannot be split between two steps.

    Raises:
        NotSupportedError: unless all it does is to add to neurons what is known when the spike is emitted.
    """
    code = analysis.code
    moving = sorted(name for name in analysis.reads if not setting.constant_name(code.scope)(name))
    if analysis.additive and not moving:
        return
    if not analysis.additive:
        own = next((change.name for change in analysis.changes if change.via == "self"), None)
        why = analysis.several or ("it draws random numbers" if own is None else f"it changes {own!r} of the synapse")
    else:
        why = f"{moving[0]!r} may change between the spike and its arrival"
    raise NotSupportedError(
        f"{operation.pathway}: with max_delay its delays are interpolated between steps, which needs code that only"
        f" adds to neurons what is known at the spike; here {why}. Leave out max_delay for delays of whole steps"
    )
