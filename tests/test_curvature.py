"""Products with a Hessian and its largest eigenvalue, held to the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from adambook.curvature import CHUNK, hessian_product, sharpness, training_loss
from adambook.data import bag_of_words, digits
from adambook.tasks import MLP, Network
from torch.func import hessian


def loss(theta: torch.Tensor) -> torch.Tensor:
    """A function whose Hessian depends on the point: 12 numbers, neither convex nor separable."""
    weights = theta.view(3, 4)
    return torch.tanh(weights @ weights.T).sum() + (theta**4).sum() / 4


def points(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(), (2,), (3, 2), (CHUNK + 3,)])
def test_the_product_is_the_matrix_times_the_vector(shape):
    theta, v = points(*shape), points(*shape).flip(-1)
    rows = zip(theta.view(-1, 12), v.view(-1, 12), strict=True)
    expected = torch.stack([hessian(loss)(point) @ direction for point, direction in rows])
    # 12 products of numbers below 100, each rounded to 1e-16
    torch.testing.assert_close(hessian_product(loss, theta, v), expected.view(theta.shape), rtol=0, atol=1e-11)


def test_sharpness_is_the_largest_eigenvalue_at_every_point():
    theta = points(3, 2)
    eigenvalues = torch.stack([torch.linalg.eigvalsh(hessian(loss)(point)) for point in theta.view(-1, 12)])
    # The error shrinks by the squared ratio of the two largest at each turn; the worst of these six is checked here.
    sizes = eigenvalues.abs().sort(dim=1).values
    assert (sizes[:, -2] / sizes[:, -1]).max() ** (2 * 600) < 1e-9
    expected = eigenvalues.gather(1, eigenvalues.abs().argmax(dim=1, keepdim=True)).view(3, 2)
    torch.testing.assert_close(sharpness(loss, theta, 600), expected, rtol=1e-8, atol=0)


def test_a_saddle_gives_the_negative_eigenvalue():
    values = torch.tensor([2.0, -5.0, 1.0], dtype=torch.float64)
    # 0.4^100 is nothing
    found = sharpness(lambda theta: (values * theta**2).sum() / 2, torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor(-5.0, dtype=torch.float64), rtol=1e-14, atol=0)


def test_a_point_has_the_same_sharpness_alone_and_in_company():
    theta = points(CHUNK + 3)
    # Rounding only: 50 turns.
    torch.testing.assert_close(sharpness(loss, theta)[-1], sharpness(loss, theta[-1]), rtol=1e-10, atol=0)


def test_shapes_and_counts_are_checked():
    with pytest.raises(ValueError, match=r"theta has shape \(2, 12\) and v \(12,\)"):
        hessian_product(loss, points(2), points())
    with pytest.raises(ValueError, match="iterations = 0"):
        sharpness(loss, points(), 0)


@pytest.mark.parametrize("hidden", [(), (5,), (6, 4)])
def test_the_training_loss_is_the_networks(hidden):
    network = Network(digits().first(50), hidden=hidden)
    theta = network.start + 0.1 * np.random.default_rng(0).normal(size=network.dim)
    found = training_loss(network)(torch.from_numpy(theta)).item()
    # Sums of 64 products and of 50 rows, in float64
    assert found == pytest.approx(network.evaluate(theta).train_loss, rel=1e-13)


def test_the_training_loss_says_what_it_cannot_do():
    with pytest.raises(TypeError, match="dense rows"):
        training_loss(Network(bag_of_words()))
    with pytest.raises(ValueError, match="activation = 'tanh'"):
        training_loss(MLP(digits(), 4, activation="tanh"))
