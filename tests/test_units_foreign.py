"""Quantities of Brian2, Pint and saiunit are read by their SI values."""

import numpy as np
import pytest

from jaxsnn.errors import DimensionError
from jaxsnn.units import (
    DIMENSIONLESS,
    Quantity,
    get_dimensions,
    kelvin,
    metre,
    ms,
    mV,
    nS,
    quantity,
    siemens,
    strip,
    um2,
    volt,
)


def check(foreign, ours):
    """`foreign` reads as `ours`."""
    read = quantity(foreign)
    assert isinstance(read, Quantity)
    assert read.dim == ours.dim == get_dimensions(foreign)
    np.testing.assert_allclose(read.value, ours.value, rtol=1e-14)
    np.testing.assert_allclose(strip(foreign, ours.dim, "x"), ours.value, rtol=1e-14)
    with pytest.raises(DimensionError, match=r"^x needs"):
        strip(foreign, ours.dim * volt.dim, "x")


def test_brian2():
    b2 = pytest.importorskip("brian2")
    check(3 * b2.mV, 3 * mV)
    check(b2.mV, 1 * mV)
    check([1, 2, 3] * b2.nS, [1, 2, 3] * nS)
    check(2 * b2.siemens / b2.metre**2, 2 * siemens / metre**2)
    check([1 * b2.mV, 2 * mV], [1, 2] * mV)
    assert strip(3 * b2.mV / b2.mV, DIMENSIONLESS, "x") == 3.0


def test_brian2_and_our_quantities_add():
    b2 = pytest.importorskip("brian2")
    assert 3 * mV + 2 * b2.mV == 5 * mV
    with pytest.raises(DimensionError, match="cannot add"):
        3 * mV + 2 * b2.ms


def test_variable_of_a_brian2_group():
    b2 = pytest.importorskip("brian2")
    group = b2.NeuronGroup(3, "v : volt", codeobj_class=None)
    group.v = [1, 2, 3] * b2.mV
    check(group.v, [1, 2, 3] * mV)


def test_pint():
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry()
    check(3 * registry.mV, 3 * mV)
    check(registry.millisecond, 1 * ms)
    check(np.array([1.0, 2.0]) * registry.nanosiemens, [1, 2] * nS)
    check(registry.Quantity(20.0, "degC"), 293.15 * kelvin)
    check(2 * registry.volt**0.5, Quantity(2.0, volt.dim**0.5))
    assert strip(50 * registry.percent, DIMENSIONLESS, "p") == pytest.approx(0.5)
    with pytest.raises(DimensionError, match="which SI does not have"):
        quantity(3 * registry.pixel)


def test_pint_with_other_base_units():
    """A registry may count in grams and centimetres; what we read is SI all the same."""
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry(system="cgs")
    check(3 * registry.mV, 3 * mV)


def test_saiunit():
    u = pytest.importorskip("saiunit")
    check(3 * u.mV, 3 * mV)
    check(u.mV, 1 * mV)
    check(np.array([1.0, 2.0]) * u.nS, [1, 2] * nS)
    check(5.0 * u.um2, 5 * um2)


def test_saiunit_values_on_a_device_stay_there():
    u = pytest.importorskip("saiunit")
    jax = pytest.importorskip("jax")
    values = jax.numpy.array([1.0, 2.0])
    read = quantity(values * u.mV)
    assert isinstance(read.value, jax.Array)
    np.testing.assert_allclose(np.asarray(read.value), [1e-3, 2e-3], rtol=1e-6)


def test_jax_arrays_and_tracers_take_our_units():
    jax = pytest.importorskip("jax")
    values = jax.numpy.array([1.0, 2.0])
    for q in (values * mV, mV * values):
        assert isinstance(q.value, jax.Array)
        assert q.dim == volt.dim
    assert repr(values * mV / ms) == f"{values * 1e-3 / 1e-3} V/s"
    doubled = jax.jit(lambda v: (v * mV + v * mV) / volt)(values)
    np.testing.assert_allclose(np.asarray(doubled), [2e-3, 4e-3], rtol=1e-6)
    slope = jax.grad(lambda v: (v * mV) ** 2 / volt**2)(3.0)
    assert float(slope) == pytest.approx(6e-6, rel=1e-5)
    scaled = jax.jit(lambda v, unit: v * unit / volt, static_argnums=1)(values, 5 * mV)
    np.testing.assert_allclose(np.asarray(scaled), [5e-3, 1e-2], rtol=1e-6)
