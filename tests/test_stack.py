"""A stack runs each of its models as if alone; the models of the Adam paper's figures are what they say."""

from __future__ import annotations

import pytest
import torch
from adambook.models import VAE, cnn, mlp, stack
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn.utils import parameters_to_vector

# Float32 sums of at most 128 products, in another order: each is off by 128 roundings of 2^-24 at worst.
CLOSE = {"rtol": 128 * 2.0**-24, "atol": 128 * 2.0**-24}


@pytest.mark.parametrize("make", [mlp, cnn, lambda: nn.Linear(64, 10)])
def test_a_member_is_its_model_alone(make):
    theta, run = stack(make, (3, 5))
    theta.requires_grad_()
    x = torch.rand(2, 7, 64, generator=torch.Generator().manual_seed(0))
    together = run(theta, x)
    together.square().mean((1, 2)).sum().backward()
    for i, seed in enumerate((3, 5)):
        torch.manual_seed(seed)
        model = make()
        alone = model(x[i])
        torch.testing.assert_close(together[i], alone, **CLOSE)
        alone.square().mean().backward()
        torch.testing.assert_close(theta[i], parameters_to_vector(model.parameters()), rtol=0, atol=0)
        expected = torch.cat([p.grad.flatten() for p in model.parameters()])
        torch.testing.assert_close(theta.grad[i], expected, **CLOSE)


def test_a_stack_leaves_the_random_state_alone():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    stack(mlp, (0, 1))
    assert torch.equal(torch.rand(1), expected)


def test_each_member_draws_its_own_dropout():
    theta, run = stack(lambda: mlp(dropout=0.5), (0, 0))
    first, second = run(theta, torch.ones(2, 4, 64))
    assert torch.equal(theta[0], theta[1]) and not torch.allclose(first, second)


@pytest.mark.parametrize(("make", "seeds"), [(lambda: nn.BatchNorm1d(3), (0,)), (mlp, ())])
def test_what_cannot_be_stacked_is_refused(make, seeds):
    with pytest.raises(ValueError, match="at least one seed, and models without buffers"):
        stack(make, seeds)


def test_dropout_is_where_it_is_said():
    model = cnn(dropout=0.5, input_dropout=0.2)
    assert [layer.p for layer in model if isinstance(layer, nn.Dropout)] == [0.2, 0.5]
    assert isinstance(model[0], nn.Dropout) and isinstance(model[-2], nn.Dropout)
    assert [layer.p for layer in mlp(dropout=0.3) if isinstance(layer, nn.Dropout)] == [0.3, 0.3]


@pytest.mark.parametrize("make", [lambda: mlp(dropout=1), lambda: cnn(input_dropout=-0.1), lambda: mlp(0)])
def test_bad_models_are_refused(make):
    with pytest.raises(ValueError, match=r"(dropout|hidden) = .* is out of range"):
        make()


def test_the_loss_of_the_vae_is_the_negative_bound():
    torch.manual_seed(0)
    model = VAE(pixels=64, hidden=16, latent=3)
    x, noise = torch.rand(5, 64), torch.randn(5, 3)
    mu, log_variance = model.encoder(x).chunk(2, dim=-1)
    posterior = Normal(mu, log_variance.exp().sqrt())
    z = mu + posterior.scale * noise
    likelihood = Bernoulli(logits=model.decoder(z), validate_args=False).log_prob(x).sum(-1)
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).sum(-1) - likelihood
    torch.testing.assert_close(model(x, noise), expected, **CLOSE)
    torch.testing.assert_close(model.decode(z), Bernoulli(logits=model.decoder(z)).mean, **CLOSE)
