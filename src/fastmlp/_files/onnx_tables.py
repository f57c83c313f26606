"""Ensembles on tables in ONNX: from the raw columns to predictions, step by step as in the core.

Numbers and dates come in as float64, in which they are read; all that follows is float32, as in the
core, up to the sum over the networks.
"""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from fastmlp._data.frames import DATE_PARTS
from fastmlp._data.table import FAR, OTHER, Category, Number, TableReader
from fastmlp._files.onnx_graph import Graph, add_activation
from fastmlp._tabular.encoding import MISSING, Encoding, TargetMeans
from fastmlp._tabular.ensemble import Ensemble
from fastmlp._tabular.member import TableNetwork, layers_of
from fastmlp._tabular.targets import ClassTargets, NumberTargets

if TYPE_CHECKING:
    from onnx import ModelProto

    from fastmlp.tabular import TabularClassifier, TabularRegressor

_OUTPUTS = ("label", "probabilities", "output")
_DAY = 86_400


def write_table(estimator: "TabularClassifier | TabularRegressor") -> "ModelProto":
    """Write an ensemble that nobody changes meanwhile.

    Raises
    ------
    ValueError
        If no column is of use: there would be no input to tell the number of rows.
    """
    check_is_fitted(estimator)
    ensemble, targets = estimator._ensemble, estimator._targets
    reader = ensemble.reader
    if not reader.width:
        raise ValueError("No column was of use in fit: an ONNX model would have no input.")
    names = _input_names(reader)
    g = Graph("float32", [*names.values(), *_OUTPUTS])
    tables = _Tables(g, ensemble, _add_table(g, reader, names))
    total = _add_voters(g, ensemble, tables)
    if isinstance(targets, ClassTargets):
        outputs = _add_classes(g, targets, total)
    elif isinstance(targets, NumberTargets):
        outputs = [_add_numbers(g, targets, total)]
    return g.model(_input_infos(g, reader, names), outputs)


def _input_names(reader: TableReader) -> dict[int, str]:
    """Return the name of the input for each column that is used: the column's, if it can be."""
    sources = {number.source for number in reader.numbers}
    sources |= {category.source for category in reader.categories}
    names: dict[int, str] = {}
    for source in sorted(sources):
        name = reader.columns[source].name
        while not name or name in _OUTPUTS or name in names.values():
            name += "_"
        names[source] = name
    return names


def _input_infos(g: Graph, reader: TableReader, names: dict[int, str]) -> list[Any]:
    dates = {number.source for number in reader.numbers if number.part}
    texts = {category.source for category in reader.categories}
    infos = []
    for source, name in names.items():
        about = "date, as seconds since 1970" if source in dates else "number"
        if source in texts:
            infos.append(g.info(name, np.object_, [1], "text; missing: the empty text"))
        else:
            infos.append(g.info(name, np.float64, [1], f"{about}; missing: NaN"))
    return infos


# The table as it is read


def _add_table(g: Graph, reader: TableReader, names: dict[int, str]) -> str:
    """Add what `TableReader.read` does; NaN is what is missing."""
    columns = []
    if reader.numbers:
        parts: dict[int, dict[str, str]] = {}
        for number in reader.numbers:
            if number.part and number.source not in parts:
                parts[number.source] = _add_date(g, names[number.source])
        raw = [
            parts[number.source][number.part] if number.part else names[number.source]
            for number in reader.numbers
        ]
        columns += _add_numbers_and_scores(g, reader.numbers, _side_by_side(g, raw))
    columns += [_add_codes(g, category, names[category.source]) for category in reader.categories]
    return _side_by_side(g, columns)


def _side_by_side(g: Graph, values: list[str]) -> str:
    return values[0] if len(values) == 1 else g.add("Concat", *values, axis=1)


