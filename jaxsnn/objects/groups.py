"""Groups of what can fire, and contiguous parts of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from jaxsnn.equations.dimensions import Symbol
from jaxsnn.equations.expressions import Expr
from jaxsnn.equations.statements import Assign
from jaxsnn.errors import ArgumentError, IndexRangeError, Source
from jaxsnn.objects.base import Parts, SimulationObject
from jaxsnn.objects.blocks import bind_block
from jaxsnn.objects.schedule.runners import RunsCode
from jaxsnn.objects.variables import HostVariable, VariableOwner
from jaxsnn.program import Code, Ref, Window
from jaxsnn.units import second

__all__ = ["CLOCK", "TIME", "Group", "Subgroup"]

CLOCK = "clock"
TIME = {
    "t": Symbol("float", second.dim),
    "dt": Symbol("float", second.dim),
    "t_in_timesteps": Symbol("integer"),
    "N": Symbol("integer"),
    "i": Symbol("integer"),
}


class Group(RunsCode):
    """Base class of what can fire: neuron groups, Poisson groups, spike generators, and parts of them."""

    _prefix: ClassVar[str] = "group"

    @property
    def _parent(self) -> Group:
        return self

    @property
    def _window(self) -> Window:
        return Window(self._parent.name, 0, len(self))

    def __getitem__(self, item: Any) -> Subgroup:
        return Subgroup(self, item)

    def _elements_in(self, owner: VariableOwner) -> np.ndarray:
        if not isinstance(owner, Group) or owner._parent is not self._parent:
            raise IndexRangeError(f"{owner.name}: {self.name} has other neurons; an index is a part of the same group")
        elements = np.arange(self._window.start, self._window.stop) - owner._window.start
        if elements[0] < 0 or elements[-1] >= len(owner):
            raise IndexRangeError(f"{owner.name}: not all neurons of {self.name} are among them")
        return elements

    def _events(self) -> tuple[str, ...]:
        """Names of the events the group can have."""
        return ("spike",)

    def _event_place(self, event: str) -> tuple[str, int]:
        """Slot and order in which an event is found."""
        return "thresholds", self.order

    def _ref(self, name: str, via: str = "self") -> Ref:
        """How code reads a name of this group, through an index."""
        symbol = self._symbols()[name]
        if name in ("t", "dt", "t_in_timesteps"):
            return Ref(CLOCK, name, symbol.type, symbol.dim, "scalar")
        if name == "i":
            return Ref(self._parent.name, "i", "integer", via="index" if via == "self" else f"{via}_index")
        owner = self._parent
        if name == "N":
            return Ref(self.name, "N", "integer", via="scalar")
        linked = self._linked_ref(name, via)
        if linked is not None:
            return linked
        stored = "lastspike" if name == "_lastspike" else name
        scalar = owner._hosts[stored].variable.scalar
        return Ref(owner.name, stored, symbol.type, symbol.dim, "scalar" if scalar else via)

    def _linked_ref(self, name: str, via: str) -> Ref | None:
        """How code reads a linked variable; None for any other name."""
        return None

    def _writable(self, by_all: bool = False) -> Mapping[str, str]:
        """Why names cannot be written, for those that cannot; ``by_all``: by code that runs for all elements."""
        reasons = dict.fromkeys(self._subexpressions(), "is computed by its text")
        return reasons | dict.fromkeys(TIME, "is given by the simulator")

    def _guards(self) -> dict[str, str]:
        """Variables that elements may write only where a condition holds."""
        return {}

    def _regular_code(
        self, statements: tuple[Assign, ...], source: Source, parts: Parts, namespace: Mapping[str, Any], dt: float
    ) -> Code:
        root, symbols, substitutes = self._parent, self._symbols(), self._code_substitutes()
        binder = self._binder(namespace, dt)
        block = bind_block(statements, source, symbols, root._writable(True), binder, substitutes)
        scope = {name: self._ref(name) for name in symbols if name not in substitutes}
        scope |= {n: Ref(root.name, n, c.type, c.dim, "scalar") for n, c in binder.constants.items()}
        parts.add_constants(root.name, binder.constants)
        return Code(block, scope, root._guards(), source)

    def _code_substitutes(self) -> Mapping[str, Expr]:
        """Names of code that stand for expressions: sub-expressions, ``lastspike`` in second."""
        return self._subexpressions()


class Subgroup(Group):
    """A contiguous part of a group, ``group[a:b]``: a view with its own indices, without an update of its own.

    Example:
        >>> from jaxsnn import NeuronGroup
        >>> cells = NeuronGroup(10, "x : 1")
        >>> cells[3:6].x = "i + 1"
        >>> print(cells.x[:])
        [0. 0. 0. 1. 2. 3. 0. 0. 0. 0.]
    """

    _prefix: ClassVar[str] = "subgroup"

    _start: int
    _stop: int

    def __init__(self, parent: Group, item: Any) -> None:
        size = len(parent)
        start, stop = _range(item, size, parent.name)
        super().__init__()
        shift = parent._start if isinstance(parent, Subgroup) else 0
        self._root = parent._parent
        self._start = start + shift
        self._stop = stop + shift
        self.namespace = parent.namespace
        self._hosts = self._root._hosts
        self._links = self._root._links

    @property
    def _parent(self) -> Group:
        return self._root

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self._root,)

    @property
    def name(self) -> str:
        return f"{self._root.name}[{self._start}:{self._stop}]"

    @property
    def active(self) -> bool:
        """Whether runs carry out what the group does; a part of it cannot be switched by itself."""
        return self._root.active

    @active.setter
    def active(self, active: bool) -> None:
        raise ArgumentError(f"{self.name} is a part of {self._root.name}; assign {self._root.name}.active")

    @property
    def N(self) -> int:
        """Number of neurons in the subgroup."""
        return self._stop - self._start

    @property
    def _window(self) -> Window:
        return Window(self._root.name, self._start, self._stop)

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, item: Any) -> Subgroup:
        return Subgroup(self, item)

    def _events(self) -> tuple[str, ...]:
        return self._root._events()

    def _event_place(self, event: str) -> tuple[str, int]:
        return self._root._event_place(event)

    def _symbols(self) -> Mapping[str, Symbol]:
        return self._root._symbols()

    def _subexpressions(self) -> Mapping[str, Expr]:
        return self._root._subexpressions()

    def _code_substitutes(self) -> Mapping[str, Expr]:
        return self._root._code_substitutes()

    def _linked_ref(self, name: str, via: str) -> Ref | None:
        return self._root._linked_ref(name, via)

    def _time(self) -> tuple[float, float]:
        return self._root._time()

    def _stored(self, elements: np.ndarray) -> np.ndarray:
        return elements + self._start

    def _read(self, name: str, elements: np.ndarray) -> Any:
        if name == "i":
            return elements
        if name == "N":
            return len(self)
        return self._root._read(name, elements + self._start)

    def _host(self, name: str) -> HostVariable:
        return self._root._host(name)

    def _guard(self, name: str) -> np.ndarray | None:
        return self._root._guard(name)

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        """Nothing: the group it belongs to does the work."""


def _range(item: Any, size: int, name: str) -> tuple[int, int]:
    if isinstance(item, slice):
        if item.step not in (None, 1):
            raise IndexRangeError(f"{name}: a subgroup is contiguous; [{item.start}:{item.stop}:{item.step}] is not")
        for bound in (item.start, item.stop):
            if bound is not None and not -size <= bound <= size:
                raise IndexRangeError(f"{name} has {size} elements; a subgroup cannot begin or end at {bound}")
        start, stop, _ = item.indices(size)
    elif isinstance(item, int | np.integer) and not isinstance(item, bool):
        start = int(item) + (size if item < 0 else 0)
        stop = start + 1
        if not 0 <= start < size:
            raise IndexRangeError(f"{name} has {size} elements; there is no element {item}")
    else:
        index = np.asarray(item)
        if index.ndim != 1 or index.size == 0 or index.dtype.kind not in "iu" or np.any(np.diff(index) != 1):
            raise IndexRangeError(f"{name}: a subgroup is a contiguous range such as {name}[10:20]; got {item!r}")
        start, stop = int(index[0]), int(index[-1]) + 1
        if start < 0 or stop > size:
            raise IndexRangeError(f"{name} has {size} elements; a subgroup cannot be [{start}:{stop}]")
    if stop <= start:
        raise IndexRangeError(f"{name}[{start}:{stop}] has no elements; a subgroup needs at least one")
    return start, stop
