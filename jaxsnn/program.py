"""The one intermediate form: a scheduled list of operations on named variables.

What a user describes (groups, synapses, monitors) is lowered to a `Program`; what runs (the simulation) knows
nothing but the program and the arrays beside it. Everything here is symbolic and immutable: statements keep the
expression trees, names keep what they refer to, and ``print(program)`` shows the whole schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from jaxsnn.equations.expressions import Expr, render
from jaxsnn.equations.statements import Adapt, Assign, Propagate, Statement
from jaxsnn.errors import Source
from jaxsnn.units import DIMENSIONLESS, Dimension

__all__ = [
    "SLOTS",
    "Cable",
    "Code",
    "Deliver",
    "Emit",
    "Invoke",
    "Link",
    "Operation",
    "Program",
    "RecordRate",
    "RecordSpikes",
    "RecordState",
    "Ref",
    "Reset",
    "Summed",
    "Threshold",
    "Update",
    "Variable",
    "Window",
    "slot_position",
]

SLOTS = ("start", "groups", "thresholds", "synapses", "resets", "end")
"""The chapters of a time step, in order; each has a ``before_`` and an ``after_`` part."""

Key = tuple[str, str]
"""(owner, name) of a variable, or (owner, event) of an event set."""


def slot_position(when: str, slots: Sequence[str] = SLOTS) -> float:
    """Where a slot stands in the step: ``before_x`` < ``x`` < ``after_x``. Unknown slots raise KeyError."""
    for prefix, shift in (("before_", -0.25), ("after_", 0.25)):
        if when.startswith(prefix) and when[len(prefix) :] in slots:
            return slots.index(when[len(prefix) :]) + shift
    if when not in slots:
        raise KeyError(when)
    return float(slots.index(when))


@dataclass(frozen=True)
class Variable:
    """A named array of the program.

    ``size`` elements (one if ``scalar``). ``role`` is ``"state"`` for what equations and statements change,
    ``"parameter"`` for declared values, ``"constant"`` for numbers of the namespace, ``"clock"`` for t and dt,
    ``"delay"`` for delays of whole steps, which nothing can change during a run.
    """

    owner: str
    name: str
    type: str
    dim: Dimension = DIMENSIONLESS
    size: int = 1
    scalar: bool = False
    role: str = "state"

    @property
    def key(self) -> Key:
        return self.owner, self.name


@dataclass(frozen=True)
class Ref:
    """What a name in a block of code refers to.

    ``via`` says through which index an element of the domain reads it: ``"self"`` (one to one), ``"scalar"``
    (the same value for all), ``"pre"`` or ``"post"`` (the neuron at that end of a synapse), ``"index"`` (the
    element's own number), ``"at:name"`` (the place that the array ``name`` beside the program gives for it).
    """

    owner: str
    name: str
    type: str
    dim: Dimension = DIMENSIONLESS
    via: str = "self"

    @property
    def key(self) -> Key:
        return self.owner, self.name


@dataclass(frozen=True)
class Link:
    """A variable that is ``source`` through an index: the array ``table`` beside the program, the integer ``variable``
    (counted from element ``first``), or one to one.
    """

    source: Key
    table: str = ""
    variable: Key | None = None
    first: int = 0


@dataclass(frozen=True)
class Code:
    """Statements with the meaning of their names, and which writes are guarded.

    ``guards[x] = c``: an element may write variable x only where the boolean variable c holds.
    """

    statements: tuple[Statement, ...]
    scope: Mapping[str, Ref]
    guards: Mapping[str, str] = field(default_factory=dict)
    source: Source = Source("")

    @property
    def written(self) -> tuple[str, ...]:
        """Names of variables (not locals) the statements assign, in order."""
        targets: dict[str, None] = {}
        for statement in self.statements:
            match statement:
                case Assign(target=target) if target in self.scope:
                    targets[target] = None
                case Propagate(targets=several) | Adapt(targets=several):
                    targets.update({t: None for t in several if t in self.scope})
        return tuple(targets)

    def lines(self) -> Iterator[str]:
        for statement in self.statements:
            guard = self.guards.get(statement.target) if isinstance(statement, Assign) else None
            yield f"{statement}  [where {guard}]" if guard else str(statement)


@dataclass(frozen=True)
class Window:
    """Elements ``start <= k < stop`` of an owner: a group or a subgroup of it."""

    owner: str
    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    def __str__(self) -> str:
        return f"{self.owner}[{self.start}:{self.stop}]"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Something done in a time step: in slot ``slot``, by ``order``, ties by ``name``.

    ``every``: the operation runs in steps that are multiples of this (its own clock, in steps of the program).
    ``listed``: it runs in chosen steps only, which stand beside the program as the index ``<name>.steps``.
    """

    name: str
    slot: str
    order: int = 0
    every: int = 1
    listed: bool = False
    form: ClassVar[str] = "operation"

    @property
    def always(self) -> bool:
        """Whether it runs in every step."""
        return self.every == 1 and not self.listed

    def position_in(self, slots: Sequence[str] = SLOTS) -> tuple[float, int, str]:
        """Its place in a schedule: slot, order, name."""
        return slot_position(self.slot, slots), self.order, self.name

    position = property(position_in)

    def head(self) -> str:
        return self.form.format(self)

    def body(self) -> Iterator[str]:
        code = getattr(self, "code", None)
        return code.lines() if isinstance(code, Code) else iter(())


@dataclass(frozen=True, kw_only=True)
class Update(Operation):
    """Run statements for all elements of a window: state updates, run_regularly, Poisson input.

    ``beat``: steps of the clock that ``t`` and ``dt`` in the code are those of, if it is not the operation's own.
    """

    domain: Window
    code: Code
    beat: int = 0
    form: ClassVar[str] = "update {0.domain}"


@dataclass(frozen=True, kw_only=True)
class Threshold(Operation):
    """Find the elements whose condition holds: they form the event set (owner, event).

    With ``refractory``: only where ``not_refractory`` holds; those that fire get ``not_refractory = False``
    and ``lastspike`` = this step (both variables of the owner).
    """

    domain: Window
    event: str
    condition: Expr
    code: Code  # no statements; scope and source of the condition
    refractory: bool = False
    form: ClassVar[str] = "threshold {0.domain} -> {0.event}"

    def body(self) -> Iterator[str]:
        yield render(self.condition) + ("  [where not_refractory]" if self.refractory else "")


@dataclass(frozen=True, kw_only=True)
class Reset(Operation):
    """Run statements for the elements of an event set."""

    domain: Window
    event: str
    code: Code
    form: ClassVar[str] = "reset {0.domain} on {0.event}"


@dataclass(frozen=True, kw_only=True)
class Emit(Operation):
    """Spikes at given times: the array ``schedule`` beside the program holds (step, index) pairs.

    ``period``: steps after which the schedule repeats, 0 for never.
    """

    domain: Window
    event: str
    period: int = 0
    form: ClassVar[str] = "emit {0.domain} -> {0.event}"


@dataclass(frozen=True, kw_only=True)
class Deliver(Operation):
    """A synaptic pathway: for each event of the source window, after each synapse's delay, run the code.

    The connections of ``pathway`` stand beside the program. Names in the code with ``via="self"`` are variables
    of the synapses, ``"pre"`` and ``"post"`` those of the neurons at both ends. ``trigger`` says which end fires
    (``"pre"`` for on_pre, ``"post"`` for on_post): ``source`` is its window, ``target`` that of the other end.

    The statements are carried out one after the other, each for all synapses at which a spike arrives. Sums and
    products over several synapses of a neuron all count, and the next statement reads their result; of
    assignments to one neuron the last counts.

    With ``delay``, a variable with a time for each synapse or one for all, delays are no whole numbers of steps but
    interpolated between two, and at most ``max_delay`` (second).
    """

    synapses: str
    pathway: str
    trigger: str
    event: str
    source: Window
    target: Window
    code: Code
    delay: Ref | None = None
    max_delay: float = 0.0

    def head(self) -> str:
        after = "" if self.delay is None else f", {self.delay.name} interpolated, up to {self.max_delay * 1e3:g} ms"
        return f"deliver {self.source} -> {self.target} on {self.event}{after}"


@dataclass(frozen=True, kw_only=True)
class Invoke(Operation):
    """Call a function of the user, ``function(t, values)``: new values, by dotted name, of variables it may write.

    ``values`` reads every variable and event set by its dotted name.
    """

    function: Callable[[Any, Mapping[str, Any]], Mapping[str, Any] | None]
    writes: tuple[Key, ...]

    def head(self) -> str:
        return f"invoke {self.function.__name__} -> {', '.join(map('.'.join, self.writes))}"


@dataclass(frozen=True, kw_only=True)
class Summed(Operation):
    """For each element of the target window the sum of an expression over its synapses; it replaces the variable.

    ``domain`` are the synapses. The code is one assignment to a name with ``via="pre"`` or ``"post"``: the end at
    which the variable is. Elements without synapses get 0. Of several sums into one variable the first ``clears`` all
    their windows, and each adds to what it finds.
    """

    domain: Window
    target: Window
    code: Code
    clears: tuple[Window, ...] | None = None
    form: ClassVar[str] = "summed {0.domain} -> {0.target}"


@dataclass(frozen=True, kw_only=True)
class Cable(Operation):
    """One step of the cable equation of a branched neuron; for code and ``roles`` of variables see `CableStep`."""

    domain: Window
    code: Code
    roles: Mapping[str, Ref]
    kind: ClassVar[str] = "cable"


@dataclass(frozen=True, kw_only=True)
class RecordSpikes(Operation):
    """Record which elements of a window are in an event set, and the values that expressions have for them."""

    domain: Window
    event: str
    expressions: Mapping[str, Expr] = field(default_factory=dict)
    code: Code | None = None
    label: str = ""

    def head(self) -> str:
        with_ = f" with {', '.join(self.expressions)}" if self.expressions else ""
        return f"record {self.event} of {self.domain}{with_}"


@dataclass(frozen=True, kw_only=True)
class RecordState(Operation):
    """Record expressions (variables, sub-expressions) at chosen elements of a window.

    ``elements``: how many are recorded (their numbers are the array ``index`` beside the program), or None
    for all of the window.
    """

    domain: Window
    expressions: Mapping[str, Expr]
    code: Code
    elements: int | None = None
    label: str = ""

    def head(self) -> str:
        return f"record {', '.join(self.expressions)} of {self.domain}"


@dataclass(frozen=True, kw_only=True)
class RecordRate(Operation):
    """Record how many elements of a window are in an event set."""

    domain: Window
    event: str
    label: str = ""
    form: ClassVar[str] = "record rate of {0.event} of {0.domain}"


@dataclass(frozen=True)
class Program:
    """Everything that happens in a time step, in order.

    Attributes:
        dt: The time step in second.
        variables: All variables by (owner, name).
        events: Size of each event set by (owner, event).
        operations: Sorted by slot, order and name.
        links: Variables that are others, by (owner, name).
    """

    dt: float
    variables: Mapping[Key, Variable]
    events: Mapping[Key, int]
    operations: tuple[Operation, ...]
    links: Mapping[Key, Link] = field(default_factory=dict)

    def written(self) -> frozenset[Key]:
        """Variables that some operation changes; all others are constant during a run."""
        keys: set[Key] = set()
        for operation in self.operations:
            code = getattr(operation, "code", None)
            if isinstance(code, Code):
                keys.update(code.scope[name].key for name in code.written)
            if isinstance(operation, Invoke):
                keys.update(operation.writes)
            if isinstance(operation, Cable):
                keys.update(operation.roles[name].key for name in ("v", "Ic"))
            if isinstance(operation, Threshold) and operation.refractory:
                owner = operation.domain.owner
                keys.update({(owner, "not_refractory"), (owner, "lastspike")})
        return frozenset(keys)

    def size(self, owner: str) -> int:
        """Number of elements of an object with events or variables."""
        sizes = [n for (o, _), n in self.events.items() if o == owner]
        sizes += [v.size for (o, _), v in self.variables.items() if o == owner and not v.scalar]
        return max(sizes, default=1)

    def __str__(self) -> str:
        lines = [f"program, dt = {self.dt * 1e3:g} ms"]
        slot = None
        for operation in self.operations:
            if operation.slot != slot:
                slot = operation.slot
                lines.append(f"{slot}:")
            own = f", every {operation.every} steps" if operation.every > 1 else ", in steps of a list"
            lines.append(f"  {operation.name}: {operation.head()}{'' if operation.always else own}")
            lines.extend(f"    {line}" for line in operation.body())
        return "\n".join(lines)