def _add_date(g: Graph, seconds: str) -> dict[str, str]:
    """Add the parts of a date, by H. Hinnant's "civil_from_days"."""

    def number(value: float) -> str:
        return g.constant(value, np.float64)

    def over(x: str, divisor: float) -> str:
        return g.add("Floor", g.add("Div", x, number(divisor)))

    def times(x: str, factor: float) -> str:
        return g.add("Mul", x, number(factor))

    def plus(x: str, *others: str | float) -> str:
        for other in others:
            x = g.add("Add", x, other if isinstance(other, str) else number(other))
        return x

    def minus(x: str, *others: str) -> str:
        for other in others:
            x = g.add("Sub", x, other)
        return x

    days = over(seconds, _DAY)
    in_day = g.add("Floor", minus(seconds, times(days, _DAY)))
    weekday = plus(days, 3)
    # Years begin in March, so that a leap day is their last; an era has 400 of them.
    day = plus(days, 719_468)
    day_of_era = minus(day, times(over(day, 146_097), 146_097))
    leaps = plus(minus(day_of_era, over(day_of_era, 1460)), over(day_of_era, 36_524))
    year = over(minus(leaps, over(day_of_era, 146_096)), 365)
    day_of_year = plus(
        minus(day_of_era, times(year, 365), over(year, 4)),
        over(year, 100),
    )
    march_month = over(plus(times(day_of_year, 5), 2), 153)
    day_of_month = plus(minus(day_of_year, over(plus(times(march_month, 153), 2), 5)), 1)
    is_early = g.add("Less", march_month, number(10))
    month = plus(march_month, g.add("Where", is_early, number(3), number(-9)))
    weekday = minus(weekday, times(over(weekday, 7), 7))
    hour = g.add("Div", in_day, number(3600))
    return dict(zip(DATE_PARTS, (days, month, day_of_month, weekday, hour), strict=True))


def _add_numbers_and_scores(g: Graph, numbers: list[Number], raw: str) -> list[str]:
    """Add what `Number` does, for all of them at once."""
    middle = g.constant([number.middle for number in numbers], np.float64)
    scale = g.constant([number.scale for number in numbers], np.float64)
    far = [g.constant(end, np.float64) for end in (-FAR, FAR)]
    is_gap = g.add("IsNaN", raw)
    around = g.add("Mul", g.add("Sub", raw, middle), scale)
    present = g.add("Clip", g.add("Where", is_gap, g.constant(0, np.float64), around), *far)
    nan = g.constant(np.nan)
    return [
        g.add("Where", is_gap, nan, g.cast(values, np.float32))
        for values in (present, _add_interpolation(g, numbers, present))
    ]


def _add_interpolation(g: Graph, numbers: list[Number], x: str) -> str:
    """Add the normal scores of numbers: a binary search among the knots, and a line between two."""
    steps = int(max(len(number.knots) for number in numbers)).bit_length()
    width = 2**steps  # more than there are knots: behind them come infinities
    knots = np.full((len(numbers), width), np.inf)
    scores = np.empty((len(numbers), width))
    for j, number in enumerate(numbers):
        knots[j, : len(number.knots)] = number.knots
        scores[j] = number.scores[-1]
        scores[j, : len(number.scores)] = number.scores
    all_knots = g.constant(knots.ravel(), np.float64)
    all_scores = g.constant(scores.ravel(), np.float64)

    def at(values: str, place: str) -> str:
        return g.add("Gather", values, place)

    first = g.constant(np.arange(len(numbers)) * width, np.int64)
    place = g.add("Add", g.cast(g.add("Mul", x, g.constant(0, np.float64)), np.int64), first)
    for step in 2 ** np.arange(steps)[::-1]:
        farther = g.add("Add", place, g.constant(int(step), np.int64))
        is_behind = g.add("LessOrEqual", at(all_knots, farther), x)
        place = g.add("Where", is_behind, farther, place)
    following = g.add("Add", place, g.constant(1, np.int64))
    low, high = at(all_knots, place), at(all_knots, following)
    part = g.add("Div", g.add("Sub", x, low), g.add("Sub", high, low))
    ends = [g.constant(end, np.float64) for end in (0, 1)]
    below, above = at(all_scores, place), at(all_scores, following)
    rise = g.add("Mul", g.add("Clip", part, *ends), g.add("Sub", above, below))
    return g.add("Add", below, rise)


