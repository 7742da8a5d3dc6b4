"""Bad inputs: names that nobody knows and units that do not fit, in the texts of a group."""

from __future__ import annotations

from errors.bad import Bad

__all__ = ["TABLE"]

TABLE = (
    Bad(
        "unknown in equation",
        r"""
        G = NeuronGroup(1, "dv/dt = -v/tua : 1", namespace={"tau": 10*ms})
        Network(G).run(1*ms)
        """,
        ValueError,
        ("G: equations", "'tua' is not known", "Did you mean 'tau'?"),
        "tua",
    ),
    Bad(
        "unknown in threshold",
        r"""
        G = NeuronGroup(1, "v : 1", threshold="u > 1", reset="v = 0")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("G: threshold", "'u' is not known"),
        "u",
    ),
    Bad(
        "unknown in reset",
        r"""
        G = NeuronGroup(1, "v : 1", threshold="v > 1", reset="v = Vrest", namespace={"Vreset": 1})
        Network(G).run(1*ms)
        """,
        ValueError,
        ("G: reset", "'Vrest'", "Did you mean 'Vreset'?"),
        "Vrest",
    ),
    Bad(
        "unknown target in reset",
        r"""
        G = NeuronGroup(1, "v : 1", threshold="v > 1", reset="V += 1")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("G: reset", "'V' is not a variable", "Did you mean 'v'?"),
        "V += 1",
    ),
    Bad(
        "typo local in reset",
        r"""
        G = NeuronGroup(1, "volts : 1", threshold="volts > 1", reset="voltz = 1")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'voltz' is no variable", "Did you mean 'volts'?"),
        "voltz = 1",
    ),
    Bad(
        "unknown in on_pre",
        r"""
        S = Synapses(cells, cells, "w : volt", on_pre="v_post += ww")
        S.connect()
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S: on_pre", "'ww'", "Did you mean 'w'?"),
        "ww",
    ),
    Bad(
        "unknown in on_pre of a second line",
        r"""
        S = Synapses(cells, cells, "w : volt", on_pre="v_post += w\nI_post += gg*mV")
        S.connect()
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S: on_pre", "'gg'"),
        "gg",
        "I_post += gg*mV",
    ),
    Bad(
        "unknown target on_pre",
        r"""
        S = Synapses(cells, cells, on_pre="ge_post += 1*mV")
        S.connect()
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S: on_pre", "'ge_post' is not a variable"),
        "ge_post += 1*mV",
    ),
    Bad(
        "unknown in connect",
        r"""
        S = Synapses(cells, cells)
        S.connect("i != k_pre")
        """,
        ValueError,
        ("synapses: connect", "'k_pre'", "Did you mean 'v_pre'?"),
        "k_pre",
    ),
    Bad(
        "unknown in index",
        'cells.v["w > 3"] = 1*mV',
        ValueError,
        ("cells: index", "'w' is not known"),
        "w",
    ),
    Bad(
        "unknown in assignment",
        'cells.v = "Vrset"',
        ValueError,
        ("cells.v", "'Vrset' is not known"),
        "Vrset",
    ),
    Bad(
        "noise unknown name",
        'cells.v = "xi*mV"',
        ValueError,
        ("cells.v", "white noise", "randn()"),
        "xi",
    ),
    Bad(
        "noise in threshold",
        r"""
        G = NeuronGroup(1, "v : 1", threshold="v > xi", reset="")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("G: threshold", "'xi' is white noise"),
        "xi",
    ),
    Bad(
        "wrong dims rhs",
        r"""
        G = NeuronGroup(1, "dv/dt = -v/tau : volt", namespace={"tau": 10*mV})
        Network(G).run(1*ms)
        """,
        TypeError,
        ("dv/dt needs volt/second", "a number without unit"),
        "-v/tau",
    ),
    Bad(
        "wrong dims rhs no unit",
        r'''
        G = NeuronGroup(1, """dw/dt = -w/tau : 1  # slow
         dv/dt = (w - v)/tau : volt""", namespace={"tau": 10*ms})
        Network(G).run(1*ms)
        ''',
        TypeError,
        ("cannot subtract w (a number without unit) and v (volt)",),
        "w - v",
        "dv/dt = (w - v)/tau : volt",
    ),
    Bad(
        "wrong subexpr",
        r"""
        G = NeuronGroup(1, "I = 3*nA : volt\ndv/dt = (I-v)/ms : volt")
        Network(G).run(1*ms)
        """,
        TypeError,
        ("'I' needs volt", "amp"),
        "3*nA",
        "I = 3*nA : volt",
    ),
    Bad(
        "rhs missing /tau",
        r"""
        G = NeuronGroup(1, "dv/dt = -v : volt")
        Network(G).run(1*ms)
        """,
        TypeError,
        ("dv/dt needs volt/second", "is volt"),
        "-v",
    ),
    Bad(
        "noise unit",
        r"""
        G = NeuronGroup(1, "dv/dt = -v/ms + xi/ms : 1", method="euler")
        Network(G).run(1*ms)
        """,
        TypeError,
        ("hertz", "second**-1.5"),
        "-v/ms + xi/ms",
    ),
    Bad(
        "multi-line add",
        r'''
        eqs = Equations("""dv/dt = (ge +   # first
           gi - v)/tau : volt   # membrane""") + Equations("""# synapses
          dge/dt = -ge/taue : volt
        gi : amp # wrong""")
        G = NeuronGroup(1, eqs, namespace=dict(tau=5*ms, taue=5*ms))
        Network(G).run(1*ms)
        ''',
        TypeError,
        ("cannot add ge (volt) and gi (amp)",),
        "ge +",
        "dv/dt = (ge +   # first",
    ),
    Bad(
        "exp unit",
        r"""
        G = NeuronGroup(1, "dv/dt = exp(v)*mV/ms : volt")
        Network(G).run(1*ms)
        """,
        TypeError,
        ("exp() needs a number without unit, got volt",),
        "exp(v)",
    ),
    Bad(
        "exponent with unit",
        'cells.v = "2**(3*mV)*mV"',
        TypeError,
        ("an exponent must be a number without unit", "volt"),
        "3*mV",
    ),
    Bad(
        "variable exponent",
        'NeuronGroup(2, "v : volt\\nn : 1").v = "(1*mV)**n"',
        TypeError,
        ("exponent must be written as a number", "divide by the unit first"),
        "(1*mV)**n",
        "(1*mV)**n",
    ),
    Bad(
        "wrong threshold",
        r"""
        G = NeuronGroup(1, "v : volt", threshold="v > 10", reset="v=0*mV")
        Network(G).run(1*ms)
        """,
        TypeError,
        ("G: threshold", "cannot compare v (volt) and 10 (a number without unit)"),
        "v > 10",
    ),
    Bad(
        "threshold number",
        r"""
        G = NeuronGroup(1, "v : volt", threshold="v - 10*mV", reset="v=0*mV")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("G: threshold", "needs a condition", "compare it with something"),
        "v - 10*mV",
    ),
    Bad(
        "wrong reset",
        r"""
        G = NeuronGroup(1, "v : volt", threshold="v > 10*mV", reset="v = -60")
        Network(G).run(1*ms)
        """,
        TypeError,
        ("G: reset", "'v' is volt, but a number without unit is assigned"),
        "v = -60",
    ),
    Bad(
        "wrong reset +=",
        r"""
        G = NeuronGroup(1, "v : volt\nw : amp", threshold="v > 10*mV", reset="v = 0*mV\nw += 3*mV # adapt")
        Network(G).run(1*ms)
        """,
        TypeError,
        ("'w' is amp, but volt is added",),
        "w += 3*mV",
        "w += 3*mV # adapt",
    ),
)
