"""Writes the ONNX standard's own node test cases for what Millrace has as text: nodes.txt.

    python3 -m venv venv && venv/bin/pip install onnx==1.23.2
    venv/bin/python Tests/MillraceModelsTests/Onnx/generate.py > Tests/MillraceModelsTests/Onnx/nodes.txt

Taken are the float32 cases of the operators below. Left out, and listed on standard error: types
other than float32, a slope of LeakyRelu other than 0.01, and Gelu's tanh approximation, which
Millrace does not have. A softmax over another axis than the last has its axes exchanged, and a
product of other dimensions is written as a stack of matrices.

The text: `case NAME OPERATOR [KEY=VALUE ...]`, then for each input and at last for the output a line
`tensor DIMENSION ...` and one with the elements.
"""

import sys

import numpy as np
from onnx import helper
from onnx.backend.test.case.node import collect_testcases

OPERATORS = ["Gemm", "MatMul", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Gelu", "Softmax"]


def leave_out(case, why):
    print(f"left out: {case.name}: {why}", file=sys.stderr)


def tensor(array):
    array = np.asarray(array)
    print("tensor", *array.shape)
    print(*[str(x) for x in array.ravel()])  # float32's shortest text that reads back the same


def as_stack(a, b, y):
    """A product of any dimensions as `[stack, rows, depth] * [stack, depth, columns]`."""
    a = a[np.newaxis, :] if a.ndim == 1 else a
    b = b[:, np.newaxis] if b.ndim == 1 else b
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, stack + a.shape[-2:]).reshape(-1, *a.shape[-2:])
    b = np.broadcast_to(b, stack + b.shape[-2:]).reshape(-1, *b.shape[-2:])
    return [a, b, np.asarray(y).reshape(len(a), a.shape[1], b.shape[2])]


def write(case):
    if len(case.model.graph.node) != 1:
        return leave_out(case, "the operator is spelled out as several others")
    node = case.model.graph.node[0]
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    inputs, outputs = case.data_sets[0]
    arrays = [*inputs, outputs[0]]
    if any(np.asarray(a).dtype != np.float32 for a in arrays):
        return leave_out(case, "not float32")
    if node.op_type == "LeakyRelu" and not np.isclose(attributes.get("alpha", 0.01), 0.01):
        return leave_out(case, f"a slope of {attributes['alpha']:g}")
    if node.op_type == "Gelu" and attributes.get("approximate", b"none") != b"none":
        return leave_out(case, "the tanh approximation")
    if node.op_type == "Softmax":
        arrays = [np.moveaxis(a, attributes.get("axis", -1), -1) for a in arrays]
    if node.op_type == "MatMul":
        arrays = as_stack(*arrays)
    keys = [f"{k}={v:g}" for k, v in attributes.items() if node.op_type == "Gemm"]
    print("case", case.name, node.op_type, *keys)
    for array in arrays:
        tensor(array)


for case in sorted(collect_testcases(None), key=lambda c: c.name):
    if case.model and case.model.graph.node[0].op_type in OPERATORS:
        write(case)
