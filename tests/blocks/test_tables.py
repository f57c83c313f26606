"""Tables in blocks: what fits in memory is a table, and what doesn't is encoded in files."""

import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
import pytest

from fastmlp import TabularClassifier, TabularRegressor
from fastmlp.data import Blocks

N = 6000
LITTLE = 300_000


class Frames(Blocks):
    """Blocks of a frame."""

    def __init__(self, frame, y, weight=None, *, rows=200, memory=2**30):
        super().__init__(memory=memory)
        self.frame, self.y, self.weight, self.rows = frame, y, weight, rows

    def __len__(self):
        return -(-len(self.frame) // self.rows)

    def __getitem__(self, index):
        rows = slice(index * self.rows, (index + 1) * self.rows)
        part = self.frame[rows], self.y[rows]
        return part if self.weight is None else (*part, self.weight[rows])


def table(seed=0):
    """A table with numbers, categories of which each has an effect, and gaps; and a number."""
    rng = np.random.default_rng(seed)
    effects = np.random.default_rng(9).normal(size=12)
    city = rng.integers(0, 12, N)
    frame = pd.DataFrame(
        {"a": rng.normal(size=N), "b": rng.exponential(size=N), "city": [f"c{i}" for i in city]}
    )
    frame.loc[rng.random(N) < 0.1, "a"] = np.nan
    z = frame.a.fillna(0) + np.log(frame.b) + effects[city] + 0.2 * rng.normal(size=N)
    return frame, z.to_numpy()


FRAME, NUMBERS = table()
OTHER, OTHER_NUMBERS = table(1)
LABELS, OTHER_LABELS = (np.where(z > 0, "high", "low") for z in (NUMBERS, OTHER_NUMBERS))
KINDS = [
    pytest.param(TabularClassifier, LABELS, OTHER_LABELS, id="classifier"),
    pytest.param(TabularRegressor, NUMBERS, OTHER_NUMBERS, id="regressor"),
]


@pytest.mark.parametrize(("kind", "y", "other"), KINDS)
def test_what_fits_is_a_table(kind, y, other):
    whole = kind(preset="fast", random_state=0).fit(FRAME, y)
    blocks = kind(preset="fast", random_state=0).fit(Frames(FRAME, y))
    np.testing.assert_array_equal(blocks._outputs(OTHER), whole._outputs(OTHER))
    np.testing.assert_array_equal(blocks.oof_predictions_, whole.oof_predictions_)


@pytest.mark.parametrize(("kind", "y", "other"), KINDS)
@pytest.mark.parametrize("is_sorted", [False, True])
def test_what_does_not_fit(kind, y, other, is_sorted, tmp_path, monkeypatch):
    """Nearly as good as in memory, whatever the rows are sorted by; no file is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    order = np.argsort(NUMBERS) if is_sorted else np.arange(N)
    whole = kind(preset="fast", random_state=0).fit(FRAME, y)
    model = kind(preset="fast", random_state=0)
    model.fit(Frames(FRAME.iloc[order], y[order], memory=LITTLE))
    assert model.score(OTHER, other) > whole.score(OTHER, other) - 0.02
    assert model.feature_names_in_.tolist() == ["a", "b", "city"]
    assert np.isclose(model.feature_importances_.sum(), 1)
    assert not hasattr(model, "oof_predictions_")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "y", "other"), KINDS)
def test_same_bits_for_any_threads(kind, y, other):
    found = [
        kind(preset="fast", random_state=0, n_jobs=n_jobs)
        .fit(Frames(FRAME, y, memory=LITTLE))
        ._outputs(OTHER)
        for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*found)


def test_a_class_that_is_rare():
    """Every label is known, also one that no row set aside has."""
    y = LABELS.astype("U7")
    y[-1] = "extreme"
    model = TabularClassifier(preset="fast", random_state=0).fit(Frames(FRAME, y, memory=LITTLE))
    assert model.classes_.tolist() == ["extreme", "high", "low"]
    assert model.predict_proba(OTHER[:5]).shape == (5, 3)


def test_the_range_of_all_targets():
    y = NUMBERS.copy()
    y[7] = 50.0
    model = TabularRegressor(preset="fast", random_state=0).fit(Frames(FRAME, y, memory=LITTLE))
    assert model._targets.high == 50.0


def test_weights():
    """Rows without weight count for nothing."""
    y = NUMBERS.copy()
    weight = np.ones(N)
    y[::3], weight[::3] = 1e4, 0.0
    model = TabularRegressor(preset="fast", random_state=0)
    model.fit(Frames(FRAME, y, weight, memory=LITTLE))
    assert model.score(OTHER, OTHER_NUMBERS) > 0.8


def test_class_weight_counts_all_blocks():
    order = np.concatenate(
        [np.flatnonzero(LABELS == "low"), np.flatnonzero(LABELS == "high")[:300]]
    )
    few = Frames(FRAME.iloc[order], LABELS[order], memory=LITTLE)
    plain = TabularClassifier(preset="fast", random_state=0).fit(few)
    balanced = TabularClassifier(preset="fast", random_state=0, class_weight="balanced").fit(few)
    shares = [model.predict_proba(OTHER)[:, 0].mean() for model in (plain, balanced)]
    assert shares[1] > shares[0] + 0.05


def test_rows_without_weight_teach_nothing():
    y, weight = NUMBERS.copy(), np.ones(N)
    y[5], weight[5] = 1e6, 0.0
    model = TabularRegressor(preset="fast", random_state=0)
    model.fit(Frames(FRAME, y, weight, memory=LITTLE))
    assert model._targets.high < 1e3
    with pytest.raises(ValueError, match="at least one non-zero number"):
        model.fit(Frames(FRAME, y, np.zeros(N), memory=LITTLE))


def test_tables_in_lists():
    """Gaps stay gaps, whatever the blocks look like."""
    rows = [[a, city] for a, city in zip(FRAME["a"][:400], FRAME["city"][:400], strict=True)]
    rows[3][1] = np.nan
    parts = [(rows[i : i + 100], NUMBERS[i : i + 100]) for i in range(0, 400, 100)]

    class Listed(Blocks):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return parts[index]

    model = TabularRegressor(preset="fast", random_state=0)
    whole = str(model.fit(rows, NUMBERS[:400]).columns_)
    assert str(model.fit(Listed()).columns_) == whole


FULL = """
import resource, sys, tempfile
import numpy as np
from fastmlp import TabularRegressor
from fastmlp.data import Arrays
tempfile.tempdir = sys.argv[1]
x = np.random.default_rng(0).normal(size=(20_000, 20))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    TabularRegressor(preset="fast").fit(Arrays(x, x[:, 0], memory=500_000))
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of files as on Linux")
def test_a_full_disk(tmp_path):
    """It is an error, not the end of the process, and no file is left."""
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout == "OSError\n", run.stderr
    assert not list(tmp_path.iterdir())


def test_rows_to_validate_on():
    model = TabularRegressor(preset="fast", random_state=0)
    model.fit(Frames(FRAME, NUMBERS, memory=LITTLE), X_val=OTHER, y_val=OTHER_NUMBERS)
    assert model.score(OTHER, OTHER_NUMBERS) > 0.9


def test_refused():
    model = TabularRegressor(preset="fast", random_state=0)
    with pytest.raises(ValueError, match="groups are not for blocks"):
        model.fit(Frames(FRAME, NUMBERS, memory=LITTLE), groups=np.arange(N))
    with pytest.raises(ValueError, match="Blocks hold y"):
        model.fit(Frames(FRAME, NUMBERS), NUMBERS)
    with pytest.raises(ValueError, match="too little"):
        model.fit(Frames(FRAME, NUMBERS, memory=100))
    broken = NUMBERS.copy()
    broken[777] = np.nan
    with pytest.raises(ValueError, match="In block 3: Input y contains NaN"):
        model.fit(Frames(FRAME, broken, memory=LITTLE))
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.fit(FRAME)

    class Renamed(Frames):
        def __getitem__(self, index):
            X, y = super().__getitem__(index)
            return (X.rename(columns={"a": "x"}) if index == 2 else X), y

    with pytest.raises(ValueError, match="In block 2: The feature names should match"):
        model.fit(Renamed(FRAME, NUMBERS, memory=LITTLE))
