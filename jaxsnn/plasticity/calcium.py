"""Plasticity that depends on the calcium of the postsynaptic spine.

Both neurons' spikes raise the calcium c, the presynaptic one after the delay D. While c is above theta_p the efficacy
rho grows towards 1 with the speed gamma_p, above theta_d it falls towards 0 with gamma_d; in the absence of spikes it
returns to 0 or 1, from whichever side of rho_star it is on. The weight is between w_0 (rho = 0) and w_1 (rho = 1).
"""

from __future__ import annotations

from dataclasses import replace

from jaxsnn.citation import Citation
from jaxsnn.plasticity.rule import PlasticityRule
from jaxsnn.units import ms, second

__all__ = ["CALCIUM", "CALCIUM_NOISY"]

_DRIFT = "(-rho*(1 - rho)*(rho_star - rho) + gamma_p*(1 - rho)*potentiates - gamma_d*rho*depresses)/tau"

CALCIUM = PlasticityRule(
    name="calcium-based plasticity without noise",
    equations=f"""
    drho/dt = {_DRIFT} : 1 (clock-driven)
    dc/dt = -c/tau_Ca : 1 (clock-driven)
    potentiates = int(c > theta_p) : 1
    depresses = int(c > theta_d) : 1
    w = w_0 + rho*(w_1 - w_0) : 1
    """,
    on_pre={"pre": "", "calcium": "c += C_pre"},
    on_post="c += C_post",
    values={
        "tau_Ca": 20 * ms, "C_pre": 1.0, "C_post": 2.0, "theta_d": 1.0, "theta_p": 1.3,
        "gamma_d": 200.0, "gamma_p": 321.808, "tau": 150 * second, "rho_star": 0.5, "D": 13.7 * ms,
        "w_0": 1.0, "w_1": 5.0,
    },
    initial={"rho": 0.5},
    bounds={"rho": (0, 1)},
    delays={"calcium": "D"},
    method="rk2",
    citation=Citation(
        "M. Graupner, N. Brunel", 2012, "Proc. Natl. Acad. Sci. USA 109: 3991-3996", "10.1073/pnas.1109359109"
    ),
    patterns={
        "depression then potentiation": {
            "tau_Ca": 20 * ms, "C_pre": 1.0, "C_post": 2.0, "gamma_d": 200.0, "gamma_p": 321.808,
            "tau": 150 * second, "D": 13.7 * ms, "w_1": 5.0,
        },
        "hippocampal cultures": {
            "tau_Ca": 11.9536 * ms, "C_pre": 0.58156, "C_post": 1.76444, "gamma_d": 61.141, "gamma_p": 113.6545,
            "tau": 33.7596 * second, "D": 10 * ms, "w_1": 36.0263,
        },
        "cortical slices": {
            "tau_Ca": 22.6936 * ms, "C_pre": 0.5617539, "C_post": 1.23964, "gamma_d": 331.909, "gamma_p": 725.085,
            "tau": 346.3615 * second, "D": 4.6098 * ms, "w_1": 5.40988,
        },
    },
)  # fmt: skip

# The noise acts while the calcium is above the thresholds. It does not depend on rho, so that Ito and Stratonovich
# agree. It has no bounds: rho may leave 0..1 a little.
CALCIUM_NOISY = replace(
    CALCIUM,
    name="calcium-based plasticity",
    equations=CALCIUM.equations.replace(_DRIFT, f"{_DRIFT} + sigma*sqrt((potentiates + depresses)/tau)*xi"),
    values={**CALCIUM.values, "sigma": 2.8284},
    bounds={},
    method="milstein",
    patterns={
        name: {**CALCIUM.patterns[name], "sigma": sigma}
        for name, sigma in (
            ("depression then potentiation", 2.8284),
            ("hippocampal cultures", 2.5654),
            ("cortical slices", 3.3501),
        )
    },
)
