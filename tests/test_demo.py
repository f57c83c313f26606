"""`python -m fastmlp`: the digits, a person's own table, and tables that are of no use."""

import gzip
import io
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp._demo.demo import main
from fastmlp._demo.reading import read_table
from fastmlp._demo.table import infer_task

pd = pytest.importorskip("pandas")

FEW_EPOCHS = ["--epochs", "3", "--hidden", "8"]
FAST = ["--preset", "fast"]


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
    assert main(["--csv", str(flowers(tmp_path)), "--target", target, *FAST]) == 0
    out = capsys.readouterr().out
    assert f"task: {task}, '{target}'" in out
    assert "45 rows to train on, 15 held out" in out
    assert "  colour: category, 2 distinct, 3" in out
    names = ["fastmlp", "HistGradientBoosting"]
    names.append("most frequent class" if task == "classification" else "mean of the target")
    scores = [out[out.index(f"\n{name}") :].splitlines()[1] for name in names]
    assert all(
        len(score.replace(name, "").split()) >= 3 for name, score in zip(names, scores, strict=True)
    )


def test_options_of_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model"
    arguments = ["--csv", str(flowers(tmp_path)), "--target", "count", "--task", "regression"]
    arguments += ["--no-compare", "--save", str(model), "--time-limit", "30", "--threads", "1"]
    assert main([*arguments, *FAST]) == 0
    captured = capsys.readouterr()
    assert "task: regression" in captured.out
    assert "HistGradientBoosting" not in captured.out
    assert "validation score of the ensemble" in captured.err
    loaded = fastmlp.load(model)
    assert (loaded.time_limit, loaded.n_jobs, loaded.preset) == (30.0, 1, "fast")
    table = pd.read_csv(tmp_path / "table.csv").drop(columns="count")
    assert np.isfinite(loaded.predict(table)).all()


def test_rows_without_target_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = flowers(tmp_path)
    path.write_text(path.read_text() + "1.0,red,,1,1.0\n1.0,red,NA,1,1.0\n")
    assert main(["--csv", str(path), "--target", "kind", *FAST]) == 0
    out = capsys.readouterr().out
    assert "2 rows without a value of 'kind'" in out
    assert "3 classes" in out


def test_a_table_without_a_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "".join(f"{i % 7},{'ab'[i % 2]},{i}\n" for i in range(40)))
    arguments = ["--csv", str(path), "--no-header", "--no-compare", *FAST]
    for target in ("1", "-2"):
        assert main([*arguments, "--target", target]) == 0
        out = capsys.readouterr().out
        assert "30 rows to train on, 10 held out" in out
        assert "task: classification, '1', 2 classes" in out


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_separators(delimiter: str, tmp_path: Path) -> None:
    rows = [
        ["name", "size", "", "note", "day"],
        ['"a, b; c"', "1.5", "0", "x", "2024-02-01"],
        [" d ", "?", "1", "inf", ""],
        ["", "-2e3", "2", "1", "2024-03-01 12:30"],
    ]
    text = "\r\n".join(delimiter.join(row) for row in rows) + "\r\n\r\n"
    path = write(tmp_path, "\ufeff" + text)
    table = read_table(str(path))
    assert list(table) == ["name", "size", "note", "day"]
    assert table["name"].tolist()[0] == "a, b; c"
    assert pd.isna(table["name"][2])
    np.testing.assert_array_equal(table["size"], [1.5, np.nan, -2000.0])
    assert table["note"].tolist() == ["x", "inf", "1"]
    assert table["day"].dtype.kind == "M"
    bare = write(tmp_path, text.split("\r\n", 1)[1])
    assert list(read_table(str(bare), header=False)) == ["0", "1", "2", "3", "4"]


