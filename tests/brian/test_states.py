"""Many values at once, and indices of every kind, as in Brian2."""

import numpy as np
import pytest
from brian.pairs import OURS, Both, plain

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, IndexRangeError, NetworkError
from jaxsnn.units import ms, mV


def objects(lib):
    cells = lib.NeuronGroup(
        5,
        """
        dv/dt = -v/(5*ms) : volt (unless refractory)
        k : integer
        high : boolean
        s : 1 (shared)
        double = 2*v : volt
        """,
        threshold="v > 3*mV",
        reset="v = 1*mV; k += 1",
        refractory=1 * lib.ms,
        method="exact",
        namespace={"ms": lib.ms, "mV": lib.mV},
        name="cells",
    )
    cells.v = np.linspace(0, 8, 5) * lib.mV
    cells.high = [True, False, True, False, False]
    cells.s = 0.5
    wires = lib.Synapses(cells, cells, "w : 1\ndx/dt = -x/ms : 1 (event-driven)", on_pre="x += w", name="wires",
                         namespace={"ms": lib.ms})  # fmt: skip
    wires.connect(i=[0, 0, 1, 2, 3, 3, 4, 4], j=[1, 2, 2, 2, 0, 4, 1, 0])
    wires.w = "0.5*i + j"
    return {
        "cells": cells,
        "wires": wires,
        "spikes": lib.SpikeMonitor(cells, "v", name="spikes"),
        "trace": lib.StateMonitor(cells, "v", record=[1, 3], name="trace"),
        "rate": lib.PopulationRateMonitor(cells, name="rate"),
    }


NAMES = {
    "cells": {"v", "k", "high", "s", "lastspike", "not_refractory", "N", "i", "t", "dt", "t_in_timesteps"},
    "wires": {"w", "x", "lastupdate", "N", "i", "j", "N_pre", "N_post", "N_incoming", "N_outgoing", "t", "dt"},
    "spikes": {"i", "t", "v", "count", "N"},
    "trace": {"t", "v", "N"},
    "rate": {"t", "rate", "N"},
}


@pytest.mark.parametrize("units", [True, False])
def test_states_of_a_network(brian, x64, units):
    both = Both(brian, objects).run(2.5)
    ours, theirs = (net.get_states(units=units) for net in both.networks)
    for name, variables in NAMES.items():
        assert variables <= set(ours[name])
        for variable in variables:
            found, expected = ours[name][variable], theirs[name][variable]
            assert np.shape(plain(found)) == np.shape(expected), (name, variable)
            np.testing.assert_allclose(plain(found), np.asarray(expected), rtol=1e-9, atol=1e-15)
            assert isinstance(found, snn.units.Quantity) is isinstance(expected, brian.Quantity), (name, variable)


def test_names_of_states(brian, x64):
    both = Both(brian, objects)
    given = {"vars": ["v", "double", "i"], "units": False}
    ours, theirs = (o.cells.get_states(**given) for o in (both.ours, both.theirs))
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value)
    for flags in ({"subexpressions": True}, {"read_only_variables": False}):
        assert set(both.ours.cells.get_states(**flags)) == set(both.theirs.cells.get_states(**flags))
    for lib_objects in (both.ours, both.theirs):
        part = lib_objects.cells[2:4].get_states(["i", "v"], units=False)
        np.testing.assert_array_equal(part["i"], [0, 1])
        np.testing.assert_allclose(part["v"], [0.004, 0.006])


def test_assigned_states_continue_the_run(brian, x64):
    """The values of one network put into another go on as in the first, refractoriness included."""
    one, other = Both(brian, objects), Both(brian, objects)
    one.run(0.5)
    for k in (0, 1):
        states = one.networks[k].get_states(read_only_variables=False)
        states = {name: {v: x for v, x in states[name].items() if not v.endswith(("_pre", "_post"))}
                  for name in ("cells", "wires")}  # fmt: skip
        if k:  # Brian's synapses give out the variables of the neurons too
            states["wires"] = {v: states["wires"][v] for v in ("w", "x", "lastupdate")}
        other.networks[k].run(0.5 * (snn.units if not k else brian).ms)
        other.networks[k].set_states(states)
    one.run(2)
    other.run(2)
    for k in (0, 1):
        for name in ("v", "k", "lastspike", "not_refractory"):
            a, b = (plain(getattr(both.objects[k]["cells"], name)[:]) for both in (one, other))
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(plain(one.ours.cells.v[:]), np.asarray(one.theirs.cells.v[:]), rtol=1e-9)


