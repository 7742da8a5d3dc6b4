"""Figure 2: what one plastic pathway learns from a slower one beside it, in theory and measured in a network.

What it shows: plastic synapses of rate neurons (the rate version of pair STDP), coupling with a continuous delay, and
all settings in one call of `jax.vmap`. The change of the direct weights W is eta (A W + B V), where V are the indirect
weights, which act 5 ms later: for B > 0 the pathway copies them until it rests at -B/A V.
Model: M. W. H. Remme et al. (2021), doi:10.1371/journal.pcbi.1009681, Figure 2 and the theory beside it; the integrals
and their closed forms are in theory.py. The article draws the integrals and simulates nothing here. It does not give
the time constants of the drawing; those of the panels are ours (window: 20 ms, A_minus = 1.05 A_plus).

Panels. A to C: the window L (grey), the correlation g of both pathways shifted by the delay D (black) and their
product, whose area is B: positive for fast activity, negative for activity that changes more slowly than the window,
nearly nothing for a delay beyond the window. D: B against the correlation time (lines: closed form; dots: measured);
dotted: where B = 0 for D = 5 ms. E: B against the delay, negative where the indirect pathway is the earlier one.
F: each direct weight after learning against its indirect one (line: closed form); inset: the slope of that in time
(dashed: closed form).

How it was checked: closed forms and quadrature agree to 1e-10. For five settings the measured B is within 3.0 % of its
closed form (within 3.8 % of the sum in steps of 0.5 ms) and negative for slow activity. W reaches 0.730 V, where the
closed form says 0.755 and its sum in steps 0.726, and correlates 0.989 with V.
How long it takes: 36 s of processor time on a CPU with 2 cores, imports and compilation included.

    python examples/consolidation/figure2.py             # 600 s of activity
    python examples/consolidation/figure2.py --small     # 60 s (also with JAXSNN_EXAMPLE_SMALL=1)
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
from theory import Pathways, Window, longest_correlation

import jaxsnn as snn
from jaxsnn.units import Hz, ms, second

SMALL = "--small" in sys.argv or bool(os.environ.get("JAXSNN_EXAMPLE_SMALL"))
OUT = Path(__file__).resolve().parents[2] / "out" / "consolidation"

snn.seed(1)
N = 12
dt, duration = 0.5 * ms, (60 if SMALL else 600) * second
T = float(duration / second)

# Delay and correlation time in ms. In the last setting depression is stronger, for a fixed point within reach, and
# learning so fast that it gets there: three time constants 1/(eta abs(A)) in the run.
measured = [Pathways(delay=d, tau_c=c) for d, c in ((5, 10), (20, 10), (5, 50), (60, 10), (5, 500))]
copying = Pathways(20, 10, Window(A_minus=2.0))
settings = [*measured, copying]
slow, fast = 1e-3 / T, 3 / (T * -copying.A)  # eta per s of activity and ms of A or B
etas = [slow] * len(measured) + [fast]

# ---- the model --------------------------------------------------------------------------------------

# Order in a step: the sums, which make y out of the x of this step; the traces, which take both; then the weights. The
# next x is drawn in the end.
inputs = snn.NeuronGroup(
    N,
    """
    dtrace/dt = (x - trace)/tau_s : 1
    x : 1
    """,
    method="exact",
    order=1,
    namespace={"tau_s": 20 * ms, "tau_c": 10 * ms},
)
inputs.x = "randn()"  # exact steps of an Ornstein-Uhlenbeck process: rates relative to their mean
inputs.run_regularly("x = exp(-dt/tau_c)*x + sqrt(1 - exp(-2*dt/tau_c))*randn()", when="end")

outputs = snn.NeuronGroup(
    N,
    """
    dtrace/dt = (y - trace)/tau_s : 1
    y = direct + indirect : 1
    direct : 1
    indirect : 1
    """,
    method="exact",
    order=1,
    namespace={"tau_s": 20 * ms},
)

plastic = snn.Synapses(
    inputs,
    outputs,
    """
    dw/dt = eta*tau_s*(A_plus*y_post*trace_pre - A_minus*trace_post*x_pre) : 1 (clock-driven)
    direct_post = w*x_pre : 1 (summed)
    """,
    method="euler",
    order=2,
    namespace={"eta": 1 * Hz**2, "tau_s": 20 * ms, "A_plus": 1.0, "A_minus": 1.05},
)
plastic.connect()

# The indirect pathway: the same activity, later, through an orthogonal matrix. With it, what two inputs have in common
# by chance cancels in the slope of W over V, which therefore averages over N inputs.
delayed = snn.NeuronGroup(N, "z : 1")
line = snn.Synapses(
    inputs,
    delayed,
    "z_post = delayed(x_pre, D, longest) : 1 (summed)",
    namespace={"D": 5 * ms, "longest": max(p.delay for p in settings) * ms},
)
line.connect(condition="i == j")
indirect = snn.Synapses(delayed, outputs, "v : 1\nindirect_post = v*z_pre : 1 (summed)")
indirect.connect()
V = np.linalg.qr(np.random.default_rng(1).normal(size=(N, N)))[0]
indirect.v = V.ravel()
weights = snn.StateMonitor(plastic, "w", record=True, dt=duration / 50)

net = snn.Network(inputs, outputs, plastic, delayed, line, indirect, weights)
sim = net.compile(dt=dt)
params, state = sim.init(jax.random.key(0))


def learn(D: jax.Array, tau_c: jax.Array, A_minus: jax.Array, eta: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The direct weights in the end, shape (N*N,), and fifty times on the way, for one setting (times in s)."""
    changed = params
    for path, value in (("line.D", D), ("inputs.tau_c", tau_c), ("plastic.A_minus", A_minus), ("plastic.eta", eta)):
        changed = sim.put(changed, path, value)
    end, record = sim.run(changed, state, duration)
    return end["plastic"]["w"], record["weights"]["w"]


