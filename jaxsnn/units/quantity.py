"""Numbers and arrays that carry a physical dimension."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from jaxsnn.errors import DimensionError
from jaxsnn.units.dimension import DIMENSIONLESS, Dimension
from jaxsnn.units.display import best_scale, describe, example, number_text, quantity_text
from jaxsnn.units.numpy_rules import function_dimension, ufunc_dimension
from jaxsnn.units.operand import (
    as_value,
    comparable,
    fits_any_dimension,
    read_operand,
    require_operand,
)

_Operator = Callable[["Quantity", Any], Any]


def _binary(name: str, op: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    a, b = read_operand(left), read_operand(right)
    if a is None or b is None:
        return NotImplemented
    dim = ufunc_dimension(name, (a, b))  # first, so that its error precedes one about shapes
    return _wrap(op(a.value, b.value), dim)


def _operators(name: str, op: Callable[[Any, Any], Any]) -> tuple[_Operator, _Operator]:
    """The method of an operator and that of its reflection."""

    def forward(self: Quantity, other: Any) -> Any:
        return _binary(name, op, self, other)

    def reflected(self: Quantity, other: Any) -> Any:
        return _binary(name, op, other, self)

    return forward, reflected


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy function as a method."""

    def method(self: Quantity, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__doc__ = f"As `numpy.{function.__name__}`."
    return method


class Quantity:
    """A value in SI base units and its dimension.

    Quantities are usually written as a number times a unit. They follow the rules of Brian:
    sums and comparisons need equal dimensions (a plain 0, inf or nan goes with any), and a
    result without dimension is a plain float or array. `==` between different dimensions is
    False rather than an error, so that quantities can be keys of a dict.

    Args:
        value: a number or array, in SI base units. JAX arrays and tracers are kept as they are,
            everything else becomes a float or a float64 array.
        dim: the dimension.

    Raises:
        DimensionError: an operation on dimensions that do not fit.

    >>> from jaxsnn.units import mV, ms, nS
    >>> 20 * mV + 0.5 * mV, (20 * mV) / (10 * ms), [1, 2, 3] * nS
    (20.5 mV, 2 V/s, [1 2 3] nS)
    >>> (20 * mV) / mV
    20.0
    """

    __slots__ = ("_dim", "_value")

    def __init__(self, value: Any, dim: Dimension) -> None:
        if not isinstance(dim, Dimension):
            raise TypeError(f"dim must be a Dimension, such as volt.dim, got {dim!r}")
        self._value = as_value(value)
        self._dim = dim

    @property
    def value(self) -> Any:
        """The number or array in SI base units."""
        return self._value

    @property
    def dim(self) -> Dimension:
        """The physical dimension."""
        return self._dim

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array; `()` for a scalar."""
        return tuple(np.shape(self._value))

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.size(self._value))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def in_unit(self, unit: Quantity, precision: int | None = None) -> str:
        """The value written in `unit`: `(0.02*volt).in_unit(mV) == "20 mV"`."""
        if not isinstance(unit, Quantity):
            raise TypeError(f"in_unit needs a unit such as {example(self.dim)[2:]}, got {unit!r}")
        if unit.dim != self.dim:
            raise DimensionError(f"cannot write {describe(self.value, self.dim)} in {unit!r} ({unit.dim})")
        number = number_text(self.value / unit.value, precision)
        symbol = unit.symbol if isinstance(unit, Unit) else f"({unit!r})"
        return f"{number} {symbol}"

    def __repr__(self) -> str:
        return quantity_text(self.value, self.dim)

    def __format__(self, spec: str) -> str:
        if not spec or self.shape:
            return str(self)
        scale = best_scale(self.value, self.dim)
        return f"{format(self.value / scale.size, spec)} {scale.symbol}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        return Quantity, (self.value, self.dim)

    def __hash__(self) -> int:
        if not isinstance(self.value, float):
            raise TypeError("an array with a unit is not hashable; only scalars are")
        # Equal values hash alike: 0*mV == 0, and a dimensionless quantity equals its number.
        plain = self.dim.is_dimensionless or self.value - self.value != 0 or self.value == 0
        return hash(self.value) if plain else hash((self.value, self.dim))

    # --- arithmetic -----------------------------------------------------------------------

    __add__, __radd__ = _operators("add", operator.add)
    __sub__, __rsub__ = _operators("subtract", operator.sub)
    __mul__, __rmul__ = _operators("multiply", operator.mul)
    __truediv__, __rtruediv__ = _operators("divide", operator.truediv)
    __floordiv__, __rfloordiv__ = _operators("floor_divide", operator.floordiv)
    __mod__, __rmod__ = _operators("remainder", operator.mod)
    __matmul__, __rmatmul__ = _operators("matmul", operator.matmul)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __pow__(self, other: Any) -> Any:
        if isinstance(other, Fraction):  # exact for the dimension, a float for the value
            return _wrap(self.value ** float(other), self.dim**other)
        return _binary("power", operator.pow, self, other)

    def __rpow__(self, other: Any) -> Any:
        return _binary("power", operator.pow, other, self)

    def __neg__(self) -> Any:
        return Quantity(-self.value, self.dim)

    def __pos__(self) -> Any:
        return Quantity(+self.value, self.dim)

    def __abs__(self) -> Any:
        return Quantity(abs(self.value), self.dim)

    def __round__(self, ndigits: int = 0) -> Any:
        """Rounds the number of SI base units, as Brian does; `round(q/mV)*mV` rounds millivolts."""
        return Quantity(np.round(self.value, ndigits), self.dim)

    # --- comparisons ----------------------------------------------------------------------

    def __eq__(self, other: Any) -> Any:
        return _equality(operator.eq, self, other)

    def __ne__(self, other: Any) -> Any:
        return _equality(operator.ne, self, other)

    # Python reflects `a < b` to `b > a` by itself.
    __lt__, _ = _operators("less", operator.lt)
    __le__, _ = _operators("less_equal", operator.le)
    __gt__, _ = _operators("greater", operator.gt)
    __ge__, _ = _operators("greater_equal", operator.ge)

    # --- conversions, which never drop a unit -----------------------------------------------

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        return float(self._plain("float"))

    def __int__(self) -> int:
        return int(self._plain("int"))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self._plain("a plain array"), dtype=dtype)

    def _plain(self, target: str) -> Any:
        if self.dim.is_dimensionless:
            return self.value
        unit = example(self.dim)[2:]
        raise DimensionError(
            f"{describe(self.value, self.dim)} cannot become {target}: divide by a unit, as in "
            f"q/{unit}, or take the number of SI base units, q.value; a list of quantities "
            "becomes one array with quantity([...])"
        )

    # --- arrays ---------------------------------------------------------------------------

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a scalar quantity has no len()")
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        if not self.shape:
            raise TypeError("a scalar quantity cannot be indexed")
        return _wrap(self.value[index], self.dim)

    def __setitem__(self, index: Any, item: Any) -> None:
        new = require_operand(item, "an element")
        if new.dim != self.dim and not fits_any_dimension(new):
            raise DimensionError(
                f"cannot store {describe(*new)} in an array of {self.dim}; write a value such as {example(self.dim)}"
            )
        self.value[index] = new.value

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("a scalar quantity is not iterable")
        return (_wrap(element, self.dim) for element in self.value)

    def copy(self) -> Quantity:
        """A copy that shares no memory."""
        return Quantity(np.array(self.value), self.dim)

    sum = _method(np.sum)
    mean = _method(np.mean)
    std = _method(np.std)
    var = _method(np.var)
    min = _method(np.min)
    max = _method(np.max)
    reshape = _method(np.reshape)

    # --- NumPy ----------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        operands = [read_operand(x) for x in inputs]
        if any(operand is None for operand in operands):
            return NotImplemented
        known = [operand for operand in operands if operand is not None]
        name = ufunc.__name__
        if name in ("equal", "not_equal") and method == "__call__" and not comparable(*known):
            shape = np.broadcast_shapes(*(np.shape(operand.value) for operand in known))
            return np.full(shape, name == "not_equal") if shape else np.bool_(name == "not_equal")
        dim = ufunc_dimension(name, known, method)
        outs = kwargs.pop("out", ())
        if outs:
            kwargs["out"] = tuple(_target(out, dim, ufunc.__name__) for out in outs)
        result = getattr(ufunc, method)(*(operand.value for operand in known), **kwargs)
        if outs:
            return outs[0] if len(outs) == 1 else outs
        return _wrap(result, dim)

    def __array_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        name = func.__name__
        read = partial(require_operand, what=f"numpy.{name}")
        extra = [read(arg) for arg in kwargs.values() if isinstance(arg, Quantity)]
        dim = function_dimension(name, args, extra, read)
        plain = {key: _strip_tree(arg) for key, arg in kwargs.items()}
        if name in ("isclose", "allclose") and len(args) < 4:
            # NumPy's absolute tolerance of 1e-8 would call 1 nA and 2 nA close.
            plain.setdefault("atol", 0.0)
        result = func(*(_strip_tree(arg) for arg in args), **plain)
        if isinstance(result, (tuple, list)) and not dim.is_dimensionless:
            # Indices and counts (integers) that come along have no unit.
            return tuple(part if np.asarray(part).dtype.kind == "i" else _wrap(part, dim) for part in result)
        return _wrap(result, dim)


class Unit(Quantity):
    """A quantity with a name, to multiply numbers with and to print in.

    Products, quotients and powers of units are units again.

    >>> from jaxsnn.units import mV, ms, uS, cm
    >>> mV, mV / ms, ms**-1, (0.1 * uS / cm**2).in_unit(uS / cm**2)
    (mV, mV/ms, ms^-1, '0.1 uS/cm^2')
    """

    __slots__ = ("name", "symbol")

    name: str
    symbol: str

    def __init__(self, value: float, dim: Dimension, name: str, symbol: str) -> None:
        super().__init__(value, dim)
        self.name = name
        self.symbol = symbol

    def __repr__(self) -> str:
        return self.symbol

    def __format__(self, spec: str) -> str:
        return format(self.symbol, spec)

    def __reduce__(self) -> tuple[Any, ...]:
        return Unit, (self.value, self.dim, self.name, self.symbol)

    def __mul__(self, other: Any) -> Any:
        if not isinstance(other, Unit):
            return super().__mul__(other)
        return _composed(
            self.value * other.value,
            self.dim * other.dim,
            f"{self.name}*{other.name}",
            f"{self.symbol} {other.symbol}",
        )

    def __truediv__(self, other: Any) -> Any:
        if not isinstance(other, Unit):
            return super().__truediv__(other)
        return _composed(
            self.value / other.value,
            self.dim / other.dim,
            f"{self.name}/{_grouped(other.name, '*/')}",
            f"{self.symbol}/{_grouped(other.symbol, ' /')}",
        )

    def __pow__(self, power: Any) -> Any:
        if not isinstance(power, (int, float, Fraction)):
            return super().__pow__(power)
        return _composed(
            self.value ** float(power),
            self.dim**power,
            f"{_grouped(self.name, '*/')}**{power}",
            f"{_grouped(self.symbol, ' /^')}^{power}",
        )


def _composed(value: float, dim: Dimension, name: str, symbol: str) -> Unit | float:
    return value if dim.is_dimensionless else Unit(value, dim, name, symbol)


def _grouped(text: str, marks: str) -> str:
    return f"({text})" if any(mark in text for mark in marks) else text


def _wrap(value: Any, dim: Dimension) -> Any:
    if not dim.is_dimensionless:
        return Quantity(value, dim)
    return value.item() if isinstance(value, np.generic) else value


def _equality(op: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    a, b = read_operand(left), read_operand(right)
    if a is None or b is None:
        return NotImplemented
    if comparable(a, b):
        return op(a.value, b.value)
    shape = np.broadcast_shapes(np.shape(a.value), np.shape(b.value))
    return np.full(shape, op is operator.ne) if shape else op is operator.ne


def _target(out: Any, dim: Dimension, name: str) -> Any:
    """The array that an `out=` argument writes to, if its dimension is the result's."""
    held = out.dim if isinstance(out, Quantity) else DIMENSIONLESS
    if held != dim:
        raise DimensionError(
            f"numpy.{name} cannot write a result in {dim} into an array of {held} in place; "
            "write a = a * unit instead of a *= unit"
        )
    return out.value if isinstance(out, Quantity) else out


def _strip_tree(arg: Any) -> Any:
    """SI numbers of one argument of a NumPy function; lists are searched for quantities."""
    if isinstance(arg, Quantity):
        return arg.value
    if isinstance(arg, (list, tuple)):
        return type(arg)(_strip_tree(part) for part in arg)
    return arg
