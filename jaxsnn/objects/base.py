"""What all objects share: a name, a place in the schedule, and the parts they lower to."""

from __future__ import annotations

import re
import weakref
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from jaxsnn.equations.names import Constant
from jaxsnn.errors import ArgumentError, NetworkError
from jaxsnn.objects.access.formats import format_named
from jaxsnn.program import Key, Link, Operation, Variable, slot_position
from jaxsnn.units import second, strip

__all__ = [
    "Connections",
    "Part",
    "Parts",
    "Recorder",
    "SimulationObject",
    "generator_for",
    "seed",
    "steps_of",
]

_live: weakref.WeakValueDictionary[str, SimulationObject] = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class Connections:
    """The synapses of one pathway as arrays: sources and targets inside their windows, delays in second."""

    source: np.ndarray
    target: np.ndarray
    delay: np.ndarray | float


@dataclass
class Parts:
    """What objects lower to: symbolic parts of the program, and the arrays beside it.

    What a clock rounds is kept beside it as it was: ``times`` are those of ``schedules`` in second, delays are in
    ``connections``; ``methods`` says by which scheme the equations of an object are integrated. Operations named in
    ``inactive`` are not carried out.
    """

    dt: float
    variables: dict[Key, Variable] = field(default_factory=dict)
    values: dict[Key, Any] = field(default_factory=dict)
    events: dict[Key, int] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    connections: dict[str, Connections] = field(default_factory=dict)
    schedules: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    times: dict[str, np.ndarray] = field(default_factory=dict)
    indices: dict[str, np.ndarray] = field(default_factory=dict)
    links: dict[Key, Link] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    inactive: set[str] = field(default_factory=set)

    def add(self, variable: Variable, value: Any) -> None:
        self.variables[variable.key] = variable
        self.values[variable.key] = value

    def lower(self, given: SimulationObject, namespace: Mapping[str, Any]) -> None:
        """Add an object; what it does is left out if it is not active."""
        known = len(self.operations)
        given.lower(self, namespace)
        if not given.active:
            self.inactive.update(operation.name for operation in self.operations[known:])

    def add_constants(self, owner: str, constants: Mapping[str, Constant]) -> None:
        """Numbers of the namespace, as variables of the object whose text uses them."""
        for name, constant in constants.items():
            size = int(np.size(constant.value))
            # Arrays (of a TimedArray) too are one value for all elements, not one value for each.
            variable = Variable(owner, name, constant.type, constant.dim, size, True, "constant")
            self.add(variable, constant.value)


class SimulationObject:
    """Base class: a name (unique in a network), a slot and an order.

    A name that is not given is made from the class (``neurongroup``, ``neurongroup_1``, ...), and decides the
    order of objects with equal slot and order, as in Brian. A network labels unnamed objects by the variable
    they were assigned to (``cells = NeuronGroup(...)`` is ``params["cells"]``).
    """

    when: str = "start"
    order: int = 0
    active: bool = True
    """Whether a run carries out what the object does; set it between runs."""
    _prefix: ClassVar[str] = "object"
    _given_name: str | None
    _label: str | None
    order_name: str

    def __init__(self, name: str | None = None, when: str | None = None, order: int | None = None) -> None:
        if name is not None and not (isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name)):
            raise ArgumentError(f"{name!r} cannot be the name of an object; use letters, digits and '_'")
        object.__setattr__(self, "_given_name", name)
        object.__setattr__(self, "_label", None)
        self_name = name if name is not None else _free_name(self._prefix)
        object.__setattr__(self, "order_name", self_name)
        _live[self_name] = self
        self._place(self_name, when, order)

    def _place(self, name: str, when: str | None, order: int | None) -> None:
        """Check and keep a place in the schedule."""
        if when is not None:
            try:
                slot_position(when)
            except KeyError:
                raise ArgumentError(
                    f"{name}: there is no slot {when!r}; possible are start, groups, thresholds, synapses,"
                    f" resets, end, each also with before_ or after_"
                ) from None
            object.__setattr__(self, "when", when)
        if order is not None:
            if isinstance(order, bool) or not isinstance(order, int | np.integer):
                raise ArgumentError(f"{name}: order is a whole number, got {order!r}")
            object.__setattr__(self, "order", int(order))

    @property
    def name(self) -> str:
        """The name by which parameters and messages address the object."""
        return self._given_name or self._label or self.order_name

    def label(self, label: str) -> None:
        """Give an unnamed object the name of the variable it was assigned to (done by `Network`)."""
        if self._given_name is None and self._label is None:
            object.__setattr__(self, "_label", label)

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        """Other objects this one refers to; they must be in the same network."""
        return ()

    def lower(self, parts: Parts, namespace: Mapping[str, Any]) -> None:
        """Add this object to the parts of a program."""
        raise NotImplementedError


