"""Scripts of Brian2 with ``set_device("jaxsnn")`` give what Brian2's own NumPy loop gives."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

brian2: Any = pytest.importorskip("brian2")

import jaxsnn.bridges.brian2 as bridge  # noqa: E402 (registers the device with Brian2)

ms, mV, Hz = brian2.ms, brian2.mV, brian2.Hz
Values = dict[str, Any]


@pytest.fixture(autouse=True)
def _clean(brian: Any) -> Iterator[None]:
    yield
    brian.prefs["core.default_float_dtype"] = np.float64
    brian.set_device("runtime")
    brian.device.reinit()
    brian.defaultclock.dt = 0.1 * ms


def on(device: str, script: Callable[[], Values], **options: Any) -> Values:
    """What a script returns, as arrays, when it runs on a device."""
    brian2.set_device(device, **options)
    brian2.start_scope()
    brian2.defaultclock.dt = 0.1 * ms
    brian2.seed(11)
    # On the runtime device the clock stands where the last script ended.
    brian2.Network(brian2.NeuronGroup(1, "")).run(0 * ms)
    return {name: np.array(value) for name, value in script().items()}


def same(script: Callable[[], Values], rtol: float = 1e-9, atol: float = 0.0) -> Values:
    """Run on both devices, all of it compiled, and compare."""
    expected = on("runtime", script)
    runs, fallbacks = bridge.device.runs, len(bridge.device.fallbacks)
    found = on("jaxsnn", script)
    assert bridge.device.runs > runs
    assert bridge.device.fallbacks[fallbacks:] == []
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=rtol, atol=atol, err_msg=name)
    return found


def spikes(monitor: Any) -> Values:
    return {"i": monitor.i, "t": np.rint(monitor.t / ms * 10), "count": monitor.count}


def cells(n: int, name: str = "cells", **options: Any) -> Any:
    given = {"threshold": "v > 1", "reset": "v = 0", "refractory": 2 * ms, "method": "exact", "name": name}
    group = brian2.NeuronGroup(
        n, "dv/dt = (drive - v)/(10*ms) : 1 (unless refractory)\ndrive : 1", **{**given, **options}
    )
    group.drive = "1.1 + 0.7*i/N"
    group.v = "i/(2.0*N)"
    return group


def wired(delay: Any) -> tuple[Any, Any, Any]:
    """Cells whose synapses have weights and, given as text, a delay each."""
    group = cells(12)
    synapses = brian2.Synapses(group, group, "w : 1", on_pre="v_post += w", name="syn")
    synapses.connect(condition="(i + 2*j) % 3 == 0")
    synapses.w = "0.02*(i - j)/N"
    synapses.delay = delay
    return group, synapses, brian2.SpikeMonitor(group, name="spikes")


def test_monitors_refractoriness_and_delays_over_two_runs():
    def script() -> Values:
        group, synapses, monitor = wired("(0.1 + 0.3*((i + j) % 5))*ms")
        trace = brian2.StateMonitor(group, ["v", "not_refractory"], record=[0, 5], dt=0.5 * ms, name="trace")
        rate = brian2.PopulationRateMonitor(group[2:9], name="rate")
        some = brian2.SpikeMonitor(group[3:7], variables="drive", name="some")
        net = brian2.Network(group, synapses, monitor, trace, rate, some)
        net.run(20 * ms)
        net.run(20.05 * ms)
        found = {"v": trace.v, "free": trace.not_refractory, "at": trace.t, "rate": rate.rate, "when": rate.t}
        found |= {"last": group.lastspike, "of": some.i, "drive": some.drive, "now": net.t, "clock": group.t}
        return {**spikes(monitor), **found}

    assert same(script)["i"].size >= 30


def test_delays_that_change_while_spikes_are_on_their_way():
    def script() -> Values:
        group, synapses, monitor = wired("(0.5 + (i + j) % 4)*ms")
        net = brian2.Network(group, synapses, monitor)
        net.run(9.3 * ms)
        synapses.delay = "(3.0 - (i + j) % 3)*ms"
        net.run(6 * ms)
        synapses.w = "0.05"
        net.run(10 * ms)
        return {**spikes(monitor), "v": group.v}

    same(script)


def test_equal_delays_that_change_and_synapses_that_are_added():
    def script() -> Values:
        group, synapses, monitor = wired("3*ms")
        net = brian2.Network(group, synapses, monitor)
        net.run(9.3 * ms)
        synapses.delay = "1.5*ms"
        net.run(4 * ms)
        synapses.connect(i=[0, 1, 2], j=[3, 4, 5])
        synapses.w = 0.03
        net.run(10 * ms)
        return {**spikes(monitor), "v": group.v}

    same(script)


def test_store_and_restore_with_spikes_on_their_way(tmp_path):
    def script() -> Values:
        group, synapses, monitor = wired("(0.5 + (i + j) % 4)*ms")
        net = brian2.Network(group, synapses, monitor)
        net.run(9.3 * ms)
        net.store()
        net.store(filename=str(tmp_path / f"state_{brian2.get_device() is bridge.device}"))
        net.run(10 * ms)
        first = np.array(group.v)
        net.restore()
        net.run(10 * ms)
        again = np.array(group.v)
        net.restore(filename=str(tmp_path / f"state_{brian2.get_device() is bridge.device}"))
        net.run(10 * ms)
        np.testing.assert_array_equal(again, first)
        return {**spikes(monitor), "v": group.v}

    same(script)


def test_a_time_step_that_changes_while_spikes_are_on_their_way():
    def script() -> Values:
        group, synapses, monitor = wired("(1 + (i + j) % 4)*ms")
        net = brian2.Network(group, synapses, monitor)
        net.run(9 * ms)
        brian2.defaultclock.dt = 0.05 * ms
        net.run(9 * ms)
        return {"i": monitor.i, "t": monitor.t / ms, "v": group.v}

    same(script)


def test_plasticity_with_event_driven_traces_in_both_directions():
    def script() -> Values:
        times = np.sort(np.random.default_rng(0).integers(0, 500, 60)) * 0.1 * ms
        source = brian2.SpikeGeneratorGroup(6, np.arange(60) % 6, times, name="source")
        group = cells(4)
        synapses = brian2.Synapses(
            source,
            group,
            "w : 1\ndx/dt = -x/(8*ms) : 1 (event-driven)\ndy/dt = -y/(5*ms) : 1 (event-driven)",
            on_pre="v_post += 0.1*w\nx += 0.1\nw = clip(w - y, 0, 1)",
            on_post="y += 0.1\nw = clip(w + x, 0, 1)",
            name="stdp",
        )
        synapses.connect()
        synapses.w = "0.3 + 0.02*i"
        synapses.pre.delay = "(1 + i % 3)*ms"
        trace = brian2.StateMonitor(synapses, "w", record=[0, 7, 23], name="trace")
        net = brian2.Network(source, group, synapses, trace)
        net.run(30 * ms)
        net.run(25 * ms)
        return {"w": synapses.w, "x": synapses.x, "y": synapses.y, "last": synapses.lastupdate, "trace": trace.w}

    found = same(script)
    assert np.ptp(found["w"]) > 0.3


def test_several_clocks_and_code_at_intervals():
    def script() -> Values:
        fast = brian2.NeuronGroup(3, "dv/dt = -v/(5*ms) : 1\nseen : second", method="exact", dt=0.05 * ms, name="fast")
        slow = brian2.NeuronGroup(3, "du/dt = -u/(9*ms) : 1", method="exact", dt=0.2 * ms, name="slow")
        fast.v, slow.u = [1, 2, 3], [3, 2, 1]
        fast.run_regularly("v += 0.5*i; seen = t + dt", dt=1 * ms)
        slow[1:].run_regularly("u *= 1.5", dt=0.6 * ms, when="end")
        traces = [brian2.StateMonitor(fast, "v", record=True), brian2.StateMonitor(slow, "u", record=True)]
        brian2.Network(fast, slow, traces).run(7.1 * ms)
        return {"v": traces[0].v, "u": traces[1].u, "at": traces[1].t, "seen": fast.seen}

    same(script, rtol=1e-12)


def test_linked_shared_and_summed_variables():
    def script() -> Values:
        source = brian2.NeuronGroup(3, "dx/dt = (3 - x)/(4*ms) : 1\nz : 1 (shared)", method="exact", name="source")
        source.x = [0, 1, 2]
        source.run_regularly("z = z + 1", dt=1 * ms)
        group = brian2.NeuronGroup(
            6,
            "dv/dt = (a + b + total - v)/(10*ms) : 1\na : 1 (linked)\nb : 1 (linked)\ntotal : 1",
            method="euler",
            name="group",
        )
        group.a = brian2.linked_var(source, "x", index=np.array([2, 2, 1, 1, 0, 0]))
        group.b = brian2.linked_var(source, "z")
        gap = brian2.Synapses(group, group, "w : 1\ntotal_post = w*(v_pre - v_post) : 1 (summed)", name="gap")
        gap.connect("i != j")
        gap.w = 0.1
        group.v = "i"
        brian2.Network(source, group, gap).run(5 * ms)
        return {"v": group.v, "x": source.x, "z": source.z, "total": group.total}

    same(script, rtol=1e-12)


def test_functions_of_the_user_and_arrays_of_times():
    @brian2.check_units(x=1, result=1)
    def square(x):
        return x * x + 1

    @brian2.check_units(x=1, result=1)
    def looked_up(x):
        return np.interp(x, [0, 1, 2], [0, 3, 5])

    stimulus = brian2.TimedArray([1.0, 4.0, 2.0], dt=1.7 * ms)

    def script() -> Values:
        names = {"square": square, "looked_up": looked_up, "stimulus": stimulus}
        group = brian2.NeuronGroup(
            2, "dv/dt = (square(v)/10 + looked_up(v) + stimulus(t))/(20*ms) : 1", method="euler", name="group"
        )
        group.v = [0, 0.5]
        trace = brian2.StateMonitor(group, "v", record=True)
        brian2.Network(group, trace).run(6 * ms, namespace=names)
        return {"v": trace.v}

    same(script, rtol=1e-12)


def test_events_of_a_group_besides_spikes():
    def script() -> Values:
        group = cells(5, events={"high": "v > 0.9 and v < 0.97"})
        group.run_on_event("high", "drive += 0.01")
        monitor = brian2.EventMonitor(group, "high", variables=["v", "drive"], name="high")
        synapses = brian2.Synapses(group, group, on_pre="v_post -= 0.001", on_event="high", name="syn")
        synapses.connect("i != j")
        brian2.Network(group, monitor, synapses).run(30 * ms)
        return {"i": monitor.i, "t": monitor.t, "v": monitor.v, "drive": monitor.drive, "after": group.drive}

    assert same(script)["i"].size > 20


def test_a_neuron_with_compartments():
    def script() -> Values:
        um, cm = brian2.um, brian2.cm
        shape = brian2.Soma(30 * um)
        shape.axon = brian2.Cylinder(diameter=2 * um, length=200 * um, n=8)
        shape.dendrite = brian2.Cylinder(diameter=3 * um, length=100 * um, n=3)
        shape.dendrite.left = brian2.Cylinder(diameter=1 * um, length=80 * um, n=4)
        shape.dendrite.right = brian2.Cylinder(diameter=1 * um, length=60 * um, n=2)
        neuron = brian2.SpatialNeuron(
            shape,
            "Im = 1e-4*siemens/cm**2*(-70*mV - v) : amp/meter**2\nI : amp (point current)",
            Cm=1 * brian2.uF / cm**2,
            Ri=100 * brian2.ohm * cm,
            method="exponential_euler",
            name="neuron",
        )
        neuron.v = -70 * mV
        neuron.I[shape.dendrite.left[50 * um]] = 0.1 * brian2.nA
        trace = brian2.StateMonitor(neuron, "v", record=True, name="trace")
        brian2.Network(neuron, trace).run(5 * ms)
        return {"v": trace.v / mV, "Ic": neuron.Ic}

    # The scheme subtracts numbers that are equal up to 1e-6, so that half of their digits are rounding.
    found = same(script, rtol=1e-6, atol=1e-9)
    assert np.ptp(found["v"][:, -1]) > 1


def test_single_precision_counts_time_in_steps():
    """After 20 s a time of 32 bits is only good to 2 microseconds, twice the margin of a step: refractoriness holds."""

    def script() -> Values:
        brian2.defaultclock.dt = 1 * ms
        group = brian2.NeuronGroup(1, "x : 1", threshold="True", refractory=7 * ms, name="group")
        monitor = brian2.SpikeMonitor(group, name="spikes")
        net = brian2.Network(group, monitor)
        net.run(20 * brian2.second)
        return {"steps": np.rint(monitor.t / ms)}

    brian2.prefs["core.default_float_dtype"] = np.float32
    found = on("jaxsnn", script)
    np.testing.assert_array_equal(found["steps"], np.arange(0, 20_000, 7))


def test_random_numbers_are_those_of_the_seed():
    def script() -> Values:
        group = brian2.NeuronGroup(500, "dv/dt = -v/(5*ms) + xi*(5*ms)**-0.5 : 1", method="euler", name="group")
        shots = brian2.PoissonGroup(500, rates=100 * Hz, name="shots")
        monitor = brian2.SpikeMonitor(shots, name="spikes")
        brian2.Network(group, shots, monitor).run(50 * ms)
        return {"v": group.v, "n": [monitor.num_spikes]}

    once, again = on("jaxsnn", script), on("jaxsnn", script)
    np.testing.assert_array_equal(once["v"], again["v"])
    # Stationary variance 1/2 (here after 10 time constants), and 2500 spikes; three standard deviations of each.
    assert abs(np.var(once["v"]) - 0.5) < 3 * 0.5 * np.sqrt(2 / 500)
    assert abs(once["n"][0] - 2500) < 3 * 50


def test_what_the_bridge_cannot_carry_says_so_and_goes_through_brian2():
    def script() -> Values:
        group, synapses, monitor = wired("(0.5 + (i + j) % 4)*ms")
        seen = []
        operation = brian2.NetworkOperation(lambda t: seen.append(np.array(t).item()), dt=1 * ms, name="looks")
        net = brian2.Network(group, synapses, monitor)
        net.run(9.3 * ms)  # compiled: leaves spikes on their way
        net.add(operation)
        net.run(5 * ms)
        net.remove(operation)
        net.run(10 * ms)
        return {**spikes(monitor), "v": group.v, "seen": seen}

    expected = on("runtime", script)
    fallbacks = len(bridge.device.fallbacks)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("ignore")  # what Brian2's parser says of its own dependencies
        warnings.simplefilter("always", bridge.BridgeWarning)
        found = on("jaxsnn", script)
    assert ["looks (NetworkOperation)" in str(w.message) for w in said] == [True]
    assert [f.reason for f in bridge.device.fallbacks[fallbacks:]] == [
        "looks (NetworkOperation) runs Python in each step"
    ]
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, err_msg=name)
    with pytest.raises(NotImplementedError, match="looks"):
        on("jaxsnn", script, strict=True)


def test_a_run_ends_where_it_is_stopped():
    def script() -> Values:
        group = cells(2)
        trace = brian2.StateMonitor(group, "v", record=True, name="trace")
        net = brian2.Network(group, trace)

        def report(elapsed, completed, start, duration):
            if completed > 0:
                net.stop()

        net.run(10_000 * ms, report=report, report_period=0 * brian2.second)
        return {"steps": [len(trace.t)], "now": [net.t / ms * 10], "clock": [group.t / ms * 10]}

    found = on("jaxsnn", script)
    assert 0 < found["steps"][0] < 100_000
    assert found["now"][0] == pytest.approx(found["steps"][0])
    assert found["clock"][0] == pytest.approx(found["steps"][0])


def test_equal_runs_compile_once():
    def script() -> Values:
        group, synapses, monitor = wired("1*ms")
        net = brian2.Network(group, synapses, monitor)
        for _ in range(4):
            net.run(5 * ms)
            group.drive = "drive + 0.1"
        return spikes(monitor)

    before = len(bridge.device._compiled.loops)
    same(script)
    assert len(bridge.device._compiled.loops) <= before + 1


def test_values_of_the_namespace_are_no_literals():
    def script(tau: Any) -> Values:
        group = brian2.NeuronGroup(1, "dv/dt = -v/tau : 1", method="exact", name="decaying")
        group.v = 1
        brian2.Network(group).run(10 * ms, namespace={"tau": tau})
        return {"v": group.v}

    found = [on("jaxsnn", lambda tau=tau: script(tau))["v"][0] for tau in (5 * ms, 10 * ms)]
    np.testing.assert_allclose(found, np.exp([-2, -1]), rtol=1e-12)
    names = [str(program) for program, _, _ in bridge.device._compiled.loops]
    assert sum("decaying" in name for name in names) == 1


def test_no_warning_without_a_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error", bridge.BridgeWarning)
        on("jaxsnn", lambda: {"v": _run(cells(2))})


def _run(group: Any) -> Any:
    brian2.Network(group).run(1 * ms)
    return group.v


@pytest.mark.skipif(not hasattr(brian2, "EventClock"), reason="Brian2 has event clocks since 2.10")
def test_monitors_of_values_and_of_spikes_with_the_clock_of_given_times():
    def script() -> Values:
        group = cells(4)
        trace = brian2.StateMonitor(group, "v", record=True, clock=brian2.EventClock([0.5, 2.2, 7] * ms))
        monitor = brian2.SpikeMonitor(group)
        brian2.Network(group, trace, monitor).run(30 * ms)
        return {"v": trace.v, "at": trace.t, **spikes(monitor)}

    found = same(script)
    assert found["v"].shape == (4, 3)
    assert found["i"].size > 3
