"""Custom events: their conditions, the code that runs on them, synapses and monitors, at Brian2's times."""

import numpy as np
import pytest
from brian.pairs import OURS, Both, plain, same_values

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, NetworkError
from jaxsnn.units import ms

EQUATIONS = """
dv/dt = (I - v)/tau : volt (unless refractory)
du/dt = -u/tau : 1
above = v/mV - 5 : 1
I : volt
n : integer
seen : 1
"""


def group(lib, n=9, **arguments):
    given = {
        "threshold": "v > 10*mV",
        "reset": "v = 0*mV; u += 1",
        "events": {"middle": "v > 5*mV and v < 7*mV", "burst": "u > 1.2"},
        **arguments,
    }
    cells = lib.NeuronGroup(n, EQUATIONS, method="exact", namespace={"tau": 3 * lib.ms}, **given)
    cells.I = np.linspace(8, 80, n) * lib.mV
    return cells


def test_events_and_their_monitors(brian, x64):
    def build(lib):
        cells = group(lib)
        return {
            "cells": cells,
            "spikes": lib.SpikeMonitor(cells),
            "middle": lib.EventMonitor(cells, "middle"),
            # Without a slot, Brian's monitor of a subgroup looks before the event is found.
            "burst": lib.EventMonitor(cells[4:], "burst", when="after_thresholds", order=1),
        }

    both = Both(brian, build).run(12).same()
    assert both.ours.middle.num_events == both.theirs.middle.num_events > 0
    ours, theirs = both.ours.middle.event_trains(), both.theirs.middle.event_trains()
    for neuron, times in theirs.items():
        np.testing.assert_allclose(plain(ours[neuron]), plain(times), atol=1e-12)


@pytest.mark.parametrize("when", ["after_resets", "before_synapses", "end"])
@pytest.mark.parametrize("refractory", [False, True])
def test_code_on_events(brian, x64, when, refractory):
    """Code on events is not stopped by refractoriness, wherever in the step it runs."""

    def build(lib):
        cells = group(lib, refractory=1 * lib.ms if refractory else False)
        cells.run_on_event("middle", "n += 1; v += 0.1*mV*rand_free", when=when)
        cells.run_on_event("burst", "u = 0; seen += above", when=when)
        return {"cells": cells, "spikes": lib.SpikeMonitor(cells), "trace": lib.StateMonitor(cells, "v", record=True)}

    Both(brian, build).run(12, lambda lib: {"rand_free": 0.5}).same()


def test_spikes_can_have_code_in_place_of_a_reset(brian, x64):
    def build(lib):
        cells = group(lib, reset=None, refractory=2 * lib.ms)
        cells.run_on_event("spike", "v = 1*mV", when="resets")
        return {"cells": cells, "spikes": lib.SpikeMonitor(cells)}

    Both(brian, build).run(12).same()


def test_the_threshold_as_an_event(brian, x64):
    def build(lib):
        cells = group(lib, threshold=None, reset=None, events={"spike": "v > 10*mV"})
        cells.run_on_event("spike", "v = 0*mV")
        return {"cells": cells, "spikes": lib.SpikeMonitor(cells), "rate": lib.PopulationRateMonitor(cells)}

    Both(brian, build).run(12).same()


@pytest.mark.parametrize(("when", "order"), [("before_groups", None), ("thresholds", -1), ("end", 3), ("resets", 1)])
def test_a_schedule_for_an_event(brian, x64, when, order):
    """Synapses and monitors see an event after its check: before that they see the one of the last step."""

    def build(lib):
        cells = group(lib)
        cells.set_event_schedule("middle", when=when, order=order)
        cells.run_on_event("middle", "n += 1")
        sink = lib.NeuronGroup(9, "x : 1")
        wires = lib.Synapses(cells, sink, on_pre="x_post += 1", on_event="middle")
        wires.connect(j="i")
        return {
            "cells": cells,
            "sink": sink,
            "wires": wires,
            "middle": lib.EventMonitor(cells, "middle", "v"),
            "trace": lib.StateMonitor(sink, "x", record=True, when="end"),
        }

    Both(brian, build).run(12).same()


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_synapses_on_events(brian, x64, delay):
    """One event for all pathways, and one for each; pre and post."""

    def build(lib):
        cells = group(lib)
        cells.run_on_event("burst", "u = 0")
        one = lib.Synapses(cells, cells, "w : 1", on_pre="v_post += 0.1*mV*w", on_event="burst", delay=delay * lib.ms)
        one.connect(j="(i + 1) % N_pre")
        one.w = "0.5 + 0.1*i"
        many = lib.Synapses(
            cells,
            cells,
            "w : 1",
            on_pre={"up": "w += 1", "down": "w -= 0.5*w"},
            on_post="w += 0.25",
            on_event={"up": "middle", "down": "spike", "post": "burst"},
        )
        many.connect(i=[0, 1, 2, 3, 4, 5, 6, 7], j=[3, 4, 2, 8, 8, 0, 7, 5])
        return {"cells": cells, "one": one, "many": many, "spikes": lib.SpikeMonitor(cells)}

    Both(brian, build).run(12).same()


