"""Plasticity that depends on the voltage of the postsynaptic neuron.

At a presynaptic spike the weight falls by ``A_LTD [v_minus - theta_minus]+``; at all times it grows at the rate
``A_LTP x [v - theta_plus]+ [v_plus - theta_minus]+``, with the trace x of the presynaptic spikes (a rate) and two
low-pass filtered copies of the potential v.
"""

from __future__ import annotations

from jaxsnn.citation import Citation
from jaxsnn.plasticity.rule import PlasticityRule
from jaxsnn.units import ms, mV

__all__ = ["VOLTAGE_STDP"]

# The numbers of visual cortex. The homeostatic factor of A_LTD in the article, the mean square of v - E_L over a
# reference, changes over seconds to minutes; it is left out, which is a fixed A_LTD.
VOLTAGE_STDP = PlasticityRule(
    name="voltage-based STDP",
    equations="""
    dw/dt = clip(growth, -w/dt, (w_max - w)/dt) : 1 (clock-driven)
    growth = A_LTP*x*(v_post - theta_plus)*(v_plus_post - theta_minus)*gate : Hz
    gate = int(v_post > theta_plus)*int(v_plus_post > theta_minus) : 1
    dx/dt = -x/tau_x : Hz (clock-driven)
    """,
    on_pre="""
    w = clip(w - A_LTD*(v_minus_post - theta_minus)*int(v_minus_post > theta_minus), 0, w_max)
    x += 1/tau_x
    """,
    neuron_equations="""
    dv_minus/dt = (v - v_minus)/tau_minus : volt
    dv_plus/dt = (v - v_plus)/tau_plus : volt
    """,
    values={
        "A_LTD": 14e-5 / mV, "A_LTP": 8e-5 / mV**2, "theta_minus": -70.6 * mV, "theta_plus": -45.3 * mV,
        "tau_x": 15 * ms, "tau_minus": 10 * ms, "tau_plus": 7 * ms, "w_max": 1.0,
    },
    initial={"w": "0.5*w_max"},
    bounds={"w": (0, "w_max")},
    method="euler",
    citation=Citation(
        "C. Clopath, L. Büsing, E. Vasilaki, W. Gerstner", 2010, "Nat. Neurosci. 13: 344-352", "10.1038/nn.2479"
    ),
)  # fmt: skip
