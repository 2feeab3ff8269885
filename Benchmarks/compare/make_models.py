"""Writes ONNX models, one for each number of rows, from weights that `inference-record` wrote.

    make_models.py DIRECTORY
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BATCHES = [1, 8, 64, 256, 1024, 4096]


def model(widths, numbers, rows):
    nodes, constants, source = [], [], "x"
    at = 0
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        last = i == len(widths) - 2
        weights = numbers[at : at + inputs * outputs].reshape(inputs, outputs)
        bias = numbers[at + inputs * outputs : at + (inputs + 1) * outputs]
        at += (inputs + 1) * outputs
        constants += [
            numpy_helper.from_array(weights, f"w{i}"),
            numpy_helper.from_array(bias, f"b{i}"),
        ]
        target = "y" if last else f"z{i}"
        nodes.append(helper.make_node("Gemm", [source, f"w{i}", f"b{i}"], [target]))
        source = target
        if not last:
            nodes.append(helper.make_node("Relu", [target], [f"a{i}"]))
            source = f"a{i}"
    assert at == len(numbers)
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, widths[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, widths[-1]])],
        constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made


if __name__ == "__main__":
    directory = pathlib.Path(sys.argv[1])
    for file in directory.glob("*.f32"):
        widths = [int(w) for w in file.stem.split("-")]
        numbers = np.fromfile(file, dtype="<f4")
        for rows in BATCHES:
            onnx.save(model(widths, numbers, rows), directory / f"{file.stem}-{rows}.onnx")
