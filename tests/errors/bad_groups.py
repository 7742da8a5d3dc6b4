"""Bad inputs: arguments, values and indices of groups, and the methods of integration."""

from __future__ import annotations

from errors.bad import Bad

__all__ = ["TABLE"]

TABLE = (
    Bad(
        "N=0",
        'NeuronGroup(0, "v : 1")',
        ValueError,
        ("at least 1", "N = 0"),
    ),
    Bad(
        "N float",
        'NeuronGroup(2.0, "v : 1")',
        ValueError,
        ("whole number", "N = 2.0"),
    ),
    Bad(
        "N neg",
        'NeuronGroup(-1, "v : 1")',
        ValueError,
        ("at least 1", "N = -1"),
    ),
    Bad(
        "bad name",
        'NeuronGroup(1, "v : 1", name="my cells")',
        ValueError,
        ("'my cells'", "letters, digits and '_'"),
    ),
    Bad(
        "name not str",
        'NeuronGroup(1, "v : 1", name=3)',
        ValueError,
        ("3 cannot be the name",),
    ),
    Bad(
        "when order",
        'NeuronGroup(1, "v : 1", order="a")',
        ValueError,
        ("order is a whole number", "'a'"),
    ),
    Bad(
        "missing reset",
        'NeuronGroup(1, "dv/dt = -v/ms : volt", threshold="v > 10*mV")',
        ValueError,
        ("neurongroup", "neither reset nor refractory", "reset=''"),
    ),
    Bad(
        "reset no threshold",
        'NeuronGroup(1, "v : volt", reset="v = 0*mV")',
        ValueError,
        ("reset is given but no threshold", "threshold='v > -50*mV'"),
    ),
    Bad(
        "refractory no threshold",
        'NeuronGroup(1, "v : volt", refractory=5*ms)',
        ValueError,
        ("refractory is given but no threshold", "threshold='v > -50*mV'"),
    ),
    Bad(
        "threshold not text",
        'NeuronGroup(1, "v : 1", threshold=3, reset="v = 0")',
        ValueError,
        ("threshold is given as text", "got 3"),
    ),
    Bad(
        "refractory number",
        r"""
        G = NeuronGroup(1, "v : volt", threshold="v > 10*mV", reset="v=0*mV", refractory=5)
        Network(G).run(1*ms)
        """,
        TypeError,
        ("refractory needs second", "5 (no unit)", "3*ms"),
    ),
    Bad(
        "refractory unit",
        'G = NeuronGroup(1, "v : volt", threshold="v > 10*mV", reset="v=0*mV", refractory=5*mV)',
        TypeError,
        ("refractory needs second", "5 mV"),
    ),
    Bad(
        "refractory text unit",
        r"""
        G = NeuronGroup(1, "v : volt", threshold="v > 10*mV", reset="v=0*mV", refractory="v")
        Network(G).run(1*ms)
        """,
        TypeError,
        ("refractory period needs second", "is volt"),
        "v",
    ),
    Bad(
        "refractory neg",
        'G = NeuronGroup(1, "v : volt", threshold="v > 10*mV", reset="v=0*mV", refractory=-5*ms)',
        ValueError,
        ("at least 0", "-5 ms"),
    ),
    Bad(
        "refractory True",
        'G = NeuronGroup(1, "v : volt", threshold="v > 10*mV", reset="v=0*mV", refractory=True)',
        ValueError,
        ("no end", "5*ms"),
    ),
    Bad(
        "refractory array",
        'NeuronGroup(2, "v : 1", threshold="v > 1", refractory=[1, 2]*ms)',
        ValueError,
        ("one time for all neurons", "tref : second"),
    ),
    Bad(
        "not linear exact",
        r'''
        G = NeuronGroup(1, """dv/dt = -v**2/ms : 1""", method="exact")
        Network(G).run(1*ms)
        ''',
        ValueError,
        ("method='exact'", "not linear in v", "'euler'"),
        "v**2",
    ),
    Bad(
        "noise rk4",
        r"""
        G = NeuronGroup(1, "dv/dt = -v/ms + xi*ms**-0.5 : 1", method="rk4")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("method='rk4'", "noise xi", "method='euler'"),
        "xi",
    ),
    Bad(
        "mult euler",
        r"""
        G = NeuronGroup(1, "dv/dt = -v/ms + v*xi*ms**-0.5 : 1", method="euler")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("method='euler'", "multiplicative", "'heun'"),
        "v",
    ),
    Bad(
        "unknown method",
        r"""
        G = NeuronGroup(1, "dv/dt = -v/ms : 1", method="rk45")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("no method 'rk45'", "Did you mean 'rkf45'?"),
    ),
    Bad(
        "method typ",
        r"""
        G = NeuronGroup(1, "dv/dt = -v/ms : 1", method=3)
        Network(G).run(1*ms)
        """,
        ValueError,
        ("method is a name such as 'euler'", "got 3"),
    ),
    Bad(
        "assign value",
        "cells.v = 3",
        TypeError,
        ("cells.v needs volt", "3 (no unit)", "3*mV"),
    ),
    Bad(
        "assign value wrong unit",
        "cells.v = 3*nA",
        TypeError,
        ("cells.v needs volt", "3 nA (amp)"),
    ),
    Bad(
        "assign text",
        'cells.v = "3*nA"',
        TypeError,
        ("cells.v: the value needs volt", "amp"),
        "3*nA",
    ),
    Bad(
        "assign text no unit",
        'cells.v = "rand()"',
        TypeError,
        ("cells.v: the value needs volt", "a number without unit"),
        "rand()",
    ),
    Bad(
        "length",
        "cells.v = [1, 2, 3]*mV",
        ValueError,
        ("cells.v", "3 values", "4 elements"),
    ),
    Bad(
        "length slice",
        "cells.v[:2] = [1, 2, 3]*mV",
        ValueError,
        ("cells.v", "3 values", "2 elements"),
    ),
    Bad(
        "2d",
        "cells.v = np.ones((4, 2))*mV",
        ValueError,
        ("shape (4, 2)", "4 elements"),
    ),
    Bad(
        "mask",
        "cells.v[[True, False]] = 1*mV",
        IndexError,
        ("cells", "mask of shape (2,)", "4 elements"),
    ),
    Bad(
        "index beyond",
        "cells.v[4] = 1*mV",
        IndexError,
        ("cells", "index 4", "0 to 3"),
    ),
    Bad(
        "index read beyond",
        "cells.v[-5]",
        IndexError,
        ("index -5", "0 to 3"),
    ),
    Bad(
        "index text no cond",
        'cells.v["i"] = 1*mV',
        ValueError,
        ("cells: index", "needs a condition"),
        "i",
    ),
    Bad(
        "index float",
        "cells.v[1.5] = 1*mV",
        IndexError,
        ("cells", "1.5 is no index", "'i < 10'"),
    ),
    Bad(
        "float into int",
        r"""
        G = NeuronGroup(2, "k : integer")
        G.k = 1.5
        """,
        ValueError,
        ("neurongroup.k", "integer variable", "1.5", "int(...)"),
    ),
    Bad(
        "nan into int",
        r"""
        G = NeuronGroup(2, "k : integer")
        G.k = float("nan")
        """,
        ValueError,
        ("neurongroup.k", "nan"),
    ),
    Bad(
        "big into int",
        r"""
        G = NeuronGroup(2, "k : integer")
        G.k = 2**40
        """,
        ValueError,
        ("32 bits",),
    ),
    Bad(
        "float into bool",
        r"""
        G = NeuronGroup(2, "k : boolean")
        G.k = 3
        """,
        ValueError,
        ("neurongroup.k", "boolean variable", "got 3"),
    ),
    Bad(
        "write i",
        "cells.i = 3",
        ValueError,
        ("cells.i cannot be assigned",),
    ),
    Bad(
        "write N",
        "cells.N = 3",
        ValueError,
        ("cells.N cannot be assigned",),
    ),
    Bad(
        "write t",
        "cells.t = 3*ms",
        ValueError,
        ("cells.t cannot be assigned",),
    ),
    Bad(
        "write sub",
        r"""
        G = NeuronGroup(2, "x = 3 : 1")
        G.x = 4
        """,
        ValueError,
        ("neurongroup.x cannot be assigned", "sub-expression"),
    ),
    Bad(
        "write const in reset",
        r"""
        G = NeuronGroup(2, "x : 1 (constant)", threshold="x > 3", reset="x = 4")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'x' cannot be written", "marked constant"),
        "x = 4",
    ),
    Bad(
        "write shared in reset",
        r"""
        G = NeuronGroup(2, "x : 1 (shared)", threshold="x > 3", reset="x = 4")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'x' cannot be written", "shared"),
        "x = 4",
    ),
    Bad(
        "write t in reset",
        r"""
        G = NeuronGroup(2, "x : 1", threshold="x > 3", reset="t = 4*ms")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'t' cannot be written", "simulator"),
        "t = 4*ms",
    ),
    Bad(
        "write sub in reset",
        r"""
        G = NeuronGroup(2, "x : 1\ny = 2*x : 1", threshold="x > 3", reset="x = 0\ny = 3")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'y' cannot be written", "sub-expression"),
        "y = 3",
        "y = 3",
    ),
    Bad(
        "reset xi",
        r"""
        G = NeuronGroup(2, "x : 1", threshold="x > 3", reset="xi = 0")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("white noise",),
        "xi = 0",
    ),
    Bad(
        "reset not statement",
        r"""
        G = NeuronGroup(2, "x : 1", threshold="x > 3", reset="x == 0")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("not a statement", "variable = expression"),
        "x == 0",
    ),
    Bad(
        "reset expr only",
        r"""
        G = NeuronGroup(2, "x : 1", threshold="x > 3", reset="x")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("not a statement",),
        "x",
    ),
    Bad(
        "reset unit",
        r"""
        G = NeuronGroup(2, "x : 1", threshold="x > 3", reset="mV = 1")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'mV' cannot be written", "unit"),
        "mV = 1",
    ),
    Bad(
        "reset int",
        r"""
        G = NeuronGroup(2, "x : integer", threshold="x > 3", reset="x = 1.5")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'x' is an integer variable", "int(...)"),
        "x = 1.5",
    ),
    Bad(
        "reset bool",
        r"""
        G = NeuronGroup(2, "x : boolean", threshold="x", reset="x = 1.5")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'x' is boolean", "condition"),
        "x = 1.5",
    ),
    Bad(
        "sub empty",
        "cells[2:2]",
        IndexError,
        ("cells[2:2]", "at least one"),
    ),
    Bad(
        "sub out",
        "cells[2:9]",
        IndexError,
        ("cells has 4 elements", "9"),
    ),
    Bad(
        "sub step",
        "cells[0:4:2]",
        IndexError,
        ("contiguous", "0:4:2"),
    ),
    Bad(
        "sub idx",
        "cells[7]",
        IndexError,
        ("4 elements", "no element 7"),
    ),
    Bad(
        "sub text",
        'cells["i < 2"]',
        IndexError,
        ("contiguous", "cells[10:20]"),
    ),
    Bad(
        "attr typo",
        "cells.V = 3*mV",
        AttributeError,
        ("cells has no variable 'V'", "Did you mean 'v'?", "'V : unit'"),
    ),
    Bad(
        "attr typo read",
        "cells.V",
        AttributeError,
        ("cells has no variable or attribute 'V'", "Did you mean 'v'?"),
    ),
    Bad(
        "linked",
        'G = NeuronGroup(1, "w : 1\\nv : 1 (linked)")\nNetwork(G).run(1*ms)',
        ValueError,
        ("G.v is linked, but to nothing yet", "G.v = linked_var(other.v)"),
    ),
    Bad(
        "linked to another size",
        'G = NeuronGroup(3, "v : 1 (linked)")\nG.v = linked_var(NeuronGroup(2, "x : 1"), "x")',
        ValueError,
        ("has 2 elements and", "has 3", "index=[...]"),
    ),
    Bad(
        "shared reads what is not",
        'NeuronGroup(3, "s = 2*v : 1 (shared)\\nv : 1")',
        ValueError,
        ("'s' is shared", "reads 'v'", "leave the flag out"),
        "s = 2*v : 1 (shared)",
    ),
    Bad(
        "options of a fixed method",
        'G = NeuronGroup(1, "dv/dt = -v/ms : 1", method="rk4", method_options={"max_steps": 9})\nNetwork(G).run(1*ms)',
        ValueError,
        ("method_options ['max_steps']", "'dopri5'", "'rk4'"),
    ),
    Bad(
        "function without units",
        "Function(lambda *x: 1)",
        ValueError,
        ("cannot be seen", "arg_units=[...]"),
    ),
    Bad(
        "seed",
        'seed("a")',
        ValueError,
        ("a seed is a whole number", "'a'"),
    ),
)
