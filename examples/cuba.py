"""CUBA: 4,000 integrate-and-fire neurons with exponential currents, excitatory and inhibitory.

What it shows: a recurrent network from equation strings; the spikes of all cells, the population rate, one membrane.
Model: T. P. Vogels, L. F. Abbott (2005), doi:10.1523/JNEUROSCI.3508-05.2005, in the form of benchmark 2 of
R. Brette et al. (2007), doi:10.1007/s10827-007-0038-6.

How it was checked: mean rates of six seeds from 5.4 to 6.0 Hz (mean 5.6); Brian2 2.10 gives 5.5 and 5.6 Hz for
two seeds. The spread is that of the random connections.
How long it takes: 6 s of processor time on a CPU with 2 cores, imports and compilation included.

    python examples/cuba.py             # 4,000 neurons, 1 s
    python examples/cuba.py --small     # 400 neurons, 0.2 s (also with JAXSNN_EXAMPLE_SMALL=1)
"""

import os
import sys
import time
from pathlib import Path

import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import matplotlib.pyplot as plt

import jaxsnn as snn
from jaxsnn import plot
from jaxsnn.units import Hz, ms, mV, second

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
OUT = Path(__file__).resolve().parents[1] / "out"

snn.seed(1)
N = 400 if SMALL else 4000
duration = 0.2 * second if SMALL else 1 * second

# ---- the model --------------------------------------------------------------------------------------

El, Vt, Vr = -49 * mV, -50 * mV, -60 * mV
taum, taue, taui = 20 * ms, 5 * ms, 10 * ms

cells = snn.NeuronGroup(
    N,
    """
    dv/dt  = (ge + gi - (v - El))/taum : volt (unless refractory)
    dge/dt = -ge/taue : volt
    dgi/dt = -gi/taui : volt
    """,
    threshold="v > Vt",
    reset="v = Vr",
    refractory=5 * ms,
    method="exact",
)
cells.v = "Vr + rand()*(Vt - Vr)"

n_exc = N * 4 // 5
exc = snn.Synapses(cells[:n_exc], cells, on_pre="ge_post += 1.62*mV")
exc.connect(p=80 / N)
inh = snn.Synapses(cells[n_exc:], cells, on_pre="gi_post -= 9*mV")
inh.connect(p=80 / N)

spikes = snn.SpikeMonitor(cells)
rate = snn.PopulationRateMonitor(cells)
membrane = snn.StateMonitor(cells, "v", record=0)

net = snn.Network(cells, exc, inh, spikes, rate, membrane)
started = time.perf_counter()
net.run(duration)
elapsed = time.perf_counter() - started

# ---- numbers ----------------------------------------------------------------------------------------

mean_rate = spikes.num_spikes / (N * duration)
print(f"{N} neurons, {len(exc) + len(inh)} synapses, {duration} simulated in {elapsed:.1f} s (compilation included)")
print(f"mean rate {float(mean_rate / Hz):.2f} Hz")

# ---- figure -----------------------------------------------------------------------------------------

fig, (top, middle, bottom) = plt.subplots(
    3, 1, sharex=True, figsize=(8, 7), height_ratios=[3, 1, 1], layout="constrained"
)
plot.raster(spikes, top, groups={"excitatory": slice(0, n_exc), "inhibitory": slice(n_exc, N)})
plot.population_rate(rate, middle, width=2 * ms)
plot.traces(membrane, "v", bottom, unit=mV)
bottom.axhline(Vt / mV, color="0.6", linewidth=0.8, linestyle="--")
bottom.set(ylabel="v of cell 0 (mV)")
for axes in (top, middle):
    axes.set_xlabel("")
bottom.set_xlim(0, duration / ms)
top.set_title(f"CUBA, {N} neurons, {float(mean_rate / Hz):.1f} Hz")
fig.align_ylabels()
OUT.mkdir(exist_ok=True)
fig.savefig(OUT / "cuba.png", dpi=120)
print(f"figure: {OUT / 'cuba.png'}")
if "--show" in sys.argv:
    plt.show()
