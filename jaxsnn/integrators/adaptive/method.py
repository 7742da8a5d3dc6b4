"""The methods with adaptive steps, and their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxsnn.equations.expressions import Call, Expr, Name, children, rebuild
from jaxsnn.equations.functions import FUNCTIONS
from jaxsnn.equations.statements import Adapt, Statement
from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.integrators import contract
from jaxsnn.integrators.adaptive.tableaux import TABLEAUX
from jaxsnn.integrators.contract import Integrator, OdeSystem, Refusal
from jaxsnn.units import DIMENSIONLESS, second, strip

__all__ = ["GSL", "Adaptive"]

GSL: Mapping[str, str] = {
    "gsl": "rkf45",
    "gsl_rkf45": "rkf45",
    "gsl_rkck": "rkck",
    "gsl_rk2": "bs23",
    "gsl_rk4": "rkf45",
    "gsl_rk8pd": "dopri5",
}
"""Brian's names for the methods of the GNU Scientific Library, and what stands for them here."""


@dataclass(frozen=True)
class Adaptive:
    """A Runge-Kutta method that divides each time step until its error is small, for each element by itself.

    Args:
        name: The method: ``"dopri5"``, ``"rkf45"``, ``"rkck"`` (fifth order) or ``"bs23"`` (third order).
        absolute_error: Error allowed in one sub-step, in base units, for all variables.
        absolute_error_per_variable: The same for single variables, with their units: ``{"v": 1*uV}``.
        relative_error: Error allowed in addition, as a part of the value.
        max_steps: Most tries in one time step. Elements that would need more become NaN, which the run reports.
        dt_start: First sub-step that is tried in each time step; the whole step if left out.
        adaptable_timestep: False for one step of this method, whatever its error.

    The derivative is that of the sub-steps as they were taken. In reverse mode every time step is as long as
    ``max_steps`` tries in memory, not in time.

    Example:
        >>> from jaxsnn.equations.expressions import parse
        >>> system = OdeSystem({"v": parse("-v**3 / tau")}, {})
        >>> for statement in Adaptive("dopri5").integrator().statements(system):
        ...     print(statement)
        _v = dopri5([v], [-v ** 3 / tau])
        v = _v

    Raises:
        ArgumentError: for an unknown method or option, and values that make no sense.
    """

    name: str = "dopri5"
    absolute_error: float = 1e-6
    absolute_error_per_variable: Mapping[str, Any] = field(default_factory=dict)
    relative_error: float = 1e-6
    max_steps: int = 100
    dt_start: Any = None
    adaptable_timestep: bool = True

    def __post_init__(self) -> None:
        if self.name not in TABLEAUX:
            raise ArgumentError(
                f"there is no adaptive method {self.name!r}; there are {', '.join(map(repr, TABLEAUX))}."
                f"{did_you_mean(self.name, TABLEAUX)}"
            )
        for option in ("absolute_error", "relative_error"):
            value = getattr(self, option)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise ArgumentError(f"{self.name}: {option} is a number of at least 0, in base units; got {value!r}")
        if isinstance(self.max_steps, bool) or not isinstance(self.max_steps, int) or self.max_steps < 1:
            raise ArgumentError(f"{self.name}: max_steps is a whole number of at least 1, got {self.max_steps!r}")

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any] | None) -> Adaptive:
        """A method by one of its names, with the options of a group.

        Raises:
            ArgumentError: for an option that there is not.
        """
        known = {k: v for k, v in (options or {}).items() if k != "use_last_timestep"}  # each step starts anew
        fields = [f for f in cls.__dataclass_fields__ if f != "name"]
        for option in known:
            if option not in fields:
                raise ArgumentError(
                    f"method_options: there is no option {option!r} for {name!r}; there are"
                    f" {', '.join(fields)}.{did_you_mean(option, fields)}"
                )
        return cls(GSL.get(name, name), **known)

    def integrator(self, name: str | None = None) -> Integrator:
        """The method as an `Integrator`; ``name`` under which the user knows it."""
        tableau = TABLEAUX[self.name]
        reason = f"adaptive sub-steps, order {tableau.order}, relative error {self.relative_error:g}"
        if name is not None and name != self.name:
            reason = f"{self.name} stands for {name}; {reason}"
        return Integrator(self.name, _refuses, self.statements, tableau.order, None, reason, tableau.source)

    def statements(self, system: OdeSystem) -> tuple[Statement, ...]:
        """One statement for all variables, and the assignments of the new values."""
        variables = tuple(system.rhs)
        for variable in self.absolute_error_per_variable:
            if variable not in variables:
                raise ArgumentError(
                    f"absolute_error_per_variable: {variable!r} is not integrated; there are {', '.join(variables)}"
                )
        allowed = []
        for variable in variables:
            given = self.absolute_error_per_variable.get(variable, self.absolute_error)
            if variable in self.absolute_error_per_variable:
                dim = system.scope[variable].dim if variable in system.scope else DIMENSIONLESS
                given = strip(given, dim, f"absolute_error_per_variable of {variable!r}")
            allowed.append(float(given))
        first = None if self.dt_start is None else float(strip(self.dt_start, second.dim, "dt_start"))
        if first is not None and not first > 0:
            raise ArgumentError(f"{self.name}: dt_start is a positive time, got {self.dt_start!r}")
        tableau = TABLEAUX[self.name]
        rhs = tuple(_at_substep(system.rhs[v], system) for v in variables)
        scheme = Adapt.Scheme(
            self.name,
            tuple(map(float, tableau.c)),
            tuple(tuple(map(float, row)) for row in tableau.a),
            tuple(map(float, tableau.b)),
            tuple(float(x - y) for x, y in zip(tableau.b, tableau.other, strict=True)),
            tableau.order,
            tuple(allowed),
            float(self.relative_error),
            self.max_steps if self.adaptable_timestep else 0,
            first,
        )
        step = Adapt(tuple(f"_{v}" for v in variables), variables, rhs, scheme)
        return (step, *contract.finish(variables))


def _refuses(system: OdeSystem) -> Refusal | None:
    noisy = contract.refuse_noise(system)
    if noisy is not None:
        return noisy
    for variable, expr in system.rhs.items():
        drawn = contract.stateful_call(expr)
        if drawn is not None:
            return Refusal(
                f"d{variable}/dt draws random numbers ({drawn.function}), which would be others in every sub-step",
                drawn.span,
                "put them into a sub-expression marked (constant over dt)",
            )
    return None


def _at_substep(expr: Expr, system: OdeSystem) -> Expr:
    """The right side at the time of a sub-step, instead of the begin of the step."""
    match expr:
        case Name(id="t"):
            return Name(Adapt.TIME)
        case Call(function=function, args=args) if function not in FUNCTIONS and function not in system.varying:
            # On the grid of the steps: what it gives at their begin holds until their end.
            return rebuild(expr, tuple(a if a == Name("t") else _at_substep(a, system) for a in args))
    return rebuild(expr, tuple(_at_substep(part, system) for part in children(expr)))
