"""`save` and `load`: what comes back, and that no file does harm."""

import copy
import json
import os
import pickle
import re
import stat
import sys

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from samples import KINDS, SMALL, classes, labels, numbers
from sklearn import neural_network
from stored import FUZZ, JSON, forge, load_or_refuse, places, put

import fastmlp
from fastmlp import Activation, Dense, Dropout, MLPClassifier, MLPRegressor, Network, Perceptron
from fastmlp._files.json import decode, encode

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A file to damage, and the estimator in it."""
    x, y = classes(d=3)
    model = MLPClassifier(
        **SMALL, activation=["prelu"], early_stopping=True, class_weight={"ant": 2.0}
    )
    file = tmp_path_factory.mktemp("stored") / "model.safetensors"
    fastmlp.save(model.fit(pd.DataFrame(x, columns=["a", "b", "c"]), y), file)
    return file, model


def again(model, path):
    fastmlp.save(model, path)
    return fastmlp.load(path)


def same(a, b):
    """Whether two values of attributes are the same, NaN being itself."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return type(a) is type(b) and encode(a) == encode(b)


def assert_same(model, other):
    """Every parameter and every attribute, but for what lives in the core."""
    inner = {"_codec", "_log", "_model", "_random_state", "layers"}
    assert type(model) is type(other)
    assert vars(model).keys() - {"_random_state"} == vars(other).keys() - {"_random_state"}
    for name in vars(model).keys() - inner:
        if name in ("coefs_", "intercepts_", "slopes_"):
            for a, b in zip(getattr(model, name), getattr(other, name), strict=True):
                assert same(a, b), name
        else:
            assert same(getattr(model, name), getattr(other, name)), name
    for name in ("history_", "loss_curve_", "validation_scores_"):
        assert same(getattr(model, name, None), getattr(other, name, None)), name
    if hasattr(model, "_model"):
        assert model._model.architecture == other._model.architecture
        assert model._model.mask_seed == other._model.mask_seed
    if hasattr(model, "_codec"):
        assert type(model._codec) is type(other._codec)
        assert model._codec.n_outputs == other._codec.n_outputs
        assert getattr(model._codec, "kind", None) == getattr(other._codec, "kind", None)


# What comes back


