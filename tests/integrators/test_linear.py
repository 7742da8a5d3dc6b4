import numpy as np
import pytest
from integrators.evaluate import value

from jaxsnn.equations.expressions import names, parse, render
from jaxsnn.integrators.linear import Linear, NotLinear, decompose

LINEAR = [
    "(ge + gi - (v - El)) / taum",
    "-v",
    "3",
    "0*v + w - -v",
    "2*(a - v)*b/c - (v + w)/(a*b)",
    "where(a > b, v/c, 0) + where(a > b, 0, a - 2*w)",
    "(v + w)**2 - v**2 - w*(w + 2*v) + 0.1*v",
    "v*(w + a) - w*(v + b)",
    "(v + a)*(v - a) - v*v + v/(a + b)",
    "(a*v*w + 1.5*w*c)/(2*c) - v*w*a/c/2",
    "exp(a)*v*v + 3*w - v*exp(a)*v",
    "(v - w)*(v + w)/b**2 + (w*w - v*v)/b/b + w/b",
]


@pytest.mark.parametrize("text", LINEAR)
def test_decomposition_gives_the_value_back(text):
    expr = parse(text)
    found = decompose(expr, ("v", "w"))
    assert isinstance(found, Linear)
    assert not any(names(part) & {"v", "w"} for part in found.coefficients.values())
    assert found.rest is None or not names(found.rest) & {"v", "w"}
    generator = np.random.default_rng(1)
    for _ in range(3):
        env = dict(zip(names(expr), generator.normal(size=20), strict=False))
        parts = [value(part, env) * env[name] for name, part in found.coefficients.items()]
        rest = 0 if found.rest is None else value(found.rest, env)
        np.testing.assert_allclose(sum(parts) + rest, value(expr, env), rtol=1e-12, atol=1e-12)


def test_order_of_operations_is_kept():
    found = decompose(parse("(g*(E - v) + I)/C + 0.1*k*(b - v)"), ("v",))
    assert isinstance(found, Linear)
    assert render(found.coefficients["v"]) == "-g / C - 0.1 * k"
    assert found.rest is not None
    assert render(found.rest) == "(g * E + I) / C + 0.1 * k * b"


@pytest.mark.parametrize(
    "text, term, variables",
    [
        ("a*v + b*v**2", "v ** 2", ("v",)),
        ("v*w/tau", "v * w", ("v", "w")),
        ("(a - w)/v", "(a - w) / v", ("v", "w")),
        ("tanh(w) + v", "tanh(w)", ("w",)),
        ("where(v > a, 1, 2)*w", "where(v > a, 1, 2) * w", ("v", "w")),
        ("v*v*v - v*v", "v * v * v", ("v",)),
    ],
)
def test_not_linear_names_the_term(text, term, variables):
    found = decompose(parse(text), ("v", "w"))
    assert isinstance(found, NotLinear)
    assert render(found.term) == term
    assert found.variables == variables
