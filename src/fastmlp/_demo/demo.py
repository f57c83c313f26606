"""The demo: fastmlp trains on digits, or on a table of your own, with others beside it."""

import argparse
import sys
from collections.abc import Callable, Sequence

from fastmlp._demo.digits import run_digits
from fastmlp._demo.results import DataError
from fastmlp._demo.table import run_table

_OF_DIGITS = ("hidden", "epochs")
_OF_TABLES = ("target", "task", "preset", "time_limit", "save")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit status: 0, 2 for unusable input, 130 after Ctrl-C."""
    options = _parse(argv)
    try:
        (run_digits if options.csv is None else run_table)(options)
    except DataError as error:
        print(f"fastmlp: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fastmlp: interrupted", file=sys.stderr)
        return 130
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m fastmlp", description=__doc__)
    table = parser.add_argument_group("a table of your own")
    table.add_argument(
        "--csv",
        metavar="FILE",
        help="text with a header row and any separator, compressed or not, or Parquet; - is the "
        "standard input",
    )
    table.add_argument(
        "--target", metavar="COLUMN", help="the column to predict: its name, or its number from 0"
    )
    table.add_argument(
        "--no-header", dest="header", action="store_false", help="the first row is not a header"
    )
    table.add_argument(
        "--task", choices=["classification", "regression"], help="default: told from the target"
    )
    table.add_argument(
        "--preset", choices=["fast", "balanced", "best"], help="how much is trained: balanced"
    )
    table.add_argument("--time-limit", type=_seconds, metavar="SECONDS", help="for training")
    table.add_argument("--save", metavar="FILE", help="where to save the model")
    digits = parser.add_argument_group("digits")
    digits.add_argument(
        "--hidden", type=_integer(1), nargs="+", metavar="UNITS", help="default: 100"
    )
    digits.add_argument("--epochs", type=_integer(1), help="at most; default: 200")
    both = parser.add_argument_group("both")
    both.add_argument("--seed", type=_integer(0, 2**32 - 1), default=0, help="default: 0")
    both.add_argument("--threads", type=_integer(1), help="default: all that are worth using")
    both.add_argument(
        "--no-compare", dest="compare", action="store_false", help="leave scikit-learn out"
    )
    options = parser.parse_args(argv)
    if options.csv is not None and options.target is None:
        parser.error("--csv needs --target")
    foreign = _OF_TABLES if options.csv is None else _OF_DIGITS
    for name in foreign:
        if getattr(options, name) is not None:
            where = "needs" if options.csv is None else "doesn't go with"
            parser.error(f"--{name.replace('_', '-')} {where} --csv")
    return options


def _integer(low: int, high: int = 2**31 - 1) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer in {low}..{high}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return seconds