@pytest.mark.parametrize(("kind", "data"), KINDS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mlp(kind, data, solver, dtype, path):
    x, y = data()
    model = kind(**SMALL, solver=solver, dtype=dtype).fit(x, y)
    other = again(model, path)
    assert_same(model, other)
    np.testing.assert_array_equal(model.predict(x), other.predict(x))
    np.testing.assert_array_equal(model.forward(x)[1][-1], other.forward(x)[1][-1])


def test_settings_beyond_scikit_learn(path):
    x, y = classes()
    model = MLPClassifier(
        (8, 6),
        activation=[[("relu", 4), ("leaky_relu(0.2)", 4)], "prelu"],
        dropout=(0.1, 0.2),
        alpha=np.array([0.1, 0.2, 0.3]),
        n_iter_no_change=np.inf,
        class_weight={"ant": 2.0, "bee": 1},
        early_stopping=True,
        scoring="loss",
        max_iter=5,
        random_state=np.int64(3),
    ).fit(x, y)
    other = again(model, path)
    assert_same(model.set_params(alpha=[0.1, 0.2, 0.3], random_state=3), other)
    assert other.loss_curve_ == other.history_["loss"]
    assert other.validation_scores_ == other.history_["val_score"]
    np.testing.assert_array_equal(
        model.predict_proba(x, dropout_samples=5), other.predict_proba(x, dropout_samples=5)
    )


@pytest.mark.parametrize(
    "names", [["no", "yes"], [3, -1], [1.0, 2.0], [False, True], ["ä", "日本"]]
)
@pytest.mark.parametrize("kind", [MLPClassifier, Perceptron])
def test_labels(kind, names, path):
    x, y = labels(k=1)
    model = kind(max_iter=5).fit(x, np.array(names)[y.ravel()])
    other = again(model, path)
    assert other.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(model.predict(x), other.predict(x))


def test_one_class(path):
    x, _ = numbers()
    model = MLPClassifier(max_iter=2).fit(x, ["a"] * len(x))
    assert set(again(model, path).predict(x)) == {"a"}


def test_feature_names(path):
    x, y = numbers(d=3)
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    model = MLPRegressor(**SMALL).fit(frame, y)
    other = again(model, path)
    np.testing.assert_array_equal(model.predict(frame), other.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        other.predict(frame.rename(columns={"a": "z"}))


@pytest.mark.parametrize("data", [classes, labels, lambda: classes(k=2)])
def test_perceptron(data, path):
    x, y = data()
    model = Perceptron(max_iter=7, random_state=0).fit(x, y)
    other = again(model, path)
    assert_same(model, other)
    np.testing.assert_array_equal(model.decision_function(x), other.decision_function(x))
    model.partial_fit(x, y), other.partial_fit(x, y)
    np.testing.assert_array_equal(model.coef_, other.coef_)


def test_network(path, rng):
    layers = [
        Dense(8, [("relu", 4), ("tanh", 4)], l1=0.1),
        Dropout(0.5, mode="classic"),
        Dense(6, "prelu"),
        Dense(3),
        Activation("softmax"),
    ]
    network = Network(layers, 5, random_state=0, n_jobs=1)
    x, t = rng.normal(size=(40, 5)), rng.integers(0, 3, 40)
    network.fit(x, t, loss="cross_entropy", epochs=2)
    other = again(network, path)
    assert_same(network, other)
    assert other.layers == network.layers
    np.testing.assert_array_equal(network(x), other(x))
    other.fit(x, t, loss="cross_entropy", epochs=1)


def test_training_goes_on(path):
    x, y = classes()
    model = MLPClassifier(**SMALL, warm_start=True).fit(x, y)
    other = again(model, path)
    other.partial_fit(x, y)
    other.fit(x, y)
    assert len(other.loss_curve_) > len(model.loss_curve_)
    pickle.loads(pickle.dumps(other)).predict(x)


def test_weights_set_by_hand(path):
    x, y = numbers()
    model = MLPRegressor(**SMALL).fit(x, y)
    model.coefs_ = [2 * w for w in model.coefs_]
    np.testing.assert_array_equal(model.predict(x), again(model, path).predict(x))
    model.coefs_ = model.coefs_[:1]
    with pytest.raises(ValueError, match="coefs must hold 2 arrays"):
        fastmlp.save(model, path)


def test_what_is_dropped(path):
    x, y = numbers()
    model = MLPRegressor(**SMALL | {"random_state": np.random.RandomState(0)}, callbacks=print)
    model.set_params(callbacks=[lambda end: False]).fit(x, y)
    other = again(model, path)
    assert other.callbacks is None
    assert other.random_state is None


def test_what_cannot_be_stored(path):
    x, y = numbers()
    model = MLPRegressor(**SMALL)
    with pytest.raises(ValueError, match="not fitted"):
        fastmlp.save(model, path)
    model.set_params(learning_rate=lambda epoch: 0.01).fit(x, y)
    with pytest.raises(ValueError, match="learning_rate can't be stored"):
        fastmlp.save(model, path)
    with pytest.raises(ValueError, match="'alpha' parameter"):
        fastmlp.save(model.set_params(learning_rate="constant", alpha=-1.0), path)

    class Own(MLPRegressor):
        pass

    with pytest.raises(TypeError, match=r"fastmlp\.MLPRegressor.*got sklearn\.MLPRegressor"):
        fastmlp.save(neural_network.MLPRegressor(), path)
    for other in (Own().fit(x, y), x, None, MLPRegressor):
        with pytest.raises(TypeError, match="Only these classes"):
            fastmlp.save(other, path)
    assert not path.exists()


def test_values_of_parameters():
    for value in (
        [1, (2.5, [None, True]), "x", {"a": 1, "b": [()]}],
        {1: 2.0, "one": {"$tuple": 3}, (1, 2): "$float"},
        [float("inf"), -float("inf"), {"$": 1}],
    ):
        assert decode(json.loads(json.dumps(encode(value)))) == value
    assert np.isnan(decode(encode(np.float32("nan"))))
    for value in (object(), {"a": print}, [b"bytes"], np.datetime64("2020-01-01"), {1, 2}):
        with pytest.raises(TypeError, match="neither a number nor a string"):
            encode(value)


# The file


def test_other_programs_read_it(path):
    x, y = classes()
    model = MLPClassifier(**SMALL).fit(x, y)
    fastmlp.save(model, path)
    arrays = safetensors.numpy.load_file(path)
    for name in ("coefs", "intercepts"):
        for layer, array in enumerate(getattr(model, f"{name}_")):
            np.testing.assert_array_equal(arrays[f"{name}.{layer}"], array)
    with safetensors.safe_open(path, "numpy") as file:
        header = json.loads(file.metadata()["fastmlp"])
    assert header["format"] == "fastmlp"
    assert header["format_version"] == 1
    assert header["fastmlp_version"] == fastmlp.__version__
    assert header["class"] == "MLPClassifier"
    assert header["params"]["learning_rate_init"] == model.learning_rate_init


def test_same_model_same_bytes(path):
    x, y = classes()
    model = MLPClassifier(**SMALL).fit(x, y)
    contents = set()
    for _ in range(5):
        fastmlp.save(model, path)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_a_failed_save_leaves_the_old_file(path, monkeypatch):
    x, y = numbers()
    model = MLPRegressor(**SMALL).fit(x, y)
    fastmlp.save(model, path)
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        fastmlp.save(MLPRegressor(**SMALL).fit(x, 2 * y), path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="links and permissions of POSIX")
def test_links_and_permissions(path, tmp_path):
    x, y = numbers()
    link = tmp_path / "link"
    link.symlink_to(path)
    fastmlp.save(MLPRegressor(**SMALL).fit(x, y), link)
    assert link.is_symlink()
    assert path.is_file()
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        fastmlp.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"no such folder: .*nowhere'$"):
        fastmlp.save(Perceptron().fit([[0], [1]], [0, 1]), tmp_path / "nowhere" / "file")
    with pytest.raises(IsADirectoryError, match=re.escape(str(tmp_path))):
        fastmlp.load(tmp_path)


# Damage: an error, or what was stored


def assert_harmless(file, content, model):
    """Loading the content raises a ValueError that names the file, or gives the model."""
    damaged = file.with_name("damaged")
    damaged.write_bytes(content)
    other = load_or_refuse(damaged)
    if other is not None:
        assert_same(model, other)


@FUZZ
@given(data=st.data())
def test_truncated(stored, data):
    file, model = stored
    content = file.read_bytes()
    length = data.draw(st.integers(0, len(content) - 1))
    assert_harmless(file, content[:length], model)
    assert_harmless(file, content[length:], model)


@FUZZ
@given(data=st.data())
def test_flipped(stored, data):
    file, model = stored
    content = bytearray(file.read_bytes())
    places = st.tuples(st.integers(0, len(content) - 1), st.integers(1, 255))
    for place, mask in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] ^= mask
    assert_harmless(file, bytes(content), model)


