"""Random models: equations, thresholds, resets, refractoriness and synapses put together by a seeded generator."""

import jaxsnn as snn
from jaxsnn.units import ms

N = 3
TERMS = (
    "0.3*sin(2*{x})",
    "0.2*tanh({x})",
    "-0.1*{x}**3",
    "0.1*exp(-{x}**2)",
    "0.2*exprel(-{x})",
    "0.3*sqrt(abs({x}))",
    "0.2/(1 + {x}**2)",
    "where({x} > 0.3, 0.2*log(1 + abs({x})), 0.1)",
    "0.2*clip({x}, 0.1, 0.6)",
    "0.1*log1p({x}*{x})",
    "-0.2*minimum({x}, 0.5)",
)
THRESHOLDS = (
    "v > th",
    "v >= th and a < 9",
    "v > th or a > 2*th",
    "not (v <= th)",
    "v - 0.2*a > th",
    "v > th and t > 0.3*ms",
    "v > th + 0.05*randn()",
)
RESETS = ("v = 0", "v -= th", "v = -0.1\na += 0.2", "v *= 0.3", "v = 0.1*a", "v = 0.2*rand()\na -= 0.1")
REFRACTORY = (False, 0.5 * ms, "0.3*ms + 0.2*ms*a**2", "v > 0.7*th")
ON_PRE = (
    "v_post += w",
    "v_post += w*(2 - v_post)",
    "a_post += w*v_pre",
    "v_post += w\na_pre -= 0.1*w",
    "v_post *= 1 + w",
    "a_post = w",
    "v_post += w\nw = clip(w + 0.02, 0, 0.7)",
    "v_post += w*x\nx += 0.2*(1 - x)",
)
DELAYS = (None, 0.4 * ms, "i*0.2*ms")
METHODS = ("euler", "rk2", "rk4")


def model(rng):
    """A group with synapses onto itself."""

    def any_of(options):
        return options[rng.integers(len(options))]

    def term(x):
        return any_of(TERMS).format(x=x)

    refractory = any_of(REFRACTORY)
    flag = " (unless refractory)" if refractory is not False and rng.random() < 0.7 else ""
    noise = " + 0.2*xi/sqrt(tau)" if rng.random() < 0.2 else ""
    method = "euler" if noise else any_of(METHODS)
    equations = f"""
    dv/dt = (I - v + {term("a")} + {term("v")})/tau{noise} : 1{flag}
    da/dt = ({term("v")} - b*a)/taua : 1
    I : 1 (constant)
    b : 1 (constant)
    """
    group = snn.NeuronGroup(
        N,
        equations,
        threshold=any_of(THRESHOLDS),
        reset=any_of(RESETS),
        refractory=refractory,
        method=method,
        namespace={"tau": rng.uniform(2, 8) * ms, "taua": rng.uniform(2, 8) * ms, "th": rng.uniform(0.6, 1.1)},
    )
    group.I, group.b = rng.uniform(0.8, 1.8, N), rng.uniform(0.5, 1.5, N)
    group.v, group.a = rng.uniform(0.05, 0.9, N), rng.uniform(0.05, 0.5, N)
    synapses = snn.Synapses(
        group, group, "w : 1\ndx/dt = -x/taux : 1 (event-driven)", on_pre=any_of(ON_PRE), namespace={"taux": 4 * ms}
    )
    synapses.connect(condition="i != j")
    synapses.w = rng.uniform(0.05, 0.3, len(synapses))
    synapses.x = rng.uniform(0.2, 0.8, len(synapses))
    delay = any_of(DELAYS)
    if delay is not None:
        synapses.delay = delay
    return group, synapses, snn.StateMonitor(group, ["v", "a"], record=True), snn.SpikeMonitor(group)
