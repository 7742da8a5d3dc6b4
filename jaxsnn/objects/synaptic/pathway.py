"""A pathway of synapses: the code that runs when a spike of one end arrives, and its delay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from jaxsnn.equations.dimensions import Symbol
from jaxsnn.equations.expressions import Expr
from jaxsnn.errors import ArgumentError, DelayError
from jaxsnn.objects.base import Parts, SimulationObject
from jaxsnn.objects.groups import Group
from jaxsnn.objects.synaptic.delivery import lower_pathway
from jaxsnn.objects.variables import HostVariable, VariableOwner
from jaxsnn.program import Ref, Variable
from jaxsnn.units import second, strip

if TYPE_CHECKING:
    from jaxsnn.objects.synapses import Synapses

__all__ = ["Pathway"]

_ORDER = {"pre": -1, "post": 1}


class Pathway(VariableOwner):
    """What `Synapses` do when one end fires: ``S.pre``, ``S.post``, or by the name given in a dictionary.

    Attributes:
        code: The statements.
        trigger: The end that fires, ``"pre"`` or ``"post"``.
        event: The event that triggers it.
        order: Its place among the objects of the slot ``synapses``; -1 for on_pre, 1 for on_post.
        delay: One time for all synapses (given as argument), or one for each.
        max_delay: The longest delay in second, if delays are interpolated between steps, else None.

    Example:
        >>> from jaxsnn import NeuronGroup, Synapses
        >>> from jaxsnn.units import ms
        >>> cells = NeuronGroup(2, "v : 1", threshold="v > 1", reset="v = 0")
        >>> S = Synapses(cells, cells, "w : 1", on_pre="v_post += w", on_post="w += 0.1")
        >>> S.connect()
        >>> S.post.delay = "i*ms"
        >>> print(S.post.delay[:], S.post.order)
        [0 0 1 1] ms 1
    """

    _prefix: ClassVar[str] = "pathway"

    def __init__(
        self, synapses: Synapses, key: str, trigger: str, code: str, delay: Any, event: str, max_delay: Any = None
    ) -> None:
        # No call of the base class: a pathway has no name of its own among the objects of a network.
        self.synapses = synapses
        self.key = key
        self.trigger = trigger
        self.code = code
        self.event = event
        self.order = _ORDER[trigger]
        scalar = delay is not None
        what = synapses.name if key == "pre" else f"{synapses.name}.{key}"
        self.max_delay = None if max_delay is None else _longest(max_delay, what)
        role = "delay" if max_delay is None else "parameter"
        variable = Variable("", "delay", "float", second.dim, int(scalar), scalar, role)
        host = HostVariable(variable, np.zeros(int(scalar)))
        self._hosts = {"delay": host}
        self._links = {}
        self._pasts = {}
        if scalar:
            value = strip(delay, second.dim, f"{what}: delay")
            if np.ndim(value) != 0:
                raise DelayError(
                    f"{what}: the argument delay is one value for all synapses; for one delay each, leave it"
                    f" out and assign {what}.delay after connect"
                )
            host.value[:] = value
            self.check()

    @property
    def name(self) -> str:
        """The name of the synapses and its own."""
        return f"{self.synapses.name}_{self.key}"

    @property
    def order_name(self) -> str:  # type: ignore[override]
        """The name that decides between pathways of equal order."""
        return f"{self.synapses.order_name}_{self.key}"

    @property
    def source(self) -> Group:
        """The group whose events trigger it."""
        return self.synapses.source if self.trigger == "pre" else self.synapses.target  # type: ignore[return-value]

    @property
    def target(self) -> Group:
        """The group at the other end."""
        return self.synapses.target if self.trigger == "pre" else self.synapses.source  # type: ignore[return-value]

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.synapses,)

    # ---- delays ----------------------------------------------------------------------------------------

    def check(self) -> None:
        """Refuse delays that are negative, not finite or longer than ``max_delay``."""
        values = self._hosts["delay"].value
        bad = ~(values >= 0) | ~np.isfinite(values)
        if np.any(bad):
            where = int(np.flatnonzero(bad)[0])
            what = "" if self.key == "pre" else f" (pathway {self.key!r})"
            raise DelayError(
                f"{self.synapses.name}: a delay must be a time of at least 0, but that of synapse {where}{what} is"
                f" {values[where] * 1e3:g} ms"
            )
        if self.max_delay is not None and np.any(values > self.max_delay * (1 + 1e-9)):
            where = int(np.argmax(values))
            raise DelayError(
                f"{self.name}: the delay of synapse {where}, {values[where] * 1e3:g} ms, is longer than"
                f" max_delay = {self.max_delay * 1e3:g} ms, for which there is room"
            )

    @property
    def delay_name(self) -> str:
        """The name of its delays among the parameters of the synapses: ``"delay"``, ``"post.delay"``."""
        return "delay" if self.key == "pre" else f"{self.key}.delay"

    def delay_ref(self) -> Ref:
        """How code reads its delays."""
        scalar = self._hosts["delay"].variable.scalar
        return Ref(self.synapses.name, self.delay_name, "float", second.dim, "scalar" if scalar else "self")

    def provide_delay(self, parts: Parts) -> None:
        """Make the delays a variable of the program: where code reads them, or to be interpolated."""
        host = self._hosts["delay"]
        size = 1 if host.variable.scalar else len(self)
        parts.add(replace(host.variable, owner=self.synapses.name, name=self.delay_name, size=size), host)

    def delays(self) -> np.ndarray | float:
        """Delays in second: one number if all synapses have the same."""
        value = self._hosts["delay"].value
        if value.size == 0:
            return 0.0
        first = float(value[0])
        return first if np.all(value == first) else value

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "order" and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
            raise ArgumentError(f"{self.name}: order is a whole number, got {value!r}")
        super().__setattr__(name, value)
        if name in ("delay", "delay_"):
            self.check()

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        """A `Deliver` operation, if there is code."""
        if self.code.strip():
            lower_pathway(self, parts, namespace)

    # ---- VariableOwner: what the synapses have, and its delay ------------------------------------------------

    def __len__(self) -> int:
        return len(self.synapses)

    def _symbols(self) -> Mapping[str, Symbol]:
        return {**self.synapses._symbols(), "delay": Symbol("float", second.dim)}

    def _subexpressions(self) -> Mapping[str, Expr]:
        return self.synapses._subexpressions()

    def _read(self, name: str, elements: np.ndarray) -> Any:
        if name == "delay":
            host = self._hosts["delay"]
            return host.value[0] if host.variable.scalar else host.value[elements]
        return self.synapses._read(name, elements)

    def _elements(self, item: Any) -> np.ndarray:
        return self.synapses._elements(item)

    def _binder(self, namespace: Mapping[str, Any] | None = None, dt: float | None = None) -> Any:
        binder = self.synapses._binder(namespace, dt)
        binder.known = set(self._symbols())
        return binder

    def _time(self) -> tuple[float, float]:
        return self.synapses._time()


def _longest(given: Any, what: str) -> float:
    value = strip(given, second.dim, f"{what}: max_delay")
    if np.ndim(value) != 0 or not (np.isfinite(value) and value > 0):
        raise DelayError(f"{what}: max_delay is the longest delay, one time above 0 such as 10*ms; got {given!r}")
    return float(value)
