"""Recordings on disk: written chunk by chunk while a network runs, read back as memory-mapped arrays.

A recording is a folder: ``recording.json`` says what was recorded, and each monitor has a folder with one ``.npy`` file
for each of its arrays, whose first axis grows. Files are whole after every chunk, also if the run ends in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from jaxsnn.errors import NetworkError, did_you_mean
from jaxsnn.program import Program, RecordRate, RecordSpikes, RecordState
from jaxsnn.units import DIMENSIONLESS, Dimension, Quantity, hertz, second

__all__ = ["Recording", "Stream"]

_VERSION = 1
_KINDS = {RecordSpikes: "spikes", RecordState: "state", RecordRate: "rate"}


class Stream:
    """Takes what monitors record, and appends it to files.

    Raises:
        NetworkError: if the folder holds the recording of another network, or of a later time.
    """

    def __init__(self, folder: str | Path, program: Program, monitors: Mapping[str, Any], first: int) -> None:
        self.folder = Path(folder)
        self._files: dict[tuple[str, str], _Growing] = {}
        self._chosen: dict[str, np.ndarray] = {}  # steps of monitors that record at chosen times
        described: dict[str, Any] = {}
        for operation in program.operations:
            kind = _KINDS.get(type(operation))
            monitor = monitors.get(getattr(operation, "label", ""))
            if kind is None or monitor is None or getattr(monitor, "record", True) is False:
                continue
            entry: dict[str, Any] = {"kind": kind, "size": len(monitor.source), "every": operation.every}
            if isinstance(operation, RecordState):
                symbols = monitor.source._symbols()
                entry["units"] = {v: list(map(str, symbols[v].dim.exponents)) for v in operation.expressions}
                entry["elements"] = np.asarray(monitor.record).tolist()
                if monitor._times is not None:
                    self._chosen[monitor.name] = monitor._steps
            elif isinstance(operation, RecordSpikes) and operation.expressions:
                symbols = monitor.source._symbols()
                entry["units"] = {v: list(map(str, symbols[v].dim.exponents)) for v in operation.expressions}
            described[monitor.name] = entry
        self.monitors = described
        about = {"version": _VERSION, "dt": program.dt, "monitors": described}
        path = self.folder / "recording.json"
        if path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            end = before.pop("steps", 0)
            if before != about:
                raise NetworkError(
                    f"{str(folder)!r} holds the recording of another network, or of other monitors; give another folder"
                )
            if end > first:
                raise NetworkError(
                    f"{str(folder)!r} holds a recording until step {end}, and this run begins at step {first}; give"
                    f" another folder"
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._about = about
        self.finish(first)

    def takes(self, label: str) -> bool:
        """Whether what a monitor records goes into files."""
        return label in self.monitors

    def receive(self, label: str, rows: Mapping[str, np.ndarray], first: int) -> None:
        """Append the record of a chunk that began at step ``first``."""
        arrays: dict[str, np.ndarray]
        match self.monitors[label]["kind"]:
            case "spikes":
                arrays = {name: rows[name] for name in self.monitors[label].get("units", ())}
                arrays |= {"step": (first + rows["rows"]).astype(np.int64), "i": rows["index"].astype(np.int32)}
            case "rate":
                arrays = {"step": rows["step"].astype(np.int64), "count": rows["count"]}
            case _:
                chosen = self._chosen.get(label)
                kept = slice(None) if chosen is None else np.isin(rows["step"], chosen)
                arrays = {name: rows[name][kept] for name in self.monitors[label]["units"]}
                arrays["step"] = rows["step"][kept].astype(np.int64)
        for name, array in arrays.items():
            file = self._files.get((label, name))
            if file is None:
                file = self._files[(label, name)] = _Growing(self.folder / label / f"{name}.npy", array)
            file.append(array)

    def finish(self, step: int) -> None:
        """Note the step that has been reached."""
        text = json.dumps(self._about | {"steps": step}, indent=1)
        (self.folder / "recording.json").write_text(text, encoding="utf-8")


class _Growing:
    """A ``.npy`` file whose first axis grows; NumPy leaves room for that in the header."""

    def __init__(self, path: Path, like: np.ndarray) -> None:
        self.path = path
        self.dtype, self.shape = like.dtype, like.shape[1:]
        if path.exists():
            old = np.load(path, mmap_mode="r", allow_pickle=False)
            if old.dtype != self.dtype or old.shape[1:] != self.shape:
                raise NetworkError(f"{str(path)!r} holds {old.dtype} of shape {old.shape}; give another folder")
            self.rows = len(old)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows = 0
        with path.open("wb") as file:
            self._header(file)

    def _header(self, file: Any) -> None:
        descr = np.lib.format.dtype_to_descr(self.dtype)
        about = {"descr": descr, "fortran_order": False, "shape": (self.rows, *self.shape)}
        np.lib.format.write_array_header_1_0(file, about)

    def append(self, array: np.ndarray) -> None:
        """Rows at the end; the header changes when they are there."""
        with self.path.open("r+b") as file:
            self._header(file)
            begin = file.tell() + self.rows * self.dtype.itemsize * int(np.prod(self.shape))
            file.seek(begin)
            file.write(np.ascontiguousarray(array, self.dtype).tobytes())
            file.flush()
            self.rows += len(array)
            file.seek(0)
            self._header(file)


class Recording(Mapping[str, "Recorded"]):
    """A recording that ``Network.run(..., stream=folder)`` wrote, by the names of the monitors.

    ``recording["spikes"]`` has ``t``, ``i`` and ``count``; that of a `StateMonitor` has ``t`` and its variables,
    ``v`` with units and ``v_`` without, of shape (elements, times); that of a `PopulationRateMonitor` ``t`` and
    ``rate``. Arrays are read from disk when they are used: ``trace.v_[3, -1000:]`` reads a thousand numbers.

    Example:
        >>> import tempfile
        >>> from jaxsnn import Network, NeuronGroup, Recording, StateMonitor
        >>> from jaxsnn.units import ms
        >>> cell = NeuronGroup(2, "dx/dt = 1/ms : 1", namespace={"ms": ms})
        >>> trace = StateMonitor(cell, "x", record=True, name="trace")
        >>> folder = tempfile.mkdtemp()
        >>> Network(cell, trace).run(5 * ms, stream=folder)
        >>> Recording(folder)["trace"].x.shape
        (2, 50)

    Raises:
        NetworkError: if there is no recording in the folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / "recording.json"
        if not path.exists():
            raise NetworkError(
                f"there is no recording in {str(folder)!r}; net.run(..., stream={str(folder)!r}) writes one"
            )
        self._about = json.loads(path.read_text(encoding="utf-8"))
        if self._about.get("version") != _VERSION:
            raise NetworkError(f"{str(folder)!r} was written by another version of jaxsnn")

    @property
    def t(self) -> Quantity:
        """The time that the recording has reached."""
        return Quantity(self._about["steps"] * self._about["dt"], second.dim)

    def __getitem__(self, name: str) -> Recorded:
        known = self._about["monitors"]
        if name not in known:
            raise KeyError(f"no monitor {name!r} in this recording.{did_you_mean(name, known)}")
        return Recorded(self.folder / name, known[name], self._about["dt"])

    def __iter__(self) -> Iterator[str]:
        return iter(self._about["monitors"])

    def __len__(self) -> int:
        return len(self._about["monitors"])

    def __repr__(self) -> str:
        return f"<Recording of {', '.join(self)} until {self.t}>"


