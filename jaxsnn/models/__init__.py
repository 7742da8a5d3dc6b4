"""Neuron and synapse models of the literature: texts and values with their source, and nothing hidden.

>>> from jaxsnn.models import ADEX, MODELS
>>> cells = ADEX.pattern("regular bursting").group(10)
>>> print(", ".join(MODELS))
LIF, QIF, EIF, ADEX, IZHIKEVICH, IZHIKEVICH_UNITS, IZHIKEVICH_2007, TRAUB_MILES, HODGKIN_HUXLEY
"""

from collections.abc import Mapping
from types import MappingProxyType

from jaxsnn.citation import Citation
from jaxsnn.models.adaptive import ADEX, IZHIKEVICH, IZHIKEVICH_2007, IZHIKEVICH_UNITS
from jaxsnn.models.hodgkin_huxley import HODGKIN_HUXLEY, TRAUB_MILES
from jaxsnn.models.integrate_and_fire import EIF, LIF, QIF
from jaxsnn.models.model import Model
from jaxsnn.models.synapses import (
    ALPHA_CONDUCTANCE,
    ALPHA_CURRENT,
    BIEXPONENTIAL_CONDUCTANCE,
    BIEXPONENTIAL_CURRENT,
    EXPONENTIAL_CONDUCTANCE,
    EXPONENTIAL_CURRENT,
    SYNAPSES,
    SynapseModel,
)

MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "LIF": LIF,
        "QIF": QIF,
        "EIF": EIF,
        "ADEX": ADEX,
        "IZHIKEVICH": IZHIKEVICH,
        "IZHIKEVICH_UNITS": IZHIKEVICH_UNITS,
        "IZHIKEVICH_2007": IZHIKEVICH_2007,
        "TRAUB_MILES": TRAUB_MILES,
        "HODGKIN_HUXLEY": HODGKIN_HUXLEY,
    }
)
"""All neuron models by the name they are imported by."""

__all__ = [
    "ADEX",
    "ALPHA_CONDUCTANCE",
    "ALPHA_CURRENT",
    "BIEXPONENTIAL_CONDUCTANCE",
    "BIEXPONENTIAL_CURRENT",
    "EIF",
    "EXPONENTIAL_CONDUCTANCE",
    "EXPONENTIAL_CURRENT",
    "HODGKIN_HUXLEY",
    "IZHIKEVICH",
    "IZHIKEVICH_2007",
    "IZHIKEVICH_UNITS",
    "LIF",
    "MODELS",
    "QIF",
    "SYNAPSES",
    "TRAUB_MILES",
    "Citation",
    "Model",
    "SynapseModel",
]
