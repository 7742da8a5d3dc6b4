"""Long runs from the host: NaN, interruption, progress, memory."""

import contextlib
import io
import os
import re
import signal
import sys
import threading

import jax.numpy as jnp
import numpy as np
import pytest
from contracts.compare import agree
from contracts.networks import NETWORKS, SEED

import jaxsnn as snn
from jaxsnn.errors import NumericalError
from jaxsnn.events.gpu import triton
from jaxsnn.objects.base import Recorder
from jaxsnn.simulation import hostloop
from jaxsnn.simulation.records import compact, pack, unpack
from jaxsnn.units import ms, second

STEP = 0.1 * ms


def contents(net):
    """Everything a network holds: values, recordings, time, spikes on their way."""
    return {
        "values": {o.name: {k: h.value for k, h in getattr(o, "_hosts", {}).items()} for o in net.objects},
        "records": {o.name: o.snapshot() for o in net.objects if isinstance(o, Recorder)},
        "rings": net._kept.rings and {k: v[1] for k, v in net._kept.rings.items()},
        "t": float(net.t / second),
    }


def copy(tree):
    import jax

    return jax.tree.map(np.array, tree)


# ---- NaN -------------------------------------------------------------------------------------------


def blow_up(start, rate, steps):
    """Steps of v <- v + dt*rate*v**2 in 32 bits until v is infinite."""
    v, dt = np.float32(start), np.float32(1e-4)
    with np.errstate(over="ignore"):
        for step in range(steps):
            v = np.float32(v + dt * (np.float32(rate) * v * v))
            if not np.isfinite(v):
                return step
    return None


@pytest.mark.parametrize("longest", [16384, 10])
def test_the_first_value_that_is_not_finite_is_named(longest, monkeypatch):
    monkeypatch.setattr(hostloop, "LONGEST", longest)
    group = snn.NeuronGroup(5, "dv/dt = k*v**2 : 1\ndu/dt = -u/(10*ms) : 1\nk : Hz", method="euler")
    group.label("runaway")
    group.k = [0, 1000, 0, 1500, 0] / second
    group.v = 1
    group.u = 1
    trace = snn.StateMonitor(group, "u", record=0)
    trace.label("trace")
    net = snn.Network(group, trace)
    step = blow_up(1, 1500, 100)
    assert step is not None
    assert 10 < step < 40
    with pytest.raises(NumericalError) as caught:
        net.run(10 * ms)
    assert re.match(rf"runaway\.v of element 3 became inf in the step at t = {step * 0.1:g} ms\. ", str(caught.value))
    # Values, time and recordings end together, before the failure.
    done = round(float(net.t / STEP))
    assert 0 <= done <= step
    assert len(trace.t) == done
    assert np.all(np.isfinite(group.v[:]))
    assert group.u[0] == pytest.approx((1 - 0.01) ** done, rel=1e-5)
    if longest == 10:
        assert done == step // 10 * 10


def test_nan_in_several_variables_and_elements():
    group = snn.NeuronGroup(
        4, "v : 1\nw : 1\na : 1 (constant)", threshold="t > 1.95*ms and i < 3", reset="v = log(a)\nw = v"
    )
    group.label("cells")
    group.a = [-1, 1, -1, -1]
    with pytest.raises(
        NumericalError, match=r"cells\.v of element 0 became nan in the step at t = 2 ms, with 1 other"
    ) as e:
        snn.Network(group).run(10 * ms)
    assert "(in the same step: cells.w)" in str(e.value)


def test_a_blow_up_in_float64_comes_later(x64):
    """The same model in 64 bits: one step more or two, named at its own time."""
    group = snn.NeuronGroup(1, "dv/dt = 1500*Hz*v**2 : 1", method="euler")
    group.label("runaway")
    group.v = 1
    v, step = 1.0, 0
    with np.errstate(over="ignore"):
        while np.isfinite(v := np.float64(v) + 1e-4 * (1500 * np.float64(v) ** 2)):
            step += 1
    assert step > blow_up(1, 1500, 100)
    with pytest.raises(NumericalError, match=rf"became inf in the step at t = {step * 0.1:g} ms\."):
        snn.Network(group, dtype="float64").run(10 * ms)


