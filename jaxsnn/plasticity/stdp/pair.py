"""Spike-timing dependent plasticity of pairs of spikes.

``Apre`` and ``Apost`` are traces of the spikes of both neurons. With one spike of each, dt = t_post - t_pre:
w changes by ``A_plus exp(-dt/tau_plus)`` for dt >= 0 and by ``-A_minus exp(dt/tau_minus)`` for dt < 0 (times w_max, or
times the rule's factor of w). Spikes of both neurons in the same step: first the presynaptic one, so they potentiate.
"""

from __future__ import annotations

from dataclasses import replace

from jaxsnn.citation import Citation
from jaxsnn.plasticity.rule import PlasticityRule
from jaxsnn.units import ms, psiemens

__all__ = ["STDP", "STDP_MULTIPLICATIVE", "STDP_NEAREST", "STDP_POWER"]

_TRACES = """
w : 1
dApre/dt = -Apre/tau_plus : 1 (event-driven)
dApost/dt = -Apost/tau_minus : 1 (event-driven)
"""

_SONG = Citation("S. Song, K. D. Miller, L. F. Abbott", 2000, "Nat. Neurosci. 3: 919-926", "10.1038/78829")

STDP = PlasticityRule(
    name="additive STDP",
    equations=_TRACES,
    on_pre="""
    Apre += A_plus
    w = clip(w - w_max*Apost, 0, w_max)
    """,
    on_post="""
    Apost += A_minus
    w = clip(w + w_max*Apre, 0, w_max)
    """,
    values={"tau_plus": 20 * ms, "tau_minus": 20 * ms, "A_plus": 0.005, "A_minus": 0.00525, "w_max": 1.0},
    initial={"w": "0.5*w_max"},
    bounds={"w": (0, "w_max")},
    citation=_SONG,
)

# Each spike pairs with the nearest earlier spike of the other neuron only: a spike sets its trace.
STDP_NEAREST = replace(
    STDP,
    name="additive STDP, nearest spikes",
    on_pre=str(STDP.on_pre).replace("Apre += ", "Apre = "),
    on_post=STDP.on_post.replace("Apost += ", "Apost = "),
    citation=Citation(
        "A. Morrison, M. Diesmann, W. Gerstner", 2008, "Biol. Cybern. 98: 459-478", "10.1007/s00422-008-0233-1"
    ),
    values_from=_SONG,
)

# Potentiation does not depend on the weight, depression is proportional to it: a stable distribution with one peak.
STDP_MULTIPLICATIVE = PlasticityRule(
    name="multiplicative STDP",
    equations=_TRACES.replace("w : 1", "w : siemens"),
    on_pre="""
    Apre += 1
    w -= c_d*w*Apost
    """,
    on_post="""
    Apost += 1
    w += c_p*Apre
    """,
    values={"tau_plus": 20 * ms, "tau_minus": 20 * ms, "c_p": 1 * psiemens, "c_d": 0.003},
    initial={"w": "c_p/c_d"},
    bounds={"w": (0, None)},
    citation=Citation(
        "M. C. W. van Rossum, G. Q. Bi, G. G. Turrigiano",
        2000,
        "J. Neurosci. 20: 8812-8821",
        "10.1523/JNEUROSCI.20-23-08812.2000",
    ),
)

# mu = 0 is additive, mu = 1 multiplicative; the value between them here is an example.
STDP_POWER = PlasticityRule(
    name="STDP with a power of the weight",
    equations=_TRACES,
    on_pre="""
    Apre += 1
    w = clip(w - eta*alpha*w**mu*Apost, 0, 1)
    """,
    on_post="""
    Apost += 1
    w = clip(w + eta*(1 - w)**mu*Apre, 0, 1)
    """,
    values={"tau_plus": 20 * ms, "tau_minus": 20 * ms, "eta": 0.005, "alpha": 1.05, "mu": 0.1},
    initial={"w": 0.5},
    bounds={"w": (0, 1)},
    citation=Citation(
        "R. Gütig, R. Aharonov, S. Rotter, H. Sompolinsky",
        2003,
        "J. Neurosci. 23: 3697-3714",
        "10.1523/JNEUROSCI.23-09-03697.2003",
    ),
    values_from=_SONG,
)
