"""Conductance-based point neurons with the sodium and potassium currents of Hodgkin and Huxley.

The rates of the sources have the form ``r x/(exp(x/s) - 1)``, which is 0/0 at ``x = 0``; it is written here as
``r s/exprel(x/s)``, the same function without the hole.
"""

from __future__ import annotations

from jaxsnn.citation import Citation
from jaxsnn.models.model import Model
from jaxsnn.units import cm2, mS, ms, mV, pA, uF, um2

__all__ = ["HODGKIN_HUXLEY", "TRAUB_MILES"]

_AREA = 20000 * um2

TRAUB_MILES = Model(
    name="Hodgkin-Huxley, Traub-Miles",
    equations="""
    dv/dt = (g_L*(E_L - v) + g_Na*m**3*h*(E_Na - v) + g_K*n**4*(E_K - v) + I)/C : volt
    dm/dt = alpha_m*(1 - m) - beta_m*m : 1
    dh/dt = alpha_h*(1 - h) - beta_h*h : 1
    dn/dt = alpha_n*(1 - n) - beta_n*n : 1
    alpha_m = 1.28/exprel((13*mV - v + V_T)/(4*mV))/ms : Hz
    beta_m = 1.4/exprel((v - V_T - 40*mV)/(5*mV))/ms : Hz
    alpha_h = 0.128*exp((17*mV - v + V_T)/(18*mV))/ms : Hz
    beta_h = 4/(1 + exp((40*mV - v + V_T)/(5*mV)))/ms : Hz
    alpha_n = 0.16/exprel((15*mV - v + V_T)/(5*mV))/ms : Hz
    beta_n = 0.5*exp((10*mV - v + V_T)/(40*mV))/ms : Hz
    I : amp
    """,
    threshold="v > V_spike",
    reset="",
    # Longer than a spike, so that each is counted once.
    refractory="t_ref",
    method="exponential_euler",
    values={
        "C": 1 * uF / cm2 * _AREA, "g_L": 0.05 * mS / cm2 * _AREA, "g_Na": 100 * mS / cm2 * _AREA,
        "g_K": 30 * mS / cm2 * _AREA, "E_L": -60 * mV, "E_Na": 50 * mV, "E_K": -90 * mV, "V_T": -63 * mV,
        "V_spike": -20 * mV, "t_ref": 3 * ms,
    },
    initial={
        "v": "E_L", "m": "alpha_m/(alpha_m + beta_m)", "h": "alpha_h/(alpha_h + beta_h)",
        "n": "alpha_n/(alpha_n + beta_n)", "I": 0 * pA,
    },
    citation=Citation(
        "R. D. Traub and R. Miles", 1991, "Neuronal Networks of the Hippocampus, Cambridge University Press",
        "10.1017/CBO9780511895401",
    ),
    values_from=Citation("R. Brette et al.", 2007, "J. Comput. Neurosci. 23: 349-398", "10.1007/s10827-007-0038-6"),
)  # fmt: skip
"""A cell of the hippocampus reduced to its fast currents; ``V_T`` shifts all the rates. The cell of the COBAHH
benchmark: 1 µF/cm² on 20,000 µm². With these values it fires slowly (about 28 Hz) without any current."""

HODGKIN_HUXLEY = Model(
    name="Hodgkin-Huxley",
    equations="""
    dv/dt = (g_L*(E_L - v) + g_Na*m**3*h*(E_Na - v) + g_K*n**4*(E_K - v) + I)/C : volt
    dm/dt = alpha_m*(1 - m) - beta_m*m : 1
    dh/dt = alpha_h*(1 - h) - beta_h*h : 1
    dn/dt = alpha_n*(1 - n) - beta_n*n : 1
    alpha_m = 1/exprel((25*mV - v + V_rest)/(10*mV))/ms : Hz
    beta_m = 4*exp((V_rest - v)/(18*mV))/ms : Hz
    alpha_h = 0.07*exp((V_rest - v)/(20*mV))/ms : Hz
    beta_h = 1/(1 + exp((30*mV - v + V_rest)/(10*mV)))/ms : Hz
    alpha_n = 0.1/exprel((10*mV - v + V_rest)/(10*mV))/ms : Hz
    beta_n = 0.125*exp((V_rest - v)/(80*mV))/ms : Hz
    I : amp
    """,
    threshold="v > V_spike",
    reset="",
    refractory="t_ref",
    method="exponential_euler",
    # The source counts potentials from rest; here the rest is at -65 mV. Densities on 20,000 um^2 of membrane.
    values={
        "C": 1 * uF / cm2 * _AREA, "g_L": 0.3 * mS / cm2 * _AREA, "g_Na": 120 * mS / cm2 * _AREA,
        "g_K": 36 * mS / cm2 * _AREA, "E_L": -54.387 * mV, "E_Na": 50 * mV, "E_K": -77 * mV, "V_rest": -65 * mV,
        "V_spike": -20 * mV, "t_ref": 3 * ms,
    },
    initial={
        "v": "V_rest", "m": "alpha_m/(alpha_m + beta_m)", "h": "alpha_h/(alpha_h + beta_h)",
        "n": "alpha_n/(alpha_n + beta_n)", "I": 0 * pA,
    },
    citation=Citation(
        "A. L. Hodgkin and A. F. Huxley", 1952, "J. Physiol. 117: 500-544", "10.1113/jphysiol.1952.sp004764"
    ),
)  # fmt: skip
"""The axon of the squid, at 6.3 °C."""
