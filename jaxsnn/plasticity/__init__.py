"""Plasticity rules of the literature: synaptic equations and code with their source, and nothing hidden.

>>> from jaxsnn.plasticity import RULES, STDP
>>> print(STDP.citation)
S. Song, K. D. Miller, L. F. Abbott (2000), Nat. Neurosci. 3: 919-926, doi:10.1038/78829
>>> len(RULES)
20
"""

from collections.abc import Mapping
from types import MappingProxyType

from jaxsnn.citation import Citation
from jaxsnn.plasticity.calcium import CALCIUM, CALCIUM_NOISY
from jaxsnn.plasticity.rate import BCM, HEBB_HARD, HEBB_SOFT, OJA, RATE_STDP
from jaxsnn.plasticity.rule import PlasticityRule
from jaxsnn.plasticity.scaling import SCALING
from jaxsnn.plasticity.short_term import SHORT_TERM, SHORT_TERM_DEPRESSION
from jaxsnn.plasticity.stdp.inhibitory import INHIBITORY_STDP
from jaxsnn.plasticity.stdp.pair import STDP, STDP_MULTIPLICATIVE, STDP_NEAREST, STDP_POWER
from jaxsnn.plasticity.stdp.reward import REWARD_STDP
from jaxsnn.plasticity.stdp.triplet import TRIPLET_STDP, TRIPLET_STDP_MINIMAL, TRIPLET_STDP_NEAREST
from jaxsnn.plasticity.voltage import VOLTAGE_STDP

RULES: Mapping[str, PlasticityRule] = MappingProxyType(
    {
        "STDP": STDP,
        "STDP_NEAREST": STDP_NEAREST,
        "STDP_MULTIPLICATIVE": STDP_MULTIPLICATIVE,
        "STDP_POWER": STDP_POWER,
        "TRIPLET_STDP": TRIPLET_STDP,
        "TRIPLET_STDP_MINIMAL": TRIPLET_STDP_MINIMAL,
        "TRIPLET_STDP_NEAREST": TRIPLET_STDP_NEAREST,
        "INHIBITORY_STDP": INHIBITORY_STDP,
        "REWARD_STDP": REWARD_STDP,
        "VOLTAGE_STDP": VOLTAGE_STDP,
        "CALCIUM": CALCIUM,
        "CALCIUM_NOISY": CALCIUM_NOISY,
        "SHORT_TERM": SHORT_TERM,
        "SHORT_TERM_DEPRESSION": SHORT_TERM_DEPRESSION,
        "SCALING": SCALING,
        "HEBB_HARD": HEBB_HARD,
        "HEBB_SOFT": HEBB_SOFT,
        "OJA": OJA,
        "BCM": BCM,
        "RATE_STDP": RATE_STDP,
    }
)
"""All rules by the name they are imported by."""

__all__ = [
    "BCM",
    "CALCIUM",
    "CALCIUM_NOISY",
    "HEBB_HARD",
    "HEBB_SOFT",
    "INHIBITORY_STDP",
    "OJA",
    "RATE_STDP",
    "REWARD_STDP",
    "RULES",
    "SCALING",
    "SHORT_TERM",
    "SHORT_TERM_DEPRESSION",
    "STDP",
    "STDP_MULTIPLICATIVE",
    "STDP_NEAREST",
    "STDP_POWER",
    "TRIPLET_STDP",
    "TRIPLET_STDP_MINIMAL",
    "TRIPLET_STDP_NEAREST",
    "VOLTAGE_STDP",
    "Citation",
    "PlasticityRule",
]
