"""Not in the article: plasticity fitted by gradients, so that the hierarchy of Figure 6 forgets along a given curve.

What it shows: `jaxsnn.fit` on a system of linear equations, with a loss of our own. The forgetting curve is the largest
overlap of all levels, as in Figure 6. It is a function of the learning rates eta_i = f_i eta q^i and of the depression
at zero lag A_0, and the simulation has its derivative. Two questions that follow:

* Can the rules of the levels be read off a forgetting curve? One is made with rates that are not a geometric series,
  with noise of 1 %. The first round fits eta, q and A_0, from many random starts; the second one the f_i of each level
  and A_0, from where the first ended. In one round few starts would get there: a level that is never the largest has
  no influence on the curve, so that far from the solution its derivative is 0.
* Which hierarchy forgets as t^b for a wanted b, t = 10 to 1000? The article's own falls with b = -0.45.

Model: M. W. H. Remme et al. (2021), doi:10.1371/journal.pcbi.1009681, Figure 6, with what figure6.py had to choose
(A_0, tau_overwrite = 1 as the unit of time, the number of levels). Fits are not in the article.

Panels. A: the noisy curve (dots), and the fitted ones after both rounds. B: learning rate of each level over that of
the article: true (grey), after round 1 (crosses) and 2 (dots, with standard errors). C: hierarchies that were fitted to
power laws (thick), and the power laws (dashed). D: the rates that do it.

How it was checked: derivatives by `jax.grad` and by central differences agree to 1e-8. For three sets of hidden rates
(0.72 to 1.37 times the article's), 11 of 20 random starts reach the best end of round 1; from there, round 2 finds all
rates within 2.3 % and A_0 within 0.003. The slopes of the curves in C are -0.2999, -0.6999 and -1.0001 (r2 0.996 to
0.9995).
How long it takes: 90 s of processor time on a CPU with 2 cores, 25 s with --small, imports and compilation included.

    python examples/consolidation/fit_forgetting.py             # 7 levels, until t = 1000, 20 starts
    python examples/consolidation/fit_forgetting.py --small     # 4 levels, until t = 100, 3 starts
"""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from theory import Hierarchy as Closed
from theory import power_law

import jaxsnn as snn
from jaxsnn import fit
from jaxsnn.units import ms, second

OUT = Path(__file__).resolve().parents[2] / "out" / "consolidation"

# ---- the model --------------------------------------------------------------------------------------


def equations(levels: int) -> str:
    """One line a level, as in figure6.py, but each has a rate of its own: f_i times that of the geometric series."""
    text = ["dO_0/dt = -O_0/tau_overwrite : 1"]
    for i in range(1, levels + 1):
        heard = [f"alpha**{i}*exp(-{2 * i}*D/tau)*O_0"]
        heard += [f"alpha**{i - j}*(1 - alpha)*exp(-{2 * (i - j)}*D/tau)*O_{j}" for j in range(1, i)]
        text.append(f"dO_{i}/dt = f_{i}*eta*q**{i}*({' + '.join(heard)} - A_0*(1 - alpha)*O_{i}) : 1")
    return "\n".join(text)