def test_set_states(brian, x64):
    def assign(lib, given):
        given.cells.set_states({"v": [1, 2, 3, 4, 5] * lib.mV, "s": 3, "k": 7})
        given.cells[1:3].set_states({"v": [30, 40]}, units=False)
        given.wires.set_states({"w": np.arange(8.0)})

    both = Both(brian, objects).each(assign)
    for name in ("v", "s", "k"):
        np.testing.assert_allclose(plain(getattr(both.ours.cells, name)[:]), getattr(both.theirs.cells, f"{name}_")[:])
    np.testing.assert_array_equal(both.ours.wires.w[:], np.arange(8))


def test_tables_of_pandas(brian, x64):
    pandas = pytest.importorskip("pandas")
    both = Both(brian, objects).run(2.5)
    given = {"units": False, "format": "pandas"}
    ours, theirs = (o.cells.get_states(["v", "k", "s"], **given) for o in (both.ours, both.theirs))
    pandas.testing.assert_frame_equal(ours, theirs, check_dtype=False)
    ours, theirs = (o.wires.get_states(["i", "j", "w"], **given) for o in (both.ours, both.theirs))
    pandas.testing.assert_frame_equal(ours, theirs, check_dtype=False)
    spikes = both.ours.spikes.get_states(**given)
    assert list(spikes.columns) == ["i", "t", "v"]
    assert len(spikes) == both.ours.spikes.num_spikes
    trace = both.ours.trace.get_states(**given)
    assert list(trace.columns) == ["t", "v[1]", "v[3]"]
    np.testing.assert_allclose(trace["v[3]"], both.ours.trace[3].v_)
    table = both.ours.cells.get_states(["v", "s"], **given)
    table["v"] = table["v"] + 1
    both.ours.cells.set_states(table, **given)
    np.testing.assert_allclose(both.ours.cells.v_, table["v"])
    assert both.ours.cells.s[:] == 0.5
    with pytest.raises(ArgumentError, match="units=False"):
        both.ours.cells.get_states(format="pandas")


INDICES = {
    "integer": 3,
    "slice": slice(1, 4),
    "step": slice(None, None, 2),
    "list": [4, 0, 2],
    "array": np.array([1, 1, 3]),
    "mask": np.array([True, False, True, True, False]),
    "condition": "v > 3*mV",
    "two conditions": "v > 1*mV and i < 3",
    "empty": "i > 10",
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES.keys())
def test_indices_of_groups(brian, x64, index):
    """Reading, assigning values and text, and numbers of elements."""

    def assign(lib, given):
        given.cells.k[index] = 5
        given.cells.v[index] = "v + 1*mV + i*mV"
        given.found = np.atleast_1d(given.cells.indices[index])
        given.cells[:4].v[0:2] = 0 * lib.mV
        given.read = np.array(given.cells.v_[index]) if not isinstance(index, str) else None

    sides = []

    def keep(lib, given):
        assign(lib, given)
        sides.append((given.found, plain(given.cells.v[:]), np.asarray(given.cells.k[:]), given.read))

    Both(brian, objects).each(keep)
    for ours, theirs in zip(*sides, strict=True):
        if theirs is not None:
            np.testing.assert_allclose(ours, theirs)


PAIRS = {
    "pair": (0, 2),
    "row": (3, slice(None)),
    "column": (slice(None), 2),
    "slices": (slice(0, 3), slice(1, None)),
    "steps": (slice(None, None, 2), slice(None)),
    "lists": ([0, 4], [1, 2]),
    "condition": "i > j",
    "numbers": [0, 3, 7],
    "slice of synapses": slice(2, 6),
    "one": 5,
    "variables of neurons": "v_pre > v_post",
}


