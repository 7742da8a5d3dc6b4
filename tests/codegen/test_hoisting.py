"""What depends on constants alone is computed once a run; what is a number of the user is an argument."""

import re

import jax
import numpy as np
from contracts.networks import NETWORKS

import jaxsnn as snn
from jaxsnn.units import ms


def step_and_prepare(source, name):
    """The generated text of the step, and of what runs before it, of one operation."""
    block = re.search(rf"# {name}\n(def \w+_prepare\(.*?\n)(def .*?)(?=\n# |\Z)", source, re.S)
    assert block, source
    return block[2], block[1]


def test_no_exponential_in_the_step_of_cuba():
    net = NETWORKS["cuba"]("float32")
    sim = net.compile()
    name = f"{net['cells'].order_name}_stateupdater"
    step, prepare = step_and_prepare(sim.source, name)
    assert "exp" in prepare
    assert "exp" not in step
    assert "propagator" not in step
    for constant in ("taum", "taue", "taui"):
        assert re.search(rf"def \w+_prepare\(.*\b{constant}\b.*\)", prepare), "a constant is an argument"
    # 20 ms, 5 ms, 10 ms, -49 mV, -50 mV, -60 mV: none is written into the code.
    for literal in ("0.02", "0.005", "0.01", "-0.049", "0.049", "0.05", "0.06"):
        assert not re.search(rf"(?<![\d.]){re.escape(literal)}(?!\d)", sim.source), literal


def exponentials_in_the_loop(sim):
    """Number of exp operations inside the scan of a run."""
    params, state = sim.init(0)
    jaxpr = jax.make_jaxpr(lambda p, s: sim._run_steps(p, s, None, steps=3, phase=None))(params, state)

    def count(jaxpr, inside):
        total = 0
        for eqn in jaxpr.eqns:
            total += inside and eqn.primitive.name in ("exp", "exp2", "expm1")
            for value in eqn.params.values():
                inner = getattr(value, "jaxpr", value)
                if hasattr(inner, "eqns"):
                    total += count(inner, inside or eqn.primitive.name in ("scan", "while"))
        return total

    return count(jaxpr.jaxpr, False)


def test_the_compiled_loop_has_none_either():
    assert exponentials_in_the_loop(NETWORKS["cuba"]("float32").compile(execution="masked")) == 0
    assert exponentials_in_the_loop(NETWORKS["hh"]("float32").compile()) > 0


def test_an_input_is_not_hoisted():
    cell = snn.NeuronGroup(1, "dv/dt = -v/tau : 1\ntau : second", method="exact")
    cell.label("cell")
    cell.tau = 10 * ms
    cell.v = 1
    net = snn.Network(cell)
    assert exponentials_in_the_loop(net.compile()) == 0
    sim = net.compile(inputs=["cell.tau"])
    assert exponentials_in_the_loop(sim) > 0
    taus = np.array([[5e-3], [10e-3], [20e-3]])
    after, _ = sim.run(*sim.init(0), 3, inputs={"cell.tau": taus})
    np.testing.assert_allclose(after["cell"]["v"], np.exp(-np.sum(1e-4 / taus)), rtol=1e-6)


def test_connections_are_arguments_not_constants():
    """The text of the compiled run does not grow with the number of synapses."""
    sizes = []
    for n in (50, 500):
        cells = snn.NeuronGroup(n, "v : 1", threshold="v > 1", reset="v = 0")
        syn = snn.Synapses(cells, cells, "w : 1", on_pre="v_post += w")
        syn.connect(p=0.5)
        sim = snn.Network(cells, syn).compile(execution="event_list")
        params, state = sim.init(0)
        sizes.append(len(sim._scan.lower(params, state, None, steps=3, phase=None).as_text()))
    assert sizes[1] < 1.1 * sizes[0]