class Hierarchy:
    """The network of one hierarchy as a pure function, with the times at which its forgetting curve is looked at.

    ``at`` are whole units of time (a second here) at equal distances of log t. Runge-Kutta steps of a quarter of it
    differ from the closed form by 5e-5 at most; exact integration would do as well, but to compile derivatives of a
    matrix exponential takes ten times as long.
    """

    def __init__(self, levels: int, t_end: int) -> None:
        self.levels, self.steps = levels, 4 * t_end + 1
        self.at = np.unique(np.geomspace(1, t_end, 10 + 20 * round(np.log10(t_end))).round().astype(int))
        self.names = [f"O_{i}" for i in range(levels + 1)]
        hierarchy = snn.NeuronGroup(
            1,
            equations(levels),
            method="rk4",
            namespace={"tau_overwrite": 1 * second, "alpha": 0.8, "D": 2 * ms, "tau": 40 * ms, "A_0": 1.0}
            | {"eta": 1 / second, "q": 0.5}
            | {f"f_{i}": 1.0 for i in range(1, levels + 1)},
        )
        hierarchy.O_0 = 1
        course = snn.StateMonitor(hierarchy, self.names, record=True, dt=1 * second)
        self.sim = snn.Network(hierarchy, course).compile(dt=0.25 * second, dtype="float64")
        self.params, self.state = self.sim.init(0)
        self._curve = jax.jit(lambda params: self.log_signal(self.sim.run(params, self.state, self.steps)[1]))

    def with_values(self, values: dict) -> dict:
        """The parameters with other numbers, by dotted name."""
        params = self.params
        for path, value in values.items():
            params = self.sim.put(params, path, value)
        return params

    def log_signal(self, record) -> jax.Array:
        """(len(at),): the logarithm of the largest overlap."""
        overlaps = jnp.stack([record["course"][name][:, 0] for name in self.names], axis=1)
        return jnp.log(overlaps[self.at].max(axis=1))

    def curve(self, params) -> np.ndarray:
        """The forgetting curve at the times ``at``."""
        return np.exp(np.asarray(self._curve(params)))

    def fit(self, params, bounds: dict, loss: fit.Loss, **options) -> fit.FitResult:
        """`jaxsnn.fit.fit` by least squares."""
        method = fit.LevenbergMarquardt(steps=40)
        return fit.fit(self.sim, params, self.state, bounds, loss, self.steps, method=method, patience=5, **options)


@dataclass(frozen=True, eq=False)
class Forgetting(fit.Loss):
    """Mean square relative distance of the forgetting curve from a wanted one, over ``size``².

    Attributes:
        hierarchy: Whose curve it is.
        wanted: (len(at),), NaN where it does not matter.
        size: Which relative distance counts as 1.
        factor: Whether a factor common to all times is free.
    """

    hierarchy: Hierarchy
    wanted: np.ndarray
    size: float = 0.01
    factor: bool = False
    name = "forgetting curve"

    def residuals(self, record, dt: float) -> jax.Array:
        """Differences of logarithms."""
        counts = np.isfinite(self.wanted)
        difference = self.hierarchy.log_signal(record)[counts] - np.log(self.wanted[counts])
        if self.factor:
            difference = difference - difference.mean()
        return difference / (self.size * counts.sum() ** 0.5)

    def __call__(self, record, dt: float) -> jax.Array:
        return jnp.sum(self.residuals(record, dt) ** 2)


def gradients(hierarchy: Hierarchy, loss: Forgetting, values: dict, step: float = 1e-5) -> dict[str, tuple]:
    """Derivatives of the loss with respect to the logarithm of each value: by `jax.grad`, by central differences."""
    paths = list(values)

    @jax.jit
    def distance(logs: jax.Array) -> jax.Array:
        params = hierarchy.with_values({path: jnp.exp(z) for path, z in zip(paths, logs, strict=True)})
        _, record = hierarchy.sim.run(params, hierarchy.state, hierarchy.steps)
        return loss(record, hierarchy.sim.dt)

    logs = jnp.log(jnp.array([values[path] for path in paths]))
    by_gradient = jax.jit(jax.grad(distance))(logs)
    found = {}
    for k, path in enumerate(paths):
        differences = (distance(logs.at[k].add(step)) - distance(logs.at[k].add(-step))) / (2 * step)
        found[path] = float(by_gradient[k]), float(differences)
    return found


# ---- the two questions ------------------------------------------------------------------------------

COMMON = {
    "hierarchy.eta": fit.LogSigmoid(0.2 / second, 5 / second),
    "hierarchy.q": fit.LogSigmoid(0.25, 1.0),
    "hierarchy.A_0": fit.LogSigmoid(0.5, 2.0),
}
"""What the first round fits, and within which bounds."""


def each(levels: int) -> dict:
    """What is fitted where every level has its rate."""
    return {f"hierarchy.f_{i}": fit.LogSigmoid(0.1, 10.0) for i in range(1, levels + 1)} | {
        "hierarchy.A_0": fit.LogSigmoid(0.3, 4.0)
    }


def rates(hierarchy: Hierarchy, values: dict, series: dict) -> np.ndarray:
    """f_i eta q^i over the article's 2^-i, for each level; ``series`` has eta and q."""
    i = np.arange(1, hierarchy.levels + 1)
    f = np.array([float(values.get(f"hierarchy.f_{k}", 1.0)) for k in i])
    eta, q = float(series["hierarchy.eta"] * second), float(series["hierarchy.q"])
    return f * eta * (2 * q) ** i


