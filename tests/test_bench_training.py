"""The training benchmark: both networks are what they are said to be."""

import numpy as np
import pytest

from jaxsnn.bench.training import DECAY, Shape, by_hand, compare_training, equations


def mean_voltages(shape, weights, images, input_first):
    """Of the readout, in a loop over images, steps and layers.

    ``input_first``: as in the loop written by hand, spikes are added before the threshold; as equations, in the order
    of Brian, after it, and voltages are recorded at the start of a step.
    """
    first, second, last = (np.asarray(weights[name], float) for name in ("first", "second", "last"))
    means = []
    for image in images:
        layers = [np.zeros(shape.hidden) for _ in range(1 if shape.recurrent else 2)]
        fired = [np.zeros(shape.hidden) for _ in layers]
        readout, total = np.zeros(shape.classes), np.zeros(shape.classes)
        for given in image:
            if input_first:
                before = fired[0]
                for k in range(len(layers)):
                    drive = given @ first if k == 0 else fired[0] @ second
                    if shape.recurrent:
                        drive = drive + before @ second
                    layers[k] = DECAY * layers[k] * (1 - fired[k]) + drive
                    fired[k] = np.where(layers[k] > 1, 1.0, 0.0)
                readout = DECAY * readout + fired[-1] @ last
                total += readout
            else:
                total += readout
                layers = [DECAY * v for v in layers]
                fired = [np.where(v > 1, 1.0, 0.0) for v in layers]
                layers[0] = layers[0] + given @ first
                layers[-1] = layers[-1] + fired[0] @ second
                layers = [np.where(s == 1, 0, v) for v, s in zip(layers, fired, strict=True)]
                readout = DECAY * readout + fired[-1] @ last
        means.append(total / shape.steps)
    return np.array(means)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("build", [by_hand, equations])
def test_both_networks_compute_what_a_loop_computes(build, recurrent):
    shape = Shape(batch=3, steps=20, inputs=8, hidden=5, classes=4, density=0.3, recurrent=recurrent)
    loss, weights = build(shape)
    weights = {name: 5 * matrix for name, matrix in weights.items()}
    x, labels = shape.data()
    scores = mean_voltages(shape, weights, np.asarray(x, float).swapaxes(0, 1), build is by_hand)
    assert np.ptp(scores) > 0.1
    wanted = np.mean([np.log(np.exp(s).sum()) - s[k] for s, k in zip(scores, np.asarray(labels), strict=True)])
    assert float(loss(weights, x, labels)) == pytest.approx(wanted, rel=1e-4)


def test_the_table_has_a_line_for_each_network_and_precision():
    said = []
    text = compare_training(Shape(batch=2, steps=4, inputs=3, hidden=4, classes=2), 2, said.append)
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if line[0:1] == "|"]
    head, _, *rows = rows
    assert len(said) == len(rows) == 4
    assert [row[0] for row in rows] == ["3-4-4-2"] * 2 + ["3-4 recurrent-2"] * 2
    assert all(len(row) == len(head) and float(row[2]) > 0 and float(row[3]) > 0 for row in rows)
