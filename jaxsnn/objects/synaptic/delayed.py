"""Delayed coupling: a variable of the neurons as it was some time ago, ``delayed(v_pre, delay)``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsnn.codegen.host import evaluate
from jaxsnn.equations.expressions import Binary, Call, Expr, Name, Number, names, render
from jaxsnn.equations.functions import Function as Row
from jaxsnn.equations.names import Binder, Constant
from jaxsnn.equations.statements import Assign
from jaxsnn.errors import ArgumentError, DelayError, NotSupportedError, Source
from jaxsnn.objects.base import Parts
from jaxsnn.objects.variables import HostVariable
from jaxsnn.program import Code, Ref, Update, Variable, Window
from jaxsnn.units import Dimension, second

if TYPE_CHECKING:
    from jaxsnn.objects.synaptic.names import SynapticNames

__all__ = ["NAME", "Delayed", "past_refs"]

NAME = "delayed"
LARGEST = 2**28
"""Most values of one ring; more is taken for a mistake in the unit of the delay."""


@dataclass(frozen=True)
class Delayed:
    """The function ``delayed(x, d)`` in the equations of synapses: x of a neuron at either end, a time d ago.

    The past is a ring with one row for each step back, as many as the longest delay needs; between steps it is
    interpolated. What was before the first step is the value at the beginning. ``delayed(x, d, longest)`` is for delays
    that may become longer than they are when the run begins.
    """

    synapses: SynapticNames
    parts: Parts
    binder: Binder

    def as_function(self, name: str) -> Row:
        """Its row for dimension checks."""

        def dimension(dims: tuple[Dimension, ...]) -> Dimension | str:
            for dim in dims[1:]:
                if dim != second.dim:
                    return f"needs a time as delay, got {dim}"
            return dims[0]

        return Row(name, (2, 3), "a variable of a neuron, some time ago", dimension, lambda types: "float")

    def constants(self, name: str) -> Mapping[str, Constant]:
        """None of its own."""
        return {}

    def locally_constant(self, dt: float) -> bool:
        """What it reads stays the same during a step, as all that comes from other neurons."""
        return True

    def evaluate(self, *args: Any, dt: float | None = None) -> Any:
        """There is no past on the host."""
        raise ArgumentError(f"{self.synapses.name}: delayed(...) has a value during a run only; record the variable")

    def expand(self, name: str, args: tuple[Expr, ...], dt: float) -> Expr:
        """The call as a look into the ring, which is made here."""
        synapses, what = self.synapses, f"{self.synapses.name}: delayed({', '.join(map(render, args))})"
        end = synapses._end(args[0].id) if isinstance(args[0], Name) else None
        if end is None or end[1] in ("i", "N", "t", "dt", "t_in_timesteps"):
            raise ArgumentError(
                f"{what}: what is read with a delay is a variable of the neurons at an end, such as v_pre; for a"
                f" sub-expression, delay the variables in it"
            )
        group, own, side = end
        ref = group._ref(own)
        length = self._length(args[-1], what)
        width = 1 if ref.via == "scalar" else len(group._parent)
        if length * width > LARGEST:
            raise DelayError(
                f"{what}: {length - 1} steps of {width} values would have to be kept; is the unit of the delay right?"
            )
        ring = f"_past_{own}_{side}"
        self._keep(ring, ref, group, own, length, width)
        column: Expr = Number(0)
        if ref.via != "scalar":
            column = Name("i" if side == "pre" else "j")
            if group._window.start:
                column = Binary("+", column, Number(group._window.start))
        every = round(dt / self.parts.dt)
        now: Expr = Name("t_in_timesteps")
        now = now if every == 1 else Binary("*", now, Number(every))
        back = Binary("/", args[1], Number(self.parts.dt, second.dim))
        return Call("look_back", (Name(ring), now, back, column))

    def _length(self, delay: Expr, what: str) -> int:
        """Rows of the ring: the steps back to the longest delay, and both neighbours of it."""
        synapses, constants = self.synapses, self.binder.constants
        everything = np.arange(len(synapses))
        if "t" in names(delay):
            raise ArgumentError(f"{what}: a delay that changes with time needs a third argument, the longest it can be")
        values = {n: constants[n].value if n in constants else synapses._read(n, everything) for n in names(delay)}
        found = np.asarray(evaluate(delay, values, None, everything.shape, self.binder.host_functions), float)
        if found.size and not (np.all(np.isfinite(found)) and found.min() >= 0):
            raise DelayError(f"{what}: a delay is a finite time of at least 0, got {found[~(found >= 0)].flat[0]:g} s")
        return 2 + math.ceil(float(found.max(initial=0.0)) / self.parts.dt - 1e-6)

    def _keep(self, ring: str, ref: Ref, group: Any, own: str, length: int, width: int) -> None:
        """A ring at least this long, with what is known of the past, and the operation that fills it."""
        synapses, parts = self.synapses, self.parts
        everything = np.arange(len(group._parent))
        now = np.asarray(group._parent._read(own, everything), float)
        t = synapses._time()[0]
        old = synapses._pasts.get(ring)
        key = (synapses.name, ring)
        length = max(length, len(parts.values[key].value)) if key in parts.values else length
        fresh = np.broadcast_to(now, (length, width)).copy()
        if old is not None and t > 0:
            if old.value.shape[1] != width:
                raise NotSupportedError(f"{synapses.name}: {group.name} changed while its past is needed")
            step, rows = round(t / parts.dt), len(old.value)
            back = np.arange(1, length + 1)  # the oldest known value stands for all before it
            fresh[(step - back) % length] = old.value[(step - np.minimum(back, rows)) % rows]
        host = HostVariable(Variable("", ring, "float", ref.dim, length * width, scalar=True), fresh)
        synapses._pasts[ring] = host
        parts.add(Variable(synapses.name, ring, "float", ref.dim, length * width, True), host)
        name = f"{synapses.order_name}{ring}"
        parts.operations[:] = [op for op in parts.operations if op.name != name]
        scope = {
            ring: Ref(synapses.name, ring, "float", ref.dim, "scalar"),
            own: Ref(ref.owner, ref.name, ref.type, ref.dim, "scalar"),
            "t_in_timesteps": Ref("clock", "t_in_timesteps", "integer", via="scalar"),
        }
        values = Call("remember_row", (Name(ring), Name(own), Name("t_in_timesteps")))
        code = Code((Assign(ring, "=", values),), scope, {}, Source(""))
        # Before everything else in the step, so that a delay of 0 reads the value of now.
        window = Window(synapses.name, 0, length)
        parts.operations.append(Update(name=name, slot="before_start", order=-(2**20), domain=window, code=code))
        kept = (
            f"{synapses.name}: {length} past values of {group._parent.name}.{own} are kept ({length * width:,} numbers)"
        )
        start = kept.partition(":")[0] + ": "
        parts.notes[:] = [n for n in parts.notes if not (n.startswith(start) and f".{own} are kept" in n)]
        parts.notes.append(kept)


def past_refs(synapses: SynapticNames) -> dict[str, Ref]:
    """How code reads the rings of past values."""
    return {
        name: Ref(synapses.name, name, "float", host.variable.dim, "scalar") for name, host in synapses._pasts.items()
    }
