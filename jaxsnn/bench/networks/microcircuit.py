"""The cortical microcircuit of Potjans and Diesmann (2014), doi 10.1093/cercor/bhs358: 77,169 neurons, 3e8 synapses.

Below full size, numbers of neurons and of inputs of each neuron both shrink with the size. Weights grow with the square
root of what is missing and a constant current replaces the lost mean input, so that mean and variance of the input stay
(van Albada, Helias and Diesmann 2015, doi 10.1371/journal.pcbi.1004490).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxsnn.bench.networks.benchmark import Objects, Population

__all__ = ["FULL", "NAMES", "SIZES", "layers", "microcircuit", "population_sizes", "synapse_numbers"]

NAMES = ("2/3E", "2/3I", "4E", "4I", "5E", "5I", "6E", "6I")
SIZES = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
FULL = int(SIZES.sum())

PROBABILITIES = np.array(
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
    ]
)
"""That a neuron of the target (row) has a synapse from one of the source (column)."""

EXTERNAL = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])
"""Background inputs of a neuron of each population."""
EXTERNAL_RATE = 8.0
RATES = np.array([0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829])
"""Mean rates of the full model, which the replaced input comes from."""
PUBLISHED_RATES = (0.9, 3.0, 4.4, 5.9, 7.7, 8.7, 1.1, 7.9)

WEIGHT = 87.8e-12
"""Ampere; a potential of 0.15 mV."""
SPREAD = 0.1
DELAYS = (1.5e-3, 0.75e-3)
"""Mean delay of excitatory and inhibitory synapses in second; the spread is half of it."""
TAU_SYN = 0.5e-3
MOST_ARRIVALS = 14
"""More spikes of the background than this arrive at a neuron in one step with a probability below 1e-7."""
BLOCK = 2**23


def population_sizes(n: int) -> np.ndarray:
    """Neurons of each population, n in all, in the proportions of the full model; largest remainders are rounded up.

    >>> population_sizes(77169).tolist() == SIZES.tolist(), int(population_sizes(1000).sum())
    (True, 1000)
    """
    exact = SIZES * (n / FULL)
    sizes = np.floor(exact).astype(np.int64)
    sizes[np.argsort(sizes - exact, kind="stable")[: n - int(sizes.sum())]] += 1
    return sizes


def synapse_numbers(n: int) -> np.ndarray:
    """``(target, source)`` numbers of synapses between the populations.

    K = log(1 - p) / log(1 - 1/(N_source N_target)) drawings with replacement connect a pair with probability p. A
    smaller model keeps K / N_target, the inputs of a neuron, times n / 77169.

    >>> int(synapse_numbers(77169).sum())
    298880940
    """
    full = np.log1p(-PROBABILITIES) / np.log1p(-1.0 / np.outer(SIZES, SIZES))
    return np.floor(full / SIZES[:, None] * (n / FULL) * population_sizes(n)[:, None]).astype(np.int64)


def mean_weights() -> np.ndarray:
    """``(target, source)`` mean weights of the full model in ampere.

    Inhibition is four times as strong as excitation, and 4E to 2/3E twice as strong as other excitation.
    """
    weights = np.tile(WEIGHT * np.where(np.arange(8) % 2 == 0, 1.0, -4.0), (8, 1))
    weights[0, 2] *= 2
    return weights


def layers(n: int) -> Mapping[str, Population]:
    """The eight populations, stretches of one group; rates within 15 % of the published ones."""
    ends = np.cumsum(population_sizes(n)).tolist()
    return {
        name: Population("cells", start, stop, (0.85 * rate, 1.15 * rate))
        for name, start, stop, rate in zip(NAMES, [0, *ends], ends, PUBLISHED_RATES, strict=False)
    }


def microcircuit(n: int, api: Any) -> Objects:
    """One group of all populations and one set of synapses, weights of both signs, sorted by source.

    Synapses have normal weights (10 %, clipped at zero) and normal delays (50 %, at least one step). The background is
    one Poisson number for each neuron and step, by inversion of its distribution; its spikes arrive spread over the
    step. The same network is drawn at each call.
    """
    ms, mV, pF = api.ms, api.mV, api.pfarad
    sizes = population_sizes(n)
    part = n / FULL
    grown = 1 / math.sqrt(part)
    lost = TAU_SYN * (1 - math.sqrt(part))
    weights = mean_weights()
    recurrent = (weights * synapse_numbers(FULL) / SIZES[:, None]) @ RATES
    direct = lost * (recurrent + WEIGHT * EXTERNAL * EXTERNAL_RATE)
    arrivals = " + ".join(f"int(u < tail_{k})" for k in range(MOST_ARRIVALS))
    cells = api.NeuronGroup(
        n,
        f"""
        dv/dt = (El - v) / taum + (I + direct) / C : volt (unless refractory)
        dI/dt = -I / taus + weight*arrivals / dt : amp
        arrivals = {arrivals} : 1
        u = rand() : 1 (constant over dt)
        direct : amp (constant)
        """
        + "".join(f"tail_{k} : 1 (constant)\n" for k in range(MOST_ARRIVALS)),
        threshold="v > Vt",
        reset="v = El",
        refractory=2 * ms,
        method="exact",
        namespace={
            "El": -65 * mV,
            "Vt": -50 * mV,
            "taum": 10 * ms,
            "taus": TAU_SYN * api.second,
            "C": 250 * pF,
            "weight": WEIGHT * grown * api.amp,
        },
        name="cells",
    )
    cells.v = "-58*mV + 10*mV*randn()"
    cells.direct_ = np.repeat(direct, sizes)
    for k, tail in enumerate(_tails(EXTERNAL * part * EXTERNAL_RATE * 1e-4)):
        setattr(cells, f"tail_{k}", np.repeat(tail, sizes))

    synapses = api.Synapses(cells, cells, "w : amp (constant)", on_pre="I_post += w", name="synapses")
    numbers = synapse_numbers(n)
    source, target, weight, delay = _drawn(sizes, numbers, weights * grown)
    synapses.connect(i=source, j=target)
    del source, target
    synapses.w_ = weight
    synapses.delay_ = delay
    return {"cells": cells, "synapses": synapses}


def _tails(means: np.ndarray) -> np.ndarray:
    """``(k, population)`` probabilities that more than k spikes arrive, summed from the small end."""
    k = np.arange(60)
    log_factorial = np.cumsum(np.log(np.maximum(k, 1)))
    masses = np.exp(-means[:, None] + k * np.log(means[:, None]) - log_factorial)
    tails = np.cumsum(masses[:, ::-1], axis=1)[:, ::-1]
    return tails[:, 1 : MOST_ARRIVALS + 1].T


def _drawn(
    sizes: np.ndarray, numbers: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(source, target, weight, delay) of all synapses, sorted by source."""
    rng = np.random.default_rng(1)
    total = int(numbers.sum())
    source, target = np.empty(total, np.int32), np.empty(total, np.int32)
    weight, delay = np.empty(total, np.float32), np.empty(total, np.float32)
    starts = np.cumsum(sizes) - sizes
    done = 0
    for cell, counts, population in _rows(sizes, numbers, rng):
        end = done + int(counts.sum())
        here = slice(done, end)
        lengths = counts.ravel()
        source[here] = np.repeat(np.arange(cell, cell + len(counts), dtype=np.int32), counts.sum(axis=1))
        to = np.repeat(np.tile(np.arange(8, dtype=np.int8), len(counts)), lengths)
        # The high half of a product of 32 bits each is a whole number below the size: no division, no rounding.
        drawn = rng.integers(0, 2**32, end - done, dtype=np.uint32).astype(np.uint64)
        target[here] = starts[to] + ((drawn * sizes.astype(np.uint64)[to]) >> np.uint64(32)).astype(np.int64)
        mean = weights[:, population].astype(np.float32)[to]
        spread = 1 + np.float32(SPREAD) * rng.standard_normal(end - done, dtype=np.float32)
        weight[here] = mean * np.maximum(spread, 0)
        usual = np.float32(DELAYS[population % 2])
        delay[here] = np.maximum(usual * (1 + 0.5 * rng.standard_normal(end - done, dtype=np.float32)), 1e-4)
        done = end
    return source, target, weight, delay


def _rows(sizes: np.ndarray, numbers: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray, int]]:
    """Blocks of source neurons: the first one, ``(neuron, target population)`` numbers of synapses, their population.

    A source drawn for each of K synapses is a multinomial number of synapses for each source.
    """
    first = 0
    for population, size in enumerate(sizes.tolist()):
        chances = np.full(size, 1 / size)
        counts = np.stack([rng.multinomial(number, chances) for number in numbers[:, population].tolist()], axis=1)
        height = max(1, int(BLOCK * size // max(1, counts.sum())))
        for top in range(0, size, height):
            yield first + top, counts[top : top + height], population
        first += size
