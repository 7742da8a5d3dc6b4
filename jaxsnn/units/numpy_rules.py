"""What NumPy's functions do to dimensions: one table of ufuncs, one of array functions.

Rules see operands and answer with the dimension of the result, or raise `DimensionError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import mul
from typing import Any, NamedTuple

import numpy as np

from jaxsnn.errors import DimensionError
from jaxsnn.units.dimension import DIMENSIONLESS, Dimension
from jaxsnn.units.display import describe, example, is_traced
from jaxsnn.units.operand import Operand, common_dimension

Rule = Callable[[str, Sequence[Operand]], Dimension]


_VERBS = {
    "add": "add", "subtract": "subtract", "remainder": "take the remainder of", "fmod":
    "take the remainder of", "floor_divide": "take the whole quotient of",
}  # fmt: skip
_COMPARISONS = (
    "less", "less_equal", "greater", "greater_equal", "equal", "not_equal",
    "maximum", "minimum", "fmax", "fmin",
)  # fmt: skip
_VERBS |= dict.fromkeys(_COMPARISONS, "compare")


def _same(name: str, operands: Sequence[Operand]) -> Dimension:
    return common_dimension(_VERBS.get(name, f"combine in {name}"), operands)


def _same_to_plain(name: str, operands: Sequence[Operand]) -> Dimension:
    _same(name, operands)
    return DIMENSIONLESS


def _keep(name: str, operands: Sequence[Operand]) -> Dimension:
    return operands[0].dim


def _plain(name: str, operands: Sequence[Operand]) -> Dimension:
    return DIMENSIONLESS


def _product(name: str, operands: Sequence[Operand]) -> Dimension:
    return reduce(mul, (operand.dim for operand in operands), DIMENSIONLESS)


def _quotient(name: str, operands: Sequence[Operand]) -> Dimension:
    return operands[0].dim / operands[1].dim


def _raised(power: float) -> Rule:
    return lambda name, operands: operands[0].dim ** power


def _power(name: str, operands: Sequence[Operand]) -> Dimension:
    base, exponent = operands
    if not exponent.dim.is_dimensionless:
        raise DimensionError(f"an exponent has no unit, got {describe(*exponent)}; divide it by a unit")
    if base.dim.is_dimensionless:
        return DIMENSIONLESS
    if is_traced(exponent.value) or np.ndim(exponent.value) > 0:
        raise DimensionError(
            f"cannot raise {describe(*base)} to {describe(*exponent)}: the unit of the result "
            "would depend on the element; use one plain number as the exponent"
        )
    power: float = exponent.value
    return base.dim**power


def _dimensionless(name: str, operands: Sequence[Operand]) -> Dimension:
    for operand in operands:
        if not operand.dim.is_dimensionless:
            raise DimensionError(
                f"{name} needs a number without unit, got {describe(*operand)}; "
                f"divide it by a value of the same unit, such as {example(operand.dim)}"
            )
    return DIMENSIONLESS


def _rows(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


UFUNC_RULES: dict[str, Rule] = {
    **_rows(_same, "add subtract maximum minimum fmax fmin hypot fmod remainder nextafter"),
    **_rows(_same_to_plain, "less less_equal greater greater_equal equal not_equal"),
    **_rows(_same_to_plain, "floor_divide arctan2"),
    **_rows(_keep, "absolute fabs negative positive conjugate floor ceil rint trunc copysign"),
    **_rows(_keep, "spacing"),
    **_rows(_plain, "sign signbit isfinite isinf isnan"),
    **_rows(_product, "multiply matmul vecdot matvec vecmat"),
    **_rows(_quotient, "divide"),
    **_rows(_raised(0.5), "sqrt"),
    **_rows(_raised(1 / 3), "cbrt"),
    **_rows(_raised(2), "square"),
    **_rows(_raised(-1), "reciprocal"),
    **_rows(_power, "power float_power"),
    **_rows(_dimensionless, "exp exp2 expm1 log log2 log10 log1p logaddexp logaddexp2"),
    **_rows(_dimensionless, "sin cos tan arcsin arccos arctan sinh cosh tanh"),
    **_rows(_dimensionless, "arcsinh arccosh arctanh deg2rad rad2deg degrees radians"),
    **_rows(_dimensionless, "logical_and logical_or logical_xor logical_not"),
}

# Ufuncs whose `reduce` and `accumulate` keep the dimension of the elements.
REDUCIBLE = frozenset(("add", "maximum", "minimum", "fmax", "fmin", "hypot"))


def ufunc_dimension(name: str, operands: Sequence[Operand], method: str = "__call__") -> Dimension:
    """The dimension of `ufunc(*operands)`, or of its `reduce` or `accumulate`."""
    if all(operand.dim.is_dimensionless for operand in operands):
        return DIMENSIONLESS
    if method == "__call__" and name in UFUNC_RULES:
        return UFUNC_RULES[name](name, operands)
    if method in ("reduce", "accumulate") and name in REDUCIBLE:
        return operands[0].dim
    called = name if method == "__call__" else f"{name}.{method}"
    raise _unknown(f"numpy.{called}", operands)


class FunctionRule(NamedTuple):
    """The positional arguments `first:last` carry the dimension, `rule` gives the result's."""

    rule: Rule
    first: int = 0
    last: int = 1


