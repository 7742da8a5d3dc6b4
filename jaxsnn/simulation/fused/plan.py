"""Which groups of a program a kernel can step, and which pathways belong into it.

A group qualifies if all that changes it in a step is: updates of the whole group, one threshold, additions by
pathways, resets - in this order. Nothing else may look at it in between, except pathways that read what none of
them adds to. A kernel carries out a pathway if all it reads besides its own synapses are numbers.

One kernel makes the step of all these groups, each with programs of its own. Pathways that change what others read
follow in another kernel.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxsnn.program import (
    Code,
    Deliver,
    Emit,
    Invoke,
    Key,
    Operation,
    RecordRate,
    RecordSpikes,
    RecordState,
    Reset,
    Threshold,
    Update,
)
from jaxsnn.simulation.operations import touched
from jaxsnn.simulation.records import SpikesStep
from jaxsnn.simulation.synaptic import DeliverStep
from jaxsnn.simulation.synaptic.one_stage import OneStage

__all__ = ["Group", "Plan", "changed", "emitter", "plan", "sees"]

RECORDS = (RecordRate, RecordSpikes, RecordState)


@dataclass(frozen=True)
class Group:
    """A group whose steps kernels make; numbers are places in the list of operations.

    owner: its name; size: of neurons; before: updates and the threshold; after: resets; inbox: variables to which
    pathways add; record: the spike monitor that the kernel serves, if any.
    """

    owner: str
    size: int
    event: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    inbox: Mapping[Key, str | None]
    record: int | None


@dataclass(frozen=True)
class Plan:
    """What the kernels of a step do.

    groups: all in the first kernel; place: the operation before which the kernels start; stages: the pathways of the
    first kernel and of those that follow it; later: pathways that the first kernel of the next step carries out;
    emits: generators whose spikes nothing but kernels looks at; reasons: why other groups are not among them, by name.
    """

    groups: tuple[Group, ...]
    place: int
    stages: tuple[tuple[int, ...], ...]
    later: tuple[int, ...]
    emits: tuple[int, ...]
    reasons: Mapping[str, str]

    @property
    def deliveries(self) -> tuple[int, ...]:
        """Pathways that kernels carry out."""
        return (*(k for stage in self.stages for k in stage), *self.later)

    @property
    def inside(self) -> frozenset[int]:
        """Operations that kernels carry out."""
        return frozenset((*self.deliveries, *self.emits, *(k for g in self.groups for k in (*g.before, *g.after))))


class Unfit(Exception):
    """Why a kernel cannot step a group."""


def plan(
    parts: Sequence[Any], sizes: Mapping[str, int], fits: Any, long: Any, can_wait: Any, alone: bool = False
) -> Plan:
    """Look at the operations of a step.

    Args:
        parts: the operations made ready, in order.
        sizes: elements of each owner of events.
        fits: ``fits(part)``: None if a kernel can compute it, else why not.
        long: ``long(part)``: whether several programs should share a row of a pathway.
        can_wait: ``can_wait(part)``: whether what a pathway adds may be added in the next step as well.
        alone: whether only pathways in kernels may add to a group.
    """
    reasons: dict[str, str] = {}
    candidates = list(sizes)
    while True:
        found: dict[str, Group] = {}
        sources = _emitters(parts)
        sources.update((owner, _event(owner, parts)) for owner in candidates if owner not in sources)
        for owner in candidates:
            try:
                group = _group(owner, sizes[owner], parts, fits)
                if alone:
                    _only_kernels(group, parts, fits, sources, candidates)
                found[owner] = group
            except Unfit as why:
                reasons[owner] = str(why)
        if len(found) == len(candidates):  # what delivers to a group that dropped out may have to drop out, too
            place, inside = _together(
                found, parts, [k for k in range(len(parts)) if _joins(parts[k], sources, found, fits)]
            )
            late = [owner for owner, group in found.items() if group.before[-1] >= place]
            if not late:
                break
            reasons.update((owner, f"{parts[place].operation.name} comes before its threshold") for owner in late)
            found = {owner: group for owner, group in found.items() if owner not in late}
        candidates = list(found)
    emits = tuple(k for k, part in enumerate(parts) if isinstance(part.operation, Emit) and not _seen(k, parts, inside))
    # Rows that programs of their own walk: in the next step these can run beside those of the groups.
    later = tuple(k for k in inside if _walked_alone(parts[k], found, long) and can_wait(parts[k]))
    stages = _stages([k for k in inside if k not in later], parts, found, long)
    return Plan(tuple(found.values()), place, stages, later, emits, reasons)


def sees(operation: Operation, owner: str) -> bool:
    """Whether a monitor looks at a group."""
    if isinstance(operation, RecordState):
        return any(key[0] == owner for key, _ in touched(operation))
    return isinstance(operation, RECORDS) and operation.domain.owner == owner


def emitter(owner: str, parts: Sequence[Any]) -> Any:
    """The operation in which a generator fires."""
    return next(part for part in parts if isinstance(part.operation, Emit) and part.operation.domain.owner == owner)


def _group(owner: str, size: int, parts: Sequence[Any], fits: Any) -> Group:
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
        if isinstance(op, Invoke):
            raise Unfit(f"{op.name} is a function that may look at it")
        if isinstance(op, Update | Threshold | Reset) and op.domain.owner == owner:
            if not op.always or op.domain.size != size:
                raise Unfit(f"{op.name} has another clock or is only for part of the group")
            if any(op.code.scope[name].owner != owner for name in op.code.written):
                raise Unfit(f"{op.name} looks at it and changes something else")
            why = fits(part)
            if why is not None:
                raise Unfit(f"{op.name}: {why}")
            if any(op.code.scope[name].via == "scalar" for name in op.code.written):
                raise Unfit(f"{op.name} changes a number that all elements share")
            (after if isinstance(op, Reset) else before).append(k)
        elif isinstance(op, RecordSpikes) and op.expressions and op.domain.owner == owner:
            raise Unfit(f"{op.name} reads it when it fires")
        elif isinstance(op, RecordSpikes) and op.domain.owner == owner and op.event == event:
            if record is None and op.domain.size == size and op.always and isinstance(part, SpikesStep):
                record = k
        elif isinstance(op, Deliver) and any(key[0] == owner for key in changed(part)):
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
    return Group(owner, size, event, tuple(before), tuple(after), inbox, record)


def _only_kernels(
    group: Group, parts: Sequence[Any], fits: Any, sources: Mapping[str, str], candidates: Sequence[str]
) -> None:
    for part in parts:
        op = part.operation
        adds = isinstance(op, Deliver) and any(key in group.inbox for key in changed(part))
        if adds and not _joins(part, sources, candidates, fits):
            raise Unfit(f"{op.name} adds to it from outside")


def _emitters(parts: Sequence[Any]) -> dict[str, str]:
    """Generators, and the names of their spikes."""
    emits = [part.operation for part in parts if isinstance(part.operation, Emit)]
    return {op.domain.owner: op.event for op in emits if op.always}


def _event(owner: str, parts: Sequence[Any]) -> str:
    thresholds = [part.operation for part in parts if isinstance(part.operation, Threshold)]
    return next((op.event for op in thresholds if op.domain.owner == owner), "")


def changed(part: DeliverStep) -> Iterator[Key]:
    """The variables that a pathway writes."""
    code = part.operation.code
    for name in code.written:
        yield code.scope[name].key


def _added(owner: str, part: DeliverStep) -> dict[Key, str | None]:
    """The variables of a group to which a pathway adds, and the flag that protects each."""
    op, way = part.operation, part.way
    if op.delay is not None:
        raise Unfit(f"{op.name} has delays that are numbers of their own")
    if not isinstance(way, OneStage) or not op.always:
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


def _joins(part: Any, sources: Mapping[str, str], groups: Container[str], fits: Any) -> bool:
    """Whether a kernel can carry out a pathway: it reads nothing of a neuron, and changes none but those of groups."""
    op = part.operation
    if not isinstance(op, Deliver) or sources.get(op.source.owner) != op.event or not op.always:
        return False
    way = part.way
    if not isinstance(way, OneStage) or not way.changes or op.delay is not None or fits(part) is not None:
        return False
    for change, output in zip(way.changes, way.outputs, strict=True):
        if output.side == "source" or (output.side == "target" and change.ref.key[0] not in groups):
            return False
    return way.constant or all(_free(way.analysis.code.scope.get(name)) for name in way.block.reads)


def _free(ref: Any) -> bool:
    """Whether a name can be read without looking at a neuron."""
    return ref is None or ref.via in ("self", "scalar") or ref.owner == "clock"


def _together(found: Mapping[str, Group], parts: Sequence[Any], joining: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    """Where kernels start, and which pathways they carry out.

    They start before the first pathway outside that looks at a group. A pathway for which that is too early or
    too late, seen from other operations on its synapses, stays outside.
    """
    inside = list(joining)
    after = 1 + max((group.before[-1] for group in found.values()), default=-1)
    while True:
        needs = (k for k, part in enumerate(parts) if k not in inside and any(_needs(part, owner) for owner in found))
        place = min(needs, default=after)
        outside = [k for k in range(len(parts)) if k not in inside]
        wrong = (k for k in inside if any(_clash(parts[k], parts[j]) and (k < j) != (place <= j) for j in outside))
        overtaken = next(wrong, None)
        if overtaken is None:
            return place, tuple(inside)
        inside.remove(overtaken)


def _needs(part: Any, owner: str) -> bool:
    """Whether a pathway looks at spikes or variables of a group."""
    op = part.operation
    if not isinstance(op, Deliver):
        return False
    if op.source.owner == owner:
        return True
    analysis = part.way.analysis
    return any(n in analysis.code.scope and analysis.code.scope[n].owner == owner for n in analysis.reads)


def _clash(pathway: DeliverStep, other: Any) -> bool:
    """Whether one of them writes variables of the pathway's synapses that the other reads or writes."""
    own = {key for key, via in touched(pathway.operation) if via == "self"}
    keys = {key for key, _ in touched(other.operation)} & own
    return any(key in keys for key in (*_written(pathway.operation), *_written(other.operation)))


