"""Symmetric spike-timing dependent plasticity of inhibitory synapses, which holds the rate of the target.

Spikes near each other in time, in either order, strengthen the synapse, and every presynaptic spike weakens it a
little. For neurons that fire independently the weight stands still on average where the target's rate is rho_0.
"""

from __future__ import annotations

from jaxsnn.citation import Citation
from jaxsnn.plasticity.rule import PlasticityRule
from jaxsnn.units import Hz, ms

__all__ = ["INHIBITORY_STDP"]

# The speed eta, the target rate and the bound depend on the network; these are examples.
INHIBITORY_STDP = PlasticityRule(
    name="inhibitory STDP",
    equations="""
    w : 1
    dApre/dt = -Apre/tau_stdp : 1 (event-driven)
    dApost/dt = -Apost/tau_stdp : 1 (event-driven)
    """,
    on_pre="""
    Apre += 1
    w = clip(w + eta*(Apost - 2*rho_0*tau_stdp), 0, w_max)
    """,
    on_post="""
    Apost += 1
    w = clip(w + eta*Apre, 0, w_max)
    """,
    values={"tau_stdp": 20 * ms, "rho_0": 5 * Hz, "eta": 0.01, "w_max": 10.0},
    initial={"w": 0.0},
    bounds={"w": (0, "w_max")},
    citation=Citation(
        "T. P. Vogels, H. Sprekeler, F. Zenke, C. Clopath, W. Gerstner",
        2011,
        "Science 334: 1569-1573",
        "10.1126/science.1211095",
    ),
)
