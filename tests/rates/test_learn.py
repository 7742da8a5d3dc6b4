"""Chains of rate neurons: both executions against the equations in a plain loop, and what they refuse."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsnn.errors import ArgumentError
from jaxsnn.events.gpu import triton
from jaxsnn.rates import Stage, learn

DT, TAU = 0.005, 0.02


def example(rows=3, inputs=(7, 5), steps=60, seed=0):
    """A fixed stage, and two plastic ones that reach both of their bounds; two streams, three lags."""
    rng = np.random.default_rng(seed)
    w_max = 2 / inputs[0]
    rate = 14 * w_max
    stages = [
        Stage(gain=1.5, stream=1, lag=4, plastic=False),
        Stage(0.5, 0.5, potentiation=rate, depression=1.1 * rate, w_max=w_max, lag=2),
        Stage(0.7, 0.3, potentiation=0.5 * rate, depression=0.6 * rate, w_max=w_max),
    ]
    streams = [np.maximum(0, rng.normal(10, 5, (steps, n))) for n in inputs]
    weights = [rng.random((rows, inputs[s.stream])) * w_max for s in stages]
    weights[0] -= w_max / 2  # fixed weights know no bounds
    return stages, weights, streams


def in_a_loop(stages, weights, streams, dt=DT, tau=TAU):
    """The equations, a number at a time."""
    w = [np.array(x, float) for x in weights]
    rows = w[0].shape[0]
    before = np.zeros((len(stages), rows))
    xhat, yhat = [np.zeros(x.shape[1]) for x in w], np.zeros((len(stages), rows))
    for t in range(len(streams[0])):
        now = np.zeros_like(before)
        for k, stage in enumerate(stages):
            x = streams[stage.stream][t - stage.lag] if t >= stage.lag else np.zeros(w[k].shape[1])
            for r in range(rows):
                now[k, r] = stage.gain * sum(w[k][r, j] * x[j] for j in range(len(x)))
                now[k, r] += stage.coupling * before[k - 1, r] if k else 0
            xhat[k] += dt / tau * (x - xhat[k])
            yhat[k] += dt / tau * (now[k] - yhat[k])
            if stage.plastic:
                change = stage.potentiation * np.outer(now[k], xhat[k]) - stage.depression * np.outer(yhat[k], x)
                w[k] = np.clip(w[k] + dt * change, 0, stage.w_max)
        before = now
    return w


def test_the_loop_of_steps_is_that_of_the_equations(x64):
    stages, weights, streams = example()
    expected = in_a_loop(stages, weights, streams)
    found = learn(stages, weights, streams, dt=DT, tau=TAU, execution="scan")
    for stage, begun, new, right in zip(stages, weights, found, expected, strict=True):
        np.testing.assert_allclose(new, right, rtol=0, atol=1e-13)
        if not stage.plastic:
            np.testing.assert_array_equal(new, begun)
    learned = np.concatenate([x.ravel() for x in expected[1:]])
    assert {0.0, stages[1].w_max} < set(learned)


@pytest.mark.parametrize("where", ["host", pytest.param("device", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("inputs", [(7, 5), (40, 33)])
def test_rows_are_the_same_as_the_loop(where, inputs):
    stages, weights, streams = example(inputs=inputs, steps=40)
    expected = in_a_loop(stages, weights, streams)
    with triton.interpreted() if where == "host" else contextlib.nullcontext():
        found = learn(stages, [jnp.asarray(w, jnp.float32) for w in weights], streams, dt=DT, tau=TAU, execution="rows")
    for new, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(new, right, atol=1e-4 * right.max())


@pytest.mark.parametrize("execution", ["scan", pytest.param("rows", marks=pytest.mark.gpu)])
def test_a_batch_is_its_members(execution):
    members = [example(seed=seed) for seed in range(3)]
    weights = [jnp.stack([jnp.asarray(m[1][k], jnp.float32) for m in members]) for k in range(3)]
    shared = members[0][2]

    def one(weights):
        return learn(members[0][0], weights, shared, dt=DT, tau=TAU, execution=execution)

    for k, batch in enumerate(jax.vmap(one)(weights)):
        for m in range(3):
            np.testing.assert_allclose(batch[m], one([w[m] for w in weights])[k], rtol=0, atol=1e-6)


@pytest.mark.parametrize("execution", ["scan", pytest.param("rows", marks=pytest.mark.gpu)])
def test_the_derivative_is_that_of_finite_differences(execution, x64):
    stages, weights, streams = example(steps=30)
    free = [s if not s.plastic else Stage(s.gain, s.coupling, s.potentiation / 20, s.depression / 20) for s in stages]

    def total(rate):
        stage = Stage(0.5, 0.5, rate, free[1].depression, free[1].w_max, lag=2)
        found = learn([free[0], stage, free[2]], weights, streams, dt=DT, tau=TAU, execution=execution)
        return sum(jnp.sum(jnp.sin(w)) for w in found)

    rate, h = float(free[1].potentiation), 1e-5
    slope = jax.grad(total)(rate)
    assert abs(slope) > 1e-3
    np.testing.assert_allclose(slope, (total(rate + h) - total(rate - h)) / (2 * h), rtol=1e-7)


STAGE, ONE, LINE = Stage(), np.ones((2, 3)), np.ones((4, 3))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([], [], [LINE]), "0 stages need as many matrices"),
        (([STAGE], [ONE, ONE], [LINE]), "1 stages need as many matrices of weights, and there are 2"),
        (([STAGE], [ONE.T], [LINE]), r"the weights of stage 0 are of shape \(3, 2\); \(3, 3\) would fit"),
        (([Stage(stream=1)], [ONE], [LINE]), "stage 0 hears stream 1, and there are streams 0 to 0"),
        (([Stage(lag=-1)], [ONE], [LINE]), "stage 0 hears its stream -1 steps later: a lag is 0 or more"),
        (([STAGE], [ONE], [LINE[0]]), r"streams are arrays \(steps, inputs\).*jax.vmap"),
        (([STAGE], [ONE], [LINE, LINE[1:]]), "the same number of steps"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    with pytest.raises(ArgumentError, match=message):
        learn(*given, dt=DT, tau=TAU)


def test_executions_are_known_and_work_here(monkeypatch):
    with pytest.raises(ArgumentError, match=r"execution='row' is not known\. Did you mean 'rows'"):
        learn([STAGE], [ONE], [LINE], dt=DT, tau=TAU, execution="row")
    monkeypatch.setattr(triton, "available", lambda backend: False)
    with pytest.raises(ArgumentError, match=r'is a kernel for NVIDIA GPUs.*computes on cpu.*execution="scan"'):
        learn([STAGE], [ONE], [LINE], dt=DT, tau=TAU, execution="rows")
