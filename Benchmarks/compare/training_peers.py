"""Trains what Millrace trains, one sample for each line on standard input; see compare/training.

A line names the peer; the answer is how many rows were learnt, in how many seconds, and what came of
it: the loss of the last batch, or bias and weights.
"""

import os

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import sys
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import vowpalwabbit
from sklearn.linear_model import SGDClassifier

warnings.filterwarnings("ignore")

directory = sys.argv[1]
features = np.fromfile(f"{directory}/features.f32", dtype="<f4").reshape(-1, 64)
labels = np.fromfile(f"{directory}/labels.f32", dtype="<f4")
start = np.fromfile(f"{directory}/start.f32", dtype="<f4")
binary = (labels >= 5).astype(np.int64)
digits = labels.astype(np.int32)
BATCH = 256
RATE = 0.01
WIDTHS = [64, 128, 64, 10]


def layers():
    at, found = 0, []
    for inputs, outputs in zip(WIDTHS, WIDTHS[1:]):
        w = start[at : at + inputs * outputs].reshape(inputs, outputs)
        at += inputs * outputs
        found.append((jnp.array(w), jnp.array(start[at : at + outputs])))
        at += outputs
    return found


def loss(parameters, x, y):
    for w, b in parameters[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = parameters[-1]
    logits = x @ w + b
    return jnp.mean(jax.nn.logsumexp(logits, axis=1) - logits[jnp.arange(len(y)), y])


def step(parameters, m, v, t, x, y):
    value, gradient = jax.value_and_grad(loss)(parameters, x, y)
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradient)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradient)
    c1, c2 = 1 - 0.9**t, 1 - 0.999**t
    parameters = jax.tree.map(
        lambda p, m, v: p - 0.001 * (m / c1) / (jnp.sqrt(v / c2) + 1e-8), parameters, m, v
    )
    return parameters, m, v, t + 1, value


jitted = jax.jit(step, donate_argnums=(0, 1, 2))


def train_jax():
    """One jitted step after the other; the first, which compiles, is not timed."""
    parameters = layers()
    state = [
        parameters,
        jax.tree.map(jnp.zeros_like, parameters),
        jax.tree.map(jnp.zeros_like, parameters),
        jnp.float32(1.0),
    ]
    *state, value = jitted(*state, *batches[0])
    jax.block_until_ready(value)
    begin = time.perf_counter()
    for x, y in batches[1:]:
        *state, value = jitted(*state, x, y)
    jax.block_until_ready(state)
    return (len(batches) - 1) * BATCH, time.perf_counter() - begin, float(value)


def train_sklearn():
    model = SGDClassifier(
        loss="log_loss", penalty=None, learning_rate="constant", eta0=RATE, shuffle=False
    )
    begin = time.perf_counter()
    model.partial_fit(features, binary, classes=[0, 1])
    seconds = time.perf_counter() - begin
    return len(binary), seconds, model.intercept_[0], *model.coef_[0]


def train_vw():
    """From its cache, which the first call makes."""
    begin = time.perf_counter()
    model = vowpalwabbit.Workspace(
        f"-d {directory}/rows.vw --cache_file {directory}/rows.cache --loss_function logistic "
        f"--sgd -l {RATE} --power_t 0 --quiet"
    )
    seconds = time.perf_counter() - begin
    constant = model.get_weight(11650396 & ((1 << 18) - 1), 0)
    weights = [model.get_weight(i, 0) for i in range(features.shape[1])]
    model.finish()
    return len(binary), seconds, constant, *weights


with open(f"{directory}/rows.vw", "w") as file:
    for row, label in zip(features, binary):
        named = " ".join(f"{i}:{value:.9g}" for i, value in enumerate(row))
        file.write(f"{1 if label else -1} | {named}\n")
batches = [
    (jnp.array(features[i : i + BATCH]), jnp.array(digits[i : i + BATCH]))
    for i in range(0, len(digits), BATCH)
]
peers = {"jax": train_jax, "sklearn": train_sklearn, "vw": train_vw}
for peer in peers.values():
    peer()
print("ready", flush=True)
for line in sys.stdin:
    print(*peers[line.strip()](), flush=True)
