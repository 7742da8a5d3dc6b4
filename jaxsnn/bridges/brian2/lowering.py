"""From the runners of a Brian2 network to the program that does the same in each step.

One function for each of Brian2's templates, in one table: what Brian2 hands over at that height (statements with
resolved names, indices, the event set) is what an operation of `jaxsnn.program` holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from jaxsnn.bridges.brian2.forms import Block, Clock, Pathway, Runner, Unsupported
from jaxsnn.bridges.brian2.interface import generated_spikes
from jaxsnn.bridges.brian2.translation import Translation, Translator, random
from jaxsnn.equations.expressions import Expr, Logical, Name
from jaxsnn.equations.statements import Assign
from jaxsnn.objects.base import Connections, Parts
from jaxsnn.program import (
    Cable,
    Code,
    Deliver,
    Emit,
    Operation,
    Program,
    RecordRate,
    RecordSpikes,
    RecordState,
    Reset,
    Summed,
    Threshold,
    Update,
    Variable,
    Window,
)

__all__ = ["Lowered", "Recording", "lower"]

MOST_TICKS = 10_000
"""Steps of the program in one step of the slowest clock; more are taken for clocks that do not fit together."""


@dataclass(frozen=True)
class Recording:
    """A monitor, and what it records: ``kind`` is ``"events"``, ``"samples"`` or ``"rate"``.

    steps: those of a clock that ticks at given times; the program records all steps, of which these are kept.
    """

    kind: str
    runner: Runner
    values: tuple[str, ...] = ()
    size: int = 1
    steps: np.ndarray | None = None


@dataclass
class Lowered:
    """A network as a program, with what belongs to it on Brian2's side."""

    program: Program
    translation: Translation
    recordings: dict[str, Recording] = field(default_factory=dict)
    pathways: dict[str, Runner] = field(default_factory=dict)
    generators: dict[str, Runner] = field(default_factory=dict)
    trails: dict[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> Parts:
        return self.translation.parts


def lower(runners: Iterable[Runner], dtype: Any) -> Lowered:
    """Lower the runners of a network, in their order, for floating-point numbers of a type.

    Raises:
        Unsupported: for what has no counterpart, with the name of the object.
    """
    runners = list(runners)
    for runner in runners:
        if runner.kind != "code":
            raise Unsupported(f"{runner.name} ({runner.kind}) runs Python in each step")
    base = common_step({runner.clock for runner in runners})
    translation = Translation(base, Parts(base), dtype)
    translation.count(runners)
    lowered = Lowered(Program(base, {}, {}, ()), translation)
    operations: list[Operation] = []
    for runner in runners:
        for block in runner.blocks:
            if block.template not in TEMPLATES:
                raise Unsupported(f"{runner.name}: code of the kind {block.template!r} (of {block.domain.owner})")
            operations.extend(TEMPLATES[block.template](lowered, runner, block))
    parts = translation.parts
    _silent_events(operations, parts)
    parts.operations = operations
    lowered.program = Program(base, parts.variables, parts.events, tuple(operations))
    return lowered


def common_step(clocks: Iterable[Clock]) -> float:
    """The longest time step of which all clocks have whole multiples: mostly that of the fastest.

    >>> common_step([Clock("a", 1e-3), Clock("b", 1e-4)])
    0.0001
    """
    steps = sorted(clock.dt for clock in clocks if clock.times is None)
    if not steps:
        raise Unsupported("no object of the network has a clock with a time step")
    fastest = steps[0]
    ratios = [Fraction(step / fastest).limit_denominator(1000) for step in steps]
    parts = math.lcm(*(ratio.denominator for ratio in ratios))
    for step, ratio in zip(steps, ratios, strict=True):
        if abs(step / fastest - ratio) > 1e-6 * ratio or ratio * parts > MOST_TICKS:
            raise Unsupported(f"clocks with steps of {fastest:g} s and {step:g} s have no common step")
    return fastest / parts if parts > 1 else fastest


def _silent_events(operations: list[Operation], parts: Parts) -> None:
    """Events of a group that nothing in this network fires exist all the same."""
    for operation in operations:
        window, event = getattr(operation, "domain", None), getattr(operation, "event", None)
        if isinstance(operation, Deliver):
            window = operation.source
        if event is not None and window is not None and (window.owner, event) not in parts.events:
            parts.events[(window.owner, event)] = window.stop


# ---- one function for each template --------------------------------------------------------------------


def _common(lowered: Lowered, runner: Runner) -> dict[str, Any]:
    """Name and place in the schedule, which all operations have."""
    common: dict[str, Any] = {"name": runner.name, "slot": runner.slot, "order": runner.order}
    if runner.clock.times is None:
        return {**common, "every": lowered.translation.every(runner.clock)}
    exact = runner.clock.times / lowered.translation.base
    if np.any(np.abs(exact - np.rint(exact)) > 1e-4):
        raise Unsupported(f"{runner.name} runs at times that are no multiples of the time step")
    steps = np.rint(exact).astype(np.int32)
    if np.any(np.diff(steps) == 0):
        raise Unsupported(f"{runner.name} runs several times in one step")
    lowered.parts.indices[f"{runner.name}.steps"] = steps
    return {**common, "listed": True}


def _recorded(lowered: Lowered, runner: Runner) -> tuple[dict[str, Any], np.ndarray | None]:
    """Name and place of a monitor, and which steps are kept if its clock ticks at given times."""
    common = _common(lowered, runner)
    if not common.pop("listed", False):
        return common, None
    return common, lowered.parts.indices.pop(f"{runner.name}.steps")


def _ends(lowered: Lowered, block: Block, code: Code) -> None:
    """Synapses whose code reads their neurons need to know them."""
    if {ref.via for ref in code.scope.values()} & {"pre", "post"}:
        owner = block.domain.owner
        lowered.parts.indices.update(zip((f"{owner}.i", f"{owner}.j"), block.details["ends"], strict=True))


def _update(lowered: Lowered, runner: Runner, block: Block) -> Iterator[Operation]:
    """Statements for all elements; those that write a shared variable come first, once for the group."""
    if not block.lines:
        return
    translator = Translator(lowered.translation, runner, block)
    common = _common(lowered, runner)
    shared = [line for line in block.lines if line.scalar]
    vector = [line for line in block.lines if not line.scalar]
    if any(not line.new for line in shared):
        one = Translator(lowered.translation, runner, block)
        code = one.code(shared)
        window = Window(block.domain.owner, 0, 1)
        if (
            any(random(s.expr) for s in code.statements if isinstance(s, Assign) and s.target not in code.scope)
            and vector
        ):
            raise Unsupported(f"{runner.name}: a random number that is shared by all elements, but is no variable")
        yield Update(**{**common, "name": f"{runner.name}_shared"}, **_beat(lowered, one), domain=window, code=code)
        shared = [line for line in shared if line.new]
    if not vector:
        return
    code = translator.code([*shared, *vector])
    _check_writes(code, runner)
    _ends(lowered, block, code)
    yield Update(**common, **_beat(lowered, translator), domain=block.domain, code=code)


def _beat(lowered: Lowered, translator: Translator) -> dict[str, Any]:
    return {} if translator.beat is None else {"beat": lowered.translation.every(translator.beat)}


def _check_writes(code: Code, runner: Runner) -> None:
    for name in code.written:
        if code.scope[name].via not in ("self", "scalar"):
            raise Unsupported(f"{runner.name} writes {name!r} of other elements")


def _threshold(lowered: Lowered, runner: Runner, block: Block) -> Iterator[Operation]:
    translator = Translator(lowered.translation, runner, block)
    condition = translator.expressions("_cond")[""]
    refractory = block.details["refractory"]
    event = block.details["event"]
    owner = block.domain.owner
    if refractory:
        condition = _without_refractory(condition)
        if (owner, "lastspike") not in lowered.translation.counted:
            raise Unsupported(f"{runner.name}: lastspike is written on several clocks")
    code = translator.code(())
    lowered.parts.events[(owner, event)] = block.domain.size
    yield Threshold(
        **_common(lowered, runner),
        domain=block.domain,
        event=event,
        condition=condition,
        code=code,
        refractory=refractory,
    )


def _without_refractory(condition: Expr) -> Expr:
    """``(condition) and not_refractory``, without the last part: the operation itself looks at it."""
    match condition:
        case Logical(op="and", operands=(*rest, Name(id="not_refractory"))):
            return rest[0] if len(rest) == 1 else Logical("and", tuple(rest))
    return condition


def _reset(lowered: Lowered, runner: Runner, block: Block) -> Iterator[Operation]:
    if not block.lines:
        return
    code = Translator(lowered.translation, runner, block).code()
    _check_writes(code, runner)
    yield Reset(**_common(lowered, runner), domain=block.domain, event=block.details["event"], code=code)


def _emit(lowered: Lowered, runner: Runner, block: Block) -> Iterator[Operation]:
    steps, index, period = generated_spikes(runner.handle)
    order = np.lexsort((index, steps))
    lowered.parts.schedules[runner.name] = (steps[order], index[order])
    lowered.parts.events[(block.domain.owner, "spike")] = block.domain.size
    lowered.generators[runner.name] = runner
    yield Emit(**_common(lowered, runner), domain=block.domain, event="spike", period=period)


def _deliver(lowered: Lowered, runner: Runner, block: Block) -> Iterator[Operation]:
    given = runner.pathway
    assert isinstance(given, Pathway)
    code = Translator(lowered.translation, runner, block).code()
    for name in code.written:
        if code.scope[name].via.startswith("at:"):
            raise Unsupported(f"{runner.name} writes {name!r} through an index")
    parts = lowered.parts
    for window in (given.source_window, given.target_window):
        if not any(owner == window.owner for owner, _ in parts.variables):
            parts.add(Variable(window.owner, "_present", "boolean", size=window.stop), np.zeros(window.stop, bool))
    parts.connections[runner.name] = Connections(
        given.source - given.source_window.start, given.target - given.target_window.start, given.delay
    )
    lowered.pathways[runner.name] = runner
    common = _common(lowered, runner)
    yield Deliver(
        **common,
        synapses=given.synapses,
        pathway=runner.name,
        trigger=given.trigger,
        event=given.event,
        source=given.source_window,
        target=given.target_window,
        code=code,
    )


def _summed(lowered: Lowered, runner: Runner, block: Block) -> Iterator[Operation]:
    translator = Translator(lowered.translation, runner, block)
    (expr,) = translator.expressions("_synaptic_var").values()
    details = block.details
    target = lowered.translation.add(details["target"])
    stop = details["stop"] if details["stop"] >= 0 else details["target"].size
    code = Code((Assign("_total", "=", expr),), {**translator.scope, "_total": target}, {})
    _ends(lowered, block, code)
    window = Window(target.owner, details["start"], stop)
    yield Summed(**_common(lowered, runner), domain=block.domain, target=window, code=code)


def _cable(lowered: Lowered, runner: Runner, block: Block) -> Iterator[Operation]:
    code = Translator(lowered.translation, runner, block).code()
    roles = {role: lowered.translation.add(array) for role, array in block.details["roles"].items()}
    first, last, parent = block.details["sections"]
    section = np.searchsorted(first, np.arange(block.domain.size), side="right") - 1
    places = {"first": first, "last": last, "parent": parent, "section": section, "levels": _levels(parent)}
    lowered.parts.indices.update({f"{runner.name}.{name}": p.astype(np.int32) for name, p in places.items()})
    yield Cable(**_common(lowered, runner), domain=block.domain, code=code, roles=roles)


def _levels(parent: np.ndarray) -> np.ndarray:
    """The sections of each depth in the tree, one depth a row, filled up with their number.

    >>> _levels(np.array([0, 1, 1, 2])).tolist()  # the second and third begin where the first ends
    [[0, 4], [1, 2], [3, 4]]
    """
    depth = np.zeros(parent.size + 1, int)
    for k, node in enumerate(parent):  # parents come first
        depth[k + 1] = depth[node] + 1
    rows = [np.flatnonzero(depth[1:] == d) for d in range(1, depth.max() + 1)]
    width = max(map(len, rows))
    return np.stack([np.pad(row, (0, width - row.size), constant_values=parent.size) for row in rows])


def _record_events(lowered: Lowered, runner: Runner, block: Block) -> Iterator[Operation]:
    window = block.domain
    wanted = tuple(n for n in block.details["recorded"] if n not in ("i", "t"))
    extra: dict[str, Any] = {}
    if wanted:
        translator = Translator(lowered.translation, runner, block)
        found = translator.expressions("_to_record_")
        extra = {"expressions": {n: found[n] for n in wanted}, "code": translator.code(())}
    lowered.recordings[runner.name] = Recording("events", runner, wanted, window.size)
    event = block.details["event"]
    yield RecordSpikes(**_common(lowered, runner), domain=window, event=event, label=runner.name, **extra)


def _record_state(lowered: Lowered, runner: Runner, block: Block) -> Iterator[Operation]:
    translator = Translator(lowered.translation, runner, block)
    expressions = translator.expressions("_to_record_")
    code = translator.code(())
    _ends(lowered, block, code)
    record = block.details["record"]
    lowered.parts.indices[runner.name] = record
    common, steps = _recorded(lowered, runner)
    lowered.recordings[runner.name] = Recording("samples", runner, tuple(expressions), record.size, steps)
    yield RecordState(
        **common,
        domain=block.domain,
        expressions=expressions,
        code=code,
        elements=int(record.size),
        label=runner.name,
    )


def _record_rate(lowered: Lowered, runner: Runner, block: Block) -> Iterator[Operation]:
    common, steps = _recorded(lowered, runner)
    lowered.recordings[runner.name] = Recording("rate", runner, (), block.domain.size, steps)
    yield RecordRate(**common, domain=block.domain, event="spike", label=runner.name)


TEMPLATES: Mapping[str, Callable[[Lowered, Runner, Block], Iterator[Operation]]] = {
    "stateupdate": _update,
    "threshold": _threshold,
    "reset": _reset,
    "spikegenerator": _emit,
    "synapses": _deliver,
    "summed_variable": _summed,
    "spatialstateupdate": _cable,
    "spikemonitor": _record_events,
    "statemonitor": _record_state,
    "ratemonitor": _record_rate,
}