columns = [(p.delay * 1e-3, p.tau_c * 1e-3, p.window.A_minus, eta * 1e3) for p, eta in zip(settings, etas, strict=True)]
started = time.perf_counter()
ends, course = jax.block_until_ready(jax.jit(jax.vmap(learn))(*jnp.array(columns).T))
elapsed = time.perf_counter() - started
print(f"{len(settings)} networks of {N} + {N} neurons, {duration} each, in {elapsed:.1f} s (compilation included)")


def slope(w: np.ndarray) -> np.ndarray:
    """The factor by which W is V, by least squares; w of shape (..., N*N)."""
    return np.asarray(w) @ V.ravel() / (V**2).sum()


# ---- numbers ----------------------------------------------------------------------------------------

worst = 0.0
for p in [*settings, *(Pathways(d, c) for d in (-20, 5, 100) for c in (10, 20, 500))]:
    A, B = p.quadrature()
    worst = max(worst, abs(A / p.A - 1), abs(B / p.B - 1))
print(f"largest relative difference of closed form and quadrature: {worst:.1e}")

found = slope(ends) / np.array(etas) / T
print("D (ms)  tau_c (ms)   B measured   closed form    in steps     (ms)")
for k, p in enumerate(measured):
    print(f"{p.delay:6.0f} {p.tau_c:10.0f} {found[k]:13.3f} {p.B:13.3f} {p.in_steps(dt / ms)[1]:11.3f}", end="")
    print(f"    {100 * (found[k] / p.B - 1):+.1f} %")
for delay, expected in ((2, 77), (5, 179), (10, 319), (20, 514)):
    print(f"B is 0 for D = {delay} ms at tau_c = {longest_correlation(delay):.0f} ms (expected {expected})")


def factor(seconds: np.ndarray, A: float, B: float) -> np.ndarray:
    """W/V a time after learning began at W = 0, with A and B in ms."""
    return -B / A * (1 - np.exp(A * fast * seconds))


rest = slope(ends[-1])
together = np.corrcoef(np.asarray(ends[-1]), V.ravel())[0, 1]
goal, goal_in_steps = factor(T, copying.A, copying.B), factor(T, *copying.in_steps(dt / ms))
print(f"W copies V: factor {rest:.3f} (closed form {goal:.3f}, in steps {goal_in_steps:.3f})", end="")
print(f", correlation of W and V {together:.3f}")

# ---- figure -----------------------------------------------------------------------------------------

