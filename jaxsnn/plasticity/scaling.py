"""Homeostatic scaling: all synapses of a neuron grow or shrink by the same factor, until it fires at its goal.

The neuron low-pass filters its own spikes into the rate a. Relative sizes of its weights stay.
"""

from __future__ import annotations

from jaxsnn.citation import Citation
from jaxsnn.plasticity.rule import PlasticityRule
from jaxsnn.units import Hz, second

__all__ = ["SCALING"]

# The goal and the speed are examples; in animals scaling takes hours to days. The article adds a term with the
# integral of the deviation.
SCALING = PlasticityRule(
    name="homeostatic scaling",
    equations="dw/dt = beta*w*(a_goal - a_post) : 1 (clock-driven)",
    neuron_equations="da/dt = -a/tau_a : Hz",
    neuron_reset="a += 1/tau_a",
    values={"a_goal": 10 * Hz, "tau_a": 1 * second, "beta": 0.02},
    initial={"w": 1.0},
    bounds={"w": (0, None)},
    method="euler",
    citation=Citation(
        "M. C. W. van Rossum, G. Q. Bi, G. G. Turrigiano",
        2000,
        "J. Neurosci. 20: 8812-8821",
        "10.1523/JNEUROSCI.20-23-08812.2000",
    ),
)
