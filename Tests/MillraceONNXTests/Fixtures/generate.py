"""Writes models in the ways that others export them, with what ONNX Runtime predicts.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python generate.py

For each case NAME.onnx, and NAME.txt: a line `rows N WIDTH`, N lines of features (`nan` where
missing), a line `outputs N WIDTH`, N lines of what ONNX Runtime gives (the probabilities or scores
of all classes, or the predictions), and for classifiers a line `labels` with the class of each row.
Cases whose name begins with `refused-` hold something that Millrace has not: they have no text.
Everything is drawn from fixed seeds.
"""

import pathlib
import warnings

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent
FEATURES = 6


def data(kind):
    if kind == "regression":
        x, y = make_regression(300, FEATURES, n_informative=4, noise=3.0, random_state=1)
        y = y / 50
    else:
        classes = {"binary": 2, "multi": 4}[kind]
        x, y = make_classification(
            400, FEATURES, n_informative=4, n_redundant=0, n_classes=classes, random_state=2)
    rng = np.random.default_rng(3)
    x = (x * rng.uniform(0.5, 20, FEATURES) + rng.uniform(-30, 30, FEATURES)).astype(np.float32)
    return x, y


def text(array):
    return "\n".join(" ".join(str(v) for v in row) for row in np.atleast_2d(array))


