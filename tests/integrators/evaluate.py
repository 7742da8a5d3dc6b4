"""Statements carried out in NumPy, with SciPy's matrix exponential: what the tests compare."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import scipy.linalg

from jaxsnn.equations.expressions import Binary, Call, Compare, Expr, Name, Number, Unary
from jaxsnn.equations.statements import Assign, Propagate, Statement
from jaxsnn.equations.system import Equations
from jaxsnn.integrators import OdeSystem


def exprel(z):
    small = np.abs(z) < 1e-9
    safe = np.where(small, 1, z)
    return np.where(small, 1 + z / 2, np.expm1(safe) / safe)


def exp_divided(*points):
    """The corner of the exponential of a bidiagonal matrix (Opitz), in double precision."""
    points = np.broadcast_arrays(*points)
    n = len(points)
    matrix = np.zeros((*points[0].shape, n, n))
    for k, point in enumerate(points):
        matrix[..., k, k] = point
        if k:
            matrix[..., k - 1, k] = 1
    return scipy.linalg.expm(matrix)[..., 0, -1]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "exprel": exprel,
    "exp_divided": exp_divided,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "where": np.where,
    "int": lambda x: np.asarray(x).astype(int),
}
OPERATORS = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "**": np.power,
    ">": np.greater,
    "<": np.less,
}


def value(expr: Expr, env: Mapping[str, Any]) -> Any:
    match expr:
        case Number(value=number):
            return number
        case Name(id=name):
            return env[name]
        case Unary(op="-", operand=operand):
            return -value(operand, env)
        case Binary(op=op, left=left, right=right) | Compare(op=op, left=left, right=right):
            return OPERATORS[op](value(left, env), value(right, env))
        case Call(function=function, args=args):
            functions = FUNCTIONS | {k: f for k, f in env.items() if callable(f)}
            return functions[function](*(value(arg, env) for arg in args))
    raise TypeError(expr)


def run(
    statements: tuple[Statement, ...],
    state: Mapping[str, Any],
    constants: Mapping[str, Any],
    dt: float,
    steps: int = 1,
    noise: Mapping[str, Any] | None = None,
    dtype: type = np.float64,
) -> dict[str, Any]:
    """The state after some steps from time 0.

    ``noise[xi][k]`` is the increment of a Wiener process over step k, in place of a drawn one.
    """
    env: dict[str, Any] = {
        name: number if callable(number) else np.asarray(number, dtype)
        for name, number in {**constants, **state, "dt": dt}.items()
    }
    for k in range(steps):
        env["t"] = np.asarray(k * dt, dtype)
        for xi, increments in (noise or {}).items():
            env[f"_dW_{xi}"] = increments[k]
        for statement in statements:
            match statement:
                case Assign(target=target) if target.startswith("_dW_"):
                    pass
                case Assign(target=target, op="=", expr=expr):
                    env[target] = np.asarray(value(expr, env))
                    if env[target].dtype.kind == "f":
                        env[target] = env[target].astype(dtype)
                case Propagate():
                    propagate(statement, env)
    return {name: env[name] for name in state}


def propagate(statement: Propagate, env: dict[str, Any]) -> None:
    n = len(statement.variables)
    entries = [
        [*(value(entry, env) for entry in row), value(forcing, env)]
        for row, forcing in zip(statement.matrix, statement.forcing, strict=True)
    ]
    shape = np.broadcast_shapes(*(np.shape(entry) for row in entries for entry in row))
    matrix = np.zeros((*shape, n + 1, n + 1))
    for i, row in enumerate(entries):
        for j, entry in enumerate(row):
            matrix[..., i, j] = entry
    step = scipy.linalg.expm(matrix * env["dt"])
    old = [env[name] for name in statement.variables] + [1.0]
    for i, target in enumerate(statement.targets):
        env[target] = sum(step[..., i, j] * old[j] for j in range(n + 1))


def system(text: str, **more: Any) -> OdeSystem:
    """The differential equations of a model text."""
    equations = Equations(text)
    return OdeSystem(equations.inlined(), {}, equations.source, **more)
