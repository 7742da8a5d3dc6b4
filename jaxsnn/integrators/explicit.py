"""Explicit schemes, described as a few lines of text in f, g, dW, x, t and dt.

A scheme is data: its description is expanded over all variables and noises of a model. The schemes
below are Brian's, except for the noise correction of Milstein's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from jaxsnn.equations.expressions import Call, Expr, Name, names, render, walk
from jaxsnn.equations.functions import FUNCTIONS
from jaxsnn.equations.statements import Assign, Statement, parse_block
from jaxsnn.errors import Source, did_you_mean
from jaxsnn.integrators import contract
from jaxsnn.integrators.contract import Integrator, OdeSystem, Refusal
from jaxsnn.integrators.expansion import NoisyModel, expand, split_noise

__all__ = ["EULER", "HEUN", "MILSTEIN", "RK2", "RK4", "ExplicitScheme"]

_GIVEN = ("x", "t", "dt", "dW")

Check = Callable[[OdeSystem], Refusal | None]


@dataclass(frozen=True)
class ExplicitScheme:
    """An explicit one-step scheme for dx/dt = f(x, t) + g(x, t) xi, to be given as ``method=``.

    Args:
        description: One assignment a line, the last to ``x_new``. They may read the old value
            ``x``, the time ``t``, the step ``dt``, names assigned before, ``f(value, time)``,
            ``g(value, time)``, and the Wiener increment ``dW`` of each noise (mean 0, variance dt).
        stochastic: ``None`` for equations without noise, ``"additive"`` if g may not depend on the
            variables, ``"multiplicative"`` if it may.

    With several noises, a term that contains ``g`` or ``dW`` stands for its sum over the noises.

    Example:
        >>> from jaxsnn.equations.expressions import parse
        >>> ralston = ExplicitScheme('''
        ...     k1 = dt*f(x, t)
        ...     k2 = dt*f(x + 2/3*k1, t + 2/3*dt)
        ...     x_new = x + k1/4 + 3/4*k2
        ... ''')
        >>> system = OdeSystem({"v": parse("-v / tau")}, {})
        >>> for statement in ralston.statements(system):
        ...     print(statement)
        _k1_v = dt * (-v / tau)
        _k2_v = dt * (-(v + 2 / 3 * _k1_v) / tau)
        _v = v + _k1_v / 4 + 3 / 4 * _k2_v
        v = _v

    Raises:
        EquationError: for a description that cannot be used, with its line.
    """

    description: str
    stochastic: Literal["additive", "multiplicative"] | None = None
    steps: tuple[Assign, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        source = Source(self.description, "integration scheme")
        steps = parse_block(self.description, source)
        _check_description(steps, source, self.stochastic)
        object.__setattr__(self, "steps", steps)

    def integrator(self, name: str = "ExplicitScheme", *checks: Check, **about: object) -> Integrator:
        """The scheme as an `Integrator`; ``checks`` are further reasons to refuse a system."""

        def refuses(system: OdeSystem) -> Refusal | None:
            reasons = (check(system) for check in (self.refuses, *checks))
            return next((reason for reason in reasons if reason is not None), None)

        return Integrator(name, refuses, self.statements, **about)  # type: ignore[arg-type]

    def refuses(self, system: OdeSystem) -> Refusal | None:
        """Why the scheme cannot integrate a system, or None."""
        if self.stochastic is None:
            return contract.refuse_noise(system)
        model = split_noise(system)
        if isinstance(model, Refusal):
            return model
        return _refuse_multiplicative(system, model) if self.stochastic == "additive" else None

    def statements(self, system: OdeSystem) -> tuple[Statement, ...]:
        """The statements of one step."""
        model = split_noise(system)
        if isinstance(model, Refusal):
            raise system.source.error(model.message, model.span)
        return expand(self.steps, model)


# ---- the description ----------------------------------------------------------------------------


def _check_description(steps: tuple[Assign, ...], source: Source, stochastic: str | None) -> None:
    if stochastic not in (None, "additive", "multiplicative"):
        raise source.error(f"stochastic is None, 'additive' or 'multiplicative', not {stochastic!r}")
    if not steps or steps[-1].target != "x_new":
        raise source.error(
            "the last line of an integration scheme gives the new value: 'x_new = ...'",
            steps[-1].span if steps else None,
        )
    known = list(_GIVEN)
    for step in steps:
        if step.op != "=":
            raise source.error(f"write '{step.target} = ...' here, without {step.op!r}", step.span)
        if step.target in (*known, "f", "g") or step.target in FUNCTIONS:
            raise source.error(f"{step.target!r} has a meaning already; choose another name", step.span)
        for node in walk(step.expr):
            _check_node(node, known, source, stochastic)
        known.append(step.target)


def _check_node(node: Expr, known: list[str], source: Source, stochastic: str | None) -> None:
    match node:
        case Name(id="f" | "g" as name, span=span):
            raise source.error(f"{name} is a function; write {name}(x, t)", span)
        case Name(id=name, span=span) if name not in known:
            raise source.error(
                f"{name!r} is not known here; a scheme reads x, t, dt, dW, f(x, t), g(x, t) and"
                f" names that it has assigned before.{did_you_mean(name, known)}",
                span,
            )
        case Call(function="f" | "g" as name, args=args, span=span):
            if len(args) != 2:
                raise source.error(f"{name} takes a value and a time: {name}(x, t)", span)
            if names(args[1]) - {"t", "dt"} or any(isinstance(n, Call) for n in walk(args[1])):
                raise source.error(f"the time in {name}(x, t) is made of t and dt only", span)
        case Call(function=name, span=span) if name not in FUNCTIONS or FUNCTIONS[name].stateful:
            raise source.error(f"a scheme cannot call {name}(); its randomness is dW", span)
    is_noisy = (isinstance(node, Name) and node.id == "dW") or (isinstance(node, Call) and node.function == "g")
    if is_noisy and stochastic is None:
        raise source.error(
            "g and dW are for noise; say stochastic='additive' or 'multiplicative' to integrate it",
            node.span,  # type: ignore[attr-defined]
        )


# ---- reasons to refuse ---------------------------------------------------------------------------


def _refuse_multiplicative(system: OdeSystem, model: NoisyModel) -> Refusal | None:
    for variable, by_noise in model.factors.items():
        for noise, factor in by_noise.items():
            for node in walk(factor):
                if isinstance(node, Name) and node.id in system.rhs:
                    return Refusal(
                        f"the noise in d{variable}/dt is multiplicative:"
                        f" the factor of {noise}, {render(factor)}, depends on {node.id}",
                        node.span,
                        "for multiplicative noise write method='heun' (Stratonovich) or 'milstein'",
                    )
    return None


def _refuse_not_diagonal(system: OdeSystem) -> Refusal | None:
    model = split_noise(system)
    if isinstance(model, Refusal):
        return model
    used: dict[str, str] = {}
    for variable, by_noise in model.factors.items():
        shared = next((noise for noise in by_noise if noise in used), None)
        what = None
        if shared is not None:
            what = f"{shared} is in d{used[shared]}/dt and in d{variable}/dt"
        elif len(by_noise) > 1:
            what = f"d{variable}/dt has several noises ({', '.join(by_noise)})"
        if what is not None:
            return Refusal(
                f"the noise is not diagonal (one noise of its own in each equation): {what}",
                advice="for any noise write method='heun'",
            )
        used |= dict.fromkeys(by_noise, variable)
    return None


# ---- the schemes --------------------------------------------------------------------------------

EULER = ExplicitScheme(
    "x_new = x + dt*f(x, t) + g(x, t)*dW",
    stochastic="additive",
).integrator(
    "euler",
    order=1,
    strong_order=1.0,  # of the noise that it takes, which is additive
    reason="first order in dt",
    source="G. Maruyama (1955), doi:10.1007/BF02846028",
)

RK2 = ExplicitScheme("""
    k = dt*f(x, t)
    x_mid = x + k/2
    x_new = x + dt*f(x_mid, t + dt/2)
