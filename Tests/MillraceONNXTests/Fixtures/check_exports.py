"""Compares models that Millrace exported with what ONNX Runtime predicts.

    MILLRACE_ONNX_OUT=/tmp/exports swift test --disable-xctest --filter exportsForONNXRuntime
    venv/bin/python check_exports.py /tmp/exports

Each line of NAME.txt is a row of features and Millrace's outputs for all classes.
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

worst = 0.0
files = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
for file in files:
    onnx.checker.check_model(onnx.load(file), full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    width = session.get_inputs()[0].shape[1]
    table = np.loadtxt(file.with_suffix(".txt"), dtype=np.float32)
    found = session.run(None, {"features": table[:, :width]})[-1]
    expected = table[:, width:]
    error = np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected)))
    worst = max(worst, error)
    if not error <= 1e-5 or found.shape != expected.shape:
        sys.exit(f"{file.name}: off by {error:g}")
print(f"{len(files)} models, largest |a - b| / max(1, |b|): {worst:.2g}, "
      f"onnx {onnx.__version__}, ONNX Runtime {onnxruntime.__version__}")
