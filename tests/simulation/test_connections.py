"""Synapses that connect everyone with everyone, or one with one: no indices, and the same results."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsnn import Function, Network, NeuronGroup, StateMonitor, Synapses, TimedArray
from jaxsnn.plasticity import RATE_STDP
from jaxsnn.simulation.connections import AllToAll, OneToOne, find
from jaxsnn.units import ms

N, M = 7, 5
CONNECT = {"all to all": {}, "one to one": {"j": "i"}}


def double(x):
    return 2 * x


# Equations of synapses; what each of them has that the others have not.
MODELS = {
    "clock-driven and summed": "dw/dt = (a_pre*b_post - w)/(5*ms) : 1 (clock-driven)\ns_post = w*a_pre : 1 (summed)",
    "sum of what is the same along a row": "w : 1\ns_post = 2*a_pre + 1 : 1 (summed)",
    "sum of what is the same along a column": "w : 1\ns_post = b_post : 1 (summed)",
    "sum of a number": "w : 1\ns_post = 1 : 1 (summed)",
    "sum at the sources": "w : 1\nu_pre = w*b_post : 1 (summed)",
    "two sums": "w : 1\ns_post = w*a_pre : 1 (summed)\nu_pre = w*b_post : 1 (summed)",
    "numbers of the neurons": "dw/dt = (i - 2*j + N_pre)/(50*ms) : 1 (clock-driven)\ns_post = w*i : 1 (summed)",
    "noise": "dw/dt = a_pre/(5*ms) + 0.1*xi*ms**-0.5 : 1 (clock-driven)\ns_post = w : 1 (summed)",
    "random numbers": """
        w : 1
        r = rand() + randn()*b_post + poisson(a_pre) : 1 (constant over dt)
        s_post = r : 1 (summed)
    """,
    "past values": "w : 1\ns_post = w*delayed(a_pre, 0.3*ms) : 1 (summed)",
    "a different past for each": "w : 1\ns_post = delayed(a_pre, 0.05*ms*(i + j)) : 1 (summed)",
    "exact": """
        dw/dt = (a_pre - w)/tau : 1 (clock-driven)
        dx/dt = (w - x)/tau : 1 (clock-driven)
        tau : second (constant)
    """,
    "adaptive": "dw/dt = -w*b_post/(1*ms) : 1 (clock-driven)",
    "a function of the user": "dw/dt = double(a_pre)/(5*ms) : 1 (clock-driven)\ns_post = double(w) : 1 (summed)",
    "tables": "w : 1\ns_post = table(t, i)*w : 1 (summed)",
}
METHODS = {"exact": "exact", "adaptive": "rkf45", "noise": "euler"}


def network(model, connect, method=None, dtype="float64", code="w = clip(w + 0.1*a_pre - 0.05*b_post, -1, 1)"):
    """Two groups, of which a part is connected; `code` runs every 0.2 ms."""
    namespace = {
        "double": Function(double, arg_units=[1], return_unit=1),
        "table": TimedArray(np.arange(12.0).reshape(2, 6), dt=1 * ms),
    }
    source = NeuronGroup(N, "da/dt = (1 + 0.1*i - a)/(3*ms) : 1\nu : 1", method="euler", name="source")
    target = NeuronGroup(N + 1, "db/dt = (s - b)/(3*ms) : 1\ns : 1", method="euler", name="target")
    source.a, target.b = "0.1*i", "0.2*i"
    to = target[2 : 2 + M] if not connect else target[2 : 2 + N - 1]
    wires = Synapses(source[1:], to, model, method=method, namespace=namespace, name="wires")
    wires.connect(**connect)
    wires.w = "0.1*i - 0.03*j"
    if "tau" in model:
        wires.tau = "(1 + 0.1*i + 0.2*j)*ms"
    if code:
        wires.run_regularly(code, dt=0.2 * ms)
    monitor = StateMonitor(wires, "w", record=[0, 3])
    return Network(source, target, wires, monitor, dt=0.1 * ms, dtype=dtype), wires


def without(state):
    """The state of a simulation that does not know how synapses are connected but by their indices."""
    tables = jax.tree.map(lambda x: x, state.tables)
    tables.patterns.clear()
    return type(state)(state.step, state.values, state.events, state.rings, state.cursors, tables)


ONE_TO_ONE = ("clock-driven and summed", "sum at the sources", "noise", "past values", "a function of the user")


@pytest.mark.parametrize(
    "model, connect", [(m, "all to all") for m in MODELS] + [(m, "one to one") for m in ONE_TO_ONE]
)
def test_same_as_by_index(model, connect, x64):
    net, _ = network(MODELS[model], CONNECT[connect], METHODS.get(model))
    sim = net.compile()
    params, state = sim.init(3)
    assert type(state.tables.patterns["wires"]) is {"all to all": AllToAll, "one to one": OneToOne}[connect]
    plain, by_index = sim.run(params, state, 30), sim.run(params, without(state), 30)
    for found, expected in zip(
        jax.tree.leaves((plain[0].values, plain[1])), jax.tree.leaves((by_index[0].values, by_index[1])), strict=True
    ):
        assert found.shape == expected.shape
        # Sums over seven numbers in another order.
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    assert np.abs(plain[0]["wires"]["w"] - state["wires"]["w"]).mean() > 0.01


@pytest.mark.parametrize("method", ["euler", "exact"])
def test_transformations(method, x64):
    """jit inside, vmap over trees, grad: as by index."""
    model = "dw/dt = (a_pre - w)/tau : 1 (clock-driven)\ns_post = k*w*a_pre : 1 (summed)\nk : 1\ntau : second"
    net, wires = network(model, {}, method, code="")
    wires.k = "1 + 0.1*i"
    sim = net.compile()
    params, state = sim.init(0)

    def loss(state):
        def of(k):
            new, _ = sim.run(sim.put(params, "wires.k", k), state, 20)
            return jnp.sum(new["target"]["b"] ** 2)

        return of

    k = params["wires"]["k"]
    one, other = jax.grad(loss(state))(k), jax.grad(loss(without(state)))(k)
    assert np.abs(one).min() > 0
    np.testing.assert_allclose(one, other, rtol=1e-11)
    step = 1e-6
    shifted = k.at[8].add(step), k.at[8].add(-step)
    slope = (loss(state)(shifted[0]) - loss(state)(shifted[1])) / (2 * step)
    assert one[8] == pytest.approx(float(slope), rel=1e-6)  # central differences, of size 1e-12/1e-6
    many = jnp.stack([k, 2 * k])
    np.testing.assert_allclose(jax.vmap(loss(state))(many), [loss(state)(k), loss(state)(2 * k)], rtol=1e-12)
    batch = jax.tree.map(lambda x: jnp.stack([x, x]), state)
    new = jax.vmap(lambda state: sim.run(params, state, 20)[0])(batch)
    expected = sim.run(params, state, 20)[0]
    np.testing.assert_allclose(new.values["wires"]["w"], np.stack([expected["wires"]["w"]] * 2), rtol=1e-12)


def test_a_network_runs_on_after_more_connections(x64):
    """What was a matrix is none any more; between runs its values are one row."""
    net, wires = network(MODELS["clock-driven and summed"], {}, "euler")
    net.run(1 * ms)
    first = np.array(wires.w[:])
    assert first.shape == ((N - 1) * M,)
    wires.connect(i=[0], j=[0])
    net.run(0.1 * ms)
    assert wires.w[:].shape == ((N - 1) * M + 1,)
    np.testing.assert_allclose(wires.w[: (N - 1) * M], first, atol=0.3)


def test_sums_in_whole_numbers_stay_what_they_are(x64):
    net, _ = network(MODELS["two sums"], {})
    _, state = net.compile(execution="deterministic").init(0)
    assert not state.tables.patterns


# ---- which connections ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "connect, expected",
    [
        ({}, AllToAll(1, 3, 2, 4)),
        ({"condition": "i >= 1 and j < 2"}, AllToAll(2, 2, 2, 2)),
        ({"j": "i"}, OneToOne(1, 2, 3)),
        ({"i": [1, 2], "j": [2, 3]}, OneToOne(2, 4, 2)),
        ({"i": [2], "j": [3]}, OneToOne(3, 5, 1)),
        ({"condition": "i != j"}, None),
        ({"j": "3 - i"}, None),
        ({"n": 2}, None),
        ({"i": [0, 0, 1, 2], "j": [0, 1, 0, 1]}, None),
        ({"i": [0, 1, 0, 1], "j": [0, 0, 1, 1]}, None),
        ({"p": 0.5}, None),
        ({"condition": "i > 5"}, None),
    ],
)
def test_patterns(connect, expected):
    source, target = NeuronGroup(5, "a : 1"), NeuronGroup(6, "s : 1")
    wires = Synapses(source[1:4], target[2:], "s_post = a_pre : 1 (summed)", name="wires")
    wires.connect(**connect)
    _, state = Network(source, target, wires).compile().init(0)
    assert state.tables.patterns == ({} if expected is None else {"wires": expected})


def test_nothing_connected_has_no_pattern():
    assert find(np.zeros(0, int), np.zeros(0, int)) is None


# ---- what the step is made of -----------------------------------------------------------------------


def learning(n):
    """All to all, with a rule of rates."""
    source = NeuronGroup(n, RATE_STDP.source_equations, method="euler", namespace=RATE_STDP.values)
    target = NeuronGroup(n, RATE_STDP.neuron_equations, method="euler", namespace=RATE_STDP.values)
    source.x = "(1 + i)*Hz"
    wires = RATE_STDP.synapses(source, target, connect=True, name="wires")
    return Network(source, target, wires, dt=5 * ms).compile()


def sizes(text, operation):
    """How many numbers each operation of a kind gives, in compiled code."""
    found = re.findall(rf"= \w+\[([\d,]*)\]\S* {operation}\(", text)
    return [int(np.prod([int(k) for k in shape.split(",") if k])) for shape in found]


def test_a_step_has_no_gather_and_no_scatter():
    n = 12
    sim = learning(n)
    params, state = sim.init(0)

    def compiled(state):
        return jax.jit(lambda p, s: sim.run(p, s, 10)[0].values).lower(params, state).compile().as_text()

    matrix, rows = compiled(state), compiled(without(state))
    assert n * n in sizes(rows, "gather")  # what the test looks for is there without a pattern
    assert "scatter" in rows or "while" in rows
    for operation in ("gather", "scatter", "dynamic-update-slice", "sort"):
        assert not [size for size in sizes(matrix, operation) if size >= n]
    jaxpr = str(jax.make_jaxpr(lambda p, s: sim.run(p, s, 10)[0].values)(params, state))
    assert "gather" not in jaxpr
    assert "scatter" not in jaxpr
    assert f"f32[{n},{n}]" in jaxpr

    def loss(amplitude):
        given = sim.put(params, "wires.A_plus", amplitude)
        return jnp.sum(sim.run(given, state, 10)[0]["wires"]["w"] ** 2)

    backward = str(jax.make_jaxpr(jax.grad(loss))(0.05))
    assert "scan" in backward
    assert "gather" not in backward
    assert "scatter" not in backward


def test_weights_are_a_matrix_from_step_to_step():
    n = 12
    sim = learning(n)
    params, state = sim.init(0)
    jaxpr = jax.make_jaxpr(lambda p, s: sim.run(p, s, 10)[0].values)(params, state)
    (loop,) = loops(jaxpr.jaxpr)
    shapes = [out.aval.shape for out in loop.outvars]
    assert (n, n) in shapes
    assert (n * n,) not in shapes


def loops(jaxpr):
    """The loops over steps in a traced function."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            yield equation
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns") and equation.primitive.name != "scan":
                yield from loops(inner)


def test_one_step_of_the_rule():
    """By hand, with all numbers different."""
    sim = learning(3)
    params, state = sim.init(0)
    w = jnp.arange(9.0, dtype=jnp.float32) / 9 / 256
    state = sim.put(state, "wires.w", w)
    new, _ = sim.step(params, state)
    x, matrix = np.array([1.0, 2.0, 3.0]), np.asarray(w, float).reshape(3, 3)
    y = x @ matrix
    xhat, yhat = x / 4, y / 4  # dt/tau = 1/4
    change = 0.005 / 256 * (0.05 * np.outer(xhat, y) - 0.0500125 * np.outer(x, yhat))
    np.testing.assert_allclose(new["wires"]["w"].reshape(3, 3), np.clip(matrix + change, 0, 1 / 256), rtol=1e-6)
