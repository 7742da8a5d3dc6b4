"""The loop around kernels of groups: what happens before the first launch, in every step, and after the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxsnn.delays import target_ring
from jaxsnn.events import Operands, fixed_point
from jaxsnn.events.gpu.triton import available
from jaxsnn.program import Deliver, Emit, Key, RecordRate, RecordSpikes, RecordState
from jaxsnn.simulation.frame import Frame
from jaxsnn.simulation.fused.arguments import Buffers, Units
from jaxsnn.simulation.fused.fits import fits
from jaxsnn.simulation.fused.group import PLANES, finish, rings_of
from jaxsnn.simulation.fused.launch import can_wait, catch_up, is_long, launch
from jaxsnn.simulation.fused.plan import Plan, changed, emitter, plan, sees
from jaxsnn.simulation.state import Params, Schedule, State
from jaxsnn.simulation.step import Step, sometimes

__all__ = ["Carry", "Fused"]

Array = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Carry:
    """What one step hands to the next.

    state: without tables; flags of groups with kernels are int8; agendas: of generators in kernels, where the spikes
    of each step of the run begin and end in their schedule, ``(2, steps)``; the rest: see `Buffers`.
    """

    state: State
    spikes: dict[str, Array]
    inbox: dict[Key, Array]
    history: dict[str, Array]
    rows: dict[str, Array]
    agendas: dict[str, Array]


@dataclass
class Between(Frame):
    """Working values of a step in which some groups' flags are int8."""

    def value(self, key: Key) -> Array:
        found = super().value(key)
        return found != 0 if found.dtype == jnp.int8 else found


