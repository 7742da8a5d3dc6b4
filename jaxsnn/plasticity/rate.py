"""Hebbian rules of rates: x of the source, y of the target, which is the weighted sum of its inputs.

The weights change slowly on the scale 1/eta. Bounds are hard (the change is cut off where w would leave them; this
counts on Euler's method) or soft (the change becomes proportional to the distance from them).
"""

from __future__ import annotations

from typing import Any

from jaxsnn.citation import Citation
from jaxsnn.plasticity.rule import PlasticityRule
from jaxsnn.units import Hz, second

__all__ = ["BCM", "HEBB_HARD", "HEBB_SOFT", "OJA"]

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
