"""Figure 5: a hierarchy of eight levels, night after night; how long the memory of one night lasts.

What it shows: `jaxsnn.rates.learn`, a chain of linear rate neurons whose weights learn in every step (on a GPU a whole
night is one kernel), inside `lax.scan` over nights and `jax.vmap` over realisations; and the drift of frozen weights as
a derivative with respect to the learning rate.
Model: M. W. H. Remme et al. (2021), doi:10.1371/journal.pcbi.1009681, Figure 5; the equations are in hierarchy.py, what
is known about them exactly in theory.py. Each night a random memory is imprinted in the hippocampus, which forgets half
of what it has; then a night of noise lets every level learn from the one before it. The article follows one memory;
here many are followed, one every few nights, and their correlations with all weights averaged. Where the article's text
and code differ, the code is followed: potentiation of level 1 of 0.2 w_max (text: 0.4, the option --level-one); and 450
nights pass before the first memory that is followed (text: 1000, code: 950).

Panels. A: correlation of each level's weights with a memory, from the night of its imprint (night 1) on; thick: the
largest of them, dashed: the power law fitted to it. B: the same largest correlation with a straight time axis and the
best exponential. C: the correlations again (brightness) by what delay a response through that level has, from the
outermost input to the outermost output; line: through the level that holds the memory best. D: how the weights of each
level are distributed after the last night.

How it was checked: a night equals a plain loop over the article's equations (in the tests). All 44 coefficients of the
drift of frozen weights agree with the theory to 3e-12 under single pulses, and the 16 that ten nights of noise show
well enough to 1.2 %. The hippocampus follows its exact law to 0.006 (--small).
How long it takes: --small 14 s of processor time on a CPU with 2 cores, imports and compilation included; --drift 44 s.
The full size is for a GPU.

    python examples/consolidation/figure5.py             # 450 + 1000 nights, 4 realisations; for a GPU
    python examples/consolidation/figure5.py --small     # 64 neurons, 4 levels (also with JAXSNN_EXAMPLE_SMALL=1)
    python examples/consolidation/figure5.py --drift     # the coefficients of the theory, measured
    python examples/consolidation/figure5.py --checkpoint run.npz    # goes on where the file ends
    python examples/consolidation/figure5.py --from run.npz          # only draws
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from hierarchy import Network, drift, pulses, regression
from theory import Drift, exponential, overwritten, power_law, rectified_normal, response_delays

OUT = Path(__file__).resolve().parents[2] / "out" / "consolidation"


@dataclass(frozen=True)
class Plan:
    """Which nights are simulated, and which memories are followed: one every few nights, in their first half."""

    network: Network
    equilibrate: int = 450
    nights: int = 1000
    realisations: int = 4
    memories: int = 64
    chunk: int = 25
    seed: int = 5

    @property
    def every(self) -> int:
        """Nights from one followed memory to the next."""
        return max(1, self.nights // (2 * self.memories))

    @property
    def imprinted(self) -> np.ndarray:
        """The nights of the followed memories."""
        return self.equilibrate + self.every * np.arange(self.memories)

    @property
    def total(self) -> int:
        """All nights."""
        return self.equilibrate + self.nights


# Night and height of the peaks of levels 1 to 4 at full size in a separate simulation of the same network in C.
PEAKS = ("night 2: 0.42", "night 5 to 8: 0.186", "night 18 to 30: 0.087", "night 50 to 85: 0.056")

SMALL = Plan(Network(n=64, levels=4, steps=6000), equilibrate=40, nights=60, realisations=1, memories=24, chunk=20)


@dataclass(frozen=True)
class Course:
    """What a run found so far.

    Attributes:
        weights: After the last night, shape (realisations, levels + 1, n, n).
        correlations: Of each level with each followed memory, shape (realisations, nights, levels + 1, memories).
        seconds: How long each night took, NaN for those in calls that compiled.
    """

    weights: np.ndarray
    correlations: np.ndarray
    seconds: np.ndarray


# ---- simulation -------------------------------------------------------------------------------------


def simulate(plan: Plan, file: Path | None = None) -> Course:
    """All nights, in pieces; after each the file is written, and it is read in the beginning if it is there.

    Raises:
        ValueError: if the file is of another plan.
    """
    network = plan.network
    keys = jax.vmap(lambda r: jax.random.fold_in(jax.random.key(plan.seed), r))(jnp.arange(plan.realisations))
    references = jax.vmap(lambda key: network.references(key, jnp.asarray(plan.imprinted)))(keys)
    if file is not None and file.exists():
        known, course = load(file)
        if known != plan:
            raise ValueError(f"{file} is of {known}, and not of {plan}: remove it, or ask for what is in it")
        weights = tuple(jnp.asarray(course.weights).swapaxes(0, 1))
        parts, seconds = [course.correlations], [course.seconds]
    else:
        weights = jax.vmap(network.start)(keys)
        parts, seconds = [], []

    def nights(count: int, first: int, weights: Any) -> Any:
        return jax.vmap(lambda key, w, r: network.nights(count, key, first, w, r))(keys, weights, references)

    compiled = set()
    done = sum(part.shape[1] for part in parts)
    while done < plan.total:
        count = min(plan.chunk, plan.total - done)
        started = time.perf_counter()
        weights, found = jax.block_until_ready(nights(count, done, weights))
        elapsed = (time.perf_counter() - started) / count
        parts.append(np.asarray(found))
        seconds.append(np.full(count, elapsed if count in compiled else np.nan))
        compiled.add(count)
        done += count
        course = Course(np.stack(weights, axis=1), np.concatenate(parts, axis=1), np.concatenate(seconds))
        if file is not None:
            save(file, plan, course)
            print(f"night {done} of {plan.total}, {elapsed:.2f} s each", flush=True)
    return course


def save(file: Path, plan: Plan, course: Course) -> None:
    """Write plan and course, so that a file is always whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished.npz")
    np.savez(unfinished, plan=json.dumps(asdict(plan)), **vars(course))
    unfinished.replace(file)


