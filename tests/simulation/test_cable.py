"""The cable operation against the whole linear system of compartments and nodes, solved at once."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsnn.simulation.compartments.cable import _step


def by_depth(parent: np.ndarray) -> np.ndarray:
    """The sections of each depth, filled up with their number."""
    depth = {0: 0}
    for k, node in enumerate(parent):
        depth[k + 1] = depth[int(node)] + 1
    rows = [[k - 1 for k, d in depth.items() if d == level] for level in range(1, max(depth.values()) + 1)]
    return np.array([row + [len(parent)] * (max(map(len, rows)) - len(row)) for row in rows])


@pytest.mark.parametrize(
    ("lengths", "parent"),
    [([5], [0]), ([1, 3, 4], [0, 1, 1]), ([3, 2, 4, 1, 2, 3], [0, 1, 1, 2, 2, 5]), ([2] * 6, [0, 1, 2, 3, 4, 5])],
    ids=["one section", "a soma with two dendrites", "a tree", "a chain"],
)
def test_a_step_solves_the_equations_of_all_compartments_and_nodes(lengths, parent, x64):
    rng = np.random.default_rng(0)
    n, parent = sum(lengths), np.array(parent)
    last = np.cumsum(lengths) - 1
    first = last - np.array(lengths) + 1
    area, axial = rng.uniform(0.5, 2, n), rng.uniform(0.5, 2, n)
    axial[first] = 0
    start, end = rng.uniform(0.5, 2, (2, len(lengths)))
    v, capacity, conductance, current = rng.uniform(0.5, 2, (4, n))

    nodes = n + np.arange(len(lengths) + 1)
    matrix, right = np.zeros((n + nodes.size,) * 2), np.zeros(n + nodes.size)
    matrix[np.arange(n), np.arange(n)] = capacity + conductance
    right[:n] = capacity * v + current

    def join(a: int, b: int, g: float) -> None:
        """A conductance between two compartments (per area) or nodes (in all)."""
        for one, other in ((a, b), (b, a)):
            scale = 1 / area[one] if one < n else 1
            matrix[one, one] += g * scale
            matrix[one, other] -= g * scale

    for k in range(1, n):
        if axial[k]:
            join(k - 1, k, axial[k])
    for k in range(len(lengths)):
        join(nodes[parent[k]], first[k], start[k])
        join(last[k], nodes[k + 1], end[k])
    expected = np.linalg.solve(matrix, right)[:n]

    section = np.repeat(np.arange(len(lengths)), lengths)
    value = {"area": area, "axial": axial, "start": start, "end": end}
    new = _step(
        jnp.asarray(v),
        *map(jnp.asarray, (capacity, conductance, current)),
        {name: jnp.asarray(x) for name, x in value.items()},
        *map(jnp.asarray, (x.astype(np.int32) for x in (first, last, parent, section, by_depth(parent)))),
    )
    # Conductances differ by factors, not by orders of magnitude, so nothing but rounding is lost.
    np.testing.assert_allclose(new, expected, rtol=1e-12)
