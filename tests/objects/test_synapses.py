"""Synapses as descriptions: equations, pathways and what they lower to."""

import numpy as np
import pytest

import jaxsnn
from jaxsnn import Network, NeuronGroup, StateMonitor, Synapses
from jaxsnn.errors import (
    ArgumentError,
    DelayError,
    DimensionError,
    EquationError,
    IndexRangeError,
    NetworkError,
    NotSupportedError,
)
from jaxsnn.program import Deliver, Summed, Update
from jaxsnn.units import ms

STDP = """
w : 1
dapre/dt = -apre/(3*ms) : 1 (event-driven)
dapost/dt = -apost/(4*ms) : 1 (event-driven)
"""


def group(n=4, equations="v : 1\nx : 1\nI : 1", **arguments):
    return NeuronGroup(n, equations, threshold="i >= 0", reset="", **arguments)


def lowered(*objects):
    return {operation.name: operation for operation in Network(*objects)._lower({}, 1e-4)[0].operations}


# ---- pathways -----------------------------------------------------------------------------------------------


def test_pathways_by_default():
    cells = group(name="cells")
    S = Synapses(cells, cells, STDP, on_pre="v += w", on_post="w += 1", order=7, name="S")
    S.connect()
    operations = lowered(cells, S)
    pre, post = operations["S_pre"], operations["S_post"]
    assert (pre.order, post.order, pre.trigger, post.trigger) == (-1, 1, "pre", "post")
    assert (S.pre.name, S.post.name, S.pre.order, S.post.order) == ("S_pre", "S_post", -1, 1)
    assert [*pre.body()] == [
        "_elapsed = (t_in_timesteps - _lastupdate) * dt",
        "_P_apre = exp(-1 / (3 * ms) * _elapsed)",
        "_P_apost = exp(-1 / (4 * ms) * _elapsed)",
        "_apre = _P_apre * apre",
        "_apost = _P_apost * apost",
        "apre = _apre",
        "apost = _apost",
        "v += w",
        "_lastupdate = t_in_timesteps",
    ]
    assert pre.code.scope["v"].via == "post"
    assert pre.code.scope["v_pre"].via == "pre"
    assert post.code.scope["v"].via == "post"
    assert (pre.code.scope["i"].via, pre.code.scope["j"].via) == ("pre_index", "post_index")


def test_pathways_of_a_dictionary():
    cells = group()
    S = Synapses(
        cells,
        cells,
        "w : 1",
        on_pre={"b": "v += w", "a": "v *= 2"},
        on_post={"c": "w += 1"},
        delay={"b": 2 * ms},
        name="S",
    )
    S.connect()
    S.a.order = 4
    S.a.delay = "i*ms"
    assert list(S.pathways) == ["b", "a", "c"]
    operations = lowered(cells, S)
    assert {n: o.order for n, o in operations.items() if isinstance(o, Deliver)} == {"S_b": -1, "S_a": 4, "S_c": 1}
    assert S.b.delays() == 2e-3
    np.testing.assert_allclose(S.a.delays(), np.repeat(np.arange(4), 4) * 1e-3)
    assert S.a.delay[2, 0] == 2 * ms
    with pytest.raises(AttributeError, match=r"S\.delay is that of the pathway 'pre'.*S\.b\.delay"):
        S.delay = 1 * ms
    with pytest.raises(AttributeError, match="pathway 'pre'"):
        S.delay  # noqa: B018


