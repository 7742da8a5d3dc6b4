"""The closed forms of examples/consolidation/theory.py: against integrals, hand counts and the matrix exponential."""

import doctest
import itertools
import math

import numpy as np
import pytest
from scipy.linalg import expm


@pytest.fixture(scope="module")
def theory(consolidation):
    return consolidation("theory")


def test_examples_in_the_docstrings(theory):
    result = doctest.testmod(theory)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("delay", [-30.0, -5.0, 0.5, 5.0, 20.0, 100.0])
@pytest.mark.parametrize("tau_c", [3.0, 19.999, 20.0, 50.0, 500.0])
def test_closed_forms_are_the_integrals(theory, delay, tau_c):
    pair = theory.Pathways(delay, tau_c, theory.Window(A_plus=0.9, A_minus=1.3))
    A, B = pair.quadrature()
    assert pytest.approx(A, rel=1e-9) == pair.A
    assert pytest.approx(B, rel=1e-9) == pair.B


def test_quadrature_is_a_plain_sum_of_small_steps(theory):
    step = 0.01
    lag = np.arange(-1000, 1000, step) + step / 2  # midpoints, between the jumps at 0 and the kink at 5
    window = np.where(lag > 0, np.exp(-np.abs(lag) / 20), -1.05 * np.exp(-np.abs(lag) / 20))
    A, B = theory.Pathways(5, 10).quadrature()
    assert pytest.approx((window * np.exp(-np.abs(lag) / 10)).sum() * step, rel=1e-4) == A
    assert pytest.approx((window * np.exp(-np.abs(lag - 5) / 10)).sum() * step, rel=1e-4) == B


def test_an_antisymmetric_window_does_not_teach_itself(theory):
    balanced = theory.Window(A_plus=1, A_minus=1)
    assert theory.Pathways(5, 10, balanced).A == 0
    assert theory.Pathways(-5, 10, balanced).B == -theory.Pathways(5, 10, balanced).B


def test_sum_in_steps_approaches_the_integral(theory):
    pair = theory.Pathways(5, 10)
    errors = [np.array(pair.in_steps(dt)) - (pair.A, pair.B) for dt in (0.2, 0.1, 0.05)]
    assert np.abs(errors[-1]).max() < 0.01
    for coarse, fine in itertools.pairwise(errors):
        assert fine == pytest.approx(coarse / 2, rel=0.05)  # first order: lag 0 counts on both sides


def test_correlation_time_where_the_pathway_unlearns(theory):
    zero = theory.longest_correlation(10.0)
    assert theory.Pathways(10.0, zero * 0.99).quadrature()[1] > 0 > theory.Pathways(10.0, zero * 1.01).quadrature()[1]
    with pytest.raises(ValueError, match="does not change its sign"):
        theory.longest_correlation(5.0, theory.Window(A_minus=0.5))


@pytest.mark.parametrize("A_0", [0.5, 1.0, 2.0])
def test_overlaps_are_the_matrix_exponential(theory, A_0):
    hierarchy = theory.Hierarchy(levels=13, A_0=A_0)
    times = np.array([0, 0.1, 1, 10, 100, 1000, 1e4])
    first_column = np.array([expm(hierarchy.matrix() * t)[:, 0] for t in times]).T
    assert hierarchy.overlaps(times) == pytest.approx(first_column, abs=1e-12)


def test_two_levels_by_hand(theory):
    # dO_1/dt = (0.8 exp(-2*2/40) O_0 - 0.2 O_1)/2 with O_0 = exp(-t)
    t = np.array([0.5, 3.0])
    gain = 0.4 * math.exp(-0.1)
    expected = gain * (np.exp(-0.1 * t) - np.exp(-t)) / 0.9
    assert theory.Hierarchy(levels=1).overlaps(t)[1] == pytest.approx(expected, rel=1e-12)


def test_levels_that_decay_alike_are_refused(theory):
    with pytest.raises(ValueError, match="tau_overwrite"):
        theory.Hierarchy(tau_overwrite=1 / 0.1).overlaps(np.array([1.0]))


def test_peaks_follow_the_exponent(theory):
    t = np.geomspace(1, 2e4, 40_000)
    overlaps = theory.Hierarchy(levels=12, A_0=1.5).overlaps(t)
    height, place = overlaps.max(1), t[overlaps.argmax(1)]
    slope = math.log(height[11] / height[10]) / math.log(place[11] / place[10])
    assert slope == pytest.approx(theory.Hierarchy(A_0=1.5).exponent(), abs=2e-3)


def test_line_through_a_power_law(theory):
    t = np.geomspace(1, 100, 30)
    assert theory.power_law(t, 3 * t**-0.7) == pytest.approx((-0.7, 3, 1))
    assert theory.exponential(t, 3 * np.exp(-t / 7)) == pytest.approx(1)
    assert theory.exponential(t, 3 * t**-0.7) < 0.8
