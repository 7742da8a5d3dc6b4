"""Everything that touches the inside of Brian2, which moves between versions: 2.9 and 2.10 are known.

Reads code objects into the forms of `jaxsnn.bridges.brian2.forms`, and reaches arrays, clocks and monitors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.codegen.translation import make_statements
from brian2.core import clocks as brian_clocks
from brian2.core.base import BrianObject
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.core.network import Network, TextReport
from brian2.core.preferences import prefs
from brian2.core.variables import ArrayVariable, AuxiliaryVariable, Subexpression
from brian2.core.variables import Constant as BrianConstant
from brian2.devices.device import RuntimeDevice, all_devices, get_device, reset_device, set_device
from brian2.groups.group import Group
from brian2.groups.subgroup import Subgroup
from brian2.input.binomial import BinomialFunction
from brian2.input.timedarray import TimedArray
from brian2.synapses.synapses import Synapses, SynapticPathway
from brian2.core.namespace import DEFAULT_UNITS, get_local_namespace
from brian2.units.allunits import second
from brian2.units.fundamentalunits import fail_for_dimension_mismatch
from brian2.utils.stringtools import get_identifiers

from jaxsnn.bridges.brian2.forms import Array, Block, Clock, Constant, Line, Pathway, Runner, Tick, Unsupported
from jaxsnn.bridges.brian2.forms import UserFunction as Called
from jaxsnn.bridges.brian2.queue import SpikeQueue
from jaxsnn.program import Window
from jaxsnn.units import Dimension

__all__ = [
    "Handed",
    "NumpyCodeObject",
    "RuntimeDevice",
    "append_events",
    "append_rates",
    "append_samples",
    "array_of",
    "begin_run",
    "check_duration",
    "default_dtype",
    "device_for",
    "end_run",
    "generated_spikes",
    "local_namespace",
    "python_function",
    "register",
    "reporter",
    "run_in_brian",
    "runners",
    "stopped",
]

EventClock = getattr(brian_clocks, "EventClock", ())
UNITS = {name: float(unit) for name, unit in DEFAULT_UNITS.items()}
TICKS = {"t": "t", "dt": "dt", "timestep": "t_in_timesteps"}
TYPES = {"b": "boolean", "i": "integer", "u": "integer", "f": "float"}
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


def register(name: str, device: Any) -> None:
    """Make a device known to ``set_device``."""
    all_devices[name] = device


@contextmanager
def device_for(kind: type) -> Iterator[None]:
    """A device of a kind while code objects are made, if the active one is another."""
    active = get_device()
    if isinstance(active, kind):
        yield
        return
    given = kind()
    given.arrays = getattr(active, "arrays", given.arrays)
    set_device(given)
    try:
        yield
    finally:
        reset_device()


def default_dtype() -> np.dtype:
    """Brian2's preference for floating-point numbers."""
    return np.dtype(prefs["core.default_float_dtype"])


# ---- objects of a network ------------------------------------------------------------------------------


def runners(net: Any) -> Iterator[Runner]:
    """The active objects of a network in the order of its schedule, prepared for a run.

    Raises:
        Unsupported: for an object whose code is not known.
    """
    for obj in net.sorted_objects:
        if not obj.active:
            continue
        if type(obj).run is not BrianObject.run:
            kind: str = type(obj).__name__
        elif not obj.code_objects and not hasattr(obj, "codeobj"):
            continue  # groups themselves do nothing
        else:
            kind = "code"
        handed = [h for h in (getattr(c, "jaxsnn_handed", None) for c in obj.code_objects) if h is not None]
        if kind == "code" and len(handed) != len(obj.code_objects):
            kind = f"{type(obj).__name__} with code of its own"
        blocks = tuple(block_of(h, obj.name) for h in handed if h.template != "synapses_push_spikes") if kind == "code" else ()
        pathway = pathway_of(obj) if isinstance(obj, SynapticPathway) else None
        yield Runner(obj.name, obj.when, obj.order, clock_of(obj.clock), kind, blocks, obj, pathway)


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
    return Window(group.name, 0, int(len(group)))


def pathway_of(obj: Any) -> Pathway:
    """The connections of a pathway as they are now."""
    delays = obj.variables["delay"].get_value()
    source, target = window_of(obj.source), window_of(obj.target)
    return Pathway(
        synapses=obj.synapses.name,
        trigger=obj.prepost,
        event=obj.event,
        source_window=source,
        target_window=target,
        source=np.array(obj.synapse_sources.get_value(), np.int32),
        target=np.array(obj.synapse_targets.get_value(), np.int32),
        delay=float(delays[0]) if obj.variables["delay"].scalar else np.array(delays, np.float64),
        queue=obj.queue if isinstance(obj.queue, SpikeQueue) else _foreign(obj.queue),
    )


def _foreign(queue: Any) -> SpikeQueue:
    """A queue of Brian2's own, of a network that was made for another device."""
    ours = SpikeQueue(*queue._state_tuple[:2])
    offset, slots = queue._full_state()
    ours.keep([np.array(slots[(offset + k) % len(slots)], np.int32) for k in range(len(slots))], None)
    return ours


