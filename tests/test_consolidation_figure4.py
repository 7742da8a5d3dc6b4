"""The model of examples/consolidation/figure4.py: against a plain loop over its equations, and numbers by hand."""

import doctest
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh


@pytest.fixture(scope="module")
def hippocampus(consolidation):
    return consolidation("hippocampus")


@pytest.fixture(scope="module")
def tiny(hippocampus):
    """Nine cells an area, and nights of a few steps."""
    return hippocampus.Model(side=3, objects=5, memories=6, equilibration=2, steps=40)


@pytest.fixture(scope="module")
def trials(hippocampus, tiny):
    """Two tiny trials from before day 0 to day 1, in one batch: worlds, weights on day 0 and day 1, maps of day 1."""

    def until_day_1(key):
        world, weights = hippocampus.begin(tiny, key)
        weights = hippocampus.settle(tiny, world, weights, 0)
        day_0, _ = hippocampus.acquire(tiny, world, weights)
        return world, day_0, *hippocampus.pass_day(tiny, world, day_0, 1)

    return jax.jit(jax.vmap(until_day_1))(jax.random.split(jax.random.key(7), 2))


@pytest.fixture(scope="module")
def trial(trials):
    """The second of them, and its weights on day 0."""
    return jax.tree.map(lambda x: x[1], trials[:2])


@pytest.fixture(scope="module")
def pass_day(hippocampus, tiny):
    return jax.jit(partial(hippocampus.pass_day, tiny))


def test_examples_in_the_docstrings(hippocampus):
    result = doctest.testmod(hippocampus)
    assert result.attempted > 0
    assert result.failed == 0


# ---- tuning -----------------------------------------------------------------------------------------


def test_place_cells(hippocampus):
    model = hippocampus.Model()
    rates = np.asarray(hippocampus.place_rates(model, jnp.array(model.centres)))
    assert rates.shape == (256, 256)
    assert (rates.argmax(0) == np.arange(256)).all()  # each cell is most active in its own centre
    assert np.diag(rates) == pytest.approx(10)
    one = hippocampus.place_rates(model, model.centres[17] + np.array([0.06, -0.08]))  # one width away
    assert float(one[17]) == pytest.approx(10 * math.exp(-0.5), rel=1e-5)


def test_grid_cells(hippocampus):
    model = hippocampus.Model()
    grids = hippocampus.make_grids(model, jax.random.key(3))
    grid_rates = jax.jit(partial(hippocampus.grid_rates, model))
    rates = np.asarray(grid_rates(grids, hippocampus.disc(jax.random.key(4), (4000,))))
    assert rates.min() >= -1e-5
    assert rates.max() <= 10 + 1e-5
    assert rates.mean() == pytest.approx(10 / 3, rel=0.1)  # of a whole number of periods
    # A cell fires at its phase and a lattice constant away from it, 30 degrees from the direction of its waves.
    turn = grids.orientation + jnp.pi / 6
    constant = 2 * jnp.pi / grids.wave * 2 / math.sqrt(3)
    for at in (0, 1, -2):
        where = grids.phase + at * constant[:, None] * jnp.stack([jnp.cos(turn), jnp.sin(turn)], 1)
        peak = np.diag(np.asarray(grid_rates(grids, where)))
        assert peak == pytest.approx(10, abs=1e-3)
    assert float(grids.wave[0]) == pytest.approx(4 * math.pi)
    assert float(grids.wave[-1]) == pytest.approx(12 * math.pi)


def test_objects_are_permuted_patterns(hippocampus):
    model = hippocampus.Model(side=4, objects=20)
    world = jax.jit(partial(hippocampus.make_world, model))(jax.random.key(5))
    for patterns in (world.ca3, world.ec):
        assert patterns.shape == (20, 16)
        assert float(patterns.min()) >= -1e-5
        assert float(patterns.max()) <= 10 + 1e-5
        assert len({tuple(row) for row in np.asarray(patterns).round(4)}) == 20
    # Permuting keeps the values, so some cell has its centre within half a spacing; but which one is random.
    assert (np.asarray(world.ca3).max(1) > 10 * math.exp(-(2 * 0.125**2) / 0.02) - 1e-4).all()
    assert len(set(np.asarray(world.ca3).argmax(1))) > 5


