"""Synaptic currents and conductances, scaled so that one spike makes a peak as high as its weight.

The equations belong to the neuron: currents of one kind add up, so that a neuron needs one variable for all of
its synapses of that kind. A spike only adds its weight to that variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.objects.groups import Group
from jaxsnn.objects.synapses import Synapses
from jaxsnn.units import ms, mV

__all__ = [
    "ALPHA_CONDUCTANCE",
    "ALPHA_CURRENT",
    "BIEXPONENTIAL_CONDUCTANCE",
    "BIEXPONENTIAL_CURRENT",
    "EXPONENTIAL_CONDUCTANCE",
    "EXPONENTIAL_CURRENT",
    "SYNAPSES",
    "SynapseModel",
]


@dataclass(frozen=True)
class SynapseModel:
    """A kind of synapse: equations to add to a neuron, the current they drive, and what a spike does.

    Call it with a label to get one of several kinds on the same neuron: ``EXPONENTIAL_CONDUCTANCE("e")`` has the
    variable ``g_e`` and the constants ``tau_e`` and ``E_e``.

    Attributes:
        name: What the field calls it.
        equations: Lines for the neuron.
        current: The current into the neuron as an expression.
        on_pre: What a spike does, in terms of the weight ``weight``.
        values: Constants of the equations.
        unit: Unit of the weight, which is that of the peak.
        variables: The variables, the one that drives the current first.

    Example:
        >>> from jaxsnn.models import ALPHA_CURRENT
        >>> from jaxsnn.units import ms
        >>> exc = ALPHA_CURRENT("e", tau=2 * ms)
        >>> print(exc)
        alpha current
        equations:
            dI_e/dt = (exp(1)*x_e - I_e)/tau_e : amp
            dx_e/dt = -x_e/tau_e : amp
        current: I_e
        on_pre: x_e_post += weight
        values:
            tau_e = 2 ms
    """

    name: str
    equations: str
    current: str
    on_pre: str
    values: Mapping[str, Any]
    unit: str
    variables: tuple[str, ...]

    def __post_init__(self) -> None:
        # Constants of a module are shared by everybody who imports it.
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def __call__(self, label: str, *, unit: str | None = None, **values: Any) -> SynapseModel:
        """The model with a label after each of its names, and with other values.

        Args:
            label: Letters and digits.
            unit: Another unit of the variables, ``"1"`` for a neuron model without units.
            **values: Constants by their name without the label.

        Raises:
            ArgumentError: for a label that cannot be part of a name, or a constant that the model does not have.
        """
        if not re.fullmatch(r"[A-Za-z0-9]+", label) or label in ("pre", "post"):
            raise ArgumentError(
                f"{self.name}: the label becomes part of names such as {self.variables[0]}_e, so it consists of"
                f" letters and digits and is neither 'pre' nor 'post'; got {label!r}"
            )
        for name in values:
            if name not in self.values:
                raise ArgumentError(
                    f"{self.name}: there is no constant {name!r} (known: {', '.join(self.values)})."
                    f"{did_you_mean(name, self.values)}"
                )
        own = "|".join(sorted({*self.values, *self.variables}, key=len, reverse=True))

        def labelled(text: str) -> str:
            # The d of dg/dt and the _post of g_post stand directly beside the name.
            return re.sub(rf"\b(d?)({own})(?=(_post)?\b)", rf"\1\2_{label}", text)

        unit = self.unit if unit is None else unit
        return replace(
            self,
            equations=re.sub(rf": {self.unit}\b", f": {unit}", labelled(self.equations)),
            current=labelled(self.current),
            on_pre=labelled(self.on_pre),
            values={f"{n}_{label}": values.get(n, v) for n, v in self.values.items()},
            unit=unit,
            variables=tuple(f"{n}_{label}" for n in self.variables),
        )

    def __str__(self) -> str:
        parts = [self.name, "equations:", *(f"    {line.strip()}" for line in self.equations.strip().splitlines())]
        parts += [f"current: {self.current}", f"on_pre: {self.on_pre}"]
        parts += ["values:", *(f"    {name} = {value}" for name, value in self.values.items())]
        return "\n".join(parts)

    def synapses(self, source: Group, target: Group | None = None, *, weight: Any = None, **arguments: Any) -> Synapses:
        """`Synapses` of this kind, not yet connected, onto a group that has its equations.

        Args:
            source: Group whose spikes arrive.
            target: Group the synapses lead to; the source itself if left out.
            weight: One for all. Left out, every synapse has its own ``weight`` (0 at first).
            **arguments: Further arguments of `Synapses`, for example ``delay``.

        Raises:
            ArgumentError: if the target lacks the equations.

        Example:
            >>> from jaxsnn.models import EXPONENTIAL_CURRENT, LIF
            >>> from jaxsnn.units import ms, pA
            >>> exc = EXPONENTIAL_CURRENT("e", tau=3 * ms)
            >>> cells = LIF.group(10, synapses=exc)
            >>> ring = exc.synapses(cells, weight=50 * pA, delay=1 * ms)
            >>> ring.connect(j="(i + 1) % N_post")
        """
        group = source if target is None else target
        missing = [v for v in self.variables if v not in group._symbols()]
        if missing:
            raise ArgumentError(
                f"{group.name} has no variable {missing[0]!r}, which the {self.name} acts on; build the group with"
                f" model.group(N, synapses=...), or add these lines to its equations:\n{self.equations}"
            )
        if weight is None:
            return Synapses(source, target, f"weight : {self.unit}", on_pre=self.on_pre, **arguments)
        namespace = {**(arguments.pop("namespace", None) or {}), "weight": weight}
        return Synapses(source, target, on_pre=self.on_pre, namespace=namespace, **arguments)


# The three time courses. After one spike of weight w at time 0:
#   exponential    w exp(-t/tau)
#   alpha          w (t/tau) exp(1 - t/tau), with its peak at t = tau
#   bi-exponential w c (exp(-t/tau_decay) - exp(-t/tau_rise)), with c such that the peak is w
# For the last, x decays with tau_decay and drives the variable by k x; the peak is where both are equal up to k,
# which gives k = q**(1/(q - 1)) for q = tau_decay/tau_rise. Written with exprel it has its limit, exp(1), at q = 1.

EXPONENTIAL_CURRENT = SynapseModel(
    name="exponential current",
    equations="dI/dt = -I/tau : amp",
    current="I",
    on_pre="I_post += weight",
    values={"tau": 5 * ms},
    unit="amp",
    variables=("I",),
)
ALPHA_CURRENT = SynapseModel(
    name="alpha current",
    equations="""
    dI/dt = (exp(1)*x - I)/tau : amp
    dx/dt = -x/tau : amp
    """,
    current="I",
    on_pre="x_post += weight",
    values={"tau": 2 * ms},
    unit="amp",
    variables=("I", "x"),
)
BIEXPONENTIAL_CURRENT = SynapseModel(
    name="bi-exponential current",
    equations="""
    dI/dt = (exp(1/exprel(log(tau_decay/tau_rise)))*x - I)/tau_rise : amp
    dx/dt = -x/tau_decay : amp
    """,
    current="I",
    on_pre="x_post += weight",
    values={"tau_rise": 1 * ms, "tau_decay": 5 * ms},
    unit="amp",
    variables=("I", "x"),
)


def _conductance(current: SynapseModel, reversal: Any) -> SynapseModel:
    """The same time course for a conductance with a reversal potential."""
    return replace(
        current,
        name=current.name.replace("current", "conductance"),
        equations=re.sub(r"\b(d?)I\b", r"\1g", current.equations).replace(": amp", ": siemens"),
        current="g*(E - v)",
        on_pre=current.on_pre.replace("I_post", "g_post"),
        values={**current.values, "E": reversal},
        unit="siemens",
        variables=("g", *current.variables[1:]),
    )


EXPONENTIAL_CONDUCTANCE = _conductance(EXPONENTIAL_CURRENT, 0 * mV)
ALPHA_CONDUCTANCE = _conductance(ALPHA_CURRENT, 0 * mV)
BIEXPONENTIAL_CONDUCTANCE = _conductance(BIEXPONENTIAL_CURRENT, 0 * mV)

SYNAPSES: Mapping[str, SynapseModel] = MappingProxyType(
    {
        model.name: model
        for model in (
            EXPONENTIAL_CURRENT,
            ALPHA_CURRENT,
            BIEXPONENTIAL_CURRENT,
            EXPONENTIAL_CONDUCTANCE,
            ALPHA_CONDUCTANCE,
            BIEXPONENTIAL_CONDUCTANCE,
        )
    }
)
"""All synapse models by name."""
