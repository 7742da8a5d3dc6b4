"""What objects count in steps, when the length of a step changes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jaxsnn.errors import NotSupportedError
from jaxsnn.objects.base import SimulationObject
from jaxsnn.objects.groups import Subgroup
from jaxsnn.objects.synapses import Synapses
from jaxsnn.objects.variables import VariableOwner

__all__ = ["count_anew"]


def count_anew(objects: Iterable[SimulationObject], old: float, new: float) -> None:
    """Times of last spikes and updates, in steps of ``new`` second instead of ``old``.

    Raises:
        NotSupportedError: where past values are kept, one for each step.
    """
    for given in objects:
        if getattr(given, "_dt", None) is not None:
            continue  # counts steps of its own
        if getattr(given, "_pasts", None) and not isinstance(given, Subgroup):
            raise NotSupportedError(
                f"{given.name} reads variables with a delay, and keeps their past in steps of {old:g} s; the time step"
                f" cannot change in between"
            )
        if isinstance(given, VariableOwner) and not isinstance(given, Subgroup) and "lastspike" in given._hosts:
            last = given._hosts["lastspike"]
            fired = last.value > -(2**30)
            # Upwards: a neuron must not become free before its refractory time is over.
            last.value[fired] = np.ceil(last.value[fired] * (old / new) - 1e-3).astype(np.int32)
        if isinstance(given, Synapses) and "lastupdate" in given._hosts:
            last = given._hosts["lastupdate"]
            last.value[:] = np.rint(last.value * (old / new)).astype(np.int32)
