"""
Serving
=======

How long an answer takes: one row at a time, from Python, and for many rows at once.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import fastmlp
from fastmlp import MLPClassifier

X, y = load_digits(return_X_y=True)
model = MLPClassifier((100,), early_stopping=True, random_state=0).fit(X / 16, y)

# %%
# A service holds the model in memory and answers with one thread for each request.

served = model.set_params(n_jobs=1)
rows = [1, 4, 16, 64, 256, 1024]
medians = []
for n in rows:
    batch = np.resize(X / 16, (n, 64)).astype(np.float32)
    seconds = []
    for _ in range(300):
        start = time.perf_counter()
        served.predict_proba(batch)
        seconds.append(time.perf_counter() - start)
    medians.append(1e6 * np.median(seconds))
print(f"one row: {medians[0]:.1f} us; {rows[-1]} rows: {medians[-1] / rows[-1]:.2f} us each")

fig, ax = plt.subplots(figsize=(6, 4))
ax.loglog(rows, medians, "o-")
ax.set_xlabel("rows in a request")
ax.set_ylabel("microseconds, median of 300")
plt.show()

# %%
# The same network without Python: one file of C, for a service in any language.

text = fastmlp.to_c(model)
print(*text.splitlines()[:6], sep="\n")
print(f"... {len(text) / 1024:.0f} KB in all")
