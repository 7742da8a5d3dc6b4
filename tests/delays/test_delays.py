"""Delays: rounding, rings against a dictionary of due times, and resizing with events in flight."""

from __future__ import annotations

from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxsnn.delays import choose, delay_steps, resize, source_ring, target_ring
from jaxsnn.errors import DelayError

DT = 0.1e-3


@pytest.mark.parametrize(
    ("milliseconds", "steps"),
    [(0, 0), (0.04, 0), (0.05, 1), (0.1, 1), (0.15, 1), (0.25, 3), (1.5, 15), (1e4, 100_000)],
)
def test_delay_steps(milliseconds, steps):
    assert delay_steps(milliseconds * 1e-3, DT) == steps


def test_delay_steps_keep_shape_and_type():
    steps = delay_steps(np.array([[1e-3, 2e-3]]), DT)
    assert steps.shape == (1, 2)
    assert steps.dtype == np.int32


@pytest.mark.parametrize("seconds", [-1e-9, np.nan, np.inf, -np.inf, 2**31 * DT])
def test_delay_steps_refuse(seconds):
    with pytest.raises(DelayError, match=r"entry 1, the first of 1 such"):
        delay_steps(np.array([0.0, seconds]), DT)
    with pytest.raises(ValueError, match="delays must be numbers from 0 to 2147483647 steps"):
        delay_steps(seconds, DT)


@pytest.mark.parametrize("dt", [0.0, -1.0, np.nan])
def test_delay_steps_refuse_a_step(dt):
    with pytest.raises(DelayError, match="dt must be a positive"):
        delay_steps(1e-3, dt)


@pytest.mark.parametrize(("delay", "length"), [(1, 2), (4, 5), (4, 6), (3, 11), (0, 1), (0, 3)])
@pytest.mark.parametrize("traced", [False, True])
def test_source_ring_is_a_shift_in_time(delay, length, traced):
    spikes = np.random.default_rng(delay).random((30, 7)) < 0.3
    ring = source_ring.init(length - 1, 7)
    d = jnp.int32(delay) if traced else delay

    def step(ring, x):
        due, ring = source_ring.exchange(ring, x[0], x[1], d)
        return ring, due

    _, due = jax.jit(lambda r: lax.scan(step, r, (jnp.arange(30), spikes)))(ring)
    np.testing.assert_array_equal(due[:delay], False)
    np.testing.assert_array_equal(due[delay:], spikes[: 30 - delay])


def test_source_ring_keeps_due_times_when_the_delay_changes():
    """Delay 5 for ten steps, then 2: what is in flight arrives when it was going to."""
    spikes = np.random.default_rng(1).random((20, 50)) < 0.1
    expected = np.zeros((40, 50), bool)
    ring, seen = source_ring.init(5, 50), []
    for t in range(30):
        delay = 5 if t < 10 else 2
        now = spikes[t] if t < 20 else np.zeros(50, bool)
        expected[t + delay] |= now
        due, ring = source_ring.exchange(ring, t, jnp.asarray(now), delay)
        seen.append(np.asarray(due))
    np.testing.assert_array_equal(seen, expected[:30])


def test_carried_source_rings_keep_every_spike():
    """Random delays, changed every few steps: each spike arrives once, at its time."""
    rng = np.random.default_rng(3)
    spikes = rng.random((60, 8)) < 0.4
    expected, seen = np.zeros((80, 8), int), np.zeros((80, 8), int)
    rings, delay, most = (np.asarray(source_ring.init(4, 8)),), 4, 1
    for t in range(80):
        if t % 4 == 0:
            delay = int(rng.integers(0, 9))
            rings = source_ring.carry(rings, t, delay)
            most = max(most, len(rings))
        now = spikes[t] if t < 60 else np.zeros(8, bool)
        expected[t + delay if t < 60 else 0] += now
        new = []
        for k, ring in enumerate(rings):
            due, ring = source_ring.exchange(jnp.asarray(ring), t, jnp.asarray(now & (k == 0)), delay if k == 0 else 0)
            seen[t] += np.asarray(due)
            new.append(np.asarray(ring))
        rings = tuple(new)
    assert expected.max() > 1
    assert most > 1
    np.testing.assert_array_equal(seen, expected)


