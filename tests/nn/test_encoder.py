"""From the columns of a table to the inputs of a network: the encodings, and what they learn."""

from itertools import product

import numpy as np
import pytest
from builders import bits, network_type
from loops import each
from numeric import WIDE, assert_norm_close
from reference import encode

from fastmlp import _core

pytestmark = pytest.mark.usefixtures("use_target")

ROWS = 90
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def table(rows=ROWS):
    """Three columns of numbers and two of codes, a tenth of them missing."""
    rng = np.random.default_rng(5)
    columns = [
        2 * rng.normal(size=(rows, 3)),
        rng.integers(0, 6, (rows, 1)),
        rng.integers(0, 3, (rows, 1)),
    ]
    raw = np.hstack(columns).astype(np.float32)
    raw[rng.random(raw.shape) < 0.1] = np.nan
    return raw


def specs(waves=8):
    rng = np.random.default_rng(6)
    periodic = [
        {
            "kind": "periodic",
            "column": j,
            "first": list(rng.normal(size=waves)),
            "second": list(rng.random(waves)),
        }
        for j in range(3)
    ]
    return [
        {"kind": "scaled", "column": 0},
        {"kind": "bins", "column": 1, "first": [-2.0, -0.5, 0.1, 1.0, 3.0]},
        *periodic,
        {"kind": "one_hot", "column": 3, "codes": 5, "scale": 0.5},  # of six: the last is nowhere
        {"kind": "missing", "column": 2},
        {"kind": "one_hot", "column": 4, "codes": 3},
        {"kind": "bins", "column": 2, "first": list(np.linspace(-3, 3, 20))},
    ]


def encoder(dtype, given, n_columns=5, **how):
    encodings = [_core.EncodingSpec(**spec) for spec in given]
    return getattr(_core, f"Encoder{dtype.capitalize()}")(n_columns, encodings, **how)


def build(dtype, units, given=None, **how):
    """A network of a tanh layer behind the encoder, with random weights."""
    first = encoder(dtype, given or specs(), **how)
    layers = [
        _core.DenseSpec([(name, n, None)])
        for name, n in zip(("tanh", "identity"), units, strict=True)
    ]
    network = network_type(dtype)(first.width, layers, first)
    rng = np.random.default_rng(7)
    shapes = [(first.width, units[0]), (units[0], units[1])]
    network.set_params(
        [rng.normal(size=s) / 4 for s in shapes], [rng.normal(size=n) for n in units]
    )
    return network


def seen(dtype, given, raw, **how):
    """What the first layer reads, by a layer that passes it on."""
    first = encoder(dtype, given, **how)
    network = network_type(dtype)(
        first.width, [_core.DenseSpec([("identity", first.width, None)])], first
    )
    network.set_params([np.eye(first.width)], [np.zeros(first.width)])
    return network.predict(raw)


@each("waves", [1, 8, 15, 16, 33])
@each("scale_rate", [0.0, 6.0])
def test_inputs_are_the_formula(dtype, waves, scale_rate):
    given, raw = specs(waves), table()
    actual = seen(dtype, given, raw, learns_waves=scale_rate > 0, scale_rate=scale_rate)
    np.testing.assert_allclose(actual, encode(raw.astype(float), given), atol=TOLERANCE[dtype])


@each("kind", ["scaled", "bins", "periodic", "one_hot", "missing"])
def test_an_encoding_alone(dtype, kind):
    given, raw = [spec for spec in specs() if spec["kind"] == kind], table(3)
    actual = seen(dtype, given, raw)
    np.testing.assert_allclose(actual, encode(raw.astype(float), given), atol=TOLERANCE[dtype])


