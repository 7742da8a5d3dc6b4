"""From the arrays beside a program to the trees a simulation works on."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxsnn.delays import choose as choose_delay
from jaxsnn.delays import delay_steps, interpolated, resize, source_ring, spike_history, target_ring
from jaxsnn.equations.expressions import names
from jaxsnn.equations.statements import Assign
from jaxsnn.errors import DelayError, NetworkError, NotSupportedError
from jaxsnn.events import Wiring, history_wiring, kernel
from jaxsnn.objects.base import Connections, Parts
from jaxsnn.objects.variables import HostVariable, VariableOwner
from jaxsnn.program import Deliver, Emit, Key, Operation, Program, Summed, Threshold
from jaxsnn.simulation import Params, Schedule, Setting, State, Tables
from jaxsnn.simulation.connections import Pattern, find
from jaxsnn.simulation.synaptic import Analysis, analyse

__all__ = ["Assembly"]

LONGEST_DELAY = 2**20
"""Most steps of a delay, likewise: 105 seconds with steps of 0.1 ms."""
SHORT_ROWS = 64
"""Synapses of a source, on average, up to which looking at all of them costs little."""
LONGEST_BITS = 256
"""Steps of delay up to which a history fits into a few words."""
LONGEST_RING = 2**28
"""Most entries of a delay buffer; more is taken for a mistake in the unit of the delay."""


@dataclass
class Assembly:
    """What a network keeps between runs besides the values of its objects.

    step: steps done; origin: the step from which random numbers are counted; rings: spikes on their way, ``(kind of
    buffer, arrays)`` for each pathway; events: event sets of the last step; wirings: connectivity already on the
    device; kinds: of the delay buffers in use.
    """

    step: int = 0
    origin: int = 0
    rings: dict[str, tuple[str, tuple[np.ndarray, ...]]] = field(default_factory=dict)
    events: dict[str, np.ndarray] = field(default_factory=dict)
    wirings: dict[str, tuple[Any, Wiring]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    def trees(self, parts: Parts, key: Any, setting: Setting) -> tuple[Params, State]:
        """Parameters and state from the values the objects have now."""
        layout, program = setting.layout, setting.program
        trees: dict[str, dict[str, dict[str, Any]]] = {"params": {}, "state": {}, "tables": {}}
        for (owner, name), given in parts.values.items():
            trees[layout.place((owner, name))].setdefault(owner, {})[name] = _array((owner, name), given, setting)
        wirings: dict[str, Wiring] = {}
        rings: dict[str, tuple[Any, ...]] = {}
        indices = {name: jnp.asarray(index, jnp.int32) for name, index in parts.indices.items()}
        ends = {name: np.asarray(index) for name, index in parts.indices.items()}
        for operation in program.operations:
            if isinstance(operation, Deliver):
                wiring, ring, delay = self._pathway(operation, parts.connections[operation.pathway], setting)
                wirings[operation.pathway] = wiring
                if ring is not None:
                    rings[operation.pathway] = ring
                if delay is not None:
                    indices[f"{operation.pathway}.delay"] = jnp.asarray(delay, jnp.int32)
            elif isinstance(operation, Summed) or _reads_ends(operation):
                for name, index in _ends(operation, parts).items():
                    if ends.setdefault(name, index) is index:
                        indices[name] = jnp.asarray(index, jnp.int32)
        schedules, cursors = {}, {}
        for name, (steps, index) in parts.schedules.items():
            operation = next(op for op in parts.operations if op.name == name)
            schedules[name] = _schedule(steps, index)
            now = -(-self.step // operation.every)  # the next step of its own clock
            period = getattr(operation, "period", 0)
            now = now % period if period else now
            cursors[name] = jnp.asarray(int(np.searchsorted(np.asarray(schedules[name].steps), now)), jnp.int32)
        events = {}
        found = {(op.domain.owner, op.event) for op in program.operations if isinstance(op, Threshold | Emit)}
        for (owner, event), size in program.events.items():
            path = f"{owner}.{event}"
            old = self.events.get(path) if (owner, event) in found else None  # what is not active has no events
            events[path] = jnp.zeros(size, bool) if old is None or old.shape != (size,) else jnp.asarray(old)
        origin = jnp.asarray(self.origin, jnp.int32)
        tables = Tables(key, trees["tables"], wirings, schedules, indices, origin, _patterns(ends, setting))
        state = State(jnp.asarray(self.step, jnp.int32), trees["state"], events, rings, cursors, tables)
        return trees["params"], state

    def refreshed(
        self, params: Params, state: State, parts: Parts, changed: Iterable[Key], setting: Setting
    ) -> tuple[State, Params]:
        """State and parameters with the values that some variables of the objects have now."""
        trees: dict[str, dict[str, dict[str, Any]]] = {
            "params": params,
            "state": state.values,
            "tables": state.tables.values,
        }
        for owner, name in changed:
            place = setting.layout.place((owner, name))
            array = _array((owner, name), parts.values[(owner, name)], setting)
            trees[place] = {**trees[place], owner: {**trees[place][owner], name: array}}
        tables = replace(state.tables, values=trees["tables"])
        return replace(state, values=trees["state"], tables=tables), trees["params"]

    def keep(self, state: State, program: Program, objects: Iterable[Any], done: int) -> None:
        """Put the values of a state back into the objects, and keep the rest for the next run."""
        owners = {o.name: o for o in objects if isinstance(o, VariableOwner)}
        for owner, values in state.values.items():
            for name, value in values.items():
                host = owners[owner]._hosts.get(name) or owners[owner]._pasts[name]
                host.value[...] = np.asarray(value).reshape(host.value.shape)
                host.version += 1
        active = {op.pathway for op in program.operations if isinstance(op, Deliver)}
        for pathway, (kind, rings) in list(self.rings.items()):
            if pathway not in active:  # spikes wait until the pathway goes on
                self.rings[pathway] = (kind, tuple(np.roll(ring, done, axis=0) for ring in rings))
            elif pathway not in state.rings:
                del self.rings[pathway]
        for pathway, found in state.rings.items():
            self.rings[pathway] = (self.kinds[pathway], tuple(np.asarray(r) for r in found))
        self.events = {path: np.asarray(v) for path, v in state.events.items()}
        self.step += done

    def _pathway(
        self, operation: Deliver, given: Connections, setting: Setting
    ) -> tuple[Wiring, tuple[Any, ...] | None, Any]:
        """Connectivity sorted for delivery, and the delay buffer with what is on its way."""
        if operation.delay is not None:
            return *self._interpolated(operation, given, setting), None
        dt, dtype = setting.program.dt * operation.every, setting.dtype
        try:
            steps = delay_steps(given.delay, dt)
        except DelayError as error:
            raise DelayError(f"{operation.synapses}: {error}") from None
        code = analyse(operation.code)
        known = code.constant(setting.constant_name(code.code.scope))
        choice = choose_delay(steps, code.additive, not known)
        n_source, n_target = operation.source.size, setting.program.size(operation.target.owner)
        size = choice.length * (n_target if choice.name == "target_ring" else n_source)
        if size > LONGEST_RING or choice.length > LONGEST_DELAY:
            longest = float(np.max(given.delay))
            raise DelayError(
                f"{operation.synapses}: a delay of {longest:g} s is {int(np.max(steps))} steps of {dt * 1e3:g} ms, and"
                f" waiting spikes would need {size:.1e} entries; is the unit right (ms, not second)?"
            )
        heterogeneous = choice.name in ("target_ring", "spike_history")
        bits = choice.name == "spike_history" and _by_bits(steps, operation, code, setting)
        identity = (
            id(given.source),
            id(given.target),
            id(given.delay) if heterogeneous else 0,
            dt,
            operation.target.start,
            choice.name if heterogeneous else "",
            bits,
        )
        cached = self.wirings.get(operation.pathway)
        if (
            cached is not None
            and cached[0][0] == identity
            and (not heterogeneous or np.array_equal(cached[0][1], steps))
        ):
            wiring = cached[1]
        else:
            target = given.target + np.int32(operation.target.start)
            if bits:
                wiring = replace(Wiring.build(given.source, target, n_source, n_target, steps), at_arrival=True)
            elif choice.name == "spike_history":
                wiring, _ = history_wiring(given.source, target, n_source, n_target, steps)
            else:
                waits = steps if heterogeneous else None
                wiring = Wiring.build(given.source, target, n_source, n_target, waits)
            # The arrays are kept so that their identities stay taken.
            self.wirings[operation.pathway] = ((identity, steps, given), wiring)
        longest = int(np.max(steps, initial=0))
        delay: Any = None
        fresh: tuple[Any, ...] | None = None
        name = choice.name
        if name == "none" and self.rings.get(operation.pathway, ("", ()))[0] == "source_ring":
            name = "source_ring"  # of one slot: spikes of the run before may still be on their way
        self.kinds[operation.pathway] = name
        match name:
            case "source_ring":
                fresh, delay = (np.asarray(source_ring.init(longest, n_source)),), longest
            case "target_ring":
                fresh = tuple(
                    np.asarray(target_ring.init(longest, n_source if c.via == operation.trigger else n_target, dtype))
                    for c in code.changes
                )
            case "spike_history":
                fresh, delay = (np.asarray(spike_history.init(longest, n_source)),), -np.unique(-steps)
                # Spikes on their way find their synapses by delay: all of that must still be the same.
                digest = zlib.crc32(b"".join(a.tobytes() for a in (steps, given.source, given.target)))
                self.kinds[operation.pathway] += f"-{digest:08x}"
        rings = self._pending(operation, self.kinds[operation.pathway], fresh)
        return wiring, None if rings is None else tuple(jnp.asarray(r) for r in rings), delay

    def _interpolated(self, operation: Deliver, given: Connections, setting: Setting) -> tuple[Wiring, tuple[Any, ...]]:
        """Connectivity and delay buffer of a pathway whose delays are parameters."""
        path, trigger, dt = operation.pathway, operation.trigger, setting.program.dt * operation.every
        longest = interpolated.longest(operation.max_delay, dt)
        n_source, n_target = operation.source.size, setting.program.size(operation.target.owner)
        if longest > LONGEST_DELAY or longest * n_target > LONGEST_RING:
            raise DelayError(
                f"{path}: max_delay = {operation.max_delay:g} s is {longest} steps of {dt * 1e3:g} ms for each of"
                f" {n_target} targets; is the unit right (ms, not second)?"
            )
        identity = (id(given.source), id(given.target), operation.target.start, longest)
        cached = self.wirings.get(path)
        if cached is None or cached[0][0] != identity:
            wiring = Wiring.build(given.source, given.target + np.int32(operation.target.start), n_source, n_target)
            # No delays yet: those of the parameters are put in when a run begins, and may be any up to the longest.
            empty = jnp.zeros(0, jnp.int32)
            wiring = replace(wiring, delay=empty, distinct_delays=tuple(range(longest + 1)))
            self.wirings[path] = ((identity, given), wiring)
        sides = [n_source if c.via == trigger else n_target for c in analyse(operation.code).changes]
        pairs = [interpolated.init(longest, n, setting.dtype) for n in sides]
        rings = tuple(np.asarray(pair[k]) for k in (0, 1) for pair in pairs)
        self.kinds[path] = "interpolated"
        rings = self._pending(operation, "interpolated", rings) or ()
        return self.wirings[path][1], tuple(map(jnp.asarray, rings))

    def _pending(self, operation: Deliver, kind: str, fresh: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        """Put spikes that are on their way into the new buffer."""
        kept = self.rings.get(operation.pathway)
        if kept is None or not any(np.any(ring) for ring in kept[1]):
            return fresh
        old_kind, old = kept
        if old_kind != kind or fresh is None or (kind != "source_ring" and len(old) != len(fresh)):
            if "spike_history" in old_kind:
                raise NotSupportedError(
                    f"{operation.synapses}: delays or synapses were changed between runs while spikes may be on their"
                    f" way; with different delays and code that runs at arrival, this version cannot tell which of them"
                    f" have arrived. Run {old[0].shape[0] - 1} steps without spikes of the source first"
                )
            raise NotSupportedError(
                f"{operation.synapses}: the delays were changed between runs from '{old_kind}' to '{kind}' while spikes"
                f" are on their way; this version keeps them only if delays stay all equal, or all different"
            )
        if any(a.shape[1:] != b.shape[1:] for a, b in zip(old, fresh, strict=False)):
            raise NetworkError(f"{operation.synapses}: the groups changed while spikes are on their way")
        if "spike_history" in kind:
            return old
        now = -(-self.step // operation.every)  # the next step of its own clock
        if kind == "source_ring":
            return source_ring.carry(old, now, fresh[0].shape[0] - 1)
        length = max(old[0].shape[0], fresh[0].shape[0])
        if kind == "interpolated":
            n = len(old) // 2
            pairs = [interpolated.resize(pair, now, length) for pair in zip(old[:n], old[n:], strict=True)]
            return tuple(pair[k] for k in (0, 1) for pair in pairs)
        return tuple(resize(ring, now, length) for ring in old)


def _array(key: Key, given: Any, setting: Setting) -> Any:
    """The value of a variable on the device."""
    variable = setting.program.variables[key]
    value = given.value if isinstance(given, HostVariable) else np.asarray(given)
    array = jnp.asarray(value, {"float": setting.dtype, "integer": np.int32, "boolean": np.bool_}[variable.type])
    return array[0] if variable.scalar and array.shape == (1,) else array


def _by_bits(steps: np.ndarray, operation: Deliver, code: Analysis, setting: Setting) -> bool:
    """Whether a GPU kernel keeps the history as a word of bits per source, and looks at all synapses of those not 0.

    Short rows make that cheap; of long rows only those synapses should be looked at that are due. The kernel is that of
    a group with a threshold, and looks at no neuron but its own.
    """
    source, scope = operation.source.owner, code.code.scope
    if not any(isinstance(op, Threshold) and op.domain.owner == source for op in setting.program.operations):
        return False
    if any(name in scope and scope[name].via not in ("self", "scalar") for name in code.reads):
        return False
    kernels = setting.execution in (None, "kernel") and kernel.available(setting.backend)
    return (
        kernels
        and code.several is None
        and steps.size < SHORT_ROWS * operation.source.size
        and int(steps.max()) < LONGEST_BITS
    )


def _reads_ends(operation: Operation) -> bool:
    """Whether an operation on synapses reads variables of the neurons at their ends."""
    code = getattr(operation, "code", None)
    if code is None or isinstance(operation, Deliver):
        return False
    read = set().union(*(names(s.value) for s in code.statements if isinstance(s, Assign)))
    for expression in (getattr(operation, "expressions", None) or {}).values():
        read |= names(expression)
    return any(n in code.scope and code.scope[n].via in ("pre", "post") for n in read)


def _ends(operation: Operation, parts: Parts) -> dict[str, np.ndarray]:
    """For each synapse the neurons at both ends, as places in the arrays of their groups."""
    owner = operation.domain.owner  # type: ignore[attr-defined]
    if f"{owner}.i" in parts.indices:
        return {}
    for other in parts.operations:
        if isinstance(other, Deliver) and other.synapses == owner:
            given = parts.connections[other.pathway]
            source, target = given.source + other.source.start, given.target + other.target.start
            return dict(
                zip((f"{owner}.i", f"{owner}.j"), (source, target)[:: 1 if other.trigger == "pre" else -1], strict=True)
            )
    raise NetworkError(f"{operation.name} needs to know which neurons the synapses of {owner} connect")


def _patterns(ends: Mapping[str, np.ndarray], setting: Setting) -> dict[str, Pattern]:
    """The synapses whose connections follow a simple rule; where sums are whole numbers they stay sums over indices."""
    if setting.execution == "deterministic":
        return {}
    owners = [name.removesuffix(".i") for name in ends if name.endswith(".i") and f"{name[:-2]}.j" in ends]
    found = {owner: find(ends[f"{owner}.i"], ends[f"{owner}.j"]) for owner in owners}
    return {owner: pattern for owner, pattern in found.items() if pattern is not None}


def _schedule(steps: np.ndarray, index: np.ndarray) -> Schedule:
    distinct, counts = np.unique(steps, return_counts=True)
    row_start = np.concatenate([[0], np.cumsum(counts)])
    return Schedule(
        jnp.asarray(distinct, jnp.int32),
        jnp.asarray(row_start, jnp.int32),
        jnp.asarray(index, jnp.int32),
        int(counts.max(initial=0)),
    )
