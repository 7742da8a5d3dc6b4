"""Types and dimensions of expressions: rules by hand, and errors that name both sides."""

from __future__ import annotations

import pytest

from jaxsnn.equations.dimensions import Symbol, describe, infer, require
from jaxsnn.equations.expressions import parse
from jaxsnn.equations.functions import FUNCTIONS, INTERNAL
from jaxsnn.errors import DimensionError, EquationError, Source, UnknownNameError
from jaxsnn.units import DIMENSIONLESS, Dimension, amp, farad, hertz, metre, second, siemens, volt

SCOPE = {
    "v": Symbol("float", volt.dim),
    "I": Symbol("float", amp.dim),
    "g": Symbol("float", siemens.dim),
    "C": Symbol("float", farad.dim),
    "tau": Symbol("float", second.dim),
    "t": Symbol("float", second.dim),
    "dt": Symbol("float", second.dim),
    "x": Symbol("float"),
    "k": Symbol("integer"),
    "on": Symbol("boolean"),
}


@pytest.mark.parametrize(
    "text, type_, dim",
    [
        ("v/tau", "float", volt.dim / second.dim),
        ("g*v - I", "float", amp.dim),
        ("(g*v + I)/C", "float", volt.dim / second.dim),
        ("v**2", "float", volt.dim**2),
        ("v**0.5", "float", volt.dim**0.5),
        ("v**-1", "float", volt.dim**-1),
        ("tau**(-1/2)", "float", second.dim**-0.5),
        ("sqrt(v**2)", "float", volt.dim),
        ("-v", "float", volt.dim),
        ("0 + v", "float", volt.dim),
        ("v - 0.0", "float", volt.dim),
        ("v % v", "float", volt.dim),
        ("v // v", "float", DIMENSIONLESS),
        ("1/tau", "float", hertz.dim),
        ("k + 1", "integer", DIMENSIONLESS),
        ("k / 2", "float", DIMENSIONLESS),
        ("k // 2", "integer", DIMENSIONLESS),
        ("k % 2", "integer", DIMENSIONLESS),
        ("k * x", "float", DIMENSIONLESS),
        ("-on", "integer", DIMENSIONLESS),
        ("on + on", "integer", DIMENSIONLESS),
        ("int(x)", "integer", DIMENSIONLESS),
        ("int(v > 0)", "integer", DIMENSIONLESS),
        ("v > 0", "boolean", DIMENSIONLESS),
        ("0 < v", "boolean", DIMENSIONLESS),
        ("not on", "boolean", DIMENSIONLESS),
        ("on and v > 0 or k == 3", "boolean", DIMENSIONLESS),
        ("True", "boolean", DIMENSIONLESS),
        ("abs(v)", "float", volt.dim),
        ("abs(k)", "integer", DIMENSIONLESS),
        ("sign(v)", "integer", DIMENSIONLESS),
        ("clip(v, 0, v)", "float", volt.dim),
        ("clip(k, 0, 5)", "integer", DIMENSIONLESS),
        ("where(on, 0, v)", "float", volt.dim),
        ("where(v > 0, k, 1)", "integer", DIMENSIONLESS),
        ("timestep(t, dt)", "integer", DIMENSIONLESS),
        ("exp(-t/tau)", "float", DIMENSIONLESS),
        ("rand()", "float", DIMENSIONLESS),
        ("poisson(3)", "integer", DIMENSIONLESS),
    ],
)
def test_type_and_dimension(text: str, type_: str, dim: Dimension) -> None:
    found = infer(parse(text), SCOPE)
    # sign's result is a number without a part after the point, whatever its argument is.
    assert found.dim == dim
    if not text.startswith("sign"):
        assert found.type == type_


@pytest.mark.parametrize(
    "text, kind, at, says",
    [
        ("v + I", DimensionError, "v + I", "cannot add v (volt) and I (amp)"),
        ("3*v - 2", DimensionError, "3*v - 2", "cannot subtract 3 * v (volt) and 2 (a number without unit)"),
        ("x*(v > 3)", DimensionError, "v > 3", "cannot compare v (volt) and 3 (a number without unit)"),
        ("v == I", DimensionError, "v == I", "compare v (volt) and I (amp)"),
        ("x % v", DimensionError, "x % v", "remainder"),
        ("1 + exp(v)", DimensionError, "exp(v)", "exp() needs a number without unit, got volt"),
        ("clip(v, 0, 1)", DimensionError, "clip(v, 0, 1)", "arguments of one unit, got volt and 1"),
        ("timestep(v, dt)", DimensionError, "timestep(v, dt)", "needs two times, got volt"),
        ("x**v", DimensionError, "v", "an exponent must be a number without unit, but v is volt"),
        ("v**x", DimensionError, "v**x", "its exponent must be written as a number"),
        ("v and on", EquationError, "v", "'and' combines conditions, but v is a number"),
        ("not k", EquationError, "k", "'not' combines conditions"),
        ("exp", UnknownNameError, "exp", "write exp(...)"),
        ("x + expp(x)", UnknownNameError, "expp(x)", "Did you mean 'exp'?"),
        ("taw*x", UnknownNameError, "taw", "Did you mean 'tau'?"),
        ("x(3)", EquationError, "x(3)", "x is a value, not a function"),
        ("exp()", EquationError, "exp()", "exp() needs 1 argument, got 0"),
        ("clip(x, 0)", EquationError, "clip(x, 0)", "clip() needs 3 arguments, got 2"),
    ],
)
def test_errors_show_the_place(text: str, kind: type[Exception], at: str, says: str) -> None:
    source = Source(f"x = {text}", "cells: reset")
    with pytest.raises(kind) as caught:
        infer(parse(text, source, 4), SCOPE, source)
    message = str(caught.value)
    assert message.startswith("cells: reset: ")
    assert says in message
    line, caret = (row[4:] for row in message.splitlines()[-2:])
    assert line == source.text
    assert line[caret.index("^") : len(caret)] == at


def test_a_function_checks_every_argument_it_has() -> None:
    # A row whose rule let a volt through where a number is needed would break every model that uses it.
    for name, row in FUNCTIONS.items():
        if name in INTERNAL or row.arity[0] == 0:
            continue
        if name in ("abs", "sqrt", "sign", "clip", "minimum", "maximum", "where", "timestep"):
            continue
        args = ", ".join(["v", *["x"] * (row.arity[0] - 1)])
        with pytest.raises(DimensionError, match="without unit"):
            infer(parse(f"{name}({args})"), SCOPE)


def test_require_asks_for_a_condition_before_it_asks_for_units() -> None:
    source = Source("v", "cells: threshold")
    with pytest.raises(EquationError, match=r"a threshold needs a condition \(True or False\)"):
        require(parse("v"), Symbol("boolean"), SCOPE, source, "a threshold")


def test_require_takes_zero_for_any_unit() -> None:
    for text in ("0", "-0", "0.0"):
        require(parse(text), Symbol("float", volt.dim), SCOPE, Source(text), "v")
    with pytest.raises(DimensionError, match="v needs volt, but this expression is a number without unit"):
        require(parse("1"), Symbol("float", volt.dim), SCOPE, Source("1"), "v")


@pytest.mark.parametrize(
    "dim, words",
    [
        (DIMENSIONLESS, "a number without unit"),
        (volt.dim, "volt"),
        (volt.dim / second.dim, "volt/second"),
        (siemens.dim / metre.dim**2, "siemens/metre**2"),
        (second.dim**-0.5, "second**-0.5"),
    ],
)
def test_dimensions_are_written_as_a_user_writes_them(dim: Dimension, words: str) -> None:
    assert describe(dim) == words
