"""The layer level: a network put together from layers, to look into and to train."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import _num_samples

from fastmlp._blocks.blocks import OWN_TARGETS, Blocks
from fastmlp._blocks.gather import gather
from fastmlp._blocks.rows import BlockRows
from fastmlp._blocks.survey import Survey
from fastmlp._checks.arrays import (
    CORE_DTYPES,
    NonFiniteError,
    check_arrays,
    check_range,
    check_representable,
    check_sparse,
    is_clean,
    is_clean_labels,
    require,
    to_float,
)
from fastmlp._checks.choices import Dtype
from fastmlp._checks.content import plain_array, refuse_unfit
from fastmlp._checks.names import (
    DTYPES,
    check_choice,
    check_hyperparameters,
    check_pair,
    check_smoothing,
    check_targets,
    has_sides,
    parse_loss,
    target_count,
)
from fastmlp._checks.threads import resolve_n_jobs
from fastmlp._data.inputs import read_inputs
from fastmlp._data.rows import Data
from fastmlp._data.weights import check_weights, scale_weights
from fastmlp._model.architecture import Architecture
from fastmlp._model.exclusive import changing, unchanged
from fastmlp._model.initialisers import draw_params
from fastmlp._model.model import Model
from fastmlp._model.settings import TrainerSettings
from fastmlp._processes.group import refuse_group
from fastmlp._training.record import History, history_of
from fastmlp._training.run import non_finite_error, run
from fastmlp.layers import Layer, check_positive_int, initialisers, plan

if TYPE_CHECKING:
    from fastmlp._core import RunReport

_MONITORS = ("val_loss", "accuracy", "r2")


class Network:
    """A feedforward network of dense layers.

    The objective is the mean loss over the samples plus ``l1 * |w|_1 + l2 * |w|_2**2`` of each
    layer.

    Parameters
    ----------
    layers : sequence of Dense, Dropout, LayerNorm and Activation
        The layers from input to output. A `Dropout` and a `LayerNorm` act on the input of the
        `Dense` layer after them; an `Activation` is that of the `Dense` layer before it.
    n_features : int
        The number of inputs.
    random_state : int, RandomState instance or None, default=None
        Determines the starting weights (the biases are zero), the shuffling and the dropout.
    dtype : {'float32', 'float64'}, default='float32'
        The type of the weights and of all arithmetic.
    n_jobs : int or None, default=None
        Threads to use; None and -1 take all that the process may use (fewer when the work is
        small or a fit finds that it goes faster with fewer, one when a short call comes alone).
        Results don't depend on it.

    Attributes
    ----------
    layers : tuple
        The layers as given.
    n_features, n_outputs : int
        The number of inputs and of outputs.
    dtype : str
        The type of the weights.
    n_jobs : int or None
        As given; may be changed at any time.
    step_losses : ndarray of shape (n_steps,)
        The loss of every mini-batch of the last call of `fit`; empty before.

    Raises
    ------
    ValueError
        If an argument is not valid, or the layers can't stand in this order.
    TypeError
        If `layers` is no list, or holds something that is not a layer.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Dense, Dropout, Network
    >>> net = Network([Dense(8, "relu"), Dropout(0.5), Dense(3, "softmax")], 4, random_state=0)
    >>> net(np.ones((2, 4))).shape
    (2, 3)
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        n_features: int,
        *,
        random_state: int | np.random.RandomState | None = None,
        dtype: Dtype = "float32",
        n_jobs: int | None = None,
    ) -> None:
        resolve_n_jobs(n_jobs)
        if not isinstance(layers, Sequence) or isinstance(layers, str):
            raise TypeError(
                "layers must be a list of Dense, Dropout, LayerNorm and Activation; got "
                f"{layers!r}."
            )
        self.layers = tuple(layers)
        self.n_jobs = n_jobs
        architecture = Architecture(
            check_positive_int("n_features", n_features),
            plan(self.layers),
            check_choice("dtype", dtype, DTYPES),
        )
        for layer in architecture.layers:
            check_representable("l1", layer.l1, dtype)
            check_representable("l2", layer.l2, dtype)
        self._random_state = check_random_state(random_state)
        start = draw_params(architecture, self._random_state, initialisers(self.layers))
        self._model = Model.of(architecture, start)
        self.step_losses: NDArray[np.float64] = np.empty(0)

    @property
    def n_features(self) -> int:
        """The number of inputs."""
        return self._model.architecture.n_features

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return self._model.architecture.layers[-1].units

    @property
    def dtype(self) -> str:
        """The type of the weights and of all arithmetic."""
        return self._model.architecture.dtype

    @property
    def params(self) -> list[tuple[NDArray[Any], ...]]:
        """Copies of weights and biases: ``[(w, b), ...]``, one pair per dense layer.

        A layer with the activation 'prelu' has the slopes of its units as well: ``(w, b, slope)``.
        Assign such a list to set them all; the next `fit` then starts a new optimizer. A
        ValueError names the array whose shape is wrong, and a RuntimeError says that the network is
        training.
        """
        return _by_layer(self._model.network.get_params())

    @params.setter
    def params(self, by_layer: Sequence[tuple[Any, ...]]) -> None:
        plan, dtype = self._model.architecture, self.dtype
        lengths = [3 if layer.learns else 2 for layer in plan.layers]
        by_layer = list(by_layer) if isinstance(by_layer, Iterable) else []
        are_tuples = all(isinstance(arrays, tuple | list) for arrays in by_layer)
        if not are_tuples or [len(arrays) for arrays in by_layer] != lengths:
            raise ValueError(
                "params must be a list of pairs (w, b), one per dense layer, or of (w, b, slope) "
                "where the activation learns a slope."
            )
        coefs = check_arrays("params: w", [p[0] for p in by_layer], plan.coef_shapes, dtype)
        biases = check_arrays("params: b", [p[1] for p in by_layer], plan.intercept_shapes, dtype)
        slopes = [p[2] if len(p) == 3 else np.empty(0) for p in by_layer]
        slopes = check_arrays("params: slope", slopes, plan.slope_shapes, dtype)
        with changing(self) as (changed, publish):
            changed._model = Model.of(plan, (coefs, biases, slopes))
            publish()

    def __call__(self, X: Any) -> NDArray[Any]:
        """Compute the outputs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        y : ndarray of shape (n_samples, n_outputs)
            The output layer's values.

        Raises
        ------
        ValueError
            If `X` is not valid.
        """
        n_threads, network = resolve_n_jobs(self.n_jobs), self._model.network
        outputs = network.predict_plain(X, n_threads)
        return network.predict(self._inputs(X), n_threads) if outputs is None else outputs

    def forward(self, X: Any) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Compute every layer's values, without dropout.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        zs : list of ndarray of shape (n_samples, units)
            The pre-activations ``x @ w + b`` of each dense layer.
        ys : list of ndarray of shape (n_samples, units)
            The activations of each dense layer.

        Raises
        ------
        ValueError
            If `X` is not valid.
        """
        return self._model.network.forward(self._inputs(X), resolve_n_jobs(self.n_jobs))

    def input_gradients(self, X: Any) -> NDArray[Any]:
        """Compute how each output changes with each input: its gradient, without dropout.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        gradients : ndarray of shape (n_samples, n_outputs, n_features)
            The partial derivatives at each sample.

        Raises
        ------
        ValueError
            If `X` is not valid.
        """
        return self._model.network.input_gradients(self._inputs(X), resolve_n_jobs(self.n_jobs))

    def loss_and_gradients(
        self, X: Any, t: Any, loss: str = "cross_entropy", sample_weight: Any = None
    ) -> tuple[float, list[tuple[NDArray[Any], ...]]]:
        """Compute the objective with its penalties, and its gradients, without dropout.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The inputs.
        t : array-like of shape (n_samples, n_outputs) or (n_samples,)
            The targets; a vector of class numbers stands for its one-hot matrix, and with one
            output a vector stands for its column.
        loss : str, default='cross_entropy'
            The name of the loss, with its parameter if it has one: 'huber(1.5)'. Names of the
            estimators are taken too: 'log_loss' is what the output layer makes it.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample in the mean.

        Returns
        -------
        loss : float
            The value of the objective.
        gradients : list of (dw, db) or (dw, db, dslope)
            Its gradient by the parameters of each dense layer, as in `params`.

        Raises
        ------
        ValueError
            If an argument is not valid.
        """
        name, parameter = self._loss(loss)
        data = self._data(X, t, sample_weight, loss=name)
        network = self._model.network
        value, *gradients = network.loss_and_gradients(
            data.x,
            data.t,
            name,
            data.sample_weight,
            loss_parameter=parameter,
            n_threads=resolve_n_jobs(self.n_jobs),
        )
        if not isfinite(value):
            raise NonFiniteError(
                f"The loss is {value}: the inputs, the targets or the weights are too large for "
                f"{self.dtype}. Scale them to about unit size."
            )
        return value, _by_layer(gradients)

    def fit(
        self,
        X: Any,
        t: Any = None,
        *,
        loss: str,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        batch_size: int | str = 128,
        epochs: int = 20,
        sample_weight: Any = None,
        validation_data: tuple[Any, ...] | None = None,
        monitor: str | None = None,
        shuffle: bool = True,
        label_smoothing: float = 0.0,
        clip_norm: float | None = None,
        verbose: int = 0,
        **hyperparameters: float,
    ) -> History:
        """Train for a number of epochs.

        A repeated call goes on with the state of the optimizer when `loss`, `optimizer`, its
        hyperparameters, `learning_rate`, the batch size, `monitor` and `shuffle` are the same;
        otherwise, or after `params` was set or training has failed, the optimizer starts anew from
        the present weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or Blocks
            The inputs. A data set that is larger than memory comes as `fastmlp.data.Blocks`, which
            hold t and sample_weight as well.
        t : array-like of shape (n_samples, n_outputs) or (n_samples,), default=None
            The targets, as in `loss_and_gradients`; None with blocks only.
        loss : str
            The name of the loss, with its parameter if it has one: 'huber(1.5)'.
        optimizer : str, default='adam'
            The name of the optimizer.
        learning_rate : float, default=1e-3
            The learning rate.
        batch_size : int or 'full', default=128
            Samples per mini-batch; of blocks at most as many as are in memory at a time.
        epochs : int, default=20
            How many times to go through the samples.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample.
        validation_data : (X, t) or (X, t, sample_weight), default=None
            Samples to score after each epoch; the weights of the best epoch are kept.
        monitor : {'val_loss', 'accuracy', 'r2'}, default=None
            The score on `validation_data`; None is 'val_loss', whose score is minus the loss.
        shuffle : bool, default=True
            Whether to shuffle the samples before each epoch.
        label_smoothing : float, default=0.0
            The share s of each target that is spread evenly over the classes, in [0, 1):
            ``t * (1 - s) + s / n_classes``, or ``s / 2`` where outputs don't exclude each other.
        clip_norm : float, default=None
            The longest that the gradient of the loss by all parameters may be; a longer one is
            scaled down. None leaves it as it is.
        verbose : int, default=0
            1 shows a progress bar, 2 prints a line per epoch.
        **hyperparameters : float
            Hyperparameters of the optimizer, such as ``beta_1``.

        Returns
        -------
        history : dict of list
            Per epoch of this call: 'loss', 'val_loss' (without the penalty), 'val_score', 'lr' and
            'seconds'. The loss of every step is in `step_losses`.

        Raises
        ------
        ValueError
            If an argument is not valid, or the loss is no longer finite; the weights are then
            what they were.
        TypeError
            If the optimizer has no such hyperparameter.
        RuntimeError
            If it is training already, in another call that has not returned.
        """
        refuse_group("A Network")
        loss_name, loss_parameter = self._loss(loss)
        epochs = check_positive_int("epochs", epochs)
        smoothing = check_smoothing(loss_name, label_smoothing)
        norm = 0.0 if clip_norm is None else self._positive("clip_norm", clip_norm, "None or ")
        hyperparameters = check_hyperparameters(optimizer, hyperparameters, self.dtype)
        rate = self._positive("learning_rate", learning_rate)
        if batch_size != "full":
            batch_size = check_positive_int("batch_size", batch_size, "'full' or ")
        validation = self._validation(validation_data, loss_name)
        if isinstance(X, Blocks):
            require(t is None and sample_weight is None, OWN_TARGETS)
            data = self._read_blocks(X, loss_name)
        else:
            require(t is not None, "t must be given with X, unless that is Blocks; got None.")
            data = self._data(X, t, sample_weight, loss=loss_name)
        settings = TrainerSettings(
            loss=loss_name,
            optimizer=optimizer,
            hyperparameters=hyperparameters,
            rate=rate,
            batch_size=data.n_rows if isinstance(batch_size, str) else batch_size,
            seed=0,
            monitor=_check_monitor(monitor, validation, loss_name),
            others={
                "shuffle": bool(shuffle),
                "tol": 0.0,
                "n_iter_no_change": -1,
                "loss_parameter": loss_parameter,
                "label_smoothing": smoothing,
                "clip_norm": norm,
            },
        )
        n_threads = resolve_n_jobs(self.n_jobs)
        with changing(self) as (trained, publish):
            report = trained._train(settings, data, validation, epochs, verbose, n_threads)
            publish()
        if report["stopped"] == "non_finite" and report["best_epoch"] == 0:
            raise non_finite_error(report, "learning_rate", learning_rate)
        return history_of(report)

    def _train(
        self,
        settings: TrainerSettings,
        data: Data,
        validation: Data | None,
        epochs: int,
        verbose: int,
        n_threads: int,
    ) -> "RunReport":
        """Train a network of the trainer's own, and take it over."""
        model = self._model_to_train(settings)
        assert model.trainer is not None
        trainer = model.trainer
        trainer.set_state({"kept": -inf})  # the validation set need not be that of the last call
        assert model.settings is not None
        report = run(
            trainer,
            data,
            validation,
            epochs=epochs,
            verbose=verbose,
            n_threads=n_threads,
            windows=data.streamed
            and data.streamed.windows(
                model.settings.seed, shuffles=bool(settings.others["shuffle"])
            ),
        )
        if report["stopped"] == "non_finite" and report["best_epoch"] == 0:
            self._forget_training()
        else:
            self._model = model.trained()
            self.step_losses = report["step_loss"]
        return report

    def _forget_training(self) -> None:
        """Let the next fit begin with a new optimizer, from the weights as they are."""
        self._model = self._model.without_trainer()

    def _model_to_train(self, settings: TrainerSettings) -> Model:
        """Return the model with the trainer of the last fit if that had these settings, otherwise
        with a new one."""
        model, old = self._model, self._model.settings
        if old is None or replace(settings, seed=old.seed) != old:
            seed = int(self._random_state.randint(2**31 - 1))
            return model.with_trainer(replace(settings, seed=seed))
        return model

    def _positive(self, argument: str, value: Any, also: str = "") -> float:
        """Return a finite number above 0 that is one in the network's type, too."""
        if not 0 < to_float(value) < inf:
            raise ValueError(f"{argument} must be {also}a finite number above 0; got {value!r}.")
        check_representable(argument, float(value), self.dtype)
        return float(value)

    def _loss(self, loss: Any) -> tuple[str, float | None]:
        """Return name and parameter of a loss that the outputs are made for."""
        last = self._model.architecture.layers[-1]
        outputs = [activation for activation, *_ in last.parts]
        name, parameter = parse_loss(loss, outputs[0])
        check_pair(name, outputs)
        return name, parameter

    def _inputs(self, X: Any) -> NDArray[Any]:
        """Return X as the core reads it."""
        return read_inputs(X, self._model.architecture)

    def _data(self, X: Any, t: Any, sample_weight: Any = None, *, loss: str) -> Data:
        """Check inputs, targets and weights against each other."""
        x = self._inputs(X)
        t = self._targets(t, len(x), loss)
        weight = check_weights("sample_weight", sample_weight, len(x))
        return Data(x, t, scale_weights("sample_weight", weight, self.dtype))

    def _read_blocks(self, blocks: Blocks, loss: str) -> Data:
        """Look at all targets and at the first block, or read what fits in memory."""
        reader = _Reader(self, loss)
        survey = Survey.of(blocks, reader.read_targets)
        rows = BlockRows.of(blocks, reader, survey)
        if rows.fits:
            return self._data(*gather(blocks), loss=loss)
        return Data(rows.first.x, rows.first.t, streamed=rows.weighed(self.dtype))

    def _targets(self, t: Any, n_rows: int, loss: str) -> NDArray[Any]:
        """Return targets of so many rows as the core reads them."""
        n_targets = target_count(loss, self.n_outputs)
        if not is_clean_labels(t) and not is_clean(t, n_targets, self.dtype):
            refuse_unfit("t", t)
            check_sparse("t", t)
            t = t.toarray() if issparse(t) else plain_array("t", t)
            try:
                t = np.asarray(t) if isinstance(t, list | tuple) else t  # integers stay such
                t = check_array(t, dtype=CORE_DTYPES, ensure_2d=False, input_name="t")
            except (TypeError, ValueError) as error:
                raise ValueError(f"t must hold numbers, or numbers of classes: {error}") from error
            check_range("t", t, self.dtype)
        if t.ndim == 1 and n_targets == 1:
            t = t.reshape(-1, 1)
        is_labels = t.ndim == 1 and t.dtype.kind in "iu"
        if not is_labels and t.shape[1:] != (n_targets,):
            wanted = f"({n_rows}, {n_targets})"
            labels = "" if n_targets == 1 else f", or integers of shape ({n_rows},)"
            raise ValueError(f"t must have shape {wanted}{labels}; got {t.dtype} {t.shape}.")
        if len(t) != n_rows:
            raise ValueError(f"t must have one row per row of X ({n_rows}); got {len(t)}.")
        if is_labels and n_targets > 1:
            self._check_classes(t, n_targets)
        else:
            check_targets("t", t, loss)
        targets: NDArray[Any] = t
        return targets

    def _check_classes(self, t: NDArray[Any], n_classes: int) -> None:
        """Refuse numbers of classes that there are no outputs for."""
        wrong = (t < 0) | (t >= n_classes)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"t must hold class labels from 0 to {n_classes - 1}, got {t[row]} in row {row}."
            )

    def _validation(self, given: Any, loss: str) -> Data | None:
        """Check the samples to score."""
        if given is None:
            return None
        if not isinstance(given, tuple | list) or len(given) not in (2, 3):
            raise ValueError(
                "validation_data must be a tuple (X, t) or (X, t, sample_weight); got "
                f"{type(given).__name__}."
            )
        try:
            return self._data(*given, loss=loss)
        except ValueError as error:
            raise ValueError(f"In validation_data: {error}") from error

    def summary(self) -> str:
        """Return a table of the dense layers, to be printed.

        Returns
        -------
        text : str
            A line for each: its inputs, what happens to them before, its outputs, its activation,
            and how many numbers it learns; then how many these are, and their bytes.

        Examples
        --------
        >>> from fastmlp import Dense, Dropout, Network
        >>> print(Network([Dense(8, "relu"), Dropout(0.5), Dense(3, "softmax")], 4).summary())
        layer  inputs  before       outputs  activation  parameters
            1       4                     8  relu                40
            2       8  dropout 0.5        3  softmax             27
        67 parameters, 268 bytes as float32
        """
        plan, lines = self._model.architecture, []
        for (n_in, n_out), layer in zip(plan.fans, plan.layers, strict=True):
            activation = layer.activation
            if not isinstance(activation, str):
                activation = ", ".join(f"{units} {name}" for name, units in activation)
            before = "norm, " if layer.norm_epsilon else ""
            before += f"dropout {layer.input_dropout:g}" if layer.input_dropout else ""
            count = (n_in + 1 + layer.learns) * n_out
            lines.append((n_in, before.rstrip(", "), n_out, activation, count))
        wide = max(len("before"), *(len(before) for _, before, *_ in lines))
        width = max(len("activation"), *(len(activation) for *_, activation, _ in lines))
        text = [f"layer  inputs  {'before':{wide}}  outputs  {'activation':{width}}  parameters"]
        for number, (n_in, before, n_out, activation, count) in enumerate(lines, 1):
            text.append(
                f"{number:5}  {n_in:6}  {before:{wide}}  {n_out:7}  {activation:{width}}  "
                f"{count:10}"
            )
        total = sum(count for *_, count in lines)
        size = total * np.dtype(self.dtype).itemsize
        return "\n".join([*text, f"{total} parameters, {size} bytes as {self.dtype}"])

    def __repr__(self) -> str:
        layers = ", ".join(map(repr, self.layers))
        return f"Network([{layers}], n_features={self.n_features}, dtype={self.dtype!r})"

    def __getstate__(self) -> dict[str, Any]:
        with unchanged(self, "pickle"):
            state = vars(self).copy()
            model = state["_model"]
            state["_model"] = (model.state(), model.network.get_params())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        model, params = state["_model"]
        self._model = Model.restored(model, params)


