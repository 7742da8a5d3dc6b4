"""What operations work on: variables, what a name in code refers to, code, and parts of objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from jaxsnn.equations.statements import Adapt, Assign, Propagate, Statement
from jaxsnn.errors import Source
from jaxsnn.units import DIMENSIONLESS, Dimension

__all__ = [
    "SLOTS",
    "Code",
    "Key",
    "Link",
    "Ref",
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
