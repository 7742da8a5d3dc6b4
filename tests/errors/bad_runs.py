"""Bad inputs: monitors, networks, runs and compiled simulations."""

from __future__ import annotations

from errors.bad import Bad

__all__ = ["TABLE"]

TABLE = (
    Bad(
        "spikemonitor no thr",
        "SpikeMonitor(quiet)",
        ValueError,
        ("spikemonitor: quiet has no threshold", "threshold='...'"),
    ),
    Bad(
        "ratemonitor no thr",
        "PopulationRateMonitor(quiet)",
        ValueError,
        ("quiet has no threshold",),
    ),
    Bad(
        "monitor var",
        'StateMonitor(cells, "V")',
        ValueError,
        ("cells has no variable 'V'", "Did you mean 'v'?"),
    ),
    Bad(
        "monitor arg swap",
        'StateMonitor("v", cells)',
        ValueError,
        ("records groups and synapses", "str"),
    ),
    Bad(
        "spikemonitor src",
        "SpikeMonitor([cells])",
        ValueError,
        ("records the spikes of groups", "list"),
    ),
    Bad(
        "monitor record beyond",
        'StateMonitor(cells, "v", record=[0, 9])',
        IndexError,
        ("index 9", "0 to 3"),
    ),
    Bad(
        "monitor record False",
        'StateMonitor(cells, "v", record=False)',
        ValueError,
        ("nothing is recorded", "record=True"),
    ),
    Bad(
        "monitor unrecorded",
        r"""
        M = StateMonitor(cells, "v", record=[0])
        M.I
        """,
        AttributeError,
        ("does not record 'I'", "records v"),
    ),
    Bad(
        "monitor unrecorded el",
        r"""
        M = StateMonitor(cells, "v", record=[0])
        M[2].v
        """,
        ValueError,
        ("does not record element 2 of cells",),
    ),
    Bad(
        "monitor when",
        'M = StateMonitor(cells, "v", record=[0], when="begin")',
        ValueError,
        ("no slot 'begin'", "start, groups"),
    ),
    Bad(
        "record dt",
        r"""
        M = StateMonitor(cells, "v", dt=0.15*ms)
        Network(cells, M).run(1*ms)
        """,
        ValueError,
        ("M: dt is 0.15*ms", "0.1*ms or 0.2*ms"),
    ),
    Bad(
        "record dt unit",
        r"""
        M = StateMonitor(cells, "v", dt=1)
        Network(cells, M).run(1*ms)
        """,
        TypeError,
        ("M: dt needs second", "3*ms"),
    ),
    Bad(
        "dt unit",
        "Network(cells, dt=0.1)",
        TypeError,
        ("dt needs second", "0.1 (no unit)", "3*ms"),
    ),
    Bad(
        "dt zero",
        "Network(cells, dt=0*ms)",
        ValueError,
        ("positive time", "0 s"),
    ),
    Bad(
        "dt neg",
        "Network(cells, dt=-1*ms)",
        ValueError,
        ("positive time", "-1 ms"),
    ),
    Bad(
        "dt mV",
        "Network(cells, dt=1*mV)",
        TypeError,
        ("dt needs second", "1 mV"),
    ),
    Bad(
        "group dt",
        r"""
        G = NeuronGroup(1, "v : 1", dt=0.25*ms)
        Network(G).run(1*ms)
        """,
        ValueError,
        ("G: dt is 0.25*ms", "0.2*ms or 0.3*ms"),
    ),
    Bad(
        "group dt unit",
        r"""
        G = NeuronGroup(1, "v : 1", dt=0.25)
        Network(G).run(1*ms)
        """,
        TypeError,
        ("G: dt needs second",),
    ),
    Bad(
        "duration no unit",
        "Network(cells).run(1.5)",
        ValueError,
        ("a run needs a time such as 100*ms", "1.5"),
    ),
    Bad(
        "duration int",
        "Network(cells).run(100)",
        ValueError,
        ("a run needs a time", "100"),
    ),
    Bad(
        "duration mV",
        "Network(cells).run(3*mV)",
        TypeError,
        ("the duration needs second", "3 mV"),
    ),
    Bad(
        "duration text",
        'Network(cells).run("1 s")',
        ValueError,
        ("a run needs a time", "'1 s'"),
    ),
    Bad(
        "duration multiple",
        "Network(cells).run(0.15*ms)",
        ValueError,
        ("0.15*ms", "0.1*ms or 0.2*ms"),
    ),
    Bad(
        "duration neg",
        "Network(cells).run(-1*ms)",
        ValueError,
        ("at least 0", "-1 ms"),
    ),
    Bad(
        "duration nan",
        'Network(cells).run(float("nan")*second)',
        ValueError,
        ("finite", "nan"),
    ),
    Bad(
        "duration inf",
        'Network(cells).run(float("inf")*second)',
        ValueError,
        ("finite", "inf"),
    ),
    Bad(
        "nan during run",
        r"""
        G = NeuronGroup(5, "dv/dt = sqrt(1 - v)/(10*ms) : 1", method="euler")
        G.v = "0.2*i"
        Network(G).run(50*ms)
        """,
        FloatingPointError,
        ("G.v of element 4", "nan", "in the step at t = ", "smaller dt"),
    ),
    Bad(
        "inf input",
        r"""
        G = NeuronGroup(5, "dv/dt = (I-v)/(10*ms) : 1\nI : 1", method="euler")
        G.I[3] = np.inf
        Network(G).run(5*ms)
        """,
        FloatingPointError,
        ("G.v of element 3", "inf"),
    ),
    Bad(
        "nan initial",
        r"""
        G = NeuronGroup(5, "dv/dt = (-v)/(10*ms) : 1\nI : 1", method="euler")
        G.v = np.nan
        Network(G).run(5*ms)
        """,
        FloatingPointError,
        ("G.v of element 0", "4 other"),
    ),
    Bad(
        "ns nan",
        r"""
        G = NeuronGroup(2, "dv/dt = -v/tau : 1", namespace={"tau": float("nan")*ms})
        G.v = 1
        Network(G).run(1*ms)
        """,
        FloatingPointError,
        ("G.v of element 0", "nan"),
    ),
    Bad(
        "missing object",
        r"""
        S = Synapses(cells, quiet, on_pre="x_post += 1")
        S.connect()
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S refers to quiet", "Network(quiet, S, ...)"),
    ),
    Bad(
        "missing object monitor",
        r"""
        M = SpikeMonitor(cells)
        Network(M, quiet).run(1*ms)
        """,
        ValueError,
        ("M refers to cells", "Network(cells, M, ...)"),
    ),
    Bad(
        "same name",
        r"""
        A = NeuronGroup(1, "v : 1", name="A")
        B = NeuronGroup(1, "v : 1", name="A")
        Network(A, B).run(1*ms)
        """,
        ValueError,
        ("two objects", "'A'", "unique"),
    ),
    Bad(
        "empty net",
        "Network().run(1*ms)",
        ValueError,
        ("nothing to run", "Network(group, synapses, monitor)"),
    ),
    Bad(
        "non-object",
        "Network(cells, 3)",
        ValueError,
        ("groups, synapses, monitors and functions", "int (3)"),
    ),
    Bad(
        "non-object str",
        'Network("cells")',
        ValueError,
        ("str ('cells')",),
    ),
    Bad(
        "remove",
        "Network(cells).remove(quiet)",
        ValueError,
        ("'quiet' is not in this network",),
    ),
    Bad(
        "getitem",
        'Network(cells)["celks"]',
        KeyError,
        ("'celks'", "['cells']"),
    ),
    Bad(
        "float64",
        'Network(cells, dtype="float64")',
        ValueError,
        ("jax.config.update('jax_enable_x64', True)",),
    ),
    Bad(
        "dtype",
        'Network(cells, dtype="float16")',
        ValueError,
        ("'float32' or 'float64'", "'float16'"),
    ),
    Bad(
        "execution",
        'Network(cells).compile(execution="fast")',
        ValueError,
        ("no execution 'fast'", "event_list"),
    ),
    Bad(
        "unroll",
        "Network(cells).compile(unroll=0)",
        ValueError,
        ("at least 1", "got 0"),
    ),
    Bad(
        "report",
        'Network(cells).run(1*ms, report="txt")',
        ValueError,
        ("no report 'txt'", "'text'"),
    ),
    Bad(
        "restore unknown",
        'Network(cells).restore("a")',
        ValueError,
        ("'a'", "stored are none"),
    ),
    Bad(
        "restore file",
        'Network(cells).restore(filename="nothing.npz")',
        ValueError,
        ("no file 'nothing.npz'",),
    ),
    Bad(
        "restore other",
        r"""
        net = Network(cells)
        net.store()
        net.add(quiet)
        net.restore()
        """,
        ValueError,
        ("cannot restore: 'quiet'",),
    ),
    Bad(
        "restore other size",
        r"""
        import tempfile, os
        net = Network(quiet)
        f = os.path.join(tempfile.mkdtemp(), "a")
        net.store(filename=f)
        del quiet, net
        q2 = NeuronGroup(5, "x : 1", name="quiet")
        net = Network(q2)
        net.restore(filename=f)
        """,
        ValueError,
        ("quiet.x", "3 values and has 5"),
    ),
    Bad(
        "restore other vars",
        r"""
        import tempfile, os
        net = Network(quiet)
        f = os.path.join(tempfile.mkdtemp(), "a")
        net.store(filename=f)
        del quiet, net
        q2 = NeuronGroup(3, "y : 1", name="quiet")
        net = Network(q2)
        net.restore(filename=f)
        """,
        ValueError,
        ("['x']", "['y']"),
    ),
    Bad(
        "inputs",
        'Network(cells).compile(inputs=["cells.v"])',
        ValueError,
        ("'cells.v' cannot be an input", "cells.I, cells.tau"),
    ),
    Bad(
        "inputs typo",
        'Network(cells).compile(inputs=["cells.J"])',
        ValueError,
        ("'cells.J' cannot be an input",),
    ),
    Bad(
        "sim.run neg",
        r"""
        sim = Network(cells).compile()
        p, s = sim.init(0)
        sim.run(p, s, -1)
        """,
        ValueError,
        ("-1 steps",),
    ),
    Bad(
        "sim.run float",
        r"""
        sim = Network(cells).compile()
        p, s = sim.init(0)
        sim.run(p, s, 1.0)
        """,
        ValueError,
        ("a whole number of steps", "1.0"),
    ),
    Bad(
        "sim wrong inputs",
        r"""
        sim = Network(cells).compile(inputs=["cells.I"])
        p, s = sim.init(0)
        sim.run(p, s, 10, {"cells.J": np.zeros((10, 4))})
        """,
        ValueError,
        ("'cells.J'", "compile(inputs="),
    ),
    Bad(
        "sim inputs length",
        r"""
        sim = Network(cells).compile(inputs=["cells.I"])
        p, s = sim.init(0)
        sim.run(p, s, 10, {"cells.I": np.zeros((9, 4))})
        """,
        ValueError,
        ("'cells.I'", "10 steps", "(9, 4)"),
    ),
)
