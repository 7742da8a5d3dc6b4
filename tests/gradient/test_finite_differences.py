"""Gradients of relaxed simulations equal central finite differences, whatever the step does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gradient.check import holds, problem
from gradient.networks import NETWORKS, network, of_synapses

import jaxsnn as snn
from jaxsnn.integrators import INTEGRATORS
from jaxsnn.plasticity import RULES
from jaxsnn.surrogate import SURROGATES, SuperSpike
from jaxsnn.units import ms

QUICK = {
    "events",
    "code",
    "two_reset_variables",
    "refractory_time",
    "poisson_group",
    "target_ring",
    "overwritten",
    "one_by_one",
}
slow = pytest.mark.slow


def marked(names, quick):
    return [name if name in quick else pytest.param(name, marks=slow) for name in names]


@pytest.mark.parametrize("name", marked(NETWORKS, QUICK))
def test_every_kind_of_operation(name, x64):
    holds(NETWORKS[name]().compile(relaxed=True))


@pytest.mark.parametrize("name", marked(SURROGATES, {"multi_gaussian"}))
def test_every_surrogate(name, x64):
    holds(NETWORKS["weights"]().compile(relaxed=True, surrogate=SURROGATES[name](width=0.4)))


@pytest.mark.parametrize("name", marked([n for n in INTEGRATORS if n != "linear"], {"rk4"}))
def test_every_integrator(name, x64):
    noisy = name in ("euler", "heun", "milstein")
    group = snn.NeuronGroup(
        3,
        "dv/dt = (1.4 - v - a)/tau " + ("+ 0.3*xi/sqrt(tau)" if noisy else "") + " : 1\nda/dt = (0.2*v - a)/(7*ms) : 1",
        threshold="v > 1",
        reset="v = 0\na += 0.1",
        method=name,
        namespace={"tau": 5 * ms},
    )
    group.v = [0.2, 0.5, 0.8]
    holds(network(group).compile(relaxed=True))


@slow
@pytest.mark.parametrize("execution", ["dense", "masked", "event_list"])
@pytest.mark.parametrize("name", ["constant_weights", "weights", "target_ring", "spike_history"])
def test_every_execution(name, execution, x64):
    holds(NETWORKS[name]().compile(relaxed=True, execution=execution))


@slow
@pytest.mark.parametrize("rule", list(RULES))
def test_every_plasticity_rule(rule, x64):
    given = RULES[rule]
    source = snn.NeuronGroup(
        3,
        "dp/dt = 1/(2*ms) : 1\n" + given.source_equations,
        threshold="p > 1",
        reset="p = 0",
        method="euler",
        namespace={},
    )
    source.p = [0.1, 0.4, 0.8]
    target = snn.NeuronGroup(
        2,
        """
        du/dt = (1.6 - u)/(4*ms) : 1
        dv/dt = (60*mV*u - 90*mV - v)/(2*ms) : volt
        hits : 1
        """
        + given.neuron_equations,
        threshold="u > 1",
        reset="u = 0\n" + given.neuron_reset,
        method="euler",
        namespace=dict(given.values),
    )
    target.u = [0.3, 0.7]
    for group in (source, target):
        for name in ("x", "y", "d"):
            if name in group.equations:
                setattr(group, name, 0.3 + 0.2 * np.arange(len(group)))
    transmit = "" if given.source_equations else "hits_post += w" + "/nS" * ("siemens" in given.equations)
    synapses = given.synapses(source, target, transmit=transmit, connect=True)
    trace = snn.StateMonitor(synapses, "w", record=True)
    sim = snn.Network(source, target, synapses, trace, dtype="float64").compile(
        relaxed=True, surrogate=SuperSpike(width=0.2)
    )
    holds(sim, steps=50)


def test_forward_mode_agrees_with_reverse_mode_and_a_second_derivative_with_the_first(x64):
    number = problem(of_synapses(delay=0.5 * ms).compile(relaxed=True))
    backward = jax.jit(jax.grad(number))
    assert float(jax.jit(jax.jacfwd(number))(0.0)) == pytest.approx(float(backward(0.0)), rel=1e-10)
    h = 1e-5
    central = float(backward(h) - backward(-h)) / (2 * h)
    assert float(jax.jit(jax.hessian(number))(0.0)) == pytest.approx(central, rel=1e-6)
    many = jax.vmap(backward)(jnp.array([0.0, 0.1]))
    np.testing.assert_allclose(many, [float(backward(0.0)), float(backward(0.1))], rtol=1e-10)