def _written(operation: Operation) -> set[Key]:
    code = getattr(operation, "code", None)
    return {code.scope[name].key for name in code.written} if isinstance(code, Code) else set()


def _stages(
    inside: Sequence[int], parts: Sequence[Any], groups: Container[str], long: Any
) -> tuple[tuple[int, ...], ...]:
    """Pathways of the first kernel, of the second, and so on: nothing orders what two programs of one kernel do."""
    stage: dict[int, int] = {}
    for k in inside:
        first = int(_walked_alone(parts[k], groups, long))
        stage[k] = max([first, *(stage[j] + 1 for j in stage if _clash(parts[k], parts[j]))])
    return tuple(tuple(k for k in inside if stage[k] == n) for n in range(1 + max(stage.values(), default=0)))


def _walked_alone(part: Any, groups: Container[str], long: Any) -> bool:
    """Whether the programs of a group should leave a pathway to others: several share a row."""
    return part.operation.source.owner in groups and long(part)


def _seen(place: int, parts: Sequence[Any], inside: Sequence[int]) -> bool:
    """Whether something besides kernels looks at the spikes of a generator."""
    owner = parts[place].operation.domain.owner
    for k, part in enumerate(parts):
        op = part.operation
        window = getattr(op, "source", None) or getattr(op, "domain", None)
        if k != place and k not in inside and hasattr(op, "event") and window is not None and window.owner == owner:
            return True
    return not parts[place].operation.always