""").integrator(
    "rk2",
    order=2,
    reason="midpoint method, second order in dt",
    source="C. Runge (1895), doi:10.1007/BF01446807",
)

RK4 = ExplicitScheme("""
    k1 = dt*f(x, t)
    x2 = x + k1/2
    k2 = dt*f(x2, t + dt/2)
    x3 = x + k2/2
    k3 = dt*f(x3, t + dt/2)
    x4 = x + k3
    k4 = dt*f(x4, t + dt)
    x_new = x + (k1 + 2*k2 + 2*k3 + k4)/6
""").integrator(
    "rk4",
    order=4,
    reason="fourth order in dt",
    source="W. Kutta (1901), Z. Math. Phys. 46",
)

HEUN = ExplicitScheme(
    """
    x_support = x + g(x, t)*dW
    g_support = g(x_support, t + dt)
    x_new = x + dt*f(x, t) + 0.5*dW*(g(x, t) + g_support)
    """,
    stochastic="multiplicative",
).integrator(
    "heun",
    order=1,
    strong_order=0.5,  # 1 where the noises commute, as a single noise does
    reason="takes multiplicative noise (Stratonovich), first order in dt without noise",
    source="W. Rümelin (1982), doi:10.1137/0719041",
)

# The correction of a Stratonovich equation is g*dg/dx*dW**2/2, whose mean does not vanish. So an
# error of order sqrt(dt) in the derivative, as of a one-sided difference (which Brian takes), would
# bring the whole scheme down to strong order 1/2. Without noise or with additive noise both agree.
MILSTEIN = ExplicitScheme(
    """
    x_up = x + sqrt(dt)*g(x, t)
    x_down = x - sqrt(dt)*g(x, t)
    correction = (g(x_up, t) - g(x_down, t))/(4*sqrt(dt))*dW**2
    x_new = x + dt*f(x, t) + g(x, t)*dW + correction
    """,
    stochastic="multiplicative",
).integrator(
    "milstein",
    _refuse_not_diagonal,
    order=1,
    strong_order=1.0,
    reason="takes multiplicative noise (Stratonovich) with strong order 1",
    source="P. E. Kloeden, E. Platen (1992), doi:10.1007/978-3-662-12616-5, section 11.1",
)