class Part(SimulationObject):
    """Something an object does besides its main work: in its network with it, at a place of its own in the schedule.

    Attributes:
        owner: The object.
        when, order: Its slot, and its position in it.
        active: Whether runs carry it out.
    """

    _order: int | None = None

    def __init__(self, owner: SimulationObject, suffix: str, when: str, order: int | None = None) -> None:
        # No call of the base class: its name is that of its owner with a suffix.
        self.owner = owner
        self.suffix = suffix
        self._place(self.name, when, order)

    @property
    def order(self) -> int:
        """Its position among the objects of its slot; that of the owner if none was given."""
        return self.owner.order if self._order is None else self._order

    @order.setter
    def order(self, order: int) -> None:
        self._order = order

    @property
    def name(self) -> str:
        """The name of the owner and its own."""
        return f"{self.owner.name}_{self.suffix}"

    @property
    def order_name(self) -> str:  # type: ignore[override]
        """The name that decides between operations of equal order."""
        return f"{self.owner.order_name}_{self.suffix}"

    @property
    def needs(self) -> tuple[SimulationObject, ...]:
        return (self.owner,)


class Recorder(SimulationObject):
    """Base class of monitors: they receive what their operation recorded, chunk by chunk."""

    def _recorded(self) -> Mapping[str, Any]:
        """What was recorded, by name, one row for each event or sample; and counts."""
        raise NotImplementedError

    def _elements_recorded(self) -> np.ndarray:
        """The elements that are the columns of what is recorded at each time."""
        return np.zeros(0, int)

    def get_states(self, vars: str | Iterable[str] | None = None, units: bool = True, format: str = "dict") -> Any:
        """What was recorded.

        Args:
            vars: Names, by default all.
            units: False for plain numbers in base units.
            format: ``"dict"``, a dictionary from names to arrays, or ``"pandas"``, a table with a row for each event or
                sample (needs pandas, and ``units=False``).

        Raises:
            ArgumentError: for a name that the monitor does not have, and an unknown format.
        """
        given, recorded = format_named(format), self._recorded()
        if vars is None:
            # A table has one value in each row.
            vars = [name for name in recorded if format == "dict" or name not in ("N", "count")]
        values = {}
        for name in [vars] if isinstance(vars, str) else vars:
            if name not in recorded:
                raise ArgumentError(f"{self.name} does not record {name!r}; it has {', '.join(recorded)}")
            value = recorded[name]
            value = value if units else getattr(value, "value", value)
            if format == "dict" or np.ndim(value) < 2:
                values[name] = value
            else:  # a column for each element
                values |= {f"{name}[{k}]": value[:, column] for column, k in enumerate(self._elements_recorded())}
        return given.give(values, units, self.name)

    def receive(self, record: Mapping[str, np.ndarray], first_step: int, dt: float) -> None:
        """Append the record of a chunk that began at ``first_step``."""
        raise NotImplementedError

    def snapshot(self) -> Any:
        """What `Network.store` keeps."""
        raise NotImplementedError

    def revert(self, snapshot: Any) -> None:
        """Back to a snapshot."""
        raise NotImplementedError


def _free_name(prefix: str) -> str:
    if prefix not in _live:
        return prefix
    number = 1
    while f"{prefix}_{number}" in _live:
        number += 1
    return f"{prefix}_{number}"


# One seed for everything random on the host and in runs; None until the user sets it.
_seed: list[int] = [int(np.random.SeedSequence().generate_state(1)[0])]
_draws: dict[str, int] = {}


def seed(value: int | None = None) -> None:
    """Make everything random reproducible from here on: initial values, connections and runs.

    Random numbers belong to the object and the text that draws them, so adding another object does not
    change them. ``seed(None)`` takes fresh entropy from the operating system.

    >>> seed(42)
    """
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
        raise ArgumentError(f"a seed is a whole number, or None for a new one; got {value!r}")
    _seed[0] = int(np.random.SeedSequence().generate_state(1)[0]) if value is None else int(value)
    _draws.clear()


def current_seed() -> int:
    """The seed in force."""
    return _seed[0]


def generator_for(owner: str, what: str) -> np.random.Generator:
    """A fresh generator for the next draw of ``what`` (a variable, a connect call) of an object."""
    key = f"{owner}.{what}"
    count = _draws.get(key, 0)
    _draws[key] = count + 1
    return np.random.default_rng([_seed[0] & 0xFFFFFFFF, zlib.crc32(key.encode()), count])


def steps_of(interval: Any, dt: float, what: str) -> int:
    """An interval as a whole number of steps; anything else is an error that says which are near.

    Raises `NetworkError` if the interval is not a positive multiple of dt.
    """
    value = float(strip(interval, second.dim, what))
    steps = round(value / dt)
    if steps < 1 or abs(value / dt - steps) > 1e-4:
        near = max(1, int(value / dt)) * dt
        raise NetworkError(
            f"{what} is {_ms(value)}, which is no multiple of the time step {_ms(dt)};"
            f" write for example {_ms(near)} or {_ms(near + dt)}"
        )
    return steps


def _ms(value: float) -> str:
    return f"{value * 1e3:g}*ms"
