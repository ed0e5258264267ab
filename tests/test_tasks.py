"""The tasks: gradients, stacking, reproducible batches, and what `tune` writes down."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from adambook import data, tasks
from adambook.descent import descend
from adambook.numpy_optim import SGD, Adagrad, Adam
from adambook.tasks import (
    MLP,
    Bigram,
    Evaluation,
    Network,
    SoftmaxRegression,
    StreamingRegression,
    summary,
    tune,
)


@pytest.fixture(scope="module")
def digits():
    return data.digits()


@pytest.fixture(scope="module")
def words():
    return data.bag_of_words()


MAKE = {
    "softmax, all rows": lambda digits, words: SoftmaxRegression(digits, l2=0.1),
    "softmax, batches, seeds": lambda digits, words: SoftmaxRegression(digits, batch=16, seeds=(0, 1)),
    "ReLU network, seeds": lambda digits, words: MLP(digits, 8, batch=32, seeds=(3, 4)),
    "tanh network, all rows": lambda digits, words: MLP(digits, 8, activation="tanh", l2=0.1),
    "two hidden layers": lambda digits, words: Network(digits, hidden=(6, 5), activation="tanh", batch=32),
    "relabelled": lambda digits, words: MLP(digits, 8, batch=32, relabel_every=5, seeds=(3, 4)),
    "sparse, batch 1, seeds": lambda digits, words: SoftmaxRegression(words, batch=1, seeds=(0, 1)),
    "sparse, batch 1, hidden": lambda digits, words: MLP(words, 4, batch=1),
    "sparse, batch 4": lambda digits, words: SoftmaxRegression(words, batch=4),
    "stream": lambda digits, words: StreamingRegression(7, flip_every=5, batch=3, seeds=(0, 1)),
    "bigrams": lambda digits, words: Bigram(data.words(12)),
}


def stack_of(task, members=3):
    rng = np.random.default_rng(1)
    shape = (members, *task.start.shape)
    return task.start + 0.1 * rng.standard_normal(shape)


@pytest.mark.parametrize("name", MAKE)
def test_gradient_is_that_of_the_value(name, digits, words):
    task = MAKE[name](digits, words)
    theta, h = stack_of(task), 1e-6
    grad = task.grad(theta, 7)
    # Directions through all coordinates see every weight; a central difference errs by h^2 plus 1e-16 / h.
    for k in range(5):
        direction = np.random.default_rng(k).choice([-1.0, 1.0], task.dim)
        slope = (task.value(theta + h * direction, 7) - task.value(theta - h * direction, 7)) / (2 * h)
        np.testing.assert_allclose(slope, grad @ direction, rtol=1e-6, atol=1e-6)
    live = np.argsort(-np.abs(grad).reshape(-1, task.dim).max(axis=0))[:10]
    for i in live:
        step = h * np.eye(1, task.dim, i)[0]
        slope = (task.value(theta + step, 7) - task.value(theta - step, 7)) / (2 * h)
        np.testing.assert_allclose(slope, grad[..., i], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_network_is_torchs(activation, digits):
    task = MLP(digits, 8, activation=activation, batch=32)
    layer = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[activation]
    model = torch.nn.Sequential(torch.nn.Linear(64, 8), layer(), torch.nn.Linear(8, 10)).double()
    torch.nn.utils.vector_to_parameters(torch.tensor(task.start), model.parameters())
    rows = task.batch_rows(4)
    loss = torch.nn.functional.cross_entropy(
        model(torch.tensor(digits.x_train[rows])), torch.tensor(digits.y_train[rows])
    )
    loss.backward()
    theirs = torch.cat([p.grad.ravel() for p in model.parameters()]).numpy()
    # The same sums in another order: some rounding errors of 1e-16 each.
    np.testing.assert_allclose(task.value(task.start, 4), loss.item(), rtol=1e-13)
    np.testing.assert_allclose(task.grad(task.start, 4), theirs, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(
        task.logits(task.start, digits.x_test), model(torch.tensor(digits.x_test)).detach()
    )


def test_sparse_steps_are_the_dense_ones(words):
    dense = replace(words, x_train=words.x_train.dense(), x_test=words.x_test.dense())
    for seeds in (0, (0, 1)):
        sparse_task, dense_task = (SoftmaxRegression(d, batch=1, seeds=seeds) for d in (words, dense))
        theta = stack_of(sparse_task, 2)
        for t in (1, 2, 1030, 1031):
            np.testing.assert_allclose(
                sparse_task.grad(theta, t), dense_task.grad(theta, t), rtol=1e-12, atol=1e-16
            )
            np.testing.assert_allclose(sparse_task.value(theta, t), dense_task.value(theta, t), rtol=1e-12)


@pytest.mark.parametrize("name", ["MLP", "sparse", "stream"])
def test_stacked_runs_equal_looped_runs(name, digits, words):
    make = {
        "MLP": lambda seeds: MLP(digits, 8, batch=64, seeds=seeds, relabel_every=10),
        "sparse": lambda seeds: SoftmaxRegression(words, batch=1, seeds=seeds),
        "stream": lambda seeds: StreamingRegression(5, flip_every=10, seeds=seeds),
    }[name]
    lrs, seeds = np.array([0.003, 0.03]), (4, 7)
    together = make(seeds)
    stacked = descend(Adam(lrs[:, None, None]), together, together.start, 25, record="loss")
    assert stacked.final.shape == (2, 2, together.dim)
    for i, lr in enumerate(lrs):
        for j, seed in enumerate(seeds):
            alone = make(seed)
            single = descend(Adam(lr), alone, alone.start, 25, record="loss")
            # BLAS may sum in another order for another shape; 25 steps of Adam let 1e-16 grow a little.
            np.testing.assert_allclose(stacked.final[i, j], single.final, rtol=1e-9, atol=1e-11)
            np.testing.assert_allclose(stacked.loss[:, i, j], single.loss, rtol=1e-9)


def test_batches_are_a_pure_function_of_seed_and_step(digits):
    task = SoftmaxRegression(digits, batch=100, seeds=(0, 5))
    forwards = [task.batch_rows(t).copy() for t in range(1, 40)]
    backwards = [task.batch_rows(t).copy() for t in range(39, 0, -1)][::-1]
    fresh = [SoftmaxRegression(digits, batch=100, seeds=5).batch_rows(t) for t in range(1, 40)]
    for there, back, alone in zip(forwards, backwards, fresh, strict=True):
        assert np.array_equal(there, back)
        assert np.array_equal(there[1], alone)
    assert not np.array_equal(forwards[0][0], forwards[0][1])
    assert not np.array_equal(forwards[0], forwards[13])  # the second epoch has an order of its own


def test_an_epoch_sees_every_row_once(digits):
    task = SoftmaxRegression(digits, batch=4)
    assert task.steps_per_epoch == 337
    seen = np.concatenate([task.batch_rows(t) for t in range(1, 338)])
    assert np.array_equal(np.sort(seen), np.arange(1348))
    assert SoftmaxRegression(digits).steps_per_epoch == 1


def test_every_method_sees_the_same_batches(digits, monkeypatch):
    seen = []
    draw = Network.batch_rows
    monkeypatch.setattr(
        Network, "batch_rows", lambda self, t: seen.append(draw(self, t).copy()) or draw(self, t)
    )
    task, orders = SoftmaxRegression(digits, batch=32), []
    for make in (SGD, Adagrad, Adam):
        seen.clear()
        tune(make, task, [0.01, 0.1], (0, 1), 5)
        orders.append(np.array(seen))
    assert orders[0].shape[1:] == (2, 32)
    assert np.array_equal(orders[0], orders[1]) and np.array_equal(orders[0], orders[2])


def test_starts(digits):
    softmax, network = SoftmaxRegression(digits, seeds=(0, 1)), MLP(digits, 16, seeds=(0, 1))
    assert softmax.start.shape == (2, 650) and not softmax.start.any()
    np.testing.assert_allclose(softmax.value(softmax.start), np.log(10), rtol=1e-14)
    assert network.start.shape == (2, network.dim) == (2, 16 * 65 + 10 * 17)
    assert not np.array_equal(network.start[0], network.start[1])
    assert np.array_equal(network.start[1], MLP(digits, 16, seeds=1).start)
    first = network.start[:, : 16 * 64]
    assert np.sqrt(6 / 64) * 0.95 < np.abs(first).max() < np.sqrt(6 / 64)
    assert not network.start[:, 16 * 64 : 16 * 65].any()


def test_evaluation_by_hand(digits):
    task = MLP(digits, 8, seeds=(0, 1), l2=0.5)
    theta = stack_of(task)
    found = task.evaluate(theta)
    assert all(field.shape == (3, 2) for field in found)
    for x, y, loss, error, penalty in (
        (digits.x_train, digits.y_train, found.train_loss, found.train_error, 0.25 * (theta**2).sum(axis=-1)),
        (digits.x_test, digits.y_test, found.test_loss, found.test_error, 0),
    ):
        z = task.logits(theta, x)
        assert z.shape == (3, 2, len(y), 10)
        p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(
            loss - penalty, -np.log(p[..., np.arange(len(y)), y]).mean(axis=-1), rtol=1e-9
        )
        np.testing.assert_allclose(error, (z.argmax(axis=-1) != y).mean(axis=-1), rtol=1e-12)
    np.testing.assert_allclose(found.train_loss, task.value(theta), rtol=1e-12)  # the batch is all rows


def test_evaluation_in_slices_is_the_same(digits, monkeypatch):
    task = MLP(digits, 8)
    theta = stack_of(task)
    whole = task.evaluate(theta)
    monkeypatch.setattr(tasks, "SLICE", 1000)
    np.testing.assert_allclose(np.array(task.evaluate(theta)), np.array(whole), rtol=1e-12)


def test_relabelling_permutes_the_classes(digits):
    task, plain = SoftmaxRegression(digits, relabel_every=10), SoftmaxRegression(digits)
    theta = stack_of(task)
    assert np.array_equal(task.grad(theta, 10), plain.grad(theta))
    new_name = task._new_names(11)
    assert sorted(new_name) == list(range(10)) and not np.array_equal(new_name, np.arange(10))
    renamed = SoftmaxRegression(
        replace(digits, y_train=new_name[digits.y_train], y_test=new_name[digits.y_test])
    )
    np.testing.assert_allclose(task.grad(theta, 11), renamed.grad(theta), rtol=1e-13)
    np.testing.assert_allclose(
        np.array(task.evaluate(theta, 20)), np.array(renamed.evaluate(theta)), rtol=1e-13
    )
    assert not np.array_equal(task._new_names(21), new_name)


def test_a_diverged_member_leaves_the_others_alone(digits):
    for task in (MLP(digits, 8, batch=16), SoftmaxRegression(digits, batch=16)):
        theta = stack_of(task, 4)
        theta[1], theta[2, 3] = np.nan, np.inf
        grad, value, found = task.grad(theta, 3), task.value(theta, 3), task.evaluate(theta)
        for i in (0, 3):
            np.testing.assert_allclose(grad[i], task.grad(theta[i], 3), rtol=1e-12, atol=1e-16)
            np.testing.assert_allclose(value[i], task.value(theta[i], 3), rtol=1e-12)
            assert all(np.isfinite(field[i]) for field in found)
        assert np.isnan(grad[1]).any() and not np.isfinite(value[1])
        assert np.isnan(found.test_error[1]) and not np.isfinite(found.train_loss[1])


def test_float32_stays_float32(digits, words):
    for task in (
        MLP(digits, 8, batch=16, dtype=np.float32),
        SoftmaxRegression(words, batch=1, dtype=np.float32),
    ):
        assert (
            task.start.dtype
            == task.grad(task.start, 2).dtype
            == task.value(task.start, 2).dtype
            == np.float32
        )
        run = descend(Adam(np.array([[0.01]])), task, task.start, 3, record="last")
        assert run.final.dtype == np.float32
    exact = MLP(digits, 8, batch=16)
    np.testing.assert_allclose(
        MLP(digits, 8, batch=16, dtype=np.float32).value(exact.start.astype(np.float32), 2),
        exact.value(exact.start, 2),
        rtol=1e-5,
    )


def test_stream_flips_and_knows_its_excess():
    task = StreamingRegression(4, flip_every=10, noise=0.0, seeds=(0, 1), batch=2)
    assert np.array_equal(task.target(10), -task.target(11)) and np.array_equal(
        task.target(10), task.target(21)
    )
    assert not task.value(task.target(12), 12).any() and task.value(task.target(1), 12).all()
    still = descend(SGD(0.0), task, task.start, 12)
    np.testing.assert_allclose(task.excess(still), np.tile(0.5 * (task.target(1) ** 2).sum(axis=-1), (12, 1)))
    perfect = descend(SGD(0.0), task, task.target(1), 12)
    assert not task.excess(perfect)[:10].any()
    np.testing.assert_allclose(task.excess(perfect)[10:], 4 * task.excess(still)[10:])
    np.testing.assert_allclose(task.mean_excess(perfect), task.excess(perfect).mean(axis=0))
    moving = descend(Adam(0.1), task, steps=12)
    by_hand = [0.5 * ((moving.theta[t - 1] - task.target(t)) ** 2).sum(axis=-1) for t in moving.t]
    np.testing.assert_allclose(task.excess(moving), by_hand, rtol=1e-13)
    # The expected loss of one batch is the excess: the mean over many batches comes near it.
    many = StreamingRegression(4, flip_every=None, noise=0.0, batch=100)
    mean = np.mean([many.value(many.start, t) for t in range(1, 201)])
    np.testing.assert_allclose(mean, many.excess(descend(SGD(0.0), many, steps=1))[0], rtol=0.05)


def test_bigram_floor_is_reached_and_never_passed():
    tokens = data.words(30)
    task = Bigram(tokens)
    logits = np.log(np.maximum(task.frequency, 1e-300)).ravel()
    np.testing.assert_allclose(task.value(logits), task.floor, rtol=1e-9)
    np.testing.assert_allclose(task.value(task.start), np.log(30), rtol=1e-12)
    pairs = np.zeros((30, 30))
    np.add.at(pairs, (tokens.ids[:-1], tokens.ids[1:]), 1)
    np.testing.assert_allclose(task.frequency, pairs / pairs.sum())
    theta = stack_of(task)
    np.testing.assert_allclose(
        (task.loss_by_word(theta) * task.frequency.sum(axis=0)).sum(axis=-1), task.value(theta)
    )


def test_tune_keeps_the_whole_row(digits):
    task = SoftmaxRegression(digits, batch=64)
    lrs = [0.01, 0.1, 1.0]
    found = tune(Adam, task, lrs, (0, 1, 2), 30)
    assert found.scores.shape == found.diverged.shape == (3, 3) and found.final.shape == (3, 3, 650)
    np.testing.assert_allclose(found.mean, found.scores.mean(axis=1))
    np.testing.assert_allclose(found.std, found.scores.std(axis=1, ddof=1))
    assert isinstance(found.evaluation, Evaluation)
    assert np.array_equal(found.evaluation.train_loss, found.scores)
    assert found.best == 1 and found.best_lr == 0.1 and not found.at_edge
    assert found.best_mean == found.mean[1] and found.best_std == found.std[1]
    alone = task.with_seeds(2)
    single = descend(Adam(0.1), alone, alone.start, 30, record="last").final
    np.testing.assert_allclose(found.final[1, 2], single, rtol=1e-9, atol=1e-11)
    lines = str(found).splitlines()
    assert len(lines) == 4 and "Adam" in lines[0] and "30 steps" in lines[0] and "3 seeds" in lines[0]
    assert lines[2].endswith("<- best") and f"{found.mean[1]:.4f} +- {found.std[1]:.4f}" in lines[2]
    assert f"{found.best_mean:.4f}" in summary(found, found)


def test_tune_flags_the_grids_edge(digits):
    task = SoftmaxRegression(digits, batch=64)
    low, high = tune(Adam, task, [0.1, 5.0], (0,), 30), tune(Adam, task, [0.001, 0.01], (0,), 30)
    assert low.best == 0 and low.at_edge and high.best == 1 and high.at_edge
    assert "edge" in str(low) and "edge" in summary(high)
    assert np.isnan(low.std).all() and "+-" not in str(low)


def test_tune_marks_what_diverged(digits):
    found = tune(SGD, MLP(digits, 8, batch=64, l2=0.1), [0.01, 0.1, 1e4], (0, 1), 300)
    assert found.diverged.tolist() == [[False, False], [False, False], [True, True]]
    assert found.mean[2] == np.inf and np.isnan(found.std[2]) and found.best == 1
    assert "diverged (2 of 2)" in str(found)
    alone = tune(SGD, MLP(digits, 8, batch=64, l2=0.1), [0.01, 0.1], (0, 1), 300)
    np.testing.assert_allclose(found.scores[:2], alone.scores, rtol=1e-9)


def test_tune_does_not_score_the_last_point_before_the_end(digits):
    class Breaks(SoftmaxRegression):
        def _grad(self, theta, t):
            return super()._grad(theta, t) * (np.nan if t == 20 else 1)

    # Stopped at step 20, when all is well: the point reached there is a good one, but no result.
    with pytest.raises(ValueError, match="diverged for every lr"):
        tune(Adam, Breaks(digits, batch=64), [0.01], (0,), 30)
    assert tune(Adam, Breaks(digits, batch=64), [0.01], (0,), 19).best_mean < np.log(10)


def test_tune_marks_what_got_worse_than_standing_still():
    stream = StreamingRegression(5, batch=4, flip_every=None)
    found = tune(SGD, stream, [0.1, 3.0], (0, 1), 20, score=StreamingRegression.mean_excess)
    assert np.isfinite(found.scores).all()  # 20 steps are too few to overflow
    assert found.diverged.tolist() == [[False, False], [True, True]]
    assert found.evaluation is None and found.score == "mean excess"


def test_tune_in_chunks_is_the_same(digits, monkeypatch):
    task = SoftmaxRegression(digits, batch=64)
    whole = tune(Adam, task, [0.01, 0.03, 0.1], (0, 1), 10)
    monkeypatch.setattr(tasks, "CHUNK", 2 * 650 * 2)
    np.testing.assert_allclose(tune(Adam, task, [0.01, 0.03, 0.1], (0, 1), 10).final, whole.final, rtol=1e-12)


def test_schedule_and_name_are_passed_on(digits):
    task = SoftmaxRegression(digits, batch=64)
    found = tune(lambda lr: SGD(lr), task, [0.1], (0,), 4, schedule=lambda t: float(t == 1), name="one step")
    one = descend(SGD(0.1), task, task.start, 1, record="last").final
    np.testing.assert_allclose(found.final[0, 0], one, rtol=1e-12)
    assert found.name == "one step"


@pytest.mark.parametrize(
    ("terminal", "silenced", "shows"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_progress_bar_shows_where_someone_watches(digits, monkeypatch, terminal, silenced, shows):
    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    stream = Stream()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(tasks, "DELAY", 0)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.delenv("ADAMBOOK_NO_PROGRESS", raising=False)
    if silenced:
        monkeypatch.setenv("ADAMBOOK_NO_PROGRESS", "1")
    tune(Adam, SoftmaxRegression(digits, batch=64), [0.1], (0,), 20)
    assert ("Adam" in stream.getvalue()) is shows
    assert stream.getvalue().strip(" \r") == "" or stream.getvalue().endswith(
        "\r"
    )  # nothing is left on the line


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda d: SoftmaxRegression(d, batch=0), ValueError, "batch = 0"),
        (lambda d: SoftmaxRegression(d, batch=10_000), ValueError, "batch = 10000.*1348"),
        (lambda d: MLP(d, 0), ValueError, "hidden = 0"),
        (lambda d: MLP(d, activation="gelu"), ValueError, "'gelu'.*'relu', 'tanh'"),
        (lambda d: MLP(d, l2=-1), ValueError, "l2 = -1"),
        (lambda d: MLP(d, seeds=(1, 1)), ValueError, r"seeds = \(1, 1\)"),
        (lambda d: MLP(d, seeds=()), ValueError, "seeds"),
        (lambda d: MLP(d, seeds=0.5), TypeError, "seeds = 0.5"),
        (lambda d: MLP(d, relabel_every=0), ValueError, "relabel_every = 0"),
        (lambda d: MLP(d, dtype=int), TypeError, "dtype"),
        (
            lambda d: SoftmaxRegression(d, seeds=(0, 1)).grad(np.zeros(650)),
            ValueError,
            r"\(650,\).*\(\.\.\., 2, 650\)",
        ),
        (lambda d: SoftmaxRegression(d).grad(np.zeros(651)), ValueError, r"\(\.\.\., 650\)"),
        (lambda d: StreamingRegression(noise=-1), ValueError, "noise = -1"),
        (lambda d: StreamingRegression(flip_every=0), ValueError, "flip_every = 0"),
        (lambda d: tune(Adam, SoftmaxRegression(d), [0.1, 0.01], (0,), 5), ValueError, "lrs.*rising"),
        (lambda d: tune(Adam, SoftmaxRegression(d), [0.0, 0.01], (0,), 5), ValueError, "lrs.*positive"),
        (lambda d: tune(Adam, SoftmaxRegression(d), [], (0,), 5), ValueError, "lrs"),
        (lambda d: tune(Adam, SoftmaxRegression(d), [0.1], (0,), 0), ValueError, "steps = 0"),
        (
            lambda d: tune(Adam, SoftmaxRegression(d), [0.1], (0,), 5, score="accuracy"),
            ValueError,
            "'train_loss'",
        ),
        (lambda d: tune(Adam, StreamingRegression(), [0.1], (0,), 5), TypeError, "streaming regression"),
        (lambda d: tune(SGD, MLP(d, l2=0.1), [1e5, 1e6], (0,), 300), ValueError, "SGD diverged for every lr"),
        (
            lambda d: StreamingRegression(3).excess(
                descend(SGD(), StreamingRegression(3), steps=2, record="last")
            ),
            ValueError,
            "record='all'",
        ),
    ],
)
def test_bad_input_is_named(call, error, says, digits):
    with pytest.raises(error, match=says):
        call(digits)