def test_places_are_uniform_in_the_disc(hippocampus):
    at = np.asarray(hippocampus.disc(jax.random.key(0), (20_000,)))
    square = (at**2).sum(1)
    assert square.max() <= 0.25 + 1e-6
    assert square.mean() == pytest.approx(0.125, rel=0.02)  # R^2/2; standard error 0.4 %
    assert ((at[:, 0] > 0) & (at[:, 1] < 0)).mean() == pytest.approx(0.25, abs=0.012)  # four standard errors


# ---- memories ---------------------------------------------------------------------------------------


def test_imprinting_by_hand(hippocampus):
    model = hippocampus.Model(side=2)
    place, thing = jnp.array([4.0, 2.0, 0.0, 0.0]), jnp.array([1.0, 3.0, 0.0, 0.0])
    alone = hippocampus.imprint(model, jnp.zeros((4, 4)), place, thing)
    expected = np.zeros((4, 4))
    expected[:2, :2] = [[0.25, 0.75], [0.125, 0.375]]
    assert np.asarray(alone) == pytest.approx(expected, abs=1e-7)
    # 0.6/(1 - 0.6) = 1.5 times the new one over the old: row sums 1, 0.5, 1.5, 0.75, all divided by 1.5.
    both = hippocampus.imprint(model, alone, jnp.array([0.0, 0.0, 4.0, 2.0]), thing)
    assert np.asarray(both).sum(1) == pytest.approx([2 / 3, 1 / 3, 1, 0.5], rel=1e-6)
    assert np.asarray(both[:2]) == pytest.approx(expected[:2] / 1.5, rel=1e-6)


@pytest.mark.parametrize(
    "of, mean, sd",
    [
        ("PPCA1 place", 0.360, 0.460),
        ("PPCA1 object", 0.278, 0.373),
        ("PPSUB place", 0.365, 0.457),
        ("PPSUB object", 0.306, 0.411),
    ],
)
def test_weights_of_many_nights(hippocampus, of, mean, sd):
    # Mean and standard deviation of the matrices themselves, not of their histograms: within a bin they are unknown.
    model = hippocampus.Model()
    drawn = np.asarray(hippocampus.sample_settled(model, jax.random.key(0), of)) / model.w_max
    assert drawn.mean() == pytest.approx(mean, abs=0.012)
    assert drawn.std() == pytest.approx(sd, abs=0.012)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    low, high = {"PPCA1 place": (0.41, 0.24), "PPCA1 object": (0.28, 0.06)}.get(of, ((drawn < 0.01).mean(), 0))
    assert (drawn < 0.01).mean() == pytest.approx(low, abs=0.01)
    assert (drawn > 0.99).mean() >= high - 0.01


# ---- nights -----------------------------------------------------------------------------------------


def step_by_step(model, sc, ca1, sub, ca3, ec, intact):
    """The equations of the model one after the other, with the blocks and delays as they are written."""
    n = model.cells
    wpo, wpp, spo, spp = ca1[:, :n] * intact, ca1[:, n:] * intact, sub[:, :n].copy(), sub[:, n:].copy()
    up, ratio, w_max = 0.5 / n, 1 + 0.00025 * 256 / n, 1 / n
    xhat, yhat, shat = np.zeros(2 * n), np.zeros(n), np.zeros(n)
    clipped = np.zeros(2, int)
    heard, y_before = np.zeros(2 * n), np.zeros(n)  # what leaves CA3 and CA1 arrives one step later
    for x, z in zip(ec, ca3, strict=True):
        y = wpp @ x[n:] + wpo @ x[:n] + sc @ heard[:n] + heard[n:] / 4
        s = spp @ x[n:] + spo @ x[:n] + y_before / 2
        xhat = xhat + 0.25 * (x - xhat)
        yhat = yhat + 0.25 * (y - yhat)
        shat = shat + 0.25 * (s - shat)
        for w, part, rate, trace, on in (
            (wpo, slice(0, n), y, yhat, intact),
            (wpp, slice(n, None), y, yhat, intact),
            (spo, slice(0, n), s, shat, 0.5),
            (spp, slice(n, None), s, shat, 0.5),
        ):
            w += on * 0.005 * up * (np.outer(rate, xhat[part]) - ratio * np.outer(trace, x[part]))
            clipped += (w < 0).any(), (w > w_max).any()
            np.clip(w, 0, w_max, out=w)
        heard, y_before = z, y
    assert clipped.all()  # or the test would not see a bound that is missing
    return np.hstack([wpo, wpp]), np.hstack([spo, spp])


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("intact", [1.0, 0.0])
def test_a_night_is_a_loop_over_the_equations(hippocampus, intact):
    model = hippocampus.Model(side=3, objects=5, steps=300, learning=0.5)
    world = jax.jit(partial(hippocampus.make_world, model))(jax.random.key(1))
    ca3, ec = jax.jit(partial(hippocampus.replay, model))(world, jax.random.key(2))
    rng = np.random.default_rng(3)
    sc = rng.random((9, 9)) / 9
    ca1, sub = rng.uniform(-0.5, 1.5, (2, 9, 18)).clip(0, 1) * model.w_max
    after = hippocampus.sleep(model, *map(jnp.asarray, (sc, ca1, sub)), (ca3, ec), intact, execution="scan")
    expected = step_by_step(model, sc, ca1, sub, np.asarray(ca3), np.asarray(ec), intact)
    for found, wanted, before in zip(after, expected, (ca1 * intact, sub), strict=True):
        assert np.asarray(found) == pytest.approx(wanted, rel=1e-10, abs=1e-14)
        if wanted.any():
            assert np.abs(wanted - before).max() > 0.1 * model.w_max


