"""The linear theory behind Figures 2 and 6: how one pathway learns from another, and how a hierarchy of them forgets.

Source: M. W. H. Remme, U. Bergmann, D. Alevi, S. Schreiber, H. Sprekeler, R. Kempter (2021), Hebbian plasticity in
parallel synaptic pathways: a circuit mechanism for systems memory consolidation, PLoS Comput. Biol. 17(12): e1009681,
doi:10.1371/journal.pcbi.1009681. The integrals and equations are the article's; the closed forms for exponential
windows and correlations, their sums in steps, and the solution and exponent of the hierarchy are worked out here.

Plain NumPy, no simulation. Times are numbers in one unit of the caller's choice (the scripts use ms for Figure 2).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

# ---- one plastic pathway (Figure 2) -----------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """The learning window of additive STDP: L(s) = A_plus exp(-s/tau) for s > 0, -A_minus exp(s/tau) for s < 0.

    The lag s is the time of the output minus the time of the input, so that causes have positive lags.
    """

    A_plus: float = 1.0
    A_minus: float = 1.05
    tau: float = 20.0

    def __call__(self, lag: np.ndarray) -> np.ndarray:
        decay = np.exp(-np.abs(lag) / self.tau)
        return np.where(lag > 0, self.A_plus * decay, np.where(lag < 0, -self.A_minus * decay, 0.0))


@dataclass(frozen=True)
class Pathways:
    """A plastic direct pathway W beside an indirect one, V, which carries the same activity and is `delay` later.

    The output is y(t) = W x(t) + V z(t - delay), with <x(t) x(t+s)> = C_xx f(s) and <x(t) z(t+s)> = C_xz g(s). Slow
    learning with the window L at the rate eta changes the mean of W by

        (1/eta) dW/dt = A C_xx W + B C_xz V,    A = integral of L(s) f(s),    B = integral of L(s) g(s - delay),

    here for f(s) = g(s) = exp(-abs(s)/tau_c). If A < 0 and W keeps within its bounds, W comes to rest at
    beta C_xx^-1 C_xz V with beta = -B/A: the regression of the indirect drive on the direct input. The weights are
    copied where B > 0. A and B have the unit of time; a negative delay is an indirect pathway that is earlier.

    >>> pair = Pathways(delay=5.0, tau_c=10.0)
    >>> print(f"A = {pair.A:.3f} ms, B = {pair.B:.3f} ms, beta = {pair.beta:.2f}")
    A = -0.333 ms, B = 4.392 ms, beta = 13.18
    """

    delay: float
    tau_c: float
    window: Window = Window()

    @property
    def A(self) -> float:
        """(A_plus - A_minus) kappa, with 1/kappa = 1/tau + 1/tau_c."""
        return (self.window.A_plus - self.window.A_minus) * self._kappa

    @property
    def B(self) -> float:
        """A_plus (kappa exp(-D/tau) + M) - A_minus kappa exp(-D/tau_c) for a delay D > 0.

        M is the part of lags between 0 and D: the integral of exp(-s/tau - (D - s)/tau_c). For D < 0 the two halves of
        the window change places.
        """
        near = self._kappa * math.exp(-abs(self.delay) / self.window.tau) + self._between
        far = self._kappa * math.exp(-abs(self.delay) / self.tau_c)
        plus, minus = (near, far) if self.delay >= 0 else (far, near)
        return self.window.A_plus * plus - self.window.A_minus * minus

    @property
    def beta(self) -> float:
        """The factor -B/A by which the indirect weights are copied."""
        return -self.B / self.A

    @property
    def _kappa(self) -> float:
        return self.window.tau * self.tau_c / (self.window.tau + self.tau_c)

    @property
    def _between(self) -> float:
        d, tau, tau_c = abs(self.delay), self.window.tau, self.tau_c
        difference = 1 / tau - 1 / tau_c  # of rates; the integral is exp(-d/tau_c) times that of exp(-difference*s)
        inner = d if difference == 0 else -math.expm1(-difference * d) / difference
        return math.exp(-d / tau_c) * inner

    def quadrature(self) -> tuple[float, float]:
        """A and B as integrals over each smooth piece, without the closed forms."""
        far = 40 * max(self.window.tau, self.tau_c)  # exp(-40) is nothing

        def integral(shift: float) -> float:
            knots = sorted({-far, 0.0, shift, far})
            total = 0.0
            for low, high in itertools.pairwise(knots):
                nodes, weights = np.polynomial.legendre.leggauss(200)
                lag = low + (high - low) * (nodes + 1) / 2
                values = self.window(lag) * np.exp(-np.abs(lag - shift) / self.tau_c)
                total += float(values @ weights) * (high - low) / 2
            return total

        return integral(0.0), integral(self.delay)

    def in_steps(self, dt: float) -> tuple[float, float]:
        """A and B of a simulation in steps of dt, in which traces take the new activity before the weights change.

        A trace weighs what was n steps ago with (1 - r) r^n, r = exp(-dt/tau), so the integral of L(s) g(s - D) becomes
        the sum of tau (1 - r) r^n [A_plus g(n dt - D) - A_minus g(-n dt - D)] over n = 0, 1, ...
        """
        n = np.arange(math.ceil(40 * self.window.tau / dt))
        weight = -self.window.tau * math.expm1(-dt / self.window.tau) * np.exp(-n * dt / self.window.tau)

        def total(delay: float) -> float:
            causal = np.exp(-np.abs(n * dt - delay) / self.tau_c)
            acausal = np.exp(-np.abs(n * dt + delay) / self.tau_c)
            return float(weight @ (self.window.A_plus * causal - self.window.A_minus * acausal))

        return total(0.0), total(self.delay)


def longest_correlation(delay: float, window: Window = Window()) -> float:
    """The tau_c at which B is zero: activity that changes more slowly is not consolidated (delay > 0, A < 0).

    >>> round(longest_correlation(5.0))
    179
    """
    low, high = window.tau / 100, window.tau * 1e4
    if Pathways(delay, low, window).B < 0 or Pathways(delay, high, window).B > 0:
        raise ValueError(f"B does not change its sign for a delay of {delay} and {window}")
    while high / low > 1 + 1e-12:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if Pathways(delay, middle, window).B > 0 else (low, middle)
    return low


# ---- a hierarchy of pathways (Figure 6) -------------------------------------------------------------


@dataclass(frozen=True)
class Hierarchy:
    """Overlap O_i of the weights of level i = 0, ..., levels with the memory that level 0 held at t = 0.

        dO_0/dt = -O_0/tau_overwrite
        dO_i/dt = q^i (sum over j < i of c_ij exp(-2 delay (i - j)/tau) O_j - c_ii A_0 O_i),    i > 0
        c_ij = alpha^(i-j) (1 - alpha) for j > 0,    c_i0 = alpha^i

    An output layer takes the fraction alpha of its drive from the layer before, the rest from its own shortcut; a level
    learns q times as fast as the one before. For i = j the article's exponential would be +1 and every overlap would
    grow without bound; a window that depresses at zero lag means -A_0 with A_0 about 1. Neither A_0 nor tau_overwrite
    is in the article; the unit of time is that of 1/(learning rate of level 0).
    """

    levels: int = 12
    alpha: float = 0.8
    delay_over_tau: float = 2 / 40
    A_0: float = 1.0
    q: float = 0.5
    tau_overwrite: float = 1.0

    def matrix(self) -> np.ndarray:
        """M of dO/dt = M O, lower triangular, shape (levels + 1, levels + 1)."""
        i, j = np.indices((self.levels + 1, self.levels + 1))
        above = np.maximum(i - j, 0)
        fraction = self.alpha**above * np.where(j > 0, 1 - self.alpha, 1.0)
        window = np.where(i == j, -self.A_0, np.exp(-2 * self.delay_over_tau * above))
        M = np.where(j <= i, self.q**i * fraction * window, 0.0)
        M[0, 0] = -1 / self.tau_overwrite
        return M

    def overlaps(self, t: np.ndarray) -> np.ndarray:
        """The closed form, shape (levels + 1, len(t)): O_i = sum over k of b_ik exp(M_kk t), with O(0) = (1, 0, ...).

        b_ik = sum over k <= j < i of M_ij b_jk/(M_kk - M_ii) for k < i, and b_ii makes O_i(0) = 0.

        Raises:
            ValueError: if two levels decay at the same rate (then the solution has other terms).
        """
        M = self.matrix()
        rates = np.diag(M)
        if len(rates) > 1 and np.diff(np.sort(rates)).min() < 1e-9 * np.abs(rates).max() * self.q**self.levels:
            raise ValueError(f"two levels decay at the same rate ({-rates}); change tau_overwrite or A_0 a little")
        b = np.zeros_like(M)
        b[0, 0] = 1.0
        for i in range(1, len(M)):
            b[i, :i] = M[i, :i] @ b[:i, :i] / (rates[:i] - rates[i])
            b[i, i] = -b[i, :i].sum()
        return b @ np.exp(rates[:, None] * np.asarray(t))

    def exponent(self) -> float:
        """The b of max_i O_i(t) ~ t^b for many levels.

        The integral of O_i over time obeys A_0 I_i = sum over k of a^k I_(i-k) with a = alpha exp(-2 delay/tau), so it
        grows by a (1 + 1/A_0) a level. As times grow by 1/q a level, heights change by a (1 + 1/A_0) q.

        >>> round(Hierarchy().exponent(), 3)
        -0.466
        """
        return math.log(self.peak_ratio()) / math.log(1 / self.q)

    def peak_ratio(self) -> float:
        """Height of the peak of a level over that of the level before, for many levels."""
        return self.alpha * math.exp(-2 * self.delay_over_tau) * (1 + 1 / self.A_0) * self.q


def power_law(t: np.ndarray, signal: np.ndarray) -> tuple[float, float, float]:
    """The line log(signal) = log(c) + b log(t) by least squares: b, c and r2."""
    x, y = np.log(t), np.log(signal)
    b, intercept = np.polyfit(x, y, 1)
    residual = y - b * x - intercept
    return float(b), float(np.exp(intercept)), float(1 - residual.var() / y.var())


def exponential(t: np.ndarray, signal: np.ndarray) -> float:
    """The r2 of the best single exponential, the line log(signal) = log(c) - t/T."""
    y = np.log(signal)
    slope, intercept = np.polyfit(t, y, 1)
    return float(1 - (y - slope * t - intercept).var() / y.var())


# ---- the hierarchical network, in steps (Figure 5) --------------------------------------------------


@dataclass(frozen=True)
class Drift:
    """How the weights of the hierarchical network change in the mean, as long as no bound is touched.

    Levels are counted from the hippocampus, 0, to `levels`; W_0 are its weights, the same for a night. Level i
    potentiates by A_i, depresses by ratio A_i, and hears the activity x: new in each step, variance s2 and mean m. What
    reaches it through level j < i comes d_ij steps after its own input, so that for the mean rate y_i

        dW_i/dt = A_i (s2 sum over j <= i of c_ij k(d_ij) W_j + (1 - ratio) m y_i)
        c_ij = 2^-(i-j+1) for j > 0,     c_i0 = 2^-i                (half of a rate is that of the level before)
        d_ij = 2 (i - j) for j > 0,      d_i0 = 2 i - 1             (one step to x_j and one back, for each level)
        k(d) = a (1 - a)^d for d > 0,    k(0) = a (1 - ratio)       (a = dt/tau: what a trace takes in a step)

    >>> print(f"{24.005 * Drift().coefficients()[0, 0]:.2f} per s: what level 1 learns from the hippocampus")
    2.25 per s: what level 1 learns from the hippocampus
    """

    levels: int = 8
    a: float = 0.25
    ratio: float = 1.00008

    def coefficients(self) -> np.ndarray:
        """c_ij k(d_ij), shape (levels, levels + 1): row i - 1 for level i, column j for what it hears."""
        i, j = np.indices((self.levels, self.levels + 1))
        i += 1
        later = np.where(j > 0, 2 * (i - j), 2 * i - 1)
        part = np.where(j > 0, 0.5 ** np.maximum(i - j + 1, 0), 0.5**i)
        kept = np.where(later > 0, self.a * (1 - self.a) ** np.maximum(later, 0), self.a * (1 - self.ratio))
        return np.where(j <= i, part * kept, 0.0)

    def mean_term(self, mean: float, rates: np.ndarray) -> np.ndarray:
        """(1 - ratio) m y_i."""
        return (1 - self.ratio) * mean * rates


def rectified_normal(mean: float, sd: float) -> tuple[float, float]:
    """Mean and variance of max(0, z) for normal z.

    >>> print("mean {:.3f}, variance {:.3f}".format(*rectified_normal(10.0, 5.0)))
    mean 10.042, variance 24.005
    """
    z = mean / sd
    below, density = math.erfc(-z / math.sqrt(2)) / 2, math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    first = mean * below + sd * density
    return first, (mean**2 + sd**2) * below + mean * sd * density - first**2


def overwritten(nights: np.ndarray, fresh: float = 0.5) -> np.ndarray:
    """Correlation of the hippocampal weights with a memory that n nights have overwritten (n = 0: the newest one).

    Each imprint makes V the sum of (1 - fresh) V and fresh times the new memory, all of them uncorrelated and of equal
    variance, so it is sqrt(fresh (2 - fresh)) (1 - fresh)^n.

    >>> overwritten(np.arange(3)).round(3).tolist()
    [0.866, 0.433, 0.217]
    """
    return math.sqrt(fresh * (2 - fresh)) * (1 - fresh) ** np.asarray(nights)


def response_delays(levels: int = 8) -> np.ndarray:
    """Steps from the outermost input to the outermost output through each level, the hippocampus first.

    >>> response_delays().tolist()
    [16, 15, 13, 11, 9, 7, 5, 3, 1]
    """
    return np.append(2 * levels, 2 * (levels - np.arange(1, levels + 1)) + 1)
