"""Compares what `millrace model predict --json` printed with what ONNX Runtime predicts.

    venv/bin/python walkthrough.py MODEL.onnx ROWS.csv PREDICTED.jsonl

The versions are those of Tests/MillraceONNXTests/Fixtures/requirements.txt. Ends with an error when
a number differs by more than 1e-5 * max(1, |b|).
"""

import csv
import json
import sys

import numpy as np
import onnxruntime

model, rows, predicted = sys.argv[1:]
with open(rows) as file:
    features = np.array([row for row in list(csv.reader(file))[1:]], dtype=np.float32)
with open(predicted) as file:
    ours = np.array([json.loads(line)["outputs"] for line in file])
session = onnxruntime.InferenceSession(model)
theirs = session.run(None, {session.get_inputs()[0].name: features})
theirs = next(output for output in theirs if np.asarray(output).dtype == np.float32)
if theirs.shape[1] == 1:
    theirs = np.hstack([1 - theirs, theirs])
assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
error = (np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).max()
print(f"{len(ours)} rows, largest |a - b| / max(1, |b|): {error:.2g}")
assert error <= 1e-5, error
