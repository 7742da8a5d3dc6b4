"""Figure 4: memories of objects and places move from CA1 to the subiculum in 31 nights, and what lesions do to that.

What it shows: `jaxsnn.rates.learn`, where each step changes all weights, 30,000 steps a night in one call; three groups
of animals as one batch that shares its input, and all trials as another one around it (`jax.vmap`).
Model: M. W. H. Remme et al. (2021), doi:10.1371/journal.pcbi.1009681, Figure 4; the equations are in hippocampus.py.
Each day a memory is written into the synapses from CA3 to CA1 (SC) and overwrites older ones. In the night the direct
synapses from EC to CA1 (PPCA1) learn from it, and those from EC to the subiculum (PPSUB) learn from CA1. Lesions take
PPCA1 away: never, before day 0, or after night 21.
Chosen here: the places and objects of every night are new (--same-night: always those of the first one, as in the
authors' code); plastic weights start from the equilibrium of that code and are given 10 nights more; 125 memories are
stored before day 0, the last ten of them one before each of these nights; a day's read-out is before its memory.

Panels (B to D of the article's figure). A: where the object of day 0 is according to SC, PPCA1 and PPSUB alone, in one
control animal (circle: the environment; cross: where it was). B: the part of these maps in the target quadrant, mean
and standard error over trials (thin: lesion before day 0). C: time in the target quadrant on days 1 and 28, if an
animal explores 70 % of the time and trusts the pathway with the highest peak in the rest. Chance is 25 % (dotted).

How it was checked: a night is the same as a plain loop over the equations in NumPy, to 1e-10; the tuning, imprinting,
the first weights and the decoder have tests with numbers known by hand. One trial of the article's size meets what is
expected of the mean of several but for SC on day 14 (0.43, not below 0.40). P of the target quadrant is 0.90 in PPCA1
after one night, 0.98 on day 5 and 0.80 on day 28, when PPSUB is at 0.90; time in it on day 28 is 44 % in the control,
23 % with the lesion before day 0 and 44 % with that after night 21.
--small shows the same order of events in 8 trials of 64 cells: SC 0.99 on day 5, 0.17 on day 14; PPCA1 0.93 on day 5,
0.50 on day 28; PPSUB 0.72 on day 28, 0.45 with the lesion before day 0. It does not show panel C: the peak of SC, of
some newer memory, is the highest in 6 of 8 trials on day 28, and the groups differ little (30, 24 and 30 %, +- 4).
How long it takes: about 4 minutes of processor time a trial on a CPU; --small 35 s, imports and compilation included.

    python examples/consolidation/figure4.py --trials 10          # on a GPU
    python examples/consolidation/figure4.py --trials 2 --checkpoint out/consolidation/figure4_checkpoint.npz
    python examples/consolidation/figure4.py --from out/consolidation/figure4.npz
    python examples/consolidation/figure4.py --small              # also with JAXSNN_EXAMPLE_SMALL=1
"""

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path

import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import jax
import matplotlib.pyplot as plt
import numpy as np
from hippocampus import (
    GROUPS,
    PATHWAYS,
    TARGET,
    Model,
    Weights,
    acquire,
    begin,
    in_target,
    pass_day,
    settle,
    time_in_target,
)
from matplotlib.colors import PowerNorm

OUT = Path(__file__).resolve().parents[2] / "out" / "consolidation"

parser = argparse.ArgumentParser(description="Object-place memories over 31 nights.", allow_abbrev=False)
parser.add_argument("--trials", type=int, help="animals of each group (10; small: 8)")
parser.add_argument("--days", type=int, default=31, help="days after the memory (31)")
parser.add_argument("--seed", type=int, default=1, help="where the random numbers start (1)")
parser.add_argument("--small", action="store_true", help="64 cells, 32 objects, short nights")
parser.add_argument("--same-night", action="store_true", help="replay the same in every night")
parser.add_argument("--checkpoint", type=Path, help="written after each day, and gone on from where it exists")
parser.add_argument("--from", type=Path, dest="source", help="draw results of an earlier run")
parser.add_argument("--show", action="store_true", help="open the figure in a window")
options = parser.parse_args()

SMALL = options.small or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
trials = options.trials or (8 if SMALL else 10)
# Small: the weights of a cell add up as in the large one (see Model), and there are half as many objects as cells, too.
# Nights are a tenth as long, and each step changes weights three times as much; more would leave mostly noise in them.
model = Model(side=8, objects=32, equilibration=5, steps=3_000, learning=0.15) if SMALL else Model()