# ---- interruption ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["raised by the report", "signal"])
@pytest.mark.parametrize("name", ["delays", "noise", "own_clock"])
def test_an_interrupted_run_can_be_continued(name, how, monkeypatch):
    monkeypatch.setattr(hostloop, "LONGEST", 20)
    snn.seed(SEED)
    net = NETWORKS[name]("float32")
    net.run(0 * ms)
    net.store()
    net.run(12 * ms)
    expected = copy(contents(net))
    net.restore(restore_random_state=True)
    calls = []

    def report(elapsed, completed, start, duration):
        calls.append(completed)
        if len(calls) == 4:
            if how == "signal":
                os.kill(os.getpid(), signal.SIGINT)
            else:
                raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"run interrupted at t = 6 ms"):
        net.run(12 * ms, report=report, report_period=0 * ms)
    assert signal.getsignal(signal.SIGINT) is before
    # One call before the run, then one after each chunk of 20 steps.
    np.testing.assert_allclose(calls, [0, 1 / 6, 2 / 6, 3 / 6])
    assert float(net.t / ms) == pytest.approx(6)
    spikes = net["spikes"]
    assert np.all(spikes.t < 6 * ms)
    if "trace" in net:
        monitor = net["trace"]
        assert len(monitor.t) == round(float(6 * ms / (monitor._dt or STEP)))
    net.run(6 * ms)
    agree(expected, contents(net))


def test_an_error_of_a_report_function_leaves_a_consistent_state(monkeypatch):
    monkeypatch.setattr(hostloop, "LONGEST", 20)
    net = NETWORKS["delays"]("float32")

    def report(elapsed, completed, start, duration):
        if completed > 0.3:
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        net.run(10 * ms, report=report, report_period=0 * ms)
    assert float(net.t / ms) == pytest.approx(4)
    assert np.all(net["spikes"].t < 4 * ms)


def test_a_run_in_another_thread():
    """Signal handlers belong to the main thread: elsewhere a run does without."""
    net = NETWORKS["delays"]("float32")
    failures = []

    def work():
        try:
            net.run(1 * ms)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []
    assert float(net.t / ms) == pytest.approx(1)


# ---- progress ---------------------------------------------------------------------------------------


def test_a_report_function_is_told_times_with_units(monkeypatch):
    monkeypatch.setattr(hostloop, "LONGEST", 50)
    net = NETWORKS["delays"]("float32")
    net.run(1 * ms)
    calls = []
    net.run(10 * ms, report=lambda *given: calls.append(given), report_period=0 * ms)
    elapsed, completed, starts, durations = zip(*calls, strict=True)
    assert completed == (0, 0.5, 1.0)
    assert [float(s / ms) for s in starts] == pytest.approx([1] * 3)
    assert [float(d / ms) for d in durations] == pytest.approx([10] * 3)
    seconds = [float(e / second) for e in elapsed]
    assert seconds == sorted(seconds)
    # With a long period: the beginning and the end only.
    calls.clear()
    net.run(10 * ms, report=lambda *given: calls.append(given), report_period=1000 * second)
    assert [c[1] for c in calls] == [0, 1.0]
    calls.clear()
    net.run(0 * ms, report=lambda *given: calls.append(given))
    assert [c[1] for c in calls][-1] == 1.0


@pytest.mark.parametrize("report, stream", [("text", "stdout"), ("stdout", "stdout"), ("stderr", "stderr")])
def test_the_bar_ends_at_the_duration(report, stream, monkeypatch):
    net = NETWORKS["delays"]("float32")
    text = io.StringIO()
    monkeypatch.setattr(sys, stream, text)
    net.run(20 * ms, report=report)
    assert re.search(r"simulated: 100% .* 0\.02/0\.02 s", text.getvalue())


def test_a_report_that_is_neither():
    with pytest.raises(snn.errors.ArgumentError, match=r"no report 'bar'.*'text'"):
        NETWORKS["delays"]("float32").run(1 * ms, report="bar")


# ---- memory ---------------------------------------------------------------------------------------------


