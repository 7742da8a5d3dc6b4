"""The equation language as a whole: every form of line, printing and reading back, adding and replacing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxsnn.equations.expressions import Binary, Call, Expr, Name, Number, Unary, parse, render
from jaxsnn.equations.grammar import FLAGS, NOISE_DIM
from jaxsnn.equations.system import DIFFERENTIAL, PARAMETER, SUBEXPRESSION, Equation, Equations, is_noise, is_stateful
from jaxsnn.errors import EquationError
from jaxsnn.units import DIMENSIONLESS, amp, farad, hertz, metre, ms, mV, second, siemens, volt

HODGKIN_HUXLEY = """
# membrane
dv/dt = (gl*(El - v)           # leak
         + gNa*m**3*h*(ENa - v)
         + I)/C : volt (unless refractory)
dm/dt = alpha*(1 - m) - beta*m : 1
alpha = 0.1*(mV**-1)*10*mV/exprel((40*mV - v)/(10*mV))/ms : Hz   # opening
beta = 4*exp(-v/(18*mV))/ms : Hz
h : 1 (constant)
I : amp (constant, shared)
n : integer
fired : boolean
"""


def test_a_model_with_every_form_of_line() -> None:
    eqs = Equations(HODGKIN_HUXLEY)
    assert list(eqs) == ["v", "m", "alpha", "beta", "h", "I", "n", "fired"]
    assert list(eqs.differential) == ["v", "m"]
    assert list(eqs.subexpressions) == ["alpha", "beta"]
    assert list(eqs.parameters) == ["h", "I", "n", "fired"]
    assert eqs["v"].flags == {"unless refractory"}
    assert eqs["I"].flags == {"constant", "shared"}
    assert (eqs["v"].dim, eqs["alpha"].dim, eqs["I"].dim) == (volt.dim, hertz.dim, amp.dim)
    assert [eqs[name].type for name in ("v", "n", "fired")] == ["float", "integer", "boolean"]
    assert eqs["v"].expr == parse("(gl*(El - v) + gNa*m**3*h*(ENa - v) + I)/C")


def test_lines_know_their_place() -> None:
    eqs = Equations(HODGKIN_HUXLEY)
    for eq in eqs.values():
        start, end = eq.span
        text = HODGKIN_HUXLEY[start:end]
        assert text.startswith(f"d{eq.name}/dt" if eq.kind == DIFFERENTIAL else eq.name)
        assert Equations(text)[eq.name] == eq


@pytest.mark.parametrize(
    "unit, type_, dim",
    [
        ("1", "float", DIMENSIONLESS),
        ("volt", "float", volt.dim),
        ("siemens/meter**2", "float", siemens.dim / metre.dim**2),
        ("siemens / metre ** 2", "float", siemens.dim / metre.dim**2),
        ("farad*meter**-2", "float", farad.dim / metre.dim**2),
        ("1/second", "float", hertz.dim),
        ("Hz", "float", hertz.dim),
        ("volt**(1/2)", "float", volt.dim**0.5),
        ("second**-0.5", "float", second.dim**-0.5),
        ("amp*meter/(volt*second) (constant)", "float", amp.dim * metre.dim / (volt.dim * second.dim)),
        ("(volt/second)**2", "float", (volt.dim / second.dim) ** 2),
        ("integer", "integer", DIMENSIONLESS),
        ("boolean", "boolean", DIMENSIONLESS),
    ],
)
def test_units(unit: str, type_: str, dim: object) -> None:
    eq = Equations(f"x : {unit}")["x"]
    assert (eq.type, eq.dim) == (type_, dim)
    assert Equations(str(eq))["x"] == eq


@pytest.mark.parametrize(
    "text", ["x:1", "  x  :  1  ", "x : 1 # comment", "x\n : 1", "\n\nx : 1\n\n", "x : 1 (constant )", "x:1(constant)"]
)
def test_blanks_do_not_matter(text: str) -> None:
    eq = Equations(text)["x"]
    assert (eq.kind, eq.type, eq.dim) == (PARAMETER, "float", DIMENSIONLESS)


@pytest.mark.parametrize(
    "text",
    ["dv/dt=-v/tau:1", "dv / dt = -v/tau : 1", "d v/dt = -v/\n tau : 1", "dv/dt\n = -v\n /tau : 1"],
)
def test_forms_of_a_differential_equation(text: str) -> None:
    eq = Equations(text)["v"]
    assert (eq.kind, eq.expr) == (DIFFERENTIAL, parse("-v/tau"))


def test_names_that_only_look_like_a_derivative() -> None:
    eqs = Equations("delta = d_v/dtau : 1\nd : 1\ndv : 1")
    assert {name: eq.kind for name, eq in eqs.items()} == {"delta": SUBEXPRESSION, "d": PARAMETER, "dv": PARAMETER}


@pytest.mark.parametrize(("kind", "flag"), [(kind, flag) for kind, flags in FLAGS.items() for flag in sorted(flags)])
def test_flags_of_each_kind(kind: str, flag: str) -> None:
    line = {DIFFERENTIAL: "dx/dt = -x/ms : 1", SUBEXPRESSION: "x = 2*y : 1", PARAMETER: "x : 1"}[kind]
    assert Equations(f"{line} ( {flag.replace(' ', '  ')} )")["x"].flags == {flag}


def test_subexpressions_come_before_those_that_use_them() -> None:
    eqs = Equations("a = b + c : 1\nb = c*2 : 1\nc = x : 1\ndx/dt = a/ms : 1")
    assert list(eqs.subexpressions) == ["c", "b", "a"]
    assert render(eqs.inlined()["x"]) == "(x * 2 + x) / ms"


def test_stored_subexpressions_stay_names() -> None:
    eqs = Equations("a = rand() : 1 (constant over dt)\ndx/dt = a/ms : 1")
    assert render(eqs.inlined()["x"]) == "a / ms"


def test_noise() -> None:
    eqs = Equations("I = s*xi_1 : 1\ndv/dt = -v/ms + I + xi*ms**-0.5 : 1\ndw/dt = xi_1 - xi_b : 1")
    assert sorted(eqs.noise) == ["xi", "xi_1", "xi_b"]
    assert second.dim**-0.5 == NOISE_DIM
    assert [is_noise(name) for name in ("xi", "xi_2", "xis", "x")] == [True, True, False, False]
    assert is_stateful(parse("1 + rand()"))
    assert not is_stateful(parse("exp(rand_0)"))


# ---- adding and replacing -----------------------------------------------------------------------


def test_models_add_up() -> None:
    both = Equations("dv/dt = (I - v)/tau : volt  # membrane") + "# input\nI : volt" + Equations("tau : second")
    assert str(both) == "dv/dt = (I - v) / tau : volt\nI : volt\ntau : second"
    assert str("x : 1" + Equations("y : 1")) == "x : 1\ny : 1"


def test_places_stay_true_in_a_sum() -> None:
    both = Equations("dv/dt = (a   # one\n  - v)/tau : volt  # membrane") + Equations(
        "\n# more\n  x   =  b*c : 1 # two\n"
    )
    text = both.source.text
    for eq in both.values():
        assert Equations(text[eq.span[0] : eq.span[1]])[eq.name] == eq
    c = both["x"].expr.right  # type: ignore[union-attr]
    assert text[c.span[0] : c.span[1]] == "c"


def test_renaming_and_values() -> None:
    leak = Equations("dv/dt = (E - v)/tau + s*v : volt", v="vm", E=-70 * mV, tau=10 * ms, s="1/tau_s")
    assert list(leak) == ["vm"]
    assert str(leak) == "dvm/dt = (-0.07 * volt - vm) / (0.01 * second) + 1 / tau_s * vm : volt"


def test_two_names_change_places() -> None:
    assert (
        str(Equations("da/dt = b/ms : 1\ndb/dt = -a/ms : 1", a="b", b="a")) == "db/dt = a / ms : 1\nda/dt = -b / ms : 1"
    )


def test_numbers_without_unit() -> None:
    assert Equations("x = n*y : 1", n=-2)["x"].expr == parse("-2.0*y")


def test_renaming_to_a_name_that_exists_is_an_error() -> None:
    with pytest.raises(EquationError, match="'b' is defined twice"):
        Equations("a : 1\nb : 1", a="b")


def test_a_model_is_a_mapping() -> None:
    eqs = Equations("a : 1\nb : 1")
    assert (len(eqs), "a" in eqs, "c" in eqs) == (2, True, False)
    assert Equations(eqs) == eqs
    assert eqs["b"] == Equation(PARAMETER, "b", DIMENSIONLESS, "float", unit_text="1")


# ---- printing and reading back ------------------------------------------------------------------

_NAMES = st.sampled_from(["p", "q", "tau", "gmax"])
_EXPRESSIONS: st.SearchStrategy[Expr] = st.recursive(
    st.one_of(_NAMES.map(Name), st.floats(0, 1e6).map(Number), st.integers(0, 99).map(Number)),
    lambda inner: st.one_of(
        st.builds(Unary, st.just("-"), inner),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "%", "**"]), inner, inner),
        st.builds(Call, st.just("exp"), inner.map(lambda part: (part,))),
    ),
    max_leaves=8,
)
_UNITS = st.sampled_from(["1", "volt", "siemens/meter**2", "amp*second**-1", "1/second", "volt**(1/3)"])


@st.composite
def _lines(draw: st.DrawFn, name: str) -> str:
    kind = draw(st.sampled_from([DIFFERENTIAL, SUBEXPRESSION, PARAMETER]))
    flags = draw(st.sets(st.sampled_from(sorted(FLAGS[kind])), max_size=2)) - {"event-driven"}
    blank = draw(st.sampled_from(["", " ", "   "]))
    end = f"{blank}({', '.join(sorted(flags))})" if flags else ""
    comment = draw(st.sampled_from(["", "  # comment: with a colon (and more)", "\n\n# a line of its own\n"]))
    unit = draw(_UNITS)
    if kind == PARAMETER:
        return f"{name}{blank}:{blank}{unit}{end}{comment}"
    left = f"d{name}/dt" if kind == DIFFERENTIAL else name
    text = render(draw(_EXPRESSIONS))
    # A line may be broken at any blank.
    if draw(st.booleans()):
        text = text.replace(" ", "\n   ", 1)
    return f"{blank}{left}{blank}={blank}{text}{blank}:{blank}{unit}{end}{comment}"


@given(st.tuples(*(_lines(name) for name in ("v", "w", "x1"))))
@settings(max_examples=200)
def test_a_printed_model_is_the_model(lines: tuple[str, ...]) -> None:
    eqs = Equations("\n".join(lines))
    assert list(eqs) == ["v", "w", "x1"]
    again = Equations(str(eqs))
    assert dict(again) == dict(eqs)
    assert str(again) == str(eqs)
    first, *rest = lines
    assert dict(Equations(first) + "\n".join(rest)) == dict(eqs)
