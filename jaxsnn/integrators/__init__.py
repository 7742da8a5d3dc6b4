"""Integration methods: differential equations in, the statements of one step out (`integrate`)."""

from jaxsnn.integrators.adaptive import Adaptive
from jaxsnn.integrators.choice import AUTOMATIC, INTEGRATORS, Method, integrate
from jaxsnn.integrators.contract import Integration, Integrator, OdeSystem, Refusal
from jaxsnn.integrators.explicit import ExplicitScheme

__all__ = [
    "AUTOMATIC",
    "INTEGRATORS",
    "Adaptive",
    "ExplicitScheme",
    "Integration",
    "Integrator",
    "Method",
    "OdeSystem",
    "Refusal",
    "integrate",
]
