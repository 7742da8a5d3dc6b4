"""How each kind of operation is carried out in a step: one small class a kind, in one table.

Every class has the same silhouette: built from an operation once, ``prepare(frame)`` for what is constant
during a run, ``apply(frame, prepared)`` in every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.codegen.lower import lower
from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.program import Cable, Code, Deliver, Emit, Invoke, Key, Operation, Reset, Summed, Threshold, Update
from jaxsnn.simulation.compartments import CableStep
from jaxsnn.simulation.frame import Frame, Setting, prepare_block, run_block
from jaxsnn.simulation.gradient.spikes import flags
from jaxsnn.simulation.gradient.threshold import SmoothThreshold
from jaxsnn.simulation.synaptic import DeliverStep, SummedStep

__all__ = ["OPERATIONS", "OperationStep", "build", "touched"]


class OperationStep(Protocol):
    """An operation, ready to be carried out."""

    operation: Any

    def prepare(self, frame: Frame) -> Any:
        """What is constant during a run, computed once."""

    def apply(self, frame: Frame, prepared: Any) -> None:
        """One step: read from the frame, replace what changes."""


def touched(operation: Operation) -> Iterator[tuple[Key, str]]:
    """The variables that the code of an operation reads or writes, and through which index."""
    code = getattr(operation, "code", None)
    if isinstance(code, Code):
        for ref in (*code.scope.values(), *getattr(operation, "roles", {}).values()):
            yield ref.key, ref.via


class UpdateStep:
    """Statements for all elements of a window."""

    def __init__(self, operation: Update, setting: Setting) -> None:
        self.operation = operation
        code = operation.code
        self.block = lower(
            operation.name,
            code.statements,
            code.written,
            setting.constant_name(code.scope),
            code.guards,
            # In 32 bits nobody compares the last bit, and a GPU divides in eight instructions.
            reciprocals=setting.dtype == jnp.float32 and setting.backend == "gpu",
            functions=GUARDED if setting.gradient else None,
        )

    def prepare(self, frame: Frame) -> Any:
        op = self.operation
        return prepare_block(self.block, op.code, op.domain, getattr(op, "beat", 0) or op.every, frame)

    def apply(self, frame: Frame, prepared: Any, mask: Any = None) -> None:
        op = self.operation
        beat = getattr(op, "beat", 0) or op.every
        results = run_block(self.block, op.code, op.domain, beat, frame, prepared, op.name)
        for name, value in zip(self.block.returns, results, strict=True):
            frame.write(op.code.scope[name], op.domain, value, mask)


class ResetStep(UpdateStep):
    """Statements for the elements of an event set."""

    operation: Reset  # type: ignore[assignment]

    def apply(self, frame: Frame, prepared: Any, mask: Any = None) -> None:
        op = self.operation
        spikes = frame.event(op.domain.owner, op.event, op.domain)
        gradient = frame.setting.gradient
        super().apply(frame, prepared, flags(spikes) if gradient is not None and gradient.detach_reset else spikes)


class ThresholdStep:
    """The event set: elements whose condition holds (and that are not refractory)."""

    def __init__(self, operation: Threshold, setting: Setting) -> None:
        self.operation = operation
        self.code = operation.code
        self.smooth = SmoothThreshold(operation, setting) if setting.gradient else None
        if self.smooth is not None:
            self.code, self.block = self.smooth.code, self.smooth.block
            return
        self.block = lower(
            operation.name,
            (),
            ("_condition",),
            setting.constant_name(operation.code.scope),
            extra={"_condition": operation.condition},
        )

    def prepare(self, frame: Frame) -> Any:
        op = self.operation
        return prepare_block(self.block, self.code, op.domain, op.every, frame)

    def apply(self, frame: Frame, prepared: Any) -> None:
        op = self.operation
        owner, window = op.domain.owner, op.domain
        condition, *margin = run_block(self.block, self.code, window, op.every, frame, prepared, op.name)
        spikes = frame.spread(condition, window)
        if self.smooth is not None:
            free = frame.value((owner, "not_refractory")) if op.refractory else None
            frame.events[(owner, op.event)] = self.smooth.spikes(spikes, margin[0], free)
        if op.refractory:
            free = frame.value((owner, "not_refractory"))
            spikes = spikes & free
            frame.values[(owner, "not_refractory")] = free & ~spikes
            last = frame.value((owner, "lastspike"))
            now = frame.clock("t_in_timesteps", op.every)
            frame.values[(owner, "lastspike")] = jnp.where(spikes, now.astype(last.dtype), last)
        if self.smooth is None:
            frame.events[(owner, op.event)] = spikes


class EmitStep:
    """Spikes of a generator: those its schedule lists for this step."""

    def __init__(self, operation: Emit, setting: Setting) -> None:
        self.operation = operation

    def prepare(self, frame: Frame) -> Any:
        return None

    def apply(self, frame: Frame, prepared: Any) -> None:
        op = self.operation
        schedule = frame.tables.schedules[op.name]
        size = op.domain.size
        entries = schedule.steps.shape[0]
        if entries == 0 or schedule.longest == 0:
            frame.emit(op.domain.owner, op.event, jnp.zeros(size, bool))
            return
        now = frame.clock("t_in_timesteps", op.every)
        cursor = frame.cursors[op.name]
        if op.period:
            now = now % op.period
            cursor = jnp.where(cursor >= entries, 0, cursor)
        at = jnp.minimum(cursor, entries - 1)
        hit = (cursor < entries) & (schedule.steps[at] == now)
        place = schedule.row_start[at] + jnp.arange(schedule.longest, dtype=jnp.int32)
        valid = hit & (place < schedule.row_start[at + 1])
        index = jnp.where(valid, schedule.indices[jnp.minimum(place, schedule.indices.shape[0] - 1)], size)
        frame.emit(op.domain.owner, op.event, jnp.zeros(size, bool).at[index].set(True, mode="drop"))
        frame.cursors[op.name] = cursor + hit.astype(cursor.dtype)


class InvokeStep:
    """A function of the user: it reads whatever it asks for, and gives new values."""

    def __init__(self, operation: Invoke, setting: Setting) -> None:
        self.operation = operation

    def prepare(self, frame: Frame) -> Any:
        return None

    def apply(self, frame: Frame, prepared: Any) -> None:
        op = self.operation
        updates = op.function(frame.clock("t", op.every), Values(frame, op.name))
        updates = {} if updates is None else updates
        if not isinstance(updates, Mapping):
            raise ArgumentError(
                f"{op.name}: the function returns a dictionary such as {{'cells.v': v}}, got {updates!r}"
            )
        names = {".".join(key): key for key in op.writes}
        for path, value in updates.items():
            if path not in names:
                raise ArgumentError(
                    f"{op.name}: the function gives {path!r}, but may write {', '.join(names) or 'nothing'}; name what"
                    f" it changes: writes=[{path!r}]"
                )
            old = frame.value(names[path])
            if jnp.shape(value) not in (old.shape, (), (1,)):
                raise ArgumentError(
                    f"{op.name}: the new value of {path!r} has the shape {jnp.shape(value)}; it needs {old.shape}, or"
                    f" one number"
                )
            new = jnp.reshape(value, old.shape) if jnp.size(value) == old.size else value
            frame.values[names[path]] = jnp.broadcast_to(new, old.shape).astype(old.dtype)


class Values(Mapping[str, Any]):
    """What a function of the user can read: variables and event sets by dotted name, ``dt``, and random numbers."""

    def __init__(self, frame: Frame, name: str) -> None:
        self._frame, self._name = frame, name

    @property
    def key(self) -> Any:
        """A random key of this function, another one in each step."""
        words = jnp.stack(self._frame.words(self._name))
        return jax.random.wrap_key_data(words, impl="threefry2x32")

    def __getitem__(self, path: str) -> Any:
        owner, _, name = path.rpartition(".")
        if (owner, name) in self._frame.events:
            return self._frame.events[(owner, name)]
        if (owner, name) not in self._frame.setting.program.variables:
            raise ArgumentError(
                f"{self._name}: there is no variable {path!r} to read (sub-expressions are not kept: write them"
                f" out).{did_you_mean(path, self)}"
            )
        return self._frame.value((owner, name))

    def __iter__(self) -> Iterator[str]:
        program = self._frame.setting.program
        return iter([".".join(key) for key in (*program.variables, *program.events)])

    def __len__(self) -> int:
        return len(list(iter(self)))


OPERATIONS: Mapping[type[Operation], Any] = {
    Invoke: InvokeStep,
    Update: UpdateStep,
    Reset: ResetStep,
    Threshold: ThresholdStep,
    Emit: EmitStep,
    Deliver: DeliverStep,
    Summed: SummedStep,
    Cable: CableStep,
}
"""The class that carries out each kind of operation (recording has its own table)."""


def build(operation: Operation, setting: Setting) -> OperationStep:
    """An operation made ready."""
    return OPERATIONS[type(operation)](operation, setting)
