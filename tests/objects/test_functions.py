"""Functions of the user: the same numbers as the expression written out, everywhere an expression can stand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxsnn as snn
from jaxsnn.errors import ArgumentError, DimensionError, NotSupportedError, UnknownNameError
from jaxsnn.units import amp, ms, mV, nS, second, volt

gate = snn.Function(lambda v: 1 / (1 + jnp.exp(-v / 5e-3)), arg_units=[volt], return_unit=1)
product = snn.Function(lambda x, y: x * y, arg_units=[None, None], return_unit=lambda a, b: a * b)
above = snn.Function(lambda x: x > 2, return_unit=bool)
names = {"gate": gate, "product": product, "above": above}


def network(gate_of):
    """One model, with the function called or its expression written out."""
    cells = snn.NeuronGroup(
        5,
        f"""dm/dt = ({gate_of("u")} - m)/(2*ms) + {gate_of("v")}*m/(20*ms) : 1
        dv/dt = (30*mV*{gate_of("v")} - v)/(3*ms) : volt
        u : volt""",
        threshold=f"{gate_of('v')} > 0.95",
        reset=f"v = -{gate_of('u')}*mV",
        method="rk4",
        namespace=names,
        name="cells",
    )
    cells.u = f"{gate_of('i*mV')}*mV"
    cells.v = "i*4*mV"
    synapses = snn.Synapses(cells, cells, "w : 1", on_pre=f"v_post += w*{gate_of('u_pre')}*mV", name="synapses")
    synapses.connect(f"{gate_of('i*mV')} + j > 1.7", namespace=names)
    synapses.w = 2
    trace = snn.StateMonitor(cells, ["m", "v"], record=True)
    spikes = snn.SpikeMonitor(cells)
    return snn.Network(cells, synapses, trace, spikes, dtype="float64"), cells, synapses, trace, spikes


def test_a_call_is_what_it_computes(x64):
    called = network(lambda x: f"gate({x})")
    written = network(lambda x: f"(1/(1 + exp(-({x})/(5*mV))))")
    for net, *_ in (called, written):
        net.run(30 * ms)
    assert called[4].num_spikes == written[4].num_spikes > 10
    np.testing.assert_array_equal(called[2].j[:], written[2].j[:])
    for name in ("m_", "v_"):
        np.testing.assert_allclose(getattr(called[3], name), getattr(written[3], name), rtol=1e-12)


def test_as_in_brian(brian, x64):
    def numpy_gate(v):
        return 1 / (1 + np.exp(-v / 5e-3))

    theirs = brian.Function(numpy_gate, arg_units=[brian.volt], arg_names=["v"], return_unit=1)
    theirs.implementations.add_implementation("numpy", code=numpy_gate)
    brian.defaultclock.dt = 0.1 * brian.ms
    traces = []
    for lib, unit, function, kind in ((snn, snn.units, gate, {"dtype": "float64"}), (brian, brian, theirs, {})):
        group = lib.NeuronGroup(
            4,
            "dv/dt = (20*mV*g(v) - v)/(5*ms) : volt",
            method="rk2",
            threshold="g(v) > 0.9",
            reset="v = 0*mV",
            namespace={"g": function, "ms": unit.ms, "mV": unit.mV},
        )
        group.v = "g(i*4*mV)*10*mV"
        trace = lib.StateMonitor(group, "v", record=True)
        lib.Network(group, trace, **kind).run(20 * unit.ms)
        traces.append(np.asarray(getattr(trace.v, "value", trace.v)))
    np.testing.assert_allclose(traces[0], traces[1], rtol=1e-10)


def test_units_are_checked():
    for text, message in (
        ("dx/dt = gate(x)/ms : 1", "gate.. needs volt as its argument"),
        ("dx/dt = product(x, 2*mV)/ms : 1", "d?x"),
        ("dx/dt = above(x, x)/ms : 1", "needs 1 argument, got 2"),
    ):
        with pytest.raises((DimensionError, snn.errors.EquationError), match=message):
            snn.Network(snn.NeuronGroup(1, text, namespace=names | {"ms": ms, "mV": mV})).run(1 * ms)
    same = snn.Function(lambda a, b: a + b, arg_units=[None, "a"], return_unit=lambda a, b: a)
    group = snn.NeuronGroup(1, "x : volt", namespace={"same": same})
    group.x = "same(1*mV, 2*mV)"
    assert group.x_[0] == pytest.approx(3e-3)
    with pytest.raises(DimensionError, match="argument 2"):
        group.x = "same(1*mV, 2*nS)"
    assert isinstance(gate(0.0), jax.Array)
    assert nS.dim != amp.dim


def test_conditions_and_types():
    group = snn.NeuronGroup(
        5,
        "x : integer\ny : boolean",
        namespace={**names, "twice": snn.Function(lambda k: 2 * k, return_type="integer")},
    )
    group.x = "twice(i)"
    group.y = "above(i)"
    assert group.x[:].tolist() == [0, 2, 4, 6, 8]
    assert group.y[:].tolist() == [False, False, False, True, True]
    fires = snn.NeuronGroup(5, "x : 1", threshold="above(x) and twice(i) > 7", namespace=group.namespace)
    fires.x = "i"
    spikes = snn.SpikeMonitor(fires)
    snn.Network(fires, spikes).run(1 * ms)
    assert spikes.count.tolist() == [0, 0, 0, 0, 10]


def test_derivative():
    group = snn.NeuronGroup(1, "dx/dt = f(a)/second : 1\na : 1", namespace={"f": snn.Function(jnp.sin, [1])}, name="g")
    group.a = 0.7
    sim = snn.Network(group).compile()
    params, state = sim.init(0)
    slope = jax.grad(lambda p: sim.run(p, state, 100 * ms)[0]["g"]["x"][0])(params)["g"]["a"]
    assert slope[0] == pytest.approx(0.1 * np.cos(0.7), rel=1e-5)


def test_constant_arguments_keep_the_equation_linear():
    group = snn.NeuronGroup(
        1, "dx/dt = f(a) - x/(10*ms) : 1\na : 1", namespace={"f": snn.Function(lambda a: a * a, return_unit=1 / second)}
    )
    group.a = 3
    net = snn.Network(group)
    net.run(20 * ms)
    assert net.notes[0].startswith(f"{group.name}: exact")
    assert group.x[0] == pytest.approx(9 * 10e-3 * (1 - np.exp(-2)), rel=1e-5)


def test_callback():
    asked = []

    def numpy_only(x, y):
        asked.append(x.shape)
        return np.interp(x, [0, 1], [0, 10]) + y

    group = snn.NeuronGroup(
        3, "x : 1\ny = table(x, 1) : 1", namespace={"table": snn.Function(numpy_only, callback=True)}, name="g"
    )
    group.x = [0.1, 0.2, 0.3]
    trace = snn.StateMonitor(group, "y", record=True, name="trace")
    net = snn.Network(group, trace)
    net.run(0.5 * ms)
    np.testing.assert_allclose(trace.y, np.tile([[2.0], [3.0], [4.0]], 5), rtol=1e-6)
    assert (3,) in asked
    sim = net.compile()
    params, state = sim.init(0)
    many = jax.vmap(lambda x: sim.run(sim.put(params, "g.x", x), state, 2)[1]["trace"]["y"])(jnp.array([0.0, 0.5]))
    np.testing.assert_allclose(many[:, 0, 0], [1, 6], rtol=1e-6)
    with pytest.raises(NotSupportedError, match="no derivative"):
        jax.grad(lambda p: sim.run(p, state, 2)[1]["trace"]["y"].sum())(params)


def test_a_function_with_state_is_asked_in_every_step():
    counter = iter(range(1000))
    read = snn.Function(lambda: np.float64(next(counter)), stateless=False, callback=True)
    group = snn.NeuronGroup(2, "x : 1", threshold="True", reset="x = read()", namespace={"read": read})
    trace = snn.StateMonitor(group, "x", record=0)
    snn.Network(group, trace).run(0.5 * ms)
    assert trace.x[0].tolist() == [0, 0, 1, 2, 3]


def test_what_is_refused():
    def plain(x):
        return x + 1 if x > 0 else x

    def run(f, text="dx/dt = f(x)/ms : 1"):
        snn.Network(snn.NeuronGroup(2, text, namespace={"f": f, "ms": ms})).run(1 * ms)

    with pytest.raises(UnknownNameError, match=r"f = Function\(f, arg_units"):
        run(plain)
    for wrong in (plain, lambda x: np.sin(x) if False else np.asarray(x)):
        with pytest.raises(ArgumentError, match="callback=True"):
            run(snn.Function(wrong))
    with pytest.raises(ArgumentError, match="one value for each element"):
        run(snn.Function(lambda x: x[:1]))
    with pytest.raises(ArgumentError, match="2 units for its 1 arguments"):
        snn.Function(plain, [1, 1])
    with pytest.raises(ArgumentError, match="rand"):
        snn.Function(plain, stateless=False)
    with pytest.raises(ArgumentError, match="cannot be seen"):
        snn.Function(lambda *args: 1)
    with pytest.warns(UserWarning, match="function of the language"):
        snn.Network(
            snn.NeuronGroup(1, "x = exp(1) : 1\ny : 1", threshold="x > 9", reset="", namespace={"exp": gate})
        ).run(1 * ms)


def test_names_of_our_own_runtime():
    group = snn.NeuronGroup(1, "x : 1", namespace={"power": snn.Function(lambda x: 3 * x)})
    group.x = "power(2)**2"
    assert group.x[0] == 36
    runs = snn.NeuronGroup(1, "y : 1", threshold="True", reset="y = power(2)**2", namespace=group.namespace)
    snn.Network(runs).run(0.1 * ms)
    assert runs.y[0] == 36


def test_binomial_function():
    release = snn.BinomialFunction(10, 0.3)
    group = snn.NeuronGroup(
        2000, "x : 1", threshold="True", reset="x = release()", namespace={"release": release}, name="g"
    )
    net = snn.Network(group)
    net.run(0.1 * ms)
    found = group.x[:]
    assert set(found) <= set(range(11))
    assert found.mean() == pytest.approx(3, abs=5 * np.sqrt(2.1 / 2000))
    assert found.var() == pytest.approx(2.1, rel=0.2)
    assert net.compile().paths(net.compile().init(0)[0]) == ["g._release_p"]
    synapses = snn.Synapses(group, group, namespace={"release": release})
    synapses.connect("release() > 3")  # drawn for each pair
    assert len(synapses) / 2000**2 == pytest.approx(0.3504, abs=0.005)
    with pytest.raises(ArgumentError, match="probability"):
        snn.BinomialFunction(3, 1.5)


@pytest.mark.parametrize("delays", [None, [0.1, 0.2, 0.3]], ids=["at once", "delayed"])
def test_code_of_synapses_asks_at_arrival(delays):
    """Not once a run, and not at emission: what it says may depend on when it is asked."""
    counter = iter(range(1000))
    read = snn.Function(lambda j: np.full(np.shape(j), 10.0 ** next(counter)), stateless=False, callback=True)
    source = snn.SpikeGeneratorGroup(1, [0], [0] * ms)
    target = snn.NeuronGroup(3, "x : 1")
    synapses = snn.Synapses(source, target, on_pre="x_post += read(j)", namespace={"read": read})
    synapses.connect()
    if delays is not None:
        synapses.delay = delays * ms
    net = snn.Network(source, target, synapses)
    net.run(0.4 * ms)
    exponents = np.log10(target.x[:])
    np.testing.assert_allclose(exponents, np.round(exponents), atol=1e-5)  # asked once for each spike
    assert np.diff(exponents).tolist() == pytest.approx([0, 0] if delays is None else [1, 1], abs=1e-5)
