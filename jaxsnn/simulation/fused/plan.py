"""Which groups of a program can have a kernel of their own, and what belongs into it.

A group qualifies if all that changes it in a step is: updates of the whole group, one threshold, additions by
pathways, resets - in this order. Nothing else may look at it in between, except pathways that read what none of
them adds to. A pathway belongs into the kernel of its source if all it reads besides its own synapses are numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxsnn.program import (
    Code,
    Deliver,
    Key,
    Operation,
    RecordRate,
    RecordSpikes,
    RecordState,
    Reset,
    Threshold,
    Update,
)
from jaxsnn.simulation.records import SpikesStep
from jaxsnn.simulation.synaptic import DeliverStep
from jaxsnn.simulation.synaptic.one_stage import OneStage

__all__ = ["Group", "Plan", "plan", "sees"]

RECORDS = (RecordRate, RecordSpikes, RecordState)


@dataclass(frozen=True)
class Group:
    """A group with a kernel of its own; numbers are places in the list of operations.

    owner: its name; size: of neurons; before: updates and the threshold; after: resets; inbox: variables to which
    pathways add; deliveries: pathways in its kernel; launch: the operation before which the kernel starts; record:
    the spike monitor that the kernel serves, if any.
    """

    owner: str
    size: int
    event: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    inbox: Mapping[Key, str | None]
    deliveries: tuple[int, ...]
    launch: int
    record: int | None


@dataclass(frozen=True)
class Plan:
    """groups: with kernels; reasons: why the others have none, by name."""

    groups: tuple[Group, ...]
    reasons: Mapping[str, str]

    @property
    def inside(self) -> frozenset[int]:
        """Operations that kernels carry out."""
        return frozenset(k for g in self.groups for k in (*g.before, *g.after, *g.deliveries))

    def owner(self, name: str) -> Group | None:
        """The group of this name, if it has a kernel."""
        return next((group for group in self.groups if group.owner == name), None)


class Unfit(Exception):
    """Why a group has no kernel of its own."""


def plan(parts: Sequence[Any], sizes: Mapping[str, int], fits: Any, alone: bool = False) -> Plan:
    """Look at the operations of a step.

    Args:
        parts: the operations made ready, in order.
        sizes: elements of each owner of events.
        fits: ``fits(part)``: None if a kernel can compute it, else why not.
        alone: whether only pathways in kernels may add to a group.
    """
    found: dict[str, Group] = {}
    reasons: dict[str, str] = {}
    candidates = list(sizes)
    while True:
        found = {}
        for owner in candidates:
            try:
                group = _group(owner, sizes[owner], parts, fits, set(candidates))
                if alone:
                    _only_kernels(group, parts, fits, candidates)
                found[owner] = group
            except Unfit as why:
                reasons[owner] = str(why)
        if len(found) == len(candidates):
            break
        candidates = list(found)  # what delivers to a group that dropped out may have to drop out, too
    return Plan(tuple(_launches(found, parts)), reasons)


def touched(operation: Operation) -> Iterator[tuple[Key, str]]:
    """The variables that the code of an operation reads or writes, and through which index."""
    code = getattr(operation, "code", None)
    if isinstance(code, Code):
        for ref in code.scope.values():
            yield ref.key, ref.via


def sees(operation: Operation, owner: str) -> bool:
    """Whether a monitor looks at a group."""
    if isinstance(operation, RecordState):
        return any(key[0] == owner for key, _ in touched(operation))
    return isinstance(operation, RECORDS) and operation.domain.owner == owner


def _group(owner: str, size: int, parts: Sequence[Any], fits: Any, candidates: set[str]) -> Group:
    operations = [part.operation for part in parts]
    thresholds = [k for k, op in enumerate(operations) if isinstance(op, Threshold) and op.domain.owner == owner]
    if len(thresholds) != 1:
        raise Unfit("it has no threshold of its own, or several")
    threshold = thresholds[0]
    event = operations[threshold].event
    before: list[int] = []
    after: list[int] = []
    inbox: dict[Key, str | None] = {}
    arrivals: list[int] = []
    record = None
    for k, (part, op) in enumerate(zip(parts, operations, strict=True)):
        if isinstance(op, Update | Threshold | Reset) and op.domain.owner == owner:
            if op.every != 1 or op.domain.size != size:
                raise Unfit(f"{op.name} has another clock or is only for part of the group")
            if any(op.code.scope[name].owner != owner for name in op.code.written):
                raise Unfit(f"{op.name} looks at it and changes something else")
            why = fits(part)
            if why is not None:
                raise Unfit(f"{op.name}: {why}")
            (after if isinstance(op, Reset) else before).append(k)
        elif isinstance(op, RecordSpikes) and op.domain.owner == owner and op.event == event:
            if record is None and op.domain.size == size and op.every == 1 and isinstance(part, SpikesStep):
                record = k
        elif isinstance(op, Deliver) and any(key[0] == owner for key in _changed(part)):
            inbox.update(_added(owner, part))
            arrivals.append(k)
        elif not isinstance(op, (*RECORDS, Deliver)) and any(key[0] == owner for key, _ in touched(op)):
            raise Unfit(f"{op.name} reads or changes it")
    if before[-1] != threshold or any(k < threshold for k in (*arrivals, *after)):
        raise Unfit("updates, threshold, pathways and resets are not in this order")
    if after and arrivals and min(after) < max(arrivals):
        raise Unfit("pathways add to it after the reset")
    for k, op in enumerate(operations):
        if isinstance(op, RecordState) and any(key[0] == owner for key, _ in touched(op)):
            last = max((*before, *arrivals, *after))
            if before[0] < k and (k < last or op.domain.owner != owner):
                raise Unfit(f"{op.name} reads it between its update and its reset")
        if isinstance(op, Deliver):
            own = {name: ref for name, ref in op.code.scope.items() if ref.key[0] == owner}
            if any(ref.key in inbox and ref.via in ("pre", "post") for ref in own.values()):
                analysis = parts[k].way.analysis
                reads = {analysis.code.scope[n].key for n in analysis.reads if n in analysis.code.scope}
                if any(key in inbox for key in reads):
                    raise Unfit(f"{op.name} reads a variable that pathways change")
            if op.source.owner == owner and (k < threshold or (after and k > min(after))):
                raise Unfit(f"{op.name} comes before its threshold or after its reset")
    deliveries = tuple(k for k, part in enumerate(parts) if _joins(part, owner, event, candidates, fits))
    return Group(owner, size, event, tuple(before), tuple(after), inbox, deliveries, threshold, record)


def _only_kernels(group: Group, parts: Sequence[Any], fits: Any, candidates: Sequence[str]) -> None:
    for part in parts:
        op = part.operation
        if isinstance(op, Deliver) and any(key in group.inbox for key in _changed(part)):
            source = op.source.owner
            if source not in candidates or not _joins(part, source, op.event, set(candidates), fits):
                raise Unfit(f"{op.name} adds to it from outside")


def _changed(part: DeliverStep) -> Iterator[Key]:
    code = part.operation.code
    for name in code.written:
        yield code.scope[name].key


def _added(owner: str, part: DeliverStep) -> dict[Key, str | None]:
    """The variables of a group to which a pathway adds, and the flag that protects each."""
    op, way = part.operation, part.way
    if op.delay is not None:
        raise Unfit(f"{op.name} has delays that are numbers of their own")
    if not isinstance(way, OneStage) or op.every != 1:
        raise Unfit(f"{op.name} does more than add to it, or has another clock")
    found: dict[Key, str | None] = {}
    for change, output in zip(way.changes, way.outputs, strict=True):
        if change.ref.key[0] != owner or output.side == "synapse":
            continue
        if output.side != "target":
            raise Unfit(f"{op.name} changes its own source")
        guard = way.analysis.guard(change.ref)
        found[change.ref.key] = None if guard is None else guard.name
    return found


def _joins(part: Any, owner: str, event: str, candidates: set[str], fits: Any) -> bool:
    """Whether a pathway can be part of the kernel of its source."""
    op = part.operation
    if not isinstance(op, Deliver) or op.source.owner != owner or op.event != event or op.every != 1:
        return False
    way = part.way
    if not isinstance(way, OneStage) or not way.changes or op.delay is not None or fits(part) is not None:
        return False
    for change, output in zip(way.changes, way.outputs, strict=True):
        if output.side == "source" or (output.side == "target" and change.ref.key[0] not in candidates):
            return False
    return way.constant or all(_free(way.analysis.code.scope.get(name)) for name in way.block.reads)


def _free(ref: Any) -> bool:
    """Whether a name can be read without looking at a neuron."""
    return ref is None or ref.via in ("self", "scalar") or ref.owner == "clock"


def _launches(found: Mapping[str, Group], parts: Sequence[Any]) -> Iterator[Group]:
    """Kernels start before the first pathway that needs them; what would overtake another pathway stays outside."""
    starts = {}
    for owner, group in found.items():
        needed = [k for k, part in enumerate(parts) if isinstance(part.operation, Deliver) and _needs(part, owner)]
        starts[owner] = min(needed, default=group.launch + 1)
    at = {k: starts[owner] for owner, group in found.items() for k in group.deliveries}
    for owner, group in found.items():
        inside = tuple(k for k in group.deliveries if not _overtaken(k, at, parts))
        yield Group(
            owner,
            group.size,
            group.event,
            group.before,
            group.after,
            group.inbox,
            inside,
            starts[owner],
            group.record,
        )


def _needs(part: DeliverStep, owner: str) -> bool:
    """Whether a pathway looks at spikes or variables of a group."""
    op = part.operation
    if op.source.owner == owner:
        return True
    analysis = part.way.analysis
    return any(n in analysis.code.scope and analysis.code.scope[n].owner == owner for n in analysis.reads)


def _overtaken(place: int, at: Mapping[int, int], parts: Sequence[Any]) -> bool:
    """Whether carrying out a pathway when its kernel starts would pass another one on the same synapses."""
    own = {key for key, via in touched(parts[place].operation) if via == "self"}
    written = {parts[place].operation.code.scope[n].key for n in parts[place].operation.code.written}
    for k, part in enumerate(parts):
        op = part.operation
        if k == place or isinstance(op, RECORDS):
            continue
        keys = {key for key, via in touched(op)}
        writes = (
            {op.code.scope[n].key for n in op.code.written} if isinstance(getattr(op, "code", None), Code) else set()
        )
        if not (keys & written & own or writes & own):
            continue
        start = at.get(k, k)
        # Nothing tells which of two in kernels that start together comes first, so the later one stays outside.
        if (start == at[place] and k in at and k < place) or (k < place) != ((start, k) < (at[place], place)):
            return True
    return False