@FUZZ
@given(st.binary(max_size=300), st.booleans())
def test_foreign(stored, content, framed):
    file, model = stored
    assert_harmless(
        file, len(content).to_bytes(8, "little") + content if framed else content, model
    )


def test_appended(stored):
    file, model = stored
    assert_harmless(file, file.read_bytes() + b"more", model)


def test_other_safetensors(path):
    safetensors.numpy.save_file({"x": np.ones(3)}, path)
    with pytest.raises(ValueError, match="not one of fastmlp"):
        fastmlp.load(path)


# Malice: the checksum is right, the content is not


def layer(name, value):
    def change(header, arrays):
        header["architecture"]["layers"]["$tuple"][0][name] = value

    return change


def array(name, value):
    def change(header, arrays):
        arrays[name] = value

    return change


def missing(name):
    def change(header, arrays):
        del arrays[name]

    return change


def without(*place):
    *path, last = place

    def change(header, arrays):
        for key in path:
            header = header[key]
        del header[last]

    return change


MALICE = {
    "class": (put("class", "os.system"), "class must be one of"),
    "class of a library": (put("class", "McCullochPitts"), "class must be one of"),
    "class that is none": (put("class", ["MLPClassifier"]), "class must be one of"),
    "other class": (put("class", "MLPRegressor"), "no parameters"),
    "format": (put("format", "pickle"), "format 'pickle'"),
    "version": (put("format_version", 2), "version 2"),
    "no version": (without("format_version"), "format_version"),
    "no params": (without("params"), "params"),
    "unknown parameter": (put("params", "shell", "rm"), "no parameters"),
    "callbacks": (put("params", "callbacks", ["print"]), "no parameters"),
    "self": (put("params", "self", 1), "no parameters"),
    "bad parameter": (put("params", "alpha", -1), "alpha"),
    "tag": (put("params", "alpha", {"$eval": "1"}), "tag"),
    "two tags": (put("params", "alpha", {"$tuple": [], "$float": "nan"}), "too many"),
    "huge layer": (layer("units", 10**15), "must have shape"),
    "immense layer": (layer("units", 10**60), "forged"),
    "negative units": (layer("units", -1), "units must be"),
    "units that are none": (layer("units", True), "units must be"),
    "activation": (layer("activation", "relu(nan)"), "activation"),
    "mix": (layer("activation", [["relu", 1]]), "add up"),
    "mix of nothing": (layer("activation", []), "activation"),
    "dropout": (layer("input_dropout", 2.0), "dropout"),
    "penalty": (layer("l1", "much"), "forged"),
    "field": (layer("code", "x"), "code"),
    "no layers": (put("architecture", "layers", []), "no layers"),
    "no architecture": (put("architecture", None), "forged"),
    "features": (put("architecture", "n_features", 4), "must have shape"),
    "dtype": (put("architecture", "dtype", "float16"), "dtype must be"),
    "other dtype": (put("architecture", "dtype", "float64"), "must be of float64"),
    "attribute": (put("attributes", "__class__", 1), "attributes must be"),
    "method": (put("attributes", "predict", 1), "attributes must be"),
    "missing attribute": (without("attributes", "t_"), "attributes must be"),
    "seed": (put("attributes", "_mask_seed", 2**80), "_mask_seed"),
    "history": (put("attributes", "history_", {"loss": []}), "history_"),
    "history of text": (put("attributes", "history_", "loss", ["x"]), "history_"),
    "targets": (put("attributes", "_target_type", "ternary"), "_target_type"),
    "list as targets": (put("attributes", "_target_type", []), "_target_type"),
    "binary": (put("attributes", "_target_type", "binary"), "outputs"),
    "labels": (put("attributes", "classes_", ["a", "b"]), "outputs"),
    "labels that are none": (put("attributes", "classes_", [1, 2, 3]), "strings"),
    "feature names": (put("attributes", "feature_names_in_", ["a"]), "feature names"),
    "missing weights": (missing("coefs.0"), "coefs.0"),
    "missing slopes": (missing("slopes.0"), "slopes.0"),
    "shape": (array("coefs.0", np.ones((12, 3), np.float32)), "must have shape"),
    "type": (array("coefs.0", np.ones((3, 12))), "must be of float32"),
    "NaN": (array("intercepts.1", np.full(3, np.nan, np.float32)), "must be finite"),
    "losses": (array("step_losses", np.ones((2, 2))), "step_losses"),
    "a list": (lambda h, a: [1], "forged"),
    "no JSON": (lambda h, a: "{", "forged"),
    "NaN as JSON": (lambda h, a: '{"format": NaN}', "NaN is not JSON"),
    "deep": (lambda h, a: "[" * 100_000, "forged"),
    "many digits": (lambda h, a: "9" * 10_000, "forged"),
}


