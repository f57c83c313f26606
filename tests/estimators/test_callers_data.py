"""The caller's data never change, and never lead outside an array: sparse rows with duplicate,
unsorted or corrupt indices, shared, read-only, or changed by somebody while training goes on."""

import threading

import numpy as np
import pytest
import scipy.sparse as sp

from fastmlp import Dense, MLPClassifier, MLPRegressor, Network, Perceptron

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
rng = np.random.default_rng(0)
ROWS, COLUMNS = 60, 12
Y = np.arange(ROWS) % 3


def untidy(index=np.int32, dtype=np.float64):
    """CSR with indices that are neither sorted nor unique, and the matrix that it stands for."""
    starts = np.arange(ROWS + 1, dtype=index) * 6
    columns = rng.integers(0, COLUMNS, 6 * ROWS).astype(index)
    columns[::6] = columns[1::6]  # twice in each row
    values = rng.integers(-4, 5, 6 * ROWS).astype(dtype)
    matrix = sp.csr_matrix((ROWS, COLUMNS), dtype=dtype)
    matrix.data, matrix.indices, matrix.indptr = values, columns, starts
    dense = np.zeros((ROWS, COLUMNS))
    np.add.at(dense, (np.repeat(np.arange(ROWS), 6), columns), values)
    return matrix, dense.astype(dtype)


def freeze(matrix):
    for array in (matrix.data, matrix.indices, matrix.indptr):
        array.flags.writeable = False
    return matrix


def parts(matrix):
    arrays = (matrix.data, matrix.indices, matrix.indptr)
    return [id(array) for array in arrays], [array.tobytes() for array in arrays]


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "lbfgs"}])
def test_untidy_rows_are_read_as_they_are(index, dtype, read_only, settings):
    matrix, dense = untidy(index, dtype)
    matrix = freeze(matrix) if read_only else matrix
    before = parts(matrix)
    model = MLPClassifier(**SMALL, **settings).fit(matrix, Y)
    same = MLPClassifier(**SMALL, **settings).fit(dense, Y)
    for name in ("predict_proba", "predict_log_proba", "predict"):
        ours, theirs = getattr(model, name)(matrix), getattr(same, name)(dense)
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(model.forward(matrix)[0][0], same.forward(dense)[0][0])
    if not settings:
        model.partial_fit(matrix, Y)
        model.fit(matrix, Y, X_val=matrix, y_val=Y)
    assert parts(matrix) == before