def test_decimal_commas_after_a_semicolon(tmp_path: Path) -> None:
    table = read_table(str(write(tmp_path, "a;b;c\n1,5;x;1\n-2,25;y;2\n")))
    assert table["a"].tolist() == [1.5, -2.25]
    table = read_table(str(write(tmp_path, "a;b\n1.5;x\n-2.25;y\n")))
    assert table["a"].tolist() == [1.5, -2.25]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = "".join(f"{i},Zürich\n" for i in range(5000))  # beyond what is looked at first
    path.write_bytes(("x,größe\n0,a\n" * 1 + rows).encode(encoding))
    table = read_table(str(path))
    assert list(table) == ["x", "größe"]
    assert table["größe"].iloc[-1] == "Zürich"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input(pack, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(pack(b"a;b\n1,5;x\n2,5;y\n"))

    monkeypatch.setattr(sys, "stdin", Stdin)
    table = read_table("-")
    assert table["a"].tolist() == [1.5, 2.5]
    assert table["b"].tolist() == ["x", "y"]


def test_files_by_their_ending_and_parquet(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
    for name in ("table.csv.gz", "table.tsv.bz2", "table.txt.xz"):
        table.to_csv(tmp_path / name, sep="\t", index=False)
        pd.testing.assert_frame_equal(read_table(str(tmp_path / name)), table)
    pytest.importorskip("pyarrow")
    table.to_parquet(tmp_path / "table")
    pd.testing.assert_frame_equal(read_table(str(tmp_path / "table")), table)


def test_row_names_are_left_out(tmp_path: Path) -> None:
    assert list(read_table(str(write(tmp_path, "x,y\nfirst,1,2\nsecond,3,4\n")))) == ["x", "y"]
    assert list(read_table(str(write(tmp_path, ",x,y\nfirst,1,2\nsecond,3,4\n")))) == ["x", "y"]


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"] * 10, "classification"),
        ([True, False] * 10, "classification"),
        (np.arange(100.0) % 20, "classification"),
        (np.arange(105) % 21, "regression"),
        (np.arange(30.0) % 10, "regression"),
        (np.arange(100.0) % 2 + 0.5, "regression"),
    ],
)
def test_infer_task(values, task: str) -> None:
    assert infer_task(pd.Series(values)) == task


ROWS = "".join(f"{i},{i % 2}\n" for i in range(30))


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (None, "y", "cannot read"),
        ("", "y", "is empty"),
        ("\n\n", "y", "is empty"),
        ("x,y\n", "y", "no rows"),
        ("x,y\n" + ROWS, "z", "no column 'z'; there are: x, y. If these are values, add"),
        ("x,y\n" + ROWS, "7", "no column '7'"),
        ("x,y\n1,2\n1,2,3,4\n", "y", "Expected 2 fields in line 3, saw 4"),
        ("x,y\n1,0\n2,1\n", "y", "too few rows: 2 have a value of 'y'"),
        ("x,y\n" + "1,\n" * 30, "y", "too few rows: 0 have a value of 'y'"),
        ("x,y\n" + "1,a\n" * 30, "y", "only one value, a"),
        ("x,y\n" + "1,2.5\n" * 30, "y", "only one value, 2.5"),
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


def test_columns_of_all_kinds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    n = 60
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "number": np.where(rng.random(n) < 0.1, np.inf, rng.normal(size=n)),
            "day": pd.date_range("2024-01-01", periods=n),
            "zoned": pd.date_range("2024-01-01", periods=n, tz="Europe/Berlin"),
            "nullable": pd.array([None if i % 7 == 0 else i for i in range(n)], dtype="Int64"),
            "truth": rng.random(n) > 0.5,
            "empty": np.full(n, np.nan),
            "list": [[i, 2] for i in range(n)],
            "text": [None if i % 5 == 0 else "ab"[i % 2] for i in range(n)],
            "y": [np.inf, *rng.normal(size=n - 1)],
        }
    )
    table.to_parquet(tmp_path / "table")
    for target in ("y", "truth", "text", "nullable"):
        assert main(["--csv", str(tmp_path / "table"), "--target", target, *FAST]) == 0
        assert "\nHistGradientBoosting" in capsys.readouterr().out


def test_fractions_as_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "x,y\n" + "".join(f"{i},{(i % 3 + 1) / 4}\n" for i in range(60)))
    arguments = ["--csv", str(path), "--target", "y", "--task", "classification", *FAST]
    assert main(arguments) == 0
    assert "3 classes" in capsys.readouterr().out


def test_classes_that_are_only_among_the_rows_held_out(tmp_path: Path) -> None:
    rows = [f"{i},k{i // 3 if i > 9 else 100 + i}\n" for i in range(100)]  # ten of one row
    path = write(tmp_path, "x,y\n" + "".join(rows))
    assert main(["--csv", str(path), "--target", "y", *FAST]) == 0


def test_no_folder_to_save_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--csv", str(flowers(tmp_path)), "--target", "kind", "--save"]
    assert main([*arguments, str(tmp_path / "none" / "model")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_class_of_one_row(tmp_path: Path) -> None:
    path = write(tmp_path, "x,y\n1,c\n" + ROWS)
    assert main(["--csv", str(path), "--target", "y", *FAST]) == 0


def test_without_pandas(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert main(["--csv", "table.csv", "--target", "y"]) == 2
    assert "--csv needs pandas: pip install 'fastmlp[tables]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--csv", "table.csv"],
        ["--target", "y"],
        ["--task", "regression"],
        ["--epochs", "0"],
        ["--csv", "table.csv", "--target", "y", "--epochs", "3"],
        ["--csv", "table.csv", "--target", "y", "--time-limit", "nan"],
        ["--save", "model"],
    ],
)
def test_wrong_options_end_with_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "error: " in capsys.readouterr().err