def test_windows_and_connections_of_on_post():
    cells = group(6)
    S = Synapses(cells[1:3], cells[2:6], "w : 1", on_post="v_pre += w", name="S")
    S.connect(i=[0, 1], j=[3, 0])
    program, parts = Network(cells, S)._lower({}, 1e-4)
    (post,) = (o for o in program.operations if isinstance(o, Deliver))
    assert (str(post.source), str(post.target)) == (f"{cells.name}[2:6]", f"{cells.name}[1:3]")
    connections = parts.connections["S.post"]
    np.testing.assert_array_equal(connections.source, [3, 0])
    np.testing.assert_array_equal(connections.target, [0, 1])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"on_pre": 3}, ArgumentError, ["on_pre is text", "3"]),
        ({"on_pre": {"a": 3}}, ArgumentError, ["on_pre has a text for each name", "'a': 3"]),
        ({"on_pre": {"a b": "v += 1"}}, ArgumentError, ["'a b' in on_pre is no name"]),
        ({"on_pre": {"w": "v += 1"}}, ArgumentError, ["the pathway 'w'", "taken"]),
        ({"on_pre": {"connect": "v += 1"}}, ArgumentError, ["the pathway 'connect'", "taken"]),
        ({"on_pre": {"a": "v += 1"}, "on_post": {"a": "v += 1"}}, ArgumentError, ["'a' of on_post", "taken"]),
        ({"on_pre": "v += w", "delay": {"post": 1 * ms}}, DelayError, ["no pathway 'post'", "'pre'"]),
        ({"on_post": "v += w", "delay": 1 * ms}, DelayError, ["no pathway 'pre'", "'post'", "delay={'post': ...}"]),
        (
            {"on_post": "v += w", "delay": {"post": [1, 2] * ms}},
            DelayError,
            ["one value for all synapses", ".post.delay"],
        ),
        ({"on_pre": "v += w", "on_event": {"x": "spike"}}, ArgumentError, ["no pathway 'x' for this on_event"]),
        ({"on_pre": "v + w"}, EquationError, ["this is not a statement", "v + w"]),
        ({"multisynaptic_index": "j"}, ArgumentError, ["multisynaptic_index", "'j'"]),
        ({"multisynaptic_index": 3}, ArgumentError, ["multisynaptic_index", "3"]),
    ],
)
def test_wrong_pathways(arguments, error, words):
    with pytest.raises(error) as found:
        Synapses(group(), None, "w : 1", name="S", **arguments)
    for word in ["S", *words]:
        assert word in str(found.value)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"on_pre": "v += 1", "on_event": "burst"}, NetworkError, ["no event 'burst' for on_pre", "spike"]),
        ({"on_pre": "c = 2"}, EquationError, ["'c' cannot be written: it is marked constant"]),
        ({"on_pre": "s = 2"}, EquationError, ["'s' cannot be written: it is shared by all synapses"]),
        ({"on_pre": "d = 2"}, EquationError, ["'d' cannot be written: it is computed by its sub-expression"]),
        ({"on_pre": "k = 2"}, EquationError, ["'k' cannot be written: it is given by the simulator"]),
        ({"on_pre": "lastupdate = 2*ms"}, EquationError, ["'lastupdate' cannot be written"]),
        ({"on_pre": "I += 1"}, EquationError, ["'I' cannot be written: it is a sum over synapses"]),
        ({"on_pre": "delay = 1*ms"}, EquationError, ["'delay' cannot be written: it is given by the simulator"]),
        ({"on_post": "delay += 1*ms"}, EquationError, ["'delay' cannot be written: it is given by the simulator"]),
        ({"on_pre": "v += 1*ms"}, DimensionError, ["'v'", "second is added"]),
        ({"on_post": "v += vv"}, EquationError, ["S: on_post", "'vv' is not known"]),
        ({"on_post": {"later": "v += vv"}}, EquationError, ["S: on_post (later)", "'vv' is not known"]),
        ({"on_pre": "v += 1", "method": "rk4"}, ArgumentError, ["method='rk4', but no equation is integrated"]),
    ],
)
def test_wrong_code(arguments, error, words):
    cells = group()
    model = "w : 1\nc : 1 (constant)\ns : 1 (shared)\nd = 2*w : 1\nI_post = w : 1 (summed)\n"
    model += "da/dt = -a/ms : 1 (event-driven)"
    S = Synapses(cells, cells, model, name="S", multisynaptic_index="k", **arguments)
    S.connect()
    with pytest.raises(error) as found:
        Network(cells, S).run(0.1 * ms)
    for word in words:
        assert word in str(found.value)


def test_delays_of_every_pathway_are_checked():
    S = Synapses(group(), None, "w : 1", on_pre="v += w", on_post="w += 1", name="S")
    S.connect()
    with pytest.raises(DelayError, match=r"S: .* synapse 4 \(pathway 'post'\) is -1 ms"):
        S.post.delay = "-i*ms"


# ---- equations ------------------------------------------------------------------------------------------------


