"""f-I curve: firing rates of integrate-and-fire neurons against their closed forms, with and without noise.

What it shows: one group with a different input for every neuron; parameters as arrays; Euler-Maruyama noise.
Without noise a neuron driven to the mean mu fires at 1/(t_ref + T), T = tau log((mu - Vr)/(mu - theta)). With white
noise of strength sigma (the free membrane has the standard deviation sigma/sqrt(2)) the rate is the formula of
A. J. F. Siegert (1951), doi:10.1103/PhysRev.81.617. Two effects of steps are known and are in the numbers "in steps":

* a spike is found at the end of a step, and the membrane rests for one step less than t_ref, so that the next spike may
  come t_ref after the last: without noise the interval is ceil(T/dt) + t_ref/dt - 1 steps;
* a noisy path may cross the threshold and return between two steps, which acts like a threshold higher by
  0.5826 sigma sqrt(dt/tau) (S. Asmussen, P. Glynn, J. Pitman 1995, doi:10.1214/aoap/1177004597).

How it was checked: without noise every interval has the number of steps of the formula; with noise the rates deviate
from Siegert's formula in steps by 0.9 standard errors (root mean square over 25 inputs).
How long it takes: 8 s of processor time on a CPU with 2 cores, imports and compilation included.

    python examples/fi_curve.py             # 25 inputs, 100 neurons each with noise, 2 s
    python examples/fi_curve.py --small     # 9 inputs, 20 neurons each with noise, 0.5 s
                                            # (also with JAXSNN_EXAMPLE_SMALL=1)
"""

import math
import os
import sys
from pathlib import Path

import matplotlib

if "--show" not in sys.argv:
    matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import jaxsnn as snn
from jaxsnn.units import ms, mV, second

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
OUT = Path(__file__).resolve().parents[1] / "out"

snn.seed(1)
n_inputs, repeats = (9, 20) if SMALL else (25, 100)
duration = 0.5 * second if SMALL else 2 * second

# ---- the model --------------------------------------------------------------------------------------

tau, theta, Vr, t_ref, sigma = 20 * ms, 20 * mV, 10 * mV, 2 * ms, 3 * mV
drive = np.linspace(12, 36, n_inputs)

quiet = snn.NeuronGroup(
    n_inputs,
    """
    dv/dt = (mu - v)/tau : volt (unless refractory)
    mu : volt (constant)
    """,
    threshold="v > theta",
    reset="v = Vr",
    refractory=t_ref,
    method="exact",
)
quiet.mu = drive * mV
quiet.v = "Vr"

noisy = snn.NeuronGroup(
    n_inputs * repeats,
    """
    dv/dt = (mu - v + sigma*sqrt(tau)*xi)/tau : volt (unless refractory)
    mu : volt (constant)
    """,
    threshold="v > theta",
    reset="v = Vr",
    refractory=t_ref,
    method="euler",
)
noisy.mu = np.repeat(drive, repeats) * mV
noisy.v = "Vr"

quiet_spikes = snn.SpikeMonitor(quiet)
noisy_spikes = snn.SpikeMonitor(noisy, record=False)
net = snn.Network(quiet, noisy, quiet_spikes, noisy_spikes)
net.run(0.1 * second)  # forget the start
before = noisy_spikes.count
net.run(duration)

# ---- closed forms -----------------------------------------------------------------------------------


def rate_without_noise(mu: float, dt: float = 0.0) -> float:
    """Hz, for a mean in mV; in steps of dt second, if given."""
    if mu <= theta / mV:
        return 0.0
    climb = tau / second * math.log((mu - Vr / mV) / (mu - theta / mV))
    interval = (math.ceil(climb / dt) - 1) * dt if dt else climb
    return 1 / (t_ref / second + interval)


def rate_with_noise(mu: float, dt: float = 0.0) -> float:
    """Hz, for a mean in mV; in steps of dt second, if given."""
    s = sigma / mV
    shift = 0.5826 * s * math.sqrt(dt / (tau / second))
    u = np.linspace((Vr / mV - mu) / s, (theta / mV + shift - mu) / s, 1001)
    f = np.exp(u**2) * np.array([math.erfc(-x) for x in u])
    integral = float(((f[1:] + f[:-1]) / 2).sum() * (u[1] - u[0]))
    return 1 / (t_ref / second - dt + tau / second * math.sqrt(math.pi) * integral)


# The rate of a regular neuron is read from its intervals: a count would be off by up to one spike.
trains = quiet_spikes.spike_trains()
measured_quiet = np.array(
    [1 / np.diff(trains[k] / second).mean() if len(trains[k]) > 2 else 0.0 for k in range(n_inputs)]
)
counts = (noisy_spikes.count - before).reshape(n_inputs, repeats)
measured_noisy = counts.mean(1) / (duration / second)
error_bar = counts.std(1) / math.sqrt(repeats) / (duration / second)

# ---- numbers ----------------------------------------------------------------------------------------

dt = net.dt / second
theory_quiet = np.array([rate_without_noise(mu, dt) for mu in drive])
theory_noisy = np.array([rate_with_noise(mu, dt) for mu in drive])
print("rates in Hz        without noise           with noise")
print("  mu (mV)   measured   in steps    measured        in steps")
for k in range(0, n_inputs, max(1, n_inputs // 8)):
    print(
        f"  {drive[k]:7.1f} {measured_quiet[k]:10.2f} {theory_quiet[k]:10.2f}"
        f" {measured_noisy[k]:11.2f} +- {error_bar[k]:4.2f} {theory_noisy[k]:8.2f}"
    )
firing = measured_quiet > 0
worst = float(np.max(np.abs(measured_quiet[firing] / theory_quiet[firing] - 1)))
print(f"largest deviation without noise: {100 * worst:.4f} %")
# Where no neuron of a row fired, the error is that of one spike.
surprise = (measured_noisy - theory_noisy) / np.maximum(error_bar, 1 / (repeats * duration / second))
print(f"deviations with noise in standard errors: {np.sqrt(np.mean(surprise**2)):.2f} (root mean square)")

# ---- figure -----------------------------------------------------------------------------------------

fine = np.linspace(drive[0], drive[-1], 300)
fig, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
axes.plot(fine, [rate_without_noise(mu) for mu in fine], color="#D55E00", linewidth=1, label="closed form")
axes.plot(drive, measured_quiet, "o", color="#D55E00", markersize=4, label="simulated, no noise")
axes.plot(fine, [rate_with_noise(mu) for mu in fine], color="#0072B2", linewidth=1, label="Siegert's formula")
axes.plot(
    fine, [rate_with_noise(mu, dt) for mu in fine], "--", color="#0072B2", linewidth=1, label="... in steps of dt"
)
axes.errorbar(
    drive,
    measured_noisy,
    error_bar,
    fmt="s",
    color="#0072B2",
    markersize=4,
    label=f"simulated, sigma = {sigma / mV:g} mV",
)
axes.axvline(theta / mV, color="0.7", linewidth=0.8, linestyle=":")
axes.set(xlabel="mean input mu (mV)", ylabel="firing rate (Hz)", ylim=(0, None))
axes.set_title("f-I curve; dotted: the threshold")
axes.legend(frameon=False)
OUT.mkdir(exist_ok=True)
fig.savefig(OUT / "fi_curve.png", dpi=120)
print(f"figure: {OUT / 'fi_curve.png'}")
if "--show" in sys.argv:
    plt.show()
