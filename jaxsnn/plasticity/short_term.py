"""Short-term facilitation and depression.

u is the part of the available resources that a spike uses, x the part that is available. At a spike u jumps by
U (1 - u), then the part ``released`` = u x of all resources is used up; in between u falls to 0 with tau_f and x
recovers to 1 with tau_d. What a spike transmits is proportional to ``released``: ``transmit="g_post += w*released"``.
"""

from __future__ import annotations

from jaxsnn.citation import Citation
from jaxsnn.plasticity.rule import PlasticityRule
from jaxsnn.units import ms

__all__ = ["SHORT_TERM", "SHORT_TERM_DEPRESSION"]

SHORT_TERM = PlasticityRule(
    name="short-term plasticity",
    equations="""
    w : 1
    released : 1
    du/dt = -u/tau_f : 1 (event-driven)
    dx/dt = (1 - x)/tau_d : 1 (event-driven)
    """,
    on_pre="""
    u += U*(1 - u)
    released = u*x
    {transmit}
    x -= released
    """,
    values={"U": 0.03, "tau_f": 530 * ms, "tau_d": 130 * ms},
    initial={"w": 1.0, "x": 1.0},
    bounds={"u": (0, 1), "x": (0, 1)},
    citation=Citation(
        "M. Tsodyks, K. Pawelzik, H. Markram", 1998, "Neural Comput. 10: 821-835", "10.1162/089976698300017502"
    ),
)

# The limit of no facilitation: u jumps to U and is forgotten before the next spike.
SHORT_TERM_DEPRESSION = PlasticityRule(
    name="short-term depression",
    equations="""
    w : 1
    released : 1
    dx/dt = (1 - x)/tau_d : 1 (event-driven)
    """,
    on_pre="""
    released = U*x
    {transmit}
    x -= released
    """,
    values={"U": 0.5, "tau_d": 800 * ms},
    initial={"w": 1.0, "x": 1.0},
    bounds={"x": (0, 1)},
    citation=Citation(
        "M. V. Tsodyks, H. Markram", 1997, "Proc. Natl. Acad. Sci. USA 94: 719-723", "10.1073/pnas.94.2.719"
    ),
    values_from=SHORT_TERM.citation,
)
