"""Brian2's code objects and variables in the forms of the bridge.

One of the files that touch the inside of Brian2, which moves between versions (2.9 and 2.10 are known); all of them are
in this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.codegen.translation import make_statements
from brian2.core import clocks as brian_clocks
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.core.namespace import DEFAULT_UNITS
from brian2.core.preferences import prefs
from brian2.core.variables import ArrayVariable, AuxiliaryVariable, Subexpression
from brian2.core.variables import Constant as BrianConstant
from brian2.groups.subgroup import Subgroup
from brian2.input.binomial import BinomialFunction
from brian2.input.timedarray import TimedArray
from brian2.synapses.synapses import Synapses, SynapticPathway
from brian2.utils.stringtools import get_identifiers

from jaxsnn.bridges.brian2.forms import Array, Block, Clock, Constant, Line, Tick, Unsupported
from jaxsnn.bridges.brian2.forms import UserFunction as Called
from jaxsnn.program import Window
from jaxsnn.units import Dimension

__all__ = ["Handed", "array_of", "block_of", "clock_of", "default_dtype", "python_function", "window_of"]

EventClock = getattr(brian_clocks, "EventClock", ())
UNITS = {name: float(unit) for name, unit in DEFAULT_UNITS.items()}
TICKS = {"t": "t", "dt": "dt", "timestep": "t_in_timesteps"}
TYPES = {"b": "boolean", "i": "integer", "u": "integer", "f": "float"}
CABLE = {
    "v": "v",
    "Ic": "Ic",
    "Cm": "Cm",
    "area": "area",
    "axial": "_invr",
    "start": "_invr0",
    "end": "_invrn",
}
"""Variables of a neuron with compartments, by their roles in a `jaxsnn.program.Cable`."""
LANGUAGE = dict(DEFAULT_FUNCTIONS)
"""Functions of Brian2's language, all of which are in ours, by name."""


@dataclass(frozen=True)
class Handed:
    """The arguments with which Brian2 asks its device for a code object."""

    owner: Any
    abstract_code: Any
    variables: Mapping[str, Any]
    template: str
    indices: Mapping[str, str]
    details: Mapping[str, Any]
    unprotected: frozenset[str]


def default_dtype() -> np.dtype:
    """Brian2's preference for floating-point numbers."""
    return np.dtype(prefs["core.default_float_dtype"])


def clock_of(clock: Any) -> Clock:
    """One of Brian2's clocks."""
    if EventClock and isinstance(clock, EventClock):
        times = np.array([float(t) for t in clock.variables["times"].get_value()])
        return Clock(clock.name, 0.0, times[np.isfinite(times)])
    return Clock(clock.name, float(clock.dt_))


def window_of(group: Any) -> Window:
    """The elements of a group or subgroup as places in the arrays of the whole group."""
    if isinstance(group, Subgroup):
        return Window(group.source.name, int(group.start), int(group.stop))
    return Window(group.name, 0, len(group))


def block_of(handed: Handed, name: str) -> Block:
    """A code object in our form: statements with subexpressions inserted, and what their names mean."""
    code = handed.abstract_code
    if not isinstance(code, str):
        parts = {k: v for k, v in code.items() if v.strip()}
        if set(parts) - {None}:
            raise Unsupported(f"{name}: its code has the parts {sorted(map(str, parts))}")
        code = parts.get(None, "")
    scalar, vector = make_statements(code, handed.variables, np.float64, optimise=False)
    lines = tuple(
        Line(s.var, "=" if s.op == ":=" else s.op, s.expr, bool(s.scalar), s.op == ":=" or bool(s.subexpression))
        for s in (*scalar, *vector)
    )
    used = {n for line in lines for n in (line.target, *get_identifiers(line.text))}
    details = _details(handed, name)
    if details.get("refractory"):
        used |= {"not_refractory", "lastspike"}
    names = {n: _meaning(n, handed, name) for n in sorted(used) if _known(handed.variables.get(n))}
    guards = {}
    for line in lines:
        guard = getattr(handed.variables.get(line.target), "conditional_write", None)
        if guard is not None and guard.name not in handed.unprotected and not line.new:
            guards[line.target] = guard.name
            names[guard.name] = _meaning(guard.name, handed, name)
    return Block(handed.template, _domain(handed), lines, names, guards, details)


def _details(handed: Handed, name: str) -> Mapping[str, Any]:
    """What a block of some templates has besides its code."""
    given, found = handed.details, dict[str, Any]()
    if "eventspace_variable" in given:
        found["event"] = given["eventspace_variable"].name.removeprefix("_").removesuffix("space")
    synapses = _synapses(handed)
    if synapses is not None:
        ends = ("_synaptic_pre", "_synaptic_post")
        found["ends"] = tuple(np.array(synapses.variables[end].get_value(), np.int32) for end in ends)
    match handed.template:
        case "threshold":
            found["refractory"] = bool(given["_uses_refractory"])
        case "spatialstateupdate":
            found["roles"] = {
                role: _array(handed.variables[n], _scalar_or_self(handed.variables[n]), None)
                for role, n in CABLE.items()
            }
            ints = ("_starts", "_ends", "_morph_parent_i")
            first, end, parent = (np.array(handed.variables[n].get_value(), np.int32) for n in ints)
            found["sections"] = (first, end - 1, parent)
        case "spikemonitor":
            found["recorded"] = tuple(given["record_variables"])
        case "statemonitor":
            found["record"] = np.array(handed.owner.record, np.int32)
        case "summed_variable":
            pre = synapses is not None and given["_index_var"] is synapses.variables["_synaptic_pre"]
            found["target"] = _array(given["_target_var"], "pre" if pre else "post", None)
            found["start"], found["stop"] = int(given["_target_start"]), int(given["_target_stop"])
    return found


