"""The training side of an estimator: from planned network and data to fitted attributes."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from fastmlp._architecture import Architecture, Params, TrainerSettings
from fastmlp._fit_task import FitTask
from fastmlp._lbfgs import Objective, Trace, check_settings, minimize
from fastmlp._records import RecordedEstimator
from fastmlp._schedules import epoch_rates
from fastmlp._scoring import score_hook
from fastmlp._settings import CoreLoss, begin_callbacks, trainer_settings
from fastmlp._threads import resolve_n_jobs
from fastmlp._training import Callbacks, Data, LossRule, non_finite_error, run

if TYPE_CHECKING:
    from fastmlp._core import RunReport, _Trainer

# From the warning to the caller of fit, past scikit-learn's wrapper of it.
_CALLER = 6


class TrainedEstimator(RecordedEstimator, ABC):
    """An estimator that is trained by the core, or by L-BFGS on the core's gradients."""

    n_outputs_: int
    label_smoothing: float = 0.0  # a parameter of the classifier
    _monitor: ClassVar[str]  # the score on a validation set, unless `scoring` says otherwise

    @abstractmethod
    def _core_loss(self) -> CoreLoss:
        """Return the loss that the core minimises."""

    def _stratifies(self) -> bool:
        return False

    def _train(
        self,
        data: Data,
        given: Data | None,
        plan: Architecture,
        start: Params,
        random_state: np.random.RandomState,
        task: FitTask | None,
    ) -> None:
        """Run a new trainer until a stopping rule ends it; `given` is fit's own validation set."""
        validation = given
        if given is None and self.early_stopping:
            data, validation = self._split(data, random_state)
        validated = validation is not None
        seed = int(random_state.randint(2**31 - 1))
        self._draw_mask_seed(random_state)
        rule_settings = settings = self._settings(data, seed, validates=validated)
        by_loss = validated and not self.early_stopping
        if by_loss:
            settings = replace(settings, n_iter_no_change=-1)
        trainer = self._install(plan, start, settings, self._warm_state(settings, given))
        rule = LossRule(trainer, rule_settings)
        hooks = self._hooks(
            lambda: self._snapshot_run(trainer, data, validation), task, validated=validated
        )
        report = run(
            trainer,
            data,
            validation,
            epochs=int(self.max_iter),
            verbose=self.verbose,
            n_threads=resolve_n_jobs(self.n_jobs),
            hooks=[rule, *hooks] if by_loss else hooks,
            rates=self._rates(int(self.max_iter)),
            score=score_hook(self, validation) if settings.monitor == "hook" else None,
        )
        if rule.stops and report["stopped"] == "callback":
            report["stopped"] = rule.event
        self._judge(report)
        self._take_weights()
        self._record(report, data.n_rows, validated=validated)

    def _judge(self, report: "RunReport") -> None:
        """Warn of an end that is not the planned one, or refuse it."""
        if report["stopped"] == "max_epochs":
            report["stopped"] = "max_iter"
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=_CALLER,
            )
        elif report["stopped"] == "non_finite":
            error = non_finite_error(report, "learning_rate_init", self.learning_rate_init)
            if report["best_epoch"] == 0:
                raise error
            warnings.warn(
                f"{error} The weights of the best epoch are kept.",
                ConvergenceWarning,
                stacklevel=_CALLER,
            )

    def _rates(self, epochs: int) -> list[float] | None:
        """Return the rates of the next epochs where the schedule knows them beforehand."""
        return epoch_rates(
            self.learning_rate,
            float(self.learning_rate_init),
            len(self.history_["loss"]),
            epochs,
            int(self.max_iter),
        )

    @abstractmethod
    def _decode(self, t: NDArray[Any]) -> NDArray[Any]:
        """Return the targets of the core as the user gives them."""

    def _draw_mask_seed(self, random_state: np.random.RandomState) -> None:
        """Draw it once in the life of a network, last: the draws before are scikit-learn's."""
        if "_mask_seed" not in self.__dict__:
            self._mask_seed = int(random_state.randint(2**31 - 1))

    def _hooks(
        self,
        snapshot: Callable[[], Self],
        task: FitTask | None = None,
        *,
        validated: bool = False,
    ) -> list[Callbacks | FitTask]:
        """Return what is to be called behind every epoch."""
        hooks: list[Callbacks | FitTask] = []
        if callbacks := begin_callbacks(self.callbacks):
            epochs_before = len(self.history_["loss"])
            hooks.append(Callbacks(callbacks, epochs_before, snapshot, validated=validated))
        if task is not None:
            task.begin(snapshot)
            hooks.append(task)
        return hooks

    def _snapshot_run(self, trainer: "_Trainer", data: Data, validation: Data | None) -> Self:
        network = self._architecture.pack(*self._network.get_params())
        validated = validation is not None
        return self._snapshot(network, trainer.report, data.n_rows, validated=validated)

    def _warm_state(self, settings: TrainerSettings, given: Data | None) -> dict[str, Any] | None:
        """Return what a warm start takes over: scikit-learn's begins with a new optimizer, but its
        stopping rule and the count of the samples go on.

        A validation set given to fit need not be that of the fit before, so its scores don't
        compare with the best one so far.
        """
        if self._trainer is None or self._trainer_settings.monitor != settings.monitor:
            return None
        state = self._trainer.get_state()
        rule = ("no_improvement", "best") if given is None else ()
        return {key: state[key] for key in ("epochs", "rows_seen", *rule)}

    def _train_one_epoch(
        self,
        data: Data,
        plan: Architecture,
        start: Params,
        random_state: np.random.RandomState,
    ) -> None:
        """Train one epoch with the trainer of the previous call where the settings allow it."""
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        trainer = self._resume(data, plan, start, random_state)
        self._draw_mask_seed(random_state)
        report = run(
            trainer,
            data,
            None,
            epochs=1,
            verbose=self.verbose,
            n_threads=resolve_n_jobs(self.n_jobs),
            hooks=self._hooks(lambda: self._snapshot_run(trainer, data, None)),
            rates=self._rates(1),
        )
        if report["stopped"] == "non_finite":
            raise non_finite_error(report, "learning_rate_init", self.learning_rate_init)
        if report["stopped"] != "interrupted":
            report["stopped"] = "partial_fit"
        self._take_weights()
        self._record(report, data.n_rows, validated=False)

    def _resume(
        self,
        data: Data,
        plan: Architecture,
        start: Params,
        random_state: np.random.RandomState,
    ) -> "_Trainer":
        """Return the trainer, or a new one where settings changed.

        When the batch size alone changed, the new one goes on with the state of the old.
        """
        trainer = self._trainer
        if trainer is None or plan != self._architecture:
            seed = int(random_state.randint(2**31 - 1))
            return self._install(plan, start, self._settings(data, seed))
        old = self._trainer_settings
        new = self._settings(data, old.seed)
        if new != old:
            goes_on = replace(new, batch_size=old.batch_size) == old
            return self._install(plan, start, new, trainer.get_state() if goes_on else None)
        if not self._is_packed():
            self._network.set_params(*start)
        return trainer

    def _install(
        self,
        plan: Architecture,
        start: Params,
        settings: TrainerSettings,
        state: dict[str, Any] | None = None,
    ) -> "_Trainer":
        """Make the network, and return its trainer."""
        self._architecture = plan
        self._network = plan.pack(*start)
        self._trainer_settings = settings
        trainer = self._trainer = settings.make(self._network, state)
        return trainer

    def _train_lbfgs(
        self,
        data: Data,
        plan: Architecture,
        start: Params,
        random_state: np.random.RandomState,
        task: FitTask | None,
    ) -> None:
        """Minimise the full-batch objective with L-BFGS."""
        self._draw_mask_seed(random_state)
        check_settings(self, plan)
        loss = self._core_loss()
        objective = Objective(
            plan,
            data,
            loss=loss.name,
            loss_parameter=loss.parameter,
            loss_scale=loss.scale,
            n_threads=resolve_n_jobs(self.n_jobs),
        )
        trace = Trace(objective, start)
        self._architecture = plan
        params, report, final_loss = minimize(
            trace,
            max_iter=int(self.max_iter),
            max_fun=int(self.max_fun),
            tol=float(self.tol),
            verbose=self.verbose,
            hooks=self._hooks(
                lambda: self._snapshot(
                    plan.pack(*trace.params), trace.report("callback"), 0, validated=False
                ),
                task,
            ),
        )
        self._network = plan.pack(*params)
        self._trainer = None
        self._take_weights()
        self._record(report, 0, validated=False)
        self.loss_ = final_loss

    def _settings(self, data: Data, seed: int, *, validates: bool = False) -> TrainerSettings:
        monitor = "loss"
        if validates:  # a function need not be hashable
            scores = {None: self._monitor, "loss": "val_loss"}
            monitor = "hook" if callable(self.scoring) else scores.get(self.scoring, "hook")
        loss = self._core_loss()
        return trainer_settings(self, data.n_rows, loss=loss, monitor=monitor, seed=seed)

    def _split(self, data: Data, random_state: np.random.RandomState) -> tuple[Data, Data]:
        """Set rows aside for early stopping, by the same draws as scikit-learn."""
        parts = train_test_split(
            *(array for array in (data.x, data.t, data.sample_weight) if array is not None),
            random_state=random_state,
            test_size=self.validation_fraction,
            stratify=data.t if self._stratifies() else None,
        )
        training, validation = Data(*parts[::2]), Data(*parts[1::2])
        if validation.n_rows < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        for part in (training, validation):
            if part.sample_weight is not None and not part.sample_weight.any():
                raise ValueError(
                    "Sample weights must contain at least one non-zero number, among the samples "
                    "that early_stopping sets aside and among the rest."
                )
        return training, validation
