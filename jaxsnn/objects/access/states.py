"""Values of all variables of an object at once, and the numbers of elements that an index chooses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from jaxsnn.equations.dimensions import Symbol
from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.objects.access.formats import format_named
from jaxsnn.objects.variables import NEVER, NEVER_SECONDS, VariableOwner, VariableView
from jaxsnn.units import DIMENSIONLESS, Quantity, second, strip

__all__ = ["HasStates", "Indices"]

TIMES = ("lastspike", "lastupdate")
"""Times that are kept as numbers of steps."""


class HasStates(VariableOwner):
    """The part of groups and synapses that gives out and takes in many values at once."""

    @property
    def indices(self) -> Indices:
        """Numbers of chosen elements: ``G.indices["v > 0*mV"]``, ``S.indices[0, :]``."""
        return Indices(self)

    def _state_names(self) -> tuple[str, ...]:
        """The variables that `get_states` gives out by itself, sub-expressions included."""
        return tuple(name for name in self._symbols() if not name.startswith("_"))

    def get_states(
        self,
        vars: str | Iterable[str] | None = None,
        units: bool = True,
        format: str = "dict",
        subexpressions: bool = False,
        read_only_variables: bool = True,
    ) -> Any:
        """Copies of the values of several variables.

        Args:
            vars: Names, by default all that the object has: for synapses, without those of the neurons at both ends.
            units: False for plain numbers in base units.
            format: ``"dict"``, a dictionary from names to values, or ``"pandas"``, a table with a row for each element
                (needs pandas, and ``units=False``).
            subexpressions: Whether sub-expressions belong to all variables.
            read_only_variables: Whether what cannot be assigned (``i``, ``N``, ``t``, ...) does. Without it the result
                is what `set_states` takes.

        Raises:
            ArgumentError: for a name that the object does not have, and an unknown format.
        """
        given = format_named(format)
        symbols = self._symbols()
        if vars is None:
            hidden = set() if subexpressions else set(self._subexpressions())
            names = [name for name in self._state_names() if name not in hidden]
            if not read_only_variables:
                names = [name for name in names if name in TIMES or self._assignable(name)]
        else:
            names = [vars] if isinstance(vars, str) else list(vars)
        for name in names:
            if name not in symbols:
                raise ArgumentError(f"{self.name} has no variable {name!r}.{did_you_mean(name, symbols)}")
        values = {}
        for name in names:
            view = VariableView(self, name)
            plain = view._plain(slice(None))
            values[name] = Quantity(plain, view.dim) if units and view.dim != DIMENSIONLESS else plain
        return given.give(values, units, self.name)

    def set_states(self, values: Any, units: bool = True, format: str = "dict") -> None:
        """Assign values to several variables: ``{"v": -60*mV, "w": [1, 2, 3]}``.

        Args:
            values: As `get_states` gives them.
            units: False if the values are plain numbers in base units.
            format: ``"dict"`` or ``"pandas"``.

        Raises:
            ArgumentError: for a name that the object does not have or that cannot be assigned; then nothing is changed.
        """
        given: Mapping[str, Any] = format_named(format).take(values, units, self.name)
        symbols = self._symbols()
        for name in given:
            if name not in symbols:
                raise ArgumentError(f"{self.name} has no variable {name!r}.{did_you_mean(name, symbols)}")
            if name not in TIMES and not self._assignable(name):
                raise ArgumentError(f"{self.name}.{name} cannot be assigned: it is fixed or computed by the object")
        for name, value in given.items():
            if name in TIMES:
                self._assign_time(name, value, units, symbols[name])
            else:
                # A table repeats the value of a shared variable.
                one = VariableView(self, name)._scalar() and np.ndim(value) == 1 and np.size(value) > 1
                VariableView(self, name)._assign(slice(None), value[0] if one else value, plain=not units)

    def _assignable(self, name: str) -> bool:
        try:
            return not self._host(name).read_only
        except KeyError:
            return False

    def _assign_time(self, name: str, value: Any, units: bool, symbol: Symbol) -> None:
        """Assign a time that is kept as a number of steps."""
        host = self._hosts[name]
        stored = self._stored(np.arange(len(self)))
        given = np.asarray(strip(value, symbol.dim, f"{self.name}.{name}") if units else value, float)
        own = getattr(self._parent, "_dt", None)
        dt = self._time()[1] if own is None else float(strip(own, second.dim, "dt"))
        steps = np.rint(np.where(given <= NEVER_SECONDS, 0, given) / dt)
        host.value[stored] = np.where(given <= NEVER_SECONDS, NEVER, steps).astype(np.int32)
        host.version += 1


class Indices:
    """Numbers of the elements that an index chooses: an integer, a slice, an array, a condition in text."""

    def __init__(self, owner: VariableOwner) -> None:
        self._owner = owner

    def __getitem__(self, item: Any) -> np.ndarray:
        return self._owner._elements(item)
