"""How a loss bends around a point: its Hessian times a vector, and the largest eigenvalue by power iteration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import grad, jvp, vmap

from adambook._check import whole
from adambook.tasks import Network

Loss = Callable[[Tensor], Tensor]

# So many points at once: the activations of a small network then stay in the processor's cache.
CHUNK = 16


def training_loss(network: Network, dtype: torch.dtype = torch.float64) -> Loss:
    """Return a network's mean cross-entropy on its whole training part, as a torch function of one theta (d,).

    theta is laid out as in `Network`; the penalty of a network with ``l2`` is left out. Raises TypeError for sparse
    data and ValueError for another activation than ReLU.
    """
    if not isinstance(network.data.x_train, np.ndarray):
        raise TypeError("training_loss needs dense rows")
    if network.activation != "relu":
        raise ValueError(f"activation = {network.activation!r}; allowed: 'relu'")
    x, y = torch.from_numpy(network.data.x_train).to(dtype), torch.from_numpy(network.data.y_train)
    sizes = [size for out, into in network.sizes for size in (out * into, out)]

    def loss(theta: Tensor) -> Tensor:
        parts, a = torch.split(theta, sizes), x
        for layer, (weights, bias) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
            a = F.linear(a.relu() if layer else a, weights.view(len(bias), -1), bias)
        return F.cross_entropy(a, y)

    return loss


def hessian_product(loss: Loss, theta: Tensor, v: Tensor) -> Tensor:
    r"""Return the Hessian of a loss at theta, times v, without forming the Hessian.

    .. math:: H v = \frac{d}{d \epsilon} \nabla f(\theta + \epsilon v) \Big|_{\epsilon = 0}

    ``loss`` takes one vector (d,) and returns a scalar; ``theta`` and ``v`` are (..., d), each row a point and a
    direction of its own, and so is the result. It costs about two gradients. Raises ValueError if the shapes differ.
    Source: Pearlmutter (1994).
    """
    if theta.shape != v.shape or not theta.ndim:
        raise ValueError(f"theta has shape {tuple(theta.shape)} and v {tuple(v.shape)}; both must be the same (..., d)")

    def product(point: Tensor, direction: Tensor) -> Tensor:
        return jvp(grad(loss), (point,), (direction,))[1]

    if theta.ndim == 1:
        return product(theta, v)
    return vmap(product, chunk_size=CHUNK)(theta.flatten(0, -2), v.flatten(0, -2)).view(theta.shape)


def sharpness(loss: Loss, theta: Tensor, iterations: int = 50, *, seed: int = 0) -> Tensor:
    r"""Return the eigenvalue of largest size of the Hessian at theta (..., d), by power iteration: (...).

    .. math:: u_k = \frac{H u_{k-1}}{\|H u_{k-1}\|}, \qquad \lambda \approx u_k^T H u_k

    ``loss`` is as for `hessian_product`. Every point starts from the same random direction, that of ``seed``. Where a
    network has been trained this eigenvalue is positive; a negative one says that the point is far from a minimum.
    Source: any book on numerical linear algebra.
    """
    iterations = whole("iterations", iterations, 1)
    generator = torch.Generator().manual_seed(whole("seed", seed))
    v = torch.randn(theta.shape[-1:], generator=generator, dtype=theta.dtype).to(theta.device).expand(theta.shape)
    for _ in range(iterations):
        v = v / torch.linalg.vector_norm(v, dim=-1, keepdim=True)
        product = hessian_product(loss, theta, v)
        value, v = (v * product).sum(dim=-1), product
    return value
