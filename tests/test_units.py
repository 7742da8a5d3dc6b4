"""Units: dimension algebra, arithmetic of quantities, NumPy, texts, and the checks of arguments."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxsnn.units as units
from jaxsnn.errors import DimensionError, JaxsnnError
from jaxsnn.units import (
    DIMENSIONLESS,
    UNITS,
    Dimension,
    Mohm,
    Quantity,
    Unit,
    amp,
    check_units,
    cm,
    constants,
    get_dimensions,
    have_same_dimensions,
    in_unit,
    is_dimensionless,
    kelvin,
    metre,
    mM,
    mol,
    ms,
    mV,
    nA,
    nS,
    ohm,
    quantity,
    second,
    siemens,
    strip,
    um,
    um2,
    unit_text,
    uS,
    volt,
)

fractions = st.fractions(min_value=-6, max_value=6, max_denominator=12)
dimensions = st.tuples(*[fractions] * 7).map(Dimension)


# --- dimensions ---------------------------------------------------------------------------


@given(dimensions, dimensions)
def test_dimensions_form_a_commutative_group(a, b):
    assert a * b == b * a
    assert (a * b) / b == a
    assert (a / a).is_dimensionless
    assert hash(a * b) == hash(b * a)


@given(dimensions, st.integers(1, 20), st.integers(1, 20))
def test_powers_of_dimensions_undo_each_other_exactly(a, p, q):
    assert (a ** Fraction(p, q)) ** Fraction(q, p) == a
    assert (a ** (p / q)) == a ** Fraction(p, q)  # a float power finds its fraction


def test_a_power_that_is_no_fraction_is_refused():
    with pytest.raises(DimensionError, match=r"a fraction such as 2"):
        volt.dim**np.pi
    with pytest.raises(DimensionError):
        volt.dim ** float("nan")


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (volt.dim, "volt"),
        (amp.dim, "amp"),
        ((volt * amp).dim, "watt"),
        ((1 / second).dim, "hertz"),
        ((siemens / metre**2).dim, "kg^-1 m^-4 s^3 A^2"),
        (volt.dim ** 2, "kg^2 m^4 s^-6 A^-2"),
        (second.dim ** -0.5, "s^(-1/2)"),
        (DIMENSIONLESS, "1"),
    ],
)  # fmt: skip
def test_dimension_prints_by_name_or_in_si(dim, text):
    assert str(dim) == text


@pytest.mark.parametrize("unit", [volt, siemens / metre**2, second**-0.5, um2, mM, mol / second])
def test_unit_text_reads_back_to_the_same_dimension(unit):
    dim = DIMENSIONLESS
    for sign, factor in zip((1, -1), unit_text(unit.dim).replace("**", "^").split("/"), strict=False):
        for part in factor.split("*"):
            name, _, power = part.partition("^")
            dim = dim * UNITS[name].dim ** (sign * float(power or 1))
    assert dim == unit.dim


# --- the table of units ---------------------------------------------------------------------


def test_derived_units_follow_from_their_definitions():
    joule, newton, kilogram = UNITS["joule"], UNITS["newton"], UNITS["kilogram"]
    assert newton == kilogram * metre / second**2
    assert joule == newton * metre
    assert volt == joule / UNITS["coulomb"]
    assert UNITS["farad"] == UNITS["coulomb"] / volt
    assert ohm * siemens == 1.0
    assert UNITS["henry"] == UNITS["weber"] / amp
    assert UNITS["tesla"] == UNITS["weber"] / metre**2
    assert UNITS["liter"] == UNITS["dmetre3"]
    assert UNITS["molar"].value == pytest.approx((mol / UNITS["liter"]).value, rel=1e-15)


def test_prefixes_scale_and_powers_scale_with_the_power():
    assert (UNITS["mvolt"].value, UNITS["Mohm"].value, UNITS["dametre"].value) == (1e-3, 1e6, 10.0)
    assert UNITS["cmetre2"].value == 1e-4
    assert UNITS["umetre3"].value == 1e-18
    assert UNITS["mV"] is UNITS["mvolt"]
    assert {"mV", "nS", "volt", "cm2", "metre2", "molar", "usecond", "kilogram"} <= set(UNITS)
    assert set(UNITS) <= set(units.__all__)


def test_agrees_with_every_unit_of_brian2():
    pytest.importorskip("brian2")
    from brian2.units import allunits, stdunits
    from brian2.units.fundamentalunits import Unit as BrianUnit

    theirs = {
        name: unit
        for module in (allunits, stdunits)
        for name, unit in vars(module).items()
        if isinstance(unit, BrianUnit) and name != "unit"  # a variable left over by a loop
    }
    assert len(theirs) > 2000
    assert sorted(set(theirs) - set(UNITS)) == []
    for name, unit in theirs.items():
        assert UNITS[name].value == pytest.approx(float(unit), rel=1e-14), name
        assert UNITS[name].dim.exponents == tuple(unit.dim._dims), name


def test_unknown_unit_suggests_close_names():
    with pytest.raises(AttributeError, match=r"no unit 'mvlot'; did you mean mvolt"):
        _ = units.mvlot


@pytest.mark.parametrize("number", [20, np.array([20.0]), 3 * mV])
def test_celsius_explains_itself(number):
    with pytest.raises(DimensionError, match="zero_celsius"):
        number * units.celsius


def test_constants_agree_with_scipy():
    scipy_constants = pytest.importorskip("scipy.constants")
    names = {
        "avogadro_constant": "Avogadro constant",
        "boltzmann_constant": "Boltzmann constant",
        "electric_constant": "vacuum electric permittivity",
        "electron_mass": "electron mass",
        "elementary_charge": "elementary charge",
        "faraday_constant": "Faraday constant",
        "gas_constant": "molar gas constant",
        "magnetic_constant": "vacuum mag. permeability",
        "molar_mass_constant": "molar mass constant",
    }
    assert {*names, "zero_celsius"} == set(constants.__all__)
    for ours, theirs in names.items():
        # SciPy's edition of CODATA may be older: the measured ones moved by less than 1e-8.
        assert getattr(constants, ours).value == pytest.approx(scipy_constants.value(theirs), rel=1e-8), ours


def test_nernst_potential_of_potassium():
    """E = RT/F ln(out/in), by hand 8.314463 * 293.15 / 96485.33 V = 25.2618 mV, times -3.583519."""
    temperature = 20 * kelvin + constants.zero_celsius
    slope = constants.gas_constant * temperature / constants.faraday_constant
    assert slope / mV == pytest.approx(25.2618, abs=1e-4)
    assert (slope * np.log(5.5 * mM / (198 * mM))) / mV == pytest.approx(-90.526, abs=1e-3)


# --- arithmetic -----------------------------------------------------------------------------


def test_numbers_lists_and_arrays_take_a_unit_from_either_side():
    for q in ([1, 2] * mV, mV * [1, 2], np.array([1, 2]) * mV, mV * np.array([1, 2])):
        assert isinstance(q, Quantity)
        np.testing.assert_allclose(q.value, [1e-3, 2e-3], rtol=1e-15)
        assert q.value.dtype == np.float64
    for three in (3, 3.0, np.float64(3), np.int32(3), np.float32(3), Fraction(3)):
        assert (three * mV).value == pytest.approx(3e-3, rel=1e-15)
        assert type((three * mV).value) is float
    assert (5 / ms).dim == UNITS["hertz"].dim
    assert (5 / ms).value == 5000.0


def test_results_without_dimension_are_plain():
    assert type(3 * mV / mV) is float
    assert type(np.array([1.0]) * mV / volt) is np.ndarray
    assert type(mV / volt) is float
    assert type(np.sum([1, 2] * mV) / mV) is float
    assert 7 * mV // (2 * mV) == 3.0
    quotient, rest = divmod(7 * mV, 2 * mV)
    assert (quotient, rest / mV) == (3.0, pytest.approx(1.0))


def test_ohms_law_and_membrane_time_constant():
    assert (2 * nA * 3 * Mohm).in_unit(mV) == "6 mV"
    assert 100 * Mohm * (200 * units.pF) / ms == pytest.approx(20)
    assert ((uS / cm**2) * (20000 * um2)).in_unit(nS) == "0.2 nS"


@pytest.mark.parametrize("zero", [0, 0.0, np.inf, -np.inf, np.nan, np.zeros(2)])
def test_zero_infinity_and_nan_go_with_every_dimension(zero):
    q = 3 * mV
    assert (q + zero).dim == volt.dim
    assert (zero - q).dim == volt.dim
    assert np.maximum(q, zero).dim == volt.dim
    assert np.all((q > zero) == (zero < 0.003))


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: 3 * mV + 2 * ms,
        lambda: 3 * mV - 2,
        lambda: 1 + 3 * mV,
        lambda: 3 * mV < 2 * ms,
        lambda: 3 * mV >= 2,
        lambda: 3 * mV % 2,
        lambda: 7 * mV // 2,  # would depend on the unit that the volts are counted in
        lambda: 2 ** (3 * mV),
        lambda: (3 * mV) ** np.array([1, 2]),
        lambda: (3 * mV) ** (2 * mV),
        lambda: np.array([1.0, 2.0]) + 3 * mV,
        lambda: np.exp(3 * mV),
        lambda: np.arctan2(3 * mV, 2 * ms),
        lambda: [1 * mV, 2 * ms] * volt,
        lambda: float(3 * mV),
        lambda: int(3 * mV),
        lambda: np.array(3 * mV),
        lambda: np.asarray([1, 2] * mV),
        lambda: np.array([1 * mV, 2 * mV]),
        lambda: np.concatenate([[1] * mV, [2] * ms]),
        lambda: np.concatenate([[1] * mV, [2.0]]),
        lambda: np.where([True], 1 * mV, 2 * ms),
        lambda: np.clip([1, 2] * mV, 0 * ms, 1 * ms),
        lambda: np.linspace(0 * mV, 1 * ms, 3),
        lambda: np.fft.fft([1, 2] * mV),
        lambda: np.prod([1, 2] * mV),
        lambda: np.multiply.reduce([1, 2] * mV),
        lambda: np.allclose([1, 2] * mV, [1, 2] * ms),
        lambda: (3 * mV).in_unit(ms),
    ],
)
def test_dimensions_that_do_not_fit_are_errors(mistake):
    with pytest.raises(DimensionError):
        mistake()


def test_error_names_both_sides_and_is_a_type_error():
    with pytest.raises(DimensionError) as caught:
        3 * mV + 2 * ms
    assert str(caught.value) == "cannot add 3 mV (volt) and 2 ms (second)"
    assert isinstance(caught.value, (JaxsnnError, TypeError))
    with pytest.raises(TypeError, match=r"cannot compare 3 mV \(volt\) and 2 \(no unit\); .*3\*mV"):
        _ = 3 * mV < 2


def test_equality_never_raises_and_agrees_with_hash():
    assert 3 * mV == 0.003 * volt
    assert hash(1 * mV) == hash(0.001 * volt)
    assert 3 * mV != 3 * ms
    assert (3 * mV == 0.003) is False
    assert 0 * mV == 0
    assert hash(0 * mV) == hash(0)
    assert (3 * mV == "3 mV") is False
    np.testing.assert_array_equal([1, 2] * mV == 2 * mV, [False, True])
    np.testing.assert_array_equal(np.array([1.0, 2.0]) == [1, 2] * mV, [False, False])
    assert {5 * ms: "refractory"}[0.005 * second] == "refractory"
    with pytest.raises(TypeError, match="not hashable"):
        hash([1, 2] * mV)


def test_powers():
    assert ((3 * mV) ** 2).dim == volt.dim**2
    assert (4 * volt**2) ** 0.5 == 2 * volt
    assert (8 * metre**3) ** Fraction(1, 3) == 2 * metre
    assert (second**-0.5).dim.exponents[2] == Fraction(-1, 2)
    assert ((3 * mV / volt) ** 2) == pytest.approx(9e-6)


def test_rounding_and_sign_keep_the_dimension():
    assert round(2.6 * volt) == 3 * volt
    assert abs(-3 * mV) == 3 * mV
    assert -(3 * mV) == +(-3 * mV)
    assert bool(3 * mV)
    assert not 0 * mV


# --- arrays and NumPy -----------------------------------------------------------------------


def test_indexing_iteration_and_assignment():
    q = [1, 2, 3] * mV
    assert len(q) == q.size == 3
    assert q.shape == (3,)
    assert q[1] == 2 * mV
    assert [x.in_unit(mV) for x in q] == ["1 mV", "2 mV", "3 mV"]
    q[0] = 7 * mV
    q[1:] = 0
    np.testing.assert_allclose(q.value, [7e-3, 0, 0])
    with pytest.raises(DimensionError, match=r"cannot store 1 ms \(second\) in an array of volt"):
        q[0] = 1 * ms
    with pytest.raises(TypeError):
        len(3 * mV)
    with pytest.raises(TypeError):
        iter(3 * mV)


x = np.array([4.0, 1.0, 9.0])


@pytest.mark.parametrize(
    ("computed", "numbers", "dim"),
    [
        (np.sqrt(x * volt**2), np.sqrt(x), volt.dim),
        (np.square(x * volt), x**2, volt.dim**2),
        (np.abs(-x * volt), x, volt.dim),
        (np.add(x * volt, 1 * volt), x + 1, volt.dim),
        (np.add.reduce(x * volt), 14, volt.dim),
        (np.maximum(x * volt, 2 * volt), [4, 2, 9], volt.dim),
        (np.multiply(x * volt, x * amp), x**2, volt.dim * amp.dim),
        (np.reciprocal(x * second), 1 / x, second.dim**-1),
        (np.hypot(3 * metre, 4 * metre), 5, metre.dim),
        (np.mean(x * volt), 14 / 3, volt.dim),
        (np.sum(x * volt), 14, volt.dim),
        (np.min(x * volt), 1, volt.dim),
        (np.max(x * volt), 9, volt.dim),
        (np.std(x * volt), np.std(x), volt.dim),
        (np.var(x * volt), np.var(x), volt.dim**2),
        (np.median(x * volt), 4, volt.dim),
        (np.percentile(x * volt, 50), 4, volt.dim),
        (np.cumsum(x * volt), [4, 5, 14], volt.dim),
        (np.diff(x * volt), [-3, 8], volt.dim),
        (np.sort(x * volt), [1, 4, 9], volt.dim),
        (np.concatenate([x * volt, [2] * volt]), [4, 1, 9, 2], volt.dim),
        (np.stack([x * volt, x * volt]), [x, x], volt.dim),
        (np.linspace(0 * volt, 1 * volt, 3), [0, 0.5, 1], volt.dim),
        (np.linspace(0, 1 * volt, 3), [0, 0.5, 1], volt.dim),
        (np.clip(x * volt, 2 * volt, 5 * volt), [4, 2, 5], volt.dim),
        (np.where(x > 2, x * volt, 0), [4, 0, 9], volt.dim),
        (np.dot(x * volt, x * amp), 98, volt.dim * amp.dim),
        ((x * volt) @ (x * amp), 98, volt.dim * amp.dim),
        (np.interp(1.5 * ms, [1, 2] * ms, [10, 20] * volt), 15, volt.dim),
        (np.full_like(x * volt, 2 * amp), [2, 2, 2], amp.dim),
        ((x * volt).reshape((3, 1)), x[:, None], volt.dim),
        ((x * volt).mean(), 14 / 3, volt.dim),
    ],
)
def test_numpy_functions_carry_the_dimension(computed, numbers, dim):
    assert computed.dim == dim
    np.testing.assert_allclose(computed.value, numbers, rtol=1e-14)


def test_numpy_functions_with_plain_results():
    assert np.exp(1000 * mV / volt) == pytest.approx(np.e)
    assert np.sin(np.pi / 2 * UNITS["radian"]) == 1.0
    assert np.argmax(x * volt) == 2
    np.testing.assert_array_equal(np.sign(-x * volt), [-1, -1, -1])
    np.testing.assert_array_equal(np.isnan(x * volt), [False] * 3)
    assert np.shape(x * volt) == (3,)
    assert np.arctan2(1 * mV, 1 * mV) == pytest.approx(np.pi / 4)
    values, first = np.unique([2, 1, 2] * volt, return_index=True)
    np.testing.assert_array_equal(values.value, [1, 2])
    np.testing.assert_array_equal(first, [1, 0])


def test_close_means_close_relative_to_the_values():
    assert not np.allclose(1 * nA, 2 * nA)  # NumPy's atol=1e-8 is larger than both
    assert np.allclose(1 * nA, 1.5 * nA, atol=1 * nA)
    assert np.isclose(1 * nA, (1 + 1e-7) * nA)


def test_in_place_results_keep_their_dimension():
    a = np.array([1.0, 2.0])
    with pytest.raises(DimensionError, match="in place"):
        a *= mV
    q = [1, 2] * mV
    np.add(q, 1 * mV, out=q)
    np.testing.assert_allclose(q.value, [2e-3, 3e-3])


class TracedLike:
    """Stands for a tracer: it can be multiplied, and looking at its numbers is an error."""

    aval = "f32[3]"
    shape = (3,)

    def __init__(self, history=""):
        self.history = history

    def __mul__(self, other):
        return TracedLike(f"{self.history}*{other:g}")

    def __rmul__(self, other):
        return TracedLike(f"{other:g}*{self.history}")

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("looked at the numbers of a tracer")


def test_traced_values_are_never_looked_at():
    q = Quantity(TracedLike("t"), volt.dim)
    assert (q * mV).value.history == "t*0.001"
    assert (mV * q).dim == volt.dim**2
    assert strip(q, volt.dim, "v").history == "t"
    assert strip(TracedLike("t"), DIMENSIONLESS, "w").history == "t"
    with pytest.raises(DimensionError, match=r"v needs volt, got a traced array of shape \(3,\)"):
        strip(TracedLike(), volt.dim, "v")
    with pytest.raises(DimensionError):
        q + 1 * ms


# --- texts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (mV, "mV"),
        (volt, "V"),
        (mV / ms, "mV/ms"),
        (ms**-1, "ms^-1"),
        (uS / cm**2, "uS/cm^2"),
        (nA / (mV * ms), "nA/(mV ms)"),
        (um2, "um^2"),
        (20 * mV, "20 mV"),
        (0.02 * volt, "20 mV"),
        (-70 * mV, "-70 mV"),
        (1500 * second, "1500 s"),
        (1 / ms, "1 kHz"),
        (0 * volt, "0 V"),
        (np.inf * second, "inf s"),
        ([1, 2, 3] * mV, "[1 2 3] mV"),
        ([0.5, 2000] * mV, "[0.0005 2] V"),
        (3 * mM, "3 mM"),
        (20 * um, "20 um"),
        (5e-12 * UNITS["kilogram"], "5 ng"),
        (10 * siemens / metre**2, "10 S/m^2"),
        (70 * ohm * cm, "700 mohm m"),
        (3 * second**-0.5, "3 s^(-1/2)"),
    ],
)
def test_repr_chooses_a_readable_unit(value, text):
    assert repr(value) == text
    assert f"{value}" == text


def test_format_spec_applies_to_the_number():
    assert f"{0.0123456 * volt:.2f}" == "12.35 mV"


def test_in_unit():
    assert (0.0201 * volt).in_unit(mV) == "20.1 mV"
    assert (2 * mV / ms).in_unit(volt / second) == "2 V/s"
    assert (1 / 3 * volt).in_unit(mV, precision=3) == "333 mV"
    assert in_unit(0.1 * siemens / metre**2, uS / cm**2) == "10 uS/cm^2"


@given(
    st.floats(-1e6, 1e6).filter(lambda number: abs(number) > 1e-6),
    st.sampled_from(sorted(UNITS)),
)
def test_in_unit_reads_back(number, name):
    unit = UNITS[name]
    written = Quantity(number * unit.value, unit.dim).in_unit(unit, precision=17)
    # Three roundings: times the unit, divided by it, and written with 17 digits.
    assert float(written.split()[0]) == pytest.approx(number, rel=1e-15)


# --- copies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [3 * mV, [1.0, 2.0] * mV, mV, uS / cm**2])
def test_pickle_and_copy(value):
    for twin in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):  # noqa: S301
        assert type(twin) is type(value)
        assert np.all(twin == value)
        assert repr(twin) == repr(value)


def test_a_copy_shares_no_memory():
    q = [1, 2] * mV
    twin = q.copy()
    twin[0] = 0
    assert q[0] == 1 * mV


# --- reading what a user passes -----------------------------------------------------------------


def test_quantity_reads_numbers_and_lists():
    assert quantity(3) == 3.0
    assert quantity(3 * mV) == 3 * mV
    np.testing.assert_allclose(quantity([1 * mV, 0.002 * volt, 0]).value, [1e-3, 2e-3, 0])
    np.testing.assert_allclose(quantity([[1, 2] * mV, [3, 4] * mV]).value, [[1e-3, 2e-3], [3e-3, 4e-3]])
    with pytest.raises(DimensionError, match="needs a number, an array or a quantity"):
        quantity("3 mV")


def test_get_dimensions_and_comparisons_of_dimensions():
    assert get_dimensions(3 * mV) == get_dimensions(volt) == get_dimensions(volt.dim) == volt.dim
    assert is_dimensionless(3)
    assert not is_dimensionless([1 * mV])
    assert have_same_dimensions(mV, 3 * volt)
    assert have_same_dimensions(mV, 0)
    assert not have_same_dimensions(mV, 1)


def test_strip_gives_si_floats():
    assert strip(3 * mV, volt.dim, "v") == pytest.approx(3e-3)
    assert type(strip(3, DIMENSIONLESS, "n")) is float
    np.testing.assert_allclose(strip([1 * mV, 2 * mV], volt.dim, "v"), [1e-3, 2e-3])
    assert strip(0, volt.dim, "v") == 0.0
    assert strip(np.inf, second.dim, "t") == np.inf
    np.testing.assert_array_equal(strip(np.zeros(3), volt.dim, "v"), np.zeros(3))


def test_strip_says_what_came_and_what_to_write():
    with pytest.raises(DimensionError) as caught:
        strip(3 * ms, volt.dim, "cells.v")
    assert str(caught.value) == (
        "cells.v needs volt, got 3 ms (second); "
        "write a value times a unit of volt such as 3*mV"
    )  # fmt: skip
    with pytest.raises(DimensionError, match=r"^cells.v needs volt, got 3 \(no unit\)"):
        strip(3, volt.dim, "cells.v")
    with pytest.raises(DimensionError, match=r"^n needs a number without unit, got 3 mV"):
        strip(3 * mV, DIMENSIONLESS, "n")
    with pytest.raises(DimensionError, match=r"^cells.v needs a number"):
        strip("rand()", volt.dim, "cells.v")
    with pytest.raises(DimensionError, match=r"^w: a quantity holds real numbers"):
        strip(np.array([1j]), DIMENSIONLESS, "w")


# --- check_units --------------------------------------------------------------------------------


@check_units(current=amp, resistance=ohm, scale=1, flag=bool, other="current", result=volt)
def drop(current, resistance=1 * Mohm, scale=1, flag=True, other=None):
    """Ohm's law."""
    return current * resistance * scale


