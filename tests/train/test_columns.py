"""More weights than activations: the team shares the columns of layers, and nothing else changes.

A clipped step keeps to the other way, sharing rows, so a norm that is never reached shows its bits.
"""

from itertools import product

import numpy as np
import pytest
from loops import each

from fastmlp import Activation, Dense, Dropout, Network

pytestmark = pytest.mark.usefixtures("use_target")

NEVER = 1e30
CASES = {
    "relu and tanh": ([Dense(512, "relu"), Dense(528, "tanh", l2=1e-3), Dense(10, "softmax")], 40),
    "dropout": (
        [
            Dropout(0.2),
            Dense(600, "relu"),
            Dropout(0.5),
            Dense(512, "gelu", l1=1e-4),
            Dropout(0.3, mode="classic"),
            Dense(70, "softmax"),
        ],
        130,
    ),
    "mixed and learned": (
        [
            Dense(515, [("relu", 100), ("tanh", 300), ("gelu", 115)]),
            Dense(600, "prelu"),
            Dense(3, "identity"),
        ],
        100,
    ),
    "softmax off its loss": (
        [Dense(515), Activation("relu"), Dense(600), Dense(40, "softmax")],
        20,
    ),
}


def trained(case, dtype, n_jobs, clip_norm=None, batch_size=32):
    layers, n_features = CASES[case]
    network = Network(layers, n_features=n_features, random_state=0, dtype=dtype, n_jobs=n_jobs)
    rng = np.random.default_rng(1)
    rows = 2 * batch_size + 6
    x, t = rng.normal(size=(rows, n_features)), rng.random((rows, network.n_outputs))
    loss = "cross_entropy" if layers[-1].activation == "softmax" else "mse"
    loss = "mse" if case.startswith("softmax") else loss
    history = network.fit(x, t, loss=loss, batch_size=batch_size, epochs=2, clip_norm=clip_norm)
    params = b"".join(array.tobytes() for arrays in network.params for array in arrays)
    return params, history["loss"]


@each(  # threads share a panel by its rows from 9 on
    ("case", "batch_size"), product(CASES, [1, 32, 99]), elsewhere=5
)
def test_sharing_columns_or_rows_gives_the_same_bits(case, batch_size, dtype, several):
    by_rows = trained(case, dtype, 2, NEVER, batch_size)
    for n_jobs in several:
        assert trained(case, dtype, n_jobs, None, batch_size) == by_rows, n_jobs


def test_large_layers_are_shared_in_pieces_with_the_same_bits(dtype):
    rng = np.random.default_rng(3)
    x, t = rng.normal(size=(264, 500)), rng.normal(size=(264, 1030))

    def trained(n_jobs):
        layers = [Dense(1024, "relu"), Dropout(0.5), Dense(1030, "identity")]
        network = Network(layers, n_features=500, random_state=0, dtype=dtype, n_jobs=n_jobs)
        network.fit(x, t, loss="mse", batch_size=264, epochs=1)
        return b"".join(array.tobytes() for arrays in network.params for array in arrays)

    alone = trained(1)
    assert [trained(n_jobs) == alone for n_jobs in (2, 3)] == [True, True]


@each("output", ["identity", "softmax"])
@each("rows", [1, 16])
def test_few_rows_through_a_large_network(output, rows, dtype):
    layers = [Dense(1100, "tanh"), Dropout(0.5, mode="classic"), Dense(1030, "relu")]
    networks = [
        Network([*layers, Dense(70, output)], n_features=30, random_state=0, dtype=dtype, n_jobs=n)
        for n in (1, 2, 4)
    ]
    x = np.random.default_rng(2).normal(size=(200, 30))
    alone, two, four = (network(x[:rows]) for network in networks)
    assert np.array_equal(alone, two)
    assert np.array_equal(alone, four)
    assert np.array_equal(alone, networks[0](x)[:rows])  # which shares rows
    x[rows - 1, 3] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        networks[1](x[:rows])
