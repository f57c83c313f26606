"""Bar charts of a run: the time of every contender as a multiple of fastmlp's, task by task.

One file for each kind of measurement, as PNG and SVG. The axis is logarithmic: bars to the right of
1 are slower than fastmlp.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from results import BASELINE, Result, by_task, label, pooled, step_seconds

TITLES = {
    "train": "Time of a training step",
    "predict": "Time of a prediction",
    "estimator": "Time to predict one row by an estimator's predict or predict_proba",
    "fit": "Time of a whole fit",
}
COLORS = {
    "sklearn": "#e69f00",
    "numpy": "#8c8c8c",
    "torch": "#d55e00",
    "torch_compile": "#a13d00",
    "torch_bf16": "#f2b48a",
    "jax": "#0072b2",
    "onnxruntime": "#009e73",
    "openvino": "#7b5aa6",
}
_BAR, _GAP = 0.15, 0.6  # inches of a bar; bars between two tasks
_WIDTH = 9.0


def save(results: Iterable[Result], folder: Path) -> list[Path]:
    """Draw what there is; return the files, `folder`/KIND.png and .svg."""
    results = pooled(results)
    files = []
    for kind in TITLES:
        if groups := _ratios([r for r in results if r["kind"] == kind]):
            files += save_figure(_draw(groups, TITLES[kind]), folder, kind)
    return files


def save_figure(figure: Any, folder: Path, name: str) -> list[Path]:
    """Write `folder`/NAME.png and .svg; the same data give the same files."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    png, svg = (folder / f"{name}.{suffix}" for suffix in ("png", "svg"))
    figure.savefig(png, dpi=150)
    with matplotlib.rc_context({"svg.hashsalt": "fastmlp"}):
        figure.savefig(svg, metadata={"Date": None})
    return [png, svg]


def _ratios(results: list[Result]) -> dict[str, dict[str, float]]:
    """By task, the time of each peer over fastmlp's; tasks without either are left out."""
    groups = {}
    for task, group in by_task(results).items():
        own = [step_seconds(r) for r in group if r["contender"] == BASELINE]
        # slowest first: of several numbers of threads, the fastest stays
        peers = sorted((r for r in group if r["contender"] != BASELINE), key=step_seconds)[::-1]
        if own and peers:
            times = {r["contender"]: step_seconds(r) / min(own) for r in peers}
            groups[task] = {name: times[name] for name in COLORS if name in times}
    return groups


def _draw(groups: dict[str, dict[str, float]], title: str) -> Any:
    from matplotlib.figure import Figure

    lines = sum(len(group) + _GAP for group in groups.values())
    height = _BAR * lines + 1.3
    figure = Figure((_WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    place, ticks = 0.0, []
    for group in groups.values():
        places = [place + i for i in range(len(group))]
        _bars(axes, places, group)
        ticks.append(place + (len(group) - 1) / 2)
        place += len(group) + _GAP
    axes.set_yticks(ticks, list(groups))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(place - _GAP, -1)  # the first task on top
    _scale(axes, [ratio for group in groups.values() for ratio in group.values()])
    axes.set_xlabel(f"multiple of {BASELINE}'s time (to the right of 1: slower than {BASELINE})")
    figure.suptitle(title)
    _legend(figure, groups)
    return figure


def _bars(axes: Any, places: list[float], group: dict[str, float]) -> None:
    colors = [COLORS[name] for name in group]
    # bars begin at 1, so that they point to the side of the faster
    axes.barh(places, [r - 1 for r in group.values()], height=0.9, left=1, color=colors)
    for y, ratio in zip(places, group.values(), strict=True):
        text = f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2f}" if ratio < 1 else f"{ratio:.1f}"
        side, shift = ("left", 3) if ratio >= 1 else ("right", -3)
        axes.annotate(
            text, (ratio, y), (shift, 0), textcoords="offset points", ha=side, va="center", size=7
        )


def _scale(axes: Any, ratios: list[float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(min(0.8, min(ratios) / 1.3), max(2.0, max(ratios) * 1.4))
    low, high = axes.get_xlim()
    ticks = [m * 10.0**e for e in range(-3, 5) for m in (1, 2, 5)]
    ticks = [t for t in ticks if low <= t <= high]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xticks([], minor=True)
    axes.axvline(1, color="black", linewidth=1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _legend(figure: Any, groups: dict[str, dict[str, float]]) -> None:
    from matplotlib.patches import Patch

    present = [name for name in COLORS if any(name in group for group in groups.values())]
    patches = [Patch(color=COLORS[name], label=label(name)) for name in present]
    figure.legend(
        handles=patches, loc="outside lower center", ncols=min(5, len(patches)), frameon=False
    )
