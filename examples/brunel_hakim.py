"""Brunel and Hakim: a sparse inhibitory network oscillates although its neurons fire rarely and irregularly.

What it shows: white noise (``xi``), a delay for every synapse, the spectrum of the population rate.
Model: N. Brunel, V. Hakim (1999), doi:10.1162/089976699300016179; delays uniform from 0 to 4 ms.

How it was checked: mean rate 4.14 Hz, mean-field theory (Siegert's formula, solved for the self-consistent rate,
without the oscillation) 4.16 Hz; Brian2 2.10 gives 4.12 Hz and the spectral peak at 158 Hz, here 159 Hz.
How long it takes: 12 s of processor time on a CPU with 2 cores, imports and compilation included.

    python examples/brunel_hakim.py             # 5,000 neurons with 1,000 synapses each, 1 s
    python examples/brunel_hakim.py --small     # 500 neurons with 100 stronger synapses each, slower
                                                # (also with JAXSNN_EXAMPLE_SMALL=1)
"""

import math
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
from jaxsnn import plot
from jaxsnn.units import Hz, ms, mV, second

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
OUT = Path(__file__).resolve().parents[1] / "out"

snn.seed(1)
N, inputs = (500, 100) if SMALL else (5000, 1000)
duration = 1 * second

# ---- the model --------------------------------------------------------------------------------------

tau, theta, Vr, refractory = 20 * ms, 20 * mV, 10 * mV, 2 * ms
mu, sigma = 27 * mV, 0.33 * mV
J = 100 / inputs * mV

cells = snn.NeuronGroup(
    N,
    "dv/dt = (mu - v + sigma*sqrt(tau)*xi)/tau : volt (unless refractory)",
    threshold="v > theta",
    reset="v = Vr",
    refractory=refractory,
    method="euler",
)
cells.v = "Vr"
inhibition = snn.Synapses(cells, cells, on_pre="v_post -= J")
inhibition.connect(p=inputs / N)
inhibition.delay = "rand()*4*ms"

spikes = snn.SpikeMonitor(cells)
rate = snn.PopulationRateMonitor(cells)
net = snn.Network(cells, inhibition, spikes, rate)
started = time.perf_counter()
net.run(duration)
elapsed = time.perf_counter() - started

# ---- numbers ----------------------------------------------------------------------------------------

SETTLED = 100 * ms


def stationary_rate() -> float:
    """Mean-field rate in Hz: Siegert's formula with the mean and variance that this very rate causes."""

    def siegert(nu: float) -> float:
        mean = mu / mV - inputs * J / mV * nu * tau / second
        spread = math.sqrt((sigma / mV) ** 2 + inputs * (J / mV) ** 2 * nu * tau / second)
        u = np.linspace((Vr / mV - mean) / spread, (theta / mV - mean) / spread, 20_001)
        f = np.exp(u**2) * np.array([1 + math.erf(x) for x in u])
        integral = float(((f[1:] + f[:-1]) / 2).sum() * (u[1] - u[0]))
        return 1 / (refractory / second + tau / second * math.sqrt(math.pi) * integral)

    low, high = 0.01, 30.0  # siegert(nu) falls with nu, as the network inhibits itself: bisection
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if siegert(middle) > middle else (low, middle)
    return low


after = rate.t / ms > SETTLED / ms
measured = float(np.mean(rate.rate[after] / Hz))
signal = rate.rate[after] / Hz - measured
dt = net.dt / second
frequency = np.fft.rfftfreq(signal.size, dt)
power = 2 * np.abs(np.fft.rfft(signal)) ** 2 * dt / signal.size
band = (frequency > 20) & (frequency < 400)
smooth = np.convolve(power, np.ones(5) / 5, mode="same")
peak = frequency[band][np.argmax(smooth[band])]
print(f"{N} neurons, {len(inhibition)} synapses, {duration} simulated in {elapsed:.1f} s (compilation included)")
print(f"mean rate {measured:.2f} Hz; mean-field theory without oscillation {stationary_rate():.2f} Hz")
print(f"the population oscillates at {peak:.0f} Hz: a cell fires in one of {peak / measured:.0f} cycles")

# ---- figure -----------------------------------------------------------------------------------------

fig = plt.figure(figsize=(9, 6), layout="constrained")
grid = fig.add_gridspec(2, 2, width_ratios=[2.2, 1], height_ratios=[1.6, 1])
top = fig.add_subplot(grid[0, 0])
bottom = fig.add_subplot(grid[1, 0], sharex=top)
right = fig.add_subplot(grid[:, 1])
shown = min(N, 1000)
few = spikes.i < shown
window = (duration - 200 * ms, duration)
plot.raster((spikes.i[few], spikes.t[few]), top, n=shown, time=window, marker_size=3, color="0.2")
top.tick_params(labelbottom=False)
top.set(xlabel="", title=f"{shown} of {N} neurons")
plot.population_rate(rate, bottom, width=0.5 * ms, time=window)
bottom.axhline(measured, color="#D55E00", linewidth=1)
bottom.set(ylabel="Population rate (Hz)")
right.plot(frequency[band], smooth[band], color="#0072B2", linewidth=1)
right.axvline(peak, color="#D55E00", linewidth=1)
right.set(xlabel="Frequency (Hz)", ylabel="Power of the rate (Hz$^2$/Hz)", title=f"peak at {peak:.0f} Hz")
right.set(ylim=(0, None), xlim=(0, 400))
right.spines[["top", "right"]].set_visible(False)
fig.align_ylabels([top, bottom])
OUT.mkdir(exist_ok=True)
fig.savefig(OUT / "brunel_hakim.png", dpi=120)
print(f"figure: {OUT / 'brunel_hakim.png'}")
if "--show" in sys.argv:
    plt.show()
