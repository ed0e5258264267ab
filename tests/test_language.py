"""Next-token prediction: windows, tenths, training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from adambook.data import Tokens
from adambook.language import Text, token_losses, train
from adambook.models import Recurrent, Transformer
from adambook.torch_optim import SGD


@pytest.fixture(scope="module")
def text() -> Text:
    ids = np.random.default_rng(0).zipf(1.5, 4000).clip(max=20) - 1
    return Text(Tokens(ids, tuple(map(str, range(20)))), context=7)


def test_the_last_of_ten_windows_is_for_testing() -> None:
    text = Text(Tokens(np.arange(160), tuple(map(str, range(160)))), context=7)
    seen, unseen = (set(torch.cat(part, dim=1).flatten().tolist()) for part in (text.train, text.test))
    assert unseen == {*range(72, 80), *range(152, 160)}
    assert seen == set(range(160)) - unseen
    for step in range(1, 50):
        x, y = text.batch(8, 0, step)
        assert torch.equal(y, x + 1)  # each input is followed by what is to be predicted
        assert not unseen & {*x.flatten().tolist(), *y.flatten().tolist()}


def test_a_batch_is_a_function_of_seed_and_step(text: Text) -> None:
    batch = text.batch(4, 1, 9)
    assert all(map(torch.equal, batch, text.batch(4, 1, 9)))
    assert not torch.equal(batch[0], text.batch(4, 1, 10)[0])
    assert not torch.equal(batch[0], text.batch(4, 2, 9)[0])


def test_tenths_go_from_frequent_to_rare(text: Text) -> None:
    counts = torch.bincount(torch.cat((text.train[0], text.train[1][:, -1:]), dim=1).flatten(), minlength=20)
    by_frequency = text.tenths[counts.argsort(descending=True, stable=True)]
    assert torch.equal(by_frequency, by_frequency.sort().values)
    sizes = counts.sort(descending=True, stable=True).values
    before = sizes.cumsum(0) - sizes
    assert torch.equal(by_frequency, (10 * before // counts.sum()).clamp(max=9))


@pytest.mark.parametrize("model", [lambda: Recurrent(20, 8), lambda: Transformer(20, 7, width=8, depth=1, heads=2)])
def test_training_lowers_the_loss(text: Text, model: type) -> None:
    torch.manual_seed(0)
    net = model()
    before = token_losses(net, text.train)
    losses = train(net, [SGD(net.parameters(), lr=1.0)], text, 60, batch=16, seed=0)
    assert len(losses) == 60
    assert token_losses(net, text.train).mean() < before.mean() - 0.3
    # A loss per token, whose mean is the loss of all: float32 sums of a few thousand numbers.
    x, y = text.train
    each = token_losses(net, text.train, windows=len(x))
    assert each.shape == x.shape
    torch.testing.assert_close(each.mean(), F.cross_entropy(net(x).flatten(0, 1), y.flatten()), rtol=1e-5, atol=0)


def test_the_step_decays_to_zero_and_a_loss_that_is_not_finite_ends_the_run(text: Text) -> None:
    net = Recurrent(20, 8)
    optimizer = SGD(net.parameters(), lr=1.0)
    train(net, [optimizer], text, 3, batch=2, seed=0)
    assert optimizer.param_groups[0]["lr"] == 0
    with torch.no_grad():
        net.head.weight[0, 0] = float("inf")
    losses = train(net, [optimizer], text, 20, batch=2, seed=0)
    assert len(losses) == 1 and not np.isfinite(losses[0])


def test_a_text_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match=r"context = 20; a text of 100 tokens allows 9"):
        Text(Tokens(np.zeros(100, int), ("a",)), context=20)
    with pytest.raises(ValueError, match="context = 0"):
        Text(Tokens(np.zeros(100, int), ("a",)), context=0)
