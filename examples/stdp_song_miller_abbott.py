"""Song, Miller and Abbott: competition of synapses by spike-timing dependent plasticity.

What it shows: a rule of `jaxsnn.plasticity` with other values; 1,000 Poisson inputs at 15 Hz compete for one cell until
most weights are near 0 or near the maximum.
Model: S. Song, K. D. Miller, L. F. Abbott (2000), doi:10.1038/78829, with the parameters of the STDP benchmark of
D. Alevi et al. (2022), doi:10.3389/fninf.2022.883700.

How it was checked: for three seeds the cell fires at 21 to 27 Hz in the last 10 s, the mean weight is 0.43 of the
maximum and 64 to 66 % of the weights are in the outer fifths (40 % at first); Brian2 2.9 gives 23 Hz, 0.44 and 62 %.
How long it takes: 28 s of processor time on a CPU with 2 cores, imports and compilation included.

    python examples/stdp_song_miller_abbott.py             # 1,000 inputs, 100 s
    python examples/stdp_song_miller_abbott.py --small     # 100 stronger inputs, 20 s
                                                           # (also with JAXSNN_EXAMPLE_SMALL=1)
"""

import os
import sys
import time
from pathlib import Path

import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import jaxsnn as snn
from jaxsnn.plasticity import STDP
from jaxsnn.units import Hz, ms, mV, second

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
OUT = Path(__file__).resolve().parents[1] / "out"

snn.seed(1)
N = 100 if SMALL else 1000
duration = 20 * second if SMALL else 100 * second

# ---- the model --------------------------------------------------------------------------------------

taum, taue = 10 * ms, 5 * ms
Ee, El, Vt, Vr = 0 * mV, -74 * mV, -54 * mV, -60 * mV

inputs = snn.PoissonGroup(N, 15 * Hz)
cell = snn.NeuronGroup(
    1,
    """
    dv/dt  = (ge*(Ee - Vr) + El - v)/taum : volt
    dge/dt = -ge/taue : 1
    """,
    threshold="v > Vt",
    reset="v = Vr",
    method="exact",
)
cell.v = Vr

# Fewer inputs are stronger: all of them together stay the same.
rule = STDP.with_values(w_max=10 / N, A_plus=0.01, A_minus=0.0105)
print(rule)
wires = rule.synapses(inputs, cell, transmit="ge_post += w", connect=True, w="rand()*w_max")

every = duration / 50
weights = snn.StateMonitor(wires, "w", record=True, dt=every)
spikes = snn.SpikeMonitor(cell)

net = snn.Network(inputs, cell, wires, weights, spikes)
started = time.perf_counter()
net.run(duration)
elapsed = time.perf_counter() - started

# ---- numbers ----------------------------------------------------------------------------------------

w_max = rule.values["w_max"]
start, end = np.asarray(weights.w[:, 0]) / w_max, np.asarray(wires.w[:]) / w_max
extreme = np.mean((end < 0.2) | (end > 0.8))
print(f"{N} synapses, {duration} simulated in {elapsed:.1f} s (compilation included)")
counts, _ = np.histogram(spikes.t / duration, [0, 0.1, 0.9, 1])
first, _, last = counts / (np.array([0.1, 0.8, 0.1]) * (duration / second))
print(f"rate {first:.1f} Hz in the first tenth, {last:.1f} Hz in the last")
print(f"mean weight {start.mean():.3f} of the maximum at first, {end.mean():.3f} in the end")
print(f"weights in the outer fifths: {np.mean((start < 0.2) | (start > 0.8)):.2f} at first, {extreme:.2f} in the end")

# ---- figure -----------------------------------------------------------------------------------------

fig, (top, middle, bottom) = plt.subplots(3, 1, figsize=(8, 8), layout="constrained")
t = np.asarray(weights.t / second)
top.plot(t, np.asarray(weights.w[:: N // 20]).T / w_max, linewidth=0.8, alpha=0.7)
top.set(xlabel="time (s)", ylabel="w / w_max", xlim=(0, duration / second))
top.set_title(f"{N} synapses, {last:.1f} Hz in the end")
width = duration / second / 50
bins = np.arange(51) * width
middle.stairs(np.histogram(spikes.t / second, bins)[0] / width, bins)
middle.set(xlabel="time (s)", ylabel="rate (Hz)", xlim=(0, duration / second))
for values, label in ((start, "at first"), (end, "in the end")):
    bottom.hist(values, bins=np.linspace(0, 1, 41), histtype="stepfilled", alpha=0.5, label=label)
bottom.set(xlabel="w / w_max", ylabel="synapses")
bottom.legend()
OUT.mkdir(exist_ok=True)
fig.savefig(OUT / "stdp_song_miller_abbott.png", dpi=120)
print(f"figure: {OUT / 'stdp_song_miller_abbott.png'}")
if "--show" in sys.argv:
    plt.show()
