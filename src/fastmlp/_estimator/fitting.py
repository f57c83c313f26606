"""The training side of an estimator: from planned network and data to fitted attributes."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from fastmlp._checks.arrays import check_sparse
from fastmlp._checks.content import rows_of
from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._checks.warn import warn
from fastmlp._estimator.parameters import CoreLoss, begin_callbacks, trainer_settings
from fastmlp._model.architecture import Architecture, Params, TrainerSettings
from fastmlp._training.lbfgs import Objective, Trace, check_settings, minimize
from fastmlp._training.records import RecordedEstimator
from fastmlp._training.run import Callbacks, Data, non_finite_error, run
from fastmlp._training.schedules import epoch_rates
from fastmlp._training.scoring import score_hook
from fastmlp._training.sklearn_task import FitTask

if TYPE_CHECKING:
    from fastmlp._core import RunReport, _Trainer


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
        settings = self._settings(data, plan, seed, validates=validated)
        trainer = self._install(plan, start, settings, self._warm_state(settings, given, start))

        def snapshot() -> TrainedEstimator:
            return self._snapshot_run(trainer, data, validated=validated)

        report = run(
            trainer,
            data,
            validation,
            epochs=int(self.max_iter),
            verbose=self.verbose,
            n_threads=resolve_n_jobs(self.n_jobs),
            hooks=self._hooks(snapshot, task, validated=validated),
            rate=self._rate(),
            score=score_hook(self, snapshot, validation) if settings.monitor == "hook" else None,
        )
        self._judge(report)
        self._take_network(trainer.copy_network())
        self._record(report, data.n_rows, validated=validated)

    def _judge(self, report: "RunReport") -> None:
        """Warn of an end that is not the planned one, or refuse it."""
        if report["stopped"] == "max_epochs":
            report["stopped"] = "max_iter"
            warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
            )
        elif report["stopped"] == "non_finite":
            error = non_finite_error(report, "learning_rate_init", self.learning_rate_init)
            if report["best_epoch"] == 0:
                raise error
            warn(f"{error} The weights of the best epoch are kept.", ConvergenceWarning)

    def _rate(self) -> Callable[[int], float] | None:
        """Return what gives the rate of an epoch, where the schedule knows it by its number."""
        return epoch_rates(
            self.learning_rate,
            float(self.learning_rate_init),
            len(self.history_["loss"]),
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

    def _snapshot_run(self, trainer: "_Trainer", data: Data, *, validated: bool) -> Self:
        return self._snapshot(
            trainer.copy_network(), trainer.report, data.n_rows, validated=validated
        )

    def _warm_state(
        self, settings: TrainerSettings, given: Data | None, start: Params
    ) -> dict[str, Any] | None:
        """Return what a warm start takes over: scikit-learn's begins with a new optimizer, but its
        stopping rule and the count of the samples go on.

        A validation set given to fit need not be that of the fit before, so its scores don't
        compare with the best one so far; and the weights with that score are those to start from,
        unless others are given.
        """
        if self._trainer is None:
            return None
        before = self._trainer_settings
        scores_compare = given is None and before.monitor == settings.monitor
        names = ["epochs", "rows_seen"]
        if before.watches_score == settings.watches_score and (
            scores_compare or not settings.watches_score
        ):
            names += ["no_improvement", "best"]
        if scores_compare and self._holds(start):
            names += ["kept"]
        state = self._trainer.get_state()
        return {name: state[name] for name in names}

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
            hooks=self._hooks(lambda: self._snapshot_run(trainer, data, validated=False)),
            rate=self._rate(),
            ends_by_interrupt=False,
        )
        if report["stopped"] == "non_finite":
            raise non_finite_error(report, "learning_rate_init", self.learning_rate_init)
        report["stopped"] = "partial_fit"
        self._take_network(trainer.copy_network())
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
            return self._install(plan, start, self._settings(data, plan, seed))
        old = self._trainer_settings
        new = self._settings(data, plan, old.seed)
        goes_on = replace(new, batch_size=old.batch_size) == old
        if new == old and self._is_packed():
            return trainer
        return self._install(plan, start, new, trainer.get_state() if goes_on else None)

    def _install(
        self,
        plan: Architecture,
        start: Params,
        settings: TrainerSettings,
        state: dict[str, Any] | None = None,
    ) -> "_Trainer":
        """Return a trainer of a network of its own: predictions go by the one before."""
        self._architecture = plan
        self._trainer_settings = settings
        trainer = self._trainer = settings.make(plan.pack(*start), state)
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
        self._trainer = None
        self._take_network(plan.pack(*params))
        self._record(report, 0, validated=False)
        if report["stopped"] != "interrupted":  # when there is no time for another pass
            self.loss_ = self._rounded_loss(objective, final_loss)

    def _rounded_loss(self, objective: Objective, found: float) -> float:
        """Return the loss with the weights as they are kept; warn where rounding has changed it."""
        if self._architecture.dtype == "float64":
            return found
        kept = objective.loss_of(self._network)
        if not kept - found <= max(1e-3 * abs(found), float(self.tol)):
            warn(
                f"'lbfgs' found weights with the loss {found:.3g} in float64; in "
                f"dtype={self._architecture.dtype!r} they have {kept:.3g}. Scale inputs and "
                "targets to about unit size, or use dtype='float64'.",
                ConvergenceWarning,
            )
        return kept

    def _settings(
        self, data: Data, plan: Architecture, seed: int, *, validates: bool = False
    ) -> TrainerSettings:
        monitor = "loss"
        if validates:  # a function need not be hashable
            scores = {None: self._monitor, "loss": "val_loss"}
            monitor = "hook" if callable(self.scoring) else scores.get(self.scoring, "hook")
        return trainer_settings(
            self,
            data.n_rows,
            plan.dtype,
            loss=self._core_loss(),
            monitor=monitor,
            stops_by_score=bool(self.early_stopping),
            seed=seed,
        )

    def _split(self, data: Data, random_state: np.random.RandomState) -> tuple[Data, Data]:
        """Set rows aside for early stopping, by the same draws as scikit-learn."""
        x = data.x
        if issparse(x):  # SciPy relies on indices that somebody may be changing
            x = x.copy()
            check_sparse("X", x)
        arrays = [array for array in (x, data.t, data.sample_weight) if array is not None]
        *parts, _, rows = train_test_split(
            *arrays,
            np.arange(data.n_rows),
            random_state=random_state,
            test_size=self.validation_fraction,
            stratify=data.t if self._stratifies() else None,
        )
        training, validation = Data(*parts[::2]), Data(*parts[1::2])
        if data.frame is not None:
            validation = replace(validation, frame=rows_of(data.frame, rows))
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
