"""Parameters and state as trees: types, names, compilation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contracts.networks import NETWORKS

import jaxsnn as snn
from jaxsnn.units import ms


@pytest.mark.parametrize("name", NETWORKS)
def test_types_of_all_leaves(name, x64):
    """float32 stays float32 where JAX has 64 bits, and nothing is weakly typed (it would compile again)."""
    sim = NETWORKS[name]("float32").compile()
    params, state = sim.init(0)
    for leaf in jax.tree.leaves(params):
        assert leaf.dtype == np.float32
    after, _ = jax.eval_shape(lambda p, s: sim.step(p, s), params, state)
    before = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state)
    assert jax.tree.structure(before) == jax.tree.structure(after)
    for (path, old), new in zip(jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True):
        where = jax.tree_util.keystr(path)
        assert (old.shape, old.dtype) == (new.shape, new.dtype), where
        assert not new.weak_type, where
        if not jax.dtypes.issubdtype(new.dtype, jax.dtypes.prng_key):
            assert new.dtype in (np.float32, np.int32, np.bool_), where


@pytest.mark.parametrize("name", NETWORKS)
def test_every_leaf_has_a_name(name):
    sim = NETWORKS[name]("float32").compile()
    params, state = sim.init(0)
    for tree, leaves in ((params, params), (state, state.values)):
        paths = sim.paths(tree)
        assert len(paths) == len(set(paths)) == len(jax.tree.leaves(leaves))
        for path in paths:
            old = sim.get(tree, path)
            new = sim.put(tree, path, jnp.ones_like(old))
            np.testing.assert_array_equal(np.asarray(sim.get(new, path), float), np.ones(old.shape))
            np.testing.assert_array_equal(sim.get(tree, path), old)
            assert sim.get(new, path).dtype == old.dtype
            others = [p for p in paths if p != path]
            assert all(sim.get(new, p) is sim.get(tree, p) for p in others)


def test_names_that_are_not_there():
    sim = NETWORKS["cuba"]("float32").compile()
    params, state = sim.init(0)
    with pytest.raises(snn.errors.ArgumentError, match=r"no 'cells.taun' here.*cells.taum"):
        sim.get(params, "cells.taun")
    with pytest.raises(snn.errors.ArgumentError, match=r"no 'cell\.v' here.*cells\.v"):
        sim.put(state, "cell.v", 0)
    with pytest.raises(snn.errors.ArgumentError, match="discrete"):
        sim.put(state, "cells.N", 3)
    assert float(params["cells"]["taum"]) == pytest.approx(0.02)


def test_a_constant_is_an_argument_not_a_literal():
    """Other values of the namespace and of variables: the same compiled run, another result."""
    cell = snn.NeuronGroup(2, "dv/dt = (I - v)/tau : 1\nI : 1", threshold="v > th", reset="v = v0", method="exact")
    spikes = snn.SpikeMonitor(cell)
    net = snn.Network(cell, spikes)
    cell.I = 2
    ends = []
    for tau in (10, 20, 40):
        cell.v = 0
        net.run(5 * ms, namespace={"tau": tau * ms, "th": 1.5, "v0": 0.0})
        ends.append(float(cell.v[0]))
    cell.I = [3, 4]
    cell.v = 0.5
    net.run(7 * ms, namespace={"tau": 40 * ms, "th": 1.5, "v0": 0.25})
    np.testing.assert_allclose(ends, 2 * (1 - np.exp(-5 / np.array([10, 20, 40]))), rtol=1e-5)
    assert len(net._simulations) == 1
    chunks = net._simulations[0][2]._chunks
    assert sum(c._cache_size() for c in chunks.values()) == len(chunks)
    sim = net.compile(namespace={"tau": 40 * ms, "th": 1.5, "v0": 0.25})
    params, state = sim.init(0)
    for tau in (0.01, 0.02):
        after, _ = sim.run(sim.put(params, "cell.tau", tau), state, 20)
        sim.run(params, after, 20)
    assert sim._scan._cache_size() == 1


def test_a_run_of_many_chunks_compiles_once(monkeypatch):
    monkeypatch.setattr("jaxsnn.simulation.hostloop.LONGEST", 16)
    net = NETWORKS["delays"]("float32")
    net.run(10 * ms)
    net.run(3.3 * ms)
    ((_, _, loop),) = net._simulations
    assert [c._cache_size() for c in loop._chunks.values()] == [1]


def test_no_tracer_is_kept():
    """Compiled twice, in two transformations, with nothing left behind by the first."""
    with jax.checking_leaks():
        sim = NETWORKS["weights"]("float32").compile()
        params, state = sim.init(0)
        jax.jit(lambda p: sim.run(p, state, 5))(params)
        jax.vmap(lambda f: sim.run(sim.put(params, "cells.taum", f), state, 5)[0]["cells"]["v"])(
            jnp.array([0.01, 0.02])
        )
        sim.run(params, state, 5)
