"""What the kernels of groups read and change: buffers between launches, and the arguments of a launch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxsnn.events import fixed_point
from jaxsnn.events.gpu.triton import Kernel, Launch, Memory, Place
from jaxsnn.program import Key
from jaxsnn.random import Words
from jaxsnn.simulation.frame import Frame

__all__ = ["Arguments", "Buffers", "Units", "Value", "restored"]

Array = Any
Value = Callable[[Memory, Array, Array], Array]
"""``value(memory, element, live)``: a number, or those of some elements."""


Units = Mapping[tuple[str, Any], tuple[Array, Array]]
"""Of sums in fixed point, by kind and name of their buffer: what a value is multiplied with, and its inverse."""


@dataclass
class Buffers:
    """What waits between launches.

    spikes: flags of the last step, or of the last two, ``(L, n)`` int8 by group; inbox: sums that arrive without
    delay, ``(2, n)`` by variable: the row of even and of odd steps; history: by pathway, ``(W, n)`` int32 words whose
    bit d says that a source fired d steps ago; rows: bits of recorded spikes by monitor, int8.
    """

    spikes: dict[str, Array] = field(default_factory=dict)
    inbox: dict[Key, Array] = field(default_factory=dict)
    history: dict[str, Array] = field(default_factory=dict)
    rows: dict[str, Array] = field(default_factory=dict)


def restored(value: Array, flag: bool) -> Array:
    """A flag that travelled as int8."""
    return value != 0 if flag else value


class Arguments:
    """The arguments of one launch, and where its results belong."""

    def __init__(self, frame: Frame, buffers: Buffers, units: Units) -> None:
        self.frame = frame
        self.buffers = buffers
        self.launch = Launch()
        self.places: dict[tuple[str, Any], Place] = {}
        self.shapes: dict[tuple[str, Any], tuple[int, ...]] = {}
        self.step = self.read(frame.step)
        self.units = {name: (self.read(up), self.read(down)) for name, (up, down) in units.items()}

    def read(self, array: Array) -> Place:
        """An array that is only read."""
        return self.launch.read(array)

    def value(self, value: Array) -> Value:
        """A value that is only read: one number, or one for each element."""
        value = jnp.asarray(value)
        flag = value.dtype == jnp.bool_
        place = self.read(value)
        if value.size == 1:
            return lambda memory, element, live: restored(memory.scalar(place), flag)
        return lambda memory, element, live: restored(memory.load(place, element, live), flag)

    def seed(self, name: str) -> Callable[[Memory], Words]:
        """The random key of an operation in this run."""
        words = self.frame.seed(name)
        place = self.read(jnp.stack(words))
        return lambda memory: tuple(memory.scalar(place, k) for k in range(len(words)))

    def change(self, kind: str, name: Any) -> Place:
        """Something that the launch changes in place; see `_of` for the kinds."""
        if (kind, name) not in self.places:
            array = self._of(kind, name)
            self.places[(kind, name)] = self.launch.change(array)
            self.shapes[(kind, name)] = array.shape
        return self.places[(kind, name)]

    def flags(self, memory: Memory, owner: str, step: Array, element: Array, live: Array) -> Array:
        """Which elements of a group fired in a step."""
        # Before the first step there is one of which nothing is left; its row is empty.
        row = self.slot("spikes", owner, step + self.length("spikes", owner))
        return memory.load(self.places[("spikes", owner)], row + element, live) != 0

    def slot(self, kind: str, name: Any, step: Array) -> Array:
        """Where the slot of a step begins in a buffer of several."""
        length, size = self.shapes[(kind, name)]
        return lax.rem(step, jnp.int32(length)) * jnp.int32(size)

    def length(self, kind: str, name: Any) -> int:
        """The number of slots of a buffer."""
        return self.shapes[(kind, name)][0]

    def whole(self, memory: Memory, name: tuple[str, Any], amount: Array) -> Array:
        """What is added to a buffer: an amount, or how many units it is."""
        if name not in self.units:
            return amount
        return fixed_point.rounded(amount * memory.scalar(self.units[name][0]))

    def amount(self, memory: Memory, name: tuple[str, Any], whole: Array) -> Array:
        """The inverse of `whole`."""
        if name not in self.units:
            return whole
        return whole.astype(self.frame.setting.dtype) * memory.scalar(self.units[name][1])

    def run(self, kernel: Callable[[int], Kernel]) -> tuple[Array, ...]:
        """Launch, and put what changed where it belongs; returns what was made."""
        changed, made = self.launch(kernel)
        for (kind, name), (_, number) in self.places.items():
            self._put(kind, name, changed[number])
        return made

    def _of(self, kind: str, name: Any) -> Array:
        if kind == "ring":
            return self.frame.rings[name[0]][name[1]]
        return self._table(kind)[name]

    def _put(self, kind: str, name: Any, array: Array) -> None:
        if kind == "ring":
            rings = self.frame.rings[name[0]]
            self.frame.rings[name[0]] = (*rings[: name[1]], array, *rings[name[1] + 1 :])
        else:
            self._table(kind)[name] = array

    def _table(self, kind: str) -> dict[Any, Array]:
        return self.frame.values if kind == "variable" else getattr(self.buffers, kind)