def test_what_a_night_replays(hippocampus, tiny, trial):
    world, _ = trial
    ca3, ec = (np.asarray(x) for x in hippocampus.replay(tiny, world, jax.random.key(9)))
    assert ca3.shape == ec.shape == (40, 18)
    same = [
        np.abs(x[:, None, :9] - np.asarray(objects)).max(-1).argmin(1)
        for x, objects in ((ca3, world.ca3), (ec, world.ec))
    ]
    assert (same[0] == same[1]).all()  # the same object at the same time
    assert set(same[0]) == set(range(5))
    first, second = (hippocampus.keys_of_day(world, n, False)[0] for n in (0, 1))
    assert not (jax.random.key_data(first) == jax.random.key_data(second)).all()
    first, second = (hippocampus.keys_of_day(world, n, True) for n in (0, 1))
    assert (jax.random.key_data(first[0]) == jax.random.key_data(second[0])).all()
    assert not (jax.random.key_data(first[1]) == jax.random.key_data(second[1])).all()  # memories are new anyway


def test_lesions_take_weights_and_plasticity_away(hippocampus, tiny, trial, pass_day):
    world, weights = trial
    control, before, after = range(3)
    assert not np.asarray(weights.ca1[before]).any()
    assert (weights.ca1[control] == weights.ca1[after]).all()
    assert float(weights.ca1[control].max()) > 0.5 * tiny.w_max
    rounding = 1e-5 * tiny.w_max  # groups add up in different orders
    at_21, _ = pass_day(world, weights, 21)
    assert not np.asarray(at_21.ca1[before]).any()
    for learned in (at_21.ca1, at_21.sub):
        assert np.asarray(learned[after]) == pytest.approx(np.asarray(learned[control]), abs=rounding)
        assert np.abs(learned[before] - learned[control]).max() > 100 * rounding
    at_22, known = pass_day(world, at_21, 22)
    assert not np.asarray(at_22.ca1[before:]).any()
    assert np.asarray(at_22.ca1[control]).any()
    assert np.abs(at_22.sub[after] - at_22.sub[control]).max() > 100 * rounding
    assert hippocampus.in_target(tiny, np.asarray(known))[before:, 1] == pytest.approx(0.25, abs=1e-6)  # knows nothing


def test_trials_in_a_batch_are_trials(tiny, trials, trial, pass_day):
    weights, known = pass_day(*trial, 1)
    for batch, single in zip(trials[2], weights, strict=True):
        assert np.asarray(batch[1]) == pytest.approx(np.asarray(single), abs=1e-5 * tiny.w_max)  # order of sums
        assert np.abs(batch[0] - batch[1]).max() > 0.1 * tiny.w_max
    assert known.shape == (3, 3, tiny.bins**2)
    assert np.asarray(trials[3][1]) == pytest.approx(np.asarray(known), rel=1e-2, abs=1e-6)
    assert np.asarray(known).sum(-1) == pytest.approx(1, rel=1e-5)


