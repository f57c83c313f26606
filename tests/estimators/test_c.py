"""Networks written as C, compiled as strictly as a compiler can, and compared."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
from samples import classes

import fastmlp
from fastmlp import Dense, Dropout, MLPClassifier, MLPRegressor, Network
from fastmlp._checks.names import ACTIVATIONS
from fastmlp._files import c

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler"),
]
STRICT = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Wdouble-promotion", "-pedantic", "-Werror"]
SMALL = {"hidden_layer_sizes": (7, 5), "max_iter": 15, "random_state": 0}
X, NAMES = classes(d=4)
ATOL = {"float32": 2e-6, "float64": 1e-13}
TYPES = {"float32": ctypes.c_float, "float64": ctypes.c_double}


@pytest.fixture
def compiled(tmp_path):
    """Compile a text; return the library."""

    def compile_(text):
        source, library = tmp_path / "model.c", tmp_path / "model.so"
        source.write_text(text, encoding="ascii")
        command = ["cc", *STRICT, "-shared", "-fPIC", str(source), "-o", str(library), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return ctypes.CDLL(str(library))

    return compile_


def outputs(library, x, n_outputs, name="model"):
    """What the library makes of each row."""
    real = TYPES[str(x.dtype)]
    found = np.full((len(x), n_outputs + 1), 99, x.dtype)  # the last number is not to be written
    for row, to in zip(np.ascontiguousarray(x), found, strict=True):
        getattr(library, f"{name}_outputs")(
            row.ctypes.data_as(ctypes.POINTER(real)), to.ctypes.data_as(ctypes.POINTER(real))
        )
    assert (found[:, -1] == 99).all()
    return found[:, :-1]


def labels(library, x, name="model"):
    real = TYPES[str(x.dtype)]
    choose = getattr(library, f"{name}_class")
    return np.array(
        [choose(row.ctypes.data_as(ctypes.POINTER(real))) for row in np.ascontiguousarray(x)]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "y", [NAMES, X[:, 0] > 0, np.where(X[:, 0] > 0, 2.0, -1e9)], ids=["three", "two", "numbers"]
)
def test_classifiers(y, dtype, compiled):
    model = MLPClassifier(**SMALL, dtype=dtype).fit(X, y)
    library, x = compiled(fastmlp.to_c(model)), X.astype(dtype)
    expected = model.predict_proba(x)
    np.testing.assert_allclose(
        outputs(library, x, len(model.classes_)), expected, rtol=0, atol=ATOL[dtype]
    )
    assert np.array_equal(model.classes_[labels(library, x)], model.predict(x))


@pytest.mark.parametrize("y", [X[:, 0] - X[:, 1], X[:, :3]], ids=["one", "three"])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_regressors(y, loss, compiled):
    y = abs(y)
    model = MLPRegressor(**SMALL, loss=loss, dtype="float64").fit(X, y)
    found = outputs(compiled(fastmlp.to_c(model)), X.astype("float64"), model.n_outputs_)
    np.testing.assert_allclose(found.reshape(y.shape), model.predict(X), rtol=1e-12)


def test_several_labels(compiled):
    y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 1]).astype(int)
    model = MLPClassifier(**SMALL, dtype="float64").fit(X, y)
    library = compiled(fastmlp.to_c(model))
    found = np.full((len(X), 4), 7, np.intc)
    for row, to in zip(X.astype("float64"), found, strict=True):
        library.model_labels(
            row.ctypes.data_as(ctypes.c_void_p), to.ctypes.data_as(ctypes.c_void_p)
        )
    assert np.array_equal(found[:, :3], model.predict(X))
    assert (found[:, 3] == 7).all()


@pytest.mark.parametrize("y", [NAMES, X[:, 0] > 0], ids=["three", "two"])
def test_margins(y, compiled):
    model = MLPClassifier(**SMALL, loss="hinge", dtype="float64").fit(X, y)
    library, x = compiled(fastmlp.to_c(model)), X.astype("float64")
    expected = model.decision_function(x).reshape(len(x), -1)
    np.testing.assert_allclose(outputs(library, x, expected.shape[1]), expected, atol=1e-12)
    assert np.array_equal(model.classes_[labels(library, x)], model.predict(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.3)", "elu(0.5)"])
def test_activations(activation, dtype, compiled):
    """Also far from zero, where nothing may overflow on its way."""
    rng, far = np.random.default_rng(0), 1 if activation == "exp" else 30
    network = Network([Dense(6, activation), Dense(4, activation)], 4, dtype=dtype, random_state=0)
    x = (rng.normal(size=(60, 4)) * np.geomspace(1e-3, far, 60)[:, None]).astype(dtype)
    expected = network(x)
    found = outputs(compiled(fastmlp.to_c(network)), x, 4)
    scale = np.maximum(np.abs(expected), 1)
    assert np.isfinite(found).all()
    assert (np.abs(found - expected) / scale).max() < (2e-5 if dtype == "float32" else 1e-11)


def test_every_activation_has_an_expression():
    assert {*c.ACTIVATIONS, *c.ROW_ACTIVATIONS} == set(ACTIVATIONS)


def test_mixed_activations_and_learned_slopes(compiled):
    parts = [("relu", 3), ("leaky_relu(0.2)", 2), ("tanh", 4)]
    model = MLPRegressor(
        hidden_layer_sizes=(9, 6),
        activation=[parts, "prelu"],
        max_iter=20,
        random_state=0,
        dtype="float64",
    )
    model.fit(X, X[:, 0])
    assert len(set(model.slopes_[1])) > 1
    found = outputs(compiled(fastmlp.to_c(model)), X.astype("float64"), 1)
    np.testing.assert_allclose(found[:, 0], model.predict(X), rtol=1e-11)


def test_classic_dropout_scales_the_weights(compiled):
    network = Network(
        [Dropout(0.4, mode="classic"), Dense(5, "tanh"), Dense(2)],
        4,
        dtype="float64",
        random_state=0,
    )
    x = X.astype("float64")
    np.testing.assert_allclose(
        outputs(compiled(fastmlp.to_c(network)), x, 2), network(x), rtol=1e-12
    )


def test_two_models_in_one_program(compiled):
    first, second = (
        MLPRegressor(**SMALL | {"random_state": seed}, dtype="float64").fit(X, X[:, 0])
        for seed in (1, 2)
    )
    text = fastmlp.to_c(first, name="first") + fastmlp.to_c(second, name="second_2")
    library = compiled(text)
    for model, name in ((first, "first"), (second, "second_2")):
        found = outputs(library, X.astype("float64"), 1, name)
        np.testing.assert_allclose(found[:, 0], model.predict(X), rtol=1e-11)


def test_any_label_is_a_literal(compiled):
    names = np.array(['quote " and \\', "line\nbreak", "*/ ??/ %d", "Käse 漢"], dtype=object)
    y = names[np.arange(len(X)) % 4]
    model = MLPClassifier(**SMALL).fit(X, y)
    stored = (ctypes.c_char_p * 4).in_dll(compiled(fastmlp.to_c(model)), "model_classes")
    assert [text.decode() for text in stored] == list(model.classes_)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: fastmlp.to_c(MLPClassifier()), ValueError, "not fitted"),
        (lambda: fastmlp.to_c(object()), TypeError, "estimator must be an MLPClassifier"),
        (lambda: fastmlp.to_c(Network([Dense(1)], 2), name="2x"), ValueError, "'2x'"),
        (lambda: fastmlp.to_c(Network([Dense(1)], 2), name="a; int b"), ValueError, "identifier"),
    ],
)
def test_what_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_a_single_class(loss, compiled):
    model = MLPClassifier(**SMALL, loss=loss).fit(X, ["a"] * len(X))
    assert set(labels(compiled(fastmlp.to_c(model)), X.astype("float32"))) == {0}


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "loss", [{"loss": "quantile", "quantiles": [0.1, 0.5, 0.6, 0.9]}, {"loss": "gaussian"}], ids=str
)
def test_quantiles_and_normal_distributions(loss, n_targets, dtype, compiled, rng):
    y = np.squeeze(X[:, :n_targets] + rng.normal(size=(len(X), n_targets)))
    model = MLPRegressor(**loss, **SMALL, dtype=dtype).fit(X, y)
    given = X.astype(dtype)
    found = outputs(compiled(fastmlp.to_c(model)), given, model.n_outputs_)
    if "quantiles" in loss:
        wanted = model.predict(given).reshape(len(X), -1)
    else:
        wanted = np.column_stack(model.predict(given, return_std=True))
    np.testing.assert_allclose(found, wanted, atol=10 * ATOL[dtype])
