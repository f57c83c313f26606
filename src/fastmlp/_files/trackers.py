"""Callbacks that tell a tracker of each epoch. Users find them in `fastmlp.callbacks`."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from fastmlp._files.disk import FilePath, check_path
from fastmlp._training.epoch_end import EpochEnd


def _known(end: EpochEnd) -> dict[str, float]:
    """Return what is known of an epoch but its number, by name."""
    return {
        name: value
        for name, value in end.numbers().items()
        if name != "epoch" and value is not None
    }


def _import(package: str, callback: str) -> Any:
    """Return a tracker's package, or raise an ImportError that says how it is installed."""
    try:
        return import_module(package)
    except ImportError as error:
        raise ImportError(f"{callback} needs {package}: pip install {package}.") from error


@dataclass(frozen=True)
class MLflowLogger:
    """Log every epoch to the active run of MLflow.

    Its metrics are the numbers of `EpochEnd` and its metrics by name; its parameters, logged with
    the first epoch of a network, are those of the estimator, but callbacks. Without an active run
    MLflow begins one, as it does for every call of ``mlflow.log_metrics``.

    Parameters
    ----------
    log_params : bool, default=True
        Whether to log the estimator's parameters.

    Raises
    ------
    ImportError
        In a fit, if mlflow is not installed.
    """

    log_params: bool = True

    def begin_fit(self) -> Callable[[EpochEnd], bool]:
        """Begin a fit.

        Returns
        -------
        callback : callable
            What is called with each `EpochEnd` of this fit.

        Raises
        ------
        ImportError
            If mlflow is not installed.
        """
        mlflow = _import("mlflow", "MLflowLogger")

        def log(end: EpochEnd) -> bool:
            if self.log_params and end.epoch == 1:
                params = end.snapshot().get_params(deep=False)
                params.pop("callbacks")
                mlflow.log_params(params)
            mlflow.log_metrics(_known(end), step=end.epoch)
            return False

        return log


@dataclass(frozen=True)
class TensorBoardLogger:
    """Write every epoch to a folder that TensorBoard shows.

    Scalars are the numbers of `EpochEnd` and its metrics by name, at the number of the epoch. Each
    fit writes a file of its own.

    Parameters
    ----------
    log_dir : str, bytes or path-like
        The folder, which is made where it isn't there; one for each run to be compared.

    Raises
    ------
    TypeError
        If `log_dir` is none of them.
    ImportError
        In a fit, if tensorboardX is not installed.
    """

    log_dir: FilePath

    def __post_init__(self) -> None:
        check_path("log_dir", self.log_dir)

    def begin_fit(self) -> "_Writing":
        """Begin a fit.

        Returns
        -------
        callback : callable
            What is called with each `EpochEnd` of this fit.

        Raises
        ------
        ImportError
            If tensorboardX is not installed.
        """
        tensorboard = _import("tensorboardX", "TensorBoardLogger")
        return _Writing(tensorboard.SummaryWriter(os.fsdecode(self.log_dir)))


class _Writing:
    """The file of one fit."""

    def __init__(self, writer: Any) -> None:
        self.writer = writer

    def __call__(self, end: EpochEnd) -> bool:
        """Write the epoch, so that it can be seen at once; training goes on."""
        for name, value in _known(end).items():
            self.writer.add_scalar(name, value, end.epoch)
        self.writer.flush()
        return False

    def end_fit(self) -> None:
        """Close the file."""
        self.writer.close()