ARTICLE = {"hierarchy.eta": 1 / second, "hierarchy.q": 0.5}


def recover(hierarchy: Hierarchy, starts: int, seed: int = 0) -> dict:
    """Fit hidden rates and A_0 from a noisy forgetting curve, in two rounds."""
    rng = np.random.default_rng(seed)
    hidden = {f"hierarchy.f_{i}": 2**x for i, x in enumerate(rng.uniform(-0.5, 0.5, hierarchy.levels), 1)}
    hidden["hierarchy.A_0"] = 0.9
    seen = hierarchy.curve(hierarchy.with_values(hidden)) * np.exp(rng.normal(0, 0.01, len(hierarchy.at)))
    loss = Forgetting(hierarchy, seen)
    first = hierarchy.fit(hierarchy.params, COMMON, loss, starts=starts, seed=seed)
    second_round = hierarchy.fit(first.params, each(hierarchy.levels), loss)
    intervals = second_round.intervals()
    return {"hidden": hidden, "seen": seen, "first": first, "second": second_round, "intervals": intervals}


def follow(hierarchy: Hierarchy, exponent: float, since: float = 10) -> tuple[fit.FitResult, float, float, np.ndarray]:
    """The hierarchy that forgets as t^exponent from ``since`` on: the fit, the slope reached, its r2, the curve."""
    chosen = hierarchy.at >= since
    wanted = np.where(chosen, hierarchy.at.astype(float) ** exponent, np.nan)
    result = hierarchy.fit(hierarchy.params, each(hierarchy.levels), Forgetting(hierarchy, wanted, factor=True))
    curve = hierarchy.curve(result.params)
    slope, _, r2 = power_law(hierarchy.at[chosen], curve[chosen])
    return result, slope, r2, curve


# ---- numbers and figure -----------------------------------------------------------------------------


def draw(hierarchy: Hierarchy, found: dict, wanted: dict) -> None:
    """The panels that the docstring lists."""
    fig, ((a, b), (c, d)) = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
    t, level = hierarchy.at, np.arange(1, hierarchy.levels + 1)
    a.loglog(t, found["seen"], ".", color="0.5", label="curve of hidden rates, noise 1 %")
    for which, style, label in (
        ("first", {"color": "#D55E00", "linestyle": "--"}, r"round 1: $\eta$, $q$, $A_0$"),
        ("second", {"color": "#0072B2"}, "round 2: each level, $A_0$"),
    ):
        a.loglog(t, hierarchy.curve(found[which].params), linewidth=1, label=label, **style)
    a.set(xlabel=r"time ($\tau_{overwrite}$)", ylabel="largest overlap", title="A  a forgetting curve, fitted")
    a.legend(frameon=False, fontsize=8)

    series = found["first"].best
    best, error = found["second"].best, found["intervals"].error
    b.plot(level, rates(hierarchy, found["hidden"], ARTICLE), "o", color="0.7", markersize=12, label="hidden")
    b.plot(level, rates(hierarchy, {}, series), "x", color="#D55E00", label="round 1")
    round_2 = rates(hierarchy, best, series)
    relative = np.array([error[f"hierarchy.f_{i}"] / best[f"hierarchy.f_{i}"] for i in level])
    b.errorbar(level, round_2, relative * round_2, fmt=".", color="#0072B2", capsize=3, label="round 2")
    b.set(xlabel="level", ylabel=r"learning rate $\eta_i$ / $2^{-i}$", xticks=level, ylim=(0, None))
    b.set_title(f"B  rates; $A_0$ = {best['hierarchy.A_0']:.3f} (hidden: 0.9)")
    b.legend(frameon=False, fontsize=8)

    for (exponent, (result, slope, _, curve)), colour in zip(
        wanted.items(), ("#009E73", "#0072B2", "#CC79A7"), strict=False
    ):
        chosen = t >= 10
        line = t[chosen] ** exponent
        line = line * np.exp(np.mean(np.log(curve[chosen] / line)))
        c.loglog(t, curve, color=colour, linewidth=3, alpha=0.6, label=f"slope {slope:.3f}")
        c.loglog(t[chosen], line, "k--", linewidth=0.8, label=f"$t^{{{exponent}}}$")
        label = f"b = {exponent}, $A_0$ = {result.best['hierarchy.A_0']:.2f}"
        d.plot(level, rates(hierarchy, result.best, ARTICLE), "o-", color=colour, markersize=4, label=label)
    c.set(xlabel=r"time ($\tau_{overwrite}$)", ylabel="largest overlap", title="C  hierarchies fitted to power laws")
    c.legend(frameon=False, fontsize=8)
    d.axhline(1, color="0.7", linewidth=0.8, linestyle=":")
    d.set(
        xlabel="level",
        ylabel=r"learning rate $\eta_i$ / $2^{-i}$",
        xticks=level,
        ylim=(0, None),
        title="D  the rates that do it",
    )
    d.legend(frameon=False, fontsize=8)
    OUT.mkdir(parents=True, exist_ok=True)
    fig.savefig(OUT / "fit_forgetting.png", dpi=120)
    print(f"figure: {OUT / 'fit_forgetting.png'}")