def test_rows_shared_by_threads():
    matrix, dense = untidy()
    before = parts(matrix)
    model = MLPClassifier(**SMALL).fit(dense, Y)
    expected, wrong = model.predict_proba(dense), []

    def predict():
        for _ in range(60):
            if not np.array_equal(model.predict_proba(matrix), expected):
                wrong.append(1)

    threads = [threading.Thread(target=predict) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert parts(matrix) == before


@pytest.mark.parametrize("read_only", [False, True])
def test_dense_data_stay_as_they_are(read_only):
    arrays = {
        "X": rng.normal(size=(ROWS, COLUMNS)),
        "y": Y.copy(),
        "w": 1.0 + np.arange(ROWS) % 2,
        "huge": np.full(ROWS, 1e36),
    }
    before = {name: array.tobytes() for name, array in arrays.items()}
    for array in arrays.values():
        array.flags.writeable = not read_only
    X, y = arrays["X"], arrays["y"]
    for weight in (arrays["w"], arrays["huge"]):
        for solver in ("adam", "lbfgs"):
            MLPClassifier(**SMALL, solver=solver).fit(X, y, weight).predict_proba(X)
        MLPRegressor(**SMALL).fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
        Network([Dense(3, "softmax")], COLUMNS).fit(
            X, y, loss="cross_entropy", label_smoothing=0.1, epochs=2, sample_weight=weight
        )
    Perceptron(max_iter=3).fit(X, y).predict(X)
    assert before == {name: array.tobytes() for name, array in arrays.items()}


# Corrupt indices


def corrupt(kind, how, dtype):
    matrix = kind(sp.csr_matrix(rng.integers(0, 3, (ROWS, COLUMNS)).astype(dtype)))
    matrix.indices, matrix.indptr = matrix.indices.copy(), matrix.indptr.copy()
    if how == "far":
        matrix.indptr[3] = 10**6
    elif how == "end":
        matrix.indptr[-1] = 10**6
    elif how == "negative start":
        matrix.indptr[2] = -5
    elif how == "backwards":
        matrix.indptr[5], matrix.indptr[6] = matrix.indptr[6], matrix.indptr[5] - 1
    elif how == "column":
        matrix.indices[7] = 2**30
    else:
        matrix.indices[7] = -1
    return matrix


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "how", ["far", "end", "negative start", "backwards", "column", "negative column"]
)
def test_corrupt_indices_are_refused(kind, dtype, how):
    good = np.asarray(rng.normal(size=(ROWS, COLUMNS)), dtype)
    model = MLPClassifier(**SMALL).fit(good, Y)
    matrix = corrupt(kind, how, dtype)
    for call in (
        model.predict,
        model.predict_proba,
        model.forward,
        lambda x: model.partial_fit(x, Y),
        lambda x: MLPClassifier(**SMALL).fit(x, Y),
        lambda x: MLPClassifier(**SMALL, early_stopping=True).fit(x, Y),
        lambda x: MLPClassifier(**SMALL, solver="lbfgs").fit(x, Y),
        lambda x: MLPClassifier(**SMALL).fit(good, Y, X_val=x, y_val=Y),
    ):
        with pytest.raises(ValueError, match=r"X has CS[RC] indices out of range"):
            call(matrix)


# Data that somebody changes meanwhile: results are of no use, but nothing outside is touched


@pytest.mark.parametrize("value", [2**30, -(2**30)])
@pytest.mark.parametrize("place", ["indices", "indptr"])
@pytest.mark.parametrize("how", ["changed", "replaced"])
def test_indices_that_change_while_training(value, place, how):
    matrix, _ = untidy()

    def change(end):
        if how == "changed":
            getattr(matrix, place)[:] = value
        else:
            setattr(matrix, place, np.full(3, value, np.int32))
            matrix.data = np.zeros(1)
        return end.epoch == 4

    model = MLPClassifier(**SMALL | {"max_iter": 5}, callbacks=change)
    model.fit(matrix, Y)
    assert model.n_iter_ == 4
    assert np.isfinite(model.coefs_[0]).all()


def test_labels_that_change_while_training():
    y = Y.copy()
    X = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    net = Network([Dense(32, "relu"), Dense(3, "softmax")], COLUMNS, random_state=0)
    done = threading.Event()

    def change():
        while not done.wait(0.002):
            y.fill(rng.choice([2**40, -7, 2**62, 1]))

    for _ in range(20):  # where the change comes before the check, it is refused
        y[:] = Y
        done.clear()
        thread = threading.Thread(target=change)
        thread.start()
        try:
            net.fit(X, y, loss="cross_entropy", epochs=300, batch_size=8)
        except ValueError as error:
            # PT017: the change may come after the check, and then nothing is raised
            assert "t must hold class labels from 0 to 2" in str(error)  # noqa: PT017
        finally:
            done.set()
            thread.join()
    assert np.isfinite(net(X)).all()


def test_rows_that_change_while_predicting():
    matrix, dense = untidy()
    big = sp.vstack([matrix] * 300, format="csr")
    model = MLPClassifier(**SMALL).fit(dense, Y)
    done = threading.Event()

    def change():
        while not done.is_set():
            big.indices.fill(2**29)
            big.indptr.fill(-3)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(20):
            try:
                model.predict_proba(big)
            except ValueError:
                continue
    finally:
        done.set()
        thread.join()


# Every format, and targets as well


