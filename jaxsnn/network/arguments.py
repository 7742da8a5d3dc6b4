"""What a network is given: numbers it takes in several places, and its objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxsnn.errors import ArgumentError, NetworkError
from jaxsnn.objects.base import SimulationObject
from jaxsnn.objects.groups import Subgroup
from jaxsnn.units import second, strip

__all__ = ["backend", "check_complete", "dtype_of", "time_step"]


def time_step(value: Any) -> float:
    """A time step in second."""
    step = strip(value, second.dim, "dt")
    if np.ndim(step):
        raise ArgumentError(f"dt is one time, got {value!r}")
    if not (np.isfinite(step) and step > 0):
        raise ArgumentError(f"the time step must be a positive time, got {value!r}")
    return step


def dtype_of(value: Any) -> Any:
    """float32 or float64; the latter only where JAX has it."""
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = None
    if dtype not in (np.dtype("float32"), np.dtype("float64")):
        raise ArgumentError(f"dtype is 'float32' or 'float64', got {value!r}")
    if dtype == np.dtype("float64") and not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        raise ArgumentError(
            "float64 has to be switched on in JAX before anything runs: jax.config.update('jax_enable_x64', True)"
        )
    return dtype


def backend() -> str:
    """The kind of device JAX uses."""
    return "cpu" if jax.default_backend() == "cpu" else "gpu"


def check_complete(objects: Sequence[SimulationObject]) -> None:
    """Refuse a network without objects, with two of one name, or without one that another refers to."""
    if not objects:
        raise NetworkError("there is nothing to run: the network has no objects; Network(group, synapses, monitor)")
    seen: dict[str, SimulationObject] = {}
    for given in objects:
        if given.name in seen:
            raise NetworkError(f"two objects of this network have the name {given.name!r}; names are unique")
        seen[given.name] = given
        for needed in given.needs:
            root = needed._parent if isinstance(needed, Subgroup) else needed
            if not any(root is o for o in objects):
                raise NetworkError(
                    f"{given.name} refers to {root.name}, which is not in the network; add it:"
                    f" Network({root.name}, {given.name}, ...)"
                )
