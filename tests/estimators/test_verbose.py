"""`verbose`: a progress bar, for terminals and notebooks alike, or a line for each epoch."""

import numpy as np
import pytest
import tqdm.auto
from samples import SMALL, numbers

from fastmlp import MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_nothing_by_default(solver, capsys):
    MLPRegressor(**SMALL, solver=solver).fit(*numbers())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("verbose", [True, 1])
def test_bar(solver, verbose, capsys):
    model = MLPRegressor(**SMALL, solver=solver, verbose=verbose).fit(*numbers())
    out, err = capsys.readouterr()
    assert out == ""
    assert "15/15" in err
    assert f"loss={model.loss_curve_[-1]:.6g}" in err


def test_bar_of_tqdm_auto(monkeypatch):
    """Which is a widget in a notebook, and text in a terminal."""
    bars = []

    class Bar:
        def __init__(self, **options):
            self.options, self.shown, self.closed = options, [], False
            bars.append(self)

        def set_postfix(self, shown, refresh):
            self.shown.append(shown)

        def update(self):
            pass

        def close(self):
            self.closed = True

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    model = MLPRegressor(**SMALL, verbose=1, early_stopping=True, n_iter_no_change=1, tol=1)
    model.fit(*numbers())
    (bar,) = bars
    assert bar.options == {"total": 15, "unit": "epoch"}
    assert bar.closed
    assert [float(shown["loss"]) for shown in bar.shown] == pytest.approx(model.loss_curve_, 1e-5)
    scores = [float(shown["score"]) for shown in bar.shown]
    assert scores == pytest.approx(model.validation_scores_, 1e-3)


def test_lines(capsys):
    model = MLPRegressor(**SMALL, verbose=2, tol=1, n_iter_no_change=3, warm_start=True)
    model.fit(*numbers())
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [
        f"Iteration {epoch}, loss = {loss:.8f}" for epoch, loss in enumerate(model.loss_curve_, 1)
    ]
    assert last.startswith("No improvement by more than tol")
    assert np.isfinite(model.loss_)
