"""Bad inputs: synapses: delays, connections, code."""

from __future__ import annotations

from errors.bad import Bad

__all__ = ["TABLE"]

TABLE = (
    Bad(
        "target no group",
        "S = Synapses(cells, SpikeMonitor(cells))",
        ValueError,
        ("synapses: the target must be a group", "SpikeMonitor"),
    ),
    Bad(
        "target list",
        "S = Synapses([1,2], cells)",
        ValueError,
        ("the source must be a group", "list"),
    ),
    Bad(
        "delay unit",
        'S = Synapses(cells, cells, on_pre="v_post += 1*mV", delay=2*mV)',
        TypeError,
        ("synapses: delay needs second", "2 mV"),
    ),
    Bad(
        "delay no unit",
        'S = Synapses(cells, cells, on_pre="v_post += 1*mV", delay=2)',
        TypeError,
        ("synapses: delay needs second", "2 (no unit)", "3*ms"),
    ),
    Bad(
        "neg delay",
        'S = Synapses(cells, cells, on_pre="v_post += 1*mV", delay=-2*ms)',
        ValueError,
        ("delay must be a time of at least 0", "-2 ms"),
    ),
    Bad(
        "neg delay text",
        r"""
        S = Synapses(cells, cells, on_pre="v_post += 1*mV")
        S.connect()
        S.delay = "-1*ms + 0*ms*i"
        """,
        ValueError,
        ("at least 0", "-1 ms"),
    ),
    Bad(
        "neg delay indexed",
        r"""
        S = Synapses(cells, cells, on_pre="v_post += 1*mV")
        S.connect()
        S.delay[2] = -1*ms
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S:", "synapse 2", "-1 ms"),
    ),
    Bad(
        "nan delay",
        'S = Synapses(cells, cells, on_pre="v_post += 1*mV", delay=float("nan")*ms)',
        ValueError,
        ("nan ms",),
    ),
    Bad(
        "long delay",
        r"""
        S = Synapses(cells, cells, on_pre="v_post += 1*mV", delay=100000*second)
        S.connect()
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S:", "100000 s", "is the unit right"),
    ),
    Bad(
        "long delay 1000s",
        r"""
        S = Synapses(cells, cells, on_pre="v_post += 1*mV", delay=1000*second)
        S.connect()
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S:", "1000 s", "is the unit right"),
    ),
    Bad(
        "long delay het",
        r"""
        S = Synapses(cells, cells, on_pre="v_post += 1*mV")
        S.connect()
        S.delay = "(1 + i)*1000000*second"
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S:", "1000000.0 s"),
    ),
    Bad(
        "per-syn delay constr",
        'S = Synapses(cells, cells, on_pre="v_post += 1*mV", delay=[1,2]*ms)',
        ValueError,
        ("one value for all synapses", "synapses.delay after connect"),
    ),
    Bad(
        "connect beyond arrays",
        r"""
        S = Synapses(cells, cells)
        S.connect(i=[0, 1], j=[2, 7])
        """,
        IndexError,
        ("synapses: connect", "j = 7", "0 to 3"),
    ),
    Bad(
        "connect beyond neg",
        r"""
        S = Synapses(cells, cells)
        S.connect(i=[0, -1], j=[2, 1])
        """,
        IndexError,
        ("synapses: connect", "i = -1", "0 to 3"),
    ),
    Bad(
        "connect lens",
        r"""
        S = Synapses(cells, cells)
        S.connect(i=[0, 1, 2], j=[2, 1])
        """,
        ValueError,
        ("(3,)", "(2,)"),
    ),
    Bad(
        "connect float idx",
        r"""
        S = Synapses(cells, cells)
        S.connect(i=[0.5], j=[2])
        """,
        ValueError,
        ("i must be integers",),
    ),
    Bad(
        "connect beyond gen",
        r"""
        S = Synapses(cells, cells)
        S.connect(j="i + 1")
        """,
        ValueError,
        ("synapses: connect", "j = 4 for i = 3", "skip_if_invalid=True"),
        "i + 1",
    ),
    Bad(
        "connect gen kw",
        r"""
        S = Synapses(cells, cells)
        S.connect(j="k for k in sample(N_post, q=0.1)")
        """,
        ValueError,
        ("p=...", "size=..."),
        "sample(N_post, q=0.1)",
    ),
    Bad(
        "connect p",
        r"""
        S = Synapses(cells, cells)
        S.connect(p=1.5)
        """,
        ValueError,
        ("synapses: connect", "p must be a probability", "1.5"),
    ),
    Bad(
        "connect p neg",
        r"""
        S = Synapses(cells, cells)
        S.connect(p=-0.1)
        """,
        ValueError,
        ("-0.1",),
    ),
    Bad(
        "connect p nan",
        r"""
        S = Synapses(cells, cells)
        S.connect(p=float("nan"))
        """,
        ValueError,
        ("nan",),
    ),
    Bad(
        "connect p text",
        r"""
        S = Synapses(cells, cells)
        S.connect(p="i*1.0")
        """,
        ValueError,
        ("2 for i = 2", "clip"),
    ),
    Bad(
        "connect p unit",
        r"""
        S = Synapses(cells, cells)
        S.connect(p="i*mV")
        """,
        TypeError,
        ("without unit", "volt"),
        "i*mV",
    ),
    Bad(
        "connect p list",
        r"""
        S = Synapses(cells, cells)
        S.connect(p=[0.1])
        """,
        ValueError,
        ("p is one number or text",),
    ),
    Bad(
        "connect n",
        r"""
        S = Synapses(cells, cells)
        S.connect(n=-1)
        """,
        ValueError,
        ("n is the number of synapses", "-1"),
    ),
    Bad(
        "connect n float",
        r"""
        S = Synapses(cells, cells)
        S.connect(n=1.5)
        """,
        ValueError,
        ("1.5",),
    ),
    Bad(
        "connect i only",
        r"""
        S = Synapses(cells, cells)
        S.connect(i=[1, 2])
        """,
        ValueError,
        ("give both i and j",),
    ),
    Bad(
        "connect cond and i",
        r"""
        S = Synapses(cells, cells)
        S.connect("i != j", i=[1, 2], j=[0, 0])
        """,
        ValueError,
        ("either a condition or i/j",),
    ),
    Bad(
        "connect condition array",
        r"""
        S = Synapses(cells, cells)
        S.connect(np.eye(4))
        """,
        ValueError,
        ("a condition is text", "matrix.nonzero()"),
    ),
    Bad(
        "connect cond number",
        r"""
        S = Synapses(cells, cells)
        S.connect("i + j")
        """,
        ValueError,
        ("must be True or False", "compare it"),
    ),
    Bad(
        "connect never",
        r"""
        S = Synapses(cells, cells, "w : 1", on_pre="v_post += 1*mV")
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S was never connected", "S.connect(...)"),
    ),
    Bad(
        "assign before connect",
        r"""
        S = Synapses(cells, cells, "w : 1", on_pre="v_post += 1*mV")
        S.w = 3
        """,
        ValueError,
        ("no synapses yet", "synapses.connect(...)"),
    ),
    Bad(
        "syn var in connect",
        r"""
        S = Synapses(cells, cells, "w : 1")
        S.connect("w > 3")
        """,
        ValueError,
        ("'w' is a variable of the synapses", "x_pre, x_post"),
        "w",
    ),
    Bad(
        "syn var in p",
        r"""
        S = Synapses(cells, cells, "w : 1")
        S.connect(p="w")
        """,
        ValueError,
        ("'w' is a variable of the synapses",),
        "w",
    ),
    Bad(
        "weights unit",
        r"""
        S = Synapses(cells, cells, "w : siemens", on_pre="v_post += 1*mV")
        S.connect()
        S.w = 3*mV
        """,
        TypeError,
        ("synapses.w needs siemens", "3 mV"),
    ),
    Bad(
        "on_pre unit",
        r"""
        S = Synapses(cells, cells, "w : siemens", on_pre="v_post += w")
        S.connect()
        Network(cells, S).run(1*ms)
        """,
        TypeError,
        ("'v_post' is volt, but siemens is added",),
        "v_post += w",
    ),
    Bad(
        "synapses no threshold",
        r"""
        S = Synapses(quiet, cells, on_pre="v_post += 1*mV")
        S.connect()
        Network(cells, quiet, S).run(1*ms)
        """,
        ValueError,
        ("S: quiet has no threshold", "threshold='...'"),
    ),
    Bad(
        "on_post no threshold",
        r"""
        S = Synapses(cells, quiet, "w : 1", on_post="w += 1")
        S.connect()
        Network(cells, quiet, S).run(1*ms)
        """,
        ValueError,
        ("S: quiet has no threshold", "on_post never acts", "threshold='...'"),
    ),
    Bad(
        "on_pre writes shared",
        r"""
        S = Synapses(cells, cells, "w : volt (shared)", on_pre="v_post += w\nw = 0.9*w")
        S.connect()
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S: on_pre", "'w' cannot be written", "shared by all synapses"),
        "w = 0.9*w",
        "w = 0.9*w",
    ),
    Bad(
        "on_pre dict",
        'S = Synapses(cells, cells, "w : volt", on_pre={"w": "v_post += w"})',
        ValueError,
        ("the pathway 'w' of on_pre", "taken"),
    ),
    Bad(
        "on_pre list",
        'S = Synapses(cells, cells, "w : volt", on_pre=["v_post += w"])',
        ValueError,
        ("synapses: on_pre is text", "dictionary", "['v_post += w']"),
    ),
    Bad(
        "delay of no pathway",
        'S = Synapses(cells, cells, "w : volt", on_pre={"a": "v_post += w"}, delay=1*ms)',
        ValueError,
        ("no pathway 'pre' for this delay", "delay={'a': ...}"),
    ),
    Bad(
        "custom event",
        r"""
        S = Synapses(cells, cells, "w : volt", on_pre="v_post += w", on_event="burst")
        S.connect()
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S: cells has no event 'burst'", "spike"),
    ),
    Bad(
        "summed without end",
        'S = Synapses(cells, cells, "w : volt\\nI = w : volt (summed)")',
        ValueError,
        ("belongs to neurons", "I_post = ... : unit (summed)"),
        "I = w : volt (summed)",
        "I = w : volt (summed)",
    ),
    Bad(
        "summed into equation",
        'S = Synapses(cells, cells, "v_post = v_pre : volt (summed)")',
        ValueError,
        ("summed into 'v' of cells", "'v : volt'"),
        "v_post = v_pre : volt (summed)",
    ),
    Bad(
        "event-driven nonlinear",
        r"""
        S = Synapses(cells, cells, "w : 1\ndg/dt = -g**2/ms : 1 (event-driven)", on_pre="g += 1")
        S.connect()
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("S: model", "solved exactly from one spike to the next", "not linear in g", "(clock-driven)"),
        "g**2",
    ),
    Bad(
        "event-driven of clock-driven",
        'S = Synapses(cells, cells, "dg/dt = -g/ms : 1 (clock-driven)\\nda/dt = (g - a)/ms : 1 (event-driven)")',
        ValueError,
        ("'a' is event-driven but reads 'g', which is clock-driven",),
        "da/dt = (g - a)/ms : 1 (event-driven)",
        "da/dt = (g - a)/ms : 1 (event-driven)",
    ),
    Bad(
        "syn write i",
        r"""
        S = Synapses(cells, cells, "w : volt (constant)", on_pre="i += 1")
        S.connect()
        Network(cells, S).run(1*ms)
        """,
        ValueError,
        ("'i' cannot be written",),
        "i += 1",
    ),
    Bad(
        "syn reserved delay",
        'S = Synapses(cells, cells, "delay : second")',
        ValueError,
        ("'delay' already means something",),
        "delay : second",
    ),
    Bad(
        "syn reserved pre",
        'S = Synapses(cells, cells, "w_pre : 1")',
        ValueError,
        ("'w_pre' already means something",),
        "w_pre : 1",
    ),
    Bad(
        "syn attr",
        r"""
        S = Synapses(cells, cells, "w : 1")
        S.connect()
        S.W = 3
        """,
        AttributeError,
        ("synapses has no variable 'W'", "Did you mean 'w'?"),
    ),
    Bad(
        "syn len",
        r"""
        S = Synapses(cells, cells, "w : 1")
        S.connect()
        S.w = [1, 2, 3]
        """,
        ValueError,
        ("synapses.w", "3 values", "16 elements"),
    ),
    Bad(
        "syn idx",
        r"""
        S = Synapses(cells, cells, "w : 1")
        S.connect()
        S.w[0, 9] = 1
        """,
        IndexError,
        ("index 9", "0 to 3"),
    ),
    Bad(
        "syn write i arr",
        r"""
        S = Synapses(cells, cells, "w : 1")
        S.connect()
        S.i = 3
        """,
        ValueError,
        ("synapses.i cannot be assigned",),
    ),
)