def load(file: Path) -> tuple[Plan, Course]:
    """Read what `save` wrote."""
    with np.load(file) as data:
        options = json.loads(str(data["plan"]))
        plan = Plan(**{**options, "network": Network(**options["network"])})
        return plan, Course(data["weights"], data["correlations"], data["seconds"])


# ---- numbers ----------------------------------------------------------------------------------------


def by_age(plan: Plan, course: Course) -> np.ndarray:
    """Correlations against the age of a memory, shape (realisations, memories, levels + 1, ages); age 0 is night 1.

    Only ages that every memory has reached, so that means of all ages are over the same memories.
    """
    ages = course.correlations.shape[1] - plan.imprinted[-1]
    if ages < 2:
        raise ValueError(f"after {course.correlations.shape[1]} nights not all memories are imprinted; go on")
    aligned = [course.correlations[:, night : night + ages, :, m] for m, night in enumerate(plan.imprinted)]
    return np.stack(aligned, axis=1).swapaxes(2, 3)


def spaced(first: int, last: int) -> np.ndarray:
    """Nights at about equal distances of their logarithm, so that each decade weighs alike in a fit."""
    return np.unique(np.geomspace(first, last, 60).round().astype(int))


def report(plan: Plan, course: Course) -> dict[str, Any]:
    """Print the numbers beside the expected ones; returns the fits for the figure."""
    each = by_age(plan, course)
    mean, nights = each.mean((0, 1)), np.arange(each.shape[-1]) + 1
    error = each.std((0, 1), ddof=1) / np.sqrt(each[:, :, 0, 0].size)  # a memory is a sample
    print(f"{plan.memories} memories, one every {plan.every} nights, in {plan.realisations} realisations")

    full = plan.network == Network()
    law = overwritten(np.arange(min(6, len(nights))))
    print("hippocampus  " + " ".join(f"{x:7.4f}" for x in mean[0, : len(law)]))
    print("exact law    " + " ".join(f"{x:7.4f}" for x in law))
    deviation = np.abs(mean[0, : len(law)] - law).max()
    print(f"largest deviation of the hippocampus from its law: {deviation:.4f} (allowed 0.01)")
    print(f"level 1 in night 1: {mean[1, 0]:.3f} +- {error[1, 0]:.3f}")

    print("level   peak in night    height    standard error    of the one before")
    peaks = mean.argmax(1)
    heights = mean[np.arange(len(mean)), peaks]
    for i in range(1, len(mean)):
        at = "not yet" if peaks[i] == len(nights) - 1 else str(nights[peaks[i]])
        print(
            f"{i:5d} {at:>15} {heights[i]:9.4f} {error[i, peaks[i]]:17.4f} {heights[i] / heights[i - 1]:20.2f}", end=""
        )
        print(f"    (expected {PEAKS[i - 1]})" if full and i <= len(PEAKS) else "")
    before = np.concatenate([course.correlations[:, :night, :, m] for m, night in enumerate(plan.imprinted)], axis=1)
    chance = before.std((0, 1))
    print(
        f"chance, before a memory was there: hippocampus {chance[0]:.5f} (expected 1/N = {1 / plan.network.n:.5f}), ",
        end="",
    )
    print(f"levels {chance[1:].min():.5f} to {chance[1:].max():.5f}")

    signal, fits = mean.max(0), {}
    for first, last in dict.fromkeys(((2, min(100, len(nights))), (2, len(nights)))):
        chosen = spaced(first, last)
        slope, factor, r2 = power_law(chosen, signal[chosen - 1])
        other = exponential(chosen, signal[chosen - 1])
        slopes = [power_law(chosen, one.mean(0).max(0)[chosen - 1])[0] for one in each]
        spread = f" ({min(slopes):.3f} to {max(slopes):.3f} in single realisations)" if len(slopes) > 1 else ""
        print(f"nights {first} to {last}: slope {slope:.3f}{spread}, r2 {r2:.4f}; ", end="")
        print(f"r2 of a single exponential {other:.4f}")
        fits = {"nights": chosen, "slope": slope, "factor": factor, "r2": r2, "exponential": other}

    took = course.seconds[~np.isnan(course.seconds)]
    if took.size:
        one = np.median(took)
        print(f"{one:.3f} s a night of all realisations, {one / plan.realisations:.3f} s for each; ", end="")
        print(f"{1e6 * one / plan.network.steps:.2f} us a step" + full * " (one core, C: 1.9 s a night of one)")
    return {**fits, "mean": mean, "error": error, "peaks": peaks}