def _add_codes(g: Graph, category: Category, texts: str) -> str:
    """Add the code of each text; the empty one is missing, unless it was a category itself."""
    codes = {"": np.nan} | {key: float(code) for key, code in category.levels.items()}
    return g.look_up(texts, codes, float(OTHER))


# The networks


class _Tables:
    """The table for each fold, with means of targets, and what was made of its columns already."""

    def __init__(self, g: Graph, ensemble: Ensemble, table: str) -> None:
        self._g, self._ensemble, self._table = g, ensemble, table
        self._of_fold: dict[int, tuple[str, str]] = {}
        self._made: dict[tuple[Any, ...], str] = {}

    def of(self, fold: int) -> tuple[str, str]:
        """Return the table of a fold, and the same with 0 where a value is missing."""
        if fold not in self._of_fold:
            g, reader = self._g, self._ensemble.reader
            table = _add_means(g, reader, self._ensemble.means[fold], self._table)
            present = g.add("Where", g.add("IsNaN", table), g.constant(0), table)
            self._of_fold[fold] = table, present
        return self._of_fold[fold]

    def inputs(self, fold: int, kind: str, encodings: list[Encoding]) -> str:
        """Return the inputs that encodings of one kind make, but for cosines: those are learned."""
        key = (fold, kind, *encodings)
        if key not in self._made:
            table, present = self.of(fold)
            self._made[key] = _add_inputs(self._g, kind, encodings, table, present)
        return self._made[key]


def _add_means(g: Graph, reader: TableReader, means: TargetMeans, table: str) -> str:
    """Add the means of targets behind the columns of a table."""
    if not means.columns:
        return table
    sizes = [len(each) for each in means.tables]
    firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]]) - MISSING
    codes = g.add("Gather", table, g.constant(means.columns, np.int64), axis=1)
    coded = g.add("Where", g.add("IsNaN", codes), g.constant(MISSING), codes)
    places = g.add("Add", g.cast(coded, np.int64), g.constant(firsts, np.int64))
    found = g.add("Gather", g.constant(np.concatenate(means.tables)), places, axis=0)
    flat = g.add("Reshape", found, g.constant([0, means.width], np.int64))
    return g.add("Concat", table, flat, axis=1)


def _add_inputs(g: Graph, kind: str, encodings: list[Encoding], table: str, present: str) -> str:
    def gather(values: str, widths: list[int]) -> str:
        columns = np.repeat([encoding.column for encoding in encodings], widths)
        return g.add("Gather", values, g.constant(columns, np.int64), axis=1)

    ones = [1] * len(encodings)
    if kind == "scaled":
        x = gather(present, ones)
        third = g.add("Div", x, g.constant(3))
        root = g.add("Sqrt", g.add("Add", g.add("Mul", third, third), g.constant(1)))
        return g.add("Div", x, root)
    if kind == "missing":
        return g.cast(g.add("IsNaN", gather(table, ones)), np.float32)
    if kind == "one_hot":
        widths = [encoding.codes for encoding in encodings]
        codes = np.concatenate([np.arange(width) for width in widths])
        scales = np.repeat([encoding.scale for encoding in encodings], widths)
        is_code = g.add("Equal", gather(table, widths), g.constant(codes))
        return g.add("Mul", g.cast(is_code, np.float32), g.constant(scales))
    edges = [np.array(encoding.first) for encoding in encodings]
    low = np.concatenate([each[:-1] for each in edges])
    inverse = np.concatenate([1 / np.diff(each) for each in edges])
    x = gather(present, [len(each) - 1 for each in edges])
    part = g.add("Mul", g.add("Sub", x, g.constant(low)), g.constant(inverse))
    return g.add("Clip", part, g.constant(0), g.constant(1))


