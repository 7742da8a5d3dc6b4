"""Figure 6: forgetting by a power law, the linear theory of a hierarchy of consolidating pathways.

What it shows: a linear system of equations, written as text and integrated exactly, beside its closed form. Each level
learns from the faster one before it; a memory travels outward as a wave that gets lower and wider. The largest overlap
of all levels falls as a power of time, not exponentially, and each level more doubles how long the memory lasts.
Model: M. W. H. Remme et al. (2021), doi:10.1371/journal.pcbi.1009681, Figure 6; the equations are in theory.py.
Not in the article, and chosen here: the time of overwriting (1, the unit of time), the window at zero lag (-A_0 with
A_0 = 1; others are shown), the number of levels, and that the memory is in level 0 alone at first.

Panels. A: level i takes the fraction alpha of its drive from the level before, the rest from its own shortcut.
B: overlap of each level with the memory (thin: closed form; dots: simulated), the largest of them (thick), the power
law fitted to it over t = 10 to 1000 (dashed) and the best exponential (dotted). C: exponent against A_0 (line: closed
form for endless hierarchies; crosses: fits); above 0 nothing is forgotten. D: lifetime against the number of levels:
until the overlap is half that of an endless hierarchy, and until it is below 0.001.

How it was checked: simulated and closed form differ by 1e-14 (in the tests, closed form and matrix exponential too).
Exponent -0.451 with r2 0.998 (single exponential: 0.771), height of a peak over the one before 0.721 to 0.724. Each
level more makes the lifetime 2.00 to 2.01 times as long, measured at half of an endless hierarchy; at a fixed overlap
of 0.001 it is 1.80 to 1.88 times, as later peaks are lower.
How long it takes: 15 s of processor time on a CPU with 2 cores, imports and compilation included.

    python examples/consolidation/figure6.py             # 14 levels, until t = 4000
    python examples/consolidation/figure6.py --small     # 10 levels, until t = 1000 (also with JAXSNN_EXAMPLE_SMALL=1)
"""

import os
import sys
from pathlib import Path

import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import jax
import matplotlib.pyplot as plt
import numpy as np
from theory import Hierarchy, exponential, power_law

import jaxsnn as snn
from jaxsnn.units import ms, second

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
OUT = Path(__file__).resolve().parents[2] / "out" / "consolidation"

jax.config.update("jax_enable_x64", True)  # so that rounding does not hide what the integration does
levels, t_end = (10, 1000) if SMALL else (14, 4000)
strengths = (0.75, 1.0, 1.5, 2.0)  # A_0, one hierarchy each
ARTICLE = strengths.index(1.0)

# ---- the model --------------------------------------------------------------------------------------


def equations(levels: int) -> str:
    """One line a level; level i hears level j through i - j steps outward, each a delay of D there and of D back."""
    text = ["A_0 : 1 (constant)", "dO_0/dt = -O_0/tau_overwrite : 1"]
    for i in range(1, levels + 1):
        heard = [f"alpha**{i}*exp(-{2 * i}*D/tau)*O_0"]
        heard += [f"alpha**{i - j}*(1 - alpha)*exp(-{2 * (i - j)}*D/tau)*O_{j}" for j in range(1, i)]
        text.append(f"dO_{i}/dt = eta*q**{i}*({' + '.join(heard)} - A_0*(1 - alpha)*O_{i}) : 1")
    return "\n".join(text)


print(equations(2))
# The unit of time of the theory is a second here; exact integration allows steps as long as one likes to see.
hierarchy = snn.NeuronGroup(
    len(strengths),
    equations(levels),
    method="exact",
    namespace={"tau_overwrite": 1 * second, "eta": 1 / second, "q": 0.5, "alpha": 0.8, "D": 2 * ms, "tau": 40 * ms},
)
hierarchy.A_0 = strengths
hierarchy.O_0 = 1
monitor = snn.StateMonitor(hierarchy, [f"O_{i}" for i in range(levels + 1)], record=True)
snn.Network(hierarchy, monitor, dt=1 * second, dtype="float64").run((t_end + 1) * second)

t = np.asarray(monitor.t / second)
simulated = np.array([np.asarray(getattr(monitor, f"O_{i}")) for i in range(levels + 1)])  # level, hierarchy, time

# ---- numbers ----------------------------------------------------------------------------------------

theories = [Hierarchy(levels, A_0=A_0) for A_0 in strengths]
closed = np.stack([theory.overlaps(t) for theory in theories], axis=1)
print(f"largest difference of integration and closed form: {np.abs(simulated - closed).max():.1e}")

window = (t >= 10) & (t <= 1000)
# Points at equal distances of log t weigh each decade alike, as the eye does in a log-log plot.
chosen = np.unique(np.geomspace(10, 1000, 60).round().astype(int))
signal = simulated[:, ARTICLE].max(0)
b, c, r2 = power_law(t[chosen], signal[chosen])
print(f"exponent over t = 10 to 1000: {b:.3f} (expected -0.45), r2 {r2:.4f}; ", end="")
print(f"endless hierarchy {theories[ARTICLE].exponent():.3f}; ", end="")
print(f"r2 of a single exponential {exponential(t[chosen], signal[chosen]):.3f}")

fine = np.geomspace(0.1, 1e5, 60_000)
many = Hierarchy(24).overlaps(fine)
shown = range(3, 9)
print("peaks and lifetimes, from the closed form of 24 levels:")
print("level  " + "".join(f"{i:9d}" for i in shown))
print("peak at" + "".join(f"{fine[many[i].argmax()]:9.1f}" for i in shown))
print("height " + "".join(f"{many[i].max():9.4f}" for i in shown))
ratios = [many[i + 1].max() / many[i].max() for i in range(4, 12)]
print(f"height of a peak over the one before, levels 4 to 12: {min(ratios):.3f} to {max(ratios):.3f}", end="")
print(f" (expected {theories[ARTICLE].peak_ratio():.3f})")

