"""
How sure is it?
===============

Three ways to a prediction interval: quantiles, a normal distribution, and dropout while
predicting.
"""

import matplotlib.pyplot as plt
import numpy as np

from fastmlp import MLPRegressor

# %%
# Noise that grows to the right, and no samples in the middle.

rng = np.random.default_rng(0)
x = np.concatenate([rng.uniform(-3, -0.5, 700), rng.uniform(0.5, 3, 700)])[:, np.newaxis]
y = np.sin(2 * x[:, 0]) + rng.normal(size=1400) * 0.1 * (3.5 + x[:, 0])
grid = np.linspace(-3.5, 3.5, 300)[:, np.newaxis]
common = {
    "hidden_layer_sizes": (64, 64),
    "activation": "silu",
    "max_iter": 400,
    "tol": 1e-5,
    "random_state": 0,
}

# %%
# Quantiles are learnt by one network and never cross. A normal distribution has a mean and a spread
# for each sample. Dropout asks many thinned networks, and their spread is how much they disagree.

quantiles = MLPRegressor("quantile", quantiles=[0.05, 0.5, 0.95], **common).fit(x, y)
normal = MLPRegressor("gaussian", **common).fit(x, y)
dropping = MLPRegressor(dropout=0.1, **common).fit(x, y)

low, middle, high = quantiles.predict(grid).T
mean, std = normal.predict(grid, return_std=True)
average, spread = dropping.predict(grid, dropout_samples=200, return_std=True)
z = 1.64  # of 90 % between minus and plus so many standard deviations
bands = {
    "quantiles 5, 50, 95 %": (low, middle, high),
    "normal: 90 %": (mean - z * std, mean, mean + z * std),
    "dropout: 90 % of the masks": (average - z * spread, average, average + z * spread),
}
fig, axes = plt.subplots(1, 3, figsize=(13, 4), sharey=True)
for ax, (title, (lower, line, upper)) in zip(axes, bands.items(), strict=True):
    ax.scatter(x[:, 0], y, s=3, color="0.6")
    ax.fill_between(grid[:, 0], lower, upper, alpha=0.3)
    ax.plot(grid[:, 0], line)
    ax.set_title(title)
fig.tight_layout()
plt.show()

# %%
# The first two describe the noise of what is measured. The band of dropout knows nothing of noise
# and is not calibrated: it is about as narrow in the gap as elsewhere. Take it for a hint at most.

inside = (quantiles.predict(x)[:, 0] < y) & (y < quantiles.predict(x)[:, 2])
print(f"between the quantiles: {inside.mean():.2f}")
