"""The kernels of a step: who takes part in each, and how many programs each of them has.

A kernel starts once for all groups, because a start costs as much as the step of a small group. Its programs belong to
one member each: a group that is integrated, or sources of spikes whose rows are walked. Elements of one program of a
group lie in eight rows, a plane of `jaxsnn.simulation.records.pack` apart, so that a program packs the bits of its own
spikes into B / 8 neighbouring bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any, Protocol

import jax.numpy as jnp
from jax import lax

from jaxsnn.events.gpu.triton import Kernel, Memory
from jaxsnn.events.gpu.walk import Lanes, block, is_short, warps
from jaxsnn.simulation.frame import Frame
from jaxsnn.simulation.fused.arguments import Arguments, Buffers, Units
from jaxsnn.simulation.fused.group import PLANES, Integrate
from jaxsnn.simulation.fused.pathway import Pathway
from jaxsnn.simulation.fused.plan import Group, Plan, emitter
from jaxsnn.simulation.fused.tile import Tile
from jaxsnn.simulation.state import Schedule

__all__ = ["can_wait", "catch_up", "is_long", "launch"]

Array = Any
SMALLEST, LARGEST = 16, 256
"""Elements of a program."""
LONG_ROW = 2048
"""Synapses of a source above which several programs share a row."""
SHARES, SOURCES = 8, 512
"""How many of them, and the sources each of them looks at."""
SPIKES = 4
"""Spikes of a generator that a program looks at."""


class Member(Protocol):
    """Part of a kernel: a number of programs, and what each of them does."""

    programs: int
    pathways: Sequence[Pathway]

    def sized(self, copies: int) -> Member:
        """The same in programs of the right size for so many copies of the kernel; to be called first."""

    def __call__(self, memory: Memory, program: Array) -> None:
        """Carry out one program, from 0."""


def launch(
    plan: Plan,
    frame: Frame,
    buffers: Buffers,
    parts: Sequence[Any],
    ready: Sequence[Any],
    first: Array,
    units: Units,
    agendas: Mapping[str, Array],
) -> Array:
    """One step of all groups; changes the frame's values and rings, and the buffers.

    Args:
        first: the step in which the run began: row 0 of recorded spikes.
        units: of sums in fixed point.
        agendas: of generators: where the spikes of each step of the run begin and end, ``(2, steps)``.

    Returns:
        The number of the next step.
    """
    sizes = {group.owner: group.size for group in plan.groups}
    following = frame.step
    for number, stage in enumerate(plan.stages):
        arguments = Arguments(frame, buffers, units)
        of: dict[tuple[str, bool], list[Pathway]] = {}
        for k in stage:
            source = parts[k].operation.source.owner
            shared = is_long(parts[k], frame) and (number > 0 or source not in sizes)
            of.setdefault((source, shared), []).append(Pathway(parts[k], ready[k], arguments))
        members: list[Member] = []
        for (source, shared), pathways in of.items():
            if source in agendas:
                schedule = frame.tables.schedules[emitter(source, parts).operation.name]
                shares = SHARES if shared else 1
                members.append(_Generator(schedule, agendas[source], pathways, shares, arguments, first))
            elif number > 0:
                members.append(_Sources(source, sizes[source], pathways, shared, arguments))
        if number == 0:
            members += later(plan, frame, parts, ready, arguments)
            for group in plan.groups:
                integrate = Integrate(group, arguments, parts, ready, first, counts=group is plan.groups[0])
                members.append(_Neurons(group, integrate, of.get((group.owner, False), [])))
        made = _run(members, arguments, "step" if number == 0 else f"deliver_{number}")
        if number == 0:
            following = made[0].reshape(())
    return following


def later(plan: Plan, frame: Frame, parts: Sequence[Any], ready: Sequence[Any], arguments: Arguments) -> list[Member]:
    """What pathways add for the spikes of the step before."""
    sizes = {group.owner: group.size for group in plan.groups}
    of: dict[str, list[Pathway]] = {}
    for k in plan.later:
        of.setdefault(parts[k].operation.source.owner, []).append(Pathway(parts[k], ready[k], arguments))
    return [_Sources(source, sizes[source], pathways, True, arguments, ago=1) for source, pathways in of.items()]


def catch_up(
    plan: Plan, frame: Frame, buffers: Buffers, parts: Sequence[Any], ready: Sequence[Any], units: Units
) -> None:
    """After the last step: what the next one would add for it."""
    if plan.later:
        arguments = Arguments(frame, buffers, units)
        _run(later(plan, frame, parts, ready, arguments), arguments, "deliver_later")


def can_wait(part: Any, frame: Frame) -> bool:
    """Whether what a pathway adds is the same a step later: nothing arrives at once, and nothing it reads changes."""
    wiring = frame.tables.wirings[part.operation.pathway]
    return part.way.constant and wiring.delay is not None and not wiring.at_arrival and min(wiring.distinct_delays) > 0


def is_long(part: Any, frame: Frame) -> bool:
    """Whether several programs should share a row of a pathway: a long one, and nothing is written for each source."""
    pathway = part.operation.pathway
    wiring = frame.tables.wirings[pathway]
    waits = wiring.at_arrival or (wiring.delay is None and pathway in frame.rings)
    return wiring.longest_row > LONG_ROW and not waits and not is_short(wiring)


def _run(members: Sequence[Member], arguments: Arguments, name: str) -> tuple[Array, ...]:
    """One kernel; the programs of its members one after the other."""

    def body(sized: Sequence[Member], memory: Memory, program: Array) -> None:
        begin = 0
        for member in sized:
            end = begin + member.programs
            if len(members) == 1:
                member(memory, program)
            else:
                mine = (program >= begin) & (program < end)
                lax.cond(mine, lambda member=member, begin=begin: member(memory, program - begin), lambda: None)
            begin = end

    def kernel(copies: int) -> Kernel:
        sized = [member.sized(copies) for member in members]
        wirings = [pathway.wiring for member in members for pathway in member.pathways]
        return Kernel(partial(body, sized), sum(member.programs for member in sized), warps(wirings), name)

    return arguments.run(kernel)


class _Neurons:
    """A group: its neurons make a step, and walk the rows of those that fired."""

    lanes: int
    width: int
    programs: int

    def __init__(self, group: Group, integrate: Integrate, pathways: Sequence[Pathway]) -> None:
        self.group, self.integrate, self.pathways = group, integrate, pathways

    def sized(self, copies: int) -> Member:
        new = copy(self)
        new.lanes = block(self.group.size, SMALLEST, LARGEST, copies)
        new.width = new.lanes // PLANES
        new.programs = -(-self.integrate.columns // new.width)
        return new

    def __call__(self, memory: Memory, program: Array) -> None:
        group, width, columns = self.group, self.width, self.integrate.columns
        lane = jnp.arange(self.lanes, dtype=jnp.int32)

        def element_of(lane: Array) -> Array:
            return (lane // width) * columns + program * width + lane % width

        element = element_of(lane)
        live = (program * width + lane % width < columns) & (element < group.size)
        tile = self.integrate(memory, program, element, live)
        spikes = tile.events[(group.owner, group.event)] & live
        for pathway in self.pathways:
            pathway.deliver(memory, tile, Lanes(lane, element, spikes, element_of), live)


class _Sources:
    """Neurons whose flags an earlier kernel has written; if shared, several programs walk each row.

    ago: 1 for the spikes of the step before.
    """

    lanes: int
    programs: int

    def __init__(
        self, owner: str, size: int, pathways: Sequence[Pathway], shared: bool, arguments: Arguments, ago: int = 0
    ) -> None:
        self.owner, self.size, self.pathways, self.arguments, self.ago = owner, size, pathways, arguments, ago
        arguments.change("spikes", owner)
        self.shares = SHARES if shared else 1

    def sized(self, copies: int) -> Member:
        new = copy(self)
        new.lanes = SOURCES if self.shares > 1 else block(self.size, SMALLEST, LARGEST, copies)
        new.programs = -(-self.size // new.lanes) * self.shares
        return new

    def __call__(self, memory: Memory, program: Array) -> None:
        lane = jnp.arange(self.lanes, dtype=jnp.int32)
        base = program // self.shares * self.lanes
        element = base + lane
        live = element < self.size
        step = memory.scalar(self.arguments.step) - self.ago
        fired = self.arguments.flags(memory, self.owner, step, element, live)
        part = program % self.shares
        lanes = Lanes(lane, element, fired, lambda lane: base + lane, part=part, parts=self.shares)
        for pathway in self.pathways:
            pathway.deliver(memory, _tile(step, self.arguments, element), lanes, live)


class _Generator:
    """A generator: a lane for each of its spikes in this step."""

    def __init__(
        self,
        schedule: Schedule,
        agenda: Array,
        pathways: Sequence[Pathway],
        shares: int,
        arguments: Arguments,
        first: Array,
    ) -> None:
        self.pathways, self.arguments, self.shares = pathways, arguments, shares
        self.steps, self.entries = agenda.shape[1], schedule.indices.shape[0]
        self.first, self.agenda = arguments.read(first), arguments.read(agenda)
        self.indices = arguments.read(schedule.indices)
        self.programs = -(-schedule.longest // SPIKES) * shares

    def sized(self, copies: int) -> Member:
        return self

    def __call__(self, memory: Memory, program: Array) -> None:
        step = memory.scalar(self.arguments.step)
        row = step - memory.scalar(self.first)
        begin = memory.scalar(self.agenda, row) + program // self.shares * SPIKES
        end = memory.scalar(self.agenda, self.steps + row)
        lane = jnp.arange(SPIKES, dtype=jnp.int32)
        fired = begin + lane < end
        source = memory.load(self.indices, begin + lane, fired)

        def source_of(lane: Array) -> Array:
            return memory.scalar(self.indices, jnp.clip(begin + lane, 0, self.entries - 1))

        lanes = Lanes(lane, source, fired, source_of, part=program % self.shares, parts=self.shares)
        for pathway in self.pathways:
            pathway.deliver(memory, _tile(step, self.arguments, source), lanes, fired)


def _tile(step: Array, arguments: Arguments, element: Array) -> Tile:
    """For code of synapses: the clock, and nothing of neurons."""
    frame = arguments.frame
    return Tile(frame.setting, {}, frame.tables, step, {}, {}, {}, {}, element=element)
