"""Small training runs on real data, stacked: a sweep of learning rates times seeds is one call.

A task is an `Objective` whose gradient at step t is that of the t-th mini-batch. The batches are a pure
function of (seed, t), so that every method meets the same ones. With ``seeds=(0, 1, 2)`` the axis before the
last of theta belongs to the seeds: each has a start and an order of batches of its own. `tune` runs the
sweep.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from adambook._check import Array, choice, floats, real, whole
from adambook.data import Dataset, Ints, SparseRows, Tokens
from adambook.descent import Schedule, Trajectory, descend
from adambook.numpy_optim.base import Optimizer
from adambook.objectives import Objective

# What a random stream is for. The purpose is part of its seed, so that no two streams are alike.
START, ORDER, LABELS, STREAM = range(4)

# tune runs so many numbers of theta at a time: the arrays of one step then stay in the processor's cache.
CHUNK = 65_536
# An evaluation holds so many activations at a time: a large stack then needs some 30 MB.
SLICE = 4_000_000
# Seconds before a progress bar appears.
DELAY = 2


class Evaluation(NamedTuple):
    """Mean cross-entropy and share of wrong answers on the whole training and test parts, each ``(...)``.

    ``train_loss`` is the objective: it includes the penalty of a task with ``l2``.
    """

    train_loss: Array
    test_loss: Array
    train_error: Array
    test_error: Array


class Task(Objective):
    """An objective with seeds.

    ``seeds`` is one whole number (then theta is ``(..., d)`` and ``start`` ``(d,)``) or several (theta
    ``(..., n_seeds, d)``, ``start`` ``(n_seeds, d)``). Raises TypeError or ValueError for other seeds.
    """

    seeds: tuple[int, ...]
    stacked: bool

    def with_seeds(self, seeds: int | Iterable[int]) -> Self:
        """Return the same task for other seeds."""
        other = copy(self)
        other._seed(seeds)
        return other

    def _seed(self, seeds: int | Iterable[int]) -> None:
        self.stacked = not isinstance(seeds, (int, np.integer))
        self.seeds = tuple(
            whole("seeds", seed) for seed in (seeds if isinstance(seeds, Iterable) else (seeds,))
        )
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds = {self.seeds}; allowed: one or more different whole numbers")

    def _per_seed(self, draw: Callable[[int], Array]) -> Array:
        """Return ``draw(seed)`` for each seed, stacked along a first axis if there are several seeds."""
        drawn = [draw(seed) for seed in self.seeds]
        return np.stack(drawn) if self.stacked else drawn[0]

    def _point(self, theta: npt.ArrayLike) -> Array:
        point = super()._point(theta)
        if self.stacked and (point.ndim < 2 or point.shape[-2] != len(self.seeds)):
            raise ValueError(
                f"theta has shape {point.shape}; with {len(self.seeds)} seeds, {self.name} takes points "
                f"of shape (..., {len(self.seeds)}, {self.dim})"
            )
        return point


class Network(Task):
    r"""A fully connected network with softmax and cross-entropy; without hidden layers, softmax regression.

    .. math:: a_0 = x, \qquad a_l = \phi(W_l a_{l-1} + b_l), \qquad f_t(\theta) = -\frac{1}{B} \sum_{i=1}^{B}
              \log \mathrm{softmax}(W_L a_{L-1,i} + b_L)_{y_i}

    theta holds :math:`W_1, b_1, \dots, W_L, b_L`, each W row by row: the order in which torch.nn keeps the
    parameters of its linear layers. Weights start uniform within :math:`\sqrt{6 / n_{in}}` for ReLU (He et
    al., 2015) and :math:`\sqrt{6 / (n_{in} + n_{out})}` for tanh (Glorot and Bengio, 2010); the last layer
    uses the latter, and softmax regression starts at zero.

    ``batch`` rows make a mini-batch: each epoch is a new order of the rows, and rows that fill no batch are
    left out of it. ``batch=None`` takes all rows at each step. With ``relabel_every=k`` the classes change
    their names at random every k steps (the first k steps keep the true ones). ``l2`` adds the penalty
    :math:`\frac{\lambda}{2} \|\theta\|^2` to the loss. ``dtype`` is that of ``start`` and of the data.
    """

    kind = "network"
    _epoch: int
    _order: Ints

    def __init__(
        self,
        data: Dataset,
        *,
        hidden: Sequence[int] = (),
        activation: str = "relu",
        batch: int | None = None,
        seeds: int | Iterable[int] = 0,
        relabel_every: int | None = None,
        l2: float = 0.0,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        self.data = data
        self.rows = len(data.y_train)
        self.batch = None if batch is None else whole("batch", batch, 1, self.rows)
        self.activation = choice("activation", activation, ("relu", "tanh"))
        self.relabel_every = None if relabel_every is None else whole("relabel_every", relabel_every, 1)
        self.l2 = real("l2", l2, 0)
        self.dtype = np.dtype(dtype)
        if not np.issubdtype(self.dtype, np.floating):
            raise TypeError(f"dtype = {self.dtype}; allowed: a floating type such as float64 or float32")
        widths = [len(data.features), *(whole("hidden", width, 1) for width in hidden), len(data.classes)]
        self.sizes = list(zip(widths[1:], widths[:-1], strict=True))
        self.dim = sum(out * (into + 1) for out, into in self.sizes)
        self.name = f"{self.kind} on {data.name}"
        self.minima = np.empty((0, self.dim))
        self._sparse = data.x_train if self.batch == 1 and isinstance(data.x_train, SparseRows) else None
        self._x = self._full(data.x_train)
        self._onehot = np.eye(len(data.classes), dtype=self.dtype)[data.y_train]
        self._seed(seeds)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every row is seen once."""
        return 1 if self.batch is None else self.rows // self.batch

    def batch_rows(self, t: int) -> Ints:
        """Return which training rows make the t-th batch: (B,), or (n_seeds, B) with several seeds."""
        if self.batch is None:
            return np.arange(self.rows)
        epoch, k = divmod(t - 1, self.steps_per_epoch)
        if self._epoch != epoch:
            self._epoch = epoch
            self._order = self._per_seed(lambda seed: _rng(ORDER, seed, epoch).permutation(self.rows))
        return self._order[..., k * self.batch : (k + 1) * self.batch]

    def logits(self, theta: npt.ArrayLike, x: Array) -> Array:
        """Return the network's outputs (..., n, classes) for the rows ``x`` (n, p)."""
        return self._forward(self._point(theta), x.T)[-1].swapaxes(-1, -2)

    def evaluate(self, theta: npt.ArrayLike, t: int = 1) -> Evaluation:
        """Return losses and errors on the whole training and test parts, with the labels that hold at step t.

        A member of the stack that has diverged gets NaN for each of them and leaves the others alone.
        """
        theta = self._point(theta)
        with np.errstate(all="ignore"):
            train = self._evaluate(theta, self._x, self.data.y_train, t)
            test = self._evaluate(theta, self._full(self.data.x_test), self.data.y_test, t)
            return Evaluation(train[0] + self._penalty(theta), test[0], train[1], test[1])

    def _seed(self, seeds: int | Iterable[int]) -> None:
        super()._seed(seeds)
        self._epoch, self._order = -1, np.empty(0, np.int64)
        self.start = self._per_seed(self._initial).astype(self.dtype)

    def _initial(self, seed: int) -> Array:
        rng, parts = _rng(START, seed), []
        for layer, (out, into) in enumerate(self.sizes, 1):
            last = layer == len(self.sizes)
            reach = (
                0.0
                if len(self.sizes) == 1
                else np.sqrt(6 / (into + out * (last or self.activation == "tanh")))
            )
            parts += [rng.uniform(-reach, reach, out * into), np.zeros(out)]
        return np.concatenate(parts)

    def _layers(self, theta: Array) -> list[tuple[Array, Array]]:
        """Return views (W, b) into theta, one pair a layer."""
        pairs, at = [], 0
        for out, into in self.sizes:
            weights = theta[..., at : at + out * into].reshape(*theta.shape[:-1], out, into)
            at += out * into
            pairs.append((weights, theta[..., at : at + out]))
            at += out
        return pairs

    def _forward(self, theta: Array, x: Array | None, t: int = 1) -> list[Array]:
        """Return every layer's activations, (..., units, B): the examples stand last, where loops are fast.

        Without ``x``, the input is the t-th batch of sparse rows.
        """
        activations = []
        for layer, (weights, bias) in enumerate(self._layers(theta), 1):
            z = self._sparse_product(weights, t) if x is None else weights @ x
            z += bias[..., None]
            if layer < len(self.sizes):
                z = np.maximum(z, 0, out=z) if self.activation == "relu" else np.tanh(z, out=z)
            activations.append(z)
            x = z
        return activations

    def _batch(self, t: int) -> tuple[Array | None, Array]:
        """Return the t-th inputs (..., p, B), None if sparse, and one-hot labels (..., classes, B)."""
        rows = self.batch_rows(t)
        whole_set = self.batch is None
        onehot = self._onehot if whole_set else self._onehot[rows]
        if self.relabel_every is not None:
            new_name = self._new_names(t)
            onehot = np.take_along_axis(onehot, np.argsort(new_name, axis=-1)[..., None, :], -1)
        x = None if self._sparse is not None else (self._x if whole_set else self._x[rows]).swapaxes(-1, -2)
        return x, onehot.swapaxes(-1, -2)

    def _new_names(self, t: int) -> Array:
        """Return the class that each class is called at step t: (classes,), or (n_seeds, classes)."""
        segment, classes = (t - 1) // self.relabel_every if self.relabel_every else 0, len(self.data.classes)
        if segment == 0:
            return self._per_seed(lambda seed: np.arange(classes))
        return self._per_seed(lambda seed: _rng(LABELS, seed, segment).permutation(classes))

    def _value(self, theta: Array, t: int) -> Array:
        x, onehot = self._batch(t)
        with np.errstate(all="ignore"):
            z = self._forward(theta, x, t)[-1]
            z -= z.max(axis=-2, keepdims=True)
            loss = np.log(np.exp(z).sum(axis=-2)) - (z * onehot).sum(axis=-2)
            return np.asarray(loss.mean(axis=-1) + self._penalty(theta))

    def _grad(self, theta: Array, t: int) -> Array:
        x, onehot = self._batch(t)
        grad = np.zeros_like(theta)
        with np.errstate(all="ignore"):
            *hidden, z = self._forward(theta, x, t)
            # d loss / d logits = (softmax - one-hot) / B
            np.exp(np.subtract(z, z.max(axis=-2, keepdims=True), out=z), out=z)
            error = z / z.sum(axis=-2, keepdims=True)
            error -= onehot
            error /= z.shape[-1]
            layers, into = self._layers(theta), self._layers(grad)
            for layer in reversed(range(len(self.sizes))):
                into[layer][1][...] = error.sum(axis=-1)
                if layer == 0:
                    break
                a = hidden[layer - 1]
                np.matmul(error, a.swapaxes(-1, -2), out=into[layer][0])
                error = layers[layer][0].swapaxes(-1, -2) @ error
                error *= a > 0 if self.activation == "relu" else 1 - a * a
            if x is None:
                self._sparse_outer(error, into[0][0], t)
            else:
                np.matmul(error, x.swapaxes(-1, -2), out=into[0][0])
            if self.l2:
                grad += self.l2 * theta
        return grad

    def _penalty(self, theta: Array) -> Array | float:
        return 0.5 * self.l2 * (theta * theta).sum(axis=-1) if self.l2 else 0.0

    def _sparse_rows(self, t: int, of: Array) -> Iterable[tuple[Ints, Array, Array]]:
        """Yield, for each seed, the row's columns and values at step t and that seed's part of ``of``."""
        assert self._sparse is not None
        for i, row in enumerate(self.batch_rows(t).ravel().tolist()):
            columns, values = self._sparse.row(row)
            yield columns, values.astype(of.dtype, copy=False), of[..., i, :, :] if self.stacked else of

    def _sparse_product(self, weights: Array, t: int) -> Array:
        products = [part[..., columns] @ values for columns, values, part in self._sparse_rows(t, weights)]
        return (np.stack(products, axis=-2) if self.stacked else products[0])[..., None]

    def _sparse_outer(self, error: Array, into: Array, t: int) -> None:
        errors = (error[..., i, :, :] if self.stacked else error for i in range(len(self.seeds)))
        for of_seed, (columns, values, part) in zip(errors, self._sparse_rows(t, into), strict=True):
            part[..., columns] = of_seed * values

    def _full(self, x: Array | SparseRows) -> Array:
        return x.dense(dtype=self.dtype) if isinstance(x, SparseRows) else x.astype(self.dtype, copy=False)

    def _evaluate(self, theta: Array, x: Array, y: Ints, t: int) -> tuple[Array, Array]:
        shape = theta.shape[:-1]
        loss, wrong = np.zeros(shape), np.zeros(shape)
        labels = y if self.relabel_every is None else self._new_names(t)[..., y]
        units = max(out for out, _ in self.sizes) * max(1, int(np.prod(shape)))
        for rows in _slices(len(y), max(1, SLICE // units)):
            z = self._forward(theta, x[rows].T)[-1]
            right = labels[..., rows][..., None, :]
            at_label = np.take_along_axis(z, np.broadcast_to(right, (*z.shape[:-2], 1, z.shape[-1])), -2)
            top = z.max(axis=-2, keepdims=True)
            loss += (np.log(np.exp(z - top).sum(axis=-2)) + (top - at_label)[..., 0, :]).sum(axis=-1)
            wrong += (z.argmax(axis=-2) != right[..., 0, :]).sum(axis=-1)
        loss, wrong = loss / max(1, len(y)), wrong / max(1, len(y))
        return loss, np.where(np.isfinite(loss), wrong, np.nan)


class SoftmaxRegression(Network):
    """Softmax regression, the network without hidden layers: convex, starting at zero.

    On `SparseRows` with ``batch=1`` a step costs only as much as the row has entries. See `Network`.
    """

    kind = "softmax regression"

    def __init__(
        self,
        data: Dataset,
        *,
        batch: int | None = None,
        seeds: int | Iterable[int] = 0,
        relabel_every: int | None = None,
        l2: float = 0.0,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        super().__init__(data, batch=batch, seeds=seeds, relabel_every=relabel_every, l2=l2, dtype=dtype)


class MLP(Network):
    """A network with one hidden layer of ``hidden`` units. See `Network`."""

    kind = "network with one hidden layer"

    def __init__(
        self,
        data: Dataset,
        hidden: int = 32,
        *,
        activation: str = "relu",
        batch: int | None = None,
        seeds: int | Iterable[int] = 0,
        relabel_every: int | None = None,
        l2: float = 0.0,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        super().__init__(
            data,
            hidden=(hidden,),
            activation=activation,
            batch=batch,
            seeds=seeds,
            relabel_every=relabel_every,
            l2=l2,
            dtype=dtype,
        )


class StreamingRegression(Task):
    r"""Linear regression on a stream whose target changes its sign every ``flip_every`` steps.

    .. math:: f_t(\theta) = \frac{1}{2B} \sum_{i=1}^{B} (x_i^T \theta - y_i)^2, \qquad
              y_i = s_t\, x_i^T w + \sigma \xi_i, \qquad s_t = (-1)^{\lfloor (t-1) / k \rfloor}

    with standard normal x, :math:`\xi` and w, new ones at each step and for each seed; w belongs to the seed,
    B is ``batch``, :math:`\sigma` is ``noise``, k is ``flip_every`` (None: no flips). Starts at zero.
    """

    BLOCK = 500  # steps drawn at once: starting a random generator takes longer than drawing from it

    def __init__(
        self,
        dim: int = 10,
        *,
        flip_every: int | None = 1000,
        noise: float = 0.1,
        batch: int = 1,
        seeds: int | Iterable[int] = 0,
    ) -> None:
        self.dim = whole("dim", dim, 1)
        self.flip_every = None if flip_every is None else whole("flip_every", flip_every, 1)
        self.noise = real("noise", noise, 0)
        self.batch = whole("batch", batch, 1)
        self.name = "streaming regression"
        self._seed(seeds)

    def target(self, t: int) -> Array:
        """Return the weights that make the data at step t: (d,), or (n_seeds, d)."""
        flips = 0 if self.flip_every is None else (t - 1) // self.flip_every
        return self._w * (-1) ** flips

    def excess(self, run: Trajectory) -> Array:
        """Return the online excess loss of a recorded run, (steps, ..., n_seeds); for one seed (steps, ...).

        Entry t - 1 is the expected loss of theta_{t-1} on the data of step t, which it has not seen, minus
        the least possible one: half the squared distance to the target. At a flip it jumps.
        """
        if run.theta is None:
            raise ValueError("the run holds no thetas; descend with record='all'")
        flips = (run.t - 1) // self.flip_every if self.flip_every else 0 * run.t
        sign = ((-1.0) ** flips).reshape(-1, *(1 for _ in run.theta.shape[1:]))
        with np.errstate(all="ignore"):
            return np.asarray(0.5 * ((run.theta[:-1] - sign * self._w) ** 2).sum(axis=-1))

    def mean_excess(self, run: Trajectory) -> Array:
        """Return `excess` averaged over the steps: a score for `tune`."""
        return np.asarray(self.excess(run).mean(axis=0))

    def _seed(self, seeds: int | Iterable[int]) -> None:
        super()._seed(seeds)
        self._block = -1
        self._x, self._noise = np.empty(0), np.empty(0)
        self._w = self._per_seed(lambda seed: _rng(START, seed).standard_normal(self.dim))
        self.start = np.zeros_like(self._w)
        self.minima = np.atleast_2d(self._w)

    def _batch(self, t: int) -> tuple[Array, Array]:
        """Return x (..., B, d) and y (..., B) at step t."""
        block, k = divmod(t - 1, self.BLOCK)
        if block != self._block:
            self._block = block
            size = (self.BLOCK, self.batch, self.dim + 1)
            drawn = self._per_seed(lambda seed: _rng(STREAM, seed, block).standard_normal(size))
            self._x, self._noise = drawn[..., :-1], self.noise * drawn[..., -1]
        x = self._x[..., k, :, :]
        return x, (x @ self.target(t)[..., None])[..., 0] + self._noise[..., k, :]

    def _residual(self, theta: Array, t: int) -> tuple[Array, Array]:
        x, y = self._batch(t)
        with np.errstate(all="ignore"):
            return x, (x @ theta[..., None])[..., 0] - y

    def _value(self, theta: Array, t: int) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(0.5 * (self._residual(theta, t)[1] ** 2).mean(axis=-1))

    def _grad(self, theta: Array, t: int) -> Array:
        x, residual = self._residual(theta, t)
        with np.errstate(all="ignore"):
            return np.asarray((residual[..., None, :] @ x)[..., 0, :] / self.batch).astype(
                theta.dtype, copy=False
            )


class Bigram(Objective):
    r"""The table of bigrams as a model, trained on all pairs of neighbouring words at once.

    .. math:: f(\theta) = -\sum_{a,b} \frac{n_{ab}}{n} \log \mathrm{softmax}(\theta_a)_b

    theta holds one row of V logits for each of the V words, d = V²; :math:`n_{ab}` counts how often b follows
    a. ``floor`` is the least loss that any theta reaches. Starts at zero.
    """

    def __init__(self, tokens: Tokens, *, dtype: npt.DTypeLike = np.float64) -> None:
        size = len(tokens.names)
        counts = np.bincount(tokens.ids[:-1] * size + tokens.ids[1:], minlength=size * size)
        self.frequency = (counts / counts.sum()).reshape(size, size).astype(dtype)
        self.dim, self.size, self.name = size * size, size, "bigrams"
        self.minima, self.start = np.empty((0, self.dim)), np.zeros(self.dim, dtype)
        self._of_row = self.frequency.sum(axis=1, keepdims=True)

    @property
    def floor(self) -> float:
        """The conditional entropy of a word given the one before it."""
        seen = self.frequency > 0
        conditional = self.frequency / np.where(self._of_row > 0, self._of_row, 1)
        return float(-(self.frequency[seen] * np.log(conditional[seen])).sum())

    def loss_by_word(self, theta: npt.ArrayLike) -> Array:
        """Return the mean loss of predicting each word where it occurs: (..., V)."""
        occurs = self.frequency.sum(axis=0)
        loss = -(self.frequency * self._log_softmax(self._point(theta))).sum(axis=-2)
        return np.asarray(loss / np.where(occurs > 0, occurs, np.nan))

    def _log_softmax(self, theta: Array) -> Array:
        z = theta.reshape(*theta.shape[:-1], self.size, self.size)
        z = z - z.max(axis=-1, keepdims=True)
        return np.asarray(z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))

    def _value(self, theta: Array, t: int) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(-(self.frequency * self._log_softmax(theta)).sum(axis=(-2, -1)))

    def _grad(self, theta: Array, t: int) -> Array:
        with np.errstate(all="ignore"):
            grad = self._of_row * np.exp(self._log_softmax(theta)) - self.frequency
        return np.asarray(grad.reshape(theta.shape))


@dataclass(frozen=True, eq=False)
class Tuning:
    """What a sweep over learning rates found: the whole row, not the winner alone.

    ``lrs`` (n_lr,); ``scores`` (n_lr, n_seeds), less is better; ``diverged`` (n_lr, n_seeds) marks runs that
    met a value that is not finite or scored worse than a run that never moves; ``final`` (n_lr, n_seeds, d)
    the last points; ``evaluation`` what `Network.evaluate` says of them, None for tasks without it.
    """

    name: str
    task: str
    score: str
    steps: int
    seeds: tuple[int, ...]
    lrs: Array
    scores: Array
    diverged: Array
    final: Array
    evaluation: Evaluation | None

    @property
    def mean(self) -> Array:
        """Mean score over the seeds, (n_lr,); infinite where any run diverged."""
        return np.where(
            self.diverged.any(axis=1), np.inf, np.where(self.diverged, 0, self.scores).mean(axis=1)
        )

    @property
    def std(self) -> Array:
        """Standard deviation over the seeds, (n_lr,); NaN for one seed, and where any run diverged."""
        if len(self.seeds) == 1:
            return np.full(len(self.lrs), np.nan)
        kept = np.where(self.diverged, 0, self.scores).std(axis=1, ddof=1)
        return np.where(self.diverged.any(axis=1), np.nan, kept)

    @property
    def best(self) -> int:
        """Index of the learning rate with the least mean score."""
        return int(np.argmin(self.mean))

    @property
    def best_lr(self) -> float:
        """The learning rate with the least mean score."""
        return float(self.lrs[self.best])

    @property
    def best_mean(self) -> float:
        """The mean score at the best learning rate."""
        return float(self.mean[self.best])

    @property
    def best_std(self) -> float:
        """The standard deviation over the seeds at the best learning rate."""
        return float(self.std[self.best])

    @property
    def at_edge(self) -> bool:
        """Whether the best learning rate is the grid's first or last: then the search has not settled."""
        return self.best in (0, len(self.lrs) - 1)

    def __str__(self) -> str:
        seeds = f"{len(self.seeds)} seed{'s' if len(self.seeds) > 1 else ''}"
        lines = [f"{self.name}, {self.task}: {self.score} after {self.steps} steps, {seeds}"]
        for i, lr in enumerate(self.lrs):
            lost = int(self.diverged[i].sum())
            outcome = (
                f"diverged ({lost} of {len(self.seeds)})" if lost else _spread(self.mean[i], self.std[i])
            )
            lines.append(f"  lr {lr:<8.3g} {outcome}" + ("  <- best" if i == self.best else ""))
        if self.at_edge:
            lines.append("  the best is at the grid's edge: widen the grid")
        return "\n".join(lines)


def tune(
    make_optimizer: Callable[[Any], Optimizer],
    task: Task,
    lrs: npt.ArrayLike,
    seeds: int | Iterable[int],
    steps: int,
    *,
    score: str | Callable[[Any, Trajectory], Array] = "train_loss",
    schedule: Schedule | None = None,
    name: str | None = None,
) -> Tuning:
    """Run every learning rate with every seed and return the whole row of scores.

    ``make_optimizer(lr)`` gives the optimizer for an array of learning rates: ``Adam``, or ``lambda lr:
    Adam(lr, ...)``. ``lrs`` are positive and rise; ``seeds`` is as for `Task`. ``score`` names a field of
    `Evaluation`, taken at the last point, or is a function (task, run) of the whole `Trajectory` whose result
    is of shape (n_lr, n_seeds), such as ``StreamingRegression.mean_excess``; less is better. A run that
    diverges is marked and leaves the others alone. All methods that are given the same task, seeds and steps
    see the same batches. Runs longer than 2 s show a progress bar. Raises ValueError if no
    learning rate is left for which all seeds stayed finite.
    """
    rates = floats("lrs", lrs)
    if rates.ndim != 1 or not len(rates) or not np.all(rates > 0) or np.any(np.diff(rates) <= 0):
        raise ValueError(f"lrs = {lrs!r}; allowed: a rising list of positive numbers")
    steps = whole("steps", steps, 1)
    if isinstance(score, str):
        choice("score", score, Evaluation._fields)
        if not isinstance(task, Network):
            raise TypeError(
                f"score = {score!r} needs a network; for {task.name}, give a function of the trajectory"
            )
    task = task.with_seeds((seeds,) if isinstance(seeds, (int, np.integer)) else seeds)
    name = name or type(make_optimizer(float(rates[0]))).__name__
    per_chunk = max(1, CHUNK // task.start.size)
    record = "last" if isinstance(score, str) else "all"
    scores, finals, diverged = [], [], []
    with _Progress(task, steps * -(-len(rates) // per_chunk), name) as watched:
        for chunk in _slices(len(rates), per_chunk):
            start = np.broadcast_to(task.start, (len(rates[chunk]), *task.start.shape))
            optimizer = make_optimizer(rates[chunk, None, None])
            run = descend(optimizer, watched, start, steps, record=record, schedule=schedule)
            finals.append(run.final)
            diverged.append(run.diverged > 0)
            if not isinstance(score, str):
                scores.append(np.asarray(score(task, run)))
        if not isinstance(score, str):  # what a run scores that never moves
            worst = score(task, descend(make_optimizer(0.0), task, task.start, steps, record=record))
    final, lost = np.concatenate(finals), np.concatenate(diverged)
    evaluation = None
    if isinstance(score, str):
        assert isinstance(task, Network)
        evaluation = task.evaluate(final, steps)
        scored = getattr(evaluation, score)
        worst = getattr(task.evaluate(task.start, steps), score)
    else:
        scored = np.concatenate(scores)
    lost |= ~(scored <= worst)
    if lost.any(axis=1).all():
        raise ValueError(f"{name} diverged for every lr in {rates.tolist()}; try smaller ones")
    label = score if isinstance(score, str) else getattr(score, "__name__", "score")
    return Tuning(
        name, task.name, label.replace("_", " "), steps, task.seeds, rates, scored, lost, final, evaluation
    )


def summary(*results: Tuning) -> str:
    """Return one line a method: the score at its best learning rate, and whether the grid was wide enough."""
    width = max(len(result.name) for result in results)
    lines = [f"{results[0].task}: {results[0].score} after {results[0].steps} steps"]
    for r in results:
        edge = "  (at the grid's edge)" if r.at_edge else ""
        lines.append(f"  {r.name:<{width}}  {_spread(r.best_mean, r.best_std)}  at lr {r.best_lr:.3g}{edge}")
    return "\n".join(lines)


def _spread(mean: float, std: float) -> str:
    return f"{mean:8.4f}" + ("" if np.isnan(std) else f" +- {std:.4f}")


def _rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _slices(length: int, size: int) -> list[slice]:
    return [slice(at, min(at + size, length)) for at in range(0, length, size)]


def progress_bar(total: int, name: str, unit: str = "step") -> Any:
    """Return a tqdm bar, to be updated and closed, or None.

    The bar appears after 2 s, on the error stream, and vanishes at the end. It needs tqdm, and a terminal or
    a notebook; with ADAMBOOK_NO_PROGRESS in the environment, as in builds and tests, it stays away, so that
    no stored output keeps a trace of it.
    """
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules) or "ADAMBOOK_NO_PROGRESS" in os.environ:
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=total, desc=name, delay=DELAY, leave=False, unit=unit)


class _Progress(Objective):
    """The same objective with a progress bar that counts its gradients."""

    def __init__(self, task: Task, steps: int, name: str) -> None:
        self.task, self.steps, self.name = task, steps, name
        self.dim, self.start, self.bounds = task.dim, task.start, task.bounds
        self._bar: Any = None

    def __enter__(self) -> Self:
        self._bar = progress_bar(self.steps, self.name)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def value(self, theta: npt.ArrayLike, t: int = 1) -> Array:
        return self.task.value(theta, t)

    def grad(self, theta: npt.ArrayLike, t: int = 1) -> Array:
        if self._bar is not None:
            self._bar.update()
        return self.task.grad(theta, t)
