"""Blocks of arrays, and what is compared of models that were fitted to them."""

import time
from itertools import chain

import numpy as np

from fastmlp.data import Blocks

BLOCK = 25


def budget(rows, row_bytes, *, block=BLOCK, aside=0):
    """The least memory for windows of so many rows."""
    return aside + 2 * block * row_bytes + rows * (2 * row_bytes + 8)


class Listed(Blocks):
    """Blocks from a list of tuples; `delay` is what reading one takes."""

    def __init__(self, parts, *, memory=2**30, delay=0.0):
        super().__init__(memory=memory)
        self.parts, self.delay, self.read = parts, delay, []

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        self.read.append(index)
        time.sleep(self.delay)
        return self.parts[index]

    def targets(self, index):
        return self.parts[index][1:]


def cut(*arrays, rows=BLOCK, **settings):
    """Blocks of so many rows of arrays."""
    n = arrays[0].shape[0]
    parts = [tuple(a[i : i + rows] for a in arrays) for i in range(0, n, rows)]
    return Listed(parts, **settings)


def flat(batches):
    return list(chain.from_iterable(batches))


def params(model):
    return [*model.coefs_, *model.intercepts_, *model.slopes_]


def assert_same(one, other):
    for a, b in zip(params(one), params(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.loss_curve_ == other.loss_curve_
