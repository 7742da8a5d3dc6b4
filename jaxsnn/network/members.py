"""The objects of a network, and the order in which they act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxsnn.equations.names import caller_namespace
from jaxsnn.errors import ArgumentError, NetworkError, did_you_mean
from jaxsnn.objects.access.states import HasStates
from jaxsnn.objects.base import Recorder, SimulationObject
from jaxsnn.objects.groups import Subgroup
from jaxsnn.program import SLOTS, Operation

__all__ = ["Members"]


class Members:
    """The part of `Network` that holds objects and their schedule."""

    def __init__(self) -> None:
        self._objects: list[SimulationObject] = []
        self._schedule: tuple[str, ...] = SLOTS

    def add(self, *objects: Any) -> None:
        """Add objects (or lists of them)."""
        for given in objects:
            if isinstance(given, SimulationObject):
                if given not in self._objects:
                    self._objects.append(given)
            elif isinstance(given, Mapping):
                self.add(*given.values())
            elif isinstance(given, Iterable) and not isinstance(given, str):
                self.add(*given)
            else:
                raise ArgumentError(
                    f"a network holds groups, synapses, monitors and functions, got {type(given).__name__} ({given!r})"
                )

    def remove(self, *objects: SimulationObject) -> None:
        """Take objects out."""
        for given in objects:
            if given not in self._objects:
                raise NetworkError(f"{getattr(given, 'name', given)!r} is not in this network")
            self._objects.remove(given)

    @property
    def objects(self) -> tuple[SimulationObject, ...]:
        """The objects in the order in which they were added."""
        return tuple(self._objects)

    def __getitem__(self, name: str) -> SimulationObject:
        for given in self._objects:
            if given.name == name:
                return given
        raise KeyError(f"there is no object {name!r} in this network; there are {[o.name for o in self._objects]}")

    def __contains__(self, name: object) -> bool:
        return any(o.name == name or o is name for o in self._objects)

    def _label(self, names: Mapping[str, Any]) -> None:
        taken = {o.name for o in self._objects}
        for variable, value in names.items():
            if (
                isinstance(value, SimulationObject)
                and any(value is o for o in self._objects)
                and not variable.startswith("_")
                and variable not in taken
            ):
                value.label(variable)

    def _check(self) -> None:
        if not self._objects:
            raise NetworkError("there is nothing to run: the network has no objects; Network(group, synapses, monitor)")
        seen: dict[str, SimulationObject] = {}
        for given in self._objects:
            if given.name in seen:
                raise NetworkError(f"two objects of this network have the name {given.name!r}; names are unique")
            seen[given.name] = given
            for needed in given.needs:
                root = needed._parent if isinstance(needed, Subgroup) else needed
                if not any(root is o for o in self._objects):
                    raise NetworkError(
                        f"{given.name} refers to {root.name}, which is not in the network; add it:"
                        f" Network({root.name}, {given.name}, ...)"
                    )

    # ---- values of all objects -----------------------------------------------------------------------------

    def get_states(
        self,
        units: bool = True,
        format: str = "dict",
        subexpressions: bool = False,
        read_only_variables: bool = True,
    ) -> dict[str, Any]:
        """Values of all variables and recordings, by name of the object.

        The arguments are those of ``get_states`` of groups; without ``read_only_variables`` the result has what
        `set_states` takes: no recordings, and no variables that cannot be assigned.
        """
        self._label(caller_namespace())
        found: dict[str, Any] = {}
        for given in self._objects:
            if isinstance(given, HasStates) and not isinstance(given, Subgroup):
                found[given.name] = given.get_states(None, units, format, subexpressions, read_only_variables)
            elif isinstance(given, Recorder) and read_only_variables:
                found[given.name] = given.get_states(None, units, format)
        return found

    def set_states(self, values: Mapping[str, Any], units: bool = True, format: str = "dict") -> None:
        """Assign values to variables of several objects: ``{"cells": {"v": -60*mV}}``.

        Raises:
            NetworkError: for an object that the network does not have, or without variables.
            ArgumentError: for a variable that cannot be assigned.
        """
        self._label(caller_namespace())
        known = {given.name: given for given in self._objects if isinstance(given, HasStates)}
        for name in values:
            if name not in known:
                raise NetworkError(
                    f"there is no object {name!r} with variables in this network.{did_you_mean(name, known)}"
                )
        for name, given in values.items():
            known[name].set_states(given, units, format)

    # ---- order ---------------------------------------------------------------------------------------------

    @property
    def schedule(self) -> tuple[str, ...]:
        """The slots of a step in order; each has a ``before_`` and an ``after_`` part.

        Set it to another order, or to one with slots of your own; objects get into those by their ``when``. None for
        the usual one.
        """
        return self._schedule

    @schedule.setter
    def schedule(self, slots: Sequence[str] | None) -> None:
        slots = SLOTS if slots is None else slots
        wrong = [s for s in slots if not isinstance(s, str) or s.startswith(("before_", "after_"))]
        if isinstance(slots, str) or wrong or len(set(slots)) < len(slots) or not slots:
            raise ArgumentError(
                f"a schedule is a list of different slots such as {list(SLOTS)}, without the prefixes before_ and"
                f" after_, which each has; got {slots!r}"
            )
        self._schedule = tuple(slots)

    def _in_order(self, operations: Iterable[Operation]) -> tuple[Operation, ...]:
        def position(operation: Operation) -> tuple[float, int, str]:
            try:
                return operation.position_in(self._schedule)
            except KeyError:
                raise NetworkError(
                    f"{operation.name} is in the slot {operation.slot!r}, which this network does not have; its"
                    f" schedule is {list(self._schedule)}"
                ) from None

        return tuple(sorted(operations, key=position))
