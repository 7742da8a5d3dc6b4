"""What can happen in a time step: one small class a kind of operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from jaxsnn.equations.expressions import Expr, render
from jaxsnn.program.names import SLOTS, Code, Key, Ref, Window, slot_position

__all__ = [
    "Cable",
    "Deliver",
    "Emit",
    "Invoke",
    "Operation",
    "RecordRate",
    "RecordSpikes",
    "RecordState",
    "Reset",
    "Summed",
    "Threshold",
    "Update",
]


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
    form: ClassVar[str] = "cable {0.domain}"


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
