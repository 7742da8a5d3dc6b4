"""Linked variables: what is read is the other variable, at the index given, also while it changes."""

import jax
import numpy as np
import pytest
from brian.pairs import OURS, Both, draw

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, DimensionError, EquationError, NetworkError
from jaxsnn.units import ms, mV

OURS.linked_var = snn.linked_var


def model(lib):
    """A source with changing values, and a group linked to it in every way."""
    source = lib.NeuronGroup(
        4, "dx/dt = -x/(10*ms) : 1\ny = 2*x + off : 1\noff : 1 (shared)\nk : integer", method="exact", name="source"
    )
    source.x = draw(1).random(4)
    source.off = 0.25
    one = lib.NeuronGroup(1, "dz/dt = 1/(20*ms) : 1", method="euler", name="one")
    cells = lib.NeuronGroup(
        4,
        """dv/dt = (3*(a + b) + c + d - v)/(5*ms) : 1
        a : 1 (linked)
        b : 1 (linked)
        c : 1 (linked)
        d : 1 (linked)
        s = a + 2*b : 1""",
        threshold="v > 1.5 - a",
        reset="v = 0.1*b",
        method="euler",
        name="cells",
    )
    cells.a = lib.linked_var(source, "x")
    cells.b = lib.linked_var(source, "y", index=np.array([3, 3, 0, 1]))
    cells.c = lib.linked_var(one, "z")
    cells.d = lib.linked_var(source, "off")
    chain = lib.NeuronGroup(4, "q : 1 (linked)\nr = 3*q + 1 : 1", name="chain")
    chain.q = lib.linked_var(cells, "a", index=np.array([1, 0, 3, 2]))
    synapses = lib.Synapses(cells, cells, "w : 1", on_pre="v_post += w*(1 + v_pre)", name="synapses")
    synapses.connect(i=[0, 1, 2, 3, 0, 2], j=[1, 2, 3, 0, 2, 0])
    synapses.w = [0.1, 0.2, 0.3, 0.1, 0.2, 0.3]
    return {
        "source": source,
        "one": one,
        "cells": cells,
        "chain": chain,
        "synapses": synapses,
        "spikes": lib.SpikeMonitor(cells, name="spikes"),
        "trace": lib.StateMonitor(cells, ["v", "a", "b", "c", "s"], record=True, name="trace"),
        "chained": lib.StateMonitor(chain, ["q", "r"], record=True, name="chained"),
    }


def test_as_in_brian(brian, x64):
    both = Both(brian, model).run(30).same()
    assert both.ours.spikes.num_spikes > 20
    np.testing.assert_allclose(both.ours.cells.s[:], both.theirs.cells.s[:], rtol=1e-9)


def test_values_on_the_host():
    objects = model(OURS)
    source, cells, chain = objects["source"], objects["cells"], objects["chain"]
    source.x = [1, 2, 3, 4]
    assert cells.a[:].tolist() == [1, 2, 3, 4]
    assert cells.b[:].tolist() == [8.25, 8.25, 2.25, 4.25]
    assert cells.s[:].tolist() == [17.5, 18.5, 7.5, 12.5]
    assert chain.r[:].tolist() == [7, 4, 13, 10]
    assert cells[1:3].a[:].tolist() == [2, 3]
    cells.v = "a + i"
    assert cells.v[:].tolist() == [1, 3, 5, 7]
    assert cells.v["b > 5"].tolist() == [1, 3]


def test_an_index_that_is_a_variable():
    source = snn.NeuronGroup(3, "x : 1")
    source.x = [10, 20, 30]
    cells = snn.NeuronGroup(2, "a : 1 (linked)\nk : integer\ny : 1", threshold="True", reset="y = a; k = (k + 1) % 3")
    cells.a = snn.linked_var(source.x, index="k")
    cells.k = [0, 2]
    trace = snn.StateMonitor(cells, "a", record=True)
    snn.Network(source, cells, trace).run(0.4 * ms)
    assert trace.a.tolist() == [[10, 20, 30, 10], [30, 10, 20, 30]]
    assert cells.a[:].tolist() == [20, 10]
    cells.k = [3, 0]
    with pytest.raises(ArgumentError, match="index 3 leads outside"):
        print(cells.a[:])