def _interp(name: str, operands: Sequence[Operand]) -> Dimension:
    common_dimension("interpolate between", operands[:2])
    return operands[2].dim


def _functions(rule: FunctionRule, names: str) -> dict[str, FunctionRule]:
    return dict.fromkeys(names.split(), rule)


FUNCTION_RULES: dict[str, FunctionRule] = {
    # Sequences of arrays are flattened to operands, so joining is "the first argument agrees".
    **_functions(FunctionRule(_same), "concatenate stack vstack hstack column_stack dstack"),
    **_functions(FunctionRule(_same), "mean sum min max amin amax std median percentile quantile"),
    **_functions(FunctionRule(_same), "nanmean nansum nanmin nanmax nanstd nanmedian ptp average"),
    **_functions(FunctionRule(_same), "nanpercentile nanquantile cumsum nancumsum diff round"),
    **_functions(FunctionRule(_same), "around norm sort unique trace diagonal diag"),
    **_functions(FunctionRule(_same), "reshape ravel transpose squeeze expand_dims broadcast_to"),
    **_functions(FunctionRule(_same), "atleast_1d atleast_2d tile repeat roll flip fliplr flipud"),
    **_functions(FunctionRule(_same), "swapaxes moveaxis take compress split array_split copy"),
    **_functions(FunctionRule(_same), "zeros_like empty_like real"),
    **_functions(FunctionRule(_raised(2)), "var nanvar"),
    **_functions(FunctionRule(_same, 0, 2), "linspace append"),
    **_functions(FunctionRule(_same, 0, 3), "clip"),
    **_functions(FunctionRule(_same, 1, 3), "where"),
    **_functions(FunctionRule(_same, 1, 2), "full_like"),
    **_functions(FunctionRule(_interp, 0, 3), "interp"),
    **_functions(FunctionRule(_product, 0, 2), "dot inner outer cross convolve trapezoid"),
    **_functions(FunctionRule(_same_to_plain, 0, 2), "isclose allclose array_equal searchsorted"),
    **_functions(FunctionRule(_same_to_plain, 0, 2), "digitize isin"),
    **_functions(FunctionRule(_plain), "argmin argmax argsort nonzero count_nonzero flatnonzero"),
    **_functions(FunctionRule(_plain), "shape size ndim corrcoef any all"),
}


def function_dimension(
    name: str, args: Sequence[Any], extra: Sequence[Operand], operand_of: Callable[[Any], Operand]
) -> Dimension:
    """The dimension of an array function's result.

    Args:
        name: the function's name, as in NumPy.
        args: its positional arguments, quantities included.
        extra: its keyword arguments that are quantities.
        operand_of: reads one argument.
    """
    row = FUNCTION_RULES.get(name)
    if row is None:
        found = [operand_of(arg) for arg in _leaves(args) if hasattr(arg, "dim")]
        raise _unknown(f"numpy.{name}", [*found, *extra])
    carrying = [operand_of(leaf) for leaf in _leaves(args[row.first : row.last])]
    return row.rule(name, [*carrying, *extra])


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, (list, tuple)):
        for branch in tree:
            yield from _leaves(branch)
    elif tree is not None:
        yield tree


def _unknown(called: str, operands: Sequence[Operand]) -> DimensionError:
    shown = next((o for o in operands if not o.dim.is_dimensionless), operands[0])
    return DimensionError(
        f"{called} has no rule for units, got {describe(*shown)}; divide by a unit first "
        f"(x/{example(shown.dim)[2:]}), or take the SI numbers with x.value"
    )