def test_variables_recorded_at_spikes(brian, x64):
    """Their values are those before the reset; sub-expressions and integers too."""

    def build(lib):
        cells = group(lib)
        cells.run_on_event("middle", "n += 1")
        return {
            "spikes": lib.SpikeMonitor(cells, variables=["v", "above", "n"]),
            "part": lib.SpikeMonitor(cells[5:8], variables="u"),
            "late": lib.SpikeMonitor(cells, variables="v", when="end"),
            "middle": lib.EventMonitor(cells, "middle", variables=["v", "u"]),
            "cells": cells,
        }

    both = Both(brian, build).run(7).run(8).same()
    ours, theirs = both.ours.spikes.all_values(), both.theirs.spikes.all_values()
    assert set(ours) == set(theirs) - {"i"}
    for name, values in ours.items():
        for neuron, found in values.items():
            same_values(plain(found), plain(theirs[name][neuron]), 1e-9, 1e-12, name)


def test_rates_of_each_neuron():
    """Spikes at 1, 2, 9.9 ms and at 2 and 7 ms: counted by hand; smoothed with (1, 2, 3)/6 at the spikes' steps."""
    source = snn.SpikeGeneratorGroup(3, [0, 0, 1, 2, 0], [1, 2, 2, 7, 9.9] * ms)
    spikes = snn.SpikeMonitor(source)
    net = snn.Network(source, spikes)
    with pytest.raises(NetworkError, match="needs record=True and a run"):
        spikes.binned_rate(1 * ms)
    net.run(4 * ms)
    net.run(6 * ms)
    t, rate = spikes.binned_rate(2 * ms)
    np.testing.assert_allclose(t / ms, [0, 2, 4, 6, 8])
    np.testing.assert_allclose(rate.value, [[500, 500, 0, 0, 500], [0, 500, 0, 0, 0], [0, 0, 0, 500, 0]])
    assert spikes.binned_rate(3 * ms)[1].shape == (3, 3)
    smooth = spikes.smooth_rate(np.array([1, 2, 3])).value
    assert smooth.shape == (3, 100)
    np.testing.assert_allclose(smooth[0, 9:12], np.array([1, 2, 3]) / 6 / 1e-4)
    net.store()
    net.run(2 * ms)
    assert spikes.binned_rate(2 * ms)[1].shape == (3, 6)
    net.restore()
    np.testing.assert_allclose(spikes.binned_rate(2 * ms)[1].value, rate.value)


def test_rates_as_in_brian(brian, x64):
    if not hasattr(brian.SpikeMonitor, "smooth_rate"):
        pytest.skip("this Brian2 has no rates of single neurons")

    def build(lib):
        cells = group(lib)
        return {"cells": cells, "spikes": lib.SpikeMonitor(cells), "part": lib.EventMonitor(cells[2:5], "spike")}

    both = Both(brian, build).run(12).same()
    for name in ("spikes", "part"):
        ours, theirs = both.objects[0][name], both.objects[1][name]
        for found, expected in zip(ours.binned_rate(2 * ms), theirs.binned_rate(2 * brian.ms), strict=True):
            np.testing.assert_allclose(plain(found), np.asarray(expected), atol=1e-12)
        for window in ("flat", "gaussian"):
            expected = np.asarray(theirs.smooth_rate(window, 1 * brian.ms))
            np.testing.assert_allclose(plain(ours.smooth_rate(window, 1 * ms)), expected, rtol=1e-9, atol=1e-9)


def test_counts_without_a_record(brian, x64):
    def build(lib):
        cells = group(lib)
        return {"cells": cells, "spikes": lib.EventMonitor(cells, "middle", record=False)}

    both = Both(brian, build).run(12)
    np.testing.assert_array_equal(both.ours.spikes.count, both.theirs.spikes.count[:])
    assert both.ours.spikes.t.size == 0 < both.ours.spikes.num_events


