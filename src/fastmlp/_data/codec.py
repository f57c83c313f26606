"""What targets are to a network: the way from a user's y to the core's targets and back."""

from typing import Any, Protocol

from numpy.typing import NDArray


class TargetCodec(Protocol):
    """What was learnt of the targets in the first fit; it never changes."""

    @property
    def n_outputs(self) -> int:
        """The number of outputs that a network for them has."""

    @property
    def stratifies(self) -> bool:
        """Whether a split keeps the shares of the targets."""

    def check(self, y: NDArray[Any], *, announced: Any = None, all_present: bool = False) -> None:
        """Refuse targets that a network for the learnt ones has no outputs for.

        `announced` are the classes given to partial_fit; with `all_present` all must occur.

        Raises
        ------
        ValueError
            If there are any.
        """

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return the core's targets."""

    def encode_plain(self, y: Any, loss: str, dtype: str) -> NDArray[Any] | None:
        """Check and encode targets at once where they are a plain array; None where in doubt.

        `loss` and `dtype` are those of the network.
        """

    def decode(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return targets of the core as the user gives them."""

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes that tell of it."""