def test_a_night_of_batches_lowers_to_the_kernel(hippocampus, tiny, trials, monkeypatch):
    monkeypatch.setattr(hippocampus, "sleep", partial(hippocampus.sleep, execution="rows"))
    monkeypatch.setattr("jaxsnn.rates.chain.triton.available", lambda backend: True)
    night = jax.jit(jax.vmap(partial(hippocampus.night, tiny), (0, 0, 0, None)))
    device = AbstractDevice("NVIDIA H200", 132, "gpu")
    with use_abstract_mesh(AbstractMesh((), (), abstract_device=device)):
        traced = night.trace(*trials[:2], jax.random.split(jax.random.key(0), 2), jnp.ones(3))
        assert "learn_rows" in traced.lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.gpu
def test_groups_within_trials_on_a_gpu(hippocampus, tiny):
    keys = jax.random.split(jax.random.key(0), 2)

    def weights(execution, key):
        world, before = hippocampus.begin(tiny, key)
        streams = hippocampus.replay(tiny, world, world.key)
        run = partial(hippocampus.sleep, tiny, before.sc, before.ca1[0], before.sub[0], streams, execution=execution)
        return jax.vmap(run)(jnp.array([1.0, 0.0, 1.0]))

    by_rows, by_steps = (jax.jit(jax.vmap(partial(weights, how)))(keys) for how in ("rows", "scan"))
    for found, expected in zip(by_rows, by_steps, strict=True):
        assert np.asarray(found) == pytest.approx(np.asarray(expected), abs=1e-2 * tiny.w_max)  # sums in TF32


# ---- read-out ---------------------------------------------------------------------------------------


def test_the_decoder_reads_a_memory(hippocampus):
    model = hippocampus.Model()

    @jax.jit
    def read(key):
        thing = hippocampus.make_world(model, key).ca3[0]
        place = hippocampus.place_rates(model, jnp.array(hippocampus.TARGET))
        return hippocampus.decode(model, hippocampus.imprint(model, jnp.zeros((256, 256)), place, thing) @ thing)

    known = np.asarray(read(jax.random.key(2)))
    assert known.shape == (484,)
    assert known.sum() == pytest.approx(1, rel=1e-5)
    assert hippocampus.in_target(model, known) > 0.99
    assert model.points[known.argmax()] == pytest.approx(hippocampus.TARGET, abs=0.5 / 21)


def test_the_decoder_is_at_chance_without_a_memory(hippocampus):
    model = hippocampus.Model()
    rates = jax.random.normal(jax.random.key(0), (1000, 256))
    decode = jax.jit(partial(hippocampus.decode, model))
    part = hippocampus.in_target(model, np.asarray(decode(rates)))
    assert part.mean() == pytest.approx(0.25, abs=3 * float(part.std()) / math.sqrt(1000))
    assert hippocampus.in_target(model, np.asarray(decode(jnp.zeros((1, 256)))))[0] == pytest.approx(0.25)


def test_likelihood_by_hand(hippocampus):
    # Two maps of rates that differ by one standard deviation in each of n cells: exp(-n/(2 * 0.3^2 n)).
    model = hippocampus.Model(side=8, bins=4)
    there = np.asarray(hippocampus.place_rates(model, jnp.array(model.points)))
    there = (there - there.mean(1, keepdims=True)) / there.std(1, keepdims=True)
    expected = np.exp(-((there[5] - there) ** 2).sum(1) / (2 * 0.3**2 * 64))
    found = np.asarray(hippocampus.decode(model, 3 * there[5] + 7))  # scale and offset do not count
    assert found == pytest.approx(expected / expected.sum(), rel=1e-4, abs=1e-12)


def test_time_in_the_target_quadrant(hippocampus):
    model = hippocampus.Model(bins=4)  # one point of each quadrant lies in the disc
    inside = np.hypot(*model.points.T) < 0.5
    target = np.flatnonzero(inside & (model.points[:, 0] > 0) & (model.points[:, 1] < 0))
    other = np.flatnonzero(inside & (model.points[:, 0] < 0) & (model.points[:, 1] < 0))
    known = np.zeros((3, 16))
    known[0, [target[0], other[0]]] = 0.6, 0.4  # the highest peak of the three
    known[1, other] = 0.5
    known[2, target[0]] = 0.59
    assert hippocampus.in_target(model, known) == pytest.approx([0.6, 0, 1])
    assert hippocampus.time_in_target(model, known) == pytest.approx(0.175 + 0.3 * 0.6)
    assert hippocampus.time_in_target(model, known[[2, 1]]) == pytest.approx(0.475)
    assert hippocampus.time_in_target(model, known[[1]]) == pytest.approx(0.175)
