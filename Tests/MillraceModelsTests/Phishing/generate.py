"""Writes river's phishing set as text: phishing.csv.

    python3 -m venv venv && venv/bin/pip install river==0.26.1
    venv/bin/python Tests/MillraceModelsTests/Phishing/generate.py \
        > Tests/MillraceModelsTests/Phishing/phishing.csv

1,250 web pages in the package's order, nine features and whether the page is a fraud. Source: the
`river` package (BSD-3-Clause); Abdelhamid, Ayesh and Thabtah, "Phishing detection based Associative
Classification data mining", 2014 (UCI Machine Learning Repository, Website Phishing).

On standard error: the prequential accuracy of river's own logistic regression on scaled features.
"""

import sys

from river import datasets, linear_model, metrics, preprocessing

model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
accuracy = metrics.Accuracy()
for i, (x, y) in enumerate(datasets.Phishing()):
    if i == 0:
        print(*x, "fraud", sep=",")
    print(*[f"{v:g}" for v in x.values()], int(y), sep=",")
    accuracy.update(y, model.predict_one(x))
    model.learn_one(x, y)
print(f"river {accuracy}", file=sys.stderr)
