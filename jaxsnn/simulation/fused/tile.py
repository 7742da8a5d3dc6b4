"""The part of a group that one program of a kernel holds, in the role of a step's working values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxsnn.codegen.lower import Block
from jaxsnn.program import Key, Ref, Window
from jaxsnn.random import CounterDraw, Words, step_words
from jaxsnn.simulation.connections import Pattern
from jaxsnn.simulation.frame import Frame

__all__ = ["Tile"]

Array = Any


@dataclass
class Tile(Frame):
    """Some elements of a group: ``element`` are their numbers, one a lane; variables are arrays of that shape.

    constants: parameters, one number or one a lane; seeds: random keys of operations in this run.
    """

    element: Array = None
    constants: Mapping[Key, Array] = field(default_factory=dict)
    seeds: Mapping[str, Words] = field(default_factory=dict)

    def clock(self, name: str, every: int) -> Array:
        if name != "t" or self.setting.dtype != jnp.float32:
            return super().clock(name, every)
        dt = self.setting.program.dt
        per_second = round(1 / dt)
        steps = self.step.astype(jnp.float32)
        if not per_second or abs(per_second * dt - 1) >= 1e-12:
            return steps * jnp.float32(dt)
        # A GPU divides with an error of two units in the last place, and t >= 2*ms must hold in the step it should.
        # The remainder is exact, because the quotient is multiplied in two halves.
        rough = steps / jnp.float32(per_second)
        upper = lax.bitcast_convert_type(lax.bitcast_convert_type(rough, jnp.int32) & jnp.int32(-4096), jnp.float32)
        rest = (steps - upper * per_second) - (rough - upper) * per_second
        return rough + rest / jnp.float32(per_second)

    def value(self, key: Key) -> Array:
        return self.values[key] if key in self.values else self.constants[key]

    def pattern(self, block: Block, window: Window) -> None:
        """A program of a kernel holds neurons, never synapses."""
        return

    def read(self, ref: Ref, window: Window, every: int = 1, pattern: Pattern | None = None) -> Array:
        if ref.owner == "clock":
            return self.clock(ref.name, every)
        return self.element if ref.via == "index" else self.value(ref.key)

    def part(self, key: Key, window: Window) -> Array:
        return self.value(key)

    def write(self, ref: Ref, window: Window, value: Array, mask: Array | None = None) -> None:
        old = self.value(ref.key)
        new = jnp.broadcast_to(value, old.shape).astype(old.dtype)
        self.values[ref.key] = new if mask is None else jnp.where(mask, new, old)

    def event(self, owner: str, event: str, window: Window) -> Array:
        return self.events[(owner, event)]

    def words(self, name: str) -> Words:
        return step_words(self.seeds[name], self.step)

    def draw(self, name: str, window: Window, pattern: Pattern | None = None) -> CounterDraw:
        return CounterDraw(self.words(name), self.element, self.setting.dtype)

    def spread(self, value: Array, window: Window) -> Array:
        return jnp.broadcast_to(value, self.element.shape)