def test_synapses_and_subgroups(x64):
    source = snn.NeuronGroup(6, "dx/dt = 1/ms : 1", method="exact", namespace={"ms": ms})
    source.x = "i*100"
    cells = snn.NeuronGroup(3, "a : 1 (linked)\nv : 1")
    cells.a = snn.linked_var(source[2:5].x)
    synapses = snn.Synapses(cells, cells, "u : 1 (linked)\nw = u + 1 : 1\nv_post = w*(1 + j) : 1 (summed)")
    synapses.connect(i=[0, 1, 2], j=[1, 2, 2])
    synapses.u = snn.linked_var(source[3:].x, index="j")
    assert cells.a[:].tolist() == [200, 300, 400]
    assert synapses.w[:].tolist() == [401, 501, 501]
    trace = snn.StateMonitor(cells, ["a", "v"], record=True, when="end")
    net = snn.Network(source, cells, synapses, trace, dtype="float64")
    net.run(0.2 * ms)
    np.testing.assert_allclose(trace.a[:, 1], [200.2, 300.2, 400.2])
    # The sum stands before the update of the group it leads to; the source's name comes before that of the synapses.
    before = 0.1 if trace.v[1, 1] < 2 * 401.15 else 0.2
    np.testing.assert_allclose(trace.v[:, 1], [0, 2 * (401 + before), 6 * (501 + before)])


@pytest.mark.parametrize("execution", ["dense", "masked", "event_list"])
def test_code_reads_links_at_both_ends(execution):
    """Brian cannot read these; every execution finds the same values."""
    source = snn.NeuronGroup(3, "x : 1")
    source.x = [1, 2, 3]
    cells = snn.NeuronGroup(3, "a : 1 (linked)\nv : 1\ns = 10*a : 1", threshold="i != 1", reset="")
    cells.a = snn.linked_var(source.x, index=[2, 0, 1])  # a is 3, 1, 2
    synapses = snn.Synapses(cells, cells, on_pre="v_post += a_pre + s_post", name="synapses")
    synapses.connect()
    sim = snn.Network(source, cells, synapses).compile(execution=execution)
    state, _ = sim.run(*sim.init(0), 1)
    np.testing.assert_allclose(state[cells.name]["v"], [3 + 2 + 60, 5 + 20, 5 + 40])


def test_derivative_through_a_link():
    source = snn.NeuronGroup(2, "g : 1", name="source")
    source.g = [2, 3]
    cells = snn.NeuronGroup(2, "dx/dt = k*k/ms : 1\nk : 1 (linked)", namespace={"ms": ms}, name="cells")
    cells.k = snn.linked_var(source.g, index=[1, 0])
    sim = snn.Network(source, cells).compile()
    params, state = sim.init(0)
    slope = jax.grad(lambda p: sim.run(p, state, 1 * ms)[0]["cells"]["x"][0])(params)["source"]["g"]
    np.testing.assert_allclose(slope, [0, 6], rtol=1e-5)
    assert "k" not in params.get("cells", {})  # no copy


def test_shared_in_place_of_copies():
    """Changing the source between runs changes what is read, and recompiles nothing."""
    source = snn.NeuronGroup(1, "x : 1 (shared)")
    cells = snn.NeuronGroup(2, "a : 1 (linked)\ny = 2*a : 1")
    cells.a = snn.linked_var(source.x)
    trace = snn.StateMonitor(cells, "y", record=0)
    net = snn.Network(source, cells, trace)
    for value in (1, 2):
        source.x = value
        net.run(0.1 * ms)
    assert trace.y[0].tolist() == [2, 4]
    assert len(net._simulations) == 1