fig, (top, bottom) = plt.subplots(2, 3, figsize=(13, 7.5), layout="constrained")
window = Window()
cases = (("A  fast activity", 5, 10), ("B  slow activity", 5, 500), ("C  long delay", 100, 10))
for axes, (title, delay, tau_c) in zip(top, cases, strict=True):
    lag = np.linspace(-80, 160, 2401)
    g = np.exp(-np.abs(lag - delay) / tau_c)
    product = window(lag) * g
    axes.plot(lag, window(lag), color="0.6", linewidth=1.5, label="window L(s)")
    axes.plot(lag, g, color="k", linewidth=1, label="correlation g(s - D)")
    axes.fill_between(lag, product, where=product > 0, color="#0072B2", alpha=0.5, label="L g > 0")
    axes.fill_between(lag, product, where=product < 0, color="#D55E00", alpha=0.5, label="L g < 0")
    axes.set(xlabel="lag s, output after input (ms)", ylabel="L, g", ylim=(-1.15, 1.15))
    axes.set_title(
        f"{title}: D = {delay} ms, $\\tau_c$ = {tau_c} ms, B = {Pathways(delay, tau_c).B:.2f} ms", fontsize=10
    )
top[0].legend(frameon=False, fontsize=8, loc="lower right")

left, middle, right = bottom
times = np.geomspace(2, 2000, 300)
for delay, colour in ((2, "#009E73"), (5, "#0072B2"), (20, "#D55E00"), (60, "#CC79A7")):
    left.semilogx(times, [Pathways(delay, c).B for c in times], color=colour, linewidth=1, label=f"D = {delay} ms")
    dots = [(p.tau_c, found[k]) for k, p in enumerate(measured) if p.delay == delay]
    left.plot(*np.reshape(dots, (-1, 2)).T, "o", color=colour, markersize=5)
left.axhline(0, color="0.7", linewidth=0.8, linestyle=":")
left.axvline(longest_correlation(5), color="#0072B2", linewidth=0.8, linestyle=":")
left.set(xlabel=r"correlation time $\tau_c$ (ms)", ylabel="B (ms)", title="D  slow activity is not consolidated")
left.legend(frameon=False, fontsize=8)

delays = np.linspace(-100, 150, 501)
for tau_c, colour in ((10, "#0072B2"), (50, "#D55E00"), (500, "#009E73")):
    curve = [Pathways(d, tau_c).B for d in delays]
    middle.plot(delays, curve, color=colour, linewidth=1, label=f"$\\tau_c$ = {tau_c} ms")
    dots = [(p.delay, found[k]) for k, p in enumerate(measured) if p.tau_c == tau_c]
    middle.plot(*np.reshape(dots, (-1, 2)).T, "o", color=colour, markersize=5)
middle.axhline(0, color="0.7", linewidth=0.8, linestyle=":")
middle.axvline(0, color="0.7", linewidth=0.8, linestyle=":")
middle.set(xlabel="delay D of the indirect pathway (ms)", ylabel="B (ms)", title="E  the later pathway teaches")
middle.legend(frameon=False, fontsize=8)

right.plot(V.ravel(), np.asarray(ends[-1]), ".", color="#0072B2", markersize=3)
reach = np.array([V.min(), V.max()])
right.plot(reach, goal * reach, color="k", linewidth=1)
right.set(xlabel="indirect weight V", ylabel="direct weight W after learning", ylim=(-0.75, 0.55))
right.set_title(f"F  weights are copied; line: W = {goal:.2f} V")
inset = right.inset_axes((0.6, 0.14, 0.37, 0.3))
seconds = np.arange(50) * T / 50
inset.plot(seconds, slope(np.asarray(course[-1]).reshape(50, -1)), color="#0072B2", linewidth=1.5)
inset.plot(seconds, factor(seconds, copying.A, copying.B), "k--", linewidth=1)
inset.set_xlabel("time (s)", fontsize=8)
inset.set_ylabel("W/V", fontsize=8)
inset.tick_params(labelsize=7)

OUT.mkdir(parents=True, exist_ok=True)
fig.savefig(OUT / "figure2.png", dpi=120)
print(f"figure: {OUT / 'figure2.png'}")
if "--show" in sys.argv:
    plt.show()
