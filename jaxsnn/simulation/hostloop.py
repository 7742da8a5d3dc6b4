"""Long runs in chunks: bounded memory, progress, interruption, and a check for NaN after each chunk."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import NumericalError
from jaxsnn.events.gpu import triton
from jaxsnn.program import RecordSpikes
from jaxsnn.simulation.records import AT_EVENTS, compact, unpack
from jaxsnn.simulation.simulation import Simulation
from jaxsnn.simulation.state import Params, State

__all__ = ["ChunkedRun", "NotFinite"]

MEMORY = 64 * 2**20
"""Bytes of record kept on the device for one chunk."""
LONGEST = 16384
FEWEST = 4096
"""Places in a list of spikes, at least."""
SECONDS = 0.5
"""Aimed duration of a chunk: how soon progress is shown and Ctrl-C is heard."""

Receive = Callable[[str, Mapping[str, np.ndarray], int], None]


class NotFinite(Exception):
    """A variable became NaN or infinite: the message for the user, and the last good state with its step."""

    def __init__(self, error: NumericalError, state: State, step: int) -> None:
        super().__init__(str(error))
        self.error, self.state, self.step = error, state, step


class _Chunk(NamedTuple):
    """A chunk that is computed or will be.

    ``lists`` and ``finite`` were asked for right behind it, and not behind the chunk after it, for which they would
    have to wait.
    """

    before: State
    rows: Mapping[str, Any]
    lists: Mapping[str, Any]
    finite: Any
    steps: int
    first: int


class _Interruption:
    """Ctrl-C during a run is noted and answered between chunks: nothing is left half done. A second one is
    raised at once.
    """

    def __enter__(self) -> _Interruption:
        self.asked = False
        self._before: Any = None
        # Python allows signal handlers in the main thread only.
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: Any) -> None:
        if self.asked:
            self._before(number, frame)
        self.asked = True

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)


class ChunkedRun:
    """Runs a simulation from the host; keeps its compiled chunks for later runs.

    ``finite``: whether a variable that becomes NaN or infinite ends the run.
    """

    def __init__(self, simulation: Simulation, finite: bool = True) -> None:
        self.simulation = simulation
        self.finite = finite
        self._chunks: dict[int, Any] = {}
        self._compiled: set[int] = set()
        self._finite = jax.jit(_finite)
        self._seconds_per_step = 0.0
        self._places: dict[str, int] = {}
        self._every = {
            getattr(op, "label", op.name): op for op in simulation.program.operations if hasattr(op, "label")
        }

    def __call__(
        self,
        params: Params,
        state: State,
        steps: int,
        receive: Receive,
        progress: Callable[[int], None] = lambda done: None,
    ) -> tuple[State, int, BaseException | None]:
        """Run ``steps`` steps; ``receive(monitor, rows, first_step)`` gets each chunk's record.

        Returns the state, the number of steps done, and what ended the run early, if anything did: Ctrl-C, or an
        exception out of ``progress``. Then state and records end with the last whole chunk.

        Raises:
            NotFinite: if a variable became NaN or infinite, with the error for the user.
        """
        chunk, length = self._chunk(params, state, steps)
        done, first = 0, int(state.step)
        # One chunk is computed while the record of the one before is read.
        waiting: _Chunk | None = None
        timed = False
        stopped: BaseException | None = None
        with _Interruption() as interruption:
            while done < steps and stopped is None:
                # A short first chunk: it shows how long a step takes.
                aim = int(SECONDS / self._seconds_per_step) if self._seconds_per_step else 256
                n = min(steps - done, length, max(64, aim))
                begun = time.perf_counter()
                new, rows = chunk(params, state, jnp.asarray(n, jnp.int32))
                new = replace(new, tables=state.tables)
                finite = self._finite(new.values) if self.finite else None
                computed = _Chunk(state, rows, self._lists(rows, n, first + done), finite, n, first + done)
                if waiting is not None:
                    self._deliver(params, waiting, receive)
                jax.block_until_ready(new.step)
                if timed:
                    self._seconds_per_step = max((time.perf_counter() - begun) / n, 1e-9)
                timed = True
                waiting = computed
                state, done = new, done + n
                try:
                    progress(done)
                except BaseException as error:
                    stopped = error
                if interruption.asked:
                    stopped = KeyboardInterrupt()
            if waiting is not None:
                self._deliver(params, waiting, receive)
        return state, done, stopped

    def compile(self, params: Params, state: State, steps: int) -> bool:
        """Compile what a run needs, ahead of it; False if that was done before."""
        chunk, length = self._chunk(params, state, steps)
        if length in self._compiled:
            return False
        jax.block_until_ready(chunk(params, state, jnp.asarray(0, jnp.int32)))
        self._compiled.add(length)
        return True

    def _chunk(self, params: Params, state: State, steps: int) -> tuple[Any, int]:
        for length in sorted(self._chunks):
            if length >= min(steps, LONGEST) or length == max(self._chunks) >= self._limit:
                return self._chunks[length], length
        simulation = self.simulation
        _, record = jax.eval_shape(lambda p, s: simulation.step(p, s), params, state)
        size = sum(x.size * x.dtype.itemsize for fields in record.values() for x in fields.values())
        self._limit = max(1, min(LONGEST, MEMORY // max(1, size)))
        length = min(self._limit, 1 << max(6, (max(1, steps) - 1).bit_length()))
        self._chunks[length] = simulation.chunk(length)
        return self._chunks[length], length

    _limit = LONGEST

    def _deliver(self, params: Params, waiting: _Chunk, receive: Receive) -> None:
        before, rows, lists, finite, n, first = waiting
        if not all(map(bool, jax.tree.leaves(finite))):
            raise NotFinite(self._culprit(params, before, n, first), before, first)
        for label, fields in rows.items():
            operation = self._every[label]
            steps = _steps(operation, n, first)
            arrays = {name: _head(values, steps.size) for name, values in fields.items() if name != "spikes"}
            if isinstance(operation, RecordSpikes):
                if label in lists:
                    row, index = self._listed(label, operation, fields["spikes"], lists[label], steps.size)
                else:
                    row, index = unpack(_head(fields["spikes"], steps.size), operation.domain.size)
                values = {name: arrays[f"{AT_EVENTS}{name}"][row, index] for name in operation.expressions}
                if operation.every > 1 or not steps.size:
                    row = row * operation.every + (steps[0] - first if steps.size else 0)
                arrays = {**values, "rows": row, "index": index}
            receive(label, {**arrays, "step": steps}, first)

    def _lists(self, rows: Mapping[str, Any], n: int, first: int) -> dict[str, Any]:
        """For each record of spikes on its way: `compact`, computed on the device behind the chunk."""
        found: dict[str, Any] = {}
        if not triton.available(self.simulation.setting.backend):
            return found
        for label, fields in rows.items():
            operation = self._every[label]
            if isinstance(operation, RecordSpikes) and 0 < fields["spikes"].size < 2**28:  # bits count in 32 bits
                valid = jnp.asarray(_steps(operation, n, first).size, jnp.int32)
                places = self._places.setdefault(label, FEWEST)
                found[label] = compact(fields["spikes"], valid, operation.domain.size, places)
        return found

    def _listed(
        self, label: str, operation: RecordSpikes, packed: Any, listed: Any, rows: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """(row, element) of the spikes of a list; a longer one is made where they do not fit."""
        counts, elements = np.asarray(listed[0])[:rows], listed[1]
        count = int(counts.sum())
        if count > elements.size:
            # Some more than it takes, as chunks differ; of few sizes, as each is compiled.
            unit = max(FEWEST, 1 << max(0, count.bit_length() - 3))
            self._places[label] = max(self._places[label], -(-count * 9 // (8 * unit)) * unit)
            valid = jnp.asarray(rows, jnp.int32)
            _, elements = compact(packed, valid, operation.domain.size, self._places[label])
        # A copy: a view would keep the places that are empty, too.
        return np.repeat(np.arange(rows, dtype=np.int32), counts), np.array(np.asarray(elements)[:count])

    def _culprit(self, params: Params, before: State, n: int, first: int) -> NumericalError:
        """Which variable of which element stopped being finite, and in which step.

        The chunk is run again from its beginning, to the middle of the steps in question until one is left.
        """
        chunk, _ = self._chunk(params, before, n)

        def after(steps: int) -> list[tuple[str, np.ndarray]]:
            values = chunk(params, before, jnp.asarray(steps, jnp.int32))[0].values
            arrays = ((f"{o}.{v}", np.asarray(x)) for o, names in values.items() for v, x in names.items())
            found = [(path, x) for path, x in arrays if x.dtype.kind == "f" and not np.all(np.isfinite(x))]
            return sorted(found, key=lambda pair: "._" in pair[0])  # what the user has not named comes last

        good, bad = 0, n
        while bad - good > 1:
            middle = (good + bad) // 2
            good, bad = (good, middle) if after(middle) else (middle, bad)
        (path, value), *others = after(bad)
        elements = np.flatnonzero(~np.isfinite(np.atleast_1d(value)))
        more = f", with {elements.size - 1} other elements" if elements.size > 1 else ""
        also = f" (in the same step: {', '.join(other for other, _ in others)})" if others else ""
        return NumericalError(
            f"{path} of element {elements[0]} became {np.atleast_1d(value)[elements[0]]} in the step at"
            f" t = {(first + bad - 1) * self.simulation.dt * 1e3:g} ms{more}{also}. Common causes: a time step too long"
            " for the method (try a smaller dt or method='exponential_euler'), a division by zero (exprel(x) is"
            " (exp(x)-1)/x without one), an input that grows without bound, or a look further back than delayed(...)"
            " keeps."
        )


def _steps(operation: Any, n: int, first: int) -> np.ndarray:
    """The steps of a chunk in which an operation is due."""
    steps = np.arange(first, first + n)
    return steps[steps % operation.every == 0]


def _head(values: Any, count: int) -> np.ndarray:
    """The first rows, on the host."""
    # A slice on the device is compiled for its length, and chunks have many: only short ones are worth it.
    return np.asarray(values[:count] if 4 * count <= len(values) else values)[:count]


def _finite(values: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        owner: {
            name: jnp.all(jnp.isfinite(value))
            for name, value in names.items()
            if jnp.issubdtype(value.dtype, jnp.floating)
        }
        for owner, names in values.items()
    }
