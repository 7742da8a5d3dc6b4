"""Variables of groups and synapses on the host: storage, views, indexing, assignment by value and string."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxsnn.codegen.host import evaluate
from jaxsnn.equations.dimensions import Symbol, require
from jaxsnn.equations.expressions import Expr, names, parse, substitute
from jaxsnn.equations.names import Binder, caller_namespace
from jaxsnn.errors import ArgumentError, IndexRangeError, Source, did_you_mean
from jaxsnn.objects.base import SimulationObject, generator_for
from jaxsnn.program import Variable
from jaxsnn.units import DIMENSIONLESS, Quantity, strip

__all__ = ["DTYPES", "NEVER", "NEVER_SECONDS", "Attached", "HostVariable", "VariableOwner", "VariableView"]

NEVER = -(2**30)
"""``lastspike`` in steps of a neuron that has not fired."""
NEVER_SECONDS = -1e4
DTYPES = {"float": np.float64, "integer": np.int32, "boolean": np.bool_}


@dataclass
class HostVariable:
    """A variable with its value on the host. ``version`` counts changes, so that devices are updated once."""

    variable: Variable
    value: np.ndarray
    read_only: bool = False
    version: int = 0


class Attached:
    """Base class of what is no value, but what a variable is from now on when it is assigned."""

    def attach(self, owner: VariableOwner, name: str) -> None:
        raise NotImplementedError


class VariableOwner(SimulationObject):
    """Base class of everything with variables: groups, subgroups, synapses."""

    _hosts: dict[str, HostVariable]
    _links: dict[str, Any]
    """Linked variables: to what, or None as long as that is not known."""
    _pasts: dict[str, HostVariable]
    """Rings of past values, for what is read with a delay."""
    namespace: Mapping[str, Any] | None = None

    def __init__(self, name: str | None = None, when: str | None = None, order: int | None = None) -> None:
        super().__init__(name, when, order)
        self._links = {}
        self._pasts = {}

    def _mapping(self, namespace: Any) -> Mapping[str, Any] | None:
        if namespace is not None and not isinstance(namespace, Mapping):
            raise ArgumentError(
                f"{self.name}: namespace is a dictionary such as {{'tau': 10*ms}}, got {type(namespace).__name__}"
            )
        return None if namespace is None else dict(namespace)

    # ---- what subclasses say --------------------------------------------------------------------

    def __len__(self) -> int:
        raise NotImplementedError

    def _symbols(self) -> Mapping[str, Symbol]:
        """All names the object's texts may read besides the namespace."""
        raise NotImplementedError

    def _subexpressions(self) -> Mapping[str, Expr]:
        """Sub-expressions by name, with others already put in."""
        return {}

    def _read(self, name: str, elements: np.ndarray) -> Any:
        """Values of a name (of `_symbols`) at elements, in base units."""
        raise NotImplementedError

    def _host(self, name: str) -> HostVariable:
        """The stored variable behind a name, or KeyError."""
        return self._hosts[name]

    def _stored(self, elements: np.ndarray) -> np.ndarray:
        """Positions of elements in the stored arrays (subgroups are shifted)."""
        return elements

    def _guard(self, name: str) -> np.ndarray | None:
        """Where string assignment may write a variable (None: everywhere)."""
        return None

    # ---- elements --------------------------------------------------------------------------------

    def _elements(self, item: Any) -> np.ndarray:
        """Element numbers for an index: integer, slice, array, mask or condition string."""
        size = len(self)
        if isinstance(item, str):
            source = Source(item, f"{self.name}: index")
            condition = parse(item, source)
            values = self._evaluate(condition, source, np.arange(size), boolean=True, what="an index in text")
            return np.flatnonzero(np.broadcast_to(values, (size,)))
        if item is Ellipsis or (isinstance(item, tuple) and not item):
            return np.arange(size)
        if isinstance(item, slice):
            return np.arange(size)[item]
        if isinstance(item, VariableOwner):
            return item._elements_in(self)
        index = np.asarray(item)
        if index.dtype == bool:
            if index.shape != (size,):
                raise IndexRangeError(
                    f"{self.name}: a mask of shape {index.shape} does not fit {size} elements; it needs one value"
                    f" for each element"
                )
            return np.flatnonzero(index)
        if index.size == 0:
            return np.zeros(0, dtype=int)
        if index.dtype.kind not in "iu":
            raise IndexRangeError(
                f"{self.name}: {item!r} is no index; use an integer, a slice, an array of integers or a condition"
                f" in text such as 'i < 10'"
            )
        wrong = (index >= size) | (index < -size)
        if np.any(wrong):
            raise IndexRangeError(
                f"{self.name}: index {int(index[wrong].flat[0])} is outside; there are {size} elements, 0 to {size - 1}"
            )
        return np.atleast_1d(np.where(index < 0, index + size, index)).ravel()

    def _elements_in(self, owner: VariableOwner) -> np.ndarray:
        """Numbers of its own elements among those of another object, when it is used as an index."""
        raise IndexRangeError(f"{owner.name}: {self.name} is no index; use a group or a part of one")

    # ---- expressions -------------------------------------------------------------------------------

    def _binder(self, namespace: Mapping[str, Any] | None = None, dt: float | None = None) -> Binder:
        """Gives names their meaning: own namespace first, then the run's or the caller's."""
        outer = caller_namespace() if namespace is None else namespace
        return Binder(self._symbols(), {**outer, **(self.namespace or {})}, dt)

    def _evaluate(
        self,
        expr: Expr,
        source: Source,
        elements: np.ndarray,
        *,
        boolean: bool = False,
        expected: Symbol | None = None,
        what: str = "this value",
        read: Callable[[str], Any] | None = None,
        shape: tuple[int, ...] | None = None,
        draw: str = "value",
    ) -> Any:
        """Check and compute an expression for elements."""
        binder = self._binder(dt=self._time()[1])
        bound = binder.bind(substitute(expr, self._subexpressions()), source)
        scope = {
            **self._symbols(),
            **{n: Symbol(c.type, c.dim) for n, c in binder.constants.items()},
        }
        if boolean:
            expected = Symbol("boolean", DIMENSIONLESS)
        if expected is not None:
            require(bound, expected, scope, source, what, binder.functions)
        values = {
            name: binder.constants[name].value
            if name in binder.constants
            else (read(name) if read is not None else self._read(name, elements))
            for name in names(bound)
        }
        return evaluate(
            bound,
            values,
            generator_for(self.order_name, draw),
            (len(elements),) if shape is None else shape,
            binder.host_functions,
        )

    def _time(self) -> tuple[float, float]:
        """(t, dt) for texts evaluated now."""
        return getattr(self, "_now", (0.0, 1e-4))

    # ---- attributes ----------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "_hosts" not in self.__dict__:
            raise AttributeError(name)
        symbols = self._symbols()
        if name in symbols:
            return VariableView(self, name)
        if name.endswith("_") and name[:-1] in symbols:
            return VariableView(self, name[:-1])._plain(slice(None))
        raise AttributeError(f"{self.name} has no variable or attribute {name!r}.{did_you_mean(name, symbols)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and "_hosts" in self.__dict__ and name not in dir(type(self)):
            symbols = self._symbols()
            if name in symbols:
                VariableView(self, name)[:] = value
                return
            if name.endswith("_") and name[:-1] in symbols:
                VariableView(self, name[:-1])._assign(slice(None), value, plain=True)
                return
            if name not in self.__dict__:
                raise AttributeError(
                    f"{self.name} has no variable {name!r}.{did_you_mean(name, symbols)} To define one, add a line"
                    f" '{name} : unit' to the equations"
                )
        if isinstance(getattr(type(self), name, None), property) and name in self._symbols():
            raise ArgumentError(f"{self.name}.{name} cannot be assigned: it is fixed by the object")
        object.__setattr__(self, name, value)


class VariableView:
    """A variable of an object, read and written like an array with units.

    ``G.v`` is the view; ``G.v[:]`` (or any index) a quantity; arithmetic with a view gives quantities.
    Assign values (``G.v[3:5] = -60*mV``), text (``G.v = "rand()*mV"``), or both with a condition in text
    (``G.v["i < 10"] = "El + i*mV"``).
    """

    def __init__(self, owner: VariableOwner, name: str) -> None:
        self._owner = owner
        self.name = name
        self._symbol = owner._symbols()[name]

    @property
    def dim(self) -> Any:
        return self._symbol.dim

    def _scalar(self) -> bool:
        try:
            return self._owner._host(self.name).variable.scalar
        except KeyError:
            return self.name in ("N", "t", "dt", "t_in_timesteps")

    def _plain(self, item: Any) -> Any:
        if self._scalar():
            return np.asarray(self._owner._read(self.name, np.zeros(1, dtype=int))).reshape(-1)[0]
        elements = self._owner._elements(item)
        sub = self._owner._subexpressions()
        if self.name in sub:
            source = Source(self.name, self._owner.name)
            values = np.broadcast_to(self._owner._evaluate(sub[self.name], source, elements), elements.shape)
        else:
            values = np.asarray(self._owner._read(self.name, elements))
        if isinstance(item, int | np.integer):
            return values[0]
        return np.array(values)

    def __getitem__(self, item: Any) -> Any:
        plain = self._plain(item)
        return plain if self.dim == DIMENSIONLESS else Quantity(plain, self.dim)

    def __setitem__(self, item: Any, value: Any) -> None:
        self._assign(item, value)

    def _assign(self, item: Any, value: Any, plain: bool = False) -> None:
        owner, what = self._owner, f"{self._owner.name}.{self.name}"
        if isinstance(value, Attached):
            value.attach(owner, self.name)
            return
        if self.name in owner._links:
            raise ArgumentError(f"{what} is linked and has no values of its own; assign linked_var(other.v)")
        try:
            host = owner._host(self.name)
        except KeyError:
            raise ArgumentError(
                f"{what} cannot be assigned: it is computed"
                + (" by its sub-expression" if self.name in owner._subexpressions() else "")
            ) from None
        if host.read_only:
            raise ArgumentError(f"{what} cannot be assigned: it is fixed by the object")
        stored: Any
        if host.variable.scalar:
            elements = stored = np.zeros(1, dtype=int)
        elif _is_all(item) and not isinstance(value, str) and 0 < host.value.size == len(owner):
            # The numbers of a billion synapses would take more memory than their values; here their count is enough.
            elements, stored = np.broadcast_to(0, host.value.shape), slice(None)
        else:
            elements = owner._elements(item)
            stored = owner._stored(elements)
        if isinstance(value, str):
            source = Source(value, what)
            new = np.asarray(
                owner._evaluate(
                    parse(value, source),
                    source,
                    elements,
                    expected=self._symbol,
                    what="the value",
                    draw=self.name,
                )
            )
            guard = owner._guard(self.name)
            if guard is not None:
                new = np.where(guard[stored], new, host.value[stored])
        elif plain:
            new = np.asarray(value)
        else:
            if isinstance(value, VariableView):
                value = value[:]
            new = np.asarray(strip(value, self.dim, what))
        if new.dtype.kind == "f" and host.value.dtype.kind == "i" and np.any(new != np.trunc(new)):
            wrong = new[new != np.trunc(new)].flat[0]
            raise ArgumentError(f"{what} is an integer variable, got {wrong:g}; write int(...) around the value")
        if host.value.dtype.kind == "i" and np.any(np.abs(new.astype(float)) > 2**31 - 1):
            raise ArgumentError(f"{what} is an integer variable of 32 bits, got {float(new.flat[0]):g}")
        if host.value.dtype.kind == "b" and not np.all((new == 0) | (new == 1)):
            raise ArgumentError(f"{what} is a boolean variable, got {new.flat[0]:g}; assign True, False or a condition")
        try:
            host.value[stored] = np.broadcast_to(new, elements.shape)
        except ValueError:
            raise ArgumentError(
                f"{what}: {new.size} values of shape {new.shape} do not fit {elements.size} elements"
            ) from None
        host.version += 1

    # ---- behave like an array with units -----------------------------------------------------------

    def __len__(self) -> int:
        return 1 if self._scalar() else len(self._owner)

    def __iter__(self) -> Iterator[Any]:
        return iter(self[:])

    @property
    def shape(self) -> tuple[int, ...]:
        return () if self._scalar() else (len(self._owner),)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self[:]
        if isinstance(whole, Quantity):
            return whole.__array__(dtype)  # raises: a unit is not dropped silently
        return np.asarray(whole, dtype=dtype)

    def __repr__(self) -> str:
        return f"<{self._owner.name}.{self.name}: {self[:]!r}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self[:], name)


def _is_all(item: Any) -> bool:
    return isinstance(item, slice) and item == slice(None)


def _forward(name: str) -> Callable[..., Any]:
    def method(self: VariableView, *args: Any) -> Any:
        args = tuple(a[:] if isinstance(a, VariableView) else a for a in args)
        result = getattr(self[:], name)(*args)
        return result

    method.__name__ = name
    return method


for _name in (
    *(
        [
            "__add__",
            "__radd__",
            "__sub__",
            "__rsub__",
            "__mul__",
            "__rmul__",
            "__truediv__",
            "__rtruediv__",
            "__floordiv__",
        ]
    ),
    *(
        [
            "__mod__",
            "__pow__",
            "__neg__",
            "__pos__",
            "__abs__",
            "__lt__",
            "__le__",
            "__gt__",
            "__ge__",
            "__eq__",
            "__ne__",
            "__float__",
        ]
    ),
):
    setattr(VariableView, _name, _forward(_name))
VariableView.__hash__ = object.__hash__  # type: ignore[method-assign]
