"""What a trainer accepts: arrays of any type and layout; errors that name the argument."""

import numpy as np
import pytest
from builders import ROWS, WIDTHS, bits, build, problem, trainer
from loops import each

from fastmlp import _core

pytestmark = pytest.mark.usefixtures("use_target")

KINDS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def layouts(x, tmp_path):
    """The same numbers in C order, Fortran order, strided, reversed, read-only, and on disk."""
    wide = np.zeros((2 * len(x), 3 * x.shape[1]), x.dtype)
    wide[::2, ::3] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    mapped = np.memmap(tmp_path / "x.bin", x.dtype, "w+", shape=x.shape)
    mapped[:] = x
    mapped.flush()
    yield x
    yield np.asfortranarray(x)
    yield wide[::2, ::3]
    yield x[::-1, ::-1].copy()[::-1, ::-1]
    yield read_only
    yield np.memmap(tmp_path / "x.bin", x.dtype, "r", shape=x.shape)


@each("kind", [*KINDS, "float32", "float64"])
@each("what", ["x", "t"])
def test_input_types_give_identical_results(rng, dtype, kind, what, tmp_path):
    _, mlp, params, x, t = problem(rng, dtype)
    source = rng.integers(0, 2 if kind == "bool" else 100, (ROWS, x.shape[1] if what == "x" else 4))

    def result(array):
        network = build(dtype, WIDTHS, mlp, params)
        data = (array, t) if what == "x" else (x, array)
        report = trainer(network, rate=1e-4).run(*data, epochs=2)
        output = network.predict(data[0]).tobytes()
        value = network.loss_and_gradients(*data, "squared_error")[0]
        return bits(network), report["loss"], output, value

    expected = result(source.astype("float64"))
    for array in layouts(source.astype(kind), tmp_path):
        assert result(array) == expected, array.flags


def test_sample_weight_types_give_identical_results(rng, dtype):
    _, mlp, params, x, t = problem(rng, dtype)
    results = []
    for kind in ("float32", "float64"):
        network = build(dtype, WIDTHS, mlp, params)
        weight = (np.arange(ROWS) % 4 + 1).astype(kind)
        results.append((trainer(network).run(x, t, weight, epochs=2)["loss"], bits(network)))
    assert results[0] == results[1]


# Bad arguments


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"loss": "despair"}, "loss.*despair.*mse"),
        ({"optimizer": "prayer"}, "optimizer.*prayer.*adam"),
        ({"schedule": "whenever"}, "schedule.*whenever.*adaptive"),
        ({"monitor": "moon"}, "monitor.*moon.*r2"),
        ({"rate": 0.0}, "rate"),
        ({"rate": -1.0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": -5}, "batch_size"),
        ({"hyperparameters": {"gamma": 1.0}}, "gamma.*momentum"),
    ],
)
def test_bad_settings(rng, settings, match):
    network, *_ = problem(rng)
    with pytest.raises(ValueError, match=match):
        trainer(network, **settings)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"epochs": 0}, "epochs"),
        ({"x": np.zeros((ROWS, 5))}, "x"),
        ({"x": np.zeros((0, 6)), "t": np.zeros((0, 4))}, "x|rows"),
        ({"t": np.zeros((ROWS, 3))}, "t"),
        ({"t": np.zeros((ROWS - 1, 4))}, "t"),
        ({"sample_weight": np.ones(ROWS - 1)}, "sample_weight"),
        ({"x_val": np.zeros((5, 6))}, "t_val"),
        ({"t_val": np.zeros((5, 4))}, "x_val"),
        ({"x_val": np.zeros((5, 3)), "t_val": np.zeros((5, 4))}, "x_val"),
        ({"x_val": np.zeros((5, 6)), "t_val": np.zeros((4, 4))}, "t_val"),
        ({"n_threads": -1}, "n_threads"),
    ],
)
def test_bad_runs_change_nothing(rng, change, match):
    network, *_, x, t = problem(rng)
    monitor = "val_loss" if {"x_val", "t_val"} & set(change) else "loss"
    teacher, before = trainer(network, monitor=monitor), bits(network)
    arguments = {"x": x, "t": t, "epochs": 1} | change
    with pytest.raises(ValueError, match=match):
        teacher.run(**arguments)
    assert bits(network) == before
    assert teacher.steps == 0


def test_a_score_needs_a_validation_set(rng):
    network, *_, x, t = problem(rng)
    with pytest.raises(ValueError, match=r"val_loss.*x_val"):
        trainer(network, monitor="val_loss").run(x, t, epochs=1)


def test_types_must_match(rng):
    network, *_ = problem(rng, "float32")
    with pytest.raises(TypeError):
        _core.TrainerFloat64(network, loss="mse", optimizer="sgd", rate=0.1, batch_size=4)