def _known(variable: Any) -> bool:
    return variable is not None and not isinstance(variable, AuxiliaryVariable | Subexpression)


def _scalar_or_self(variable: Any) -> str:
    return "scalar" if variable.scalar else "self"


def _domain(handed: Handed) -> Window:
    owner = handed.owner
    source = getattr(owner, "source", None)
    if handed.template in ("statemonitor", "spikemonitor", "ratemonitor"):
        return window_of(source)
    if isinstance(owner, SynapticPathway):
        owner = owner.synapses
    return window_of(owner)


def _meaning(name: str, handed: Handed, runner: str) -> Any:
    variable = handed.variables[name]
    if isinstance(variable, Function):
        return function_of(name, variable)
    if isinstance(variable, BrianConstant):
        value = variable.value
        if isinstance(value, complex):
            raise Unsupported(f"{runner}: {name!r} is a complex number")
        return Constant(value, dimension(variable.dim), UNITS.get(name) == value and variable.owner is None)
    if not isinstance(variable, ArrayVariable):
        raise Unsupported(f"{runner}: {name!r} is a {type(variable).__name__}")
    if _is_clock(variable.owner) and variable.name in TICKS:
        return Tick(TICKS[variable.name], clock_of(variable.owner))
    return _array(variable, *_via(name, variable, handed, runner))


def _array(variable: Any, via: str, places: np.ndarray | None) -> Array:
    return Array(
        owner=variable.owner.name,
        name=variable.name,
        type=TYPES[np.dtype(variable.dtype).kind],
        dim=dimension(variable.dim),
        size=int(np.size(variable.get_value())),
        scalar=bool(variable.scalar),
        via=via,
        handle=variable,
        index=places,
    )


def _via(name: str, variable: Any, handed: Handed, runner: str) -> tuple[str, np.ndarray | None]:
    """Through which index a name is read."""
    index = handed.indices[name]
    if variable.scalar or index == "0":
        return "scalar", None
    if index in ("_idx", "_sub_idx", "_spikespace_idx"):
        return "self", None
    places = handed.variables.get(index)
    if places is None:
        places = handed.owner.variables[index]
    synapses = _synapses(handed)
    for end, array in (("pre", "_synaptic_pre"), ("post", "_synaptic_post")):
        if synapses is not None and places is synapses.variables[array]:
            return end, None
    if not isinstance(places, ArrayVariable):
        raise Unsupported(f"{runner}: {name!r} is read through {index!r}")
    return f"at:{places.owner.name}.{places.name}", np.array(places.get_value(), np.int32)


def _synapses(handed: Handed) -> Any:
    for owner in (handed.owner, getattr(handed.owner, "source", None), getattr(handed.owner, "synapses", None)):
        if isinstance(owner, Synapses):
            return owner
    return None


def _is_clock(owner: Any) -> bool:
    return isinstance(owner, getattr(brian_clocks, "BaseClock", brian_clocks.Clock))


def function_of(name: str, function: Any) -> Called:
    """What a name that is called stands for."""
    if isinstance(function, TimedArray):
        return Called(function, "timed_array", (np.asarray(function.values), float(function.dt)))
    if isinstance(function, BinomialFunction):
        sample = function.implementations._implementations["numpy"].get_code(None)
        given = dict(zip(sample.__code__.co_freevars, (c.cell_contents for c in sample.__closure__), strict=True))
        return Called(function, "binomial", tuple(sorted((k, float(v)) for k, v in given.items())))
    if LANGUAGE.get(name) is function or any(function is f for f in LANGUAGE.values()):
        own = next(n for n, f in LANGUAGE.items() if f is function)
        return Called(function, "language", (own,))
    return Called(function, "user")


def python_function(function: Any) -> tuple[tuple[Callable[..., Any], ...], str, bool, bool]:
    """A function of the user: ways to call it with plain arrays, the best first; its type; whether it wants the indices
    of the elements as well; whether it depends on its arguments alone.
    """
    known = function.implementations._implementations
    given = [known["jax"].get_code(None)] if "jax" in known else []
    given.append(getattr(function.pyfunc, "_orig_func", function.pyfunc))
    given.append(known["numpy"].get_code(None))
    kind = "boolean" if function._returns_bool else function._return_type
    kind = {"bool": "boolean", "boolean": "boolean", "integer": "integer"}.get(kind, "float")
    return tuple(given), kind, bool(function.auto_vectorise), bool(function.stateless)


def dimension(dim: Any) -> Dimension:
    """A dimension of Brian2 as one of ours."""
    length, mass, time, current, temperature, substance, luminosity = dim._dims
    return Dimension.of(
        metre=length, kilogram=mass, second=time, ampere=current, kelvin=temperature, mole=substance, candela=luminosity
    )


def array_of(handle: Any) -> np.ndarray:
    """The array of a variable, to be read or written in place."""
    return handle.get_value()
