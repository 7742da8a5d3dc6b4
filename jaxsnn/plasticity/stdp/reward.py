"""Spike-timing dependent plasticity modulated by reward: eligibility now, change of the weight when dopamine comes.

Pairs of spikes leave an eligibility trace c of about a second; the weight changes at the rate ``c (d + d_0)/tau_w``,
with the dopamine d at the target neuron. A reward raises d: ``Synapses(reward, cells, on_pre="d_post += 0.5")``.
"""

from __future__ import annotations

from jaxsnn.citation import Citation
from jaxsnn.plasticity.rule import PlasticityRule
from jaxsnn.units import ms, second

__all__ = ["REWARD_STDP"]

# The numbers are those of the program that the author published with the article: eligibility and dopamine decay by
# 0.99 each 10 ms and 0.995 each 1 ms, and every 10 ms the weight grows by (0.002 + d) c.
REWARD_STDP = PlasticityRule(
    name="reward-modulated STDP",
    equations="""
    dw/dt = clip(c*(d_post + d_0)/tau_w, -w/dt, (w_max - w)/dt) : 1 (clock-driven)
    dc/dt = -c/tau_c : 1 (clock-driven)
    dApre/dt = -Apre/tau_plus : 1 (event-driven)
    dApost/dt = -Apost/tau_minus : 1 (event-driven)
    """,
    on_pre="""
    Apre += A_plus
    c -= Apost
    """,
    on_post="""
    Apost += A_minus
    c += Apre
    """,
    neuron_equations="dd/dt = -d/tau_d : 1",
    values={
        "tau_plus": 20 * ms, "tau_minus": 20 * ms, "A_plus": 0.1, "A_minus": 0.12,
        "tau_c": 1 * second, "tau_d": 0.2 * second, "d_0": 0.002, "tau_w": 10 * ms, "w_max": 4.0,
    },
    initial={"w": 1.0},
    bounds={"w": (0, "w_max")},
    method="euler",
    citation=Citation("E. M. Izhikevich", 2007, "Cereb. Cortex 17: 2443-2452", "10.1093/cercor/bhl152"),
)  # fmt: skip
