"""Every example runs without a screen, and writes the picture that bears its name."""

import runpy
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib import image

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").rglob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.stem)
def test_example(script, tmp_path, monkeypatch):
    mpl.use("Agg")
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    pictures = list(tmp_path.glob("*.png"))
    assert script.stem in {picture.stem for picture in pictures}
    for picture in pictures:
        pixels = image.imread(picture)[..., :3]
        assert min(pixels.shape[:2]) > 200
        assert pixels.std() > 0.02, "something is drawn"
