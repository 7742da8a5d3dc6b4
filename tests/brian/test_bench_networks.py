"""The builders of the benchmark speak Brian's language: the same text in Brian2 gives the same spikes and weights.

What is random in them is replaced by the same numbers for both sides: connections, inputs, weights and delays.
"""

import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from brian.pairs import OURS, Both, draw, pairs

from jaxsnn.bench.networks import JAXSNN, NETWORKS


def fixed(lib):
    """The names of a simulator, with random connections and Poisson inputs that are the same in both."""
    base = JAXSNN if lib is OURS else lib

    class Synapses(base.Synapses):
        def connect(self, p=1.0):
            sizes = (len(self.source), len(self.target))
            i, j = pairs(*sizes, p, seed=zlib.crc32(self.name.encode()))
            super().connect(i=i, j=j)

    def poisson_group(n, rates, name):
        spikes = draw(5).random((3000, n)) < float(rates / base.hertz) * 1e-4
        steps, index = np.nonzero(spikes)
        return base.SpikeGeneratorGroup(n, index, steps * 0.1 * base.ms, name=name)

    names = {name: getattr(base, name) for name in dir(base) if not name.startswith("_")}
    return SimpleNamespace(**{**names, "Synapses": Synapses, "PoissonGroup": poisson_group})


@pytest.mark.parametrize("name", ["stdp", "stdp-delay", "stdp-heterogeneous"])
def test_plastic_networks(brian, x64, name):
    def build(lib):
        objects = NETWORKS[name].objects(3000, fixed(lib))
        synapses, rng = objects["synapses"], draw(7)
        synapses.w = 0.01 * rng.random(len(synapses))
        if name == "stdp-heterogeneous":
            synapses.delay = 4 * rng.random(len(synapses)) * lib.ms
        return {**objects, "spikes": lib.SpikeMonitor(objects["cells"])}

    both = Both(brian, build).run(200).same()
    assert both.ours.spikes.num_spikes > 20
    weights = [np.asarray(side.synapses.w[:]) for side in (both.ours, both.theirs)]
    assert weights[0] == pytest.approx(weights[1], rel=1e-9)
    start = 0.01 * draw(7).random(weights[0].size)
    assert np.count_nonzero(weights[0] != start) > 1000  # plasticity did act


@pytest.mark.slow
def test_mushroom_body(brian, x64):
    def build(lib):
        objects = NETWORKS["mushroom"].objects(300, fixed(lib))
        rng = draw(8)
        strong = rng.random(300 * 100) < 0.5  # few cells, so more of them than in the network of full size
        for name, weights in (
            ("PN_iKC", 6.75 + 0.8 * rng.standard_normal(len(objects["PN_iKC"]))),
            ("iKC_eKC", np.where(strong, 3, 0.3) * rng.random(strong.size)),
        ):
            objects[name].w = weights * lib.nsiemens
        objects["PN_iKC"].w = objects["PN_iKC"].w[:] * 1.3
        return {**objects, "ikc": lib.SpikeMonitor(objects["iKC"]), "ekc": lib.SpikeMonitor(objects["eKC"])}

    both = Both(brian, build).run(56).same()  # two showings
    assert both.ours.ikc.num_spikes > 40
    assert both.ours.ekc.num_spikes > 10
    weights = [np.asarray(side.iKC_eKC.w_[:]) for side in (both.ours, both.theirs)]
    assert weights[0] == pytest.approx(weights[1], rel=1e-9)


@pytest.mark.parametrize("name", ["cobahh-uncoupled", "cobahh-1000", "cuba-1000"])
def test_other_builders_run_in_brian2(brian, name):
    """Their neurons are those of networks that are compared spike by spike elsewhere."""
    objects = NETWORKS[name].objects(1000, brian)
    brian.Network(*objects.values()).run(1 * brian.ms)
    assert np.all(np.isfinite(objects["cells"].v_[:]))
    if name == "cuba-1000":
        assert np.array_equal(objects["excitatory"].w_[:5], NETWORKS[name].objects(1000, JAXSNN)["excitatory"].w_[:5])


@pytest.mark.slow
def test_uncoupled_neurons_fire_at_the_rate_of_brian2(brian, x64):
    """Without input, about every 75 ms; the start is the same in both."""

    def build(lib):
        cells = NETWORKS["cobahh-uncoupled"].objects(20, fixed(lib))["cells"]
        rng = draw(9)
        cells.v = (-65 + 5 * rng.standard_normal(20)) * lib.mV
        cells.ge, cells.gi = 40 * rng.random(20) * lib.nsiemens, 200 * rng.random(20) * lib.nsiemens
        return {"cells": cells, "spikes": lib.SpikeMonitor(cells)}

    both = Both(brian, build).run(400).same()
    low, high = NETWORKS["cobahh-uncoupled"].populations(20)["cells"].rate
    assert low < both.theirs.spikes.num_spikes / 20 / 0.4 < high
