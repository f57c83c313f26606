"""The rows of blocks as an estimator's network takes them, and those that are set aside of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from fastmlp._blocks.blocks import Blocks, naming, take, take_targets
from fastmlp._blocks.gather import join
from fastmlp._blocks.reading import RowReader
from fastmlp._blocks.survey import Survey
from fastmlp._blocks.windows import Form, Part, Windows, bytes_of, seeded
from fastmlp._checks.arrays import check_range, require
from fastmlp._checks.content import rows_of
from fastmlp._data.rows import Data
from fastmlp._data.weights import check_weights, divisor_of_weights

_SHARE_ASIDE = 4  # of the memory, at most one in so many parts is for what is set aside
_FRAMES_ASIDE = 5  # times as much with frames, which are joined: their parts, and all of it


@dataclass(frozen=True)
class SetAside:
    """The rows of each block that are not trained on: the same share of all, drawn by the seed.

    Parameters
    ----------
    counts : list of int
        The rows of each block.
    share : float
        Of all rows.
    seed : int
        Of the draws.
    """

    counts: Sequence[int]
    share: float
    seed: int

    @cached_property
    def sizes(self) -> list[int]:
        """How many there are of each block."""
        ends = np.floor(self.share * np.cumsum([0, *self.counts])).astype(int)
        return [int(size) for size in np.diff(ends)]

    def of(self, block: int) -> NDArray[np.intp]:
        """Return their places in a block."""
        draws = seeded(self.seed, block)
        rows: NDArray[np.intp] = draws.permutation(self.counts[block])[: self.sizes[block]]
        rows.sort()
        return rows


@dataclass(frozen=True)
class BlockRows:
    """The rows to train on.

    Parameters
    ----------
    blocks : Blocks
        The user's data.
    reader : RowReader
        Whose checks they have to pass; it knows their columns.
    survey : Survey
        What is known of them.
    class_weight : object
        What classes weigh, in dicts; None where they don't.
    dtype : str
        The network's; float64 where it is not known yet.
    divisor : float
        What weights are divided by.
    weight_sum : float
        Of all weights, divided; of as many ones where there are none.
    aside : SetAside or None
        Those that are not trained on.
    aside_bytes : int
        Their size in memory.
    first : Part
        The first row.
    sparse_bytes : int
        What a row of sparse inputs takes, by the first block, the middle one and the last.
    """

    blocks: Blocks
    reader: RowReader
    survey: Survey
    class_weight: Any = None
    dtype: str = "float64"
    divisor: float = 1.0
    weight_sum: float = 0.0
    aside: SetAside | None = None
    aside_bytes: int = 0
    first: Any = None
    sparse_bytes: int = 0

    @classmethod
    def of(
        cls,
        blocks: Blocks,
        reader: RowReader,
        survey: Survey,
        *,
        class_weight: Any = None,
        reset: bool = False,
    ) -> Self:
        """Return all rows; with `reset` the reader learns the columns from the first block."""
        class_weight = survey.class_weight(class_weight)
        rows = cls(blocks, reader, survey, class_weight, weight_sum=survey.n_rows)
        filled = survey.filled
        _, part = rows._whole(filled[0], reset=reset)
        first = _rows_of(part, np.zeros(1, np.intp))
        if not scipy.sparse.issparse(part.x):
            return replace(rows, first=first)
        seen = [part.x, *(rows._whole(filled[place])[1].x for place in (len(filled) // 2, -1))]
        n_bytes, n_rows = sum(map(bytes_of, seen)), sum(x.shape[0] for x in seen)
        return replace(rows, first=first, sparse_bytes=-(-n_bytes // n_rows))

    @property
    def sizes(self) -> list[int]:
        """The number of rows of each block."""
        counts = self.survey.counts
        if self.aside is None:
            return counts
        return [n - held for n, held in zip(counts, self.aside.sizes, strict=True)]

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return sum(self.sizes)

    # Reading

    def read(self, block: int) -> Part:
        """Return the rows of a block that are trained on."""
        part = self._whole(block)[1]
        with naming(block):
            self._check_form(part.x)
        if self.aside is None or not self.aside.sizes[block]:
            return part
        return _rows_of(part, np.delete(np.arange(len(part.t)), self.aside.of(block)))

    def _check_form(self, x: Any) -> None:
        """Refuse inputs that don't fit in windows that were made for the first block's."""
        if scipy.sparse.issparse(x) != bool(self.sparse_bytes):
            raise ValueError("X must be sparse in all blocks or in none.")
        narrow = self._dtype.itemsize < np.dtype(self.dtype).itemsize
        if narrow and not self.sparse_bytes and not np.can_cast(x.dtype, self._dtype):
            raise ValueError(
                f"X has the type {x.dtype}, and in the first block {self._dtype}, which windows "
                "are made for. Give all blocks one type."
            )

    def _whole(self, block: int, *, reset: bool = False) -> tuple[Any, Part]:
        """Return X of a block as it was given, and all its rows."""
        with naming(block):
            X, y, weight = take(self.blocks, block)
            x, y = self.reader.read(X, y, reset=reset)
            expected = self.survey.counts[block]
            if len(y) != expected:
                raise ValueError(f"It had {expected} rows when it was first read; now {len(y)}.")
            t = self.reader.encode(y, self.dtype)
            check_range("X", x, self.dtype)
            return X, Part(x, t, self._weigh(y, weight))

    def _weigh(self, y: NDArray[Any], given: Any) -> NDArray[Any] | None:
        """Return what rows with these targets weigh."""
        weight = check_weights("sample_weight", given, len(y), may_vanish=True)
        if self.class_weight is not None:
            factors = self.survey.factors(self.class_weight, y)
            weight = factors if weight is None else weight * factors
        if weight is None or self.divisor == 1:
            return weight
        scaled: NDArray[Any] = weight.astype(np.float64) / self.divisor
        return scaled

    # Weights

    def weighed(self, dtype: str) -> Self:
        """Return the rows for a network of that type, the largest weight near 1 if it is extreme.

        Raises
        ------
        ValueError
            If the sum of the weights is zero or infinite in this type.
        """
        if not self.weighs:
            return replace(self, dtype=dtype)
        total = largest = 0.0
        for block in self.survey.filled:
            with naming(block):
                y, weight = take_targets(self.blocks, block)
                weight = self._weigh(self.reader.read_targets(y), weight)
            assert weight is not None
            total += float(weight.sum(dtype=np.float64))
            largest = max(largest, float(weight.max()))
        if not largest:
            raise ValueError("Sample weights must contain at least one non-zero number.")
        argument = "sample_weight" if self.survey.weighs else "class_weight"
        divisor = divisor_of_weights(argument, total, largest, dtype)
        return replace(self, dtype=dtype, divisor=divisor, weight_sum=total / divisor)

    @property
    def weighs(self) -> bool:
        """Whether rows have weights."""
        return self.survey.weighs or self.class_weight is not None

    # Validation

    def set_aside(self, fraction: float, seed: int) -> tuple[Self, Data]:
        """Return the rest, and rows of all blocks to validate on, which are then in memory.

        They are the fraction of all, or fewer where a quarter of the memory holds no more.

        Raises
        ------
        ValueError
            If there are too few to validate on, or a part has no weight.
        """
        named = self.reader.named
        copies = _FRAMES_ASIDE if named else 1
        most = self.blocks.memory // (_SHARE_ASIDE * copies * self.row_bytes)
        aside = SetAside(self.survey.counts, min(fraction, most / self.n_rows), seed)
        if sum(aside.sizes) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction', the size of your "
                "dataset or the memory of its blocks."
            )
        held = self._held(aside, named=named)
        rest = self.weight_sum - held.weight_sum()
        weight = held.sample_weight
        if weight is not None and not (weight.any() and rest > 1e-12 * self.weight_sum):
            raise ValueError(
                "Sample weights must contain at least one non-zero number, among the samples that "
                "early_stopping sets aside and among the rest."
            )
        arrays = [each for each in (held.x, held.t, weight, held.frame) if each is not None]
        size = sum(map(bytes_of, arrays))
        return replace(self, aside=aside, aside_bytes=size, weight_sum=rest), held

    def _held(self, aside: SetAside, *, named: bool) -> Data:
        """Return the rows that are set aside, inputs in the network's type."""
        x: Any = []
        if not self.sparse_bytes:
            x = np.empty((sum(aside.sizes), self.first.x.shape[1]), self.dtype)
        parts, frames, filled = [], [], 0
        for block, size in enumerate(aside.sizes):
            if not size:
                continue
            X, part = self._whole(block)
            rows = aside.of(block)
            if self.sparse_bytes:
                x.append(part.x[rows])
            else:
                x[filled : filled + size] = part.x[rows]
            filled += size
            parts.append(_rows_of(replace(part, x=part.t), rows))
            if named:
                with naming(block):
                    require(rows_of(X, rows) is not None, "X has no names, as the others have.")
                frames.append(rows_of(X, rows))
        return Data(
            join(x) if self.sparse_bytes else x,
            np.concatenate([part.t for part in parts]),
            join([part.weight for part in parts]) if self.weighs else None,
            join(frames) if named else None,
        )

    # Memory

    @property
    def row_bytes(self) -> int:
        """What a row takes in a window."""
        size = self.sparse_bytes or self.first.x.shape[1] * self._dtype.itemsize
        return int(size + self.first.t.nbytes + 8 * self.weighs)

    @property
    def _dtype(self) -> np.dtype[Any]:
        """The type of the inputs in windows: small integers stay what they are."""
        own: np.dtype[Any] = self.first.x.dtype
        wanted: np.dtype[Any] = np.dtype(self.dtype)
        return own if own.itemsize < wanted.itemsize else wanted

    @property
    def fits(self) -> bool:
        """Whether all rows fit in half of the memory."""
        return 2 * self.survey.n_rows * self.row_bytes <= self.blocks.memory

    def _window_rows(self) -> int:
        """Return how many rows a window may have."""
        copies = 3 if self.sparse_bytes else 2  # the third is joined out of parts
        each = copies * self.row_bytes + 8  # with a place in the order of one of the windows
        x = self.first.x
        given = max(self.row_bytes, 0 if self.sparse_bytes else x.shape[1] * x.dtype.itemsize)
        fixed = self.aside_bytes + 2 * max(self.survey.counts) * given  # a block as it is checked
        most, largest = (self.blocks.memory - fixed) // each, max(self.sizes)
        if most < largest:
            raise ValueError(
                f"memory={self.blocks.memory} is too little for blocks of {largest} rows of "
                f"{self.row_bytes} bytes: two windows and a block on its way take "
                f"{fixed + largest * each}. Make the blocks smaller, or give them more memory."
            )
        return most

    def windows(self, seed: int, *, shuffles: bool) -> Windows:
        """Return the windows of a run.

        Raises
        ------
        ValueError
            If the memory is too little for the largest block.
        """
        most = self._window_rows()
        form = Form(min(most, self.n_rows), self._dtype, 2 * most * self.sparse_bytes)
        return Windows(self, form=form, seed=seed, shuffles=shuffles)


def _rows_of(part: Part, rows: NDArray[Any]) -> Part:
    weight = None if part.weight is None else part.weight[rows]
    return Part(part.x[rows], part.t[rows], weight)
