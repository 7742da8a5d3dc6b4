"""Rules of rates: x of the source, y of the target, which is the weighted sum of its inputs.

In Hebbian rules the weights change slowly on the scale 1/eta. Bounds are hard (the change is cut off where w would
leave them; this counts on Euler's method) or soft (the change becomes proportional to the distance from them).

`RATE_STDP` is pair STDP for rates: xhat and yhat are the rates low-pass filtered with the exponential window, and

    dw/dt = w_max (A_plus y xhat - A_minus yhat x),    w cut off at 0 and w_max in every step.

It lives on the order of a step, as the two terms almost cancel: first the weighted sums, then the traces, then the
weights, which see the new traces (see the rule's comments). Its mean drift for given statistics is a closed form.
"""

from __future__ import annotations

from typing import Any

from jaxsnn.citation import Citation
from jaxsnn.plasticity.rule import PlasticityRule
from jaxsnn.units import Hz, ms, second

__all__ = ["BCM", "HEBB_HARD", "HEBB_SOFT", "OJA", "RATE_STDP"]

_SUM = "y_post = w*x_pre : 1 (summed)"


def _rate_rule(name: str, change: str, citation: Citation, neuron: str = "", **values: Any) -> PlasticityRule:
    return PlasticityRule(
        name=name,
        equations=f"dw/dt = {change} : 1 (clock-driven)\n{_SUM}",
        source_equations="x : 1",
        neuron_equations=f"y : 1\n{neuron}".strip(),
        values={"eta": 1 * Hz, **values},
        initial={"w": 0.5},
        bounds={"w": (0, "w_max")} if "w_max" in values else {},
        method="euler",
        citation=citation,
    )


_REVIEW = Citation("W. Gerstner, W. M. Kistler", 2002, "Biol. Cybern. 87: 404-415", "10.1007/s00422-002-0353-y")

HEBB_HARD = _rate_rule(
    "Hebb's rule with hard bounds", "clip(eta*x_pre*y_post, -w/dt, (w_max - w)/dt)", _REVIEW, w_max=1.0
)

HEBB_SOFT = _rate_rule("Hebb's rule with a soft bound", "eta*x_pre*y_post*(w_max - w)", _REVIEW, w_max=1.0)

# The weights of a neuron become the first principal component of its inputs, with the length 1/sqrt(alpha).
OJA = _rate_rule(
    "Oja's rule",
    "eta*y_post*(x_pre - alpha*y_post*w)",
    Citation("E. Oja", 1982, "J. Math. Biol. 15: 267-273", "10.1007/BF00275687"),
    alpha=1.0,
)

# The threshold between depression and potentiation follows the mean square of the rate, faster than the weights.
BCM = _rate_rule(
    "BCM rule",
    "clip(eta*x_pre*y_post*(y_post - theta_post), -w/dt, (w_max - w)/dt)",
    Citation(
        "E. L. Bienenstock, L. N. Cooper, P. W. Munro",
        1982,
        "J. Neurosci. 2: 32-48",
        "10.1523/JNEUROSCI.02-01-00032.1982",
    ),
    neuron="dtheta/dt = (y**2 - theta)/tau_theta : 1",
    tau_theta=1 * second,
    w_max=10.0,
)

# A step of length dt, as its slots have it: sums over synapses (groups, before the neurons) give y from the weights of
# the step before; Euler's method gives xhat += dt/tau (x - xhat), and yhat likewise (groups); order 1 puts the weights
# behind, so that they read the new traces; then they are cut off (after_groups). Several sums into y add up, and a rate
# that arrives late is read by `delayed`.
RATE_STDP = PlasticityRule(
    name="pair STDP of rates",
    equations="""
    dw/dt = w_max*A_plus*y_post*xhat_pre - w_max*A_minus*yhat_post*x_pre : 1 (clock-driven)
    y_post = gain*w*x_pre : Hz (summed)
    """,
    source_equations="x : Hz\ndxhat/dt = (x - xhat)/tau : Hz",
    neuron_equations="y : Hz\ndyhat/dt = (y - yhat)/tau : Hz",
    every_step="w = clip(w, 0, w_max)",
    values={
        "tau": 20 * ms, "A_plus": 0.05 * second, "A_minus": 0.0500125 * second, "w_max": 1 / 256, "gain": 1.0,
    },
    initial={"w": "0.5*w_max"},
    bounds={"w": (0, "w_max")},
    method="euler",
    order=1,
    neuron_method="euler",
    citation=Citation(
        "R. Kempter, W. Gerstner, J. L. van Hemmen", 1999, "Phys. Rev. E 59: 4498-4514", "10.1103/PhysRevE.59.4498"
    ),
    # Numbers of its Figure 4 (direct pathway, 256 inputs), whose discrete steps these are.
    values_from=Citation(
        "M. W. H. Remme, U. Bergmann, D. Alevi, S. Schreiber, H. Sprekeler, R. Kempter",
        2021,
        "PLoS Comput. Biol. 17: e1009681",
        "10.1371/journal.pcbi.1009681",
    ),
)  # fmt: skip
