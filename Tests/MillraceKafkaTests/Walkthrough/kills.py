"""The oracle of a score stage between two topics of Kafka, whose members are killed.

    kills.py BOOTSTRAP KILLS MILLRACE ARGUMENT...

The command and its arguments are those of a member (`millrace score IN OUT ... --follow`), IN and
OUT being topics `killed-in` and `killed-out` of two partitions, which this makes. Records come all the
time. A member is killed at a moment nobody chose; what the group has committed then is asked for, and
how many predictions there are. The next member has to go on exactly there: the next prediction of
each partition is that of the committed offset, and every offset has one in its turn. Before the
committed offset each has exactly one; behind it there may be those of the killed member's last
transaction, which was never committed, and which brokers that keep Kafka's word do not show to
readers of committed records (Tansu 0.6 does).

It needs a broker that keeps the offsets of transactions apart until they are committed.
"""

import json
import random
import signal
import subprocess
import sys
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

bootstrap, kills, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
PARTITIONS = 2
SECONDS = 90
seed = random.randrange(1 << 32)
random.seed(seed)
print(f"seed {seed}")

admin = AdminClient({"bootstrap.servers": bootstrap})
for future in admin.create_topics(
    [NewTopic(name, PARTITIONS, 1) for name in ("killed-in", "killed-out")]
).values():
    future.result()

flight = json.dumps({
    "month": 12, "day": 3, "sched_dep_time": 1830, "sched_arr_time": 2115, "dep_delay": 24,
    "distance": 1400, "carrier": "UA", "origin": "EWR", "dest": "IAH"})
sent = [0] * PARTITIONS
is_over = threading.Event()


def send():
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1})
    while not is_over.is_set():
        for _ in range(random.randrange(1, 40)):
            partition = random.randrange(PARTITIONS)
            producer.produce("killed-in", flight, partition=partition)
            sent[partition] += 1
        producer.flush()
        time.sleep(random.random() * 0.02)


# Never closed: Tansu ends the whole group with one who only asked.
group = Consumer({"bootstrap.servers": bootstrap, "group.id": "killed"})


def committed():
    """What the group has committed; never what a transaction has not."""
    found = group.committed([TopicPartition("killed-in", p) for p in range(PARTITIONS)], 10)
    return [max(0, entry.offset) for entry in found]


def offsets(partition):
    """The source offsets of all predictions of a partition, in their order."""
    reader = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False,
        "isolation.level": "read_committed", "enable.partition.eof": True})
    reader.assign([TopicPartition("killed-out", partition, 0)])
    found = []
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        message = reader.poll(1)
        if message is None:
            continue
        if message.error():
            break
        found.append(json.loads(message.value())["source"]["offset"])
    reader.close()
    return found


def start():
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for(done, member):
    deadline = time.monotonic() + SECONDS
    while not done():
        assert member.poll() is None, member.stderr.read().decode()
        assert time.monotonic() < deadline, "nothing happens"
        time.sleep(0.3)


sender = threading.Thread(target=send)
sender.start()
struck = 0
marks = []
member = start()
try:
    before = committed()
    for kill in range(kills):
        wait_for(lambda: sum(committed()) > sum(before), member)
        time.sleep(random.random())
        member.send_signal(signal.SIGKILL)
        member.wait()
        before = committed()
        visible = [offsets(partition) for partition in range(PARTITIONS)]
        marks.append((before, [len(found) for found in visible]))
        struck += any(len(set(found)) > before[p] for p, found in enumerate(visible))
        member = start()
    wait_for(lambda: sum(committed()) > sum(before), member)
    is_over.set()
    sender.join()
    wait_for(lambda: committed() == sent, member)
    member.send_signal(signal.SIGTERM)
    assert member.wait(SECONDS) == 0, member.stderr.read().decode()
finally:
    is_over.set()
    if member.poll() is None:
        member.kill()

for partition in range(PARTITIONS):
    found = offsets(partition)
    begin, expected = 0, 0
    for goes_on, seen in [(mark[0][partition], mark[1][partition]) for mark in marks] + [
            (sent[partition], len(found))]:
        part = found[begin:seen]
        assert part == list(range(expected, expected + len(part))), (partition, expected, part)
        assert expected + len(part) >= goes_on, "what was committed has no prediction"
        begin, expected = seen, goes_on
    assert expected == sent[partition]
print(
    f"{sum(sent)} records, {kills} kills, {struck} of them within a transaction: each record has one "
    "prediction before the offset that was committed, and the next member went on there")