def write(name, model, x, feeds=None):
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())
    if name.startswith("refused-"):
        return
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = feeds or {session.get_inputs()[0].name: x}
    results = session.run(None, feeds)
    labels = None
    outputs = results[-1]
    if len(results) > 1:
        labels = results[0]
    if isinstance(outputs, list):
        outputs = np.array([list(row.values()) for row in outputs], np.float32)
    outputs = np.asarray(outputs, np.float32).reshape(len(x), -1)
    lines = [f"rows {len(x)} {x.shape[1]}", text(x), f"outputs {len(x)} {outputs.shape[1]}"]
    lines.append(text(outputs))
    if labels is not None:
        lines.append("labels " + " ".join(str(v) for v in np.asarray(labels).ravel()))
    (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n")


def export(name, steps, kind, zipmap=True, missing=False):
    x, y = data(kind)
    if missing:
        x = x.copy()
        x[np.random.default_rng(4).random(x.shape) < 0.1] = np.nan
    pipeline = make_pipeline(*steps) if len(steps) > 1 else steps[0]
    pipeline.fit(x, y)
    classifier = kind != "regression"
    options = {id(pipeline): {"zipmap": zipmap}} if classifier and not zipmap else None
    model = to_onnx(pipeline, x[:1], options=options, target_opset=17)
    write(name, model, x[:24])


def mlp(cls, **keys):
    return cls(max_iter=60, random_state=5, **keys)


def scikit():
    scalers = {"plain": None, "standard": StandardScaler, "minmax": MinMaxScaler}
    for scaler, make in scalers.items():
        def steps(model, make=make):
            return [make(), model] if make else [model]
        for kind in ["binary", "multi"]:
            export(f"logistic-{kind}-{scaler}", steps(LogisticRegression()), kind)
            export(f"sgd-log-{kind}-{scaler}",
                   steps(SGDClassifier(loss="log_loss", alpha=0.01, random_state=6)), kind)
            export(f"mlp-{kind}-{scaler}",
                   steps(mlp(MLPClassifier, hidden_layer_sizes=(9, 5))), kind)
        export(f"linear-{scaler}", steps(LinearRegression()), "regression")
        export(f"ridge-{scaler}", steps(Ridge()), "regression")
        export(f"mlp-regression-{scaler}",
               steps(mlp(MLPRegressor, hidden_layer_sizes=(8,))), "regression")
    for activation in ["tanh", "logistic", "identity"]:
        export(f"mlp-multi-{activation}",
               [StandardScaler(), mlp(MLPClassifier, hidden_layer_sizes=(7,),
                                      activation=activation)], "multi")
    for kind in ["binary", "multi"]:
        export(f"sgd-hinge-{kind}", [StandardScaler(), SGDClassifier(random_state=7)], kind)
        export(f"sgd-hinge-{kind}-tensor",
               [StandardScaler(), SGDClassifier(random_state=7)], kind, zipmap=False)
        export(f"logistic-{kind}-tensor", [LogisticRegression()], kind, zipmap=False)
        for strategy in ["mean", "median"]:
            export(f"imputed-{strategy}-{kind}",
                   [SimpleImputer(strategy=strategy), StandardScaler(), LogisticRegression()],
                   kind, missing=True)
    export("imputed-late-multi", [StandardScaler(), SimpleImputer(), LogisticRegression()],
           "multi", missing=True)
    export("imputed-ridge", [SimpleImputer(), MinMaxScaler(), Ridge()], "regression", missing=True)
    export("clipped-minmax", [MinMaxScaler((0, 1), clip=True), LogisticRegression()], "multi")
    for norm in ["l1", "l2"]:
        export(f"normalised-{norm}",
               [StandardScaler(), Normalizer(norm), LogisticRegression()], "multi")
    export("one-vs-rest-logistic", [OneVsRestClassifier(LogisticRegression())], "multi")
    columns = ColumnTransformer([("a", StandardScaler(), [3, 1]), ("b", MinMaxScaler(), [0, 5])])
    export("columns", [columns, LogisticRegression()], "multi")
    export("refused-forest", [RandomForestClassifier(2, max_depth=2, random_state=1)], "multi")
    export("refused-calibrated",
           [CalibratedClassifierCV(LogisticRegression(), cv=2)], "binary")


def graph(name, nodes, constants, outputs, x):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", x.shape[1]])]
    values = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", outputs])]
    tensors = [numpy_helper.from_array(a, n) for n, a in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, name, inputs, values, tensors),
        opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    write(name, model, x)


def frameworks():
    """As torch.onnx.export (Gemm with transB) and tf2onnx (MatMul, Add) write them."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(24, 5)).astype(np.float32)

    def weights(a, b):
        return (rng.normal(size=(a, b)) / np.sqrt(a)).astype(np.float32)

    node = helper.make_node
    for name, kind, attributes in [
        ("relu", "Relu", {}), ("leaky", "LeakyRelu", {"alpha": 0.01}), ("tanh", "Tanh", {}),
        ("sigmoid", "Sigmoid", {}), ("gelu", "Gelu", {}), ("refused-slope", "LeakyRelu",
                                                           {"alpha": 0.2}),
    ]:
        constants = {"w1": weights(5, 7).T.copy(), "b1": weights(1, 7)[0],
                     "w2": weights(7, 3).T.copy(), "b2": weights(1, 3)[0]}
        graph(name if name.startswith("refused") else f"torch-{name}", [
            node("Flatten", ["x"], ["f"], "/flatten", axis=1),
            node("Gemm", ["f", "w1", "b1"], ["h"], "/0/Gemm", transB=1),
            node(kind, ["h"], ["a"], "/1/Activation", **attributes),
            node("Gemm", ["a", "w2", "b2"], ["s"], "/2/Gemm", transB=1, alpha=0.5, beta=2.0),
            node("Softmax", ["s"], ["y"], "/3/Softmax", axis=-1)], constants, 3, x)
    constants = {"mean": weights(1, 5)[0], "variance": np.abs(weights(1, 5)[0]) + np.float32(0.2),
                 "w1": weights(5, 4), "b1": weights(1, 4)[0], "w2": weights(4, 1),
                 "b2": weights(1, 1)[0]}
    dense = [
        node("Sub", ["x", "mean"], ["c"], "normalization/sub"),
        node("Div", ["c", "variance"], ["n"], "normalization/truediv"),
        node("MatMul", ["n", "w1"], ["m1"], "dense/MatMul"),
        node("Add", ["m1", "b1"], ["s1"], "dense/BiasAdd"),
        node("Relu", ["s1"], ["a1"], "dense/Relu"),
        node("MatMul", ["a1", "w2"], ["m2"], "dense_1/MatMul"),
        node("Add", ["m2", "b2"], ["s2"], "dense_1/BiasAdd")]
    graph("keras-regression", dense + [node("Identity", ["s2"], ["y"])], constants, 1, x)
    graph("keras-sigmoid", dense + [node("Sigmoid", ["s2"], ["y"], "dense_1/Sigmoid")],
          constants, 1, x)
    graph("refused-softplus", dense + [node("Softplus", ["s2"], ["y"], "last")], constants, 1, x)


if __name__ == "__main__":
    scikit()
    frameworks()
