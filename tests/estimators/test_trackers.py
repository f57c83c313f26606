"""Experiment trackers: MLflow and TensorBoard; and skops, by which MLflow stores a model."""

import numpy as np
import pytest
from samples import SMALL, classes, numbers
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor, Perceptron
from fastmlp.callbacks import MLflowLogger, TensorBoardLogger

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning"),
]
X, Y = classes()


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    """MLflow, with a store of the test's own."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    module = pytest.importorskip("mlflow")
    before = module.get_tracking_uri()
    module.set_tracking_uri((tmp_path / "runs").as_uri())
    yield module
    module.end_run()
    module.set_tracking_uri(before)


def test_mlflow_has_every_epoch(mlflow):
    model = MLPClassifier(
        **SMALL, early_stopping=True, eval_metrics=["f1_macro"], callbacks=MLflowLogger()
    )
    with mlflow.start_run() as run:
        model.fit(X, Y)
    client = mlflow.MlflowClient()
    params = client.get_run(run.info.run_id).data.params
    assert params["hidden_layer_sizes"] == "(12,)"
    assert params.keys() == model.get_params().keys() - {"callbacks"}
    columns = {"learning_rate": "lr"}
    for name in ("loss", "val_loss", "val_score", "val_f1_macro", "learning_rate"):
        found = client.get_metric_history(run.info.run_id, name)
        assert [each.step for each in found] == list(range(1, model.n_iter_ + 1))
        assert [each.value for each in found] == model.history_[columns.get(name, name)]


def test_mlflow_without_parameters_or_validation(mlflow):
    model = MLPRegressor(**SMALL, callbacks=MLflowLogger(log_params=False), warm_start=True)
    x, y = numbers()
    with mlflow.start_run() as run:
        model.fit(x, y).fit(x, y)
    data = mlflow.MlflowClient().get_run(run.info.run_id).data
    assert data.params == {}
    assert data.metrics.keys() == {"loss", "learning_rate", "seconds", "elapsed"}


def test_tensorboard_has_every_epoch(tmp_path):
    events = pytest.importorskip("tensorboardX").proto.event_pb2
    model = MLPClassifier(
        **SMALL, early_stopping=True, callbacks=TensorBoardLogger(tmp_path / "log")
    ).fit(X, Y)
    (file,) = (tmp_path / "log").iterdir()
    found = {}
    for record in records(file.read_bytes()):
        event = events.Event.FromString(record)
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    steps = list(range(1, model.n_iter_ + 1))
    for name in ("loss", "val_loss", "val_score"):
        assert [step for step, _ in found[name]] == steps
        np.testing.assert_allclose([v for _, v in found[name]], model.history_[name], rtol=1e-6)
    assert found.keys() == {"loss", "val_loss", "val_score", "learning_rate", "seconds", "elapsed"}


def records(data):
    """The records of a file of events: a length, its check, the record, its check."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        yield data[at + 12 : at + 12 + size]
        at += 16 + size


def test_where_they_are_not_installed(monkeypatch, tmp_path):
    for name, callback in (
        ("mlflow", MLflowLogger()),
        ("tensorboardX", TensorBoardLogger(tmp_path)),
    ):
        monkeypatch.setitem(__import__("sys").modules, name, None)
        with pytest.raises(ImportError, match=f"needs {name}: pip install {name}"):
            MLPClassifier(**SMALL, callbacks=callback).fit(X, Y)
    with pytest.raises(TypeError, match="log_dir must be a str, bytes or path-like; got 3"):
        TensorBoardLogger(3)


# skops


FITTED = {
    "classifier": lambda: MLPClassifier(**SMALL, early_stopping=True).fit(X, Y),
    "multilabel": lambda: MLPClassifier(**SMALL).fit(
        X, np.eye(4, dtype=int)[:, :3][np.arange(120) % 4]
    ),
    "regressor": lambda: MLPRegressor(**SMALL, activation="prelu").fit(*numbers(k=2)),
    "quantiles": lambda: MLPRegressor("quantile", **SMALL, quantiles=[0.1, 0.9]).fit(*numbers()),
    "lbfgs": lambda: MLPRegressor(**SMALL, solver="lbfgs").fit(*numbers()),
    "mixed": lambda: MLPClassifier(**{**SMALL, "activation": [[("relu", 6), ("tanh", 6)]]}).fit(
        X, Y
    ),
    "perceptron": lambda: Perceptron(random_state=0).fit(X, Y),
}


@pytest.mark.parametrize("name", list(FITTED))
def test_skops_needs_to_trust_the_class_alone(name):
    sio = pytest.importorskip("skops.io")
    model = FITTED[name]()
    data = sio.dumps(make_pipeline(StandardScaler(), model))
    trusted = sio.get_untrusted_types(data=data)
    assert trusted == [f"{type(model).__module__}.{type(model).__name__}"]
    loaded = sio.loads(data, trusted=trusted)[-1]
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_equal(getattr(loaded, "history_", None), getattr(model, "history_", None))
    if hasattr(model, "partial_fit") and name not in ("perceptron", "lbfgs"):
        x, y = (X, Y) if name != "regressor" else numbers(k=2)
        if name == "classifier":
            for each in (loaded, model):
                each.set_params(early_stopping=False).partial_fit(x, y)
            np.testing.assert_array_equal(loaded.coefs_[0], model.coefs_[0])


def test_mlflow_logs_a_model(mlflow):
    pytest.importorskip("skops")
    model = make_pipeline(StandardScaler(), MLPClassifier(**SMALL)).fit(X, Y)
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            model, name="model", skops_trusted_types=["fastmlp.classifier.MLPClassifier"]
        )
    loaded = mlflow.sklearn.load_model(info.model_uri)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_the_core_refuses_to_be_pickled():
    """By an error, and not by the end of the process."""
    import pickle

    from fastmlp import TabularRegressor, _core

    sio = pytest.importorskip("skops.io")
    spec = _core.DenseSpec([("relu", 2, None)])
    for thing in (spec, _core.NetworkFloat32(3, [spec])):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="cannot pickle"):
                pickle.dumps(thing, protocol)
    model = TabularRegressor(preset="fast", random_state=0).fit(*numbers())
    with pytest.raises(Exception, match="cannot pickle"):
        sio.dumps(model)
