import numpy as np
import pytest
from integrators.evaluate import run, system

from jaxsnn.equations.dimensions import Symbol, infer
from jaxsnn.equations.expressions import Number, parse
from jaxsnn.equations.statements import Assign, parse_block
from jaxsnn.equations.system import NOISE_DIM, Equations
from jaxsnn.errors import ArgumentError, EquationError
from jaxsnn.integrators import AUTOMATIC, INTEGRATORS, Integrator, OdeSystem, integrate
from jaxsnn.units import second, volt

LEAK = "dv/dt = -v/tau : 1"
AUTOMATIC_CASES = {
    "dv/dt = -v/tau : 1": ("exact", "exact: the equations are linear with coefficients"),
    "dv/dt = a : 1": ("exact", "exact: the equations are linear"),
    "dv/dt = w : 1\ndw/dt = -v : 1": ("exact", "exact: the equations are linear"),
    "dv/dt = -v**2/tau : 1": (
        "euler",
        "euler: exact refuses because dv/dt is not linear in v (term v ** 2); first order in dt",
    ),
    "dv/dt = -v/tau + xi : 1": (
        "euler",
        "euler: exact refuses because dv/dt contains the noise xi;",
    ),
    "dv/dt = -v/tau + v*xi : 1": (
        "heun",
        "heun: exact refuses because dv/dt contains the noise xi; euler refuses because the noise"
        " in dv/dt is multiplicative: the factor of xi, v, depends on v; takes multiplicative",
    ),
}


@pytest.mark.parametrize("text, expected", AUTOMATIC_CASES.items())
def test_automatic_choice_says_why(text, expected):
    found = integrate(system(text))
    assert found.method == expected[0]
    assert found.reason.startswith(expected[1])
    assert found == integrate(system(text), AUTOMATIC)


def test_where_nothing_fits():
    with pytest.raises(EquationError, match=r"none of the methods.*exact refuses.*rk2 refuses"):
        integrate(system("dv/dt = -v + xi : 1"), ["exact", "rk2"])
    with pytest.raises(ArgumentError, match="names no method"):
        integrate(system(LEAK), ())


def test_names_of_methods():
    assert set(INTEGRATORS) == {
        "exact", "linear", "euler", "rk2", "rk4", "heun", "milstein", "exponential_euler",
    }  # fmt: skip
    assert integrate(system(LEAK), "linear").method == "exact"
    with pytest.raises(ArgumentError, match=r"there is no method 'eular' .* Did you mean 'euler'\?"):
        integrate(system(LEAK), "eular")
    with pytest.raises(ArgumentError, match="no method 'gsl_msadams'"):
        integrate(system(LEAK), "gsl_msadams")


@pytest.mark.parametrize("integrator", INTEGRATORS.values(), ids=INTEGRATORS)
def test_every_method_says_what_it_is(integrator):
    assert integrator.reason
    assert integrator.source
    assert integrator.order is None or integrator.order >= 1


def test_nothing_to_integrate():
    found = integrate(OdeSystem({}, {}))
    assert found.statements == ()
    assert found.method == "none"


def test_methods_of_the_user():
    def broken(model):
        return [1]

    def text(model):
        return "\n".join(f"{name} = {name}*exp(-dt/tau)" for name in model.rhs)

    def statements(model):
        return parse_block(text(model))

    for method in (text, statements):
        found = integrate(system(LEAK), method)
        assert found.method == method.__name__
        new = run(found.statements, {"v": 1.0}, {"tau": 2.0}, 0.5)
        np.testing.assert_allclose(new["v"], np.exp(-0.25))

    picky = Integrator("picky", lambda model: "it never does", lambda model: ())
    with pytest.raises(EquationError, match=r"method='picky' cannot integrate .* it never does"):
        integrate(system(LEAK), picky)
    with pytest.raises(ArgumentError, match=r"the method broken has to return statements .* not int"):
        integrate(system(LEAK), broken)


def test_equations_without_text_have_no_caret():
    model = OdeSystem({"v": parse("v*v")}, {})
    with pytest.raises(EquationError) as caught:
        integrate(model, "exact")
    assert "^" not in str(caught.value)


def test_zero_right_side_keeps_the_value():
    for method in INTEGRATORS:
        model = OdeSystem({"v": Number(0), "w": parse("-w/tau")}, {})
        new = run(integrate(model, method).statements, {"v": 3.0, "w": 1.0}, {"tau": 1.0}, 0.1)
        assert new["v"] == 3
        assert 0.8 < new["w"] < 1


# ---- all statements have dimensions that fit ----------------------------------------------------

MODELS = {
    "linear": """
        dv/dt = (ge - (v - El))/taum + I/C : volt
        dge/dt = (h - ge)/taue : volt
        dh/dt = -h/taue : volt
        El : volt
        taum : second
        taue : second
        I : amp
        C : farad""",
    "noisy": """
        dv/dt = (El - v)/taum + s*taum**-0.5*xi : volt
        du/dt = -u/taum + u*taum**-0.5*xi_2 : 1
        El : volt
        taum : second
        s : volt""",
    "ramp": """
        dx/dt = v : volt*second
        dv/dt = a : volt
        dy/dt = x/taum : volt*second
        a : volt/second
        taum : second""",
}


@pytest.mark.parametrize("method", ["exact", "euler", "rk2", "rk4", "heun", "milstein", "exponential_euler"])
@pytest.mark.parametrize("model", MODELS)
def test_dimensions_of_all_statements_fit(model, method):
    equations = Equations(MODELS[model])
    scope = {eq.name: Symbol("float", eq.dim) for eq in equations.values()}
    scope |= {"t": Symbol("float", second.dim), "dt": Symbol("float", second.dim)}
    scope |= {xi: Symbol("float", NOISE_DIM) for xi in equations.noise}
    found = OdeSystem(equations.inlined(), scope, equations.source)
    if INTEGRATORS[method].refuses(found):
        assert model == "noisy"
        return
    for statement in integrate(found, method).statements:
        assert isinstance(statement, Assign)
        inferred = infer(statement.expr, scope)
        known = scope.setdefault(statement.target, inferred)
        assert known.dim == inferred.dim, str(statement)
    assert scope["_v"].dim == scope["v"].dim
    assert volt.dim == scope["v"].dim
