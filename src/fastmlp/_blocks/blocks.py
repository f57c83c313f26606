"""What a data set of blocks is to its user."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp._checks.arrays import class_name

MEMORY = 2**30
FOR_FIT = "Blocks are for fit; partial_fit takes one after the other."
OWN_TARGETS = "Blocks hold y and sample_weight: none must be given beside them."


class Blocks(ABC):
    """A data set in blocks of rows, which are read when they are needed.

    `fit` takes one in place of X and y. It reads windows of blocks: while one is trained on, the
    next one is read by another thread, and both together, with what is set aside for
    `early_stopping`, stay within `memory`. A window has blocks from all over the data, in every
    epoch others, and its rows are shuffled; with ``shuffle=False`` all stay in order. What fits in
    half of `memory` is read once, and trained as one array would be, bit for bit.

    A subclass has `__len__` and `__getitem__`, whatever it reads from. A block must be the same
    whenever it is read, by any thread; several fits that share an object may read at once.

    Parameters
    ----------
    memory : int, default=1073741824
        The bytes that a fit may hold of the data. The windows, and with them the bits of a network,
        depend on it.

    Raises
    ------
    ValueError
        If `memory` is not a positive int.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import MLPRegressor
    >>> from fastmlp.data import Blocks
    >>> class Waves(Blocks):
    ...     def __len__(self):
    ...         return 8
    ...
    ...     def __getitem__(self, index):
    ...         X = np.random.default_rng(index).uniform(-3, 3, size=(500, 1))
    ...         return X, np.sin(X).ravel()
    >>> model = MLPRegressor(max_iter=20, random_state=0).fit(Waves())
    """

    # On the class, so that a subclass need not call __init__.
    memory: int = MEMORY

    def __init__(self, *, memory: int = MEMORY) -> None:
        self.memory = check_count("memory", memory)

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of blocks."""

    @abstractmethod
    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return a block.

        Parameters
        ----------
        index : int
            Which one, from 0 on.

        Returns
        -------
        block : tuple of X, y and, where rows have weights, sample_weight
            As `fit` takes them: all blocks with the same columns, and at least one row each.
        """

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """Refuse to be read at once by mistake.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(
            "Blocks are for the fit of estimators, in place of X and y. Anything else takes the "
            "arrays of one block after the other: for X, y in blocks."
        )

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield one block after the other, as many as there are."""
        for index in range(len(self)):
            yield self[index]

    def targets(self, index: int) -> tuple[Any, ...]:
        """Return a block without X: what is learnt of the targets before training needs no more.

        A subclass that can read them alone saves time by saying how.

        Parameters
        ----------
        index : int
            Which block.

        Returns
        -------
        targets : tuple of y and, where rows have weights, sample_weight
            Those of the block.
        """
        return tuple(self[index])[1:]

    def map(self, transform: Callable[[Any], Any]) -> "Blocks":
        """Return the same blocks with other inputs, such as scaled ones.

        Parameters
        ----------
        transform : callable
            Called with the X of a block, whenever one is read; returns what it becomes, with as
            many rows. For example the `transform` of a `StandardScaler` that was fitted by its
            `partial_fit`, block by block.

        Returns
        -------
        blocks : Blocks
            Their own object; they are read from these.

        Raises
        ------
        TypeError
            If `transform` is not callable.
        """
        if not callable(transform):
            raise TypeError(f"transform must be callable; got {class_name(transform)}.")
        return _Mapped(self, transform)


class _Mapped(Blocks):
    def __init__(self, blocks: Blocks, transform: Callable[[Any], Any]) -> None:
        super().__init__(memory=blocks.memory)
        self.blocks, self.transform = blocks, transform

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        X, *rest = self.blocks[index]
        return self.transform(X), *rest

    def targets(self, index: int) -> tuple[Any, ...]:
        return self.blocks.targets(index)


def check_count(argument: str, value: Any) -> int:
    """Return a positive int.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < 1:
        raise ValueError(f"{argument} must be a positive int; got {value!r}.")
    return int(value)


def take(blocks: Blocks, index: int) -> tuple[Any, Any, Any]:
    """Return X, y and the weights, or None, of a block.

    Raises
    ------
    TypeError
        If it is no such tuple.
    """
    found: tuple[Any, Any, Any] = _with_weights(
        blocks[index], 2, f"Block {index} must be a tuple of X, y"
    )
    return found


def take_targets(blocks: Blocks, index: int) -> tuple[Any, Any]:
    """Return y and the weights, or None, of a block.

    Raises
    ------
    TypeError
        If they are no such tuple.
    """
    found: tuple[Any, Any] = _with_weights(
        blocks.targets(index), 1, f"The targets of block {index} must be a tuple of y"
    )
    return found


def _with_weights(found: Any, least: int, expected: str) -> Any:
    if isinstance(found, tuple | list) and len(found) in (least, least + 1):
        return *found, *(None for _ in range(least + 1 - len(found)))
    got = f"{len(found)} items" if isinstance(found, tuple | list) else class_name(found)
    raise TypeError(f"{expected} and, where rows have weights, sample_weight; got {got}.")


@contextmanager
def naming(block: int) -> Iterator[None]:
    """Let errors in the block say which one of the data it was."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"In block {block}: {error}") from error
    except Exception as error:
        error.add_note(f"This was block {block}.")
        raise
