"""Writes how scikit-learn's SGDClassifier and SGDRegressor learn the shipped flights, one row at a
time: trajectories.txt.

    python3 -m venv venv && venv/bin/pip install scikit-learn==1.9.1 lz4==4.4.5
    venv/bin/python Tests/MillraceModelsTests/Trajectories/generate.py models/data/flights.csv.lz4 \
        > Tests/MillraceModelsTests/Trajectories/trajectories.txt

Rows are those whose numbers are all there, in the file's order; the features are the six numeric
columns, standardised by their mean and deviation over all rows, which stand in the text, and
rounded to float32. The classifier learns whether a flight is more than 15 minutes late, the regressor
the delay in hours, both at a constant rate and without shuffling.

The text: `mean` and `deviation` with a number for each feature; then for each case
`case NAME KIND [KEY=VALUE ...]` and lines `after ROWS WEIGHT ... INTERCEPT`.
"""

import csv
import io
import sys

import lz4.frame
import numpy as np
from sklearn.linear_model import SGDClassifier, SGDRegressor

COLUMNS = ["month", "day", "sched_dep_time", "dep_delay", "sched_arr_time", "distance"]
POINTS = list(range(1000, 10_001, 1000))

with lz4.frame.open(sys.argv[1]) as file:
    rows = list(csv.DictReader(io.TextIOWrapper(file)))
rows = [r for r in rows if r["arr_delay"] and all(r[c] for c in COLUMNS)]
raw = np.array([[float(r[c]) for c in COLUMNS] for r in rows])
delay = np.array([float(r["arr_delay"]) for r in rows])
mean, deviation = raw.mean(axis=0), raw.std(axis=0)
x = ((raw - mean) / deviation).astype(np.float32).astype(np.float64)
late = (delay > 15).astype(np.int64)
hours = (delay / 60).astype(np.float32).astype(np.float64)

print("mean", *[repr(float(m)) for m in mean])
print("deviation", *[repr(float(d)) for d in deviation])

CASES = [
    ("logistic", SGDClassifier, late, dict(loss="log_loss", penalty=None, eta0=0.01)),
    ("logistic-l2", SGDClassifier, late,
     dict(loss="log_loss", penalty="l2", alpha=1e-3, eta0=0.01)),
    ("logistic-l1", SGDClassifier, late,
     dict(loss="log_loss", penalty="l1", alpha=1e-3, eta0=0.01)),
    ("squared-l2", SGDRegressor, hours,
     dict(loss="squared_error", penalty="l2", alpha=1e-4, eta0=0.001)),
    ("huber", SGDRegressor, hours,
     dict(loss="huber", epsilon=0.5, penalty=None, eta0=0.001)),
]

for name, kind, labels, settings in CASES:
    keys = {k: v for k, v in settings.items() if v is not None}
    print("case", name, kind.__name__, *[f"{k}={v}" for k, v in keys.items()])
    more = {"classes": [0, 1]} if kind is SGDClassifier else {}
    for point in [*POINTS, len(x)]:
        # Anew each time: a second call of partial_fit forgets how much of the L1 penalty is paid.
        model = kind(learning_rate="constant", shuffle=False, random_state=0, **settings)
        model.partial_fit(x[:point], labels[:point], **more)
        weights = [*np.ravel(model.coef_), float(model.intercept_[0])]
        print("after", point, *[repr(float(w)) for w in weights])
