"""Predictions of a fitted estimator by chunk, which wait until they are computed; and its score."""

from typing import Any

import dask.array as da
import numpy as np
from dask import delayed
from dask.dataframe.utils import meta_nonempty
from sklearn.base import is_classifier

from fastmlp._dask.rows import RETRIES, Chunks, cut
from fastmlp._dask.scores import score_of, tally


def by_chunk(estimator: Any, method: str, X: Any) -> Any:
    """Return what a method makes of X as a dask array, with a chunk for each of X.

    Raises
    ------
    ValueError
        If the estimator wouldn't take X.
    """
    chunks = Chunks.of("X", X)
    if isinstance(X, da.Array):
        sample = np.ones((1, *X.shape[1:]), X.dtype)
    else:
        sample = meta_nonempty(X._meta)
    like = getattr(estimator, method)(sample)
    model = delayed(estimator, pure=False, traverse=False)
    call = delayed(_call, pure=False)
    lengths: list[float] = [*chunks.lengths] if chunks.lengths else [np.nan] * len(chunks.parts)
    blocks = [
        da.from_delayed(
            call(model, method, part, like[:0]), (length, *like.shape[1:]), meta=like[:0]
        )
        for part, length in zip(chunks.parts, lengths, strict=True)
    ]
    return da.concatenate(blocks, allow_unknown_chunksizes=True)


def _call(estimator: Any, method: str, part: Any, empty: Any) -> Any:
    return getattr(estimator, method)(part) if part.shape[0] else empty


def score(
    client: Any, estimator: Any, X: Any, y: Any, sample_weight: Any, *, n_shards: int
) -> float:
    """Return the accuracy, or R2, of a fitted estimator.

    Raises
    ------
    ValueError
        If an argument is not valid, or the weights are all 0.
    TypeError
        If one is not a collection of dask's.
    """
    parts = cut(client, {"X": X, "y": y, "sample_weight": sample_weight}, n_shards)
    model = delayed(estimator, pure=False, traverse=False)
    counting = [delayed(tally, pure=False)(model, *part) for part in parts]
    tallies = client.gather(client.compute(counting, retries=RETRIES))
    return score_of(tallies, classifies=is_classifier(estimator))