def test_check_units_passes_what_fits():
    assert drop(2 * nA, 3 * Mohm) / mV == pytest.approx(6)
    assert drop(current=2 * nA) / mV == pytest.approx(2)
    assert drop(0 * nA) == 0
    assert drop.__doc__ == "Ohm's law."
    assert drop.unit_signature.arguments["current"] == amp.dim
    assert drop.unit_signature.result == volt.dim


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: drop(2 * mV), "argument 'current' of drop needs amp, got 2 mV"),
        (lambda: drop(2), "argument 'current' of drop needs amp"),
        (lambda: drop(2 * nA, scale=3 * mV), "argument 'scale' of drop needs a number"),
        (lambda: drop(2 * nA, flag=3), "argument 'flag' of drop needs True or False"),
        (lambda: drop(2 * nA, other=3 * mV), "argument 'other' of drop needs amp"),
    ],
)
def test_check_units_names_the_argument(call, named):
    with pytest.raises(DimensionError, match=named):
        call()


def test_check_units_of_results():
    root = check_units(area=None, result=lambda dim: dim**0.5)(lambda area: area**0.5)
    assert root(4 * metre**2) == 2 * metre
    wrong = check_units(result=volt)(lambda: 3 * ms)
    with pytest.raises(DimensionError, match="the result of <lambda> needs volt"):
        wrong()
    with pytest.raises(TypeError, match="no argument 'y'"):
        check_units(y=volt)(lambda x: x)


def test_a_unit_is_a_quantity():
    assert isinstance(mV, Unit)
    assert isinstance(mV, Quantity)
    assert (mV.name, mV.symbol, mV.value) == ("mvolt", "mV", 1e-3)
    with pytest.raises(TypeError, match=r"must be a Dimension, such as volt\.dim"):
        Quantity(3, volt)