@pytest.mark.parametrize("index", PAIRS.values(), ids=PAIRS.keys())
def test_indices_of_synapses(brian, x64, index):
    sides = []

    def keep(lib, given):
        given.wires.w[index] = "w*10 + i"
        found = np.atleast_1d(given.wires.indices[index])
        sides.append((found, np.asarray(given.wires.w[:]), np.asarray(given.wires.w[index])))

    Both(brian, objects).each(keep)
    for ours, theirs in zip(*sides, strict=True):
        np.testing.assert_allclose(np.ravel(ours), np.ravel(theirs))


def test_indices_that_brian_takes_for_others():
    """A negative index counts from the end, a mask of synapses has one value for each; three indices choose by each."""
    given = objects(OURS)
    np.testing.assert_array_equal(given["cells"].indices[-1], [4])
    np.testing.assert_array_equal(given["wires"].indices[np.arange(8) % 3 == 0], [0, 3, 6])
    cells = snn.NeuronGroup(2, "v : 1")
    wires = snn.Synapses(cells, cells, "w : 1", multisynaptic_index="n")
    wires.connect(n=3)
    wires.w[0, 1, 2] = 5
    wires.w[1, :, 1:] = "n + 0.5"
    np.testing.assert_array_equal(wires.w[:].reshape(2, 2, 3), [[[0, 0, 0], [0, 0, 5]], [[0, 1.5, 2.5], [0, 1.5, 2.5]]])
    np.testing.assert_array_equal(wires.w[:, 1, 2], [5, 2.5])


def test_selected_synapses(brian, x64):
    """``S[i, j]`` as an index and for monitors."""
    sides = []

    def keep(lib, given):
        given.wires.w[given.wires[3:, :]] = -1
        trace = lib.StateMonitor(given.wires, "w", record=given.wires[:, 2])
        sides.append((np.asarray(given.wires.w[:]), np.asarray(trace.record)))

    Both(brian, objects).each(keep)
    for ours, theirs in zip(*sides, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_groups_and_parts_as_indices():
    given = objects(OURS)
    cells, wires = given["cells"], given["wires"]
    np.testing.assert_array_equal(cells.indices[cells[1:3]], [1, 2])
    np.testing.assert_array_equal(cells[1:4].indices[cells[2:4]], [1, 2])
    np.testing.assert_array_equal(wires.indices[cells[3:], :], [4, 5, 6, 7])
    np.testing.assert_array_equal(cells.indices[...], np.arange(5))
    np.testing.assert_array_equal(cells.v[()].value, cells.v_)
    with pytest.raises(IndexRangeError, match="not all neurons"):
        cells[1:3].indices[cells[2:4]]
    with pytest.raises(IndexRangeError, match="other neurons"):
        cells.indices[snn.NeuronGroup(5, "v : 1")]


BAD = {
    "unknown": (lambda g: g["cells"].get_states(["vv"]), "no variable 'vv'"),
    "format": (lambda g: g["cells"].get_states(format="csv"), "no format 'csv'"),
    "no dictionary": (lambda g: g["cells"].set_states([1, 2]), "takes a dictionary"),
    "read-only": (lambda g: g["cells"].set_states({"i": 3}), "cannot be assigned"),
    "computed": (lambda g: g["cells"].set_states({"v": 0 * mV, "double": 1 * mV}), "double cannot be assigned"),
    "unknown to set": (lambda g: g["cells"].set_states({"V": 0 * mV}), "Did you mean 'v'?"),
    "not recorded": (lambda g: g["trace"].get_states("k"), "does not record 'k'"),
}


@pytest.mark.parametrize(("bad", "words"), BAD.values(), ids=BAD.keys())
def test_mistakes(bad, words):
    given = objects(OURS)
    before = given["cells"].v_.copy()
    with pytest.raises(ArgumentError) as error:
        bad(given)
    assert words in str(error.value)
    np.testing.assert_array_equal(given["cells"].v_, before)


def test_mistakes_of_networks():
    net = snn.Network(*objects(OURS).values())
    with pytest.raises(NetworkError, match=r"no object 'cell' with variables .* Did you mean 'cells'"):
        net.set_states({"cell": {"v": 0 * mV}})
    net.run(0.1 * ms)
