"""Consumes a topic of vectors with confluent-kafka and scores them by ONNX Runtime, on one thread.

    kafka_client.py BROKER ROWS DIRECTORY

Prints the rows a second of the second half.
"""

import sys
import time

import numpy as np
import onnxruntime as ort
from confluent_kafka import Consumer, TopicPartition

from make_models import model

broker, rows = sys.argv[1], int(sys.argv[2])
WIDTHS = [64, 10]
numbers = np.random.default_rng(1).standard_normal(
    sum((a + 1) * b for a, b in zip(WIDTHS, WIDTHS[1:]))).astype("<f4")
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = ort.InferenceSession(
    model(WIDTHS, numbers, "rows").SerializeToString(), options, providers=["CPUExecutionProvider"])
reader = Consumer({
    "bootstrap.servers": broker, "group.id": "python", "enable.auto.commit": False,
    "isolation.level": "read_committed"})
reader.assign([TopicPartition("row", 0, 0)])
left, begin, first = rows, 0.0, 0
while left > 0:
    batch = reader.consume(min(left, 4096), timeout=1)
    values = [message.value() for message in batch if not message.error()]
    if not values:
        continue
    session.run(None, {"x": np.frombuffer(b"".join(values), np.float32).reshape(-1, 64)})
    left -= len(values)
    if not begin and left < rows // 2:
        begin, first = time.perf_counter(), left
print(first / (time.perf_counter() - begin))