def _add_cosines(
    g: Graph, encodings: list[Encoding], waves: list[NDArray[Any]], present: str
) -> str:
    """Add ``cos(2 pi (frequency x + phase))``, whole turns taken off before."""
    columns = np.repeat([e.column for e in encodings], [len(e.first) for e in encodings])
    x = g.add("Gather", present, g.constant(columns, np.int64), axis=1)
    turns = g.add("Add", g.add("Mul", x, g.constant(waves[0])), g.constant(waves[1]))
    part = g.add("Sub", turns, g.add("Round", turns))
    return g.add("Cos", g.add("Mul", part, g.constant(2 * np.pi)))


def _add_network(g: Graph, network: TableNetwork, fold: int, tables: _Tables) -> str:
    """Add a network; the factors that it learned for its inputs go into the weights."""
    factors, *waves = network.core.get_encoding()
    coefs, intercepts, _ = network.core.get_params()
    by_kind: dict[str, list[Encoding]] = defaultdict(list)
    for encoding in network.encodings:
        by_kind[encoding.kind].append(encoding)
    x = _side_by_side(
        g,
        [
            _add_cosines(g, encodings, waves, tables.of(fold)[1])
            if kind == "periodic"
            else tables.inputs(fold, kind, encodings)
            for kind, encodings in by_kind.items()
        ],
    )
    order = _places(network.encodings, list(by_kind))
    first = coefs[0] * (factors * network.recipe.scale_rate)[:, None] if len(factors) else coefs[0]
    weights = [first[order], *coefs[1:]]
    layers = layers_of(network.recipe, network.task)
    for w, b, (activation, _) in zip(weights, intercepts, layers, strict=True):
        x = add_activation(g, g.add("Gemm", x, g.constant(w), g.constant(b)), activation)
    return x


def _places(encodings: list[Encoding], kinds: list[str]) -> NDArray[np.intp]:
    """Return where the core has the inputs that are made kind by kind: cosines first."""
    in_core = sorted(range(len(encodings)), key=lambda i: encodings[i].kind != "periodic")
    here = sorted(range(len(encodings)), key=lambda i: kinds.index(encodings[i].kind))
    widths = [encoding.spec().width for encoding in encodings]
    first, begins = 0, {}
    for i in in_core:
        begins[i] = first
        first += widths[i]
    return np.concatenate([begins[i] + np.arange(widths[i]) for i in here])


def _add_voters(g: Graph, ensemble: Ensemble, tables: _Tables) -> str:
    """Add the weighted sum over the networks, of float64."""
    parts = [
        g.add(
            "Mul",
            g.cast(_add_network(g, voter.network, voter.fold, tables), np.float64),
            g.constant(voter.weight, np.float64),
        )
        for voter in ensemble.voters
    ]
    return g.add("Sum", *parts)


# Outputs


def _add_classes(g: Graph, targets: ClassTargets, total: str) -> list[Any]:
    classes = targets.codec.classes
    ends = [g.constant([end], np.int64) for end in (0, len(classes), 1)]
    shares = g.add("Slice", total, *ends)
    whole = g.add("Div", shares, g.add("ReduceSum", shares, ends[2], keepdims=1))
    chosen = g.add("ArgMax", whole, axis=1, keepdims=0)
    label = g.name_labels(chosen, classes)
    return [label, g.name_output(whole, "probabilities", [len(classes)], np.float64)]


def _add_numbers(g: Graph, targets: NumberTargets, total: str) -> Any:
    spread, middle, low, high = (
        g.constant(number, np.float64)
        for number in (targets.spread, targets.middle, targets.low, targets.high)
    )
    y = g.add("Clip", g.add("Add", g.add("Mul", total, spread), middle), low, high)
    return g.name_output(y, "output", [], np.float64)
