"""
Text as sparse features
=======================

Words and pairs of words make tens of thousands of columns, almost all of them zero. A sparse matrix
is read row by row, so that a batch costs what is in it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from fastmlp import MLPClassifier

# %%
# Made-up complaints about three things, with some words that say what they are about.

rng = np.random.default_rng(0)
topics = {
    "delivery": ["late", "parcel", "courier", "van", "tracking", "address", "doorstep"],
    "billing": ["invoice", "charged", "refund", "twice", "card", "amount", "statement"],
    "quality": ["broken", "scratched", "smell", "loose", "crack", "missing", "screw"],
}
filler = [f"word{i}" for i in range(500)]
labels = rng.choice(list(topics), 3000)
texts = [
    " ".join(rng.permutation([*rng.choice(filler, 25), *rng.choice(topics[label], 3)]))
    for label in labels
]
model = make_pipeline(
    TfidfVectorizer(ngram_range=(1, 2)),
    MLPClassifier((32,), early_stopping=True, dtype="float32", random_state=0),
)
model.fit(texts[:2400], labels[:2400])
X = model[0].transform(texts)
print(f"{X.shape[1]} columns, {X.nnz / X.shape[0]:.0f} of them in a row")
print(f"accuracy {model.score(texts[2400:], labels[2400:]):.3f}")

# %%
# The words that speak for each class: the gradient of its probability by the inputs, on average
# over some texts.

words = model[0].get_feature_names_out()
slopes = model[-1].input_gradients(X[2400:2440]).mean(axis=0)
fig, axes = plt.subplots(1, 3, figsize=(11, 3.5))
for ax, name, slope in zip(axes, model.classes_, slopes, strict=True):
    top = slope.argsort()[-8:]
    ax.barh(words[top], slope[top])
    ax.set_title(name)
fig.tight_layout()
plt.show()
