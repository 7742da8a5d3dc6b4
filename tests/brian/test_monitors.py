"""What monitors record and when: at Brian2's times, in Brian2's slots."""

import numpy as np
import pytest
from brian.pairs import Both, plain, same_values

import jaxsnn

EQUATIONS = """
dv/dt = (I - v)/tau : volt
du/dt = -u/tau : 1
double = 2*u + v/mV : 1
I : volt
k : integer
odd : boolean
s : 1 (shared)
"""


def group(lib, n=12, **arguments):
    cells = lib.NeuronGroup(
        n,
        EQUATIONS,
        threshold="v > 10*mV",
        reset="v = 0*mV; u += 1; k += 1; odd = not odd",
        method="exact",
        namespace={"tau": 3 * lib.ms},
        **arguments,
    )
    cells.I = np.linspace(8, 80, n) * lib.mV
    cells.odd = np.arange(n) % 2 == 1
    cells.s = 0.25
    return cells


@pytest.mark.parametrize("record", [True, 3, [7, 1, 4], slice(2, 9, 3), "i > 8"])
def test_values_of_chosen_elements(brian, x64, record):
    def build(lib):
        cells = group(lib)
        chosen = record if not isinstance(record, str | slice) else np.arange(12)[2:9:3]
        return {"cells": cells, "trace": lib.StateMonitor(cells, ["v", "u"], record=chosen)}

    both = Both(brian, build).run(10).same()
    for k in both.ours.trace.record:
        same_values(both.ours.trace[k].v_, both.theirs.trace[k].v_, 1e-9, 0, str(k))


def test_every_kind_of_variable(brian, x64):
    """Sub-expressions, integers, booleans and shared variables."""

    def build(lib):
        cells = group(lib)
        return {"cells": cells, "trace": lib.StateMonitor(cells, ["double", "k", "odd", "I"], record=True)}

    Both(brian, build).run(10).same()


def test_a_single_time_step(brian, x64):
    """The values at the end of a run, which the next run records once more."""

    def build(lib):
        cells = group(lib)
        return {"cells": cells, "trace": lib.StateMonitor(cells, ["v", "k", "double"], record=[1, 5, 7])}

    both = Both(brian, build)
    with pytest.raises(jaxsnn.errors.NetworkError, match="after a run only"):
        both.ours.trace.record_single_timestep()
    both.run(3).each(lambda lib, given: given.trace.record_single_timestep())
    both.same().run(2).same()


def test_a_shared_variable(brian, x64):
    def build(lib):
        cells = group(lib)
        return {"cells": cells, "trace": lib.StateMonitor(cells, "s", record=True)}

    both = Both(brian, build).run(1)
    ours, theirs = np.asarray(both.ours.trace.s), np.asarray(both.theirs.trace.s)
    assert np.all(ours == 0.25)
    assert np.all(theirs == 0.25)
    assert ours.shape[-1] == theirs.shape[-1] == 10


@pytest.mark.parametrize("dt", [0.1, 0.3, 1.0])
def test_an_interval_of_its_own(brian, x64, dt):
    def build(lib):
        cells = group(lib)
        return {"cells": cells, "trace": lib.StateMonitor(cells, ["v", "u"], record=True, dt=dt * lib.ms)}

    Both(brian, build).run(4.2).same().run(1.8).same()


@pytest.mark.parametrize(
    "when",
    [
        "before_start",
        "start",
        "before_groups",
        "groups",
        "after_groups",
        "thresholds",
        "after_thresholds",
        "synapses",
        "after_synapses",
        "before_resets",
        "after_resets",
        "end",
    ],
)
def test_each_slot(brian, x64, when):
    def build(lib):
        cells = group(lib, name="zzz_last")
        kick = lib.Synapses(cells, cells, on_pre="u_post += 0.1", name="synapses_x")
        kick.connect(condition="i != j")
        return {
            "cells": cells,
            "kick": kick,
            "trace": lib.StateMonitor(cells, ["v", "u"], record=True, when=when, name="monitor_first"),
        }

    Both(brian, build).run(5).same()


@pytest.mark.parametrize("order", [-1, 0, 1])
def test_order_in_a_slot(brian, x64, order):
    def build(lib):
        cells = group(lib, name="middle_group")
        return {
            "cells": cells,
            "first": lib.StateMonitor(cells, "v", record=True, when="groups", order=order, name="a_monitor"),
            "last": lib.StateMonitor(cells, "v", record=True, when="groups", order=order, name="z_monitor"),
        }

    Both(brian, build).run(3).same()


