"""Reads the weights of published versions with the standard safetensors library.

    venv/bin/python check_ours.py MODELS/NAME/VERSION ...

Opens model.safetensors, compares its tensors with the manifest's shapes, computes the golden rows'
predictions from them in double precision, and prints the largest error.
"""

import json
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "leakyReLU": lambda x: np.where(x > 0, x, 0.01 * x),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


HEADS = {"identity": lambda x: x, "sigmoid": ACTIVATIONS["sigmoid"], "softmax": softmax}

for directory in sys.argv[1:]:
    path = directory + "/model.safetensors"
    tensors = {name: value.astype(np.float64) for name, value in load_file(path).items()}
    with safe_open(path, framework="np") as file:
        assert file.metadata()["format"] == "millrace"
    with open(directory + "/manifest.json") as file:
        manifest = json.load(file)
    architecture, golden = manifest["architecture"], manifest["golden"]
    x = np.array(golden["rows"], dtype=np.float64)
    part = {name: tensors["input." + name] for name in ["impute", "mean", "limit", "scale"]}
    x = np.where(np.isnan(x), part["impute"], x) - part["mean"]
    x = np.clip(x, -part["limit"], part["limit"]) * part["scale"]
    shapes = architecture["layers"]
    for index, shape in enumerate(shapes):
        weight = tensors[f"layers.{index}.weight"]
        assert list(weight.shape) == shape, (weight.shape, shape)
        x = x @ weight + tensors[f"layers.{index}.bias"]
        last = index == len(shapes) - 1
        x = HEADS[architecture["head"]](x) if last else ACTIVATIONS[architecture["activation"]](x)
    error = np.abs(x - np.array(golden["outputs"])).max()
    print(f"{directory}: {len(tensors)} tensors, {len(golden['rows'])} golden rows, error {error:.3g}")
    assert error <= golden["tolerance"], error
