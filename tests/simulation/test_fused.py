"""Groups with kernels of their own do what the operations do one by one.

The oracle is the step without them, which is compared with Brian2 elsewhere. On a machine without a GPU the kernels
are carried out on the host, program by program, and lowered for CUDA.
"""

from contextlib import nullcontext
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh
from simulation.fused_networks import NETWORKS

import jaxsnn as snn
from jaxsnn.bench import build
from jaxsnn.events import kernel
from jaxsnn.events.gpu import triton, walk
from jaxsnn.simulation import SpikeRecord
from jaxsnn.simulation.fused import Fused, launch, run
from jaxsnn.units import ms

STEPS = 30


def compiled(name):
    return snn.Network(*NETWORKS[name](), dtype="float64").compile(dt=0.1 * ms)


def same(given, wanted):
    """Spikes are equal, numbers equal up to the order of additions."""
    assert jax.tree.structure(given) == jax.tree.structure(wanted)
    for one, other in zip(jax.tree.leaves(given), jax.tree.leaves(wanted), strict=True):
        if not jax.dtypes.issubdtype(one.dtype, jax.dtypes.prng_key):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


# Carried out on the host a step takes a while: those whose parts others have too are for ``make test-all``.
LIKE_OTHERS = {
    "counted",
    "everyone",
    "everyone, different delays",
    "recurrent, one delay",
    "recurrent, never at once",
    "plastic",
    "plastic, one delay",
    "several groups",
    "driven, and watched",
    "driven",
    "noisy",
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LIKE_OTHERS else ()) for name in NETWORKS]
)
def test_kernels_do_what_operations_do(name, x64):
    plain = compiled(name)
    params, state = plain.init(3)
    wanted_state, wanted = plain.run(params, state, STEPS)
    assert sum(r.counts().sum() for r in wanted.values() if isinstance(r, SpikeRecord)) > 5
    with triton.interpreted():
        fused = compiled(name)
        assert Fused.of(fused._step, *fused.init(3), fused._step.prepare(*fused.init(3))) is not None
        params, state = fused.init(3)
        # Cut in two: what is on its way between launches must be there between runs.
        state, first = fused.run(params, state, STEPS // 3)
        state, second = fused.run(params, state, STEPS - STEPS // 3)
    for label, record in wanted.items():
        if isinstance(record, SpikeRecord):
            halves = np.concatenate([first[label].dense(), second[label].dense()])
            np.testing.assert_array_equal(halves, record.dense())
        else:
            for field, values in record.items():
                halves = np.concatenate([first[label][field], second[label][field]])
                np.testing.assert_allclose(halves, values, rtol=1e-9, atol=1e-12)
    for owner in wanted_state.values:
        same(state.values[owner], wanted_state.values[owner])
    same(state.events, wanted_state.events)
    if name.startswith("everyone"):
        # 17 neurons for 30 steps, each synapse (one in three pairs has none) counts every spike but those on their way.
        i, j = np.nonzero((np.arange(17)[:, None] + 2 * np.arange(17)) % 3)
        arrived = STEPS - ((i + j) % 6 if "delays" in name else 0)
        np.testing.assert_array_equal(state["synapses"]["n"], np.broadcast_to(arrived, i.shape))
        np.testing.assert_array_equal(state["cells"]["v"], np.bincount(j, arrived * (1 + i % 3), 17))
    if "plastic" not in name and "everyone" not in name:  # there the words of a history take the place of its flags
        same(state.rings, wanted_state.rings)


@pytest.fixture
def all_long(monkeypatch):
    """Every row counts as long, so that several programs share it."""
    monkeypatch.setattr(launch, "LONG_ROW", 1)
    monkeypatch.setattr(walk, "SHORT_ROW", 1)
    monkeypatch.setattr(walk, "LANES", 2)
    monkeypatch.setattr(launch, "SOURCES", 8)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["driven", "plastic", "recurrent", "recurrent, never at once"])
def test_rows_that_several_programs_share(name, x64, all_long):
    test_kernels_do_what_operations_do(name, None)


def test_rows_that_wait_for_the_next_step_need_no_second_kernel(all_long, pretend):
    for name, kernels in (("recurrent, never at once", 1), ("recurrent, different delays", 2)):
        simulation = snn.Network(*NETWORKS[name](), dtype="float32").compile(dt=0.1 * ms)
        params, state = simulation.init(0)
        plan = Fused.of(simulation._step, params, state, simulation._step.prepare(params, state)).plan
        assert (len(plan.later), len(plan.stages)) == (2 if kernels == 1 else 0, kernels)


def test_a_delay_that_was_taken_back(x64):
    """Its ring is still there, with one slot: spikes act at once."""
    spikes = []
    for interpreted in (False, True):
        objects = NETWORKS["recurrent, one delay"]()
        cells, one, two, _ = objects
        drive = np.asarray(cells.I)
        cells.I, cells.v = 0, 0
        net = snn.Network(*objects, dtype="float64")
        net.run(1 * ms)
        one.delay, two.delay, cells.I = 0 * ms, 0 * ms, drive
        with triton.interpreted() if interpreted else nullcontext():
            simulation = net.compile(dt=0.1 * ms)
            params, state = simulation.init(0)
            assert [rings[0].shape[0] for rings in state.rings.values()] == [1, 1]
            spikes.append(simulation.run(params, state, STEPS)[1]["spikes"].dense())
    assert spikes[0].sum() > 5
    np.testing.assert_array_equal(*spikes)


@pytest.fixture
def pretend(monkeypatch):
    """A machine that can compile kernels, but not run them."""
    monkeypatch.setattr(kernel, "available", lambda backend: True)
    monkeypatch.setattr(run, "available", lambda backend: True)


# How many kernels a step has, and how many of the groups have one of their own.
KERNELS = {
    "everyone": (1, 1),
    "everyone, different delays": (1, 1),
    "recurrent": (1, 1),
    "recurrent, one delay": (1, 1),
    "recurrent, different delays": (1, 1),
    "recurrent, never at once": (1, 1),
    "reset that reads": (1, 1),
    "counted": (1, 1),
    "noisy": (1, 2),
    "plastic": (2, 2),
    "plastic, one delay": (2, 2),
    "plastic, different delays": (2, 2),
    "plastic loop": (2, 1),
    "several groups": (3, 1),
    "driven": (2, 2),
    "driven, and watched": (2, 2),
    "events": (4, 1),  # pathways out of a group without kernel or into one have kernels of their own
}


@pytest.mark.parametrize("name", NETWORKS)
def test_kernels_lower_for_cuda(name, pretend):
    simulation = snn.Network(*NETWORKS[name](), dtype="float32").compile(dt=0.1 * ms, unroll=1)
    params, state = simulation.init(0)
    device = AbstractDevice("NVIDIA H200", 132, "gpu")
    with use_abstract_mesh(AbstractMesh((), (), abstract_device=device)):
        traced = jax.jit(lambda p, s: simulation.run(p, s, 16)).trace(params, state)
        text = traced.lower(lowering_platforms=("cuda",)).as_text()
    fused = Fused.of(simulation._step, params, state, simulation._step.prepare(params, state))
    assert (text.count("triton_kernel_call") or text.count("xla.gpu.triton"), len(fused.plan.groups)) == KERNELS[name]


def test_groups_with_events_and_code_of_their_own(pretend):
    """Code in every step is part of a kernel; several events, other clocks and recorded variables are not."""
    simulation = snn.Network(*NETWORKS["events"]()).compile(dt=0.1 * ms)
    params, state = simulation.init()
    step = simulation._step
    plan = Fused.of(step, params, state, step.prepare(params, state)).plan
    assert [group.owner for group in plan.groups] == ["sink"]
    assert "several" in plan.reasons["cells"]
    assert "another clock" in plan.reasons["other"] or "when it fires" in plan.reasons["other"]


def test_reasons_say_what_stands_in_the_way(pretend):
    simulation = snn.Network(*NETWORKS["several groups"]()).compile(dt=0.1 * ms)
    params, state = simulation.init(0)
    plan = Fused.of(simulation._step, params, state, simulation._step.prepare(params, state)).plan
    assert [group.owner for group in plan.groups] == ["middle"]
    assert "'drive' has the shape (3,)" in plan.reasons["last"]
    assert "threshold" in plan.reasons["source"]


@pytest.mark.parametrize("name", [pytest.param("recurrent", marks=pytest.mark.slow), "recurrent, different delays"])
def test_sums_in_fixed_point_have_the_same_bits_in_any_order(name):
    states = []
    for backwards in (False, True):
        with triton.interpreted(backwards):
            net = snn.Network(*NETWORKS[name](), dtype="float32")
            simulation = net.compile(dt=0.1 * ms, execution="deterministic")
            params, state = simulation.init(0)
            fused = Fused.of(simulation._step, params, state, simulation._step.prepare(params, state))
            assert fused.units
            states.append(simulation.run(params, state, STEPS))
    for one, other in zip(*map(jax.tree.leaves, states), strict=True):
        assert one.dtype == other.dtype
        if not jax.dtypes.issubdtype(one.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(one, other)
    plain = snn.Network(*NETWORKS[name](), dtype="float32").compile(dt=0.1 * ms)
    wanted, record = plain.run(*plain.init(0), STEPS)
    np.testing.assert_array_equal(states[0][1]["spikes"].dense(), record["spikes"].dense())
    for field in ("v", "ge", "gi"):
        np.testing.assert_allclose(states[0][0]["cells"][field], wanted["cells"][field], rtol=1e-4, atol=1e-6)


def test_changing_weights_need_another_way_to_fixed_point(pretend):
    simulation = snn.Network(*NETWORKS["plastic"]()).compile(dt=0.1 * ms, execution="deterministic")
    params, state = simulation.init(0)
    plan = Fused.of(simulation._step, params, state, simulation._step.prepare(params, state)).plan
    assert [group.owner for group in plan.groups] == ["inputs"]
    assert "from outside" in plan.reasons["cells"]


# ---- batches -------------------------------------------------------------------------------------------------------


def batch(tree, size=3):
    return jax.tree.map(
        lambda x: jnp.stack([x * (1 + 0.01 * k) if jnp.issubdtype(x.dtype, jnp.floating) else x for k in range(size)]),
        tree,
    )


@pytest.mark.parametrize("name", ["recurrent, different delays", "plastic", "plastic, different delays"])
@pytest.mark.parametrize("what", ["parameters", "values"])
def test_kernels_of_batches_lower_for_cuda(name, what, pretend):
    simulation = snn.Network(*NETWORKS[name](), dtype="float32").compile(dt=0.1 * ms, unroll=1)
    params, state = simulation.init(0)

    def many(batched):
        if what == "parameters":
            return jax.vmap(lambda one: simulation.run(one, state, 16))(batched)
        return jax.vmap(lambda one: simulation.run(params, replace(state, values=one), 16))(batched)

    device = AbstractDevice("NVIDIA H200", 132, "gpu")
    with use_abstract_mesh(AbstractMesh((), (), abstract_device=device)):
        traced = jax.jit(many).trace(batch(params if what == "parameters" else state.values))
        text = traced.lower(lowering_platforms=("cuda",)).as_text()
    # As many kernels as one network has: the batch is another axis of their programs.
    assert (text.count("triton_kernel_call") or text.count("xla.gpu.triton")) == KERNELS[name][0]


# ---- on a GPU ------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.parametrize("name", NETWORKS)
def test_kernels_run_on_a_gpu(name):
    runs = []
    for execution in (None, "masked"):
        simulation = snn.Network(*NETWORKS[name](), dtype="float32").compile(dt=0.1 * ms, execution=execution)
        runs.append(simulation.run(*simulation.init(3), STEPS))
    (state, record), (wanted_state, wanted) = runs
    for label, one in wanted.items():
        if isinstance(one, SpikeRecord):
            np.testing.assert_array_equal(record[label].dense(), one.dense())
    for one, other in zip(jax.tree.leaves(state.values), jax.tree.leaves(wanted_state.values), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["recurrent, different delays", "plastic", "plastic, different delays", "noisy"])
def test_batches_run_on_a_gpu(name):
    simulation = snn.Network(*NETWORKS[name](), dtype="float32").compile(dt=0.1 * ms)
    params, state = simulation.init(0)
    several = batch(params)
    together, records = jax.vmap(lambda one: simulation.run(one, state, STEPS))(several)
    for k in range(3):
        alone, record = simulation.run(jax.tree.map(lambda x, k=k: x[k], several), state, STEPS)
        for label in record:
            np.testing.assert_array_equal(records[label].dense()[k], record[label].dense())
        for one, other in zip(jax.tree.leaves(together.values), jax.tree.leaves(alone.values), strict=True):
            np.testing.assert_allclose(one[k], other, rtol=1e-4, atol=1e-6)


@pytest.mark.gpu
def test_nothing_is_lost_between_the_threads_of_a_program():
    """Sums that do not depend on their order, in a network where threads of a program would race often enough."""
    network, _ = build("brunel", 10_000)
    simulation = network.compile(execution="deterministic")
    counts = [np.asarray(simulation.run(*simulation.init(1), 1000)[1]["spikes"].counts()) for _ in range(6)]
    assert counts[0].sum() > 1000
    for other in counts[1:]:
        np.testing.assert_array_equal(counts[0], other)


@pytest.mark.gpu
def test_fixed_point_has_the_same_bits_on_a_gpu():
    simulation = snn.Network(*NETWORKS["recurrent, different delays"](), dtype="float32").compile(
        dt=0.1 * ms, execution="deterministic"
    )
    runs = [simulation.run(*simulation.init(0), 2000)[0].values for _ in range(3)]
    for other in runs[1:]:
        for one, two in zip(jax.tree.leaves(runs[0]), jax.tree.leaves(other), strict=True):
            np.testing.assert_array_equal(one, two)
