"""Writes the ONNX standard's own cases for training operators as text: training.txt.

    python3 -m venv venv && venv/bin/pip install onnx==1.23.2
    venv/bin/python Tests/MillraceModelsTests/Onnx/generate_training.py > Tests/MillraceModelsTests/Onnx/training.txt

Taken are the float32 cases of Adam, Adagrad, Momentum (ai.onnx.preview.training),
SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss. Scores of more than two dimensions
`[N, C, d1, ...]` are written as rows `[N * d1 * ..., C]`, and their labels alike; so are losses that
are not reduced. Left out, and listed on standard error: cases that are expanded into other operators or
give log-probabilities too, which test the same numbers again, and cases of more than 10,000 scores.

The text: `case NAME OPERATOR [KEY=VALUE ...]`, then for each input and output a line
`tensor ROLE DIMENSION ...` and one with the elements.
"""

import sys

import numpy as np
from onnx import helper
from onnx.backend.test.case.node import collect_testcases

OPTIMIZERS = ["Adam", "Adagrad", "Momentum"]
LOSSES = ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"]


def text(value):
    return value.decode() if isinstance(value, bytes) else f"{value:.9g}"


def tensor(role, array):
    array = np.asarray(array)
    print("tensor", role, *array.shape)
    print(*[str(x) for x in array.ravel()])


def rows(array):
    """`[N, C, d1, ...]` as `[N * d1 * ..., C]`."""
    return np.moveaxis(array, 1, -1).reshape(-1, array.shape[1])


def write(case):
    nodes = case.model.graph.node
    if len(nodes) != 1:
        return print(f"left out: {case.name}: spelled out as several", file=sys.stderr)
    node = nodes[0]
    if len(node.output) > 1 and node.op_type in LOSSES:
        return print(f"left out: {case.name}: the same numbers again", file=sys.stderr)
    inputs, outputs = case.data_sets[0]
    if np.size(inputs[0]) > 10_000:
        return print(f"left out: {case.name}: {np.size(inputs[0])} scores", file=sys.stderr)
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    keys = [f"{k}={text(v)}" for k, v in sorted(attributes.items())]
    print("case", case.name, node.op_type, *keys)
    if node.op_type in OPTIMIZERS:
        for role, array in zip(["rate", "count"], inputs):
            tensor(role, array)
        for name, array in zip(node.input[2:], inputs[2:]):
            tensor(name, array)
        for name, array in zip(node.output, outputs):
            tensor(name, array)
    else:
        tensor("scores", rows(inputs[0]))
        tensor("labels", np.asarray(inputs[1]).ravel())
        if len(inputs) > 2:
            tensor("weights", inputs[2])
        tensor("loss", np.asarray(outputs[0]).ravel())


for case in sorted(collect_testcases(None), key=lambda c: c.name):
    if case.model and case.model.graph.node[0].op_type in OPTIMIZERS + LOSSES:
        write(case)