def corrupt_in(kind, dense):
    """A matrix of a format whose indices lead outside."""
    matrix = kind(dense)
    if matrix.format == "coo":
        matrix.row[3] = 10**8
    elif matrix.format == "lil":
        matrix.rows[3] = [0, 10**8]
        matrix.data[3] = [1, 1]
    elif matrix.format == "dia":
        matrix.offsets = np.append(matrix.offsets, [1, 2, 3, 4])
    else:
        matrix.indices[3] = 10**8
    return matrix


ALL_FORMATS = [
    sp.csr_matrix,
    sp.csc_array,
    sp.bsr_matrix,
    sp.coo_matrix,
    sp.coo_array,
    sp.lil_matrix,
    sp.dia_array,
]


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_corrupt_inputs_and_targets_of_any_format(kind):
    x = rng.normal(size=(ROWS, COLUMNS))
    t = rng.integers(0, 2, (ROWS, 4))
    t[0] = 1
    wrong_x, wrong_t = corrupt_in(kind, x), corrupt_in(kind, t)
    name = wrong_x.format.upper()
    model = MLPClassifier(**SMALL).fit(x, t)
    net = Network([Dense(4, "logistic")], COLUMNS)
    how = {"loss": "binary_cross_entropy"}
    for argument, call in (
        ("X", lambda: model.predict(wrong_x)),
        ("X", lambda: MLPClassifier(**SMALL).fit(wrong_x, t)),
        ("X", lambda: MLPClassifier(**SMALL).fit(x, t, X_val=wrong_x, y_val=t)),
        ("y", lambda: MLPClassifier(**SMALL).fit(x, wrong_t)),
        ("y", lambda: MLPClassifier(**SMALL).fit(x, t, X_val=x, y_val=wrong_t)),
        ("y", lambda: MLPRegressor(**SMALL).fit(x, wrong_t)),
        ("y", lambda: model.partial_fit(x, wrong_t)),
        ("y", lambda: model.score(x, wrong_t)),
        ("y", lambda: Perceptron(max_iter=2).fit(x, wrong_t)),
        ("t", lambda: net.fit(x, wrong_t, **how)),
        ("t", lambda: net.loss_and_gradients(x, wrong_t, **how)),
    ):
        with pytest.raises(ValueError, match=rf"{argument} has {name} indices out of range"):
            call()


@pytest.mark.parametrize("kind", [*ALL_FORMATS, sp.dok_matrix])
def test_whole_inputs_and_targets_of_any_format(kind):
    x = rng.integers(-2, 3, (ROWS, COLUMNS)).astype(float)
    t = rng.integers(0, 2, (ROWS, 4))
    dense = MLPClassifier(**SMALL).fit(x, t)
    model = MLPClassifier(**SMALL).fit(kind(x), kind(t))
    np.testing.assert_array_equal(model.predict_proba(kind(x)), dense.predict_proba(x))


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.int64])
def test_numbers_in_the_same_place_add_up_as_in_scipy(dtype):
    matrix, _ = untidy(dtype=np.int64)
    matrix.data = (matrix.data * (30 if dtype == np.int8 else 1)).astype(dtype)
    before, dense = parts(matrix), matrix.copy().toarray()
    model = MLPClassifier(**SMALL).fit(matrix, Y)
    same = MLPClassifier(**SMALL).fit(dense, Y)
    np.testing.assert_array_equal(model.predict_proba(matrix), same.predict_proba(dense))
    assert parts(matrix) == before


def test_arrays_with_gaps_and_indices_of_any_type():
    matrix, dense = untidy()
    model = MLPClassifier(**SMALL).fit(dense, Y)
    gaps = untidy()[0]
    gaps.data, gaps.indices, gaps.indptr = matrix.data, matrix.indices, matrix.indptr
    gaps.data = np.repeat(matrix.data, 2)[::2]
    wide = untidy()[0]
    wide.data, wide.indices, wide.indptr = matrix.data, matrix.indices, matrix.indptr.astype("i8")
    for odd in (gaps, wide):
        np.testing.assert_array_equal(model.predict_proba(odd), model.predict_proba(dense))
        np.testing.assert_array_equal(MLPClassifier(**SMALL).fit(odd, Y).coefs_[0], model.coefs_[0])
