"""The arguments of a trainer of the core.

They live below `fastmlp._training`, which makes them, because a `Model` keeps them beside its
trainer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import ismethod
from typing import TYPE_CHECKING, Any

from fastmlp import _core

if TYPE_CHECKING:
    from fastmlp._core import _Network, _Trainer


@dataclass(frozen=True, eq=False)
class OwnLoss:
    """A function of the user's as loss: the same where it is the same object.

    Its own `==` may compare arrays.
    """

    function: Callable[..., Any]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OwnLoss):
            return NotImplemented
        a, b = self.function, other.function
        if ismethod(a) and ismethod(b):  # made anew whenever it is asked for
            return a.__self__ is b.__self__ and a.__func__ is b.__func__
        return a is b


@dataclass(frozen=True)
class TrainerSettings:
    """The arguments of a trainer of the core: compared to decide whether one can go on."""

    loss: str
    optimizer: str
    hyperparameters: dict[str, float]
    rate: float
    batch_size: int
    seed: int
    monitor: str = "loss"
    stops_by_score: bool = True
    own_loss: OwnLoss | None = None
    others: dict[str, Any] = field(default_factory=dict)  # as the core's catalog names them

    @property
    def watches_score(self) -> bool:
        """Whether the stopping rule looks at a score, and not at the training loss."""
        return self.monitor != "loss" and self.stops_by_score

    def state(self) -> dict[str, Any]:
        """Return the arguments in plain types, but a function of the user's."""
        own_loss = None if self.own_loss is None else self.own_loss.function
        return vars(self) | {"own_loss": own_loss}

    @classmethod
    def restored(cls, own_loss: Callable[..., Any] | None, **others: Any) -> "TrainerSettings":
        """Make the settings of a `state` again."""
        return cls(own_loss=None if own_loss is None else OwnLoss(own_loss), **others)

    def make(self, network: "_Network", state: dict[str, Any] | None = None) -> "_Trainer":
        """Make the trainer of `network`, going on from `state` if given."""
        kind = (
            _core.TrainerFloat32
            if isinstance(network, _core.NetworkFloat32)
            else _core.TrainerFloat64
        )
        arguments = vars(self) | self.others
        del arguments["others"]
        # The core holds no function between runs, for a cycle through it could not be collected.
        arguments["own_loss"] = self.own_loss is not None
        trainer = kind(network, **arguments)
        if state is not None:
            trainer.set_state(state)
        return trainer
