"""
A network of your own, as a graph
=================================

A residual network, which no list of layers can say, as a computation graph: an expression whose
gradient comes with it.
"""

import matplotlib.pyplot as plt
import numpy as np

from fastmlp import graph

# %%
# Two spirals, which a linear model can't tell apart.

rng = np.random.default_rng(0)
turn = np.sqrt(rng.uniform(size=600)) * 2 * np.pi
side = np.arange(600) % 2
angle = turn + np.pi * side
X = np.column_stack([turn * np.cos(angle), turn * np.sin(angle)]) / 3
X += 0.02 * rng.normal(size=X.shape)
t = side[:, np.newaxis].astype(float)

# %%
# Weights are variables; each block adds to what goes through it.


def weights(n_in, n_out):
    """Return a variable of He's distribution."""
    return graph.variable(rng.normal(size=(n_in, n_out)) * np.sqrt(2 / n_in))


x = graph.constant(X)
first, bias, last = weights(2, 32), graph.variable(np.zeros(32)), weights(32, 1)
blocks = [(weights(32, 32), weights(32, 32)) for _ in range(3)]
h = graph.relu(x @ first + bias)
for inner, outer in blocks:
    h = h + 0.3 * (graph.tanh(h @ inner) @ outer)
logits = h @ last
loss = graph.binary_cross_entropy(logits, t, logits=True)

variables = [first, bias, last, *(w for block in blocks for w in block)]
optimizer = graph.Optimizer(variables, "adam", learning_rate=1e-2)
losses = []
for _ in range(1000):
    loss.forward().backward()
    optimizer.step()
    losses.append(float(loss.value))
right = (logits.value > 0) == (t > 0.5)
print(f"loss {losses[-1]:.3f}, {right.mean():.3f} right")

# %%
# The same graph on a grid of points.

side_x, side_y = np.meshgrid(np.linspace(-2.3, 2.3, 150), np.linspace(-2.3, 2.3, 150))
x.value = np.column_stack([side_x.ravel(), side_y.ravel()])
logits.forward()
fig, (left, right_ax) = plt.subplots(1, 2, figsize=(10, 4))
left.semilogy(losses)
left.set_xlabel("step")
left.set_ylabel("loss")
right_ax.contourf(side_x, side_y, logits.value.reshape(side_x.shape) > 0, alpha=0.3)
right_ax.scatter(X[:, 0], X[:, 1], c=side, s=6)
right_ax.set_aspect("equal")
fig.tight_layout()
plt.show()
