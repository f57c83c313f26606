"""What a member of an ensemble is like, and which ones a preset trains."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Recipe:
    """The settings of a network on a table.

    Parameters
    ----------
    numbers : {'bins', 'periodic'}
        How numbers are encoded beside being scaled: piecewise linear [1]_, or by cosines of their
        normal scores whose frequencies are learned.
    bins : int, default=16
        How many, at quantiles.
    waves, sigma : int, float
        How many cosines a number has, and the standard deviation of their first frequencies.
    scale_rate : float, default=20
        How many times longer the steps of the inputs' factors are than those of the weights; a
        factor for each input lets the network turn away from what is noise [2]_.
    hidden : tuple of int, default=(128, 128)
        Units of the hidden layers.
    activation : str, default='relu'
        Theirs.
    dropout, decay, rate : float
        Of the hidden layers; of the weights, decoupled; the learning rate of AdamW.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular
       Deep Learning", NeurIPS 2022.
    .. [2] D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by Default: Strong Pre-Tuned MLPs
       and Boosted Trees on Tabular Data", NeurIPS 2024.
    """

    numbers: str
    bins: int = 16
    waves: int = 16
    sigma: float = 0.1
    scale_rate: float = 20.0
    hidden: tuple[int, ...] = (128, 128)
    activation: str = "relu"
    dropout: float = 0.15
    decay: float = 0.1
    rate: float = 3e-3


BINS = Recipe("bins", activation="silu", rate=5e-3)
SLOW_WAVES = Recipe("periodic", dropout=0.25)
FAST_WAVES = Recipe("periodic", sigma=0.5, scale_rate=10.0, dropout=0.1)


@dataclass(frozen=True)
class Preset:
    """What an ensemble trains: recipes, folds, epochs and patience."""

    recipes: tuple[Recipe, ...]
    folds: int
    epochs: int
    patience: int


PRESETS = {
    "fast": Preset((BINS, FAST_WAVES), 3, 30, 4),
    "balanced": Preset((BINS, SLOW_WAVES, FAST_WAVES), 8, 60, 8),
    "best": Preset(
        (
            BINS,
            SLOW_WAVES,
            FAST_WAVES,
            replace(BINS, activation="relu", bins=48, rate=3e-3),
            replace(BINS, hidden=(256, 256), scale_rate=60.0, dropout=0.3, rate=3e-3),
            replace(FAST_WAVES, activation="silu", sigma=0.3),
        ),
        8,
        100,
        12,
    ),
}
_ROWS_OF_A_HOLD_OUT = 100_000  # from so many rows on, one hold-out is as good as folds
_ROWS_OF_A_FOLD = 10_000  # and above so many, folds are fewer


def folds_for(preset: Preset, n_rows: int) -> int:
    """Return how many folds a table gets; 1 is a hold-out of a fifth."""
    if n_rows >= _ROWS_OF_A_HOLD_OUT:
        return 1
    fewer = preset.folds if n_rows <= 2 * _ROWS_OF_A_FOLD else max(preset.folds // 2, 2)
    return max(1, min(fewer, n_rows // 2))


def batch_for(n_rows: int) -> int:
    """Return the rows of a mini-batch: an epoch has 32 steps and more, but in tiny tables."""
    return int(min(256, max(16, n_rows // 32)))
