"""Ways of minimising, each a small pure state machine: `METHODS` holds them all."""

from jaxsnn.fit.methods.cma import CMAES
from jaxsnn.fit.methods.contract import Method, Step
from jaxsnn.fit.methods.differential_evolution import DifferentialEvolution
from jaxsnn.fit.methods.gradient import LBFGS, Gradient
from jaxsnn.fit.methods.least_squares import LevenbergMarquardt

__all__ = ["CMAES", "LBFGS", "METHODS", "DifferentialEvolution", "Gradient", "LevenbergMarquardt", "Method", "Step"]

METHODS = {kind.__name__: kind for kind in (Gradient, LBFGS, LevenbergMarquardt, CMAES, DifferentialEvolution)}