def main(small: bool) -> None:
    """Derivatives, both questions, their numbers, and the figure."""
    jax.config.update("jax_enable_x64", True)  # so that derivatives can be compared with differences
    hierarchy = Hierarchy(4, 100) if small else Hierarchy(7, 1000)
    closed = Closed(hierarchy.levels).overlaps(hierarchy.at).max(0)
    print(f"steps against closed form: {np.abs(hierarchy.curve(hierarchy.params) / closed - 1).max():.1e}")
    starts = 3 if small else 20
    exponents = (-0.7,) if small else (-0.3, -0.7, -1.0)

    wanted = 0.5 * hierarchy.at**-0.7
    values = {"hierarchy.eta": 1.1, "hierarchy.q": 0.52, "hierarchy.A_0": 0.9, "hierarchy.f_2": 1.2}
    values |= {"hierarchy.D": 2.2e-3, "hierarchy.alpha": 0.79}
    for path, (gradient, differences) in gradients(hierarchy, Forgetting(hierarchy, wanted, 1.0), values).items():
        print(f"{path:16} jax.grad {gradient:+.8f}, central differences {differences:+.8f}")

    begun = time.perf_counter()
    hidden_sets = [recover(hierarchy, starts, seed) for seed in range(1 if small else 3)]
    for found in hidden_sets:
        first, last = found["first"], found["second"]
        best = int((first.losses < 1.01 * first.loss).sum())
        print(f"round 1: loss {first.loss:.2f}, reached by {best} of {starts} starts; ", end="")
        print(f"round 2: loss {last.loss:.3f} (noise alone: about 1)")
        true, fitted = rates(hierarchy, found["hidden"], ARTICLE), rates(hierarchy, last.best, first.best)
        off = 100 * np.abs(fitted / true - 1).max()
        value, error = last.best["hierarchy.A_0"], found["intervals"].error["hierarchy.A_0"]
        print(f"  hidden rates ({true.min():.2f} to {true.max():.2f} times the article's) within {off:.1f} %; ", end="")
        print(f"A_0, hidden 0.9: {value:.4f} +- {error:.4f}")
    print(f"{len(hidden_sets)} times both rounds: {time.perf_counter() - begun:.1f} s")

    begun = time.perf_counter()
    followed = {exponent: follow(hierarchy, exponent) for exponent in exponents}
    slope = power_law(hierarchy.at[hierarchy.at >= 10], hierarchy.curve(hierarchy.params)[hierarchy.at >= 10])[0]
    print(f"the hierarchy as it is: slope {slope:.3f}")
    for exponent, (result, slope, r2, _) in followed.items():
        print(f"wanted t^{exponent}: slope {slope:.4f}, r2 {r2:.4f}, A_0 {result.best['hierarchy.A_0']:.3f}")
    print(f"power laws: {time.perf_counter() - begun:.1f} s")
    draw(hierarchy, hidden_sets[0], followed)


if __name__ == "__main__":
    main("--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL")))
    if "--show" in sys.argv:
        plt.show()
