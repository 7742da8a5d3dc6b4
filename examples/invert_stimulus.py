"""The current that makes cells fire given spikes, by gradients through the simulation.

What it shows: surrogate gradients (`jaxsnn.surrogate`) with respect to an input in every step, losses on spike trains,
and a smoothness prior. Integrate-and-fire cells with adaptation are given spike trains drawn at random. The current is
sought as I = I0 + s K z, K a Gaussian kernel of 3 ms and z as many numbers as there are steps, so that it is smooth by
construction; the penalty on z is, up to a factor, the negative logarithm of the density of that Gaussian process. The
loss on the spikes is the distance of M. C. W. van Rossum (2001), doi:10.1162/089976601300014321, with a time constant
that shrinks: with a long one a missing spike is felt from afar, with a short one times become precise. The surrogate is
half as wide as the way from reset to threshold: with one of a tenth, silent cells stay silent.

How it was checked: a plain run with the current that was found fires the wanted number of spikes in every cell, and
every spike in the very step that was wanted, for each of five seeds.
How long it takes: 13 s of processor time on a CPU with 2 cores, imports and compilation included.

    python examples/invert_stimulus.py             # 5 cells, 500 ms
    python examples/invert_stimulus.py --small     # 2 cells, 150 ms (also with JAXSNN_EXAMPLE_SMALL=1)
"""

import os
import sys
import time
from pathlib import Path

import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import jaxsnn as snn
from jaxsnn import fit
from jaxsnn.surrogate import SuperSpike
from jaxsnn.units import Mohm, ms, mV, pA

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
SEED = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else 0
OUT = Path(__file__).resolve().parents[1] / "out"
n, duration = (2, 150 * ms) if SMALL else (5, 500 * ms)
dt = 0.1 * ms
steps = round(duration / dt)
# Time constant of the distance, updates, learning rate.
stages = ((20 * ms, 400, 0.05), (10 * ms, 400, 0.04), (5 * ms, 300, 0.02))

# ---- cells and targets ------------------------------------------------------------------------------

cells = snn.NeuronGroup(
    n,
    """
    dv/dt = (R*(I - w) - (v - El))/taum : volt
    dw/dt = -w/tauw : amp
    I : amp
    """,
    threshold="v > Vt",
    reset="v = El; w += b",
    method="exponential_euler",
    namespace={"El": -70 * mV, "Vt": -50 * mV, "R": 50 * Mohm, "taum": 15 * ms, "tauw": 80 * ms, "b": 60 * pA},
    name="cells",
)
cells.v = "El"
spikes = snn.SpikeMonitor(cells, name="spikes")
sim = snn.Network(cells, spikes).compile(dt=dt, inputs=["cells.I"], surrogate=SuperSpike(width=10 * mV))
params, state = sim.init(0)


rng = np.random.default_rng(SEED)
wanted = []
for _ in range(n):
    times = 15 + np.cumsum(8 + rng.exponential(25, 100))
    wanted.append(np.round(times[times < float(duration / ms) - 5], 1))

# ---- the current ------------------------------------------------------------------------------------

base, strength, kernel = 0.5e-9, 0.5e-9, 3 * ms  # ampere
reach = round(4 * kernel / dt)
shape = np.exp(-0.5 * (np.arange(-reach, reach + 1) * float(dt / kernel)) ** 2)
shape = jnp.asarray(shape / np.sqrt((shape**2).sum()), jnp.float32)  # K z has variance 1


def current(z):
    """(steps, n) in ampere, of the numbers z (steps, n)."""
    smooth = jax.vmap(lambda column: jnp.convolve(column, shape, mode="same"), 1, 1)(z)
    return base + strength * smooth


def fired(z, float_spikes=False):
    """The record of the spikes."""
    return sim.run(params, state, duration, {"cells.I": current(z)}, float_spikes=float_spikes)[1]["spikes"]


# ---- the search -------------------------------------------------------------------------------------

z = jnp.zeros((steps, n), jnp.float32)
history = []
started = time.perf_counter()
for tau, updates, rate in stages:
    distance = fit.van_rossum("spikes", [times * ms for times in wanted], tau)
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, updates, 0.1))
    moments = optimizer.init(z)

    def loss(z, distance=distance):
        """Distance of the trains, summed over the cells, and the prior."""
        return n * distance({"spikes": fired(z, float_spikes=True).dense()}, sim.dt) + 1e-4 * jnp.sum(z**2)

    @jax.jit
    def update(z, moments, loss=loss, optimizer=optimizer):
        """One step of the optimizer."""
        value, slope = jax.value_and_grad(loss)(z)
        changes, moments = optimizer.update(slope, moments)
        return optax.apply_updates(z, changes), moments, value

    # The last steps need not be the best ones: a spike may come and go with a small change of the current.
    best, lowest = z, np.inf
    for _ in range(updates):
        now = z
        z, moments, value = update(z, moments)
        history.append(float(value))
        if history[-1] < lowest:
            best, lowest = now, history[-1]
    z = best
print(f"{len(history)} updates in {time.perf_counter() - started:.1f} s (compilation included)")

# ---- numbers ----------------------------------------------------------------------------------------


def trains(z):
    """Spike times in ms of every cell, from a plain run."""
    step, index = fired(z).events()
    return [step[index == k] * float(dt / ms) for k in range(n)]


before, after = trains(jnp.zeros_like(z)), trains(z)
same = [len(a) == len(b) for a, b in zip(after, wanted, strict=True)]
print(f"spikes wanted: {[len(times) for times in wanted]}, at first: {[len(times) for times in before]}")
print(f"cells with the wanted number of spikes: {sum(same)} of {n}")
worst = max(np.abs(a - b).max() for a, b, equal in zip(after, wanted, same, strict=True) if equal)
print(f"largest distance of a spike to the wanted one: {worst:.2f} ms")
print(f"standard deviation of the current: {float(jnp.std(current(z))) * 1e12:.0f} pA")

# ---- figure -----------------------------------------------------------------------------------------

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", width_ratios=(3, 1))
t = np.arange(steps) * float(dt / ms)
drive = np.asarray(current(z)) * 1e9
spread = 1.1 * np.ptp(drive, axis=0).max()
for k in range(n):
    left.plot(t, drive[:, k] - drive[:, k].mean() + k * spread, color="#0072B2", linewidth=0.9)
    for times, low, high, color in ((wanted[k], 0.28, 0.4, "#009E73"), (after[k], 0.4, 0.52, "#D55E00")):
        left.vlines(times, (k + low) * spread, (k + high) * spread, color=color, linewidth=1.4)
for color, label in (("#0072B2", "current found"), ("#009E73", "spikes wanted"), ("#D55E00", "spikes fired")):
    left.plot([], color=color, label=label)
left.set(xlabel="time (ms)", yticks=np.arange(n) * spread, yticklabels=range(n), ylabel="cell")
left.set_ylim(-0.6 * spread, (n - 0.1) * spread)
left.legend(frameon=False, ncols=3, loc="upper left", fontsize=8)
left.set_title(f"currents of up to {drive.max():.1f} nA")
right.semilogy(history, color="0.3", linewidth=0.8)
for end in np.cumsum([updates for _, updates, _ in stages])[:-1]:
    right.axvline(end, color="0.8", linewidth=0.8)
right.set(xlabel="update", ylabel="loss", title="lines: a shorter time constant")
OUT.mkdir(exist_ok=True)
fig.savefig(OUT / "invert_stimulus.png", dpi=120)
print(f"figure: {OUT / 'invert_stimulus.png'}")
if "--show" in sys.argv:
    plt.show()
