"""The same equations stepped by Brian2, with the same noise where there is noise."""

import numpy as np
import pytest
from integrators.evaluate import run, system

from jaxsnn.integrators import integrate

DT = 1e-5  # the explicit methods need it for Hodgkin and Huxley's equations
STEPS = 50

LINEAR = """
dv/dt = (ge - gi - (v - El))/taum : 1
dge/dt = (h - ge)/taue : 1
dh/dt = -h/taue : 1
dgi/dt = -gi/taui : 1
"""
HODGKIN_HUXLEY = """
dv/dt = (0.3*(10.613 - v) + 120*m**3*h*(115 - v) + 36*n**4*(-12 - v) + El)/ms : 1
dm/dt = (0.1*(25 - v)/(exp((25 - v)/10) - 1)*(1 - m) - 4*exp(-v/18)*m)/ms : 1
dh/dt = (0.07*exp(-v/20)*(1 - h) - h/(exp((30 - v)/10) + 1))/ms : 1
dn/dt = (0.01*(10 - v)/(exp((10 - v)/10) - 1)*(1 - n) - 0.125*exp(-v/80)*n)/ms : 1
"""
IN_TIME = """
dv/dt = (sin(t/taue) - v)/taum : 1
dw/dt = cos(w*v - t/taui)/taum : 1
"""
NOISY = """
dv/dt = (El - v)/taum + s*taum**-0.5*xi : 1
dw/dt = (v - w)/taum : 1
"""
MULTIPLICATIVE = """
dv/dt = (w - v)/taum + v*taum**-0.5*xi : 1
dw/dt = -w/taum : 1
"""
SHARED = """
dv/dt = (w - v)/taum + (v + w)*taum**-0.5*xi_one : 1
dw/dt = -w/taum + v*w*taum**-0.5*xi_one : 1
"""
CONSTANTS = {"El": 0.7, "taum": 20e-3, "taue": 5e-3, "taui": 10e-3, "s": 0.3, "ms": 1e-3}

CASES = [
    (LINEAR, "exact"),
    (LINEAR, "euler"),
    (LINEAR, "rk4"),
    (LINEAR, "exponential_euler"),
    (HODGKIN_HUXLEY, "euler"),
    (HODGKIN_HUXLEY, "rk2"),
    (HODGKIN_HUXLEY, "rk4"),
    (HODGKIN_HUXLEY, "exponential_euler"),
    (HODGKIN_HUXLEY, "heun"),
    (HODGKIN_HUXLEY, "milstein"),
    (IN_TIME, "euler"),
    (IN_TIME, "rk2"),
    (IN_TIME, "rk4"),
    (IN_TIME, "heun"),
    (NOISY, "euler"),
    (NOISY, "heun"),
    (NOISY, "milstein"),
    (MULTIPLICATIVE, "heun"),
    (SHARED, "heun"),
]


@pytest.mark.parametrize("text, method", CASES)
def test_same_values_as_brian(brian, text, method):
    brian.defaultclock.dt = DT * brian.second
    ours = system(text)
    start = {name: np.array([0.1, 0.3]) + 0.05 * k for k, name in enumerate(ours.rhs)}

    group = brian.NeuronGroup(
        2,
        text,
        method=method,
        namespace={
            name: number if name in ("El", "s") else number * brian.second
            for name, number in CONSTANTS.items()
            if name != "ms"
        },
    )
    for name, value in start.items():
        setattr(group, name, value)
    np.random.seed(4)  # noqa: NPY002 -- what Brian2's NumPy code draws from
    brian.Network(group).run(STEPS * DT * brian.second)

    np.random.seed(4)  # noqa: NPY002
    drawn = np.random.randn(STEPS, 2) * np.sqrt(DT)  # noqa: NPY002
    noise = {"xi": drawn, "xi_one": drawn}
    new = run(integrate(ours, method).statements, start, CONSTANTS, DT, STEPS, noise)
    for name in start:
        np.testing.assert_allclose(new[name], getattr(group, name + "_"), rtol=1e-12, err_msg=name)
