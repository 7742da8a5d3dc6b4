"""What the names in a user's text mean, beyond the variables of the object.

Order of meaning: variables of the object, then mathematical constants and units, then functions, then the
namespace (given to the object, given to the run, or the variables where the user called). Units become
literals; numbers of the namespace stay names, so that they can be changed, swept and differentiated.
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from jaxsnn.equations.expressions import Call, Expr, Name, Number, names, transform
from jaxsnn.equations.functions import CONSTANTS, FUNCTIONS, INTERNAL, Function
from jaxsnn.equations.grammar import is_noise
from jaxsnn.errors import Source, UnknownNameError, did_you_mean
from jaxsnn.units import DIMENSIONLESS, UNITS, Dimension, Quantity, quantity

__all__ = ["Binder", "Constant", "NamespaceFunction", "caller_namespace"]


@runtime_checkable
class NamespaceFunction(Protocol):
    """An object of the namespace that equations can call (a `TimedArray`, a `Function`).

    One with an attribute ``inline`` is expanded where it is bound, before anything else looks at the expression.
    """

    def as_function(self, name: str) -> Function:
        """Its row for dimension checks."""

    def expand(self, name: str, args: tuple[Expr, ...], dt: float) -> Expr:
        """The call in terms of functions of the language and of its `constants`."""

    def constants(self, name: str) -> Mapping[str, Constant]:
        """Names its expansion reads, with their values."""

    def locally_constant(self, dt: float) -> bool:
        """Whether its value at ``t`` holds during the whole step."""

    def evaluate(self, *args: Any, dt: float | None = None) -> Any:
        """Its value on the host, plain floats in base units."""


@dataclass(frozen=True)
class Constant:
    """A number of the namespace: value in base units, dimension, type."""

    value: Any
    dim: Dimension = DIMENSIONLESS
    type: str = "float"


def caller_namespace() -> Mapping[str, Any]:
    """Names visible where the user's code called into the package: locals before globals."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] == "jaxsnn":
        frame = frame.f_back
    return {} if frame is None else {**frame.f_globals, **frame.f_locals}


def _constant(value: Any) -> Constant | None:
    """A namespace value as a constant, or None if it is no number."""
    if isinstance(value, bool | np.bool_):
        return Constant(bool(value), DIMENSIONLESS, "boolean")
    if isinstance(value, int | np.integer):
        return Constant(int(value), DIMENSIONLESS, "integer")
    if isinstance(value, float | np.floating):
        return Constant(float(value))
    try:
        converted = quantity(value)
    except (TypeError, ValueError):
        return None
    if isinstance(converted, Quantity) and np.ndim(converted.value) == 0:
        return Constant(converted.value, converted.dim)
    if isinstance(converted, np.ndarray) and converted.ndim == 0 and converted.dtype.kind in "fiu":
        return Constant(float(converted))
    return None