def test_target_ring_delivers_each_increment_once():
    rng = np.random.default_rng(0)
    due = defaultdict(lambda: np.zeros(4))
    ring = target_ring.init(6, 4)
    for t in range(40):
        delay, to, amount = int(rng.integers(0, 7)), int(rng.integers(0, 4)), float(t + 1)
        due[t + delay][to] += amount
        ring = ring.at[(t + delay) % 8, to].add(amount)
        arrivals, ring = target_ring.take(ring, t)
        np.testing.assert_array_equal(arrivals, due[t])


@pytest.mark.parametrize("length", [4, 5, 8, 17])
@pytest.mark.parametrize("step", [0, 1, 6, 23])
def test_resize_keeps_due_times(step, length):
    ring = np.zeros((5, 2), np.float32)
    ring[(step - 1) % 5] = [8, 9]  # arrived in the step before: no longer in flight
    ring[(step + 0) % 5] = [1, 2]
    ring[(step + 2) % 5] = [3, 4]
    new = jnp.asarray(resize(ring, step, length))
    assert new.dtype == jnp.float32
    arrivals = []
    for t in range(step, step + 20):
        now, new = target_ring.take(new, t)
        arrivals.append(np.asarray(now).tolist())
    assert arrivals == [[1, 2], [0, 0], [3, 4], *[[0, 0]] * 17]


def test_resize_refuses_to_lose_events():
    ring = np.zeros((5, 2), bool)
    ring[(7 + 3) % 5, 1] = True
    with pytest.raises(DelayError, match=r"due at step 10\. Use a length of at least 5"):
        resize(ring, step=7, length=4)
    assert resize(ring, step=7, length=5)[10 % 5].tolist() == [False, True]


def test_resize_of_a_source_ring_then_continue():
    spikes = np.random.default_rng(4).random((12, 30)) < 0.2
    ring, seen = source_ring.init(3, 30), []
    expected = np.zeros((40, 30), bool)
    for t in range(24):
        if t == 7:
            ring = jnp.asarray(source_ring.resize(ring, t, 9))
        delay = 3 if t < 7 else 8
        now = spikes[t] if t < 12 else np.zeros(30, bool)
        expected[t + delay] |= now
        due, ring = source_ring.exchange(ring, t, jnp.asarray(now), delay)
        seen.append(np.asarray(due))
    np.testing.assert_array_equal(seen, expected[:24])


@pytest.mark.parametrize(
    ("steps", "additive", "changing", "expected"),
    [
        (0, True, True, ("none", 0)),
        (15, False, True, ("source_ring", 16)),
        (np.full(9, 15), False, True, ("source_ring", 16)),
        (np.zeros(9, int), False, True, ("none", 0)),
        (np.zeros(0, int), True, False, ("none", 0)),
        (np.array([2, 0, 5]), True, False, ("target_ring", 7)),
        (np.array([2, 0, 5]), True, True, ("spike_history", 6)),
        (np.array([2, 0, 5]), False, False, ("spike_history", 6)),
    ],
)
def test_choice(steps, additive, changing, expected):
    choice = choose(steps, additive=additive, reads_changing=changing)
    assert choice[:2] == expected
    assert choice.reason


def test_rings_are_updated_in_place_inside_scan():
    """A copy of the ring in each step would dominate long delays; XLA makes none in the loop."""

    def step(carry, x):
        ring, flags, total = carry
        t, spikes = x
        due, flags = source_ring.exchange(flags, t, spikes, 63)
        ring = ring.at[(t + 5) % 64, 3].add(1.0)
        arrivals, ring = target_ring.take(ring, t)
        return (ring, flags, 0.9 * total + arrivals + due), None

    start = target_ring.init(62, 100), source_ring.init(63, 100), jnp.zeros(100)
    xs = jnp.arange(9), jnp.zeros((9, 100), bool)
    compiled = jax.jit(lambda c, xs: lax.scan(step, c, xs)[0]).lower(start, xs).compile()
    body, _, entry = compiled.as_text().partition("ENTRY")
    assert "[64,100]" in body
    copies = [line for line in body.splitlines() if " copy(" in line and "[64,100]" in line]
    assert copies == [], entry
