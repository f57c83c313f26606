"""
Handwritten digits
==================

The classifier on images of 8 x 8 pixels: training, what each epoch came to, and where it errs.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from fastmlp import LossCurveDisplay, MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)

# %%
# Two hidden layers, dropout against overfitting, and a tenth of the samples set aside to stop by.

model = MLPClassifier((128, 64), dropout=0.2, early_stopping=True, random_state=0)
model.fit(X_train, y_train)
print(f"accuracy {model.score(X_test, y_test):.3f} after {model.n_iter_} epochs")

# %%
# The losses of the epochs, and the digits that are taken for others.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
LossCurveDisplay.from_estimator(model, ax=left)
ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, ax=right, colorbar=False)
fig.tight_layout()

# %%
# The least certain of all predictions.

shares = model.predict_proba(X_test)
doubtful = shares.max(axis=1).argsort()[:6]
fig, axes = plt.subplots(1, 6, figsize=(10, 2.2))
for ax, sample in zip(axes, doubtful, strict=True):
    ax.imshow(X_test[sample].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"{y_test[sample]}, taken for {shares[sample].argmax()}", fontsize=9)
    ax.axis("off")
plt.show()
