"""Gradients against finite differences: of a relaxed simulation, in a random direction of parameters and state."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

STEPS = 60


def moving(tree):
    """The float arrays of a tree."""
    return [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]


def scaled(tree, rng, by):
    """Each float of a tree times 1 + by*(a random number)."""

    def leaf(x):
        return x * (1 + by * rng.uniform(-1, 1, x.shape)) if jnp.issubdtype(x.dtype, jnp.floating) else x

    return jax.tree.map(leaf, tree)


def problem(sim, seed=0, steps=STEPS):
    """A function of one number that moves all parameters and the state, by way of all records and the final state."""
    params, state = sim.init(seed)

    def outputs(by):
        rng = np.random.default_rng(seed)
        values = scaled(state.values, rng, by)
        return sim.run(scaled(params, rng, by), replace(state, values=values), steps, float_spikes=True)

    after, record = outputs(0.0)
    scales = [float(np.max(np.abs(x), initial=0)) for x in moving((after.values, record))]

    def number(by):
        after, record = outputs(by)
        total = 0.0
        for k, (x, scale) in enumerate(zip(moving((after.values, record)), scales, strict=True)):
            if scale:
                pattern = np.cos(0.7 * np.arange(x.size) + k).reshape(x.shape)
                total = total + jnp.sum(pattern * x / scale)
        return total

    return number


def compare(sim, seed=0, steps=STEPS):
    """(reverse mode, finite difference) of a relaxed simulation."""
    both = jax.jit(jax.value_and_grad(problem(sim, seed, steps)))
    backward = float(both(0.0)[1])
    central = [float(both(h)[0] - both(-h)[0]) / (2 * h) for h in (1e-5, 1e-6, 1e-7)]
    return backward, min(central, key=lambda c: abs(c - backward))


def holds(sim, seed=0, steps=STEPS, rel=1e-5):
    """Both agree, and are not 0."""
    backward, central = compare(sim, seed, steps)
    assert np.isfinite(backward)
    assert backward != 0
    assert abs(backward - central) <= rel * abs(central), (backward, central)
