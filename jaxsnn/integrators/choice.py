"""The methods by name, and the choice among them, with the sentence that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxsnn.equations.statements import Statement, parse_block
from jaxsnn.errors import ArgumentError, EquationError, Source, did_you_mean
from jaxsnn.integrators.adaptive import GSL, TABLEAUX, Adaptive
from jaxsnn.integrators.contract import Integration, Integrator, OdeSystem, Refusal
from jaxsnn.integrators.exact import EXACT
from jaxsnn.integrators.explicit import EULER, HEUN, MILSTEIN, RK2, RK4, ExplicitScheme
from jaxsnn.integrators.exponential import EXPONENTIAL_EULER

__all__ = ["AUTOMATIC", "INTEGRATORS", "Method", "integrate"]

CustomMethod = Callable[[OdeSystem], str | Sequence[Statement]]
Method = str | Integrator | ExplicitScheme | Adaptive | CustomMethod | Sequence[str]

INTEGRATORS: dict[str, Integrator] = {
    **{row.name: row for row in (EXACT, EULER, RK2, RK4, HEUN, MILSTEIN, EXPONENTIAL_EULER)},
    "linear": EXACT,  # Brian's older name
}
"""The integration methods by name."""

AUTOMATIC = ("exact", "euler", "heun")
"""What is tried, in this order, where no method is given."""


def integrate(system: OdeSystem, method: Method | None = None, options: Mapping[str, Any] | None = None) -> Integration:
    """Turn differential equations into the statements of one step.

    Args:
        system: The equations.
        method: A name of `INTEGRATORS`, several names to try in order, an `ExplicitScheme`, an
            `Integrator`, or a function from the system to statements (or to their text). None tries
            `AUTOMATIC`.
        options: Of an adaptive method (see `Adaptive`).

    Raises:
        EquationError: if the method (or each of several) refuses the equations, with its reason.
        ArgumentError: for a method that does not exist.

    Example:
        >>> from jaxsnn.equations.expressions import parse
        >>> system = OdeSystem({"v": parse("(v0 - v)/tau")}, {})
        >>> print(integrate(system))
        # exact: the equations are linear with coefficients that are constant during a step
        _P_v = exp(-1 / tau * dt)
        _Q_v = dt * exprel(-1 / tau * dt)
        _B_v = _Q_v * (v0 / tau)
        _v = _P_v * v + _B_v
        v = _v
    """
    if not system.rhs:
        return Integration("none", (), "none: there is no differential equation")
    if isinstance(method, str) and method in {**TABLEAUX, **GSL}:
        return _one(Adaptive.of(method, options).integrator(method), system)
    if options:
        raise ArgumentError(
            f"method_options {sorted(options)} are for adaptive methods only ({', '.join(map(repr, TABLEAUX))});"
            f" the method is {method!r}"
        )
    if method is None:
        return _first_of(AUTOMATIC, system)
    if isinstance(method, str):
        return _one(_named(method), system)
    if isinstance(method, ExplicitScheme | Adaptive):
        return _one(method.integrator(), system)
    if isinstance(method, Integrator):
        return _one(method, system)
    if callable(method):
        return _custom(method, system)
    if not isinstance(method, list | tuple) or not all(isinstance(name, str) for name in method):
        raise ArgumentError(
            f"method is a name such as 'euler' ({', '.join(map(repr, INTEGRATORS))}), several names to try, a scheme"
            f" object or a function; got {method!r}"
        )
    return _first_of(tuple(method), system)


def _named(name: str) -> Integrator:
    if name in INTEGRATORS:
        return INTEGRATORS[name]
    if name in {**TABLEAUX, **GSL}:
        return Adaptive.of(name, None).integrator(name)
    known = ", ".join(map(repr, [*INTEGRATORS, *TABLEAUX]))
    raise ArgumentError(
        f"there is no method {name!r} (known: {known}).{did_you_mean(name, [*INTEGRATORS, *TABLEAUX, *GSL])}"
    )


def _one(integrator: Integrator, system: OdeSystem) -> Integration:
    refusal = _refusal(integrator, system)
    if refusal is not None:
        message = f"method={integrator.name!r} cannot integrate these equations: {refusal}"
        raise _error("; ".join(filter(None, [message, refusal.advice])), refusal, system)
    statements = tuple(integrator.statements(system))
    return Integration(integrator.name, statements, f"{integrator.name}: {integrator.reason}")


def _first_of(names: tuple[str, ...], system: OdeSystem) -> Integration:
    refusals: list[str] = []
    last = Refusal("")
    for name in names:
        integrator = _named(name)
        refusal = _refusal(integrator, system)
        if refusal is None:
            found = _one(integrator, system)
            why = "; ".join([*refusals, integrator.reason])
            return found._replace(reason=f"{name}: {why}")
        refusals.append(f"{name} refuses because {refusal}")
        last = refusal
    if not names:
        raise ArgumentError("method=() names no method; leave it out to have one chosen")
    message = f"none of the methods can integrate these equations: {'; '.join(refusals)}"
    raise _error("; ".join(filter(None, [message, last.advice])), last, system)


def _refusal(integrator: Integrator, system: OdeSystem) -> Refusal | None:
    refusal = integrator.refuses(system)
    return Refusal(refusal) if isinstance(refusal, str) else refusal


def _error(message: str, refusal: Refusal, system: OdeSystem) -> Exception:
    # Equations that were put together by a program have no place in a text.
    span = refusal.span if refusal.span != (0, 0) and system.source.text else None
    return system.source.error(message, span, EquationError)


def _custom(method: CustomMethod, system: OdeSystem) -> Integration:
    name = getattr(method, "__name__", type(method).__name__)
    result = method(system)
    if isinstance(result, str):
        statements: Sequence[Statement] = parse_block(result, Source(result, f"method {name}"))
    else:
        statements = tuple(result)
    for statement in statements:
        if not isinstance(statement, Statement):
            raise ArgumentError(
                f"the method {name} has to return statements or their text, not {type(statement).__name__}"
            )
    return Integration(name, tuple(statements), f"{name}: a method of the user")