class _Reader:
    """The checks of a network's fit, for blocks."""

    named = False

    def __init__(self, network: Network, loss: str) -> None:
        self.network, self.loss = network, loss

    def read(self, X: Any, y: Any, *, reset: bool = False) -> tuple[Any, NDArray[Any]]:
        """Check the rows of a block, whose columns the network knows."""
        x = self.network._inputs(X)
        return x, self.network._targets(y, len(x), self.loss)

    def read_targets(self, y: Any) -> NDArray[Any]:
        """Check targets alone."""
        return self.network._targets(y, _num_samples(y), self.loss)

    def encode(self, y: NDArray[Any], dtype: str) -> NDArray[Any]:
        """Return them as they are."""
        return y


def _by_layer(lists: Sequence[Sequence[NDArray[Any]]]) -> list[tuple[NDArray[Any], ...]]:
    """Turn lists of weights, biases and slopes into a tuple per layer, empty slopes left out."""
    return [(w, b, a) if a.size else (w, b) for w, b, a in zip(*lists, strict=True)]


def _check_monitor(monitor: str | None, validation: Data | None, loss: str) -> str:
    """Return the core's name of what is watched."""
    if validation is None:
        if monitor is not None:
            raise ValueError(f"monitor={monitor!r} needs validation_data.")
        return "loss"
    if monitor == "accuracy" and not has_sides(loss):
        raise ValueError(f"monitor='accuracy' is for labels; loss={loss!r} is for numbers.")
    return check_choice("monitor", "val_loss" if monitor is None else monitor, _MONITORS)
