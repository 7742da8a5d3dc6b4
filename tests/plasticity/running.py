"""One way to run a rule, in jaxsnn or in Brian2: neurons that fire in given steps, and the rule between them.

In jaxsnn the rule builds its synapses; in Brian2 its texts are typed in. Both return the same names.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

import jaxsnn
from jaxsnn import units
from jaxsnn.plasticity import PlasticityRule
from jaxsnn.units import Quantity, get_dimensions, ms

DT = 1e-4

OURS = SimpleNamespace(
    **{name: getattr(units, name) for name in units.__all__},
    **{name: getattr(jaxsnn, name) for name in ("NeuronGroup", "StateMonitor", "Synapses", "TimedArray")},
)

Steps = Sequence[Sequence[int]]


def to_brian(brian: Any, value: Any) -> Any:
    """A quantity of ours as one of Brian2's; text and plain numbers as they are."""
    if isinstance(value, str) or get_dimensions(value).is_dimensionless:
        return value
    dimension = brian.units.fundamentalunits.get_or_create_dimension(list(map(float, value.dim.exponents)))
    return brian.Quantity(np.asarray(value.value), dim=dimension)


def firing(lib: Any, steps: Steps, duration: int, equations: str, reset: str, values: dict[str, Any]) -> Any:
    """Neurons that fire in these steps, whatever the rest of the network does."""
    table = np.zeros((duration + 1, len(steps)))
    for neuron, at in enumerate(steps):
        table[list(at), neuron] = 1
    namespace = {**values, "firing_table": lib.TimedArray(table, dt=DT * 1e3 * lib.ms)}
    return lib.NeuronGroup(
        len(steps),
        equations or "unused : 1",
        threshold="firing_table(t, i) > 0.5",
        reset=reset,
        method="euler" if "/dt" in equations else None,
        namespace=namespace,
    )


def run(
    rule: PlasticityRule,
    pre: Steps,
    post: Steps,
    duration: int,
    *,
    brian: Any = None,
    connect: dict[str, Any] | None = None,
    record: Sequence[str] = ("w",),
    neuron: str = "",
    dtype: str = "float64",
    source_values: dict[str, Any] | None = None,
    target_values: dict[str, Any] | None = None,
    transmit: str = "",
    **overrides: Any,
) -> SimpleNamespace:
    """The objects after a run of ``duration`` steps, one synapse from each source to the target of the same number.

    Args:
        pre, post: Steps in which the neurons fire.
        connect: Other connections.
        record: Variables of the synapses to record as ``trace``, (synapses, steps) in base units.
        neuron: Further equations of the target.
        source_values, target_values: Variables of the neurons.
        overrides: As for `PlasticityRule.synapses`.
    """
    lib = OURS if brian is None else brian
    changed = rule.with_values(**overrides)
    values = {n: v if brian is None else to_brian(brian, v) for n, v in changed.values.items()}
    source = firing(lib, pre, duration, rule.source_equations, "", values)
    equations = "\n".join((neuron, rule.neuron_equations))
    target = firing(lib, post, duration, equations, rule.neuron_reset, values)
    for group, given in ((source, source_values), (target, target_values)):
        for name, value in (given or {}).items():
            setattr(group, name, value if brian is None else to_brian(brian, value))
    connect = connect or {"j": "i"}
    if brian is None:
        synapses = rule.synapses(source, target, transmit=transmit, connect=connect, **overrides)
    else:
        pathways = changed.pre_code(transmit)
        synapses = brian.Synapses(
            source,
            target,
            changed.equations,
            on_pre=pathways or None,
            on_post=changed.on_post or None,
            method=changed.method,
            delay={key: values[name] for key, name in changed.delays.items()} or None,
            namespace=values,
            order=changed.order,
        )
        if changed.every_step:
            synapses.run_regularly(changed.every_step, when="after_groups", order=changed.order)
        synapses.connect(**connect)
        for name, value in changed.initial.items():
            setattr(synapses, name, to_brian(brian, value))
    objects = [source, target, synapses]
    trace = None
    if record:
        trace = lib.StateMonitor(synapses, list(record), record=True)
        objects.append(trace)
    dt = {"dt": Quantity(DT, ms.dim), "dtype": dtype} if brian is None else {}
    network = (jaxsnn if brian is None else brian).Network(*objects, **dt)
    network.run(duration * DT * 1e3 * lib.ms)
    return SimpleNamespace(
        source=source,
        target=target,
        synapses=synapses,
        w=np.asarray(synapses.w_[:]),
        trace=SimpleNamespace(**{name: np.asarray(getattr(trace, f"{name}_")) for name in record}),
    )


def stored(rule: PlasticityRule) -> list[str]:
    """The variables that each synapse keeps."""
    return [
        line.strip().partition("/")[0][1:] if "/dt" in line.partition("=")[0] else line.partition(":")[0].strip()
        for line in rule.equations.splitlines()
        if line.strip() and ("=" not in line or "/dt" in line.partition("=")[0])
    ]