def simulate() -> np.ndarray:
    """Maps of all days, shape (days + 1, trials, groups, pathways, points)."""
    same = options.same_night
    once = partial(jax.jit, donate_argnums=1)
    evening = once(jax.vmap(partial(settle, model, same=same), (0, 0, None)))
    tomorrow = once(jax.vmap(partial(pass_day, model, same=same), (0, 0, None)))
    keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(options.seed)))(np.arange(trials))
    world, weights = jax.jit(jax.vmap(partial(begin, model)))(keys)
    setting = f"{model}, {trials} trials, seed {options.seed}, same night {same}"
    done = 0
    if options.checkpoint and options.checkpoint.exists():
        with np.load(options.checkpoint) as saved:
            if str(saved["setting"]) != setting:
                raise SystemExit(f"{options.checkpoint} is of another run: {saved['setting']}; this one is {setting}.")
            weights, known = Weights(*(saved[name] for name in Weights._fields)), list(saved["known"])
            done = len(known)
    else:
        known = []
    if not done:
        for number in range(model.equilibration):
            started = time.perf_counter()
            weights = jax.block_until_ready(evening(world, weights, number))
            print(f"equilibration, night {number + 1}: {time.perf_counter() - started:.2f} s", flush=True)
        weights, first = jax.jit(jax.vmap(partial(acquire, model)))(world, weights)
        known.append(np.asarray(first))
    for day in range(len(known), options.days + 1):
        started = time.perf_counter()
        weights, now = jax.block_until_ready(tomorrow(world, weights, day))
        known.append(np.asarray(now))
        print(f"night {day}: {time.perf_counter() - started:.2f} s for {3 * trials} animals", flush=True)
        if options.checkpoint:
            parts = {name: np.asarray(part) for name, part in weights._asdict().items()}
            part_file = options.checkpoint.with_suffix(".part.npz")  # a run that is stopped leaves a whole file behind
            np.savez(part_file, setting=setting, known=np.array(known), **parts)
            part_file.replace(options.checkpoint)
    return np.array(known)


OUT.mkdir(parents=True, exist_ok=True)
if options.source:
    with np.load(options.source) as saved:
        known, model = saved["known"], Model(int(saved["side"]))
else:
    known = simulate()
    np.savez_compressed(OUT / "figure4.npz", known=known, side=model.side)
    print(f"results: {OUT / 'figure4.npz'}")

# ---- numbers ----------------------------------------------------------------------------------------

days, trials = known.shape[0] - 1, known.shape[1]
part = in_target(model, known)  # (days + 1, trials, groups, pathways)
share = time_in_target(model, known)  # (days + 1, trials, groups)


