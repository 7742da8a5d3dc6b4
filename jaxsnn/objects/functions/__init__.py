"""Functions of the user in equations: of Python, and random numbers with fixed parameters."""

from jaxsnn.objects.functions.binomial import BinomialFunction
from jaxsnn.objects.functions.user import Function

__all__ = ["BinomialFunction", "Function"]