@dataclass
class Binder:
    """Gives the names of one object's texts their meaning and collects the constants they use."""

    known: Container[str]
    namespace: Mapping[str, Any]
    dt: float | None = None
    constants: dict[str, Constant] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=lambda: dict(FUNCTIONS))
    host_functions: dict[str, Callable[..., Any]] = field(default_factory=dict)
    _warned: set[str] = field(default_factory=set)
    _objects: dict[str, NamespaceFunction] = field(default_factory=dict)
    _of_time: set[str] = field(default_factory=set)

    def bind(self, expr: Expr, source: Source) -> Expr:
        """The expression with units as literals; names of the namespace are noted in `constants`."""
        for called in (node for node in _walk_calls(expr)):
            self._note_function(called, source)
        return transform(expr, lambda node: self._meaning(node, source))

    def row(self, name: str) -> Function | None:
        """The row of a function, of the language or of the namespace."""
        found = self.functions.get(name) or self.namespace.get(name)
        return found.as_function(name) if isinstance(found, NamespaceFunction) else self.functions.get(name)

    def _meaning(self, node: Expr, source: Source) -> Expr | None:
        if isinstance(node, Name):
            return self._name(node, source)
        if isinstance(node, Call) and getattr(self._objects.get(node.function), "inline", False):
            if node.args:
                raise source.error(f"{node.function}() takes no arguments, got {len(node.args)}", node.span)
            return self._objects[node.function].expand(node.function, node.args, self.dt or 0.0)
        return None

    def expand(self, expr: Expr) -> Expr:
        """Calls of namespace functions in terms of the language (after dimension checks)."""
        if not self._objects:
            return expr

        def rule(node: Expr) -> Expr | None:
            if isinstance(node, Call) and node.function in self._objects:
                assert self.dt is not None
                return self._objects[node.function].expand(node.function, node.args, self.dt)
            return None

        return transform(expr, rule)

    @property
    def varying(self) -> frozenset[str]:
        """Namespace functions used so far whose values change inside a step."""
        assert self.dt is not None
        moving = {name for name, found in self._objects.items() if not found.locally_constant(self.dt)}
        return frozenset(n for n in moving if n in self._of_time or self.functions[n].stateful)

    def _note_function(self, call: Call, source: Source) -> None:
        name = call.function
        if any("t" in names(arg) for arg in call.args):
            self._of_time.add(name)
        if name in self.functions:
            own = self.namespace.get(name)
            if name not in self._objects and isinstance(own, NamespaceFunction) and name not in self._warned:
                self._warned.add(name)
                warnings.warn(
                    f"{source.where}: {name}() means the function of the language, not that of the same name in the"
                    f" namespace; rename that one",
                    stacklevel=2,
                )
            return
        found = self.namespace.get(name)
        if isinstance(found, NamespaceFunction):
            self._objects[name] = found
            self.functions[name] = found.as_function(name)
            self.host_functions[name] = partial(found.evaluate, dt=self.dt)
            self.constants.update(found.constants(name))
        elif callable(found) and not isinstance(found, Quantity):
            raise source.error(
                f"{name!r} is a Python function; so that equations can call it, say what its units are:"
                f" {name} = Function({name}, arg_units=[...], return_unit=...). Functions of the language are"
                f" {', '.join(sorted(set(FUNCTIONS) - INTERNAL))}",
                call.span,
                UnknownNameError,
            )
        elif found is not None and name not in self.known and _constant(found) is not None:
            raise source.error(f"{name} is a value, not a function; is a '*' missing?", call.span)

    def _name(self, node: Name, source: Source) -> Expr | None:
        name = node.id
        if name in self._objects and name not in self.known:
            raise source.error(f"{name!r} is called like a function; write {name}(t)", node.span)
        if name in self.known or name in self.constants:
            return None
        literal: Number | None = None
        if name in CONSTANTS:
            literal = Number(CONSTANTS[name], text=name, span=node.span)
        elif name in UNITS:
            unit = UNITS[name]
            literal = Number(float(unit.value), unit.dim, name, node.span)
        if literal is not None:
            other = _constant(self.namespace[name]) if name in self.namespace else None
            differs = other is not None and (other.value, other.dim) != (literal.value, literal.dim)
            if differs and name not in self._warned:
                self._warned.add(name)
                warnings.warn(
                    f"{source.where}: {name!r} means the {'unit' if name in UNITS else 'constant'} {name}, not"
                    f" the value of the same name in the namespace; rename that one",
                    stacklevel=2,
                )
            return literal
        if name in self.functions:
            return None  # the dimension check says that parentheses are missing
        if is_noise(name):
            raise source.error(
                f"{name!r} is white noise, which stands only in differential equations; a random number for each"
                f" use is randn()",
                node.span,
                UnknownNameError,
            )
        if name not in self.namespace:
            # Units by another case only: there are so many that some unit is near to every name.
            units = (unit for unit in UNITS if unit.lower() == name.lower())
            close = did_you_mean(name, [*units, *_Names(self.known, self.namespace)])
            raise source.error(
                f"{name!r} is not known here: it is no variable of this object, no unit, no function, and the"
                f" namespace has no such name.{close}",
                node.span,
                UnknownNameError,
            )
        value = self.namespace[name]
        constant = _constant(value)
        if constant is None:
            what, advice = f"of type {type(value).__name__}", ""
            if np.ndim(value):
                what = f"an array of shape {np.shape(value)}"
                advice = (
                    f"; values that differ between elements are parameters: add '{name} : unit' to the equations and"
                    f" assign the array"
                )
            elif callable(value):
                what = "a function"
            elif isinstance(value, str):
                what = f"the text {value!r}"
            raise source.error(
                f"{name!r} in the namespace is {what}, but a single number or quantity is needed{advice}",
                node.span,
                UnknownNameError,
            )
        self.constants[name] = constant
        return None


class _Names:
    """Iterates over the names a message may suggest."""

    def __init__(self, known: Container[str], namespace: Mapping[str, Any]) -> None:
        self.candidates = list(known) if isinstance(known, Iterable) else []
        self.candidates += [n for n in namespace if not n.startswith("_")]

    def __iter__(self) -> Any:
        return iter(self.candidates)


def _walk_calls(expr: Expr) -> list[Call]:
    found: list[Call] = []
    transform(expr, lambda node: found.append(node) if isinstance(node, Call) else None)
    return found