def mean_and_error(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Over trials; the error is nan for a single one."""
    n = values.shape[axis]
    spread = values.std(axis, ddof=1) if n > 1 else np.full_like(values.mean(axis), np.nan)
    return values.mean(axis), spread / np.sqrt(n)


mean, error = mean_and_error(part, 1)
print(f"\nprobability of the target quadrant, mean +- standard error over {trials} trials (chance 0.25)")
shown = [d for d in (0, 1, 5, 7, 14, 21, 28, 31) if d <= days]
print(f"{'':31}" + "".join(f"  day {d:<7d}" for d in shown))
for g, group in enumerate(GROUPS):
    for k, pathway in enumerate(PATHWAYS):
        row = "".join(f"  {mean[d, g, k]:.2f} +- {error[d, g, k]:.2f}" for d in shown)
        print(f"{group:22} {pathway:6}: {row}")

mean_share, error_share = mean_and_error(share, 1)
probes = [d for d in (1, 28) if d <= days] or [days]
print("time in the target quadrant")
for g, group in enumerate(GROUPS):
    row = "".join(f"  day {d}: {mean_share[d, g]:.3f} +- {error_share[d, g]:.3f}" for d in probes)
    print(f"{group:22}: {row}")

SC, CA1, SUB = range(3)
if model.side == Model().side and days >= 28:
    # What an independent program for the same equations gave, with room for the chance of a few trials.
    checks = [
        ("SC on day 0", mean[0, 0, SC], 0.99, 1),
        ("SC on day 14", mean[14, 0, SC], 0, 0.40),
        ("PPCA1 on day 1", mean[1, 0, CA1], 0.70, 1),
        ("PPCA1 on day 5", mean[5, 0, CA1], 0.95, 1),
        ("PPCA1 on day 28", mean[28, 0, CA1], 0.60, 0.90),
        ("PPSUB on day 28", mean[28, 0, SUB], 0.50, 1),
        ("PPSUB on day 28 less that on day 7", mean[28, 0, SUB] - mean[7, 0, SUB], 0, 1),
        *((f"time on day 1, {group}", mean_share[1, g], 0.47, 0.476) for g, group in enumerate(GROUPS)),
        ("time on day 28, control", mean_share[28, 0], 0.38, 0.475),
        ("time on day 28, lesion before day 0", mean_share[28, 1], 0.21, 0.29),
        ("time on day 28, lesion after night 21", mean_share[28, 2], 0.30, 0.475),
        ("the same, less lesion before day 0", mean_share[28, 2] - mean_share[28, 1], 0.05, 0.3),
    ]
    for what, value, low, high in checks:
        print(f"{what}: {value:.3f} (expected {low:g} to {high:g}){'' if low <= value <= high else '  <- is not'}")
else:
    print("(expected values are known of the article's size and 28 days or more)")

# ---- figure -----------------------------------------------------------------------------------------

columns = [d for d in (0, 1, 3, 7, 14, 21, 28, 31) if d <= days]
fig = plt.figure(figsize=(11, 9), layout="constrained")
upper, lower = fig.subfigures(2, 1, height_ratios=(1.2, 1))
upper.suptitle("A  where the object of day 0 is, according to one pathway alone", fontsize=11)
grid = upper.subplots(len(PATHWAYS), len(columns), squeeze=False)
turn = np.linspace(0, 2 * np.pi, 100)
half = 0.5 + 0.5 / (model.bins - 1)  # to the outer edge of the outermost points
shades = PowerNorm(0.5, vmin=0, vmax=known[:, 0, 0].max())  # a map of one peak and one that is spread out, side by side
for k, pathway in enumerate(PATHWAYS):
    for axes, d in zip(grid[k], columns, strict=True):
        seen = known[d, 0, 0, k].reshape(model.bins, model.bins)
        image = axes.imshow(seen, origin="lower", extent=(-half, half, -half, half), norm=shades)
        axes.plot(0.5 * np.cos(turn), 0.5 * np.sin(turn), color="w", linewidth=0.8)
        axes.plot(*TARGET, "+", color="w", markersize=7)
        axes.set(xticks=[], yticks=[])
    grid[k, 0].set_ylabel(pathway)
for axes, d in zip(grid[0], columns, strict=True):
    axes.set_title(f"day {d}", fontsize=10)
bar = upper.colorbar(image, ax=grid, shrink=0.6, label="probability of a point")
bar.set_ticks([0, 0.01, 0.05, 0.1, 0.15])

left, right = lower.subplots(1, 2, width_ratios=(1.4, 1))
colours = {"SC": "#D55E00", "PPCA1": "#0072B2", "PPSUB": "#009E73"}
when = np.arange(days + 1)
for k, pathway in enumerate(PATHWAYS):
    left.plot(when, mean[:, 0, k], color=colours[pathway], linewidth=1.8, label=pathway)
    low, high = mean[:, 0, k] - error[:, 0, k], mean[:, 0, k] + error[:, 0, k]
    left.fill_between(when, low, high, color=colours[pathway], alpha=0.25, linewidth=0)
left.plot(when, mean[:, 1, SUB], color=colours["PPSUB"], linewidth=0.8, label="PPSUB, lesion before day 0")
left.axhline(0.25, color="0.5", linewidth=0.8, linestyle=":")
left.set(xlabel="days after the memory", ylabel="probability of the target quadrant", ylim=(0, 1.03))
left.set_title("B  the memory moves from pathway to pathway", fontsize=11)
left.legend(frameon=False, fontsize=8, ncols=2, loc="lower center")

greys = ("0.25", "#CC79A7", "#E69F00")
for g, (group, colour) in enumerate(zip(GROUPS, greys, strict=True)):
    at = np.arange(len(probes)) + 0.26 * (g - 1)
    right.bar(at, 100 * mean_share[probes, g], 0.24, color=colour, label=group)
    right.errorbar(at, 100 * mean_share[probes, g], 100 * error_share[probes, g], fmt="none", color="k", capsize=2)
right.axhline(25, color="0.5", linewidth=0.8, linestyle=":")
right.set(ylabel="time in the target quadrant (%)", ylim=(0, 65), xticks=range(len(probes)))
right.set_xticklabels([f"day {d}" for d in probes])
right.set_title("C  lesions of PPCA1", fontsize=11)
right.legend(frameon=False, fontsize=8, loc="upper right")

fig.savefig(OUT / "figure4.png", dpi=120)
print(f"figure: {OUT / 'figure4.png'}")
if options.show:
    plt.show()
