"""From the arrays beside a program to the trees a simulation works on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsnn.delays import choose as choose_delay
from jaxsnn.delays import delay_steps, resize, source_ring, spike_history, target_ring
from jaxsnn.errors import DelayError, NetworkError, NotSupportedError
from jaxsnn.events import Wiring, history_wiring
from jaxsnn.objects.base import Connections, Parts
from jaxsnn.objects.variables import HostVariable
from jaxsnn.equations.expressions import names
from jaxsnn.equations.statements import Assign
from jaxsnn.program import Deliver, Operation
from jaxsnn.simulation import Params, Schedule, Setting, State, Tables
from jaxsnn.simulation.synaptic import Analysis, analyse

__all__ = ["Assembly"]

LONGEST_DELAY = 2**20
"""Most steps of a delay, likewise: 105 seconds with steps of 0.1 ms."""
LONGEST_RING = 2**28
"""Most entries of a delay buffer; more is taken for a mistake in the unit of the delay."""


@dataclass
class Assembly:
    """What a network keeps between runs besides the values of its objects.

    step: steps done; rings: spikes on their way, ``(kind of buffer, arrays)`` for each pathway; events: event sets
    of the last step; wirings: connectivity already on the device.
    """

    step: int = 0
    rings: dict[str, tuple[str, tuple[np.ndarray, ...]]] = field(default_factory=dict)
    events: dict[str, np.ndarray] = field(default_factory=dict)
    wirings: dict[str, tuple[Any, Wiring]] = field(default_factory=dict)

    def trees(self, parts: Parts, key: Any, setting: Setting) -> tuple[Params, State]:
        """Parameters and state from the values the objects have now."""
        layout, program = setting.layout, setting.program
        trees: dict[str, dict[str, dict[str, Any]]] = {"params": {}, "state": {}, "tables": {}}
        for (owner, name), given in parts.values.items():
            variable = program.variables[(owner, name)]
            value = given.value if isinstance(given, HostVariable) else np.asarray(given)
            dtype = {"float": setting.dtype, "integer": np.int32, "boolean": np.bool_}[variable.type]
            array = jnp.asarray(value, dtype)
            if variable.scalar and array.ndim == 1 and array.shape[0] == 1:
                array = array[0]
            trees[layout.place((owner, name))].setdefault(owner, {})[name] = array
        wirings: dict[str, Wiring] = {}
        rings: dict[str, tuple[Any, ...]] = {}
        indices = {name: jnp.asarray(index, jnp.int32) for name, index in parts.indices.items()}
        for operation in program.operations:
            if isinstance(operation, Deliver):
                wiring, ring, delay = self._pathway(operation, parts.connections[operation.pathway], setting)
                wirings[operation.pathway] = wiring
                if ring is not None:
                    rings[operation.pathway] = ring
                if delay is not None:
                    indices[f"{operation.pathway}.delay"] = jnp.asarray(delay, jnp.int32)
        schedules, cursors = {}, {}
        for name, (steps, index) in parts.schedules.items():
            operation = next(op for op in program.operations if op.name == name)
            schedules[name] = _schedule(steps, index)
            now = -(-self.step // operation.every)  # the next step of its own clock
            period = getattr(operation, "period", 0)
            now = now % period if period else now
            cursors[name] = jnp.asarray(int(np.searchsorted(np.asarray(schedules[name].steps), now)), jnp.int32)
        events = {}
        for (owner, event), size in program.events.items():
            path = f"{owner}.{event}"
            old = self.events.get(path)
            events[path] = jnp.zeros(size, bool) if old is None or old.shape != (size,) else jnp.asarray(old)
        tables = Tables(key, trees["tables"], wirings, schedules, indices)
        state = State(jnp.asarray(self.step, jnp.int32), trees["state"], events, rings, cursors, tables)
        return trees["params"], state

    def _pathway(
        self, operation: Deliver, given: Connections, setting: Setting
    ) -> tuple[Wiring, tuple[Any, ...] | None, int | None]:
        """Connectivity sorted for delivery, and the delay buffer with what is on its way."""
        dt = setting.program.dt * operation.every
        try:
            steps = delay_steps(given.delay, dt)
        except DelayError as error:
            raise DelayError(f"{operation.synapses}: {error}") from None
        found = increments(operation.code)
        changing = reads_changing(operation.code, found, setting)
        choice = choose_delay(steps, True, changing)
        if choice.name == "spike_history":
            raise operation.code.source.error(
                "with different delays, this version carries out code that adds a value known when the spike leaves"
                " (constants and parameters of the synapse); what is added here can change before arrival",
                kind=NotSupportedError,
            )
        n_target = setting.program.size(operation.target.owner)
        targets = found or ()
        size = choice.length * (operation.source.size if choice.name == "source_ring" else n_target)
        if size > LONGEST_RING or choice.length > LONGEST_DELAY:
            longest = float(np.max(given.delay))
            raise DelayError(
                f"{operation.synapses}: a delay of {longest:g} s is {int(np.max(steps))} steps of {dt * 1e3:g} ms, and"
                f" waiting spikes would need {size:.1e} entries; is the unit right (ms, not second)?"
            )
        heterogeneous = choice.name == "target_ring"
        identity = (
            id(given.source),
            id(given.target),
            id(given.delay) if heterogeneous else 0,
            dt,
            operation.target.start,
        )
        cached = self.wirings.get(operation.pathway)
        if (
            cached is not None
            and cached[0][0] == identity
            and (not heterogeneous or np.array_equal(cached[0][1], steps))
        ):
            wiring = cached[1]
        else:
            wiring = Wiring.build(
                given.source,
                given.target + np.int32(operation.target.start),
                operation.source.size,
                n_target,
                steps if heterogeneous else None,
            )
            # The arrays are kept so that their identities stay taken.
            self.wirings[operation.pathway] = ((identity, steps, given), wiring)
        if choice.name == "none":
            fresh: tuple[Any, ...] | None = None
        elif choice.name == "source_ring":
            fresh = (np.asarray(source_ring.init(int(np.max(steps)), operation.source.size)),)
        else:
            fresh = tuple(
                np.asarray(
                    target_ring.init(
                        int(np.max(steps)),
                        operation.source.size if i.ref.via == operation.trigger else n_target,
                        setting.dtype,
                    )
                )
                for i in targets
            )
        rings = self._pending(operation, choice.name, fresh)
        delay = int(np.max(steps)) if choice.name == "source_ring" else None
        return wiring, None if rings is None else tuple(jnp.asarray(r) for r in rings), delay

    def _pending(self, operation: Deliver, kind: str, fresh: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        """Put spikes that are on their way into the new buffer."""
        kept = self.rings.get(operation.pathway)
        if kept is None or not any(np.any(ring) for ring in kept[1]):
            return fresh
        old_kind, old = kept
        if old_kind != kind or fresh is None or len(old) != len(fresh):
            raise NotSupportedError(
                f"{operation.synapses}: the delays were changed between runs from '{old_kind}' to '{kind}' while spikes"
                f" are on their way; this version keeps them only if delays stay all equal, or all different"
            )
        if any(a.shape[1:] != b.shape[1:] for a, b in zip(old, fresh, strict=True)):
            raise NetworkError(f"{operation.synapses}: the groups changed while spikes are on their way")
        length = max(old[0].shape[0], fresh[0].shape[0])
        return tuple(resize(ring, self.step, length) for ring in old)


def _schedule(steps: np.ndarray, index: np.ndarray) -> Schedule:
    distinct, counts = np.unique(steps, return_counts=True)
    row_start = np.concatenate([[0], np.cumsum(counts)])
    return Schedule(
        jnp.asarray(distinct, jnp.int32),
        jnp.asarray(row_start, jnp.int32),
        jnp.asarray(index, jnp.int32),
        int(counts.max(initial=0)),
    )
