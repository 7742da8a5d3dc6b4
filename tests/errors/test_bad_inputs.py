"""What a user does wrong, and the error that says what came, what was needed and what to write instead."""

from __future__ import annotations

import pytest
from errors import bad_grammar, bad_groups, bad_names, bad_runs, bad_synapses
from errors.bad import PRELUDE, Bad, check, execute, scope

TABLE = (*bad_names.TABLE, *bad_grammar.TABLE, *bad_groups.TABLE, *bad_synapses.TABLE, *bad_runs.TABLE)


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.id)
def test_error_says_what_to_write_instead(bad: Bad) -> None:
    check(bad)


def test_every_misuse_is_another_one() -> None:
    assert len({bad.id for bad in TABLE}) == len(TABLE)
    assert len({bad.code for bad in TABLE}) == len(TABLE)


def test_what_the_misuses_start_from_is_right() -> None:
    names = scope()
    execute('Network(cells, quiet).run(1*ms); cells.v = "i*mV"; S = Synapses(cells, cells); S.connect()', names)
    assert len(names["S"]) == 16, PRELUDE


def test_a_unit_name_in_the_namespace_warns_once_and_means_the_unit() -> None:
    names = scope()
    with pytest.warns(UserWarning, match="'mV' means the unit mV, not the value") as caught:
        execute(
            """
            G = NeuronGroup(1, "dv/dt = 2*mV/(volt*ms) : 1", namespace={"mV": 3}, method="euler")
            Network(G).run(1*ms)
            """,
            names,
        )
    assert len(caught) == 1
    assert float(names["G"].v[0]) == pytest.approx(0.002, rel=1e-5)


def test_a_name_is_free_again_in_another_network() -> None:
    # A cell of a notebook runs twice: the objects of the first time may still be alive.
    names = scope()
    execute('one = NeuronGroup(1, "v : 1", name="same"); two = NeuronGroup(1, "v : 1", name="same")', names)
    execute("Network(one).run(1*ms); Network(two).run(1*ms)", names)


def test_failed_assignments_change_nothing() -> None:
    names = scope()
    execute('cells.v = "i*mV"', names)
    for code in ("cells.v = [1, 2]*mV", "cells.v[9] = 1*mV", 'cells.v = "3*nA"', "cells.v = 3"):
        with pytest.raises((ValueError, TypeError, IndexError)):
            execute(code, names)
    assert names["cells"].v_.tolist() == [0.0, 0.001, 0.002, 0.003]


def test_failed_restore_changes_nothing() -> None:
    names = scope()
    execute(
        """
        net = Network(cells); net.store(); net.run(1*ms); cells.v = 7*mV
        net.add(quiet)
        """,
        names,
    )
    with pytest.raises(ValueError, match="quiet"):
        execute("net.restore()", names)
    assert names["cells"].v_.tolist() == [0.007] * 4
