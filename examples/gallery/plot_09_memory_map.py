"""
Larger than memory
==================

A memory map is read where it lies: the system brings the rows that a batch needs, and no copy of
the array is made.
"""

import os
import tempfile

import matplotlib.pyplot as plt
import numpy as np

from fastmlp import MLPRegressor
from fastmlp.callbacks import StopAt

# %%
# A file of a million rows, written in parts. Here it has 80 MB; with 80 GB the code is the same.

rng = np.random.default_rng(0)
n, width = 1_000_000, 20
weights = rng.normal(size=width)
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "rows.f4")
X = np.memmap(path, np.float32, "w+", shape=(n, width))
y = np.empty(n, np.float32)
for begin in range(0, n, 100_000):
    part = slice(begin, begin + 100_000)
    X[part] = rng.normal(size=(100_000, width))
    y[part] = np.sin(X[part] @ weights)
X.flush()

# %%
# Rows in order are read from the disk in order; shuffled before, they need not be shuffled again.

data = np.memmap(path, np.float32, "r", shape=(n, width))
model = MLPRegressor(
    hidden_layer_sizes=(64, 64),
    shuffle=False,
    batch_size=1000,
    max_iter=5,
    learning_rate_init=0.003,
    callbacks=StopAt(loss=0.003),
    tol=0,
    random_state=0,
)
model.fit(data[: n - 10_000], y[: n - 10_000])
print(f"R2 {model.score(data[n - 10_000 :], y[n - 10_000 :]):.3f}, {model.stopped_}")

# %%
# The loss of every step: in the first epoch the network has seen no row twice.

smooth = np.convolve(model.step_losses_, np.ones(20) / 20, "valid")
fig, ax = plt.subplots(figsize=(7, 4))
ax.semilogy(smooth)
for epoch in range(1, model.n_iter_):
    ax.axvline(epoch * 990, color="0.8", zorder=0)
ax.set_xlabel("step, of 1000 rows")
ax.set_ylabel("loss")
plt.show()

# %%
# The file goes.

folder.cleanup()
