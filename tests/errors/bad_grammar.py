"""Bad inputs: texts outside the grammar, names that are taken, values that are no numbers."""

from __future__ import annotations

from errors.bad import Bad

__all__ = ["TABLE"]

TABLE = (
    Bad(
        "two defs",
        'NeuronGroup(1, "dv/dt = -v/ms : 1\\nv : 1")',
        ValueError,
        ("'v' is defined twice", "dv/dt"),
        "v : 1",
        "v : 1",
    ),
    Bad(
        "two defs added",
        'Equations("dv/dt = -v/ms : 1  # a\\n") + Equations("# second\\nu : 1\\nv : 1  # b")',
        ValueError,
        ("'v' is defined in both models", "v='v_2'"),
        "v : 1",
        "v : 1  # b",
    ),
    Bad(
        "reserved t",
        'NeuronGroup(1, "t : 1")',
        ValueError,
        ("'t'", "is the time"),
        "t",
    ),
    Bad(
        "reserved dt",
        'NeuronGroup(1, "dt : 1")',
        ValueError,
        ("'dt'", "is the time step"),
        "dt",
    ),
    Bad(
        "reserved xi",
        'NeuronGroup(1, "xi : 1")',
        ValueError,
        ("'xi'", "white noise"),
        "xi",
    ),
    Bad(
        "reserved i",
        'NeuronGroup(1, "i : 1")',
        ValueError,
        ("'i'", "index"),
        "i",
    ),
    Bad(
        "reserved N",
        'NeuronGroup(1, "N : 1")',
        ValueError,
        ("'N'", "number of elements"),
        "N",
    ),
    Bad(
        "reserved exp",
        'NeuronGroup(1, "exp : 1")',
        ValueError,
        ("'exp'", "function"),
        "exp",
    ),
    Bad(
        "reserved mV",
        'NeuronGroup(1, "mV : 1")',
        ValueError,
        ("'mV'", "unit"),
        "mV",
    ),
    Bad(
        "reserved pi",
        'NeuronGroup(1, "pi : 1")',
        ValueError,
        ("'pi'", "constant"),
        "pi",
    ),
    Bad(
        "reserved lambda",
        'NeuronGroup(1, "lambda : 1")',
        ValueError,
        ("'lambda'", "word of Python"),
        "lambda",
    ),
    Bad(
        "reserved lastspike",
        'NeuronGroup(1, "lastspike : 1")',
        ValueError,
        ("'lastspike'", "refractoriness"),
        "lastspike : 1",
    ),
    Bad(
        "reserved xi_2",
        'NeuronGroup(1, "xi_2 : 1")',
        ValueError,
        ("'xi_2'", "white noise"),
        "xi_2",
    ),
    Bad(
        "reserved order",
        'NeuronGroup(1, "order : 1")',
        ValueError,
        ("'order'", "attribute"),
        "order : 1",
    ),
    Bad(
        "reserved reset",
        'NeuronGroup(1, "reset : 1")',
        ValueError,
        ("'reset'", "attribute"),
        "reset : 1",
    ),
    Bad(
        "reserved _v",
        'NeuronGroup(1, "_v : 1")',
        ValueError,
        ("begin with '_'", "simulator"),
        "_v",
    ),
    Bad(
        "reserved v_pre",
        'NeuronGroup(1, "v_pre : 1")',
        ValueError,
        ("'_pre'", "synapse", "choose another name"),
        "v_pre : 1",
    ),
    Bad(
        "reserved v_post",
        'NeuronGroup(1, "v_post : 1")',
        ValueError,
        ("'_post'", "synapse", "choose another name"),
        "v_post : 1",
    ),
    Bad(
        "unknown flag",
        'NeuronGroup(1, "dv/dt = -v/ms : 1 (unless refractry)")',
        ValueError,
        ("no flag 'unless refractry'", "Did you mean 'unless refractory'?"),
        "unless refractry",
    ),
    Bad(
        "flag no sense",
        'NeuronGroup(1, "v : 1 (unless refractory)")',
        ValueError,
        ("'unless refractory' makes no sense for 'v'", "parameter", "constant, linked, shared"),
        "unless refractory",
    ),
    Bad(
        "flag event-driven in group",
        'NeuronGroup(1, "dv/dt = -v/ms : 1 (event-driven)")',
        ValueError,
        ("'event-driven' belongs to Synapses",),
        "dv/dt = -v/ms : 1 (event-driven)",
    ),
    Bad(
        "flag const on ode",
        'NeuronGroup(1, "dv/dt = -v/ms : 1 (constant)")',
        ValueError,
        ("'constant' makes no sense for 'v'", "unless refractory"),
        "constant",
    ),
    Bad(
        "two flags",
        'Synapses(cells, cells, "dg/dt = -g/ms : 1 (event-driven, clock-driven)")',
        ValueError,
        ("either event-driven or clock-driven",),
        "event-driven, clock-driven",
    ),
    Bad(
        "missing unit",
        'NeuronGroup(1, "dv/dt = -v/ms")',
        ValueError,
        ("the unit is missing", "': unit'"),
        "dv/dt = -v/ms",
    ),
    Bad(
        "missing unit first of two",
        'NeuronGroup(1, "dv/dt = -v/ms  # volt\\ndw/dt = -w/ms : 1")',
        ValueError,
        ("the unit is missing", "': unit'"),
        "dv/dt = -v/ms",
        "dv/dt = -v/ms  # volt",
    ),
    Bad(
        "scaled",
        'NeuronGroup(1, "v : mV")',
        ValueError,
        ("'mV' is scaled", "'volt'"),
        "mV",
    ),
    Bad(
        "bool",
        'NeuronGroup(1, "v : bool")',
        ValueError,
        ("'bool'", "write 'boolean'"),
        "bool",
    ),
    Bad(
        "int type",
        'NeuronGroup(1, "k : int")',
        ValueError,
        ("'int'", "write 'integer'"),
        "int",
    ),
    Bad(
        "unit by symbol",
        'NeuronGroup(1, "v : V")',
        ValueError,
        ("'V' is not a unit", "write 'volt'"),
        "V",
    ),
    Bad(
        "unit power",
        'NeuronGroup(1, "g : siemens/metre^2")',
        ValueError,
        ("'siemens/metre^2' cannot be read", "'**'"),
        "siemens/metre^2",
    ),
    Bad(
        "semicolon",
        'NeuronGroup(1, "v : 1; w : 1")',
        ValueError,
        ("each equation on a line of its own",),
        "1; w : 1",
    ),
    Bad(
        "boolean differential",
        'NeuronGroup(1, "dv/dt = 1/ms : boolean")',
        ValueError,
        ("continuous variable", "cannot be boolean"),
        "v",
    ),
    Bad(
        "not an equation",
        'NeuronGroup(1, "v == 3 : 1")',
        ValueError,
        ("this is no equation", "dx/dt = expression : unit"),
        "v == 3 : 1",
    ),
    Bad(
        "circle",
        'NeuronGroup(1, "x = y : 1\\ny = x : 1")',
        ValueError,
        ("in a circle: x -> y -> x",),
        "x = y : 1",
        "x = y : 1",
    ),
    Bad(
        "parens",
        'NeuronGroup(1, "u : 1\\ndv/dt = (-v/ms : 1")',
        ValueError,
        ("parentheses do not match", "'(' is never closed"),
        "(",
        "dv/dt = (-v/ms : 1",
    ),
    Bad(
        "unmatched pairs",
        'NeuronGroup(1, "v : 1", threshold="v > 1) or (v < -1", reset="v = 0")',
        ValueError,
        ("parentheses do not match", "')' closes nothing"),
        ")",
    ),
    Bad(
        "caret",
        'NeuronGroup(1, "dv/dt = -v^2/ms : 1")',
        ValueError,
        ("'^' is not a power", "'**'"),
        "^",
    ),
    Bad(
        "chained",
        'NeuronGroup(1, "v : 1", threshold="0 < v < 1", reset="")',
        ValueError,
        ("threshold", "chained comparisons", "a < b and b < c"),
        "0 < v < 1",
    ),
    Bad(
        "ifelse",
        'NeuronGroup(1, "x = 1 if v > 3 else 0 : 1\\nv : 1")',
        ValueError,
        ("where(condition, a, b)",),
        "1 if v > 3 else 0",
        "x = 1 if v > 3 else 0 : 1",
    ),
    Bad(
        "index",
        'cells.v = "v[3]"',
        ValueError,
        ("indexing is not possible",),
        "v[3]",
    ),
    Bad(
        "attr",
        'cells.v = "np.pi*mV"',
        ValueError,
        ("attributes are not possible", "namespace"),
        "np.pi",
    ),
    Bad(
        "string",
        "cells.v = \"'a'\"",
        ValueError,
        ("only numbers and True/False",),
        "'a'",
    ),
    Bad(
        "lambda",
        'cells.v = "lambda x: x"',
        ValueError,
        ("functions cannot be defined",),
        "lambda x: x",
    ),
    Bad(
        "missing operator",
        'cells.v = "2 mV"',
        ValueError,
        ("an operator is missing",),
        "2 mV",
    ),
    Bad(
        "number before unit",
        'cells.v = "2mV"',
        ValueError,
        ("between a number and a name stands a '*'",),
        "2mV",
    ),
    Bad(
        "c and",
        'cells.v["v > 0*mV && i > 2"] = 1*mV',
        ValueError,
        ("write 'and'",),
        "&&",
    ),
    Bad(
        "single =",
        'NeuronGroup(1, "v : 1", threshold="v = 1", reset="v = 0")',
        ValueError,
        ("compared with '=='",),
        "=",
    ),
    Bad(
        "and of numbers",
        'cells.v["i and True"] = 1*mV',
        ValueError,
        ("'and' combines conditions", "i is a number"),
        "i",
    ),
    Bad(
        "nargs",
        r"""
        G = NeuronGroup(1, "dv/dt = exp(v, 2)/ms : 1")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("exp() needs 1 argument, got 2",),
        "exp(v, 2)",
    ),
    Bad(
        "no parens",
        r"""
        G = NeuronGroup(1, "dv/dt = (rand - v)/ms : 1")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("rand is a function", "rand(...)"),
        "rand",
    ),
    Bad(
        "unknown func",
        r"""
        G = NeuronGroup(1, "dv/dt = sine(v)/ms : 1")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("no function 'sine'", "Did you mean 'sin'?"),
        "sine(v)",
    ),
    Bad(
        "call var",
        r"""
        G = NeuronGroup(1, "dv/dt = v(1 - v)/ms : 1")
        Network(G).run(1*ms)
        """,
        ValueError,
        ("v is a value, not a function", "'*'"),
        "v(1 - v)",
    ),
    Bad(
        "model not text",
        "NeuronGroup(1, 3)",
        ValueError,
        ("given as text", "got 3"),
    ),
    Bad(
        "replace unknown",
        'Equations("dv/dt = -v/tau : 1", tua=10*ms)',
        ValueError,
        ("no 'tua'", "Did you mean 'tau'?"),
    ),
    Bad(
        "replace by array",
        'Equations("dv/dt = -v/tau : 1", tau=[1, 2])',
        ValueError,
        ("'tau'", "a number or a quantity", "[1, 2]"),
    ),
    Bad(
        "replace a variable by a value",
        'Equations("dv/dt = -v/tau : 1\\ntau : second", tau=10*ms)',
        ValueError,
        ("'tau' is a variable", "tau='new_name'"),
        "tau : second",
        "tau : second",
    ),
    Bad(
        "ns array",
        r"""
        G = NeuronGroup(2, "dv/dt = -v/tau : 1", namespace={"tau": [10, 20]*ms})
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'tau'", "shape (2,)", "'tau : unit'"),
        "tau",
    ),
    Bad(
        "ns str",
        r"""
        G = NeuronGroup(2, "dv/dt = -v/tau : 1", namespace={"tau": "10*ms"})
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'tau'", "text '10*ms'", "single number or quantity"),
        "tau",
    ),
    Bad(
        "ns None",
        r"""
        G = NeuronGroup(2, "dv/dt = -v/tau : 1", namespace={"tau": None})
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'tau'", "NoneType", "single number or quantity"),
        "tau",
    ),
    Bad(
        "ns function",
        r"""
        G = NeuronGroup(2, "dv/dt = -f(v)/ms : 1", namespace={"f": np.sin})
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'f' is a Python function", "f = Function(f, arg_units"),
        "f(v)",
    ),
    Bad(
        "ns function not called",
        r"""
        G = NeuronGroup(2, "dv/dt = -f/ms : 1", namespace={"f": np.sin})
        Network(G).run(1*ms)
        """,
        ValueError,
        ("'f' in the namespace is a function",),
        "f",
    ),
    Bad(
        "ns call number",
        r"""
        G = NeuronGroup(2, "dv/dt = -f(v)/ms : 1", namespace={"f": 3})
        Network(G).run(1*ms)
        """,
        ValueError,
        ("f is a value, not a function",),
        "f(v)",
    ),
    Bad(
        "ns not dict",
        'G = NeuronGroup(2, "v : 1", namespace=3)',
        ValueError,
        ("neurongroup: namespace is a dictionary", "int"),
    ),
)
