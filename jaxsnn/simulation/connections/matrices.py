"""Values of synapses as matrices, from one step of a loop to the next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxsnn.program import Key, Program
from jaxsnn.simulation.connections.patterns import Pattern

__all__ = ["Matrices"]

Array = Any
Values = dict[str, dict[str, Array]]


@dataclass(frozen=True)
class Matrices:
    """The shapes that values of synapses have between steps, where their connections are a pattern.

    Everywhere else they are one row. A compiler that has to write a matrix as a row finds row and column of each number
    by a division (65,536 weights on a CPU: 73 instead of 10 us); between steps there is no need for it.
    """

    shapes: Mapping[Key, tuple[int, ...]]

    @classmethod
    def of(cls, program: Program, patterns: Mapping[str, Pattern]) -> Matrices:
        """Those of a program whose synapses are connected like this."""
        return cls(
            {
                (owner, name): patterns[owner].shape
                for (owner, name), variable in program.variables.items()
                if owner in patterns and variable.size == math.prod(patterns[owner].shape)
            }
        )

    def fold(self, values: Values) -> Values:
        """Rows as matrices."""
        return self._reshaped(values, flat=False)

    def unfold(self, values: Values) -> Values:
        """Matrices as rows."""
        return self._reshaped(values, flat=True)

    def _reshaped(self, values: Values, flat: bool) -> Values:
        return {
            owner: {
                name: x.reshape(-1 if flat else self.shapes[owner, name]) if (owner, name) in self.shapes else x
                for name, x in names.items()
            }
            for owner, names in values.items()
        }
