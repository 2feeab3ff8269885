"""Writes safetensors files as PyTorch users save them, with what they predict.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python generate.py

For each case NAME.safetensors, written by the standard library (`safetensors.numpy.save_file`) with
the names and shapes of a `torch.nn.Sequential`'s state dict, and NAME.txt: a line `rows N WIDTH`, N
lines of features, a line `outputs N WIDTH`, N lines of what the layers give in double precision.
Everything is drawn from one seed. `check_ours.py` reads what Millrace wrote.
"""

import os

import numpy as np
from safetensors.numpy import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(20)


def layer(inputs, outputs):
    return (
        (random.standard_normal((outputs, inputs)) / np.sqrt(inputs)).astype(np.float32),
        random.standard_normal(outputs).astype(np.float32),
    )


def relu(x):
    return np.maximum(x, 0)


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def write(name, names, layers, activation, head, metadata, bias=True):
    tensors = {}
    rows = (2 * random.standard_normal((20, layers[0][0].shape[1]))).astype(np.float32)
    x = rows.astype(np.float64)
    for index, (prefix, (weight, offset)) in enumerate(zip(names, layers)):
        tensors[prefix + "weight"] = weight
        if bias:
            tensors[prefix + "bias"] = offset
        x = x @ weight.astype(np.float64).T + (offset.astype(np.float64) if bias else 0)
        x = head(x) if index == len(layers) - 1 else activation(x)
    save_file(tensors, f"{HERE}/{name}.safetensors", metadata=metadata)
    with open(f"{HERE}/{name}.txt", "w") as file:
        for title, values, form in [("rows", rows, "%.9g"), ("outputs", x, "%.17g")]:
            file.write(f"{title} {values.shape[0]} {values.shape[1]}\n")
            for row in values:
                file.write(" ".join(form % value for value in row) + "\n")


write(
    "sequential", ["0.", "2.", "10."], [layer(5, 9), layer(9, 7), layer(7, 3)], np.tanh, softmax,
    {"format": "pt"})
write(
    "module", ["net.layers.0.", "net.layers.3."], [layer(4, 6), layer(6, 1)], relu, sigmoid, None)
write("linear", ["fc."], [layer(3, 2)], None, lambda x: x, {"format": "pt"})
write("bare", [""], [layer(6, 1)], None, lambda x: x, None, bias=False)