def test_spikes_and_rates_of_groups_and_parts(brian, x64):
    def build(lib):
        cells = group(lib, 30)
        part, inner = cells[5:25], cells[5:25][3:9]
        return {
            "cells": cells,
            "all_spikes": lib.SpikeMonitor(cells),
            "part_spikes": lib.SpikeMonitor(part),
            "inner_spikes": lib.SpikeMonitor(inner),
            "counts": lib.SpikeMonitor(part, record=False),
            "rate": lib.PopulationRateMonitor(cells),
            "part_rate": lib.PopulationRateMonitor(inner),
            "trace": lib.StateMonitor(part, "v", record=[0, 19]),
            "inner_trace": lib.StateMonitor(inner, ["v", "double"], record=[5, 2]),
        }

    both = Both(brian, build).run(15)
    counts = (both.objects[0].pop("counts"), both.objects[1].pop("counts"))
    both.same()
    np.testing.assert_array_equal(counts[0].count, counts[1].count[:])
    assert counts[0].num_spikes == counts[1].num_spikes == both.ours.part_spikes.num_spikes > 0
    for k, times in both.theirs.part_spikes.spike_trains().items():
        np.testing.assert_allclose(
            plain(both.ours.part_spikes.spike_trains()[k]), np.asarray(times), rtol=0, atol=1e-12
        )


def test_rate_of_a_group_with_its_own_dt(brian, x64):
    def build(lib):
        model = "dv/dt = (1.5 - v)/ms : 1"
        cells = lib.NeuronGroup(6, model, threshold="v > 0.5 + 0.05*i", reset="v = 0", method="exact", dt=0.3 * lib.ms)
        return {
            "cells": cells,
            "rate": lib.PopulationRateMonitor(cells),
            "part": lib.PopulationRateMonitor(cells[2:5]),
        }

    both = Both(brian, build).run(4).run(3.1).same()
    assert np.ptp(plain(both.ours.rate.rate)) > 0
    np.testing.assert_allclose(plain(both.ours.rate.binned_rate(0.6 * both.libs[0].ms)[0])[:3], [0, 6e-4, 1.2e-3])


@pytest.mark.parametrize(
    "window, width",
    [("gaussian", 0.1), ("gaussian", 0.55), ("gaussian", 2.0), ("flat", 0.1), ("flat", 0.5)],
)
def test_smooth_rate(brian, x64, window, width):
    def build(lib):
        cells = group(lib, 30)
        return {"cells": cells, "rate": lib.PopulationRateMonitor(cells)}

    both = Both(brian, build).run(20)
    ours, theirs = (
        plain(o.rate.smooth_rate(window, width=width * lib.ms))
        for lib, o in zip(both.libs, (both.ours, both.theirs), strict=True)
    )
    same_values(ours, theirs, 1e-9, 1e-9, window)


def test_smooth_rate_with_a_window_of_its_own(brian, x64):
    def build(lib):
        cells = group(lib, 30)
        return {"cells": cells, "rate": lib.PopulationRateMonitor(cells)}

    both = Both(brian, build).run(20)
    window = np.array([1.0, 2.0, 4.0, 2.0, 0.5])
    ours, theirs = (plain(o.rate.smooth_rate(window)) for o in (both.ours, both.theirs))
    same_values(ours, theirs, 1e-9, 1e-9, "window")


@pytest.mark.parametrize("size", [0.1, 0.5, 2.0, 3.0])
def test_binned_rate(brian, x64, size):
    """Our times are the beginnings of the bins, those of Brian2's newer versions their centres: rates are compared."""

    def build(lib):
        cells = group(lib, 30)
        return {"cells": cells, "rate": lib.PopulationRateMonitor(cells)}

    both = Both(brian, build).run(20)
    _, rates = both.ours.rate.binned_rate(size * both.libs[0].ms)
    if hasattr(both.theirs.rate, "binned_rate"):
        expected = plain(both.theirs.rate.binned_rate(size * both.libs[1].ms)[1])
    else:
        per = round(size / 0.1)
        fine = np.asarray(both.theirs.rate.rate)
        expected = fine[: fine.size // per * per].reshape(-1, per).mean(1)
    same_values(plain(rates), expected, 1e-9, 1e-9, "binned")


def test_synaptic_variables(brian, x64):
    def build(lib):
        cells = group(lib, 5)
        synapses = lib.Synapses(cells, cells, "w : 1", on_pre="u_post += w")
        synapses.connect(condition="i != j")
        synapses.w = "0.1*i + j"
        return {
            "cells": cells,
            "synapses": synapses,
            "trace": lib.StateMonitor(synapses, "w", record=[3, 0, 11]),
        }

    Both(brian, build).run(2).same()


def test_a_spike_is_recorded_before_the_reset(brian, x64):
    """Monitors in the threshold's slot see the value above the threshold, the state monitor at the start never does."""

    def build(lib):
        cells = group(lib)
        return {
            "cells": cells,
            "spikes": lib.SpikeMonitor(cells),
            "late": lib.SpikeMonitor(cells, when="end"),
            "start": lib.StateMonitor(cells, "v", record=True),
            "above": lib.StateMonitor(cells, "v", record=True, when="after_thresholds"),
        }

    both = Both(brian, build).run(10).same()
    assert np.max(both.ours.start.v_) <= 10e-3 < np.max(both.ours.above.v_)
