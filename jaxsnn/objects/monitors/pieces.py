"""What monitors share: arrays that grow chunk by chunk, times, the check of what can be recorded."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxsnn.errors import ArgumentError
from jaxsnn.objects.groups import Group
from jaxsnn.units import Quantity, second

__all__ = ["Pieces", "check_fires", "seconds"]


class Pieces:
    """Arrays that grow chunk by chunk; joined when read."""

    def __init__(self, *dtypes: Any) -> None:
        self.dtypes = dtypes
        self.pieces: list[tuple[np.ndarray, ...]] = []

    def append(self, *arrays: np.ndarray) -> None:
        self.pieces.append(arrays)

    def joined(self) -> tuple[np.ndarray, ...]:
        if len(self.pieces) > 1:
            self.pieces = [tuple(np.concatenate(parts) for parts in zip(*self.pieces, strict=True))]
        if not self.pieces:
            return tuple(np.zeros(0, dtype) for dtype in self.dtypes)
        return self.pieces[0]


def seconds(values: np.ndarray) -> Quantity:
    """Plain numbers as times."""
    return Quantity(values, second.dim)


def check_fires(monitor: str, source: Any) -> None:
    """Refuse to record the spikes of what never fires."""
    if not isinstance(source, Group):
        raise ArgumentError(f"{monitor}: records the spikes of groups, got {type(source).__name__}")
    if not source._events():
        raise ArgumentError(
            f"{monitor}: {source.name} has no threshold, so there are no spikes to record; give it threshold='...'"
        )