def test_equations_and_their_operations():
    cells = group(name="cells", order=3)
    S = Synapses(
        cells,
        cells,
        """w : 1
        dg/dt = -g/(2*ms) + v_pre/ms : 1 (clock-driven)
        dh/dt = -h/ms : 1
        drive = w*g : 1
        I_post = drive : 1 (summed)""",
        order=2,
        name="S",
    )
    S.connect()
    net = Network(cells, S)
    operations = {o.name: o for o in net._lower({}, 1e-4)[0].operations}
    update, summed = operations["S_stateupdater"], operations["S_summed_variable_I_post"]
    assert isinstance(update, Update)
    assert isinstance(summed, Summed)
    assert (update.slot, update.order, str(update.domain)) == ("groups", 2, "S[0:16]")
    assert update.code.scope["v_pre"].via == "pre"
    assert (summed.slot, summed.order, str(summed.target)) == ("groups", 2, "cells[0:4]")
    assert [*summed.body()] == ["I_post = w * g"]
    assert summed.code.scope["I_post"].via == "post"
    assert any("h carry neither" in note for note in net.notes)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("da/dt = -a/ms : 1 (event-driven)\ndb/dt = -a/ms : 1 (clock-driven)", ["'b' is clock-driven but reads 'a'"]),
        ("da/dt = -b/ms : 1 (event-driven)\ndb/dt = -b/ms : 1", ["'a' is event-driven but reads 'b'", "da/dt"]),
        ("da/dt = -c/ms : 1 (event-driven)\nc = 2*b : 1\ndb/dt = -b/ms : 1", ["'a' is event-driven but reads 'b'"]),
        ("da/dt = -a/ms : 1 (event-driven)\nI_post = a : 1 (summed)", ["'I_post' is summed", "reads 'a'"]),
        ("da/dt = -a/ms : 1 (event-driven, clock-driven)", ["either event-driven or clock-driven"]),
        ("I = w : 1 (summed)\nw : 1", ["belongs to neurons", "I_post"]),
        ("I_post = 1 : 1 (summed, shared)", ["'summed' does not go with 'shared'"]),
        ("Q_post = 1 : 1 (summed)", ["'Q' of", "'Q : 1'"]),
        ("u_post = 1 : 1 (summed)", ["'u' of", "'u : 1'"]),
        ("I_post = 1*ms : second (summed)", ["has the unit second", "has 1"]),
        ("k_post = 1 : 1 (summed)", ["'k' of", "constant"]),
        ("lastupdate : 1", ["'lastupdate' already means something"]),
        ("N_pre : 1", ["'N_pre' already means something"]),
        ("da/dt = -a/ms : 1 (unless refractory)", ["never refractory"]),
    ],
)
def test_wrong_models(model, words):
    cells = group(equations="du/dt = 1/ms : 1\nI : 1\nk : 1 (constant)")
    with pytest.raises(EquationError) as found:
        Synapses(cells, cells, model, name="S")
    for word in words:
        assert word in str(found.value)


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        ("da/dt = -a**2/ms : 1 (event-driven)", EquationError, ["solved exactly", "not linear", "(clock-driven)", "^"]),
        ("da/dt = xi/ms**0.5 : 1 (event-driven)", EquationError, ["solved exactly", "noise"]),
        ("da/dt = sin(t/ms)/ms : 1 (event-driven)", EquationError, ["solved exactly", "changes with time"]),
        (
            "da/dt = b/ms : 1 (event-driven)\ndb/dt = -a/ms : 1 (event-driven)",
            NotSupportedError,
            ["circle", "(clock-driven)"],
        ),
        ("da/dt = -a : 1 (event-driven)", DimensionError, ["da/dt"]),
    ],
)
def test_event_driven_equations_that_have_no_solution(model, error, words):
    cells = group()
    S = Synapses(cells, cells, model, on_pre="a += 1", name="S")
    S.connect()
    with pytest.raises(error) as found:
        Network(cells, S).run(0.1 * ms)
    for word in words:
        assert word in str(found.value)


def sums(lib, n_variables):
    """Four sums over synapses, into one variable or into one each."""
    into = [f"I{k}" for k in range(4)] if n_variables == 4 else ["I"] * 4
    equations = "\n".join(["dv/dt = (" + " + ".join(dict.fromkeys(into)) + " - v)/(5*ms) : 1", "x : 1"])
    cells = lib.NeuronGroup(
        6, equations + "".join(f"\n{n} : 1" for n in dict.fromkeys(into)), method="euler", name="cells"
    )
    cells.x = [1, 2, 3, 4, 5, 6]
    made = {"cells": cells}
    ends = (
        (cells, cells, "post"),
        (cells, cells[:4], "post"),
        (cells[3:], cells[2:], "post"),
        (cells[1:3], cells, "pre"),
    )
    for (source, target, side), name, letter in zip(ends, into, "DACB", strict=True):
        other = {"post": "pre", "pre": "post"}[side]
        synapses = lib.Synapses(
            source, target, f"{name}_{side} = v_{other} + x_{other} + t/ms : 1 (summed)", name=letter
        )
        synapses.connect(condition="(i + 2*j) % 3 != 0")
        made[letter] = synapses
    made["trace"] = lib.StateMonitor(cells, "v", record=True, name="trace")
    return made


