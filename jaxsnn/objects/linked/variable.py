"""Linked variables: a name of one group for a variable (or sub-expression) of another, without storage of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxsnn.equations.dimensions import Symbol, describe
from jaxsnn.equations.expressions import Expr, Name, names, substitute
from jaxsnn.errors import ArgumentError, DimensionError, NetworkError, did_you_mean
from jaxsnn.objects.base import Parts
from jaxsnn.objects.groups import CLOCK, TIME, Group, Subgroup
from jaxsnn.objects.variables import Attached, VariableOwner, VariableView
from jaxsnn.program import Link, Ref

__all__ = ["LinkedVariable", "expressions", "linked_var", "lower", "ref", "sources", "symbols", "values"]


@dataclass(frozen=True, eq=False)
class LinkedVariable(Attached):
    """What `linked_var` makes: a variable of a group, and the index through which it is read."""

    group: Group
    name: str
    index: np.ndarray | str | None = None

    def attach(self, owner: VariableOwner, name: str) -> None:
        """Let a variable of another group mean this one."""
        what = f"{owner.name}.{name}"
        if isinstance(owner, Subgroup):
            raise ArgumentError(f"{what}: a group is linked as a whole; assign to {owner._parent.name}.{name}")
        if name not in owner._links:
            raise ArgumentError(f"{what} is not marked as linked; write '{name} : unit (linked)' in its equations")
        found, needed = self.group._symbols()[self.name], owner._symbols()[name]
        if found.dim != needed.dim:
            raise DimensionError(f"{what} is {describe(needed.dim)}, but {self} is {describe(found.dim)}")
        if found.type != needed.type:
            raise ArgumentError(f"{what} is declared as {needed.type}, but {self} is {found.type}; they have to agree")
        if isinstance(self.index, str) and owner._symbols().get(self.index) != Symbol("integer"):
            raise ArgumentError(f"{what}: index={self.index!r} is no integer variable of {owner.name}")
        if self.index is None and self._broadcasts() is False and len(self.group) != len(owner):
            raise ArgumentError(
                f"{what}: {self.group.name} has {len(self.group)} elements and {owner.name} has {len(owner)}; say which"
                f" belongs to which, with index=[...] (one number for each of {owner.name}) or the name of an integer"
                f" variable"
            )
        owner._links[name] = self

    def _broadcasts(self) -> bool:
        """Whether there is one value for all."""
        try:
            scalar = self.group._host(self.name).variable.scalar
        except KeyError:
            scalar = False
        return scalar or len(self.group) == 1

    def elements(self, owner: VariableOwner, elements: np.ndarray) -> np.ndarray:
        """Which elements of the group those of the owner are linked to.

        Raises:
            ArgumentError: for indices that do not fit.
        """
        if isinstance(self.index, str):
            found = np.asarray(np.broadcast_to(owner._read(self.index, elements), elements.shape))
        elif self.index is None:
            return np.zeros_like(elements) if self._broadcasts() else elements
        elif self.index.size != len(owner):
            raise ArgumentError(
                f"{owner.name}: index has {self.index.size} numbers for {len(owner)} elements; it needs one for each"
            )
        else:
            found = self.index[elements]
        if found.size and not 0 <= found.min() <= found.max() < len(self.group):
            wrong = found[(found < 0) | (found >= len(self.group))][0]
            raise ArgumentError(
                f"{owner.name}: index {wrong} leads outside of {self.group.name}, which has {len(self.group)} elements"
            )
        return found

    def __str__(self) -> str:
        return f"{self.group.name}.{self.name}"


def linked_var(source: Any, name: str | None = None, index: Any = None) -> LinkedVariable:
    r"""A variable of another group under a name of one's own: assign it to a parameter marked ``(linked)``.

    There is no copy: whoever reads the name reads the other variable, also while it changes. It cannot be written.

    Args:
        source: A variable, ``other.v``, or the group that has it. It may be a sub-expression; names of the
            namespace in it mean what they mean for the group that links.
        name: Name of the variable, if ``source`` is a group.
        index: For each element the number of the other group's element; an array, or the name of an integer variable
            (``"i"`` for synapses). Not needed between groups of one size (element k to element k), nor for a shared
            variable or a group of one element (one for all).

    Example:
        >>> from jaxsnn import Network, NeuronGroup, linked_var
        >>> from jaxsnn.units import ms
        >>> clock = NeuronGroup(1, "dx/dt = 1/ms : 1", namespace={"ms": ms})
        >>> cells = NeuronGroup(3, "y = drive + i : 1\ndrive : 1 (linked)")
        >>> cells.drive = linked_var(clock.x)
        >>> Network(clock, cells).run(5 * ms)
        >>> print(cells.y[:].round(3))
        [5. 6. 7.]

    Raises:
        ArgumentError: for what is no variable of a group, and, on assignment, sizes and indices that do not fit.
        DimensionError: on assignment, if the units differ.
    """
    if isinstance(source, VariableView):
        if name is not None:
            raise ArgumentError(f"linked_var: the variable is given twice, {source.name!r} and {name!r}")
        source, name = source._owner, source.name
    if not isinstance(source, Group):
        raise ArgumentError(
            f"linked_var links to a variable of a group, linked_var(group.v) or linked_var(group, 'v'); got"
            f" {type(source).__name__}"
        )
    known = source._symbols()
    if name is None or name not in known or name in TIME:
        raise ArgumentError(f"linked_var: {source.name} has no variable {name!r}.{did_you_mean(str(name), known)}")
    if index is not None and not isinstance(index, str):
        index = np.asarray(index)
        if index.ndim != 1 or index.dtype.kind not in "iu":
            raise ArgumentError(f"linked_var: index is an array of whole numbers or a name, got {index!r}")
        index = index.astype(np.int32)
    return LinkedVariable(source, name, index)


# ---- for the group that links ---------------------------------------------------------------------------------


def sources(owner: VariableOwner) -> tuple[Group, ...]:
    """The groups an owner is linked to."""
    return tuple(link.group for link in owner._links.values() if link is not None)


def expressions(owner: VariableOwner, code: bool = False) -> dict[str, Expr]:
    """Names that are linked to sub-expressions, written in what these read, under names that begin with ``_``."""
    found: dict[str, Expr] = {}
    for name, link in owner._links.items():
        expr = _expression(link, code)
        if link is not None and expr is not None:
            read = names(expr) & set(link.group._symbols()) - _CLOCK
            found[name] = substitute(expr, {n: Name(f"_{name}_{n}") for n in read})
    return found


def symbols(owner: VariableOwner) -> dict[str, Symbol]:
    """Type and unit of the names that stand in linked sub-expressions."""
    return {own: link.group._symbols()[name] for own, link, name in _atoms(owner) if own not in owner._links}


def values(owner: VariableOwner, name: str, elements: np.ndarray) -> Any:
    """Values on the host of a linked name, or of one that stands in a linked sub-expression."""
    for own, link, source in _atoms(owner):
        if own == name:
            return np.broadcast_to(link.group._read(source, link.elements(owner, elements)), elements.shape)
    raise NetworkError(_unlinked(owner, name))


def ref(owner: VariableOwner, name: str, via: str = "self") -> Ref | None:
    """How code reads a linked name; None for any other name."""
    for own, link, source in _atoms(owner):
        if own == name:
            symbol = link.group._symbols()[source]
            one = link.group._ref(source).via == "scalar" or (link.index is None and len(link.group) == 1)
            return Ref(owner.name, name, symbol.type, symbol.dim, "scalar" if one else via)
    if name in owner._links:
        raise NetworkError(_unlinked(owner, name))
    return None


def lower(owner: VariableOwner, parts: Parts) -> None:
    """Tell the program which variables are others, and through which index."""
    everything = np.arange(len(owner))
    for own, link, source in _atoms(owner):
        key, table = (owner.name, own), f"{owner.name}.{own}.link"
        group, first = link.group, link.group._window.start
        there = group._ref(source)
        if there.owner == CLOCK or "index" in there.via:
            raise ArgumentError(
                f"{owner.name}.{own} cannot be linked to {source!r} of {group.name}, which is no variable"
            )
        if there.via == "scalar":
            parts.links[key] = Link(there.key)
        elif isinstance(link.index, str) and link.index in owner._hosts:
            link.elements(owner, everything)
            parts.links[key] = Link(there.key, variable=(owner.name, link.index), first=first)
        elif link.index is None and first == 0 and len(group) == len(group._parent):
            parts.links[key] = Link(there.key)
        else:
            one = link.index is None and len(group) == 1
            parts.indices[table] = link.elements(owner, everything[:1] if one else everything) + first
            parts.links[key] = Link(there.key, table)
    missing = [name for name, link in owner._links.items() if link is None]
    if missing:
        raise NetworkError(_unlinked(owner, missing[0]))


_CLOCK = {"t", "dt", "t_in_timesteps"}


def _unlinked(owner: VariableOwner, name: str) -> str:
    return f"{owner.name}.{name} is linked, but to nothing yet; write {owner.name}.{name} = linked_var(other.v)"


def _expression(link: LinkedVariable | None, code: bool) -> Expr | None:
    if link is None:
        return None
    known: Mapping[str, Expr] = link.group._code_substitutes() if code else link.group._subexpressions()
    return known.get(link.name)


def _atoms(owner: VariableOwner) -> Iterator[tuple[str, LinkedVariable, str]]:
    """(own name, link, name there) of all variables that an owner reads through links."""
    for name, link in owner._links.items():
        if link is None:
            continue
        read: set[str] = set()
        for code in (False, True):
            expr = _expression(link, code)
            read |= names(expr) & set(link.group._symbols()) - _CLOCK if expr is not None else set()
        if _expression(link, False) is None:
            yield name, link, link.name
        for source in sorted(read):
            yield f"_{name}_{source}", link, source