# ---- code objects --------------------------------------------------------------------------------------


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
    """A function of the user: ways to call it with plain arrays, the best first; type, whether it wants the indices of the
    elements as well, and whether it depends on its arguments alone.
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


# ---- a run ---------------------------------------------------------------------------------------------


def check_duration(duration: Any) -> None:
    """Refuse what is no time, or a negative one."""
    fail_for_dimension_mismatch(duration, second, "The run needs a time; got {value}", value=duration)
    if duration < 0:
        raise ValueError(f"Function 'run' expected a non-negative duration but got '{duration}'")


def seconds(value: float) -> Any:
    """A time of Brian2."""
    return value * second


def local_namespace(level: int) -> Mapping[str, Any]:
    """The names visible ``level`` calls above the caller."""
    return get_local_namespace(level + 1)


def begin_run(net: Any, duration: Any, namespace: Mapping[str, Any]) -> tuple[float, float]:
    """Set the clocks and prepare all objects; the times in second between which to run."""
    objects = net.sorted_objects
    net._clocks = {obj.clock for obj in objects}
    start, end = net.t, net.t + duration
    for clock in net._clocks:
        clock.set_interval(start, end)
    net.before_run(namespace)
    return float(start), float(end)


def step_of(net: Any, name: str) -> tuple[int, int]:
    """The steps of a clock at which the run begins and ends."""
    clock = next(c for c in net._clocks if c.name == name)
    return int(clock.variables["timestep"].get_value().item()), int(clock._i_end)


def end_run(net: Any, end: float, fraction: float, seconds: float, step: Callable[[Clock], int] | None) -> None:
    """Set the clocks to where the run ended, and let Brian2's objects finish.

    ``step(clock)``: the next step of a clock, if the run was stopped early.
    """
    reached = []
    for clock in net._clocks:
        now = int(clock._i_end) if step is None else step(clock_of(clock))
        clock.variables["timestep"].set_value(now)
        ticks = float(clock[now]) if EventClock and isinstance(clock, EventClock) else now * clock.dt_
        clock.variables["t"].set_value(ticks)
        reached.append(ticks)
    net.t_ = end if step is None or not reached else min(reached)
    net._stopped = net._stopped or step is not None
    device = get_device()
    device._last_run_time, device._last_run_completed_fraction = seconds, fraction
    for obj in net.sorted_objects:
        if isinstance(obj, Group):
            obj._check_for_invalid_states()
    net.after_run()


def stopped(net: Any) -> bool:
    """Whether someone has called ``stop``."""
    return bool(net._stopped or Network._globally_stopped)


def longest_seconds() -> float | None:
    """The time after which a run is to be stopped."""
    limit = get_device()._maximum_run_time
    return None if limit is None else float(limit)


def reporter(report: Any) -> Callable[..., None] | None:
    """The function that Brian2 tells of the progress."""
    if report is None or callable(report):
        return report
    streams = {"text": sys.stdout, "stdout": sys.stdout, "stderr": sys.stderr}
    if not isinstance(report, str):
        raise TypeError(f"report is 'text', 'stdout', 'stderr' or a function, not a {type(report).__name__}")
    if report not in streams:
        raise ValueError(f'Do not know how to handle report argument "{report}".')
    return TextReport(streams[report])


def run_in_brian(net: Any, duration: Any, **options: Any) -> None:
    """Brian2's own loop, step by step, with the code objects that it generates for NumPy."""
    Network.run.original_function(net, duration, **options)


# ---- what monitors and generators hold -----------------------------------------------------------------


def generated_spikes(handle: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """Steps and neurons of a spike generator, and its period in steps."""
    variables = handle.variables
    values = [np.array(variables[n].get_value()) for n in ("_timebins", "neuron_index")]
    return values[0], values[1], int(variables["_period_bins"].get_value().item())


def set_last_index(handle: Any, last: int) -> None:
    """How many spikes of a generator are over."""
    handle.variables["_lastindex"].set_value(last)


def append_events(handle: Any, times: np.ndarray, index: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
    """Events with their times, elements and what else a monitor of events keeps."""
    variables = handle.variables
    old = int(variables["N"].get_value().item())
    handle.resize(old + index.size)
    variables["N"].set_value(old + index.size)
    given = {"t": times, "i": index, **values}
    for name in handle.record_variables:
        array = variables[name].get_value()
        array[old:] = given[name]
    count = variables["count"].get_value()
    count += np.bincount(index, minlength=count.size).astype(count.dtype)


def append_samples(handle: Any, times: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
    """Samples of a state monitor, one row a time."""
    old = int(handle.variables["N"].get_value().item())
    handle.resize(old + times.size)
    handle.variables["t"].get_value()[old:] = times
    for name, rows in values.items():
        handle.variables[name].get_value()[old:, :] = rows


def append_rates(handle: Any, times: np.ndarray, rates: np.ndarray) -> None:
    """Samples of a rate monitor."""
    variables = handle.variables
    old = int(variables["N"].get_value().item())
    handle.resize(old + times.size)
    variables["N"].set_value(old + times.size)
    variables["t"].get_value()[old:] = times
    variables["rate"].get_value()[old:] = rates
