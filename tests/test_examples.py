"""Every example runs without a screen, and draws: those of the lecture into a file that bears their
name, those of the gallery for the documentation's pages."""

import runpy
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib import image

EXAMPLES = Path(__file__).parents[1] / "examples"
LECTURE = sorted((EXAMPLES / "lecture").glob("*.py"))
GALLERY = sorted((EXAMPLES / "gallery").glob("*.py"))


def assert_drawn(picture):
    pixels = image.imread(picture)[..., :3]
    assert min(pixels.shape[:2]) > 100
    assert pixels.std() > 0.02, "something is drawn"


def test_there_are_examples():
    assert LECTURE
    assert GALLERY


@pytest.mark.parametrize("script", LECTURE, ids=lambda script: script.stem)
def test_example(script, tmp_path, monkeypatch):
    mpl.use("Agg")
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    pictures = list(tmp_path.glob("*.png"))
    assert script.stem in {picture.stem for picture in pictures}
    for picture in pictures:
        assert_drawn(picture)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("script", GALLERY, ids=lambda script: script.stem)
def test_gallery(script, tmp_path):
    mpl.use("Agg")
    if "import optuna" in script.read_text(encoding="utf-8"):
        pytest.importorskip("optuna")
    try:
        runpy.run_path(str(script), run_name="__main__")
        figures = plt.get_fignums()
        assert figures
        for number in figures:
            plt.figure(number).savefig(tmp_path / f"{number}.png")
            assert_drawn(tmp_path / f"{number}.png")
    finally:
        plt.close("all")
