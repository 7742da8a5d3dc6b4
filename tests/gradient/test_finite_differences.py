"""Gradients of relaxed simulations equal central finite differences, whatever the step does."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gradient.check import holds, problem
from gradient.networks import NETWORKS, cells, network, of_synapses

import jaxsnn as snn
from jaxsnn.integrators import INTEGRATORS
from jaxsnn.plasticity import RULES
from jaxsnn.surrogate import SURROGATES
from jaxsnn.units import ms

QUICK = {"two_reset_variables", "refractory_time", "poisson_group", "target_ring", "overwritten", "one_by_one"}
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
    source = cells(3, equations=given.source_equations)
    target = cells(2, equations=given.neuron_equations, reset="v = 0\n" + given.neuron_reset, method="euler")
    synapses = given.synapses(source, target, transmit="g_post += 0.2*w")
    holds(network(source, target, synapses).compile(relaxed=True), steps=40)


def test_forward_mode_agrees_with_reverse_mode_and_a_second_derivative_with_the_first(x64):
    number = problem(of_synapses(delay=0.5 * ms).compile(relaxed=True))
    backward = jax.jit(jax.grad(number))
    assert float(jax.jit(jax.jacfwd(number))(0.0)) == pytest.approx(float(backward(0.0)), rel=1e-10)
    h = 1e-5
    central = float(backward(h) - backward(-h)) / (2 * h)
    assert float(jax.jit(jax.hessian(number))(0.0)) == pytest.approx(central, rel=1e-6)
    many = jax.vmap(backward)(jnp.array([0.0, 0.1]))
    np.testing.assert_allclose(many, [float(backward(0.0)), float(backward(0.1))], rtol=1e-10)
