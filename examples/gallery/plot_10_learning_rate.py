"""
Which learning rate?
====================

A range test: the rate grows from step to step, and the loss tells where training is fastest and
where it breaks.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from fastmlp import MLPClassifier, find_learning_rate

X, y = load_digits(return_X_y=True)
model = MLPClassifier((64,), random_state=0)
found = find_learning_rate(model, X / 16, y)
print(f"suggested: {found.suggestion:.2g}")
found.plot()

# %%
# Training at a tenth of the suggestion, at it, and at ten times.

fig, ax = plt.subplots(figsize=(7, 4))
for factor in (0.1, 1, 10):
    model.set_params(learning_rate_init=factor * found.suggestion, max_iter=30, tol=0)
    try:
        ax.semilogy(model.fit(X / 16, y).loss_curve_, label=f"{factor:g} times")
    except ValueError:  # the loss was no longer finite
        continue
ax.set_xlabel("epoch")
ax.set_ylabel("training loss")
ax.legend()
plt.show()
