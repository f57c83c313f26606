"""Where the displays draw."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def make_axes(name: str, ax: "Axes | None", size: tuple[float, float] | None = None) -> "Axes":
    """Return the axes given, or those of a new figure."""
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(f"{name} needs matplotlib: pip install 'fastmlp[plot]'.") from error
    if ax is None:
        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax
