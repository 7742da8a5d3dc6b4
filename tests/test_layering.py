"""The plan of the house, checked on the source text alone: nothing of the package is imported.

`PLAN` says which room may import which. The checker reads a package folder with `ast` and returns
one sentence per violation; the tests run it on the package, and on small trees with a known fault.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "jaxsnn"
ROOT = "jaxsnn"
MAX_LINES = 400
MAX_MODULES = 8

# A folder or file directly below the package is a room. Each line may import what stands in it.
BASE = {"equations", "program", "units", "errors"}
SAID = {"objects", "plasticity", "models", "integrators"}
RUN = {"simulation", "events", "delays", "surrogate", "random"}
BELOW_ROOF = BASE | {"codegen"} | SAID | RUN

PLAN: dict[str, set[str]] = {
    # the ground floor
    "errors": set(),
    "citation": set(),
    "units": {"errors"},
    "equations": {"units", "errors"},
    "program": {"equations", "units", "errors"},
    "codegen": BASE,
    # what the user says: host side, no jax
    "integrators": BASE,
    "objects": BASE | {"codegen", "integrators"},
    "plasticity": {"objects", "units", "errors", "citation"},
    "models": {"objects", "units", "errors", "citation"},
    # how it runs: knows programs and arrays, nothing of groups
    "surrogate": {"errors"},
    "random": {"errors"},
    "events": BASE | {"codegen", "surrogate", "random"},
    "delays": BASE | {"codegen", "surrogate", "random"},
    "simulation": BASE | (RUN - {"simulation"}) | {"codegen"},
    "rates": {"errors", "events"},  # arrays in, arrays out: nothing of programs
    # the roof: the only rooms that see both wings
    "network": BELOW_ROOF,
    "bridges": BELOW_ROOF | {"network"},
    "fit": BASE | RUN | {"citation", "plot"},  # losses name their source; a result draws itself
    # carries out a program by its events; delays and spike times that no clock has rounded only the network has
    "adjoint": BASE | RUN | {"codegen", "network"},
    # builds networks as a user does, and scripts of Brian2
    "bench": {"network", "objects", "units", "errors", "events", "surrogate", "bridges"},
    "plot": {"errors", "units"},  # draws whatever has the attributes of a monitor
    "__main__": BELOW_ROOF | {"network", "bridges", "fit", "adjoint", "plot", "bench", ROOT},
    ROOT: BELOW_ROOF | {"network", "bridges", "fit", "adjoint", "plot", "rates"},  # jaxsnn/__init__.py
}

JAX = {"jax", "jaxlib", "optax"}  # importing one of them imports jax
WITHOUT_JAX = {"citation", "errors", "units", "equations", "program", "plot"} | SAID
OPTIONAL = {"brian2", "IPython", "matplotlib", "nir", "pandas"}  # extras: import them where used
IN_FUNCTIONS = OPTIONAL | {"tqdm"}  # a progress bar that most runs never draw
EXTRAS = "jaxsnn.bridges."  # a bridge needs its extra as a whole, so others import it where they use it
RUNS_CODE_ON_LOAD = {"cloudpickle", "dill", "marshal", "pickle", "shelve"}

# Modules above MAX_LINES, each with its reason.
LONG: dict[str, str] = {}


@dataclass(frozen=True)
class Import:
    """One name of another module in one import statement."""

    target: str  # dotted; a module of the package wherever it names one
    line: int
    in_function: bool
    typing_only: bool


@dataclass(frozen=True)
class Module:
    name: str  # dotted
    path: str  # relative, for messages
    is_package: bool
    tree: ast.Module
    lines: int

    @property
    def room(self) -> str:
        return room_of(self.name)


def room_of(name: str) -> str:
    """`jaxsnn.equations.parse` -> `equations`; the package itself is the roof."""
    return name.split(".")[1] if "." in name else name


def read_package(folder: Path) -> dict[str, Module]:
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join((ROOT, *(parts[:-1] if is_package else parts)))
        text = path.read_text(encoding="utf-8")
        where = f"{ROOT}/{path.relative_to(folder).as_posix()}"
        modules[name] = Module(name, where, is_package, ast.parse(text), len(text.splitlines()))
    return modules


def statements(
    node: ast.AST, in_function: bool = False, typing_only: bool = False
) -> Iterator[tuple[ast.AST, bool, bool]]:
    """Every node below `node`, with whether it stands in a function or under TYPE_CHECKING."""
    for child in ast.iter_child_nodes(node):
        inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        typing = typing_only or (isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"))
        yield child, inside, typing
        yield from statements(child, inside, typing)


def imports_of(module: Module, modules: dict[str, Module]) -> list[Import]:
    found = []
    for node, in_function, typing_only in statements(module.tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute_base(node, module)
            # `from jaxsnn import units` imports a room, `from jaxsnn import NeuronGroup` the roof.
            targets = [
                name if name in modules or (base == ROOT and alias.name in PLAN) else base
                for alias in node.names
                for name in [f"{base}.{alias.name}"]
            ]
        else:
            continue
        found += [Import(target, node.lineno, in_function, typing_only) for target in targets]
    return list(dict.fromkeys(found))


def absolute_base(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    kept = len(parts) - node.level + module.is_package
    return ".".join(parts[:kept] + ([node.module] if node.module else []))


def is_ours(name: str) -> bool:
    return name.split(".")[0] == ROOT


def check_plan(modules: dict[str, Module]) -> Iterator[str]:
    """An import in a type-only block draws an arrow in the plan too."""
    for module in modules.values():
        if module.room not in PLAN:
            yield f"{module.path}: the room {module.room!r} is not in the plan"
            continue
        for item in imports_of(module, modules):
            room = room_of(item.target)
            if is_ours(item.target) and room != module.room and room not in PLAN[module.room]:
                yield f"{module.path}:{item.line}: {module.room} may not import {room}"


def loads(module: Module, modules: dict[str, Module]) -> Iterator[str]:
    """What Python loads for the module-level imports of `module`.

    Importing `a.b.c` runs `a/b/__init__.py` as well. The package's own `__init__` is left out: it
    is the roof over everything, and no room depends on what it re-exports.
    """
    for item in imports_of(module, modules):
        if item.in_function or item.typing_only:
            continue
        yield item.target
        parts = item.target.split(".")
        if parts[0] == ROOT:
            yield from (".".join(parts[:end]) for end in range(2, len(parts)))


def way_to(start: Module, modules: dict[str, Module], forbidden: set[str]) -> list[str] | None:
    """The shortest chain of imports from `start` to an outside package in `forbidden`."""
    parents = [".".join(start.name.split(".")[:n]) for n in range(2, start.name.count(".") + 1)]
    ways = [[name] for name in [start.name, *parents]]
    seen = {way[0] for way in ways}
    for way in ways:  # breadth first: the list grows while it is walked
        if way[-1] not in modules:
            continue
        for target in loads(modules[way[-1]], modules):
            if not is_ours(target) and target.split(".")[0] in forbidden:
                return [*way, target]
            if is_ours(target) and target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return None


def check_no_jax(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        way = way_to(module, modules, JAX) if module.room in WITHOUT_JAX else None
        if way:
            yield f"{module.path}: reaches jax by {' -> '.join(way)}"


def check_optional(modules: dict[str, Module]) -> Iterator[str]:
    """`import jaxsnn` works without any extra."""
    way = way_to(modules[ROOT], modules, OPTIONAL) if ROOT in modules else None
    if way:
        yield f"{modules[ROOT].path}: needs an optional extra by {' -> '.join(way)}"


def check_circles(modules: dict[str, Module]) -> Iterator[str]:
    """No module needs itself: an `__init__` re-exports its modules, and they don't import it."""
    arrows = {
        name: {
            item.target
            for item in imports_of(module, modules)
            if item.target in modules and not (item.in_function or item.typing_only)
        }
        for name, module in modules.items()
    }
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> Iterator[str]:
        if name in way:
            yield "circle of imports: " + " -> ".join([*way[way.index(name) :], name])
        elif name not in done:
            for target in sorted(arrows[name]):
                yield from walk(target, [*way, name])
            done.add(name)

    for name in modules:
        yield from walk(name, [])


def check_hidden(modules: dict[str, Module]) -> Iterator[str]:
    for module in modules.values():
        for item in imports_of(module, modules):
            bridge = module.room == ROOT and item.target.startswith(EXTRAS)
            if item.in_function and item.target.split(".")[0] not in IN_FUNCTIONS and not bridge:
                yield f"{module.path}:{item.line}: import of {item.target} inside a function"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and called(node) in {"import_module", "__import__"}:
                yield f"{module.path}:{node.lineno}: an import by {called(node)}()"


def check_sizes(modules: dict[str, Module]) -> Iterator[str]:
    folders: dict[str, int] = {}
    for module in modules.values():
        if module.lines > MAX_LINES and module.path not in LONG:
            yield f"{module.path}: {module.lines} lines, more than {MAX_LINES}"
        if not module.is_package:
            folder = module.path.rpartition("/")[0]
            folders[folder] = folders.get(folder, 0) + 1
    for folder, count in folders.items():
        if count > MAX_MODULES:
            yield f"{folder}: {count} modules, more than {MAX_MODULES}"


def called(node: ast.Call) -> str:
    """The last name of what is called: `a.b.c()` -> `c`."""
    return ast.unparse(node.func).rpartition(".")[2]


def check_no_evaluation(modules: dict[str, Module]) -> Iterator[str]:
    """Text is parsed, never evaluated; loading a file runs no code."""
    for module in modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                plain = isinstance(node.func, ast.Name)
                if plain and called(node) == "eval":
                    fault = "eval()"
                elif plain and called(node) == "exec" and module.room != "codegen":
                    fault = "exec() outside codegen, which runs only the source that it printed"
                elif called(node) in {"sympify", "parse_expr"} and keywords.get("strict") != "True":
                    fault = f"SymPy's {called(node)}() evaluates strings"
                elif keywords.get("allow_pickle", "False") != "False":
                    fault = "allow_pickle runs code on load"
                else:
                    continue
                yield f"{module.path}:{node.lineno}: {fault}"
        for item in imports_of(module, modules):
            if item.target.split(".")[0] in RUNS_CODE_ON_LOAD:
                yield f"{module.path}:{item.line}: {item.target} runs code on load"


CHECKS: list[Callable[[dict[str, Module]], Iterator[str]]] = [
    check_plan,
    check_no_jax,
    check_optional,
    check_circles,
    check_hidden,
    check_sizes,
    check_no_evaluation,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_package(check):
    faults = list(check(read_package(PACKAGE)))
    assert not faults, "\n" + "\n".join(faults)


def test_plan_has_no_circle_and_two_wings():
    assert set(TopologicalSorter(PLAN).static_order()) == PLAN.keys()  # a circle raises
    for room in (SAID | RUN | {"codegen"}) & PLAN.keys():
        reach = {room} | PLAN[room]
        assert not (reach & SAID and reach & RUN), room


def test_long_modules_are_still_long():
    modules = {module.path: module.lines for module in read_package(PACKAGE).values()}
    assert all(modules.get(path, 0) > MAX_LINES for path in LONG)


# ---- the checker itself, on trees with one known fault ------------------------------------------


def tree(tmp_path: Path, files: dict[str, str]) -> dict[str, Module]:
    for name, text in {"__init__.py": "", **files}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return read_package(tmp_path)


FAULTS = {
    "upwards": (check_plan, {"units.py": "import jaxsnn.equations.parse"}),
    "wings, left to right": (check_plan, {"objects/a.py": "from jaxsnn.delays import ring"}),
    "wings, right to left": (check_plan, {"events/a.py": "from jaxsnn import objects"}),
    "relative": (check_plan, {"events/a.py": "from ..objects import groups"}),
    "the roof from below": (check_plan, {"models/a.py": "from jaxsnn import NeuronGroup"}),
    "types only": (
        check_plan,
        {"random.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import jaxsnn.fit"},
    ),
    "unknown room": (check_plan, {"utils.py": ""}),
    "jax itself": (check_no_jax, {"equations/a.py": "from jax import numpy"}),
    "jax two steps away": (
        check_no_jax,
        {"objects/a.py": "from jaxsnn.codegen import host", "codegen/host.py": "from . import low",
         "codegen/low.py": "import optax", "codegen/__init__.py": ""},
    ),
    "jax by the package of a module": (
        check_no_jax,
        {"objects/a.py": "from jaxsnn.codegen.host import f", "codegen/host.py": "f = 1",
         "codegen/__init__.py": "from jaxsnn.codegen.device import g",
         "codegen/device.py": "import jax.numpy as jnp\ng = 1"},
    ),
    "jax by its own package": (
        check_no_jax,
        {"codegen/a/__init__.py": "import jax", "codegen/a/b.py": "",
         "units.py": "import jaxsnn.codegen.a.b"},
    ),
    "an extra at import": (
        check_optional,
        {"__init__.py": "from jaxsnn import plot", "plot.py": "import matplotlib.pyplot as plt"},
    ),
    "circle": (
        check_circles,
        {"units/a.py": "from jaxsnn.units import b", "units/b.py": "import jaxsnn.units.a"},
    ),
    "circle through a package": (
        check_circles,
        {"units/__init__.py": "from .a import f", "units/a.py": "from jaxsnn.units import g"},
    ),
    "hidden": (check_hidden, {"fit/a.py": "class A:\n def f(self):\n  import jaxsnn.network"}),
    "a bridge, but not from the roof": (
        check_hidden,
        {"fit/a.py": "def f():\n import jaxsnn.bridges.brian2", "bridges/brian2/__init__.py": ""},
    ),
    "dynamic": (check_hidden, {"fit/a.py": "import importlib\nimportlib.import_module('jax')"}),
    "long": (check_sizes, {"program.py": "\n" * (MAX_LINES + 1)}),
    "crowded": (check_sizes, {f"models/m{i}.py": "" for i in range(MAX_MODULES + 1)}),
    "eval": (check_no_evaluation, {"units.py": "def f(text):\n return eval(text)"}),
    "exec": (check_no_evaluation, {"units.py": "exec('1')"}),
    "sympify": (check_no_evaluation, {"equations/a.py": "import sympy\nsympy.sympify('x')"}),
    "pickle": (check_no_evaluation, {"network.py": "import pickle"}),
    "np.load": (check_no_evaluation, {"network.py": "np.load(f, allow_pickle=True)"}),
}  # fmt: skip


@pytest.mark.parametrize(("check", "files"), FAULTS.values(), ids=FAULTS.keys())
def test_checker_finds(check, files, tmp_path):
    assert len(list(check(tree(tmp_path, files)))) == 1


def test_checker_lets_pass(tmp_path):
    modules = tree(
        tmp_path,
        {
            "__init__.py": "from jaxsnn.network import Network\nfrom . import plot",
            "__main__.py": "import jaxsnn",
            "network.py": "from jaxsnn.objects import groups\nfrom jaxsnn.simulation import step",
            "plot.py": "def raster():\n import matplotlib.pyplot as plt",
            "objects/__init__.py": "from jaxsnn.objects.groups import Group",
            "objects/groups.py": "from jaxsnn.codegen.host import f\nGroup = f",
            "codegen/__init__.py": '"""Two targets."""',
            "codegen/host.py": "import numpy\nf = numpy.exp\nexec(compile('1', 'f', 'exec'))",
            "codegen/device.py": "import jax\nmodel.eval()",
            "simulation/step.py": "import jax\nfrom jaxsnn.codegen import device",
            "units.py": "import sympy\nsympy.sympify(2, strict=True)",
        },
    )
    assert [fault for check in CHECKS for fault in check(modules)] == []