def test_what_is_refused():
    source = snn.NeuronGroup(3, "x : 1\nu : volt\nk : integer")
    cells = snn.NeuronGroup(2, "a : 1 (linked)\nb : 1\nk : integer", threshold="a > 1", reset="b = 1")
    for given, kind, message in (
        (lambda: snn.linked_var(source.x), ArgumentError, "has 3 elements and .* has 2"),
        (lambda: snn.linked_var(source.u, index=[0, 1]), DimensionError, "is a number without unit, but .* is volt"),
        (lambda: snn.linked_var(source.k, index=[0, 1]), ArgumentError, "declared as float"),
        (lambda: snn.linked_var(source, "y"), ArgumentError, "no variable 'y'"),
        (lambda: snn.linked_var(source.x, index="b"), ArgumentError, "no integer variable"),
        (lambda: snn.linked_var(source.x, index=[0.5]), ArgumentError, "whole numbers"),
        (lambda: snn.linked_var(3), ArgumentError, "linked_var.group.v"),
        (lambda: 3, ArgumentError, "assign linked_var"),
    ):
        with pytest.raises(kind, match=message):
            cells.a = given()
    with pytest.raises(ArgumentError, match="not marked as linked"):
        cells.b = snn.linked_var(source.x, index=[0, 1])
    with pytest.raises(NetworkError, match="to nothing yet"):
        snn.Network(source, cells).run(1 * ms)
    cells.a = snn.linked_var(source.x, index=[0, 3])
    with pytest.raises(ArgumentError, match="index 3 leads outside"):
        snn.Network(source, cells).run(1 * ms)
    cells.a = snn.linked_var(source.x, index=[0, 1])
    with pytest.raises(NetworkError, match="not in the network"):
        snn.Network(cells).run(1 * ms)
    writes = snn.NeuronGroup(3, "a : 1 (linked)", threshold="a > 1", reset="a = 0")
    writes.a = snn.linked_var(source.x)
    with pytest.raises(EquationError, match="linked to a variable of another group"):
        snn.Network(source, writes).run(1 * ms)
    assert mV.dim == source.u.dim


def shared_model(lib):
    cells = lib.NeuronGroup(
        3,
        """dv/dt = (s + c + i - v)/(5*ms) : 1
        s = 2*p + 1 : 1 (shared)
        c = 3*s + t/ms : 1 (shared, constant over dt)
        k = v + c : 1 (constant over dt)
        p : 1 (shared)""",
        method="euler",
        name="cells",
    )
    cells.p = 0.5
    return {"cells": cells, "trace": lib.StateMonitor(cells, ["v", "s", "c", "k"], record=True, name="trace")}


def test_shared_and_constant_over_dt_as_in_brian(brian, x64):
    Both(brian, shared_model).run(3).same()


def test_one_random_number_for_all():
    cells = snn.NeuronGroup(
        3, "c = rand() : 1 (shared, constant over dt)\nown = rand() : 1 (constant over dt)\ny = c : 1"
    )
    trace = snn.StateMonitor(cells, ["y", "own"], record=True)
    synapses = snn.Synapses(cells, cells, "c2 = rand() : 1 (shared, constant over dt)\nw = c2 : 1 (constant over dt)")
    synapses.connect()
    weights = snn.StateMonitor(synapses, "w", record=True)
    snn.Network(cells, trace, synapses, weights).run(0.3 * ms)
    for values in (trace.y, weights.w):
        assert np.ptp(values, axis=0).tolist() == [0, 0, 0]
        assert len(np.unique(values)) == 3
    assert len(np.unique(trace.own)) == 9


def test_shared_reads_shared_only():
    for build in (
        lambda text: snn.NeuronGroup(3, f"{text}\nv : 1"),
        lambda text: snn.Synapses(snn.NeuronGroup(1, "x : 1"), model=f"{text}\nv : 1"),
    ):
        for text in ("s = v : 1 (shared)", "s = 2*i : 1 (shared)", "s = rand()*v : 1 (shared, constant over dt)"):
            with pytest.raises(EquationError, match="differs between elements"):
                build(text)
