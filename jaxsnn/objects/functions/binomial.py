"""BinomialFunction: binomial random numbers under a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxsnn.equations.expressions import Call, Expr, Name
from jaxsnn.equations.functions import Function as Row
from jaxsnn.equations.names import Constant
from jaxsnn.errors import ArgumentError
from jaxsnn.units import DIMENSIONLESS

__all__ = ["BinomialFunction"]


class BinomialFunction:
    """Random numbers of successes in n trials, under a name: ``release()`` in equations and code.

    The same as ``binomial(n, p)``, whose arguments may differ between elements. Numbers are exact, never a normal
    approximation.

    Args:
        n: Number of trials.
        p: Probability of success.

    Example:
        >>> from jaxsnn import BinomialFunction, NeuronGroup
        >>> cells = NeuronGroup(1000, "x : 1", namespace={"release": BinomialFunction(10, 0.5)})
        >>> cells.x = "release()"
        >>> bool(abs(cells.x[:].mean() - 5) < 0.3)
        True
    """

    inline = True  # before integration: a scheme has to see that it draws

    def __init__(self, n: int, p: float, approximate: bool = False, name: str | None = None) -> None:
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
            raise ArgumentError(f"BinomialFunction: n is a whole number of trials, got {n!r}")
        if not isinstance(p, int | float | np.number) or not 0 <= p <= 1:
            raise ArgumentError(f"BinomialFunction: p is a probability between 0 and 1, got {p!r}")
        self.n, self.p = int(n), float(p)

    def __repr__(self) -> str:
        return f"BinomialFunction({self.n}, {self.p:g})"

    def as_function(self, name: str) -> Row:
        """Its row for dimension checks."""
        return Row(name, (0, 0), repr(self), lambda dims: DIMENSIONLESS, lambda types: "integer", stateful=True)

    def constants(self, name: str) -> Mapping[str, Constant]:
        """Its parameters; the names cannot be those of the user."""
        return {f"_{name}_n": Constant(self.n, type="integer"), f"_{name}_p": Constant(self.p)}

    def locally_constant(self, dt: float) -> bool:
        """Never: it draws."""
        return False

    def expand(self, name: str, args: tuple[Expr, ...], dt: float) -> Expr:
        """The call as one of the language."""
        return Call("binomial", (Name(f"_{name}_n"), Name(f"_{name}_p")))

    def evaluate(self, *args: Any, dt: float | None = None) -> Any:
        """Never asked for: on the host too it is a function of the language."""
        raise NotImplementedError("written in functions of the language before it is evaluated")
