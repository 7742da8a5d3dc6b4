"""Function: a Python function that equations can call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxsnn.equations.dimensions import describe
from jaxsnn.equations.expressions import Call, Expr
from jaxsnn.equations.functions import TYPES, Implementation
from jaxsnn.equations.functions import Function as Row
from jaxsnn.equations.names import Constant
from jaxsnn.errors import ArgumentError
from jaxsnn.units import DIMENSIONLESS, Dimension, Quantity, quantity

__all__ = ["Function"]

_HOST_TYPES = {"float": np.float64, "integer": np.int64, "boolean": np.bool_}


class Function:
    r"""A Python function as a function of the equations: in equations, thresholds, code, conditions, initial values.

    The function gets plain numbers in SI base units, whole arrays of them at once, and returns as many, element by
    element. Written with `jax.numpy`, it is compiled into the step and differentiated like everything else. Any
    other function needs ``callback=True``: the compiled step calls back into Python, which is slow and has no
    derivative.

    Args:
        pyfunc: The function.
        arg_units: Unit of each argument: a unit, 1 for a plain number, None for any, or the name of another argument
            that has the same unit. Without it all arguments are plain numbers.
        return_unit: Unit of the result: a unit, 1, ``bool`` for a condition, or a function from the units of the
            arguments to that of the result.
        return_type: ``"float"``, ``"integer"`` or ``"boolean"``.
        stateless: False for a function whose result depends on more than its arguments (a device, a file); only with
            ``callback=True``. It is called in every step.
        callback: Call Python from the compiled step, with NumPy arrays.

    In equations the function has the name of the Python variable, or of the namespace.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxsnn import Function, Network, NeuronGroup
        >>> from jaxsnn.units import mV, ms, volt
        >>> gate = Function(lambda v: 1 / (1 + jnp.exp(-v / 5e-3)), arg_units=[volt], return_unit=1)
        >>> cell = NeuronGroup(2, "dm/dt = (gate(u) - m)/ms : 1\nu : volt", namespace={"gate": gate, "ms": ms})
        >>> cell.u = [0, 50] * mV
        >>> Network(cell).run(20 * ms)
        >>> print(cell.m[:].round(3))
        [0.5 1. ]

    Raises:
        ArgumentError: for what is no function, units that do not fit its arguments, and, when the network runs, a
            function that JAX cannot trace or that returns another shape than that of its arguments.
    """

    def __init__(
        self,
        pyfunc: Callable[..., Any],
        arg_units: Sequence[Any] | None = None,
        return_unit: Any = 1,
        *,
        return_type: str = "float",
        stateless: bool = True,
        callback: bool = False,
    ) -> None:
        if not callable(pyfunc):
            raise ArgumentError(f"Function needs a Python function, got {type(pyfunc).__name__} ({pyfunc!r})")
        self.pyfunc = pyfunc
        self.__name__ = getattr(pyfunc, "__name__", type(pyfunc).__name__)
        self.__doc__ = getattr(pyfunc, "__doc__", None)
        names = _parameters(pyfunc)
        if arg_units is None:
            if names is None:
                raise ArgumentError(
                    f"{self.__name__}: how many arguments it takes cannot be seen; write arg_units=[...], with one"
                    f" unit for each"
                )
            arg_units = [1] * len(names)
        elif names is not None and len(arg_units) != len(names):
            raise ArgumentError(
                f"{self.__name__}: arg_units has {len(arg_units)} units for its {len(names)} arguments"
                f" ({', '.join(names)})"
            )
        self._args = tuple(self._unit(unit, names) for unit in arg_units)
        self._result: Dimension | Callable[..., Any]
        if return_unit is bool:
            return_type, return_unit = "boolean", 1
        units_from_units = callable(return_unit) and not isinstance(return_unit, Quantity)
        self._result = return_unit if units_from_units else self._dimension(return_unit)
        if return_type not in TYPES:
            raise ArgumentError(f"{self.__name__}: return_type is one of {', '.join(TYPES)}, got {return_type!r}")
        if not stateless and not callback:
            raise ArgumentError(
                f"{self.__name__}: a function of JAX has no state; give it random numbers as arguments, f(v, rand()),"
                f" or call back into Python with callback=True"
            )
        self.return_type = return_type
        self.implementation = Implementation(pyfunc, return_type, callback, stateless)

    def _unit(self, unit: Any, names: Sequence[str] | None) -> Dimension | int | None:
        """A dimension, the place of the argument with the same one, or None for any."""
        if unit is None:
            return None
        if isinstance(unit, str):
            if names is None or unit not in names:
                raise ArgumentError(f"{self.__name__}: the unit {unit!r} names no argument ({', '.join(names or ())})")
            return list(names).index(unit)
        return self._dimension(unit)

    def _dimension(self, unit: Any) -> Dimension:
        try:
            found = quantity(unit)
        except (TypeError, ValueError):
            found = None
        if isinstance(found, Quantity):
            return found.dim
        if isinstance(unit, int | float) and unit == 1:
            return DIMENSIONLESS
        raise ArgumentError(
            f"{self.__name__}: a unit is a unit such as volt, 1 for a plain number or None for any; got {unit!r}"
        )

    def __call__(self, *args: Any) -> Any:
        """The Python function itself."""
        return self.pyfunc(*args)

    def __repr__(self) -> str:
        return f"<Function {self.__name__}>"

    # ---- in equations ----------------------------------------------------------------------------------

    def as_function(self, name: str) -> Row:
        """Its row for dimension checks."""
        arity = len(self._args)

        def dimension(dims: tuple[Dimension, ...]) -> Dimension | str:
            for place, needed in enumerate(self._args):
                if isinstance(needed, int):
                    needed = dims[needed]
                if needed is not None and dims[place] != needed:
                    which = "its argument" if arity == 1 else f"argument {place + 1}"
                    return f"needs {describe(needed)} as {which}, got {describe(dims[place])}"
            if not callable(self._result):
                return self._result
            found = quantity(self._result(*(Quantity(1.0, dim) for dim in dims)))
            return found.dim if isinstance(found, Quantity) else DIMENSIONLESS

        stateful = not self.implementation.stateless
        return Row(name, (arity, arity), "a function of the user", dimension, lambda types: self.return_type, stateful)

    def constants(self, name: str) -> Mapping[str, Constant]:
        """None: it has no numbers of its own."""
        return {}

    def locally_constant(self, dt: float) -> bool:
        """Never, if its argument is the time."""
        return False

    def expand(self, name: str, args: tuple[Expr, ...], dt: float) -> Expr:
        """The call, with what it calls."""
        return Call(name, args, implementation=self.implementation)

    def evaluate(self, *args: Any, dt: float | None = None) -> Any:
        """Its value on the host."""
        found = np.asarray(self.pyfunc(*map(np.asarray, args)))
        shape = np.broadcast_shapes(*(np.shape(arg) for arg in args))
        if found.shape not in (shape, ()):
            raise ArgumentError(
                f"{self.__name__}: got arrays of shape {shape} and returned one of shape {found.shape}; it has to"
                f" return one value for each element"
            )
        return found.astype(_HOST_TYPES[self.return_type])


def _parameters(pyfunc: Callable[..., Any]) -> tuple[str, ...] | None:
    """Names of the arguments, or None where Python does not know them (``np.sin``, ``*args``)."""
    try:
        found = inspect.signature(pyfunc).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in found):
        return None
    needed = [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    return tuple(p.name for p in needed)
