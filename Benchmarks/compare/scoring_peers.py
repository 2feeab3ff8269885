"""Scores what Millrace scores, one job for each line on standard input; see compare/scoring.

The features are record batches of an Arrow IPC file, LZ4, memory-mapped; ONNX Runtime scores a batch a
call, input and output bound; the predictions go to another Arrow IPC file. Rows a batch are those of
1,024, 4,096 and 16,384 with which a job is fastest. Pixels that are stored as uint8 are cast by numpy
before the call.

A line is `check NAME` or `score NAME`; the answer is how many rows were scored, and in how many seconds.
A check leaves the predictions of the first rows in outputs.f32.
"""

import os
import sys
import time

import numpy as np
import onnxruntime as ort
import pyarrow as pa

from make_models import model

directory = sys.argv[1]
ROWS = 1 << 22
COLUMNS = 64
SIZES = [1024, 4096, 16384]
NETWORKS = {"MLP 64-128-64-10": [64, 128, 64, 10], "Linear 64-1": [64, 1]}
pixels = np.fromfile(f"{directory}/features.f32", dtype="<f4").reshape(-1, COLUMNS)
pa.set_cpu_count(1)
pa.set_io_thread_count(1)


def write(path, kind, size):
    """The images, again and again, in batches of `size` rows."""
    schema = pa.schema([("features", pa.list_(pa.from_numpy_dtype(kind), COLUMNS))])
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    rows = pixels.astype(kind)
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, schema, options=options) as out:
        for first in range(0, ROWS, size):
            batch = np.take(rows, np.arange(first, first + size), axis=0, mode="wrap")
            values = pa.FixedSizeListArray.from_arrays(pa.array(batch.ravel()), COLUMNS)
            out.write_batch(pa.record_batch([values], schema=schema))


class Job:
    def __init__(self, network, kind, size):
        self.widths, self.kind, self.size = NETWORKS[network], np.dtype(kind), size
        self.path = f"{directory}/{kind}-{size}.arrow"
        if not os.path.exists(self.path):
            write(self.path, self.kind, size)
        stem = "-".join(map(str, self.widths))
        numbers = np.fromfile(f"{directory}/{stem}.f32", dtype="<f4")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(
            model(self.widths, numbers, size).SerializeToString(), options,
            providers=["CPUExecutionProvider"],
        )
        self.binding = self.session.io_binding()
        self.outputs = np.empty((size, self.widths[-1]), np.float32)
        self.features = np.empty((size, COLUMNS), np.float32)
        self.binding.bind_output(
            "y", "cpu", 0, np.float32, self.outputs.shape, self.outputs.ctypes.data
        )

    def bind(self, address):
        self.binding.bind_input("x", "cpu", 0, np.float32, [self.size, COLUMNS], address)

    def run(self, rows=ROWS):
        """Scores the file's first rows into another one; returns the seconds."""
        width = self.widths[-1]
        schema = pa.schema([("outputs", pa.list_(pa.float32(), width))])
        reading = pa.ipc.IpcReadOptions(use_threads=False)
        narrow = self.kind != np.float32
        if narrow:
            self.bind(self.features.ctypes.data)
        begin = time.perf_counter()
        with (
            pa.memory_map(self.path) as source,
            pa.OSFile(f"{directory}/outputs.arrow", "wb") as target,
            pa.ipc.new_file(target, schema) as out,
        ):
            reader = pa.ipc.open_file(source, options=reading)
            for index in range(rows // self.size):
                column = reader.get_batch(index).column(0)
                rows = column.values.to_numpy(zero_copy_only=True)
                if narrow:
                    np.copyto(self.features.reshape(-1), rows, casting="unsafe")
                else:
                    self.bind(rows.ctypes.data)
                self.session.run_with_iobinding(self.binding)
                values = pa.FixedSizeListArray.from_arrays(
                    pa.Array.from_buffers(
                        pa.float32(), self.size * width, [None, pa.py_buffer(self.outputs)]
                    ),
                    width,
                )
                out.write_batch(pa.record_batch([values], schema=schema))
        return time.perf_counter() - begin

    def check(self):
        """The predictions of the images, each once."""
        with pa.memory_map(f"{directory}/outputs.arrow") as source:
            reader = pa.ipc.open_file(source)
            found, index = [], 0
            while sum(map(len, found)) < len(pixels):
                rows = reader.get_batch(index).column(0).values.to_numpy()
                found.append(rows.reshape(-1, self.widths[-1]))
                index += 1
        np.concatenate(found)[: len(pixels)].astype("<f4").tofile(f"{directory}/outputs.f32")


def fastest(network, kind):
    jobs = [Job(network, kind, size) for size in SIZES]
    for job in jobs:
        job.run()
    return min(jobs, key=lambda job: sorted(job.run(ROWS // 8) for _ in range(3))[1])


jobs = {
    f"{network}, {kind}": fastest(network, kind)
    for network in NETWORKS
    for kind in ["float32", "uint8"]
}
for name, job in jobs.items():
    print(f"- {name}: {job.size} rows a batch", file=sys.stderr)
print("ready", flush=True)
for line in sys.stdin:
    what, _, name = line.strip().partition(" ")
    seconds = jobs[name].run()
    if what == "check":
        jobs[name].check()
    print(ROWS, seconds, flush=True)
