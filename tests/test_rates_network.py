"""Chains of rate neurons written as equations, with `RATE_STDP`, against `jaxsnn.rates.learn`: the same steps twice."""

import numpy as np
import pytest

from jaxsnn import Network, NeuronGroup, Synapses, TimedArray
from jaxsnn.plasticity import RATE_STDP
from jaxsnn.rates import Stage, learn
from jaxsnn.units import Hz, second

pytestmark = pytest.mark.usefixtures("x64")

DT, TAU = 0.005, 0.02
RATE = RATE_STDP.with_values(tau=TAU * second)


def rows(rng, steps, n):
    """Rates that are new in every step, around 10 Hz."""
    return np.maximum(0, rng.normal(10, 5, (steps, n)))


def stream(x, name):
    """Neurons that have these rates, from the slot ``start`` of each step on."""
    table = TimedArray(x * Hz, dt=DT * second)
    group = NeuronGroup(x.shape[1], "x : Hz", namespace={"table": table}, name=name)
    group.run_regularly("x = table(t, i)")
    return group


def heard(source, lag, name):
    """Neurons with the rates of others ``lag`` steps ago, and their traces; and the synapses that bring them.

    What ``delayed`` finds when a step begins is of the step before, so one step of the delay is there already. The
    neurons come before others (order -1): who listens to them sums up what they have now.
    """
    group = NeuronGroup(
        len(source), RATE.source_equations, method="euler", namespace=RATE.values, order=-1, name=f"{name}_heard"
    )
    what = f"delayed(x_pre, {(lag - 1) * DT}*second)" if lag else "x_pre"
    wires = Synapses(source, group, f"x_post = {what} : Hz (summed)", name=f"{name}_hears")
    wires.connect(j="i")
    return group, wires


def output(n, name):
    """Neurons whose rate y is the sum of what reaches them."""
    return NeuronGroup(n, RATE.neuron_equations, method="euler", namespace=RATE.values, name=name)


def fixed(source, target, w, name, late=False):
    """Synapses with weights (targets, sources) that stay."""
    what = "delayed(x_pre, 0*second)" if late else "x_pre"
    wires = Synapses(source, target, f"w : 1\ny_post = w*{what} : Hz (summed)", name=name)
    wires.connect()
    wires.w = w.T.ravel()
    return wires


def coupled(source, target, part, name):
    """Each neuron adds a part of the rate that another had one step ago."""
    wires = Synapses(source, target, f"y_post = {part}*delayed(y_pre, 0*second) : Hz (summed)", name=name)
    wires.connect(j="i")
    return wires


def matrix(wires):
    """Weights of synapses as (targets, sources)."""
    return np.asarray(wires.w[:]).reshape(len(wires.source), len(wires.target)).T


def same(network_weights, expected, before, w_max):
    for found, should, old in zip(network_weights, expected, before, strict=True):
        np.testing.assert_allclose(found, should, atol=1e-10 * w_max, rtol=0)
        assert np.abs(found - old).mean() > 0.05 * w_max  # they have learnt
        assert ((found == 0) | (found == w_max)).any()  # and some were cut off


def test_chain_of_shortcuts():
    """The hierarchy of Remme et al. (2021), Figure 5: a longer and longer way, and a shortcut to each of its stages."""
    levels, n, steps, w_max = 3, 16, 400, 2 / 16
    rng = np.random.default_rng(1)
    x, hpc = rows(rng, steps, n), rng.random((n, n)) * w_max
    w = [rng.random((n, n)) * w_max for _ in range(levels)]
    up = [2.0 * w_max * 0.5**k for k in range(levels)]
    lags = [levels - k for k in range(levels)]

    stages = [Stage(lag=levels, plastic=False)]
    stages += [
        Stage(gain=0.5, coupling=0.5, potentiation=a, depression=1.0012 * a, w_max=w_max, lag=lag)
        for a, lag in zip(up, lags, strict=True)
    ]
    _, *expected = learn(stages, [hpc, *w], [x], dt=DT, tau=TAU, execution="scan")

    source = stream(x, "inputs")
    first, wires = heard(source, levels, "hpc")
    before = output(n, "hpc")
    objects = [source, first, wires, before, fixed(first, before, hpc, "memory")]
    plastic = []
    for k, (a, lag) in enumerate(zip(up, lags, strict=True)):
        group, wires = heard(source, lag, f"level{k}")
        target = output(n, f"level{k}")
        learning = RATE.synapses(
            group,
            target,
            connect=True,
            gain=0.5,
            A_plus=a / w_max * second,
            A_minus=1.0012 * a / w_max * second,
            w_max=w_max,
            w=w[k].T.ravel(),
            name=f"w{k}",
        )
        objects += [group, wires, target, learning, coupled(before, target, 0.5, f"level{k}_from_before")]
        plastic.append(learning)
        before = target
    Network(*objects, dt=DT * second, dtype="float64").run(steps * DT * second)
    same([matrix(wires) for wires in plastic], expected, w, w_max)


def test_two_output_stages_and_fixed_pathways():
    """The areas of Remme et al. (2021), Figure 4: two direct inputs to each stage, a late fixed one, and a coupling."""
    n, steps, w_max = 12, 300, 1 / 12
    rng = np.random.default_rng(2)
    place, thing, late = rows(rng, steps, n), rows(rng, steps, n), rows(rng, steps, 2 * n)
    w = [rng.random((n, 2 * n)) * w_max for _ in range(2)]
    memory = np.hstack([rng.random((n, n)) / n, np.eye(n) / 4])
    up = [2.0 * w_max, 1.0 * w_max]
    numbers = [{"potentiation": a, "depression": 1.005 * a, "w_max": w_max} for a in up]
    stages = [
        Stage(stream=1, plastic=False),
        Stage(coupling=1.0, stream=0, **numbers[0]),
        Stage(coupling=0.5, stream=0, **numbers[1]),
    ]
    _, *expected = learn(stages, [memory, *w], [np.hstack([place, thing]), late], dt=DT, tau=TAU, execution="scan")

    inputs = [stream(place, "place"), stream(thing, "thing")]
    heard_here = [heard(group, 0, group.name) for group in inputs]
    ca3 = stream(late, "ca3")
    stage = [output(n, "ca1"), output(n, "sub")]
    objects = [*inputs, ca3, *stage, *(o for pair in heard_here for o in pair)]
    objects += [fixed(ca3, stage[0], memory, "sc", late=True), coupled(stage[0], stage[1], 0.5, "ca1_sub")]
    plastic = []
    for k in range(2):
        halves = [
            RATE.synapses(
                group,
                stage[k],
                connect=True,
                A_plus=up[k] / w_max * second,
                A_minus=1.005 * up[k] / w_max * second,
                w_max=w_max,
                w=w[k][:, half * n : (half + 1) * n].T.ravel(),
                name=f"w{k}{half}",
            )
            for half, (group, _) in enumerate(heard_here)
        ]
        objects += halves
        plastic.append(halves)
    Network(*objects, dt=DT * second, dtype="float64").run(steps * DT * second)
    same([np.hstack([matrix(wires) for wires in halves]) for halves in plastic], expected, w, w_max)
