"""Physical constants.

Source: E. Tiesinga, P. J. Mohr, D. B. Newell, B. N. Taylor, "The 2022 CODATA Recommended Values
of the Fundamental Physical Constants", NIST, https://physics.nist.gov/constants (2024). Those that
define the SI are exact.
"""

from __future__ import annotations

from jaxsnn.units import dimension as d
from jaxsnn.units.quantity import Quantity

__all__ = [
    "avogadro_constant",
    "boltzmann_constant",
    "electric_constant",
    "electron_mass",
    "elementary_charge",
    "faraday_constant",
    "gas_constant",
    "magnetic_constant",
    "molar_mass_constant",
    "zero_celsius",
]

_AVOGADRO = 6.02214076e23  # exact
_BOLTZMANN = 1.380649e-23  # exact
_CHARGE = 1.602176634e-19  # exact

avogadro_constant = Quantity(_AVOGADRO, d.MOLE**-1)
boltzmann_constant = Quantity(_BOLTZMANN, d.JOULE / d.KELVIN)
electric_constant = Quantity(8.8541878188e-12, d.FARAD / d.METRE)
electron_mass = Quantity(9.1093837139e-31, d.KILOGRAM)
elementary_charge = Quantity(_CHARGE, d.COULOMB)
faraday_constant = Quantity(_AVOGADRO * _CHARGE, d.COULOMB / d.MOLE)  # exact
gas_constant = Quantity(_AVOGADRO * _BOLTZMANN, d.JOULE / d.MOLE / d.KELVIN)  # exact
magnetic_constant = Quantity(1.25663706127e-6, d.NEWTON / d.AMPERE**2)
molar_mass_constant = Quantity(1.00000000105e-3, d.KILOGRAM / d.MOLE)
zero_celsius = Quantity(273.15, d.KELVIN)  # 0 degrees Celsius, exact
