"""Times that objects keep as numbers of steps, when the steps are counted in another way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from jaxsnn.errors import NotSupportedError
from jaxsnn.objects.base import SimulationObject
from jaxsnn.objects.groups import Subgroup
from jaxsnn.objects.variables import NEVER, HostVariable, VariableOwner
from jaxsnn.units import second, strip

__all__ = ["adopt", "rescale", "tell_time"]


def tell_time(objects: Iterable[SimulationObject], t: float, dt: float) -> None:
    """Let objects know the time, for texts that are evaluated between runs."""
    for given in objects:
        if isinstance(given, VariableOwner):
            object.__setattr__(given, "_now", (t, dt))


def rescale(objects: Iterable[SimulationObject], ratio: float) -> None:
    """Keep the times of last spikes and updates when a step becomes 1/ratio as long.

    Raises:
        NotSupportedError: where past values are kept, one for each step.
    """
    for given in objects:
        if getattr(given, "_pasts", None):
            raise NotSupportedError(
                f"{given.name} reads variables with a delay and keeps their past step by step; the time step cannot"
                f" change in between"
            )
        if getattr(given, "_dt", None) is not None:
            continue  # counts steps of its own
        for name, host in _counted(given):
            if name == "lastspike":
                fired = host.value != NEVER
                # Upwards: a neuron must not become free before its refractory time is over.
                host.value[fired] = np.ceil(host.value[fired] * ratio - 1e-3).astype(np.int32)
            else:
                host.value[:] = np.rint(host.value * ratio).astype(np.int32)


def adopt(objects: Iterable[SimulationObject], home: object, t: float, dt: float) -> None:
    """Take objects over from another network: how long ago a neuron fired stays the same, whatever the time here is."""
    for given in objects:
        if not isinstance(given, VariableOwner) or isinstance(given, Subgroup):
            continue
        before = getattr(given, "_home", None)
        if before is not None and before is not home:
            then, old = given._time()
            own = getattr(given, "_dt", None)
            for name, host in _counted(given):
                own_dt = None if own is None else float(strip(own, second.dim, "dt"))
                ratio = 1.0 if own_dt is not None else old / dt
                shift = round(t / (own_dt or dt)) - round(then / (own_dt or dt))
                moved = np.rint(host.value * ratio).astype(np.int64) + shift
                host.value[:] = np.where(host.value == NEVER, NEVER, moved) if name == "lastspike" else moved
        object.__setattr__(given, "_home", home)


def _counted(given: Any) -> Iterator[tuple[str, HostVariable]]:
    """Variables that are numbers of steps."""
    if isinstance(given, VariableOwner) and not isinstance(given, Subgroup):
        yield from ((name, given._hosts[name]) for name in ("lastspike", "lastupdate") if name in given._hosts)