# ---- drift ------------------------------------------------------------------------------------------


def report_drift(network: Network, batches: int, seed: int = 1) -> None:
    """The drift of frozen weights beside its theory: by single pulses, a constant input, and the noise of nights."""
    theory = Drift(network.levels, network.dt / network.tau, network.ratio)
    expected = theory.coefficients()
    there = expected != 0
    with jax.enable_x64(True):
        key = jax.random.key(seed)
        weights = tuple(w.astype(float) for w in network.start(key))
        alone = pulses(network)
        found = np.asarray(regression(weights, drift(network, weights, alone) * len(alone), centred=False))
        print(f"single pulses: all {there.sum()} coefficients of {network.levels} levels, ", end="")
        print(f"largest relative deviation {np.abs(found[there] / expected[there] - 1).max():.1e}")

        mean, variance = rectified_normal(network.rate, network.rate / 2)
        constant = jnp.full((400, network.n), mean)
        half = drift(network, weights, constant[:200]) * 200
        settled = np.asarray(drift(network, weights, constant) * 400 - half) / 200
        y = [np.asarray(weights[0]) @ constant[0]]
        for w in weights[1:]:
            y.append((np.asarray(w) @ constant[0] + y[-1]) / 2)
        term = np.stack([theory.mean_term(mean, np.asarray(rate)) for rate in y[1:]])[:, :, None]
        print(f"constant input: largest relative deviation of the mean term {np.abs(settled / term - 1).max():.1e}")

        def one(night: jax.Array) -> jax.Array:
            return regression(weights, drift(network, weights, network.inputs(key, night)), centred=True)

        measured = np.asarray(jax.jit(jax.vmap(one))(jnp.arange(batches))) / variance
    value, error = measured.mean(0), measured.std(0, ddof=1) / np.sqrt(batches)
    print(f"noise of {batches} nights of {network.steps} steps, {network.n} neurons: coefficients over s2, those that")
    print("are known to 0.7 % of themselves\nlevel  hears    measured  standard error    theory  deviation")
    sharp = there & (error < 0.007 * np.abs(expected))
    for i, j in np.argwhere(sharp):
        print(f"{i + 1:5d} {j:6d} {value[i, j]:11.5f} {error[i, j]:15.5f} {expected[i, j]:9.5f}", end="")
        print(f" {100 * (value[i, j] / expected[i, j] - 1):+9.2f} %")
    worst = np.abs(value[sharp] / expected[sharp] - 1).max()
    print(f"largest deviation of {sharp.sum()} coefficients under noise: {100 * worst:.2f} %")


# ---- figure -----------------------------------------------------------------------------------------


