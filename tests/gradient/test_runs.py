"""What a differentiated run is: the run itself, within the memory allowed, with paths that can be cut."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contracts.networks import NETWORKS
from gradient.networks import cells, network, recurrent
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

import jaxsnn as snn
from jaxsnn.codegen.jax_guarded import GUARDED
from jaxsnn.events import EXECUTIONS, Operands, Output, Wiring
from jaxsnn.simulation.gradient.delivery import SmoothDelivery
from jaxsnn.simulation.gradient.loop import nested_scan, plan, residual_bytes
from jaxsnn.surrogate import Triangular
from jaxsnn.units import Hz, ms, mV

slow = pytest.mark.slow


def spikes_of(record):
    return {name: np.asarray(r.packed) for name, r in record.items() if hasattr(r, "packed")}


@pytest.mark.parametrize("name", ["weights", *(pytest.param(n, marks=slow) for n in NETWORKS if n != "weights")])
def test_a_differentiated_run_has_the_spikes_of_the_plain_one(name):
    sim = NETWORKS[name]("float32").compile()
    params, state = sim.init(0)
    after, record = sim.run(params, state, 100)

    def loss(params):
        out = sim.run(params, state, 100, float_spikes=True)
        return sum(jnp.sum(r.counts()) for r in out[1].values() if hasattr(r, "packed")), out

    (count, (again, its_record)), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    plain = spikes_of(record)
    assert count == sum(r.counts().sum() for r in record.values() if hasattr(r, "packed")) > 0
    for label, packed in spikes_of(its_record).items():
        np.testing.assert_array_equal(packed, plain[label])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), after.values, again.values)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))
    assert any(np.any(x != 0) for x in jax.tree.leaves(gradient))
    assert jax.tree.structure(after) == jax.tree.structure(again)
    assert [x.dtype for x in jax.tree.leaves(after)] == [x.dtype for x in jax.tree.leaves(again)]


def counting(sim, steps, path):
    params, state = sim.init(0)

    def loss(value):
        record = sim.run(sim.put(params, path, value), state, steps, float_spikes=True)[1]
        return (next(r for r in record.values() if hasattr(r, "packed")).counts() ** 2).mean()

    return loss, sim.get(params, path)


def trained(**given):
    """A recurrent network of which the weights are asked for."""
    group = cells()
    group.label("cells")
    synapses = recurrent(group)
    synapses.label("synapses")
    return counting(network(group, synapses).compile(**given), 40, "synapses.w")


def test_all_transformations_work_without_a_special_build(x64):
    loss, w = trained()
    backward = jax.jit(jax.grad(loss))(w)
    assert np.abs(backward).max() > 0
    assert np.isfinite(backward).all()
    np.testing.assert_allclose(jax.jit(jax.jacfwd(loss))(w), backward, rtol=1e-9)
    np.testing.assert_allclose(jax.jvp(loss, (w,), (w,))[1], backward @ w, rtol=1e-9)
    many = jax.jit(jax.vmap(jax.grad(loss)))(jnp.stack([w, 1.1 * w]))
    np.testing.assert_allclose(many[0], backward, rtol=1e-9)


def test_checkpoints_change_nothing_but_the_memory(x64):
    (loss, w), (small, _) = trained(), trained(memory_limit=2_000)
    np.testing.assert_allclose(jax.jit(jax.grad(small))(w), jax.jit(jax.grad(loss))(w), rtol=1e-12)

    def memory(loss):
        compiled = jax.jit(jax.grad(loss)).lower(w).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert memory(small) < memory(loss)


def test_truncation_equals_a_loop_of_runs_that_are_cut(x64):
    """y(t+1) = 0.9 y(t) + a, cut every 4 of 10 steps: only the last segment, steps 9 and 10, reaches the end."""
    cell = snn.NeuronGroup(1, "dv/dt = (a - v)/(1*ms) : 1\na : 1 (constant)", method="euler", name="cell")
    cell.a = 2
    net = snn.Network(cell, dtype="float64")
    for truncate, kept in ((4, 2), (5, 5), (10, 10), (100, 10), (None, 10)):
        sim = net.compile(truncate=truncate)
        params, state = sim.init(0)

        def end(a, v, sim=sim, params=params, state=state):
            return sim.run(sim.put(params, "cell.a", a), sim.put(state, "cell.v", v), 10)[0]["cell"]["v"][0]

        by_a, by_v = jax.grad(end, argnums=(0, 1))(2.0, 0.5)
        assert by_a == pytest.approx(1 - 0.9**kept)
        assert by_v == pytest.approx(0.9**10 if kept == 10 else 0)


def test_the_reset_is_detached_unless_asked(x64):
    """One spike at v = 1.25 with a reset v -= 1: dv/dv0 is 1, or 1 - p'(0.25) with the reset's path (width 1)."""

    def slope(**given):
        cell = snn.NeuronGroup(1, "v : 1", threshold="v > 1", reset="v -= 1", name="cell")
        sim = snn.Network(cell, dtype="float64").compile(surrogate=Triangular(width=1), **given)
        params, state = sim.init(0)
        return float(jax.grad(lambda v: sim.run(params, sim.put(state, "cell.v", v), 1)[0]["cell"]["v"][0])(1.25))

    assert slope() == pytest.approx(1)
    assert slope(detach_reset=False) == pytest.approx(1 - 0.75)
    assert slope(relaxed=True) == pytest.approx(1 - 0.75)


def test_a_poisson_count_follows_its_rate():
    """The mean slope of a spike count is that of the mean count, steps*dt, whatever was drawn."""
    source = snn.PoissonGroup(50, 300 * Hz, name="source")
    cell = snn.NeuronGroup(1, "v : 1", name="cell")
    extra = snn.PoissonInput(cell, "v", 10, 200 * Hz, 0.5, name="extra")
    spikes = snn.SpikeMonitor(source, name="spikes")
    sim = snn.Network(source, cell, extra, spikes).compile()
    params, state = sim.init(1)

    def total(params):
        after, record = sim.run(params, state, 100, float_spikes=True)
        return record["spikes"].counts().sum() + after["cell"]["v"][0]

    slope = jax.grad(total)(params)
    np.testing.assert_allclose(slope["source"]["rates"], 100 * 1e-4, rtol=1e-5)
    assert float(slope["extra"]["rate"]) == pytest.approx(0.5 * 10 * 100 * 1e-4, rel=1e-5)


def test_untaken_branches_do_not_poison_gradients(x64):
    """Each line is defined at the values that occur, but a part of it is not: 0/0, log(0), overflow, sqrt(-1)."""
    cell = snn.NeuronGroup(
        3,
        """
        dv/dt = (where(x > 0, 1.0/x, 0) + where(x > 0, a/x, 0) + where(x > 0, log(x), 0)
                 + sqrt(x) + x**1.5 + where(x > 2, 0, exprel(x)) + where(x > 2, 0, exp(x))
                 + where(y < 0, sqrt(-y), 0) + y**2 + (y*y)**0.5)*Hz : 1
        x : 1 (constant)
        y : 1 (constant)
        a : 1 (constant)
        """,
        method="euler",
        name="cell",
    )
    cell.x, cell.y, cell.a = [0, 1, 1000], [0, -1, 1], 1.0
    sim = snn.Network(cell, dtype="float64").compile()
    params, state = sim.init(0)

    def value(by):
        moved = {name: values + by for name, values in params["cell"].items()}
        return sim.run({"cell": moved}, state, 3)[0]["cell"]["v"]

    gradient = jax.grad(lambda p: sim.run(p, state, 3)[0]["cell"]["v"].sum())(params)["cell"]
    assert all(np.isfinite(x).all() for x in gradient.values())
    h = 1e-6
    np.testing.assert_allclose(jax.jacfwd(value)(0.0)[1:2], (value(h) - value(-h))[1:2] / (2 * h), rtol=1e-8)
    assert gradient["a"][0] == 0
    assert gradient["a"][1] == pytest.approx(3e-4)


def test_nested_scan_equals_scan_for_lengths_that_do_not_divide(x64):
    def body(carry, x):
        return 0.9 * carry + jnp.sin(x), carry**2

    xs = jnp.arange(23.0)
    for lengths in ((), (5,), (7, 3), (23,), (40, 4), (1,)):

        def both(c, lengths=lengths):
            end, rows = nested_scan(body, c, xs, 23, lengths)
            return end + rows.sum()

        expected = jax.value_and_grad(lambda c: sum(map(jnp.sum, jax.lax.scan(body, c, xs))))(0.3)
        np.testing.assert_allclose(jax.value_and_grad(both)(0.3), expected, rtol=1e-12)


@pytest.mark.parametrize("steps", [10, 1000, 10**5, 10**6 + 3])
def test_plans_keep_to_the_limit(steps):
    state, residual = 1000, 20_000
    for limit in (10**6, 10**7):
        lengths = plan(steps, state, residual, limit)
        bounds = (steps, *lengths)
        if not lengths:
            assert steps * residual <= limit
            continue
        kept = sum(-(-a // b) * state for a, b in zip(bounds, lengths, strict=False)) + lengths[-1] * residual
        assert kept <= limit
        assert list(bounds) == sorted(bounds, reverse=True)


@pytest.mark.parametrize("delays", [False, True])
def test_the_kernel_delivers_the_values_of_a_differentiated_step(delays):
    """Lowered for CUDA: one kernel finds the spikes, and the derivative does not go through it."""
    rng = np.random.default_rng(0)
    n, row = 300, 80
    delay = rng.integers(0, 20, n * row) if delays else None
    wiring = Wiring.build(np.repeat(np.arange(n), row), rng.integers(0, n, n * row), n, n, delay)
    accumulators = (jnp.zeros((22, n)) if delays else jnp.zeros(n),)
    outputs = (Output("target"),)
    way = SmoothDelivery(EXECUTIONS["kernel"], False, wiring, outputs, relaxed=False)

    def contribution(values):
        return (values["w"] * GUARDED["exp"](values["a"]) + GUARDED["divide"](values["b"], values["a"]),)

    def loss(w, spikes, a, accumulators, wiring, now):
        operands = Operands({"w": w}, source={"a": a}, target={"b": a})
        prepared = way.prepare(wiring, outputs, contribution, None, "gpu")
        return sum(map(jnp.sum, way.deliver(prepared, wiring, spikes, contribution, operands, accumulators, now)))

    arguments = (jnp.ones(n * row), jnp.ones(n), jnp.ones(n), accumulators, wiring, jnp.int32(0))
    device = AbstractDevice("NVIDIA H200", 132, "gpu")
    with use_abstract_mesh(AbstractMesh((), (), abstract_device=device)):
        traced = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2))).trace(*arguments)
        text = traced.lower(lowering_platforms=("cuda",)).as_text()
        assert text.count("__gpu$xla.gpu.triton") == 1


def test_what_only_constants_decide_is_kept_once():
    """x + x*sum(cos(w)): the slope by w needs x, 10 floats a step; sin(w) and the sum are the same in all steps."""

    def step(w, x):
        return x + x * jnp.sum(jnp.cos(w))

    assert residual_bytes(step, jnp.ones(1000, jnp.float32), jnp.ones(10, jnp.float32)) == 40


def thousand_neurons(**given):
    """A loss by the weights of 1,000 neurons with 20,000 synapses, for a number of steps."""
    snn.seed(2)
    group = snn.NeuronGroup(
        1000,
        "dv/dt = (g - (v - El))/taum : volt (unless refractory)\ndg/dt = -g/taue : volt",
        threshold="v > Vt",
        reset="v = Vr",
        refractory=5 * ms,
        method="exact",
        namespace={"El": -49 * mV, "Vt": -50 * mV, "Vr": -60 * mV, "taum": 20 * ms, "taue": 5 * ms},
        name="cells",
    )
    group.v = "Vr + rand()*(Vt - Vr)"
    synapses = snn.Synapses(group, group, "w : volt", on_pre="g_post += w", name="synapses")
    synapses.connect(p=0.02)
    synapses.w = "(rand() - 0.7)*mV"
    rate = snn.PopulationRateMonitor(group, name="rate")
    sim = snn.Network(group, synapses, rate).compile(**given)
    params, state = sim.init(0)

    def loss(w, steps):
        record = sim.run(sim.put(params, "synapses.w", w), state, steps, float_spikes=True)[1]
        return (record["rate"]["count"] ** 2).mean()

    return loss, sim.get(params, "synapses.w")


@slow
@pytest.mark.parametrize("limit", [None, 2e7])
def test_ten_seconds_of_a_thousand_neurons_fit_into_a_gigabyte(limit):
    loss, w = thousand_neurons(memory_limit=limit)
    compiled = jax.jit(jax.grad(loss), static_argnums=1).lower(w, 10**5).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < (limit or 2**30) + 2e7


@slow
def test_a_gradient_takes_a_few_runs_that_compute_all_synapses():
    """Measured on one core: 3.4 to 4.2 times (4.6 with checkpoints); the rest is for machines that are busy."""
    loss, w = thousand_neurons(execution="masked")

    def best(function):
        compiled = jax.jit(function, static_argnums=1).lower(w, 2000).compile()
        times = []
        for _ in range(5):
            started = time.perf_counter()
            jax.block_until_ready(compiled(w))
            times.append(time.perf_counter() - started)
        return min(times)

    assert best(jax.grad(loss)) < 6 * best(loss)
