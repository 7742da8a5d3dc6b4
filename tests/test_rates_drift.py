"""The mean drift of `RATE_STDP`, as `jaxsnn.rates.learn` carries it out, against its closed form.

The input is white: one period of a maximal length sequence of +1 and -1, whose correlation with itself is -1/period at
every lag but 0 (S. W. Golomb (1967), Shift Register Sequences), so that averages over the period are expectations and
no chance is left. Each input is the same sequence, hundreds of steps later than the one before: far beyond the traces.
"""

import numpy as np
import pytest
from scipy.signal import max_len_seq

from jaxsnn.rates import Stage, learn

pytestmark = pytest.mark.usefixtures("x64")

DT, TAU = 0.005, 0.02
A = DT / TAU
RATIO = 1.05  # depression over potentiation
VARIANCE = 24.005  # of a rate with mean 10 Hz and standard deviation 5 Hz that is cut off at 0
N = 8
TINY = 1e-9  # weights move by a millionth of themselves


@pytest.fixture(scope="module")
def white():
    """(steps, inputs) of variance `VARIANCE`."""
    sequence = 2.0 * max_len_seq(15)[0] - 1
    return np.sqrt(VARIANCE) * np.stack([np.roll(sequence, 400 * j) for j in range(N)], axis=1)


def drift(stages, weights, x):
    """dw/dt of the last stage over the amplitude of potentiation."""
    *_, after = learn(stages, weights, [x], dt=DT, tau=TAU, execution="scan")
    return (np.asarray(after) - weights[-1]) / (TINY * DT * len(x))


def part(change, of):
    """How much of a matrix is in another, by least squares."""
    return np.sum(change * of) / np.sum(of * of)


def weights(seed):
    return np.random.default_rng(seed).uniform(0.2, 0.8, (N, N))


@pytest.mark.parametrize("delay", [1, 2, 3, 5, 8])
def test_what_arrives_later_teaches_the_direct_pathway(white, delay):
    """A signal through fixed weights V, ``delay`` steps behind the direct input: gain c a (1 - a)^d of V."""
    c, V = 0.5, weights(1)
    stages = [
        Stage(lag=delay - 1, plastic=False),  # the coupling is one step more
        Stage(gain=0.0, coupling=c, potentiation=TINY, depression=RATIO * TINY, w_max=1.0),
    ]
    change = drift(stages, [V, np.full((N, N), 0.5)], white)
    expected = c * A * (1 - A) ** delay * VARIANCE  # 2.25 for a delay of one step
    # What is left of other lags: -1/32767 for each, against (1 - a)^8 = 0.1.
    assert part(change, V) == pytest.approx(expected, rel=2e-3)
    np.testing.assert_allclose(change, expected * V, rtol=0.02)


def test_the_direct_pathway_hardly_teaches_itself(white):
    """Potentiation and depression of the same step cancel, but for their ratio: c a (1 - ratio)."""
    c, W = 0.5, weights(2)
    change = drift([Stage(gain=c, potentiation=TINY, depression=RATIO * TINY, w_max=1.0)], [W], white)
    assert part(change, W) == pytest.approx(c * A * (1 - RATIO) * VARIANCE, rel=5e-3)  # -0.150


def test_both_together_and_the_mean(white):
    """With a mean rate of 10 Hz all weights of a row also move by (1 - ratio) times the product of the means."""
    c, V, W = 0.5, weights(3), weights(4)
    stages = [
        Stage(lag=1, plastic=False),
        Stage(gain=c, coupling=c, potentiation=TINY, depression=RATIO * TINY, w_max=1.0),
    ]
    change = drift(stages, [V, W], white + 10)
    mean = (1 - RATIO) * 10 * c * (W + V).sum(1, keepdims=True) * 10
    later, own = c * A * (1 - A) ** 2 * VARIANCE, c * A * (1 - RATIO) * VARIANCE
    # The mean term is about 20, and its traces begin and end at some step.
    np.testing.assert_allclose(change - mean, later * V + own * W, atol=0.08)