stages = np.arange(1, 13)
endless = many.max(0)
signals = [many[: n + 1].max(0) for n in stages]
relative = np.array([fine[s > endless / 2].max() for s in signals])
absolute = np.array([fine[s > 1e-3].max() for s in signals])
for what, lifetime in (("half of an endless hierarchy", relative), ("0.001", absolute)):
    factor = lifetime[1:] / lifetime[:-1]
    print(f"lifetime until {what}: times {factor[4:].min():.2f} to {factor[4:].max():.2f} a level (levels 6 to 12)")

print("A_0     fit over t = 10 to 1000     endless hierarchy")
fits = [power_law(t[chosen], simulated[:, k].max(0)[chosen])[0] for k in range(len(strengths))]
for A_0, fit, theory in zip(strengths, fits, theories, strict=True):
    print(f"{A_0:4.2f} {fit:15.3f} {theory.exponent():26.3f}")

# ---- figure -----------------------------------------------------------------------------------------

fig, ((a, bb), (cc, d)) = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
colours = plt.cm.viridis(np.linspace(0, 0.9, levels + 1))

a.axis("off")
a.set(xlim=(-0.9, 4.3), ylim=(-0.75, 2.0), title="A  a shortcut learns from the path around it")
circle = {"boxstyle": "circle", "fc": "white", "ec": "0.4"}
for i in range(4):
    for y, layer in ((1.5, "x"), (0, "y")):
        a.text(
            i, y, f"${layer}_{i}$", ha="center", va="center", bbox={"boxstyle": "circle", "fc": "white", "ec": "0.4"}
        )
    a.annotate("", (i, 0.28), (i, 1.22), arrowprops={"arrowstyle": "->", "color": colours[2 * i], "lw": 2.5 - 0.4 * i})
    a.text(i + 0.08, 0.85, f"$W_{i}$\n" + (r"$1-\alpha$" if i else "1"), va="center", fontsize=9)
    if i:
        a.annotate("", (i - 0.75, 1.5), (i - 0.25, 1.5), arrowprops={"arrowstyle": "->", "color": "0.4"})
        a.annotate("", (i - 0.25, 0), (i - 0.75, 0), arrowprops={"arrowstyle": "->", "color": "0.4"})
        a.text(i - 0.5, 1.6, "$D$", ha="center", fontsize=9)
        a.text(i - 0.5, 0.1, r"$\alpha, D$", ha="center", fontsize=9)
a.text(3.8, 1.5, "...", va="center")
a.text(3.8, 0, "...", va="center")
a.text(1.5, -0.6, r"learning rates $\eta_i = 2^{-i}$: from fast (left) to slow (right)", ha="center", fontsize=9)

smooth = np.geomspace(0.3, t_end, 600)
curves = theories[ARTICLE].overlaps(smooth)
dots = np.unique(np.geomspace(1, t_end, 25).round().astype(int))
for i in range(levels + 1):
    bb.loglog(smooth, curves[i], color=colours[i], linewidth=1)
    bb.loglog(t[dots], simulated[i, ARTICLE][dots], ".", color=colours[i], markersize=4)
bb.loglog(smooth, curves.max(0), color="k", linewidth=2.5, alpha=0.5, label="largest of all levels")
span = np.array([10, 1000])
bb.loglog(span, c * span**b, "--", color="#D55E00", label=f"power law, $t^{{{b:.2f}}}$ (r$^2$ {r2:.3f})")
slope, intercept = np.polyfit(t[chosen], np.log(signal[chosen]), 1)
bb.loglog(smooth, np.exp(intercept + slope * smooth), ":", color="#0072B2", label="exponential")
bb.set(xlabel=r"time ($\tau_{overwrite}$)", ylabel="overlap with the memory", ylim=(5e-3, 1.3), xlim=(0.3, t_end))
bb.set_title(f"B  levels 0 (dark) to {levels} (bright)")
bb.legend(fontsize=8, loc="lower left", framealpha=1, edgecolor="none")

grid = np.linspace(0.5, 2.2, 100)
cc.plot(grid, [Hierarchy(A_0=x).exponent() for x in grid], color="k", linewidth=1, label="endless hierarchy")
cc.plot(strengths, fits, "x", color="#D55E00", label="simulated, t = 10 to 1000")
cc.axhline(0, color="0.7", linewidth=0.8, linestyle=":")
cc.set(xlabel="depression at zero lag, $A_0$", ylabel="exponent", title="C  how fast the power law falls")
cc.legend(frameon=False)

d.semilogy(stages, relative, "o-", color="#0072B2", markersize=4, label="half of an endless hierarchy")
d.semilogy(stages, absolute, "s-", color="#D55E00", markersize=4, label="overlap 0.001")
d.semilogy(stages, relative[-1] * 2.0 ** (stages - stages[-1]), "--", color="0.5", linewidth=1, label="doubling")
d.set(xlabel="levels beyond the first", ylabel=r"lifetime ($\tau_{overwrite}$)", title="D  lifetime of a memory")
d.legend(frameon=False)

OUT.mkdir(parents=True, exist_ok=True)
fig.savefig(OUT / "figure6.png", dpi=120)
print(f"figure: {OUT / 'figure6.png'}")
if "--show" in sys.argv:
    plt.show()