def test_the_memory_of_records_is_bounded(monkeypatch):
    """1000 steps of 8 kB of record with 100 kB for them: 12 steps a chunk, whatever the duration."""
    import jax

    monkeypatch.setattr(hostloop, "MEMORY", 100_000)
    group = snn.NeuronGroup(2000, "dv/dt = -v/(10*ms) : 1")
    group.v = 1
    trace = snn.StateMonitor(group, "v", record=True)
    net = snn.Network(group, trace)
    net.run(100 * ms)
    ((_, _, loop),) = net._simulations
    assert list(loop._chunks) == [100_000 // 8000]
    params, state = loop.simulation.init(0)
    _, rows = jax.eval_shape(loop._chunks[12], params, state, 12)
    assert rows[trace.name]["v"].shape == (12, 2000)
    assert trace.v.shape == (2000, 1000)
    np.testing.assert_allclose(trace.v[7], np.exp(-np.arange(1000) / 100), rtol=2e-5)


def test_a_group_in_more_than_one_chunk_has_every_spike(monkeypatch):
    """300 neurons, each in every step, in chunks of 7: none is lost or doubled at the seams."""
    monkeypatch.setattr(hostloop, "LONGEST", 7)
    group = snn.NeuronGroup(300, "v : 1", threshold="v >= 0", reset="")
    spikes = snn.SpikeMonitor(group)
    rate = snn.PopulationRateMonitor(group)
    snn.Network(group, spikes, rate).run(10 * ms)
    np.testing.assert_array_equal(spikes.i, np.tile(np.arange(300), 100))
    np.testing.assert_allclose(spikes.t / ms, np.repeat(np.arange(100), 300) / 10, atol=1e-9)
    assert spikes.count.tolist() == [100] * 300
    np.testing.assert_allclose(rate.rate / second**-1, 1e4)


# ---- lists of spikes -------------------------------------------------------------------------------


BITS = [(50, 37, 0.1), (3, 1, 0.5), (20, 4000, 0.01), (8, 64, 1), (5, 9, 0)]


def flags(steps, size, rate):
    given = np.random.default_rng(1).random((steps, size)) < rate
    return given, np.stack([np.asarray(pack(jnp.asarray(row))) for row in given])


@pytest.mark.parametrize(("steps", "size", "rate"), BITS)
def test_spikes_are_unpacked_in_order(steps, size, rate):
    given, packed = flags(steps, size, rate)
    np.testing.assert_array_equal(unpack(packed, size), np.nonzero(given))


@pytest.mark.parametrize(("steps", "size", "rate"), BITS)
@pytest.mark.parametrize("where", ["host", pytest.param("device", marks=pytest.mark.gpu)])
def test_spikes_are_listed_by_the_kernel_in_the_same_order(steps, size, rate, where):
    given, packed = flags(steps, size, rate)
    valid = steps - 1  # rows after the last one may hold anything
    expected = np.nonzero(given[:valid])
    with triton.interpreted() if where == "host" else contextlib.nullcontext():
        counts, elements = compact(jnp.asarray(packed), jnp.asarray(valid), size, 4096)
    np.testing.assert_array_equal(counts[:valid], given[:valid].sum(axis=1))
    np.testing.assert_array_equal(elements[: expected[0].size], expected[1])


@pytest.mark.parametrize("places", [1, 4096])
def test_recordings_are_the_same_with_lists_that_were_too_short_at_first(places, monkeypatch):
    def spikes():
        snn.seed(3)
        group = snn.NeuronGroup(50, "rate : Hz", threshold="rand() < rate*dt", name="cells")
        group.rate = "20*Hz*i"
        slow = snn.NeuronGroup(20, "", threshold="rand() < 0.3", dt=0.3 * ms, name="slow")
        monitors = [snn.SpikeMonitor(group, name="m"), snn.SpikeMonitor(slow, name="s")]
        net = snn.Network(group, slow, *monitors)
        for duration in (3.1, 20):
            net.run(duration * ms)
        return [np.asarray(x) for m in monitors for x in (m.i, m.t / ms)]

    def listed(packed, rows, size, capacity):
        row, element = unpack(np.asarray(packed[: int(rows)]), size)
        return np.bincount(row, minlength=len(packed)), np.resize(np.append(element, 0), capacity)

    monkeypatch.setattr(hostloop, "LONGEST", 64)
    expected = spikes()
    monkeypatch.setattr(hostloop.triton, "available", lambda backend: True)
    monkeypatch.setattr(hostloop, "compact", listed)
    monkeypatch.setattr(hostloop, "FEWEST", places)
    found = spikes()
    assert expected[0].size > 100
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)
