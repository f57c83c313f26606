"""How the cost of a step grows: `python benchmarks/scaling.py --chart DIR`.

One quantity of a network grows, width, depth, batch or rows, while the others stay; see `GROWTH` in
`tasks.py`. Prints the tables of `run.py` and draws a panel for each quantity, with the limit of the
machine, whose rule is in `limits.py`, as a dashed line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import limits
import machine
from chart import COLORS, save_figure
from contenders import NAMES
from report import tables
from results import Result, best_peak, label, pooled, saved_form, step_seconds
from run import Arena
from tasks import GROWTH, SCALING

_FASTMLP = "black"


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """Draw microseconds per step over each quantity; return the files."""
    from matplotlib.figure import Figure

    results = pooled(results)
    peak = best_peak(results)
    grown = [q for q in GROWTH if any(r["task"].startswith(f"{q} ") for r in results)]
    figure = Figure((4.2 * min(2, len(grown)), 3.4 * -(-len(grown) // 2)), layout="constrained")
    panels = figure.subplots(-(-len(grown) // 2), min(2, len(grown)), squeeze=False).ravel()
    for axes, quantity in zip(panels, grown, strict=False):
        _panel(axes, quantity, results, peak)
    for axes in panels[len(grown) :]:
        axes.remove()
    panels[0].legend(frameon=False, fontsize="small")
    return save_figure(figure, folder, "scaling")


def _panel(axes: Any, quantity: str, results: list[Result], peak: dict[str, float]) -> None:
    mine = [r for r in results if r["task"].startswith(f"{quantity} ")]
    for contender in dict.fromkeys(r["contender"] for r in mine):
        curve = {_value(r): 1e6 * step_seconds(r) for r in mine if r["contender"] == contender}
        color = COLORS.get(contender, _FASTMLP)
        axes.plot(list(curve), list(curve.values()), ".-", color=color, label=label(contender))
    if peak:
        least = {_value(r): 1e6 * (limits.seconds(r, peak) or 0.0) for r in mine}
        axes.plot(list(least), list(least.values()), "--", color="gray", label="limit")
    axes.set_xscale("log")
    axes.set_yscale("log")
    values = sorted({_value(r) for r in mine})
    axes.set_xticks(values, [f"{value:,}" for value in values], fontsize="small")
    axes.set_xticks([], minor=True)
    axes.yaxis.set_minor_formatter("")
    axes.set_xlabel(quantity)
    axes.set_ylabel("µs per step")
    axes.grid(alpha=0.3)


def _value(result: Result) -> int:
    return int(result["task"].split()[1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure, print the tables, save samples and the picture."""
    parser = argparse.ArgumentParser(description="Measure how the cost of a step grows.")
    add = parser.add_argument
    add("--quantities", nargs="+", default=list(GROWTH), choices=list(GROWTH))
    add("--at-most", type=int, help="leave out larger values")
    add("--contenders", nargs="+", default=["fastmlp"], choices=NAMES)
    add("--rounds", type=int, default=5)
    add("--threads", type=int, help="of every contender; by default its best")
    add("--json", type=Path, help="where to save all samples")
    add("--chart", type=Path, metavar="DIR", help="where to save the picture as PNG and SVG")
    options = parser.parse_args(arguments)
    chosen = [
        name
        for name in SCALING
        if name.split()[0] in options.quantities
        and (options.at_most is None or int(name.split()[1]) <= options.at_most)
    ]
    with Arena(options.contenders, options.threads) as arena:
        results = [r for more in arena.run(chosen, options.rounds) for r in more]
    print(tables(results))
    if options.json:
        options.json.write_text(json.dumps(saved_form(results, machine.describe()), indent=1))
    if options.chart:
        draw(results, options.chart)


if __name__ == "__main__":
    main()
