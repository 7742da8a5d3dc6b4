"""Long runs in chunks: bounded memory, progress, interruption, and a check for NaN after each chunk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsnn.errors import NumericalError
from jaxsnn.program import RecordSpikes
from jaxsnn.simulation.records import unpack
from jaxsnn.simulation.simulation import Simulation
from jaxsnn.simulation.state import Params, State

__all__ = ["ChunkedRun"]

MEMORY = 64 * 2**20
"""Bytes of record kept on the device for one chunk."""
LONGEST = 16384
SECONDS = 0.5
"""Aimed duration of a chunk: how soon progress is shown and Ctrl-C is heard."""

Receive = Callable[[str, Mapping[str, np.ndarray], int], None]


class ChunkedRun:
    """Runs a simulation from the host; keeps its compiled chunks for later runs."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self._chunks: dict[int, Any] = {}
        self._finite = jax.jit(_finite)
        self._seconds_per_step = 0.0
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
    ) -> tuple[State, int, bool]:
        """Run ``steps`` steps; ``receive(monitor, rows, first_step)`` gets each chunk's record.

        Returns the state, the number of steps done, and whether the run was interrupted (Ctrl-C): then state and
        records end with the last whole chunk.

        Raises:
            NumericalError: if a variable became NaN or infinite, naming variable, element and time.
        """
        chunk, length = self._chunk(params, state, steps)
        done, first = 0, int(state.step)
        # One chunk is computed while the record of the one before is read.
        waiting: tuple[State, State, Any, int, int] | None = None
        timed = False
        while done < steps:
            # A short first chunk: it shows how long a step takes.
            aim = int(SECONDS / self._seconds_per_step) if self._seconds_per_step else 256
            n = min(steps - done, length, max(64, aim))
            begun = time.perf_counter()
            new, rows = chunk(params, state, jnp.asarray(n, jnp.int32))
            try:
                if waiting is not None:
                    self._deliver(params, waiting, receive)
                    waiting = None
                jax.block_until_ready(new.step)
            except KeyboardInterrupt:
                if waiting is not None:
                    self._deliver(params, waiting, receive)
                return state, done, True
            if timed:
                self._seconds_per_step = max((time.perf_counter() - begun) / n, 1e-9)
            timed = True
            waiting = (state, new, rows, n, first + done)
            state, done = new, done + n
            progress(done)
        if waiting is not None:
            self._deliver(params, waiting, receive)
        return state, done, False

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

    def _deliver(self, params: Params, waiting: tuple[State, State, Any, int, int], receive: Receive) -> None:
        before, after, rows, n, first = waiting
        finite = self._finite(after.values)
        for owner, names in finite.items():
            for name, good in names.items():
                if not bool(good):
                    raise self._culprit(params, before, n, first, owner, name)
        for label, fields in rows.items():
            operation = self._every[label]
            steps = np.arange(first, first + n)
            steps = steps[steps % operation.every == 0]
            arrays = {name: np.asarray(values[: steps.size]) for name, values in fields.items()}
            if isinstance(operation, RecordSpikes):
                row, index = unpack(arrays["spikes"], operation.domain.size)
                arrays = {
                    "rows": row * operation.every + (steps[0] - first if steps.size else 0),
                    "index": index,
                }
            receive(label, {**arrays, "step": steps}, first)

    def _culprit(self, params: Params, before: State, n: int, first: int, owner: str, name: str) -> NumericalError:
        """Find the first step after which a variable is not finite: the same chunk, run shorter."""
        chunk, _ = self._chunk(params, before, n)
        good, bad = 0, n
        found: tuple[str, str] = (owner, name)
        at: Any = None
        while bad - good > 1 or at is None:
            middle = (good + bad) // 2 if bad - good > 1 else bad
            values = chunk(params, before, jnp.asarray(middle, jnp.int32))[0].values
            wrong = [
                (o, v, np.flatnonzero(~np.isfinite(np.asarray(values[o][v]))))
                for o, vs in values.items()
                for v in vs
                if np.asarray(values[o][v]).dtype.kind == "f"
            ]
            wrong = [w for w in wrong if w[2].size]
            if wrong:
                bad = middle
                found, at = (wrong[0][0], wrong[0][1]), (wrong, values)
            else:
                good = middle
                at = None if bad - good <= 1 and at is None else at
        wrong, values = at
        owner, name, elements = wrong[0]
        time_ms = (first + bad - 1) * self.simulation.dt * 1e3
        value = float(np.asarray(values[owner][name])[elements[0]])
        others = [f"{o}.{v}" for o, v, _ in wrong[1:]]
        also = f" (in the same step: {', '.join(others)})" if others else ""
        return NumericalError(
            f"{owner}.{name} of element {int(elements[0])} became {value} in the step at t = {time_ms:g} ms"
            + (f", with {elements.size - 1} other elements" if elements.size > 1 else "")
            + also
            + ". Common causes: a time step too long for the method (try a smaller dt or method='exponential_euler'),"
            " a division by zero (exprel(x) is (exp(x)-1)/x without one), or an input that grows without bound."
        )


def _finite(values: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        owner: {
            name: jnp.all(jnp.isfinite(value))
            for name, value in names.items()
            if jnp.issubdtype(value.dtype, jnp.floating)
        }
        for owner, names in values.items()
    }
