"""Two stochastic equations with known solutions: a damped oscillator driven by noise, and multiplicative noise.

What it shows: two coupled variables with ``xi``; the choice of a scheme for multiplicative noise.

* dx/dt = y, dy/dt = -w0**2 x - 2 g y + s xi has the variances s**2/(4 g w0**2) and s**2/(4 g), and the spectrum
  2 s**2 / |w0**2 - w**2 + 2 i g w|**2 (one-sided). Euler's scheme in steps dt takes dt w0**2/2 off the damping g, so
  dt is small here, and the closed forms are given for both values of g.
* dz/dt = k z xi, read as Stratonovich's, is solved by z = exp(k W): log z is normal with mean 0 and variance k**2 t.
  ``heun`` and ``milstein`` integrate it; ``euler`` refuses, because it would solve another equation (Ito's).

How it was checked: variance of x 4.029 +- 0.024 mV^2 (closed form in steps 4.043), spectrum 1.01 +- 0.02 times the
closed form from 5 to 60 Hz; log z: mean 0.002, variance 2.226, where 0 +- 0.017 and 2.250 +- 0.036 are expected.
How long it takes: 17 s of processor time on a CPU with 2 cores, imports and compilation included.

    python examples/noisy_oscillation.py             # 2,000 oscillators, 1 s in steps of 0.02 ms
    python examples/noisy_oscillation.py --small     # 200 oscillators, 0.4 s in steps of 0.1 ms
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
from jaxsnn.units import Hz, ms, mV, second

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
OUT = Path(__file__).resolve().parents[1] / "out"

snn.seed(1)
n = 200 if SMALL else 2000
dt = 0.1 * ms if SMALL else 0.02 * ms
duration = 0.4 * second if SMALL else 1 * second

# ---- the models -------------------------------------------------------------------------------------

w0 = 2 * math.pi * 20 * Hz
g = 15 * Hz
s = 2 * mV * w0 * (4 * g) ** 0.5  # so that x has the standard deviation 2 mV
oscillator = snn.NeuronGroup(
    n,
    """
    dx/dt = y : volt
    dy/dt = -w0**2*x - 2*g*y + s*xi : volt/second
    """,
    method="euler",
)
# Start in the stationary state: nothing has to settle.
oscillator.x = "s/(2*w0*sqrt(g))*randn()"
oscillator.y = "s/(2*sqrt(g))*randn()"

k = 1.5 * Hz**0.5
growth = snn.NeuronGroup(4 * n, "dz/dt = k*z*xi : 1", method="heun")
growth.z = 1

paths = snn.StateMonitor(oscillator, ["x", "y"], dt=1 * ms)
few = snn.StateMonitor(growth, "z", record=range(5), dt=1 * ms)
net = snn.Network(oscillator, growth, paths, few, dt=dt)
net.run(duration)

refusal = ""
try:
    wrong = snn.NeuronGroup(1, "dz/dt = k*z*xi : 1", method="euler")
    snn.Network(wrong).run(1 * ms)
except snn.errors.EquationError as error:
    refusal = str(error)

# ---- numbers ----------------------------------------------------------------------------------------

x, y = paths.x / mV, paths.y / (mV / second)
g_euler = g - w0**2 * dt / 2
log_z = np.log(growth.z[:])
expected = float(k**2 * duration)
for name, values, unit, squared in (("x", x, mV, s**2 / w0**2), ("y", y, mV / second, s**2)):
    closed_form, in_steps = (float(squared / (4 * damping) / unit**2) for damping in (g, g_euler))
    # Neighbouring samples are correlated, oscillators are not: they give the error.
    error = (values**2).mean(1).std() / math.sqrt(n)
    print(
        f"variance of {name}: {(values**2).mean():.5g} +- {error:.2g} ({unit})^2,"
        f" closed form {closed_form:.5g}, in Euler's steps {in_steps:.5g}"
    )
print(f"log z at the end: mean {log_z.mean():+.3f} (0), variance {log_z.var():.3f} ({expected:.3f})")
print(f"euler says: {refusal.splitlines()[0] if refusal else 'nothing'}")

sample = 1e-3
frequency = np.fft.rfftfreq(x.shape[1], sample)
window = np.hanning(x.shape[1])
power = (2 * sample / (window**2).sum() * np.abs(np.fft.rfft(x * window, axis=1)) ** 2).mean(0)
omega = 2 * math.pi * frequency
closed = 2 * float(s / (mV * Hz**1.5)) ** 2 / np.abs((w0 / Hz) ** 2 - omega**2 + 2j * (g_euler / Hz) * omega) ** 2
inside = (frequency >= 5) & (frequency <= 60)
ratio = power[inside] / closed[inside]
print(f"spectrum from 5 to 60 Hz: measured / closed form = {ratio.mean():.3f} +- {ratio.std():.3f} over frequencies")

# ---- figure -----------------------------------------------------------------------------------------

fig, ((a, b), (c, d)) = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
a.plot(paths.t / ms, x[0], color="#0072B2", linewidth=0.9)
a.set(xlabel="time (ms)", ylabel="x (mV)", title="one oscillator", xlim=(0, duration / ms))
b.semilogy(frequency[1:], power[1:], color="#0072B2", linewidth=1.2, label="measured")
b.semilogy(frequency[1:], closed[1:], "--", color="#D55E00", linewidth=1.2, label="closed form")
b.set(xlabel="frequency (Hz)", ylabel="power (mV$^2$/Hz)", title="spectrum of x", xlim=(0, 80))
b.set_ylim(closed[frequency <= 80][-1] / 3, closed.max() * 3)
b.legend(frameon=False)
c.plot(few.t / ms, np.log(few.z.T), linewidth=0.9)
c.set(xlabel="time (ms)", ylabel="log z", title="multiplicative noise, five paths", xlim=(0, duration / ms))
edges = np.linspace(-4, 4, 41) * math.sqrt(expected)
d.hist(log_z, edges, density=True, color="#9ab8cc")
d.plot(edges, np.exp(-(edges**2) / (2 * expected)) / math.sqrt(2 * math.pi * expected), color="#D55E00", linewidth=1.2)
d.set(xlabel="log z at the end", ylabel="density", title="line: closed form")
OUT.mkdir(exist_ok=True)
fig.savefig(OUT / "noisy_oscillation.png", dpi=120)
print(f"figure: {OUT / 'noisy_oscillation.png'}")
if "--show" in sys.argv:
    plt.show()
