"""Neurons with one variable for the potential and one for its recovery: AdEx and Izhikevich's models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxsnn.citation import Citation
from jaxsnn.models.model import Model
from jaxsnn.units import ms, mV, nS, pA, pF, second, volt

__all__ = ["ADEX", "IZHIKEVICH", "IZHIKEVICH_2007", "IZHIKEVICH_UNITS"]


def _adex(C: float, g_L: float, E_L: float, a: float, tau_w: float, b: float, V_r: float, I: float) -> dict[str, Any]:
    """One row of table 1 of Naud et al., in pF, nS, mV, nS, ms, pA, mV and pA."""
    return {
        "C": C * pF, "g_L": g_L * nS, "E_L": E_L * mV, "V_T": -50 * mV, "Delta_T": 2 * mV,
        "a": a * nS, "tau_w": tau_w * ms, "b": b * pA, "V_r": V_r * mV, "I": I * pA,
    }  # fmt: skip


ADEX = Model(
    name="adaptive exponential integrate-and-fire",
    equations="""
    dv/dt = (g_L*(E_L - v) + g_L*Delta_T*exp((v - V_T)/Delta_T) - w + I)/C : volt
    dw/dt = (a*(v - E_L) - w)/tau_w : amp
    I : amp
    """,
    # From there to the peak of the spike takes less than 0.1 ms.
    threshold="v > V_T + 5*Delta_T",
    reset="""
    v = V_r
    w += b
    """,
    method="euler",
    values={
        "C": 281 * pF, "g_L": 30 * nS, "E_L": -70.6 * mV, "V_T": -50.4 * mV, "Delta_T": 2 * mV,
        "a": 4 * nS, "tau_w": 144 * ms, "b": 80.5 * pA, "V_r": -70.6 * mV,
    },
    initial={"v": "E_L", "w": 0 * pA, "I": 0 * pA},
    citation=Citation("R. Brette and W. Gerstner", 2005, "J. Neurophysiol. 94: 3637-3642", "10.1152/jn.00686.2005"),
    # R. Naud, N. Marcille, C. Clopath and W. Gerstner (2008), Biol. Cybern. 99: 335-347, table 1,
    # doi:10.1007/s00422-008-0264-7
    patterns={
        #                                  C  g_L  E_L    a tau_w   b  V_r    I
        "tonic spiking":            _adex(200, 10, -70,   2,  30,   0, -58, 500),
        "adaptation":               _adex(200, 12, -70,   2, 300,  60, -58, 500),
        "initial burst":            _adex(130, 18, -58,   4, 150, 120, -50, 400),
        "regular bursting":         _adex(200, 10, -58,   2, 120, 100, -46, 210),
        "delayed accelerating":     _adex(200, 12, -70, -10, 300,   0, -58, 300),
        "delayed regular bursting": _adex(100, 10, -65, -10,  90,  30, -47, 110),
        "transient spiking":        _adex(100, 10, -65,  10,  90, 100, -47, 180),
        "irregular spiking":        _adex(100, 12, -60, -11, 130,  30, -48, 160),
    },
)  # fmt: skip
"""``C dv/dt = g_L (E_L - v) + g_L Delta_T exp((v - V_T)/Delta_T) - w + I``, ``tau_w dw/dt = a (v - E_L) - w``, with
``w`` increased by ``b`` at every spike."""

_IZHIKEVICH_2003 = Citation(
    "E. M. Izhikevich", 2003, "IEEE Trans. Neural Netw. 14: 1569-1572", "10.1109/TNN.2003.820440"
)
# Figure 2 of the source: a, b, c, d.
_KINDS = {
    "regular spiking": (0.02, 0.2, -65, 8),
    "intrinsically bursting": (0.02, 0.2, -55, 4),
    "chattering": (0.02, 0.2, -50, 2),
    "fast spiking": (0.1, 0.2, -65, 2),
}
_DRIVE = 10.0


def _kinds(scale: tuple[Any, Any, Any, Any], drive: Any) -> dict[str, Mapping[str, Any]]:
    """The table of kinds in other units, with an injected current that makes each fire."""
    return {
        kind: {**{name: x * s for name, x, s in zip("abcd", row, scale, strict=True)}, "I": drive}
        for kind, row in _KINDS.items()
    }


_RESET = """
    v = c
    u += d
    """

IZHIKEVICH = Model(
    name="Izhikevich",
    equations="""
    dv/dt = (0.04*v**2 + 5*v + 140 - u + I)/ms : 1
    du/dt = a*(b*v - u)/ms : 1
    I : 1
    """,
    threshold="v >= 30",
    reset=_RESET,
    method="euler",
    values={"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0},
    # The point of rest without current.
    initial={"v": -70.0, "u": "b*v", "I": 0.0},
    citation=_IZHIKEVICH_2003,
    patterns=_kinds((1.0, 1.0, 1.0, 1.0), _DRIVE),
)
"""``dv/dt = 0.04 v^2 + 5 v + 140 - u + I``, ``du/dt = a (b v - u)``, as printed: numbers that stand for mV and ms."""

IZHIKEVICH_UNITS = Model(
    name="Izhikevich with units",
    equations="""
    dv/dt = (0.04/mV)*v**2/ms + 5*v/ms + 140*mV/ms - u + I : volt
    du/dt = a*(b*v - u) : volt/second
    I : volt/second
    """,
    threshold="v >= 30*mV",
    reset=_RESET,
    method="euler",
    values={"a": 0.02 / ms, "b": 0.2 / ms, "c": -65 * mV, "d": 8 * mV / ms},
    initial={"v": -70 * mV, "u": "b*v", "I": 0 * volt / second},
    citation=_IZHIKEVICH_2003,
    patterns=_kinds((1 / ms, 1 / ms, mV, mV / ms), _DRIVE * mV / ms),
)
"""The same model with units; ``u`` and ``I`` are in volt/second."""


def _simple(C: float, k: float, v_r: float, v_t: float, v_peak: float, a: float, b: float, c: float, d: float,
            I: float) -> dict[str, Any]:  # fmt: skip
    """Values in pF, nS/mV, mV, mV, mV, 1/ms, nS, mV, pA and pA."""
    return {
        "C": C * pF, "k": k * nS / mV, "v_r": v_r * mV, "v_t": v_t * mV, "v_peak": v_peak * mV,
        "a": a / ms, "b": b * nS, "c": c * mV, "d": d * pA, "I": I * pA,
    }  # fmt: skip


_CELLS = {
    #                               C    k  v_r  v_t v_peak   a   b    c    d    I
    "regular spiking":        _simple(100, 0.7, -60, -40, 35, 0.03, -2, -50, 100, 100),
    "intrinsically bursting": _simple(150, 1.2, -75, -45, 50, 0.01,  5, -56, 130, 500),
    "chattering":             _simple( 50, 1.5, -60, -40, 25, 0.03,  1, -40, 150, 200),
}  # fmt: skip

IZHIKEVICH_2007 = Model(
    name="Izhikevich 2007",
    equations="""
    dv/dt = (k*(v - v_r)*(v - v_t) - u + I)/C : volt
    du/dt = a*(b*(v - v_r) - u) : amp
    I : amp
    """,
    threshold="v >= v_peak",
    reset=_RESET,
    method="euler",
    values={name: value for name, value in _CELLS["regular spiking"].items() if name != "I"},
    initial={"v": "v_r", "u": 0 * pA, "I": 0 * pA},
    citation=Citation(
        "E. M. Izhikevich", 2007, "Dynamical Systems in Neuroscience, MIT Press, chapter 8",
        "10.7551/mitpress/2526.001.0001",
    ),
    patterns=_CELLS,
)  # fmt: skip
"""``C dv/dt = k (v - v_r)(v - v_t) - u + I``, ``du/dt = a (b (v - v_r) - u)``: the model in physical quantities, so
that currents and conductances of synapses go with it."""
