"""COBAHH: Hodgkin-Huxley neurons with conductance synapses, and one cell's membrane and gates.

What it shows: sub-expressions in equations, units of conductance, exponential Euler for stiff gating equations.
Model: benchmark 3 of R. Brette et al. (2007), doi:10.1007/s10827-007-0038-6, with the channels of R. D. Traub and
R. Miles (1991), "Neuronal Networks of the Hippocampus".

How it was checked: mean rate 34.1 Hz for the first second; Brian2 2.10 gives 34.5 Hz for the same equations (one seed
each).
How long it takes: 8 s of processor time on a CPU with 2 cores, imports and compilation included.

    python examples/cobahh.py             # 4,000 neurons, 1 s
    python examples/cobahh.py --small     # 200 neurons, 0.1 s (also with JAXSNN_EXAMPLE_SMALL=1)
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
from jaxsnn.units import Hz, cm, ms, msiemens, mV, nS, second, siemens, ufarad, um

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
OUT = Path(__file__).resolve().parents[1] / "out"

snn.seed(1)
N = 200 if SMALL else 4000
duration = 0.1 * second if SMALL else 1 * second

# ---- the model --------------------------------------------------------------------------------------

area = 20_000 * um**2
Cm = 1 * ufarad / cm**2 * area
gl = 5e-5 * siemens / cm**2 * area
gNa = 100 * msiemens / cm**2 * area
gKd = 30 * msiemens / cm**2 * area
El, EK, ENa, VT = -60 * mV, -90 * mV, 50 * mV, -63 * mV
Ee, Ei = 0 * mV, -80 * mV
taue, taui = 5 * ms, 10 * ms
we, wi = 6 * nS, 67 * nS

# x/(exp(x) - 1) is written 1/exprel(x): the same, without 0/0 at x = 0.
channels = """
dv/dt  = (gl*(El - v) + ge*(Ee - v) + gi*(Ei - v) + gNa*m**3*h*(ENa - v) + gKd*n**4*(EK - v))/Cm : volt
dm/dt  = alpha_m*(1 - m) - beta_m*m : 1
dn/dt  = alpha_n*(1 - n) - beta_n*n : 1
dh/dt  = alpha_h*(1 - h) - beta_h*h : 1
dge/dt = -ge/taue : siemens
dgi/dt = -gi/taui : siemens
u       = v - VT : volt
alpha_m = 0.32*4/exprel((13*mV - u)/(4*mV))/ms : Hz
beta_m  = 0.28*5/exprel((u - 40*mV)/(5*mV))/ms : Hz
alpha_h = 0.128*exp((17*mV - u)/(18*mV))/ms : Hz
beta_h  = 4/(1 + exp((40*mV - u)/(5*mV)))/ms : Hz
alpha_n = 0.032*5/exprel((15*mV - u)/(5*mV))/ms : Hz
beta_n  = 0.5*exp((10*mV - u)/(40*mV))/ms : Hz
"""
# The action potential returns by itself: nothing is reset, and refractoriness only counts it once.
cells = snn.NeuronGroup(N, channels, threshold="v > -20*mV", refractory=3 * ms, method="exponential_euler")
cells.v = "El + 5*(randn() - 1)*mV"
cells.ge = "(1.5*randn() + 4)*10*nS"
cells.gi = "(12*randn() + 20)*10*nS"

n_exc = N * 4 // 5
exc = snn.Synapses(cells[:n_exc], cells, on_pre="ge_post += we")
exc.connect(p=80 / N)
inh = snn.Synapses(cells[n_exc:], cells, on_pre="gi_post += wi")
inh.connect(p=80 / N)

spikes = snn.SpikeMonitor(cells)
trace = snn.StateMonitor(cells, ["v", "m", "h", "n"], record=0)
net = snn.Network(cells, exc, inh, spikes, trace)
started = time.perf_counter()
net.run(duration)
elapsed = time.perf_counter() - started

# ---- numbers ----------------------------------------------------------------------------------------

mean_rate = spikes.num_spikes / (N * duration)
print(f"{N} neurons, {len(exc) + len(inh)} synapses, {duration} simulated in {elapsed:.1f} s (compilation included)")
print(f"mean rate {float(mean_rate / Hz):.1f} Hz")

# ---- figure -----------------------------------------------------------------------------------------

fig, (top, middle, bottom) = plt.subplots(
    3, 1, sharex=True, figsize=(8, 7), height_ratios=[2, 1, 1], layout="constrained"
)
shown = min(N, 300)
end = min(duration, 250 * ms)
few = spikes.i < shown
plot.raster((spikes.i[few], spikes.t[few]), top, n=shown, time=(0 * ms, end), marker_size=3, color="0.2")
plot.traces(trace, "v", middle, unit=mV)
for name, colour in (("m", "#0072B2"), ("h", "#D55E00"), ("n", "#009E73")):
    bottom.plot(trace.t / ms, getattr(trace[0], name), color=colour, linewidth=0.9, label=name)
bottom.set(ylabel="Gate of cell 0", xlabel="Time (ms)", ylim=(-0.05, 1.05))
bottom.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
bottom.spines[["top", "right"]].set_visible(False)
middle.set(ylabel="v of cell 0 (mV)")
for axes in (top, middle):
    axes.set_xlabel("")
bottom.set_xlim(0, end / ms)
top.set_title(f"COBAHH, {N} neurons, {float(mean_rate / Hz):.0f} Hz: {shown} cells")
fig.align_ylabels()
OUT.mkdir(exist_ok=True)
fig.savefig(OUT / "cobahh.png", dpi=120)
print(f"figure: {OUT / 'cobahh.png'}")
if "--show" in sys.argv:
    plt.show()
