"""Spikes on their way between two runs: what Brian2 keeps in the queue of a pathway.

Between runs everything is Brian2's business: delays may change, or the time step; a network may be stored and
restored. So a queue holds plain pairs, *synapse s is due in k steps*. The delay buffers of the run before are kept
beside them, and taken as they are if nothing has changed; they become pairs only when somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from jaxsnn.delays import delay_steps

__all__ = ["Buffers", "SpikeQueue"]

Slots = list[np.ndarray]
"""For each number of steps from now, the synapses at which a spike arrives, in the order of arrival."""


@dataclass(frozen=True)
class Buffers:
    """The delay buffers of a pathway after a run, and what tells which synapses they mean.

    kind, rings: as in `jaxsnn.network.assembly`; step: the next step of the pathway's clock; source, target: (S,) the
    neurons of each synapse; delay: (S,) in steps; trail: steps and neurons of the last spikes; reads: values that were
    used when the spikes were fired, by name.
    """

    kind: str
    rings: tuple[np.ndarray, ...]
    step: int
    source: np.ndarray
    target: np.ndarray
    delay: np.ndarray
    trail: tuple[np.ndarray, np.ndarray]
    reads: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def slots(self) -> Slots:
        """The synapses on which spikes are."""
        if self.kind == "source_ring":
            return self._by_arrival()
        steps, neurons = self._past() if self.kind.startswith("spike_history") else self.trail
        slots: Slots = []
        order = np.argsort(self.source, kind="stable")
        start = np.searchsorted(self.source[order], np.arange(self.source.max(initial=-1) + 2))
        for step, neuron in zip(steps, neurons, strict=True):
            if neuron + 1 >= start.size:
                continue
            synapses = order[start[neuron] : start[neuron + 1]]
            due = step + self.delay[synapses] - self.step
            for k in np.unique(due[due >= 0]):
                slots.extend(np.zeros(0, np.int32) for _ in range(int(k) + 1 - len(slots)))
                slots[k] = np.concatenate([slots[k], synapses[due == k].astype(np.int32)])
        return slots

    def _by_arrival(self) -> Slots:
        slots: Slots = []
        for ring in reversed(self.rings):  # what earlier runs left over comes after the newest in the buffers
            for k in range(ring.shape[0] - 1):
                synapses = np.flatnonzero(ring[(self.step + k) % ring.shape[0]][self.source])
                synapses = synapses[np.argsort(self.source[synapses], kind="stable")].astype(np.int32)
                slots.extend(np.zeros(0, np.int32) for _ in range(k + 1 - len(slots)))
                slots[k] = np.concatenate([slots[k], synapses])
        return slots

    def _past(self) -> tuple[np.ndarray, np.ndarray]:
        ring = self.rings[0]
        back = np.arange(ring.shape[0] - 1, 0, -1)
        rows = ring[(self.step - back) % ring.shape[0]]
        which, neuron = np.nonzero(rows)
        return self.step - back[which], neuron


class SpikeQueue:
    """The queue of one pathway, with the methods that Brian2 calls (and, in its own loop, uses in every step)."""

    def __init__(self, source_start: int, source_end: int) -> None:
        self._state_tuple = (source_start, source_end)
        self._start, self._stop = source_start, source_end
        self._dt = 0.0
        self._slots: Slots = []
        self.buffers: Buffers | None = None
        self._delay = np.zeros(0, np.int32)
        self._rows: list[np.ndarray] = []

    # ---- between runs ------------------------------------------------------------------------------

    @property
    def slots(self) -> Slots:
        """Pairs only: buffers of a run are taken apart."""
        if self.buffers is not None:
            merged = self.buffers.slots()
            for k, synapses in enumerate(self._slots):
                merged.extend(np.zeros(0, np.int32) for _ in range(k + 1 - len(merged)))
                merged[k] = np.concatenate([synapses, merged[k]])
            self._slots, self.buffers = merged, None
        return self._slots

    @property
    def rest(self) -> Slots:
        """Pairs besides what the buffers hold."""
        return self._slots

    def keep(self, rest: Slots, buffers: Buffers | None) -> None:
        """What a run left."""
        self._slots, self.buffers = rest, buffers

    def prepare(self, delays: np.ndarray, dt: float, sources: np.ndarray) -> None:
        """A run begins: spikes on their way keep their time if the time step is another."""
        if self._dt and self._dt != dt and (self._slots or self.buffers is not None):
            old, self._slots = self.slots, []
            for k, synapses in enumerate(old):
                new = round(k * self._dt / dt)
                self._slots.extend(np.zeros(0, np.int32) for _ in range(new + 1 - len(self._slots)))
                self._slots[new] = np.concatenate([self._slots[new], synapses])
        self._dt = dt
        self._delays, self._sources = delays, sources
        self._rows = []

    def _full_state(self) -> dict[str, Any]:
        return {"dt": self._dt, "slots": [s.copy() for s in self._slots], "buffers": self.buffers}

    def _restore_from_full_state(self, state: Mapping[str, Any] | None) -> None:
        state = state or {"dt": 0.0, "slots": [], "buffers": None}
        self._dt, self.buffers = state["dt"], state["buffers"]
        self._slots = [s.copy() for s in state["slots"]]

    def get_capsule(self) -> object:
        """Brian2 hands this to generated C++ code; there is none."""
        return object()

    # ---- in Brian2's own loop ----------------------------------------------------------------------

    def push(self, spikes: np.ndarray) -> None:
        """Spikes of neurons, given by their places in the whole group."""
        spikes = np.asarray(spikes)
        spikes = spikes[(spikes >= self._start) & (spikes < self._stop)] - self._start
        slots = self.slots
        if not self._rows:
            steps = delay_steps(self._delays, self._dt)
            self._delay = np.broadcast_to(steps, (self._sources.size,))
            order = np.argsort(self._sources, kind="stable").astype(np.int32)
            starts = np.searchsorted(self._sources[order], np.arange(self._start, self._stop + 1))
            self._rows = [order[a:b] for a, b in pairwise(starts)]
        if not spikes.size:
            return
        synapses = np.concatenate([self._rows[i] for i in spikes])
        due = self._delay[synapses]
        for k in np.unique(due):
            slots.extend(np.zeros(0, np.int32) for _ in range(int(k) + 1 - len(slots)))
            slots[k] = np.concatenate([slots[k], synapses[due == k]])

    def peek(self) -> np.ndarray:
        """Synapses at which a spike arrives now."""
        return self.slots[0] if self.slots else np.zeros(0, np.int32)

    def advance(self) -> None:
        """To the next step."""
        del self.slots[:1]
