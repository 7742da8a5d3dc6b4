"""Switching objects off, schedules of one's own, several networks with the same objects, profiles."""

import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, NetworkError
from jaxsnn.units import ms


def ring(lib, units, n=4, delay=0.3):
    """Neurons that fire one after the other, and their monitors."""
    cells = lib.NeuronGroup(n, "dv/dt = -v/(10*ms) : 1", threshold="v > 0.9", reset="v = 0", method="exact",
                            namespace={"ms": units.ms})  # fmt: skip
    wires = lib.Synapses(cells, cells, on_pre="v_post += 1", delay=delay * units.ms)
    wires.connect(j="(i + 1) % N_pre")
    cells.v = [1] + [0] * (n - 1)
    spikes = lib.SpikeMonitor(cells)
    trace = lib.StateMonitor(cells, "v", record=True)
    return {"cells": cells, "wires": wires, "spikes": spikes, "trace": trace}


OFF = [("cells",), ("wires",), ("spikes",), ("trace",), ("cells", "spikes"), ("wires", "trace")]


@pytest.mark.parametrize("off", OFF, ids="-".join)
def test_objects_that_are_switched_off(brian, x64, off):
    """Off for 0.7 ms, with spikes on their way (which wait in a pathway that is off), and on again."""
    found = []
    for lib in (snn, brian):
        units = snn.units if lib is snn else brian
        objects = ring(lib, units)
        net = lib.Network(*objects.values(), **({"dtype": "float64"} if lib is snn else {}))
        net.run(1 * units.ms)
        for name in off:
            objects[name].active = False
        net.run(0.7 * units.ms)
        for name in off:
            objects[name].active = True
        net.run(2 * units.ms)
        spikes, trace = objects["spikes"], objects["trace"]
        times = (np.asarray(spikes.t / units.ms), np.asarray(trace.t / units.ms))
        found.append((*times, np.asarray(spikes.i[:]), np.asarray(trace.v)))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_a_group_that_is_off_does_not_repeat_its_last_spikes():
    """It fires in the last step before; while it is off nothing arrives from it."""
    cells = snn.NeuronGroup(1, "v : 1", threshold="v > 1", reset="")
    cells.v = 2
    sink = snn.NeuronGroup(1, "x : 1")
    wires = snn.Synapses(cells, sink, on_pre="x_post += 1")
    wires.connect()
    net = snn.Network(cells, sink, wires)
    net.run(0.2 * ms)
    cells.active = False
    net.run(0.5 * ms)
    assert sink.x[0] == 2


def test_a_part_of_a_group_is_switched_with_it():
    cells = snn.NeuronGroup(3, "v : 1", name="cells")
    with pytest.raises(ArgumentError, match=r"assign cells\.active"):
        cells[1:].active = False
    cells.active = False
    assert not cells[1:].active


def test_a_pathway_that_is_off():
    cells = snn.NeuronGroup(1, "v : 1", threshold="v > 1", reset="")
    cells.v = 2
    wires = snn.Synapses(cells, cells, "w : 1\nu : 1", on_pre="w += 1", on_post="u += 1")
    wires.connect()
    net = snn.Network(cells, wires)
    wires.pre.active = False
    net.run(0.3 * ms)
    assert (wires.w[0], wires.u[0]) == (0, 3)


def test_an_inactive_event_check():
    cells = snn.NeuronGroup(1, "v : 1\nn : 1", events={"always": "v > -1"})
    code = cells.run_on_event("always", "n += 1")
    net = snn.Network(cells)
    net.run(0.2 * ms)
    code.active = False
    net.run(0.2 * ms)
    code.active = True
    cells.thresholder["always"].active = False
    net.run(0.2 * ms)
    assert cells.n[0] == 2


# ---- schedules --------------------------------------------------------------------------------------------


SCHEDULES = [
    ["start", "groups", "synapses", "thresholds", "resets", "end"],
    ["start", "synapses", "groups", "thresholds", "resets", "end"],
    ["start", "thresholds", "resets", "groups", "synapses", "end"],
    ["end", "resets", "synapses", "thresholds", "groups", "start"],
]


