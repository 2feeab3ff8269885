"""Both ends of the walk-through: programs that know Kafka and nothing of Millrace.

    peers.py topics BOOTSTRAP NAME...           make topics of two partitions
    peers.py produce BOOTSTRAP TOPIC FILE N     send the last N flights of a file as JSON objects
    peers.py consume BOOTSTRAP TOPIC N          print N records' values, one a line
"""

import csv
import io
import json
import sys
import time

import lz4.frame
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

SECONDS = 60


def topics(bootstrap, *names):
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            admin = KafkaAdminClient(bootstrap_servers=bootstrap)
            break
        except Exception:  # the broker is about to start
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=1) for name in names])
    admin.close()


def value(text):
    """A field of CSV as JSON has it: a number, a text, or null."""
    if text == "":
        return None
    try:
        return int(text)
    except ValueError:
        return text


def produce(bootstrap, topic, path, count):
    with lz4.frame.open(path) as file:
        flights = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))[-int(count):]
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    for number, flight in enumerate(flights):
        record = {name: value(text) for name, text in flight.items()}
        producer.send(topic, key=str(number).encode(), value=json.dumps(record).encode())
    producer.flush()
    producer.close()


def consume(bootstrap, topic, count):
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest",
        consumer_timeout_ms=1000 * SECONDS, group_id=None)
    left = int(count)
    for record in consumer:
        print(json.dumps({"key": record.key.decode(), **json.loads(record.value)}))
        left -= 1
        if left == 0:
            return
    sys.exit(f"{left} of {count} records did not come within {SECONDS} s")


{"topics": topics, "produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
