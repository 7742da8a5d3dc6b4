"""Brian2's networks, devices and clocks: their objects in order, and what a run begins and ends with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from brian2.core.base import BrianObject, BrianObjectException
from brian2.core.namespace import get_local_namespace
from brian2.core.network import Network, TextReport
from brian2.devices.device import all_devices, get_device, reset_device, set_device
from brian2.groups.group import Group
from brian2.synapses.synapses import SynapticPathway
from brian2.units.allunits import second
from brian2.units.fundamentalunits import fail_for_dimension_mismatch

from jaxsnn.bridges.brian2.forms import Clock, Pathway, Runner
from jaxsnn.bridges.brian2.interface.code import EventClock, block_of, clock_of, window_of
from jaxsnn.bridges.brian2.queue import SpikeQueue

__all__ = [
    "begin_run",
    "check_duration",
    "device_for",
    "end_run",
    "local_namespace",
    "longest_seconds",
    "object_error",
    "register",
    "reporter",
    "run_in_brian",
    "runners",
    "seconds",
    "set_profile",
    "stopped",
    "wants_profile",
]


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
        # Spikes are pushed into queues by code of their own, which is made once and kept; deliveries need none of it.
        made = [c for c in obj.code_objects if c.template_name != "synapses_push_spikes"]
        handed = [h for h in (getattr(c, "jaxsnn_handed", None) for c in made) if h is not None]
        if kind == "code" and len(handed) != len(made):
            kind = f"{type(obj).__name__} with code of its own"
        blocks = [block_of(h, obj.name) for h in handed] if kind == "code" else []
        pathway = pathway_of(obj) if isinstance(obj, SynapticPathway) else None
        yield Runner(obj.name, obj.when, obj.order, clock_of(obj.clock), kind, tuple(blocks), obj, pathway)


def pathway_of(obj: Any) -> Pathway:
    """The connections of a pathway as they are now, without a copy."""
    delays = obj.variables["delay"].get_value()
    source, target = window_of(obj.source), window_of(obj.target)
    return Pathway(
        synapses=obj.synapses.name,
        trigger=obj.prepost,
        event=obj.event,
        source_window=source,
        target_window=target,
        source=np.asarray(obj.synapse_sources.get_value(), np.int32),
        target=np.asarray(obj.synapse_targets.get_value(), np.int32),
        delay=_one_or_all(np.asarray(delays, np.float64)),
        queue=obj.queue if isinstance(obj.queue, SpikeQueue) else _foreign(obj.queue),
    )


def _one_or_all(delays: np.ndarray) -> float | np.ndarray:
    """One number where all are equal, as of millions of synapses each would be checked."""
    return float(delays[0]) if delays.size and np.all(delays == delays[0]) else delays.copy()


def _foreign(queue: Any) -> SpikeQueue:
    """A queue of Brian2's own, of a network that was made for another device."""
    ours = SpikeQueue(*queue._state_tuple[:2])
    offset, slots = queue._full_state()
    ours.keep([np.array(slots[(offset + k) % len(slots)], np.int32) for k in range(len(slots))], None)
    return ours


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


def object_error(net: Any, name: str) -> Exception:
    """The error with which Brian2 names an object whose code has failed."""
    return BrianObjectException("An exception occured during the execution of code of the object.", net[name])


def wants_profile(profile: Any) -> bool:
    """Whether a run is to be profiled."""
    return bool(get_device().build_options.get("profile", False) if profile is None else profile)


def set_profile(net: Any, times: Mapping[str, float]) -> None:
    """What ``profiling_summary`` shows, in second."""
    net._profiling_info = [(name, seconds(value)) for name, value in times.items()]


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
