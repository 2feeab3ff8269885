"""Compares what came through Kafka with what `millrace model predict` says of the same flights.

    check.py FLIGHTS.csv.lz4 N - sample OUT.csv     writes the flights as a file
    check.py FLIGHTS.csv.lz4 N CONSUMED.jsonl compare PREDICTED.jsonl SOURCE
"""

import csv
import io
import json
import sys

import lz4.frame

path, count, consumed, action, other = sys.argv[1:6]
if action == "sample":
    with lz4.frame.open(path) as file:
        lines = io.TextIOWrapper(file, "utf-8").read().splitlines()
    with open(other, "w") as file:
        file.write("\n".join([lines[0]] + lines[-int(count):]) + "\n")
    sys.exit()

with open(consumed) as file:
    came = {}
    for line in file:
        record = json.loads(line)
        key = int(record["key"])
        assert key not in came, f"two predictions of flight {key}"
        came[key] = record
with open(other) as file:
    expected = [json.loads(line) for line in file]
assert len(expected) == int(count) and sorted(came) == list(range(int(count)))
for key, row in enumerate(expected):
    assert came[key]["outputs"] == row["outputs"], (key, came[key], row)
    assert came[key]["source"]["topic"] == sys.argv[6]
late = sum(record["outputs"][1] > 0.5 for record in came.values())
print(f"{len(came)} flights, each predicted once and as `millrace model predict` does; {late} late")
