"""
Rare classes
============

One sample in fifty is what is looked for. Class weights and the focal loss move the balance between
what is missed and what is found in vain; the threshold can be moved afterwards, too.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.metrics import PrecisionRecallDisplay, f1_score
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier

X, y = make_classification(
    20_000, 20, n_informative=6, n_clusters_per_class=3, weights=[0.98], random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Average precision is what the validation set is scored by: accuracy would be content with 98 %.

common = {
    "hidden_layer_sizes": (64, 32),
    "early_stopping": True,
    "scoring": "average_precision",
    "random_state": 0,
}
ways = {
    "log loss": {},
    "class_weight='balanced'": {"class_weight": "balanced"},
    "loss='focal'": {"loss": "focal"},
}
fig, ax = plt.subplots(figsize=(6, 5))
for name, settings in ways.items():
    model = make_pipeline(StandardScaler(), MLPClassifier(**common, **settings))
    model.fit(X_train, y_train)
    PrecisionRecallDisplay.from_estimator(model, X_test, y_test, name=name, ax=ax)
    print(f"{name:24} F1 at one half: {f1_score(y_test, model.predict(X_test)):.2f}")

# %%
# The threshold that is best for F1, found by cross-validation.

plain = make_pipeline(StandardScaler(), MLPClassifier(**common))
tuned = TunedThresholdClassifierCV(plain, scoring="f1", cv=3, random_state=0).fit(X_train, y_train)
print(f"threshold {tuned.best_threshold_:.2f}: F1 {f1_score(y_test, tuned.predict(X_test)):.2f}")
plt.show()
