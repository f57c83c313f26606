"""The ways to train the network of an estimator: by steps, one epoch of them, or by L-BFGS."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from fastmlp._checks.arrays import NonFiniteError, require
from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._checks.warn import warn
from fastmlp._data.codec import TargetCodec
from fastmlp._data.rows import Data
from fastmlp._data.split import split_rows
from fastmlp._estimator.parameters import plain_values
from fastmlp._model.architecture import Architecture, Params
from fastmlp._model.exclusive import as_it_is
from fastmlp._model.model import Model
from fastmlp._model.settings import TrainerSettings
from fastmlp._processes.group import Alone
from fastmlp._training.evaluation import Evaluation
from fastmlp._training.hooks import Callbacks, Hook, begin_callbacks
from fastmlp._training.lbfgs import Objective, Trace, check_settings, minimize
from fastmlp._training.record import History, Record
from fastmlp._training.resuming import Begun, Resumption
from fastmlp._training.run import non_finite_error, run
from fastmlp._training.schedules import epoch_rates
from fastmlp._training.scoring import Score
from fastmlp._training.settings import trainer_settings
from fastmlp._training.sklearn_task import TRANSIENT, FitTask

if TYPE_CHECKING:
    from fastmlp._core import EpochReport, RunReport


_NOT_RESUMED = (
    "A snapshot is only resumable in fit, with a first-order solver, and not in a warm start. A "
    "pickle keeps what partial_fit goes on with."
)


@dataclass(frozen=True)
class Training:
    """What the training of an estimator begins with; each way returns what comes of it.

    Parameters
    ----------
    estimator : BaseMLP
        Whose parameters count; it is not changed.
    codec : TargetCodec
        What the targets are.
    plan : Architecture
        The network.
    start : Params
        The weights to start from.
    random_state : RandomState
        What seeds are drawn from.
    before : Model or None
        The model that a warm start or partial_fit goes on with.
    record : Record
        What is known of the training before.
    task : FitTask or None
        The call as scikit-learn's callbacks see it.
    groups : ndarray or None
        The group of each sample; no split divides one.
    begun : Begun
        What was trained of this fit before it was cut off.
    generator : dict
        The state of `random_state` at the beginning, for whoever wants to resume the fit.
    group : Alone
        The processes that train together.
    """

    estimator: Any
    codec: TargetCodec
    plan: Architecture
    start: Params
    random_state: np.random.RandomState
    before: Model | None
    record: Record
    task: FitTask | None
    groups: NDArray[Any] | None
    begun: Begun
    generator: dict[str, Any]
    group: Alone

    def by_steps(self, data: Data, sets: Mapping[str, Data]) -> tuple[Model, Record]:
        """Run a new trainer until a stopping rule ends it; the first of the `sets` is for that."""
        estimator, begun = self.estimator, self.begun
        given = bool(sets)
        if not given and estimator.early_stopping:
            data, held = self._split(data)
            sets = {"val": held.gathered()}
        validation = next(iter(sets.values()), None)
        validated = validation is not None
        seed, mask_seed = self._draw_seed(), self._draw_mask_seed()
        settings = self._settings(data, seed, validates=validated)
        windows = data.streamed and data.streamed.windows(seed, shuffles=bool(estimator.shuffle))
        start, state = self.start, self._warm_state(settings, given)
        finished = begun.finished(
            int(estimator.max_iter), estimator.n_iter_no_change, settings.others["schedule"]
        )
        if begun:
            state = begun.state(self.plan, self.codec, data.n_rows, validated=validated)
            start = state.pop("kept_params", begun.params) if finished else begun.params
        model = Model.to_train(self.plan, start, settings, state, mask_seed)
        assert model.trainer is not None
        trainer = model.trainer

        def snapshot(*, resumable: bool = False) -> Any:
            report = begun.joined(trainer.report)
            metrics = evaluation.columns_of(report)
            copy = self._snapshot(model.trained(), report, data.n_rows, validated, metrics)
            if resumable:
                require(self.before is None, _NOT_RESUMED)
                copy._resumption = Resumption.of(
                    trainer.get_state(), self.generator, self.plan.dtype
                )
            return copy

        loss = estimator._core_loss(self.codec)
        evaluation = Evaluation(
            estimator, sets, loss=loss, codec=self.codec, snapshot=snapshot, begun=begun
        )
        if finished:
            report = begun.report(finished)
            self._judge(report)
            metrics = evaluation.columns_of(report)
            return model.trained(), self._record(report, data.n_rows, validated, metrics)
        score = None
        if settings.monitor == "hook":
            assert validation is not None
            scored = Score("scoring", estimator.scoring, estimator, validation, self.codec)
            score = self._led(scored.of(snapshot))
        with self._hooks(snapshot, evaluation, validated=validated) as hooks:
            report = run(
                trainer,
                data,
                validation,
                epochs=int(estimator.max_iter) - begun.n_epochs,
                verbose=estimator.verbose if self.group.leads else 0,
                n_threads=resolve_n_jobs(estimator.n_jobs),
                hooks=hooks,
                rate=self._rate(begun.n_epochs),
                own_loss=loss.own,
                windows=windows,
                score=score,
                epochs_before=begun.n_epochs,
            )
        report = begun.joined(report)
        self._judge(report)
        metrics = evaluation.columns_of(report)
        return model.trained(), self._record(report, data.n_rows, validated, metrics)

    def _split(self, data: Data) -> tuple[Data, Data]:
        """Return the samples to train on and those that early stopping looks at."""
        estimator = self.estimator
        if data.streamed is not None:
            seed = self._draw_seed()
            rest, held = data.streamed.set_aside(estimator.validation_fraction, seed)
            return replace(data, streamed=rest), held
        return split_rows(
            data,
            estimator.validation_fraction,
            self.random_state,
            stratifies=self.codec.stratifies,
            groups=self.groups,
        )

    def one_epoch(self, data: Data) -> tuple[Model, Record]:
        """Train one epoch with the trainer of the previous call where the settings allow it."""
        estimator = self.estimator
        if estimator.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        model = self._resumed(data)
        assert model.trainer is not None
        trainer = model.trainer

        def snapshot(*, resumable: bool = False) -> Any:
            require(not resumable, _NOT_RESUMED)
            return self._snapshot(model.trained(), trainer.report, data.n_rows)

        with self._hooks(snapshot) as hooks:
            report = run(
                trainer,
                data,
                None,
                epochs=1,
                verbose=estimator.verbose if self.group.leads else 0,
                n_threads=resolve_n_jobs(estimator.n_jobs),
                hooks=hooks,
                rate=self._rate(),
                own_loss=estimator.loss if callable(estimator.loss) else None,
                ends_by_interrupt=False,
            )
        if report["stopped"] == "non_finite":
            raise self._non_finite_error(report)
        report["stopped"] = "partial_fit"
        trained = replace(model.trained(), made_with=plain_values(estimator))
        return trained, self._record(report, data.n_rows)

    def _resumed(self, data: Data) -> Model:
        """Return the model of before with its trainer, or a new one where settings changed.

        When the batch size alone changed, the new one goes on with the state of the old.
        """
        model, start = self.before, self.start
        if model is None or model.trainer is None or self.plan != model.architecture:
            settings = self._settings(data, self._draw_seed())
            return Model.to_train(self.plan, start, settings, mask_seed=self._draw_mask_seed())
        assert model.settings is not None
        old = model.settings
        new = self._settings(data, old.seed)
        if new == old and model.holds(*start):
            return model
        goes_on = replace(new, batch_size=old.batch_size) == old
        state = model.trainer.get_state() if goes_on else None
        return Model.to_train(self.plan, start, new, state, self._draw_mask_seed())

    def by_lbfgs(self, data: Data) -> tuple[Model, Record]:
        """Minimise the full-batch objective with L-BFGS."""
        estimator, plan = self.estimator, self.plan
        mask_seed = self._draw_mask_seed()
        check_settings(estimator, plan)
        objective = Objective(
            plan,
            data,
            loss=estimator._core_loss(self.codec),
            n_threads=resolve_n_jobs(estimator.n_jobs),
            windows=data.streamed and data.streamed.windows(0, shuffles=False),
        )
        trace = Trace(objective, self.start)

        def snapshot(*, resumable: bool = False) -> Any:
            require(not resumable, _NOT_RESUMED)
            model = Model.of(plan, trace.params, mask_seed)
            return self._snapshot(model, trace.report("callback"), 0)

        with self._hooks(snapshot) as hooks, objective.windows or nullcontext():
            params, report, loss_found = minimize(
                trace,
                max_iter=int(estimator.max_iter),
                max_fun=int(estimator.max_fun),
                tol=float(estimator.tol),
                verbose=estimator.verbose if self.group.leads else 0,
                hooks=hooks,
            )
            model, record = Model.of(plan, params, mask_seed), self._record(report, 0)
            if report["stopped"] != "interrupted":  # when there is no time for another pass
                record = replace(record, loss=self._rounded_loss(model, objective, loss_found))
        return model, record

    def _rounded_loss(self, model: Model, objective: Objective, found: float) -> float:
        """Return the loss with the weights as they are kept; warn where rounding has changed it."""
        dtype = self.plan.dtype
        if dtype == "float64":
            return found
        kept = objective.loss_of(model.network)
        if not kept - found <= max(1e-3 * abs(found), float(self.estimator.tol)):
            warn(
                f"'lbfgs' found weights with the loss {found:.3g} in float64; in "
                f"dtype={dtype!r} they have {kept:.3g}. Scale inputs and "
                "targets to about unit size, or use dtype='float64'.",
                ConvergenceWarning,
            )
        return kept

    # What a run needs

    def _draw_seed(self) -> int:
        return int(self.random_state.randint(2**31 - 1))

    def _draw_mask_seed(self) -> int:
        """Draw it once in the life of a network, last: the draws before are scikit-learn's."""
        return self._draw_seed() if self.before is None else self.before.mask_seed

    def _settings(self, data: Data, seed: int, *, validates: bool = False) -> TrainerSettings:
        estimator = self.estimator
        monitor = "loss"
        if validates:  # a function need not be hashable
            scores = {None: estimator._monitor(self.codec), "loss": "val_loss"}
            scoring = estimator.scoring
            monitor = "hook" if callable(scoring) else scores.get(scoring, "hook")
        return trainer_settings(
            estimator,
            data.n_rows,
            self.plan.dtype,
            loss=estimator._core_loss(self.codec),
            monitor=monitor,
            stops_by_score=bool(estimator.early_stopping),
            seed=seed,
        )

    def _warm_state(self, settings: TrainerSettings, given: bool) -> dict[str, Any] | None:
        """Return what a warm start takes over: scikit-learn's begins with a new optimizer, but its
        stopping rule and the count of the samples go on.

        A validation set `given` to fit need not be that of the fit before, so its scores don't
        compare with the best one so far; and the weights with that score are those to start from,
        unless others are given.
        """
        model = self.before
        if model is None or model.trainer is None:
            return None
        assert model.settings is not None
        before = model.settings
        scores_compare = not given and before.monitor == settings.monitor
        names = ["epochs", "rows_seen"]
        if before.watches_score == settings.watches_score and (
            scores_compare or not settings.watches_score
        ):
            names += ["no_improvement", "best"]
        if scores_compare and model.holds(*self.start):
            names += ["kept"]
        state = model.trainer.get_state()
        return {name: state[name] for name in names}

    def _rate(self, n_begun: int = 0) -> Callable[[int], float] | None:
        """Return what gives the rate of an epoch, where the schedule knows it by its number."""
        estimator = self.estimator
        rates = epoch_rates(
            estimator.learning_rate,
            float(estimator.learning_rate_init),
            self.record.log.n_epochs + n_begun,
            int(estimator.max_iter),
        )
        return None if rates is None else self._led(rates)

    def _led(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Let all processes have what the first one gets of each call."""
        return partial(self._lead, call) if self.group.size > 1 else call

    def _lead(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return self.group.lead(lambda: call(*arguments))

    @contextmanager
    def _hooks(
        self,
        snapshot: Callable[..., Any],
        evaluation: Evaluation | None = None,
        *,
        validated: bool = False,
    ) -> Iterator[list[Hook]]:
        """Give what is to be called after every epoch, and end it with the fit."""
        stack = ExitStack()
        users: list[Hook] = []
        try:
            with self.group.together():
                if self.group.leads:
                    users = self._users_hooks(snapshot, evaluation, stack, validated=validated)
            if self.group.size > 1:  # the others don't know whether there is any
                users = [self._led(lambda report, led=users: any([hook(report) for hook in led]))]
            yield [partial(self._measure, evaluation), *users] if evaluation else users
        finally:
            with self.group.together():
                stack.close()

    def _measure(self, evaluation: Evaluation, report: "EpochReport") -> bool:
        with self.group.together():
            return evaluation(report)

    def _users_hooks(
        self,
        snapshot: Callable[..., Any],
        evaluation: Evaluation | None,
        stack: ExitStack,
        *,
        validated: bool,
    ) -> list[Hook]:
        """Return what the user wants to have called."""
        hooks: list[Hook] = []
        if callbacks := begin_callbacks(self.estimator.callbacks, stack):
            hooks.append(
                Callbacks(
                    callbacks,
                    self.record.log.n_epochs,
                    snapshot,
                    validated=validated,
                    metrics=evaluation.latest if evaluation else dict,
                )
            )
        if self.task is not None:
            self.task.begin(snapshot)
            hooks.append(self.task)
        return hooks

    # Record

    def _judge(self, report: "RunReport") -> None:
        """Warn of an end that is not the planned one, or refuse it."""
        estimator = self.estimator
        if report["stopped"] == "max_epochs":
            report["stopped"] = "max_iter"
            warn(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
            )
        elif report["stopped"] == "non_finite":
            error = self._non_finite_error(report)
            if report["best_epoch"] == 0:
                raise error
            warn(f"{error} The weights of the best epoch are kept.", ConvergenceWarning)

    def _non_finite_error(self, report: "RunReport") -> NonFiniteError:
        estimator = self.estimator
        rate, own = estimator.learning_rate_init, callable(estimator.loss)
        return non_finite_error(report, "learning_rate_init", rate, own_loss=own)

    def _record(
        self,
        report: "RunReport",
        n_rows: int,
        validated: bool = False,
        metrics: History | None = None,
    ) -> Record:
        return self.record.after(
            report,
            n_rows,
            validated=validated,
            stops_by_score=bool(self.estimator.early_stopping),
            metrics=metrics or {},
        )

    def _snapshot(
        self,
        model: Model,
        report: "RunReport",
        n_rows: int,
        validated: bool = False,
        metrics: History | None = None,
    ) -> Any:
        """Return a fitted copy with that model, as if a callback had ended the run now."""
        copy = as_it_is(self.estimator, vars(self.estimator))
        for name in TRANSIENT:
            vars(copy).pop(name, None)
        record = self._record({**report, "stopped": "callback"}, n_rows, validated, metrics)
        copy._become(self.codec, model.without_trainer(), record)
        return copy
