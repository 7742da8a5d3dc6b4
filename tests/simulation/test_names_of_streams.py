"""Random numbers belong to names: what else is in a network does not change them. And NaN is found in every object."""

import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.errors import NumericalError
from jaxsnn.units import Hz, ms


def result(others):
    """Everything random of three named objects, with or without others made before, between and after."""
    snn.seed(11)
    made = []

    def other():
        if others:
            group = snn.NeuronGroup(4, "dx/dt = xi/ms**0.5 : 1", threshold="rand() < 0.1", reset="x = randn()")
            group.x = "rand()"
            synapses = snn.Synapses(group, group, on_pre="x_post += rand()")
            synapses.connect(p=0.5)
            made.extend([group, synapses, snn.PoissonGroup(5, 100 * Hz)])

    other()
    cells = snn.NeuronGroup(
        6, "dv/dt = -v/(5*ms) + xi/ms**0.5 : 1", threshold="v > 1", reset="v = rand()", name="cells"
    )
    cells.v = "randn()"
    other()
    inputs = snn.PoissonGroup(8, 200 * Hz, name="inputs")
    synapses = snn.Synapses(inputs, cells, "w : 1", on_pre="v_post += w*rand()", name="synapses")
    synapses.connect(p=0.4)
    synapses.w = "rand()"
    trace = snn.StateMonitor(cells, "v", record=True)
    spikes = snn.SpikeMonitor(inputs)
    other()
    snn.Network(cells, inputs, synapses, trace, spikes, made).run(5 * ms)
    return synapses.i[:], synapses.j[:], synapses.w[:], spikes.i, trace.v


def test_other_objects_change_nothing():
    alone, among = result(False), result(True)
    for a, b in zip(alone, among, strict=True):
        np.testing.assert_array_equal(a, b)
    assert alone[3].size > 3


@pytest.mark.parametrize(
    ("which", "path"), [("cells", r"cells\.v of element 2"), ("synapses", r"synapses\.w of element 1")]
)
def test_nan_is_found_in_every_kind_of_object(which, path):
    cells = snn.NeuronGroup(
        3, "v : 1\nbad : 1", threshold="t > 0.45*ms", reset="v = where(bad > 0, 0*log(-bad), 0)", name="cells"
    )
    synapses = snn.Synapses(cells, cells, "w : 1\nbad : 1", on_pre="w = where(bad > 0, log(-bad), 0)", name="synapses")
    synapses.connect(j="i")
    (cells if which == "cells" else synapses).bad = [0, 1, 0] if which == "synapses" else [0, 0, 1]
    with pytest.raises(NumericalError, match=path + r" became nan in the step at t = 0\.5 ms"):
        snn.Network(cells, synapses).run(2 * ms)
