"""Integrate-and-fire neurons with one variable: leaky, quadratic and exponential."""

from __future__ import annotations

from jaxsnn.citation import Citation
from jaxsnn.models.model import Model
from jaxsnn.units import ms, mV, nS, pA, pF

__all__ = ["EIF", "LIF", "QIF"]

LIF = Model(
    name="leaky integrate-and-fire",
    equations="""
    dv/dt = (g_L*(E_L - v) + I)/C : volt (unless refractory)
    I : amp
    """,
    threshold="v > V_T",
    reset="v = V_r",
    refractory="t_ref",
    # Conductance synapses make it nonlinear in v and g together, though not in v alone.
    method=("exact", "exponential_euler"),
    values={"C": 200 * pF, "g_L": 10 * nS, "E_L": -60 * mV, "V_T": -50 * mV, "V_r": -60 * mV, "t_ref": 5 * ms},
    initial={"v": "E_L", "I": 0 * pA},
    citation=Citation(
        "L. Lapicque", 1907, "J. Physiol. Pathol. Gen. 9: 620-635 (translated in Biol. Cybern. 97: 341-349)",
        "10.1007/s00422-007-0189-6",
    ),
    values_from=Citation(
        "T. P. Vogels and L. F. Abbott", 2005, "J. Neurosci. 25: 10786-10795", "10.1523/JNEUROSCI.3508-05.2005"
    ),
)  # fmt: skip
"""``C dv/dt = g_L (E_L - v) + I``. Fires from ``I = g_L (V_T - E_L)`` (100 pA) on, with the rate
``1/(t_ref + tau log((V_inf - V_r)/(V_inf - V_T)))``, ``tau = C/g_L`` and ``V_inf = E_L + I/g_L``."""

QIF = Model(
    name="quadratic integrate-and-fire",
    equations="""
    dv/dt = (g_L*(v - E_L)*(v - V_T)/(V_T - E_L) + I)/C : volt
    I : amp
    """,
    threshold="v > V_peak",
    reset="v = V_r",
    method="rk4",
    values={"C": 100 * pF, "g_L": 10 * nS, "E_L": -65 * mV, "V_T": -50 * mV, "V_peak": 20 * mV, "V_r": -70 * mV},
    initial={"v": "E_L", "I": 0 * pA},
    citation=Citation(
        "P. E. Latham, B. J. Richmond, P. G. Nelson and S. Nirenberg", 2000, "J. Neurophysiol. 83: 808-827",
        "10.1152/jn.2000.83.2.808",
    ),
)  # fmt: skip
"""``C dv/dt = g_L (v - E_L)(v - V_T)/(V_T - E_L) + I``: the normal form of a neuron that begins to fire at rate
zero, from ``I = g_L (V_T - E_L)/4`` (37.5 pA) on. ``E_L`` is the resting potential, ``V_T`` the potential from which an
undriven neuron runs away, ``V_peak`` where a spike is cut off. The values are typical ones, not a fit of the paper."""

EIF = Model(
    name="exponential integrate-and-fire",
    equations="""
    dv/dt = (g_L*(E_L - v) + g_L*Delta_T*exp((v - V_T)/Delta_T) + I)/C : volt (unless refractory)
    I : amp
    """,
    # From there to infinity takes less than 0.1 ms.
    threshold="v > V_T + 5*Delta_T",
    reset="v = V_r",
    refractory="t_ref",
    method="euler",
    # The densities of the source (1 uF/cm^2, 0.1 mS/cm^2) on 10,000 um^2 of membrane.
    values={
        "C": 100 * pF, "g_L": 10 * nS, "E_L": -65 * mV, "V_T": -59.9 * mV, "Delta_T": 3.48 * mV,
        "V_r": -68 * mV, "t_ref": 1.7 * ms,
    },
    initial={"v": "E_L", "I": 0 * pA},
    citation=Citation(
        "N. Fourcaud-Trocmé, D. Hansel, C. van Vreeswijk and N. Brunel", 2003, "J. Neurosci. 23: 11628-11640",
        "10.1523/JNEUROSCI.23-37-11628.2003",
    ),
)  # fmt: skip
"""``C dv/dt = g_L (E_L - v) + g_L Delta_T exp((v - V_T)/Delta_T) + I``: the upstroke of a spike is an exponential
of sharpness ``1/Delta_T``. Fires from ``I = g_L (V_T - E_L - Delta_T)`` (16 pA) on."""
