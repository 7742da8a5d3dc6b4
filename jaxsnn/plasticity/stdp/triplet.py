"""Spike-timing dependent plasticity of triplets of spikes.

The presynaptic spikes leave the traces r1 (fast) and r2 (slow), the postsynaptic ones o1 and o2. Depression, at a
presynaptic spike, is o1 (A2_minus + A3_minus r2); potentiation, at a postsynaptic one, r1 (A2_plus + A3_plus o2). The
slow traces count with their value just before the spike. Weights are relative to that before the experiment.
"""

from __future__ import annotations

from dataclasses import replace

from jaxsnn.citation import Citation
from jaxsnn.plasticity.rule import PlasticityRule
from jaxsnn.units import ms

__all__ = ["TRIPLET_STDP", "TRIPLET_STDP_MINIMAL", "TRIPLET_STDP_NEAREST"]

_COMMON = {"tau_plus": 16.8 * ms, "tau_minus": 33.7 * ms}

TRIPLET_STDP = PlasticityRule(
    name="triplet STDP",
    equations="""
    w : 1
    dr1/dt = -r1/tau_plus : 1 (event-driven)
    dr2/dt = -r2/tau_x : 1 (event-driven)
    do1/dt = -o1/tau_minus : 1 (event-driven)
    do2/dt = -o2/tau_y : 1 (event-driven)
    """,
    on_pre="""
    w = clip(w - o1*(A2_minus + A3_minus*r2), 0, w_max)
    r1 += 1
    r2 += 1
    """,
    on_post="""
    w = clip(w + r1*(A2_plus + A3_plus*o2), 0, w_max)
    o1 += 1
    o2 += 1
    """,
    values={
        **_COMMON, "tau_x": 101 * ms, "tau_y": 125 * ms,
        "A2_plus": 5e-10, "A3_plus": 6.2e-3, "A2_minus": 7e-3, "A3_minus": 2.3e-4, "w_max": 2.0,
    },
    initial={"w": 1.0},
    bounds={"w": (0, "w_max")},
    citation=Citation(
        "J.-P. Pfister, W. Gerstner", 2006, "J. Neurosci. 26: 9673-9682", "10.1523/JNEUROSCI.1425-06.2006"
    ),
    patterns={
        "visual cortex": {
            "tau_x": 101 * ms, "tau_y": 125 * ms,
            "A2_plus": 5e-10, "A3_plus": 6.2e-3, "A2_minus": 7e-3, "A3_minus": 2.3e-4,
        },
        "hippocampus": {
            "tau_x": 946 * ms, "tau_y": 27 * ms,
            "A2_plus": 6.1e-3, "A3_plus": 6.7e-3, "A2_minus": 1.6e-3, "A3_minus": 1.4e-3,
        },
    },
)  # fmt: skip

# Without the triplets of depression, hence without r2.
TRIPLET_STDP_MINIMAL = PlasticityRule(
    name="minimal triplet STDP",
    equations="""
    w : 1
    dr1/dt = -r1/tau_plus : 1 (event-driven)
    do1/dt = -o1/tau_minus : 1 (event-driven)
    do2/dt = -o2/tau_y : 1 (event-driven)
    """,
    on_pre="""
    w = clip(w - A2_minus*o1, 0, w_max)
    r1 += 1
    """,
    on_post=TRIPLET_STDP.on_post,
    values={**_COMMON, "tau_y": 114 * ms, "A2_plus": 0.0, "A3_plus": 6.5e-3, "A2_minus": 7.1e-3, "w_max": 2.0},
    initial={"w": 1.0},
    bounds={"w": (0, "w_max")},
    citation=TRIPLET_STDP.citation,
    patterns={
        "visual cortex": {"tau_y": 114 * ms, "A2_plus": 0.0, "A3_plus": 6.5e-3, "A2_minus": 7.1e-3},
        "hippocampus": {"tau_y": 40 * ms, "A2_plus": 5.3e-3, "A3_plus": 8e-3, "A2_minus": 3.5e-3},
    },
)

# Each trace reaches back to the last spike only.
TRIPLET_STDP_NEAREST = replace(
    TRIPLET_STDP,
    name="triplet STDP, nearest spikes",
    on_pre=str(TRIPLET_STDP.on_pre).replace("+= 1", "= 1"),
    on_post=TRIPLET_STDP.on_post.replace("+= 1", "= 1"),
    values={
        **_COMMON, "tau_x": 714 * ms, "tau_y": 40 * ms,
        "A2_plus": 8.8e-11, "A3_plus": 5.3e-2, "A2_minus": 6.6e-3, "A3_minus": 3.1e-3, "w_max": 2.0,
    },
    patterns={
        "visual cortex": {
            "tau_x": 714 * ms, "tau_y": 40 * ms,
            "A2_plus": 8.8e-11, "A3_plus": 5.3e-2, "A2_minus": 6.6e-3, "A3_minus": 3.1e-3,
        },
        "hippocampus": {
            "tau_x": 575 * ms, "tau_y": 47 * ms,
            "A2_plus": 4.6e-3, "A3_plus": 9.1e-3, "A2_minus": 3e-3, "A3_minus": 7.5e-9,
        },
    },
)  # fmt: skip
