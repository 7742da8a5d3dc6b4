"""The contract of all models: equations and values with their source, from which a group is built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from jaxsnn.citation import Citation
from jaxsnn.errors import ArgumentError, did_you_mean
from jaxsnn.models.synapses import SynapseModel
from jaxsnn.objects.neurongroup import NeuronGroup
from jaxsnn.units import get_dimensions, quantity, unit_text

__all__ = ["Model"]


@dataclass(frozen=True)
class Model:
    """A neuron model of the literature: the texts and values of a `NeuronGroup`, with their source.

    Nothing in it is special: the group it builds is the one a user gets who types the same strings, and
    ``print(model)`` shows all of them. In every model ``I`` is the injected current, a parameter of each neuron;
    the currents of synapses are added to it.

    Attributes:
        name: What the field calls it.
        equations, threshold, reset, refractory, method: As for `NeuronGroup`.
        values: Constants of the texts (the namespace).
        initial: Values of variables at the start, quantities or text.
        citation: Source of the equations, and of the numbers unless ``values_from`` says otherwise.
        patterns: Named sets of values for other behaviours; see `pattern`.

    Example:
        >>> from jaxsnn import Network, SpikeMonitor
        >>> from jaxsnn.models import LIF
        >>> from jaxsnn.units import ms, pA
        >>> cells = LIF.group(3, I="i*100*pA", t_ref=2 * ms)
        >>> spikes = SpikeMonitor(cells)
        >>> Network(cells, spikes).run(100 * ms)
        >>> spikes.count.tolist()
        [0, 0, 6]
    """

    name: str
    equations: str
    threshold: str
    reset: str
    citation: Citation
    values: Mapping[str, Any]
    initial: Mapping[str, Any] = field(default_factory=dict)
    refractory: Any = False
    method: str | tuple[str, ...] = "euler"
    values_from: Citation | None = None
    patterns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Constants of a module are shared by everybody who imports it.
        for attribute in ("values", "initial", "patterns"):
            object.__setattr__(self, attribute, MappingProxyType(dict(getattr(self, attribute))))

    def __str__(self) -> str:
        parts = [self.name, f"    {self.citation}"]
        if self.values_from is not None:
            parts.append(f"    values from {self.values_from}")
        parts += ["equations:", *(f"    {line}" for line in _lines(self.equations))]
        method = self.method if isinstance(self.method, str) else ", else ".join(self.method)
        texts = {
            "threshold": self.threshold,
            "reset": "; ".join(_lines(self.reset)) or "none",
            "refractory": "none" if self.refractory is False else self.refractory,
            "method": method,
        }
        parts += [f"{what}: {text}" for what, text in texts.items()]
        for what, table in (("values", self.values), ("initial", self.initial)):
            parts += [f"{what}:", *(f"    {name} = {_shown(value)}" for name, value in table.items())]
        if self.patterns:
            parts.append("patterns:")
            for name, table in self.patterns.items():
                parts.append(f"    {name}: " + ", ".join(f"{n} = {_shown(v)}" for n, v in table.items()))
        return "\n".join(parts)

    # ---- other values ----------------------------------------------------------------------------

    def with_values(self, **values: Any) -> Model:
        """The model with other constants or initial values.

        Raises:
            ArgumentError: for a name that is neither.
        """
        self._check_names(values)
        constants = {name: values.get(name, value) for name, value in self.values.items()}
        initial = {name: values.get(name, value) for name, value in self.initial.items()}
        return replace(self, values=constants, initial=initial)

    def pattern(self, name: str) -> Model:
        """The model with one of its named sets of values, the injected current that goes with it included.

        >>> from jaxsnn.models import ADEX
        >>> ADEX.pattern("regular bursting").values["V_r"]
        -46 mV

        Raises:
            ArgumentError: if there is no such set.
        """
        if name not in self.patterns:
            known = ", ".join(map(repr, self.patterns)) or "none"
            raise ArgumentError(
                f"{self.name}: there is no pattern {name!r} (known: {known}).{did_you_mean(name, self.patterns)}"
            )
        return replace(self.with_values(**self.patterns[name]), name=f"{self.name}, {name}")

    # ---- groups ----------------------------------------------------------------------------------

    def text(self, synapses: Iterable[SynapseModel] = (), equations: str = "") -> str:
        """The equations of a group with synapses: their currents sum up in ``I_syn``, which adds to ``I``.

        >>> from jaxsnn.models import LIF, EXPONENTIAL_CURRENT
        >>> print(LIF.text([EXPONENTIAL_CURRENT("e")]))
        dv/dt = (g_L*(E_L - v) + (I + I_syn))/C : volt (unless refractory)
        I : amp
        I_syn = I_e : amp
        dI_e/dt = -I_e/tau_e : amp
        """
        synapses = tuple(synapses)
        lines = _lines(self.equations)
        if synapses:
            unit = next(line.partition(":")[2].strip() for line in lines if re.match(r"I\s*:", line))
            lines = [re.sub(r"\bI\b", "(I + I_syn)", line) if "=" in line else line for line in lines]
            lines.append(f"I_syn = {' + '.join(s.current for s in synapses)} : {unit}")
            lines += [line for s in synapses for line in _lines(s.equations)]
        return "\n".join([*lines, *_lines(equations)])

    def group(
        self,
        N: int,
        *,
        synapses: SynapseModel | Iterable[SynapseModel] = (),
        equations: str = "",
        method: Any = None,
        dt: Any = None,
        order: int = 0,
        name: str | None = None,
        **overrides: Any,
    ) -> NeuronGroup:
        """A group of ``N`` such neurons.

        Args:
            N: Number of neurons.
            synapses: Synapse models whose equations and currents are put in.
            equations: Further equations in text.
            method, dt, order, name: As for `NeuronGroup`; ``method`` stands in for that of the model.
            **overrides: Other constants or initial values by name. A constant given as text or as an array
                (one value a neuron) becomes a parameter of each neuron.

        Raises:
            ArgumentError: for a name that the model does not have.

        Example:
            >>> from jaxsnn.models import EXPONENTIAL_CONDUCTANCE, LIF
            >>> from jaxsnn.units import mV, ms, pF, nS
            >>> exc = EXPONENTIAL_CONDUCTANCE("e", tau=5 * ms, E=0 * mV)
            >>> cells = LIF.group(100, synapses=exc, C="(180 + 40*rand())*pF")
            >>> wires = exc.synapses(cells, weight=6 * nS)
            >>> wires.connect(condition="i != j", p=0.1)
        """
        synapses = (synapses,) if isinstance(synapses, SynapseModel) else tuple(synapses)
        constants = dict(self.values)
        variables: dict[str, Any] = dict(self.initial)
        for synapse in synapses:
            for own in (*synapse.values, *synapse.variables):
                if own in constants or own in variables:
                    raise ArgumentError(
                        f"{self.name}: {own!r} of the {synapse.name} is a name of the model or of another"
                        f" synapse; give the synapse another label"
                    )
            constants |= synapse.values
            variables |= dict.fromkeys(synapse.variables)
        self._check_names(overrides, (*constants, *variables))
        constants |= {n: v for n, v in overrides.items() if n in constants}
        variables |= {n: v for n, v in overrides.items() if n in variables}
        initial = {n: v for n, v in variables.items() if v is not None}
        each = {n: v for n, v in constants.items() if isinstance(v, str) or np.ndim(quantity(v))}
        units = {**self.values, **{n: v for s in synapses for n, v in s.values.items()}}
        lines = [equations, *(f"{n} : {unit_text(get_dimensions(units[n]))} (constant)" for n in each)]
        cells = NeuronGroup(
            N,
            self.text(synapses, "\n".join(lines)),
            threshold=self.threshold,
            reset=self.reset,
            refractory=self.refractory,
            method=self.method if method is None else method,
            namespace={n: v for n, v in constants.items() if n not in each},
            dt=dt,
            order=order,
            name=name,
        )
        for variable, value in (each | initial).items():
            setattr(cells, variable, value)
        return cells

    def _check_names(self, given: Iterable[str], further: Iterable[str] = ()) -> None:
        known = {*self.values, *self.initial, *further}
        for name in given:
            if name not in known:
                raise ArgumentError(
                    f"{self.name}: there is no constant or variable {name!r} (known: {', '.join(sorted(known))})."
                    f"{did_you_mean(name, known)}"
                )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else f"{value}"
