"""`python -m fastmlp`: the digits, a person's own table, and tables that are of no use."""

from pathlib import Path

import numpy as np
import pytest

from fastmlp._demo.data import infer_task, read_table, table_problem
from fastmlp._demo.demo import main

FEW_EPOCHS = ["--epochs", "3", "--hidden", "8"]


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def flowers(folder: Path, n_rows: int = 60) -> Path:
    """A table with numbers, text, missing cells, and targets of every kind."""
    rng = np.random.default_rng(0)
    lines = ["length,colour,kind,count,price"]
    for i in range(n_rows):
        length = "" if i % 10 == 0 else f"{rng.normal(i % 3):.3f}"
        colour = ("red", '"blue, pale"', "")[i % 3]
        lines.append(f"{length},{colour},{'abc'[i % 3]},{i % 2},{i / 7:.3f}")
    return write(folder, "\n".join(lines) + "\n")


def test_digits_are_learned_with_scikit_learn_beside(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--epochs", "20", "--hidden", "32", "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (header,) = (line for line in lines if "accuracy" in line and "epochs" in line)
    rows = [lines[lines.index(header) + i] for i in (1, 2, 3)]
    assert [row.split()[0] for row in rows] == ["fastmlp", "scikit-learn", "most"]
    end_of_score = header.index("accuracy") + len("accuracy")
    ours, theirs, baseline = (float(row[:end_of_score].split()[-1]) for row in rows)
    assert min(ours, theirs) > 0.8
    assert baseline < 0.2
    assert lines[-1].startswith("Time per epoch in this run, scikit-learn / fastmlp: ")


def test_no_compare_leaves_scikit_learn_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--no-compare", *FEW_EPOCHS]) == 0
    assert "scikit-learn" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "task"),
    [("kind", "classification"), ("count", "classification"), ("price", "regression")],
)
def test_own_table(
    target: str, task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--csv", str(flowers(tmp_path)), "--target", target, *FEW_EPOCHS]) == 0
    out = capsys.readouterr().out
    assert f"task: {task}" in out
    assert "45 rows to train on, 15 held out" in out
    assert ("most frequent class" if task == "classification" else "mean of the target") in out


def test_task_can_be_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--csv", str(flowers(tmp_path)), "--target", "count", "--task", "regression"]
    assert main([*arguments, *FEW_EPOCHS]) == 0
    assert "task: regression" in capsys.readouterr().out


def test_rows_without_target_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = flowers(tmp_path)
    path.write_text(path.read_text() + "1.0,red,,1,1.0\n1.0,red,NA,1,1.0\n")
    assert main(["--csv", str(path), "--target", "kind", *FEW_EPOCHS]) == 0
    out = capsys.readouterr().out
    assert "2 rows without a value of 'kind'" in out
    assert "3 classes" in out


def test_features_are_encoded_from_the_training_rows(tmp_path: Path) -> None:
    lines = [f"{i},{'rare' if i == 0 else 'often'},{i % 2}" for i in range(40)]
    path = write(tmp_path, "\n".join(["x,word,y", *lines]))
    problems = [table_problem(path, "y", None, seed) for seed in range(20)]
    widths = {problem.x_train.shape[1] for problem in problems}
    assert widths == {2, 3}, "the rare word has a column only where it is in the training rows"
    for problem in problems:
        assert problem.x_train.dtype == problem.x_test.dtype == np.float32
        assert problem.x_train.shape[1] == problem.x_test.shape[1]
        np.testing.assert_allclose(problem.x_train[:, 0].mean(), 0, atol=1e-6)
        np.testing.assert_allclose(problem.x_train[:, 0].std(), 1, rtol=1e-6)
        assert np.bincount(problem.y_test).tolist() == [5, 5]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_read_table(delimiter: str, tmp_path: Path) -> None:
    rows = [
        ["name", "size", "", "note"],
        ['"a, b; c"', "1.5", "0", "x"],
        [" d ", "?", "1", "inf"],
        ["", "-2e3", "2", "1"],
    ]
    text = "\ufeff" + "\r\n".join(delimiter.join(row) for row in rows) + "\r\n\r\n"
    table = read_table(write(tmp_path, text))
    assert list(table) == ["name", "size", "note"]
    assert table["name"].tolist() == ["a, b; c", "d", ""]
    np.testing.assert_array_equal(table["size"], [1.5, np.nan, -2000.0])
    assert table["note"].tolist() == ["x", "inf", "1"]


def test_decimal_commas_after_a_semicolon(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a;b\n1,5;x\n-2,25;y\n"))
    assert table["a"].tolist() == [1.5, -2.25]


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (np.array(["a", "b"] * 10, dtype=object), "classification"),
        (np.arange(100.0) % 20, "classification"),
        (np.arange(105.0) % 21, "regression"),
        (np.arange(30.0) % 10, "regression"),
        (np.arange(100.0) % 2 + 0.5, "regression"),
    ],
)
def test_infer_task(values: np.ndarray, task: str) -> None:
    assert infer_task(values) == task


ROWS = "".join(f"{i},{i % 2}\n" for i in range(30))


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (None, "y", "cannot read"),
        ("", "y", "is empty"),
        ("\n\n", "y", "is empty"),
        ("x,y\n", "y", "no rows"),
        ("x,y\n" + ROWS, "z", "has no column 'z'; its columns are: x, y"),
        ("x,x\n" + ROWS, "x", "more than one column 'x'"),
        ("x,y\n1,2,3\n", "y", "line 2: 3 fields, but the header has 2"),
        ("x,y\n1,0\n2,1\n", "y", "too few rows: 2 have a value of 'y'"),
        ("x,y\n" + "1,\n" * 30, "y", "too few rows: 0 have a value of 'y'"),
        ("x,y\n" + "1,a\n" * 30, "y", "only one value, a"),
        ("x,y\n" + "1,2.5\n" * 30, "y", "only one value, 2.5"),
        ("x,y\n1,c\n" + ROWS, "y", "class c of the target 'y' has only one row"),
        ("y\n" + "a\nb\n" * 15, "y", "no column besides the target"),
    ],
)
def test_unusable_table_is_told_in_one_line(
    text: str | None,
    target: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "missing.csv" if text is None else write(tmp_path, text)
    assert main(["--csv", str(path), "--target", target]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("fastmlp: error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_text_cannot_be_a_regression(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--csv", str(flowers(tmp_path)), "--target", "kind", "--task", "regression"]
    assert main(arguments) == 2
    assert "'kind' is text" in capsys.readouterr().err


def test_bytes_that_are_not_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"x,y\n\xff\xfe,1\n")
    assert main(["--csv", str(path), "--target", "y"]) == 2
    assert "not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["--csv", "table.csv"], ["--target", "y"], ["--task", "regression"], ["--epochs", "0"]],
)
def test_wrong_options_end_with_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "error: " in capsys.readouterr().err