class Recorded:
    """What one monitor recorded; see `Recording`."""

    def __init__(self, folder: Path, about: Mapping[str, Any], dt: float) -> None:
        self._folder, self._about, self._dt = folder, about, dt

    def _array(self, name: str) -> np.ndarray:
        path = self._folder / f"{name}.npy"
        found = np.load(path, mmap_mode="r", allow_pickle=False) if path.exists() else np.zeros(0)
        return found

    @property
    def t(self) -> Quantity:
        """Times of the samples, or of the spikes."""
        return Quantity(self._array("step") * self._dt, second.dim)

    @property
    def record(self) -> np.ndarray:
        """The element numbers of a `StateMonitor`."""
        return np.asarray(self._about["elements"])

    @property
    def i(self) -> np.ndarray:
        """Neuron of each spike."""
        return self._array("i")

    @property
    def count(self) -> np.ndarray:
        """(n,) number of spikes of each neuron."""
        return np.bincount(self._array("i").astype(np.int64), minlength=self._about["size"])

    @property
    def num_spikes(self) -> int:
        """Number of all spikes."""
        return len(self._array("i"))

    @property
    def rate(self) -> Quantity:
        """(T,) mean rate in each step of a `PopulationRateMonitor`."""
        seconds = self._about["size"] * self._about["every"] * self._dt
        return Quantity(self._array("count") / seconds, hertz.dim)

    def __getattr__(self, name: str) -> Any:
        units = self.__dict__.get("_about", {}).get("units", {})
        plain = name.endswith("_") and name not in units
        key = name[:-1] if plain else name
        if key not in units:
            raise AttributeError(
                f"this monitor did not record {name!r}; it recorded {', '.join(units) or 'no variables'}"
            )
        values = self._array(key).T
        dim = Dimension(tuple(map(Fraction, units[key])))
        return values if plain or dim == DIMENSIONLESS else Quantity(values, dim)