def test_an_own_time_step(brian, x64):
    def build(lib):
        cells = group(lib, dt=0.2 * lib.ms)
        cells.run_on_event("middle", "n += 1")
        return {
            "cells": cells,
            "middle": lib.EventMonitor(cells, "middle", "v"),
            "spikes": lib.SpikeMonitor(cells, "v"),
        }

    Both(brian, build).run(12).same()


def test_a_subgroup_is_recorded_when_its_events_are_found():
    cells = group(OURS)
    part, whole = snn.EventMonitor(cells[4:], "burst"), snn.EventMonitor(cells, "burst")
    snn.Network(cells, part, whole).run(6 * ms)
    late = whole.i >= 4
    assert part.num_events
    np.testing.assert_array_equal(part.i, whole.i[late] - 4)
    np.testing.assert_array_equal(part.t.value, whole.t.value[late])


def test_store_and_restore_with_values():
    cells = snn.NeuronGroup(1, "dv/dt = 1/ms : 1", method="exact", threshold="v > 1.05", reset="v -= 1")
    spikes = snn.SpikeMonitor(cells, variables="v")
    net = snn.Network(cells, spikes)
    net.run(3 * ms)
    net.store()
    before = spikes.v.copy()
    net.run(3 * ms)
    after = spikes.v.copy()
    net.restore()
    np.testing.assert_array_equal(spikes.v, before)
    net.run(3 * ms)
    np.testing.assert_array_equal(spikes.v, after)


def test_a_compiled_simulation_records_events():
    cells = snn.NeuronGroup(3, "dv/dt = (1 + i)/ms : 1", method="exact", events={"up": "v > 0.95"}, name="cells")
    cells.run_on_event("up", "v = 0")
    up = snn.EventMonitor(cells, "up", "v", name="up")
    net = snn.Network(cells, up)
    sim = net.compile()
    params, state = sim.init()
    _, record = sim.run(params, state, 2 * ms)
    net.run(2 * ms)
    steps, index = record["up"].events()
    np.testing.assert_array_equal(steps, np.rint(up.t.value / 1e-4))
    np.testing.assert_array_equal(index, up.i)
    np.testing.assert_array_equal(np.asarray(record["up"].values["v"])[np.asarray(record["up"].dense())], up.v)
    assert up.num_events == 2 + 4 + 5  # 1, 0.5 and 0.4 ms from 0 to above 0.95


BAD = {
    "unknown event": (lambda c: c.run_on_event("lo", "v = 0"), ("no event 'lo'", "it has spike, low", "'low'")),
    "code twice": (lambda c: [c.run_on_event("low", "v = 0") for _ in range(2)], ("'low'", "v = 0")),
    "reset twice": (lambda c: c.run_on_event("spike", "v = 0"), ("'spike'", "already")),
    "no slot": (lambda c: c.set_event_schedule("low", when="soon"), ("no slot 'soon'",)),
    "monitor": (lambda c: snn.EventMonitor(c, "lows"), ("no event 'lows'", "'low'")),
    "variable": (lambda c: snn.SpikeMonitor(c, variables="w"), ("no variable 'w'",)),
    "record": (lambda c: snn.SpikeMonitor(c, record=[1, 2]), ("source[[1, 2]]",)),
    "events": (lambda c: snn.NeuronGroup(1, "v : 1", events=["v > 1"]), ("dictionary",)),
    "two thresholds": (
        lambda c: snn.NeuronGroup(1, "v : 1", threshold="v > 1", reset="v = 0", events={"spike": "v > 2"}),
        ("leave one of the two out",),
    ),
    "no text": (lambda c: snn.NeuronGroup(1, "v : 1", events={"a": 3}), ("'a'", "text")),
    "name": (lambda c: snn.NeuronGroup(1, "v : 1", events={"a b": "v > 1"}), ("'a b'", "name of an event")),
}


@pytest.mark.parametrize(("bad", "words"), BAD.values(), ids=BAD.keys())
def test_mistakes(bad, words):
    cells = snn.NeuronGroup(2, "v : 1", threshold="v > 1", reset="v = 0", events={"low": "v < -1"}, name="cells")
    with pytest.raises(ArgumentError) as error:
        bad(cells)
    for word in words:
        assert word in str(error.value)