def test_several_sums_into_one_variable_add(x64):
    """They give what one variable for each of them gives, where all of these stand before the neurons' update."""
    traces = []
    for n_variables in (1, 4):
        made = sums(jaxsnn, n_variables)
        net = Network(*made.values(), dtype="float64")
        kinds = [op.head().split()[0] for op in net.lowered()[0].operations if op.slot == "groups"]
        assert kinds == ["summed"] * 4 + ["update"]
        net.run(3 * ms)
        traces.append(made["trace"].v)
    np.testing.assert_allclose(traces[0], traces[1], rtol=1e-12)
    assert np.ptp(traces[0]) > 1


def test_both_ends_of_one_group_add():
    cells = group(3, name="cells")
    cells.x = [1, 10, 100]
    both = Synapses(cells, cells, "I_post = x_pre : 1 (summed)\nI_pre = x_post : 1 (summed)", name="both")
    both.connect(i=[0, 1], j=[1, 2])
    Network(cells, both).run(0.2 * ms)
    assert cells.I[:].tolist() == [10, 101, 10]


def test_synapses_never_fire():
    cells = group(name="cells")
    plastic = Synapses(cells, cells, "w : 1", name="plastic")
    plastic.connect()
    S = Synapses(cells, plastic, "a : 1", on_pre="w_post += a", on_post="a += 1", name="S")
    S.connect()
    with pytest.raises(NetworkError, match="S: plastic are synapses, which never fire, so on_post never acts"):
        Network(cells, plastic, S).run(0.1 * ms)


def test_an_event_driven_variable_is_assigned():
    cells = group(2)
    S = Synapses(cells, cells, STDP, on_pre="w = apre", name="S")
    S.connect()
    S.apre = "1 + i"
    net = Network(cells, S, dt=1 * ms)
    net.run(1 * ms)
    np.testing.assert_allclose(S.w[:], [1, 1, 2, 2])
    S.apre[1, :] = 5
    net.run(1 * ms)
    np.testing.assert_allclose(S.w[:], np.array([1, 1, 5, 5]) * np.exp(-1 / 3), rtol=1e-6)
    assert np.all(S.lastupdate[:] == 1 * ms)


def test_lastupdate_survives_a_change_of_the_time_step():
    cells = NeuronGroup(1, "last : second", threshold="t < last", reset="")
    cells.last = 0.35 * ms
    S = Synapses(cells, cells, STDP, on_pre="w = apre")
    S.connect()
    net = Network(cells, S, dt=0.1 * ms)
    net.run(2 * ms)
    np.testing.assert_allclose(S.lastupdate_, 0.3e-3)
    net.dt = 0.05 * ms
    np.testing.assert_allclose(S.lastupdate_, 0.3e-3)
    S.apre = 1
    cells.last = 5 * ms
    net.run(0.05 * ms)
    np.testing.assert_allclose(S.w[:], np.exp(-1.7 / 3), rtol=1e-6)


# ---- recording and indexing -----------------------------------------------------------------------------------


def test_recording_what_belongs_to_neurons():
    cells = NeuronGroup(3, "dv/dt = 1/ms : 1", method="euler")
    cells.v = [0, 10, 20]
    S = Synapses(cells, cells, "w : 1\nboth = v_pre + 100*v_post + i : 1")
    S.connect("i != j")
    trace = StateMonitor(S, ["v_pre", "both", "j"], record=S[2, :])
    Network(cells, S, trace, dt=0.5 * ms).run(1 * ms)
    np.testing.assert_allclose(trace.v_pre, [[20, 20.5]] * 2)
    np.testing.assert_allclose(trace.both, [[22, 72.5], [1022, 1072.5]])
    np.testing.assert_array_equal(trace.j, [[0, 0], [1, 1]])


def test_a_third_index_needs_a_name():
    S = Synapses(group(), None, "w : 1", name="S")
    S.connect()
    with pytest.raises(IndexRangeError, match="multisynaptic_index='k'"):
        S.w[0, 1, 0]