def draw(plan: Plan, course: Course, numbers: dict[str, Any], file: Path) -> None:
    """The four panels."""
    mean, levels = numbers["mean"], plan.network.levels
    nights, signal = np.arange(mean.shape[1]) + 1, mean.max(0)
    colours = plt.cm.viridis(np.linspace(0, 0.9, levels + 1))
    fig, ((a, b), (c, d)) = plt.subplots(2, 2, figsize=(11, 8.5), layout="constrained")

    floor = 1 / plan.network.n / np.sqrt(plan.memories * plan.realisations)
    for curve, colour in zip(mean, colours, strict=True):
        a.loglog(nights, np.where(curve > 2 * floor, curve, np.nan), color=colour, linewidth=1.2)
    a.loglog(nights, signal, color="k", linewidth=4, alpha=0.25, label="largest")
    x = numbers["nights"]
    label = f"$t^{{{numbers['slope']:.2f}}}$ (r$^2$ {numbers['r2']:.3f})"
    a.loglog(x, numbers["factor"] * x ** numbers["slope"], "--", color="#D55E00", label=label)
    a.set(xlabel="night", ylabel="correlation with the memory")
    a.set_title(f"A  from the hippocampus (dark) to level {levels} (bright)")
    a.set(xlim=(1, nights[-1]), ylim=(max(2 * floor, 2e-3), 1.1))
    a.legend(fontsize=8, loc="upper right", frameon=False)

    b.semilogy(nights, signal, color="k", linewidth=4, alpha=0.25, label="largest")
    b.semilogy(x, numbers["factor"] * x ** numbers["slope"], "--", color="#D55E00", label=label)
    rate, intercept = np.polyfit(x, np.log(signal[x - 1]), 1)
    label = f"exponential (r$^2$ {numbers['exponential']:.3f})"
    b.semilogy(nights, np.exp(intercept + rate * nights), ":", color="#0072B2", label=label)
    b.set(xlabel="night", ylabel="largest correlation", xlim=(0, nights[-1]))
    b.set_title("B  a power law, not an exponential")
    b.legend(fontsize=8, frameon=False)

    delays = 1e3 * plan.network.dt * response_delays(levels)
    edges = np.concatenate([[delays[0] + 2.5], (delays[1:] + delays[:-1]) / 2, [delays[-1] - 5]])
    shown = np.maximum(mean, max(2 * floor, 2e-3))
    image = c.pcolormesh(np.append(nights, nights[-1] + 1), edges, shown, norm="log", cmap="Greys", rasterized=True)
    c.step(nights, delays[mean.argmax(0)], where="post", color="#D55E00", linewidth=2)
    c.set_xscale("log")
    c.set(xlabel="night", ylabel="delay of the response (ms)", yticks=delays, ylim=(edges[-1], edges[0]))
    c.set_title("C  responses become faster as the memory moves outward")
    fig.colorbar(image, ax=c, label="correlation")

    bins = np.linspace(0, 1, 41)
    for i in range(1, levels + 1):
        share = course.weights[:, i].ravel() / plan.network.w_max
        d.hist(share, bins, weights=np.full(share.size, 100 / share.size), histtype="step", color=colours[i])
    d.set(xlabel=r"weight ($w_{max}$)", ylabel="weights (%), in bins of 0.025", xlim=(0, 1))
    d.set_title(f"D  weights of levels 1 (dark) to {levels} (bright)")
    d.set_yscale("log")

    file.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(file, dpi=120)
    print(f"figure: {file}")


def main() -> None:
    """Read the options, simulate or load, report and draw."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--small", action="store_true", help="64 neurons, 4 levels, short nights")
    options.add_argument("--equilibrate", type=int, help="nights before the first memory that is followed")
    options.add_argument("--nights", type=int, help="nights from there on")
    options.add_argument("--realisations", type=int)
    options.add_argument("--level-one", type=float, help="potentiation of level 1 in w_max")
    options.add_argument("--checkpoint", type=Path, help="go on from this file and keep it up to date")
    options.add_argument("--from", type=Path, dest="source", help="draw what this file holds")
    options.add_argument("--drift", action="store_true", help="measure the coefficients of the theory instead")
    options.add_argument("--show", action="store_true")
    given = options.parse_args()
    small = given.small or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
    if given.drift:
        report_drift(Network(n=32 if small else 64, levels=4 if small else 8), batches=10)
        return
    if given.source:
        plan, course = load(given.source)
    else:
        plan = SMALL if small else Plan(Network())
        plan = changed(plan, equilibrate=given.equilibrate, nights=given.nights, realisations=given.realisations)
        plan = changed(plan, memories=min(plan.memories, max(1, plan.nights // 2)))
        plan = changed(plan, network=changed(plan.network, level_one=given.level_one))
        course = simulate(plan, given.checkpoint)
        save(OUT / f"{named(plan)}.npz", plan, course)
    draw(plan, course, report(plan, course), OUT / f"{named(plan)}.png")
    if given.show:
        plt.show()


def named(plan: Plan) -> str:
    """What the files of a run are called."""
    usual = plan.network.level_one == Network().level_one
    return "figure5" if usual else f"figure5-{plan.network.level_one:g}"


def changed(record: Any, **values: Any) -> Any:
    """The same with the values that are not None."""
    return type(record)(**{**vars(record), **{k: v for k, v in values.items() if v is not None}})


if __name__ == "__main__":
    main()
