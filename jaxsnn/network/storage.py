"""The state of a network as one dictionary of arrays: kept in memory, or in a file without any code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from jaxsnn.errors import NetworkError
from jaxsnn.network.assembly import Assembly
from jaxsnn.objects.base import Recorder, SimulationObject
from jaxsnn.objects.groups import Subgroup
from jaxsnn.objects.synapses import Synapses
from jaxsnn.objects.variables import HostVariable, VariableOwner
from jaxsnn.program import Variable

__all__ = ["load", "revert", "save", "snapshot"]

Data = dict[str, np.ndarray]


def _keeps(given: SimulationObject) -> bool:
    """Whether an object has anything to keep (a subgroup's values belong to its group)."""
    if isinstance(given, Subgroup):
        return False
    return isinstance(given, Recorder) or (isinstance(given, VariableOwner) and bool(given._hosts))


def snapshot(objects: Iterable[SimulationObject], assembly: Assembly) -> Data:
    """Values, connections, delays, waiting spikes and recordings, by path."""
    data: Data = {}
    for given in filter(_keeps, objects):
        if isinstance(given, Recorder):
            data |= {f"monitor/{given.name}/{k}": v for k, v in given.snapshot().items()}
        elif isinstance(given, VariableOwner):
            data |= {f"variable/{given.name}/{k}": h.value.copy() for k, h in given._hosts.items()}
            data |= {f"past/{given.name}/{k}": h.value.copy() for k, h in given._pasts.items()}
            if isinstance(given, Synapses):
                data[f"connection/{given.name}/i"] = given._i.copy()
                data[f"connection/{given.name}/j"] = given._j.copy()
    for pathway, (kind, rings) in assembly.rings.items():
        data |= {f"ring/{pathway}/{kind}/{k}": np.array(ring) for k, ring in enumerate(rings)}
    data |= {f"event/{path}": flags.copy() for path, flags in assembly.events.items()}
    data["network/step"] = np.asarray(assembly.step)
    return data


def revert(data: Mapping[str, np.ndarray], objects: Iterable[SimulationObject], assembly: Assembly) -> None:
    """Put a snapshot back into the same objects.

    Raises:
        NetworkError: if the snapshot is of a network with other objects.
    """
    present = {given.name: given for given in objects if _keeps(given)}
    kept = {key.split("/")[1] for key in data if key.split("/")[0] in ("monitor", "variable")}
    for name in sorted(kept ^ set(present)):
        where = "in the stored state, but not in the network" if name in kept else "not in the stored state"
        raise NetworkError(f"cannot restore: {name!r} is {where}; restore into the network that was stored")
    _check_values(data, present)
    monitors: dict[str, Data] = {}
    rings: dict[str, tuple[str, dict[int, np.ndarray]]] = {}
    assembly.events = {}
    for given in present.values():
        if isinstance(given, VariableOwner):
            given._pasts.clear()
    for key, value in data.items():
        match key.split("/"):
            case ["variable", name, variable]:
                host = present[name]._hosts[variable]  # type: ignore[attr-defined]
                host.value = np.array(value)
                host.version += 1
            case ["past", name, variable]:
                ring = Variable(name, variable, "float", size=value.size, scalar=True)
                present[name]._pasts[variable] = HostVariable(ring, np.array(value))  # type: ignore[attr-defined]
            case ["connection", name, end]:
                object.__setattr__(present[name], f"_{end}", np.array(value))
                object.__setattr__(present[name], "_connected", True)
            case ["monitor", name, part]:
                monitors.setdefault(name, {})[part] = value
            case ["ring", pathway, kind, number]:
                rings.setdefault(pathway, (kind, {}))[1][int(number)] = value
            case ["event", path]:
                assembly.events[path] = np.array(value)
    for name, parts in monitors.items():
        present[name].revert(parts)  # type: ignore[attr-defined]
    assembly.rings = {p: (kind, tuple(found[n] for n in sorted(found))) for p, (kind, found) in rings.items()}
    assembly.step = int(data["network/step"])


def _check_values(data: Data | Mapping[str, np.ndarray], present: Mapping[str, SimulationObject]) -> None:
    """Refuse a snapshot whose variables are others, before anything is changed."""
    for name, given in present.items():
        if not isinstance(given, VariableOwner):
            continue
        stored = {key.split("/")[2]: value for key, value in data.items() if key.startswith(f"variable/{name}/")}
        if set(stored) != set(given._hosts):
            raise NetworkError(
                f"cannot restore: {name} was stored with the variables {sorted(stored)} and has {sorted(given._hosts)}"
            )
        for variable, host in given._hosts.items():
            if not isinstance(given, Synapses) and host.value.shape != stored[variable].shape:
                raise NetworkError(
                    f"cannot restore: {name}.{variable} was stored with {stored[variable].size} values and has"
                    f" {host.value.size}; restore into a group of the same size"
                )


def save(data: Data, filename: str | Path) -> None:
    """Write a snapshot as NumPy's ``.npz`` (the name is taken as it is)."""
    with Path(filename).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **{k.replace("/", "|"): v for k, v in data.items()})


def load(filename: str | Path) -> Data:
    """Read a snapshot; only arrays are read, no code is run."""
    if not Path(filename).exists():
        raise NetworkError(f"there is no file {str(filename)!r} to restore from")
    try:
        with np.load(Path(filename), allow_pickle=False) as file:
            return {key.replace("|", "/"): file[key] for key in file.files}
    except (ValueError, OSError, AttributeError, BadZipFile, EOFError):
        raise NetworkError(f"{str(filename)!r} is no file that Network.store wrote") from None