def test_odd_numbers(dtype):
    given = [
        {"kind": "scaled", "column": 0},
        {"kind": "bins", "column": 0, "first": [0.0, 1.0]},
        {"kind": "one_hot", "column": 0, "codes": 3},
    ]
    raw = np.array([[np.inf], [-np.inf], [np.nan], [1e30], [-1.0], [3.0], [2.0], [-0.0]])
    actual = seen(dtype, given, raw, n_columns=1)
    expected = [
        [3, 1, 0, 0, 0],
        [-3, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [3, 1, 0, 0, 0],
        [-1 / np.sqrt(10 / 9), 0, 0, 0, 0],
        [3 / np.sqrt(2), 1, 0, 0, 0],
        [2 / np.sqrt(13 / 9), 1, 0, 0, 1],
        [0, 0, 1, 0, 0],
    ]
    np.testing.assert_allclose(actual, expected, atol=TOLERANCE[dtype])
    periodic = [{"kind": "periodic", "column": 0, "first": [1.0], "second": [0.0]}]
    with pytest.raises(ValueError, match="infinity"):
        seen(dtype, periodic, raw, n_columns=1)
    far = seen(dtype, periodic, raw[3:4], n_columns=1)
    np.testing.assert_allclose(far, [[1.0]], rtol=2 * np.finfo(dtype).eps)


def test_cosines_are_within_two_units_of_the_last_place_of_one(dtype):
    turns = np.arange(-4096, 4097) / 512  # so that reduction is exact
    given = [{"kind": "periodic", "column": 0, "first": [1.0], "second": [0.0]}]
    actual = seen(dtype, given, turns[:, None], n_columns=1)[:, 0]
    angle = 2 * WIDE(np.pi) * (turns - np.round(turns))
    assert np.abs(actual - np.cos(angle)).max() <= 2 * np.finfo(dtype).eps


@each(("learns_waves", "scale_rate"), [(True, 0.0), (False, 2.0), (True, 2.0)])
@each("waves", [1, 8, 30])
def test_what_is_learned_goes_against_the_slope_of_the_objective(learns_waves, scale_rate, waves):
    raw, rng = table(), np.random.default_rng(8)
    t = rng.normal(size=(ROWS, 2))
    network = build(
        "float64", (6, 2), specs(waves), learns_waves=learns_waves, scale_rate=scale_rate
    )
    start = network.get_encoding()
    start[0] = start[0] * rng.uniform(0.5, 2, start[0].shape)
    network.set_encoding(start)
    params = network.get_params()[:2]
    rate = 1e-3
    teacher = _core.TrainerFloat64(
        network, loss="mse", optimizer="sgd", rate=rate, batch_size=ROWS, shuffle=False
    )
    teacher.run(raw, t, epochs=1)
    steps = [(a - b) / rate for a, b in zip(start, network.get_encoding(), strict=True)]
    network.set_params(*params)
    for section, step in enumerate(steps):
        if section > 0 and not learns_waves:
            assert not step.any()
            continue
        slope = np.zeros_like(step)
        for i in range(step.size):
            values = []
            for h in (1e-6, -1e-6):
                moved = [array.copy() for array in start]
                moved[section][i] += h
                network.set_encoding(moved)
                values.append(network.mean_loss(raw, t, "mse"))
            slope[i] = (values[0] - values[1]) / 2e-6
        assert_norm_close(step, slope, 1e-7)


def test_steps_of_factors_are_as_many_times_longer():
    raw, t = table(), np.random.default_rng(9).normal(size=(ROWS, 2))
    moves = []
    for scale_rate in (1.0, 4.0):
        network = build("float64", (6, 2), scale_rate=scale_rate)
        before = network.get_encoding()[0] * scale_rate
        np.testing.assert_allclose(before, 1.0)
        how = {"optimizer": "adam", "hyperparameters": {"epsilon": 1e-30}, "rate": 1e-3}
        _core.TrainerFloat64(network, loss="mse", batch_size=ROWS, shuffle=False, **how).run(
            raw, t, epochs=1
        )
        moves.append(network.get_encoding()[0] * scale_rate - before)
    np.testing.assert_allclose(moves[1], 4 * moves[0], rtol=1e-9, atol=1e-15)


@each(("batch_size", "drop"), list(product([7, 64, 90], [0.0, 0.4])))
def test_threads_do_not_change_bits(dtype, batch_size, drop, several):
    raw, t = table(), np.random.default_rng(9).normal(size=(ROWS, 2))
    results = []
    for n_threads in several:
        first = encoder(dtype, specs(), learns_waves=True, scale_rate=6.0)
        layers = [
            _core.DenseSpec([("relu", 300, None)], input_dropout=drop),
            _core.DenseSpec([("identity", 2, None)], input_dropout=drop),
        ]
        network = network_type(dtype)(first.width, layers, first)
        rng = np.random.default_rng(7)
        network.set_params(
            [rng.normal(size=(first.width, 300)) / 9, rng.normal(size=(300, 2)) / 9],
            [np.zeros(300), np.zeros(2)],
        )
        kind = getattr(_core, f"Trainer{dtype.capitalize()}")
        teacher = kind(network, loss="mse", optimizer="adam", rate=1e-3, batch_size=batch_size)
        report = teacher.run(raw, t, epochs=2, n_threads=n_threads)
        learned = b"".join(array.tobytes() for array in network.get_encoding())
        results.append(
            (bits(network), learned, report["loss"], network.predict(raw, n_threads).tobytes())
        )
    assert all(result == results[0] for result in results)


def test_a_row_is_predicted_alike_alone_and_in_company(dtype):
    network, raw = build(dtype, (70, 3)), table()
    together = network.predict(raw)
    alone = np.concatenate([network.predict(row[None]) for row in raw])
    np.testing.assert_array_equal(alone, together)


def test_a_copy_has_what_was_learned(dtype):
    network, raw = build(dtype, (6, 2), learns_waves=True, scale_rate=3.0), table()
    network.set_encoding([array + 0.25 for array in network.get_encoding()])
    np.testing.assert_array_equal(network.copy().predict(raw), network.predict(raw))


WRONG = [
    ([{"kind": "bins", "column": 0, "first": [1.0]}], "at least two edges"),
    ([{"kind": "bins", "column": 0, "first": [1.0, 1.0]}], "must ascend"),
    ([{"kind": "bins", "column": 0, "first": [0.0, np.nan]}], "must be finite"),
    ([{"kind": "periodic", "column": 0, "first": [1.0], "second": []}], "must be as many"),
    ([{"kind": "one_hot", "column": 0, "codes": 0}], "codes must be from 1"),
    ([{"kind": "one_hot", "column": 0, "codes": 2**24 + 1}], "codes must be from 1"),
    ([{"kind": "scaled", "column": 5}], "no such column"),
    ([{"kind": "scaled", "column": -1}], "no such column"),
    ([], "at least one encoding"),
]


@each(("given", "message"), WRONG)
def test_wrong_encodings(given, message):
    with pytest.raises(ValueError, match=message):
        encoder("float32", given)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="unknown encoding 'binz'"):
        _core.EncodingSpec("binz", 0)
    with pytest.raises(ValueError, match="scale_rate"):
        encoder("float32", specs(), scale_rate=-1.0)
    first = encoder("float32", specs())
    with pytest.raises(ValueError, match="width of the encoder"):
        _core.NetworkFloat32(3, [_core.DenseSpec([("identity", 1, None)])], first)
    with pytest.raises(ValueError, match="5"):
        build("float32", (6, 2)).predict(np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match="no parameters that are trained"):
        build("float32", (6, 2)).set_encoding([np.zeros(0)] * 3)