@pytest.mark.parametrize("name", MALICE)
def test_malice(stored, name):
    change, message = MALICE[name]
    with pytest.raises(ValueError, match=message) as caught:
        fastmlp.load(forge(stored, change))
    assert "forged" in str(caught.value)


def test_a_file_without_validation_losses_loads(stored):
    def change(header, arrays):
        del header["attributes"]["history_"]["val_loss"]

    history = fastmlp.load(forge(stored, change)).history_
    assert history.keys() == stored[1].history_.keys()
    assert np.isnan(history["val_loss"]).all()
    assert {len(column) for column in history.values()} == {stored[1].n_iter_}


def test_a_forgery_without_changes_loads(stored):
    assert_same(stored[1], fastmlp.load(forge(stored, lambda header, arrays: None)))


@pytest.mark.parametrize("kind", ["mlp", "perceptron", "network"])
@FUZZ
@given(data=st.data(), value=JSON)
def test_any_other_value_anywhere(stored, tmp_path_factory, kind, data, value):
    """An error, or an estimator: anything else is a crash."""
    if kind != "mlp":
        file = tmp_path_factory.getbasetemp() / kind
        if not file.exists():
            network = Network([Dense(2, "relu"), Dropout(0.5), Dense(1)], 3, random_state=0)
            x, y = classes(d=3)
            model = network if kind == "network" else Perceptron(max_iter=3).fit(x, y)
            fastmlp.save(model, file)
        stored = (file, None)

    def change(header, arrays):
        place = data.draw(st.sampled_from(sorted(places(copy.deepcopy(header)), key=repr)))
        put(*place, value)(header, arrays)

    other = load_or_refuse(forge(stored, change))
    assert other is None or isinstance(other, MLPClassifier | Perceptron | Network)