@pytest.mark.parametrize("slots", SCHEDULES, ids=",".join)
@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_another_order_of_slots(brian, x64, slots, delay):
    found = []
    for lib in (snn, brian):
        units = snn.units if lib is snn else brian
        objects = ring(lib, units, delay=delay)
        net = lib.Network(*objects.values(), **({"dtype": "float64"} if lib is snn else {}))
        net.schedule = slots
        assert list(net.schedule) == slots
        net.run(3 * units.ms)
        spikes = objects["spikes"]
        found.append((np.asarray(spikes.t / units.ms), np.asarray(spikes.i[:]), np.asarray(objects["trace"].v)))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert found[0][0].size > 4


def test_a_slot_of_ones_own():
    """x is 2*(x + 1) if the doubling comes last, 2*x + 1 otherwise."""
    for slots, expected in ((["start", "late"], [2.0, 6.0]), (["late", "start"], [1.0, 3.0])):
        cells = snn.NeuronGroup(1, "x : 1")
        cells.run_regularly("x += 1")
        double = cells.run_regularly("x = 2*x")
        double.when = "late"
        net = snn.Network(cells)
        net.schedule = [*slots, "groups", "end"]
        for value in expected:
            net.run(0.1 * ms)
            assert cells.x[0] == value
        net.schedule = None
        with pytest.raises(NetworkError, match="'late', which this network does not have"):
            net.run(0.1 * ms)


@pytest.mark.parametrize("slots", ["start", ["start", "start"], ["before_start"], [], [1]])
def test_a_schedule_is_a_list_of_slots(slots):
    with pytest.raises(ArgumentError, match="a schedule is a list of different slots"):
        snn.Network(snn.NeuronGroup(1, "x : 1")).schedule = slots


# ---- several networks ---------------------------------------------------------------------------------------


def test_networks_that_share_objects():
    """Each has its own time; values go from one to the other, and so does how long ago a neuron fired."""
    cell = snn.NeuronGroup(
        1, "dv/dt = 1/ms : 1 (unless refractory)", threshold="v > 0.95", reset="v = 0", refractory=1 * ms,
        method="euler",
    )  # fmt: skip
    spikes = snn.SpikeMonitor(cell)
    one, other = snn.Network(cell), snn.Network(cell, spikes)
    one.run(1.5 * ms)  # fires at 0.9 ms, is free at 1.9
    np.testing.assert_allclose(cell.v[0], 0)
    other.run(2 * ms)  # free 0.4 ms from here, fires 0.9 after that
    np.testing.assert_allclose(spikes.t / ms, [1.3], rtol=1e-6)
    assert (one.t / ms, other.t / ms) == pytest.approx((1.5, 2.0))
    one.run(1 * ms)  # fired 0.7 ms ago: free after 0.3, and grows for 0.7
    np.testing.assert_allclose(cell.v[0], 0.7, rtol=1e-5)


def test_objects_are_added_and_removed_between_runs():
    cells = snn.NeuronGroup(1, "dv/dt = 1/ms : 1", method="euler")
    trace = snn.StateMonitor(cells, "v", record=True)
    net = snn.Network(cells)
    net.run(0.2 * ms)
    net.add(trace)
    net.run(0.2 * ms)
    net.remove(trace)
    net.run(0.2 * ms)
    np.testing.assert_allclose(trace.t / ms, [0.2, 0.3])
    assert trace not in net


# ---- profiles -----------------------------------------------------------------------------------------------


def test_a_profile_of_a_run():
    cells = snn.NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact")
    spikes = snn.SpikeMonitor(cells, name="spikes")
    look = snn.NetworkOperation(lambda: None, dt=1 * ms, name="look")
    net = snn.Network(cells, spikes, look)
    with pytest.raises(NetworkError, match="profile=True"):
        snn.profiling_summary(net)
    net.run(3 * ms, profile="operations")
    found = net.profiling_info
    assert found.count == 30
    assert found.compilation > 0 < found.steps
    assert set(found.functions) == {"look"}
    names = {f"{cells.order_name}_{what}" for what in ("stateupdater", "spike_thresholder", "spike_resetter")}
    assert set(found.operations) == {*names, "spikes"}
    text = snn.profiling_summary(net, show=2)
    assert text.startswith("30 steps in")
    assert sum(name in text for name in found.operations) == 2
    net.run(3 * ms, profile=True)
    assert net.profiling_info.compilation == 0
    assert not net.profiling_info.operations
    with pytest.raises(ArgumentError, match="profile is True"):
        net.run(1 * ms, profile="all")
