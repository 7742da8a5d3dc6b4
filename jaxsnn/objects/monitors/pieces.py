"""What monitors share: arrays that grow chunk by chunk, times, what can be recorded and how it is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxsnn.equations.expressions import Expr, Name, names
from jaxsnn.errors import ArgumentError, Source, did_you_mean
from jaxsnn.objects.base import Parts
from jaxsnn.objects.groups import Group
from jaxsnn.objects.synaptic.names import SynapticNames
from jaxsnn.objects.variables import VariableOwner
from jaxsnn.program import Code, Ref
from jaxsnn.units import Quantity, quantity, second, strip

__all__ = ["Pieces", "check_fires", "check_variables", "recorded", "seconds", "smoothing"]


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


def smoothing(monitor: str, window: str | np.ndarray, width: Any, dt: float) -> np.ndarray:
    """The weights of a moving mean, with the sum 1: ``"flat"`` or ``"gaussian"`` of a width, or an array.

    Raises:
        ArgumentError: for another window, and a width where none belongs or none is given.
    """
    if not isinstance(window, str):
        if width is not None:
            raise ArgumentError(f"{monitor}: an array is a window by itself; leave width out")
        kernel = np.asarray(window, float)
        return kernel / kernel.sum()
    if width is None:
        raise ArgumentError(f"{monitor}: give a width, for example width=10*ms")
    steps = float(strip(quantity(width), second.dim, f"{monitor}: width")) / dt
    if window == "gaussian":
        half = int(np.ceil(2 * steps))
        kernel = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * steps**2))
    elif window == "flat":
        kernel = np.ones(max(1, 2 * int(steps / 2 + 1e-9) + 1))
    else:
        raise ArgumentError(f"{monitor}: there is no window {window!r}; use 'flat', 'gaussian' or an array")
    return kernel / kernel.sum()


def check_fires(monitor: str, source: Any, event: str = "spike") -> None:
    """Refuse to record the spikes of what never fires, and events that a group does not have."""
    if not isinstance(source, Group):
        raise ArgumentError(f"{monitor}: records the {event}s of groups, got {type(source).__name__}")
    if event in source._events():
        return
    if event == "spike":
        raise ArgumentError(
            f"{monitor}: {source.name} has no threshold, so there are no spikes to record; give it threshold='...'"
        )
    raise ArgumentError(
        f"{monitor}: {source.name} has no event {event!r}; it has {', '.join(source._events()) or 'none'}."
        f"{did_you_mean(event, source._events())} Events are named where the group is made:"
        f" events={{{event!r}: 'v < -70*mV'}}"
    )


def check_variables(monitor: str, source: VariableOwner, variables: Any) -> tuple[str, ...]:
    """The names of variables to record: one name, several, or True for all.

    Raises:
        ArgumentError: for a name that the source does not have.
    """
    symbols = source._symbols()
    if variables is True:
        variables = [n for n in symbols if n in {*source._hosts, *source._links, *source._subexpressions()}]
    found = (variables,) if isinstance(variables, str) else tuple(dict.fromkeys(variables))
    for variable in found:
        if variable not in symbols:
            raise ArgumentError(
                f"{monitor}: {source.name} has no variable {variable!r} to record.{did_you_mean(variable, symbols)}"
            )
    return found


def recorded(
    monitor: str, source: Any, variables: tuple[str, ...], parts: Parts, namespace: Mapping[str, Any], dt: float
) -> tuple[dict[str, Expr], Code]:
    """What a monitor computes to record variables or sub-expressions of a source, and what the names in it mean."""
    substitutes = dict(source._code_substitutes())
    binder = source._binder(namespace, dt)
    origin = Source(", ".join(variables), monitor)
    expressions = {v: binder.expand(binder.bind(substitutes.get(v, Name(v)), origin)) for v in variables}
    owner = source._parent.name
    scope: dict[str, Ref] = {}
    for expr in expressions.values():
        for n in names(expr):
            if n in binder.constants:
                constant = binder.constants[n]
                scope[n] = Ref(owner, n, constant.type, constant.dim, "scalar")
            else:
                scope[n] = source._ref(n)
    if isinstance(source, SynapticNames):
        source._provide(parts, scope.values())
    parts.add_constants(owner, {n: c for n, c in binder.constants.items() if (owner, n) not in parts.variables})
    return expressions, Code((), scope)
