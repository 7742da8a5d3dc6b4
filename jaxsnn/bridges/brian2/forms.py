"""What Brian2 hands over, in forms of our own: nothing here knows Brian2.

Brian2 compiles what its objects do into *code objects*: lines of abstract code, the variables behind the names in
them, and through which index each name is read. `Block` is one of them, `Runner` one object of the schedule with its
blocks. Whatever Brian2 calls these things in one version or another is known to `jaxsnn.bridges.brian2.interface` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxsnn.program import Window
from jaxsnn.units import DIMENSIONLESS, Dimension

__all__ = ["Array", "Block", "Clock", "Constant", "Line", "Pathway", "Runner", "Tick", "Unsupported", "UserFunction"]


class Unsupported(Exception):
    """Something of a Brian2 network that this bridge cannot carry; the message names the object."""


@dataclass(frozen=True)
class Clock:
    """A clock of Brian2: ``dt`` in second (0 for one that ticks at given ``times``)."""

    name: str
    dt: float
    times: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Constant:
    """A number: of the user's namespace, or a unit (which is not a parameter of the model)."""

    value: Any
    dim: Dimension = DIMENSIONLESS
    unit: bool = False


@dataclass(frozen=True)
class Array:
    """An array of a group, and through which index a name reads it.

    ``via`` is that of a `jaxsnn.program.Ref`; ``index`` are the places of a ``via`` that begins with ``at:``.
    ``handle`` gives the array itself (to the interface).
    """

    owner: str
    name: str
    type: str
    dim: Dimension
    size: int
    scalar: bool
    via: str
    handle: Any = field(compare=False, repr=False)
    index: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        return self.owner, self.name


@dataclass(frozen=True)
class Tick:
    """``t``, ``dt`` or ``t_in_timesteps`` of a clock."""

    kind: str
    clock: Clock


@dataclass(frozen=True)
class UserFunction:
    """A function that code calls, if it is not one of the language."""

    function: Any
    kind: str
    data: tuple[Any, ...] = ()


Meaning = Constant | Array | Tick | UserFunction


@dataclass(frozen=True)
class Line:
    """One statement; ``new`` if it introduces its target."""

    target: str
    op: str
    text: str
    scalar: bool
    new: bool


@dataclass(frozen=True)
class Block:
    """A code object: what is done, over which elements, with which names.

    template: which of Brian2's templates it is for; guards: names that are written only where another holds.
    """

    template: str
    domain: Window
    lines: tuple[Line, ...]
    names: Mapping[str, Meaning]
    guards: Mapping[str, str]
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Pathway:
    """What a pathway of synapses is besides its code.

    source, target: places of the neurons at both ends in the arrays of their groups; delay: in second.
    """

    synapses: str
    trigger: str
    event: str
    source_window: Window
    target_window: Window
    source: np.ndarray
    target: np.ndarray
    delay: np.ndarray | float
    queue: Any


@dataclass(frozen=True)
class Runner:
    """One object of the schedule.

    handle: the object itself (for the interface); kind: how it is carried out, ``"code"`` or, if Python runs in each
    step, the name of its class.
    """

    name: str
    slot: str
    order: int
    clock: Clock
    kind: str
    blocks: tuple[Block, ...]
    handle: Any = field(compare=False, repr=False)
    pathway: Pathway | None = None