class Fused:
    """A step some of whose groups have kernels of their own."""

    def __init__(self, step: Step, params: Params, state: State, ready: tuple[Any, ...]) -> None:
        self.step = step
        self.parts: Sequence[Any] = step.parts
        self.params = params
        self.tables = state.tables
        self.ready = ready
        frame = step.frame(params, state)
        sizes = {owner: size for (owner, _), size in step.setting.program.events.items()}
        exact = step.setting.execution == "deterministic"

        def reason(part: Any) -> str | None:
            if exact and isinstance(part.operation, Deliver) and not part.way.constant:
                return "what it adds changes, so nothing says how large a sum in fixed point can be"
            return fits(part, frame, ready[self.parts.index(part)])

        self.plan: Plan = plan(
            self.parts, sizes, reason, partial(is_long, frame=frame), partial(can_wait, frame=frame), exact
        )
        self.units: Units = self._units(frame) if exact else {}

    @staticmethod
    def of(step: Step, params: Params, state: State, ready: tuple[Any, ...]) -> Fused | None:
        """The step with kernels, if there can be any."""
        setting = step.setting
        possible = setting.execution in (None, "kernel") or (
            setting.execution == "deterministic" and setting.dtype == jnp.float32
        )
        if setting.gradient or setting.program.links or not possible or not available(setting.backend):
            return None
        for pathway, rings in state.rings.items():
            wiring = state.tables.wirings[pathway]
            if wiring.delay is None and len(rings) > 1:
                return None  # spikes of a run with other delays are still on their way
        fused = Fused(step, params, state, ready)
        return fused if fused.plan.groups else None

    # ---- before, during, after ------------------------------------------------------------------------------

    def enter(self, state: State, length: int) -> Carry:
        """Nothing waits at first; ``length`` rows for recorded spikes."""
        values = {owner: dict(names) for owner, names in state.values.items()}
        rings = dict(state.rings)
        inbox: dict[Key, Array] = {}
        rows: dict[str, Array] = {}
        history: dict[str, Array] = {}
        spikes: dict[str, Array] = {}
        frame = self.step.frame(self.params, state)
        for group in self.plan.groups:
            waits = any(self.parts[k].operation.source.owner == group.owner for k in self.plan.later)
            spikes[group.owner] = jnp.zeros((2 if waits else 1, group.size), jnp.int8)
            own = values.get(group.owner, {})
            values[group.owner] = {n: v.astype(jnp.int8) if v.dtype == jnp.bool_ else v for n, v in own.items()}
            for key in group.inbox:
                kind = jnp.int32 if ("inbox", key) in self.units else state.values[key[0]][key[1]].dtype
                inbox[key] = jnp.zeros((2, group.size), kind)
            for pathway, number, _ in rings_of(group, self.parts, frame):
                # What arrived in the step before is still in its slot.
                ring = rings[pathway][number]
                cleared = ring.at[(state.step - 1) % ring.shape[0]].set(0)
                if ("ring", (pathway, number)) in self.units:
                    up, _ = self.units[("ring", (pathway, number))]
                    cleared = fixed_point.rounded(cleared * up)
                rings[pathway] = (*rings[pathway][:number], cleared, *rings[pathway][number + 1 :])
            columns = -(-group.size // PLANES)
            if group.record is not None and length * columns < 2**31:
                rows[self.parts[group.record].operation.label] = jnp.zeros((length, columns), jnp.int8)
        for k in self.plan.deliveries:
            pathway = self.parts[k].operation.pathway
            if self.tables.wirings[pathway].at_arrival:
                history[pathway] = bits_of(rings[pathway][0], state.step)
            elif self.tables.wirings[pathway].delay is None and pathway in rings:
                rings[pathway] = tuple(ring.astype(jnp.int8) for ring in rings[pathway])
        moving = replace(state, values=values, rings=rings, tables=None)  # type: ignore[arg-type]
        return Carry(moving, spikes, inbox, history, rows, self._agendas(state.step, length))

    def __call__(self, carry: Carry, first: Array, inputs: Any = None) -> tuple[Carry, dict[str, Any]]:
        """One step of a run that began at step ``first``."""
        frame = self._frame(carry)
        buffers = Buffers(dict(carry.spikes), dict(carry.inbox), dict(carry.history), dict(carry.rows))
        done = self._finished(frame, buffers, frame.step - 1)
        record: dict[str, Any] = {}
        following = None
        late: list[int] = []
        for k, part in enumerate(self.parts):
            op = part.operation
            if k == self.plan.place:
                following = self._launch(frame, buffers, first, carry.agendas)
            with jax.named_scope(op.slot), jax.named_scope(op.name):
                if isinstance(op, RecordState | RecordSpikes | RecordRate):
                    seen = [g for g in self.plan.groups if sees(op, g.owner)]
                    if any(isinstance(op, RecordSpikes | RecordRate) or k > g.before[0] for g in seen):
                        late.append(k)
                    else:
                        record[op.label] = part.record(done if seen else frame, self.ready[k])
                elif k in self.plan.inside:
                    continue
                elif isinstance(op, Deliver) and any(key in buffers.inbox for key in changed(part)):
                    self._outside(part, self.ready[k], frame, buffers)
                elif op.always:
                    part.apply(frame, self.ready[k])
                else:
                    sometimes(part, self.ready[k], frame)
        if following is None:
            following = self._launch(frame, buffers, first, carry.agendas)
        if late:
            finished = self._finished(frame, buffers, frame.step)
            for k in late:
                label = self.parts[k].operation.label
                if label not in buffers.rows:
                    record[label] = self.parts[k].record(finished, self.ready[k])
        state = replace(self.step.state(frame, carry.state), step=following)
        return Carry(state, buffers.spikes, buffers.inbox, buffers.history, buffers.rows, carry.agendas), record

    def leave(self, carry: Carry) -> tuple[State, dict[str, Any]]:
        """Finish the last step; the state, and the rows that kernels recorded."""
        frame = self._frame(carry)
        buffers = Buffers(dict(carry.spikes), carry.inbox, carry.history, carry.rows)
        catch_up(self.plan, frame, buffers, self.parts, self.ready, self.units)
        finished = self._finished(frame, buffers, frame.step - 1)
        for k in self.plan.deliveries:
            pathway = self.parts[k].operation.pathway
            if pathway in carry.history:
                (ring,) = finished.rings[pathway]
                finished.rings[pathway] = (flags_of(carry.history[pathway], frame.step - 1, ring.shape[0]),)
            elif pathway in finished.rings and self.tables.wirings[pathway].delay is None:
                finished.rings[pathway] = tuple(ring != 0 for ring in finished.rings[pathway])
        finished.step = frame.step - 1
        for k in self.plan.emits:  # kernels went by the agenda; the state keeps which spikes came last
            op = self.parts[k].operation
            schedule = self.tables.schedules[op.name]
            finished.cursors[op.name] = _entry(schedule, op, finished.step)[0].astype(finished.cursors[op.name].dtype)
            self.parts[k].apply(finished, self.ready[k])
        for kind, name in self.units:
            if kind == "ring":
                rings = list(finished.rings[name[0]])
                rings[name[1]] = self._amount(kind, name, rings[name[1]])
                finished.rings[name[0]] = tuple(rings)
        finished.values = {key: finished.value(key) for key in finished.values}
        state = replace(self.step.state(finished, carry.state), step=carry.state.step, tables=self.tables)
        rows = {
            label: {"spikes": jax.lax.bitcast_convert_type(packed, jnp.uint8)} for label, packed in carry.rows.items()
        }
        return state, rows

    # ---- pieces -------------------------------------------------------------------------------------------

    def _frame(self, carry: Carry) -> Frame:
        plain = self.step.frame(self.params, replace(carry.state, tables=self.tables))
        frame = Between(**vars(plain))
        for group in self.plan.groups:
            frame.events[(group.owner, group.event)] = _fired(carry.spikes[group.owner], frame.step - 1)
        return frame

    def _launch(self, frame: Frame, buffers: Buffers, first: Array, agendas: Mapping[str, Array]) -> Array:
        with jax.named_scope("kernels"):
            following = launch(self.plan, frame, buffers, self.parts, self.ready, first, self.units, agendas)
        for group in self.plan.groups:
            frame.events[(group.owner, group.event)] = _fired(buffers.spikes[group.owner], frame.step)
        return following

    def _agendas(self, first: Array, length: int) -> dict[str, Array]:
        """For each generator in a kernel: where the spikes of each step of a run begin and end."""
        groups = {group.owner for group in self.plan.groups}
        found = {}
        for owner in dict.fromkeys(self.parts[k].operation.source.owner for k in self.plan.deliveries):
            if owner not in groups:
                op = emitter(owner, self.parts).operation
                schedule = self.tables.schedules[op.name]
                entry, hit = _entry(schedule, op, first + jnp.arange(length, dtype=jnp.int32))
                entry = jnp.where(hit, entry, 0)
                begin = schedule.row_start[entry]
                found[owner] = jnp.stack([begin, jnp.where(hit, schedule.row_start[entry + 1], begin)])
        return found

    def _finished(self, frame: Frame, buffers: Buffers, step: Array) -> Frame:
        """The values at the end of a step."""
        copy: Frame = replace(frame, values=dict(frame.values), events=dict(frame.events), rings=dict(frame.rings))
        for group in self.plan.groups:
            arrivals: dict[Key, Array] = {}
            waiting: list[tuple[Key, str, Any, Array]] = [(k, "inbox", k, buffers.inbox[k]) for k in group.inbox]
            for pathway, number, key in rings_of(group, self.parts, frame):
                waiting.append((key, "ring", (pathway, number), frame.rings[pathway][number]))
            for key, kind, name, ring in waiting:
                amount = self._amount(kind, name, ring[step % ring.shape[0]])
                arrivals[key] = arrivals[key] + amount if key in arrivals else amount
            # Before the first step there is none to finish, and no operation expects a negative one.
            inner = replace(copy, values=_WithFlags(copy), step=jnp.maximum(step, 0))
            finish(group, inner, arrivals, self.parts, self.ready)
            copy.values.update(inner.values.changed)  # type: ignore[attr-defined]
        return copy

    def _amount(self, kind: str, name: Any, sums: Array) -> Array:
        """Sums of a buffer as floats."""
        if (kind, name) not in self.units:
            return sums
        return sums.astype(self.step.setting.dtype) * self.units[(kind, name)][1]

    def _units(self, frame: Frame) -> Units:
        """For each buffer a unit that no sum of a step exceeds 2**30 times."""
        largest: dict[tuple[str, Any], Array] = {}
        for k in self.plan.deliveries:
            op, way = self.parts[k].operation, self.parts[k].way
            wiring = frame.tables.wirings[op.pathway]
            inputs = jnp.zeros(wiring.n_target, jnp.int32).at[wiring.target].add(1)
            values = self.ready[k].execution.values
            for number, (change, value) in enumerate(zip(way.changes, values, strict=True)):
                ring = wiring.delay is not None
                name = ("ring", (op.pathway, number)) if ring else ("inbox", change.ref.key)
                sums = jnp.max(jnp.abs(value), initial=0) * jnp.max(inputs, initial=1)
                largest[name] = largest.get(name, jnp.float32(0)) + sums
        units = {}
        for name, most in largest.items():
            exponent = jnp.maximum(fixed_point.unit(most.astype(jnp.float32)), -120)
            units[name] = (fixed_point.power(-exponent, jnp.float32), fixed_point.power(exponent, jnp.float32))
        return units

    def _outside(self, part: Any, ready: Any, frame: Frame, buffers: Buffers) -> None:
        """A pathway of its own that adds to a group with a kernel: into the buffers."""
        if ready is None:
            return
        op, way = part.operation, part.way
        spikes = part.arriving(frame)
        wiring = frame.tables.wirings[op.pathway]
        now = frame.clock("t_in_timesteps", op.every)
        rings = frame.rings[op.pathway] if wiring.delay is not None and not wiring.at_arrival else ()
        current = tuple(way.part(frame, k) for k in range(len(way.changes)))
        waits = [change.ref.key in buffers.inbox for change in way.changes]
        slots = [
            buffers.inbox[change.ref.key][now % 2] if wait else old
            for change, wait, old in zip(way.changes, waits, current, strict=True)
        ]
        operands = Operands() if way.constant else way.operands(frame, ready.hoisted)
        new = way.execution(frame).deliver(
            ready.execution, wiring, spikes, way.contribution, operands, rings or tuple(slots), now
        )
        kept = list(rings)
        for k, (change, wait) in enumerate(zip(way.changes, waits, strict=True)):
            key = change.ref.key
            if rings and wait:
                kept[k] = new[k]
            elif rings:
                arrived, kept[k] = target_ring.take(new[k], now)
                way.store(frame, change.ref, current[k], current[k] + arrived)
            elif wait:
                buffers.inbox[key] = buffers.inbox[key].at[now % 2].set(new[k])
            else:
                way.store(frame, change.ref, current[k], new[k])
        if rings:
            frame.rings[op.pathway] = tuple(kept)


def _fired(flags: Array, step: Array) -> Array:
    """The flags of a step, which has a row of its own if there are two."""
    return flags[step % flags.shape[0] if flags.shape[0] > 1 else 0] != 0


def _entry(schedule: Schedule, emit: Emit, step: Array) -> tuple[Array, Array]:
    """The entry of a schedule at which a step looks, and whether the entry is that step's."""
    now = step % emit.period if emit.period else step
    entry = jnp.searchsorted(schedule.steps, now)
    if schedule.steps.shape[0] == 0:
        return entry, jnp.zeros(jnp.shape(entry), bool)
    return entry, schedule.steps[jnp.minimum(entry, schedule.steps.shape[0] - 1)] == now


def bits_of(ring: Array, step: Array) -> Array:
    """A spike history ``(D, n)`` as words, before a step: bit j for the step j + 1 steps ago."""
    length, size = ring.shape
    words = -(-length // 32)
    ago = jnp.arange(32 * words)
    flags = ring[(step - 1 - ago) % length] & (ago < length - 1)[:, None]
    shifted = flags.astype(jnp.uint32).reshape(words, 32, size) << jnp.arange(32, dtype=jnp.uint32)[:, None]
    return jax.lax.bitcast_convert_type(shifted.sum(1, dtype=jnp.uint32), jnp.int32)


def flags_of(words: Array, step: Array, length: int) -> Array:
    """The spike history after a step; the inverse of `bits_of`."""
    ago = jnp.arange(length)
    flags = (words[ago // 32] >> (ago % 32)[:, None]) & 1
    return jnp.zeros(flags.shape, bool).at[(step - ago) % length].set(flags != 0)


class _WithFlags(dict[Key, Any]):
    """Values of a frame with flags as booleans; what is written stands in ``changed``."""

    def __init__(self, frame: Frame) -> None:
        super().__init__(frame.values)
        self.frame = frame
        self.changed: dict[Key, Any] = {}

    def __getitem__(self, key: Key) -> Any:
        found = super().__getitem__(key)
        return found != 0 if found.dtype == jnp.int8 else found

    def __setitem__(self, key: Key, value: Any) -> None:
        super().__setitem__(key, value)
        self.changed[key] = value
