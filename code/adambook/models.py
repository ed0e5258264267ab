"""Small torch models that several pages train, and `stack`, which runs copies of one as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils import parameters_to_vector

from adambook._check import real, whole


def stack(make: Callable[[], nn.Module], seeds: Iterable[int]) -> tuple[Tensor, Callable[..., Any]]:
    """Return the parameters theta (n, d) of one model for each seed, and the function that runs all of them.

    ``run(theta, *inputs)`` gives member i the row i of theta and of each input, and stacks what the members
    return; dropout is drawn anew for each. Any number of rows will do. A row holds the parameters in the order of
    ``model.parameters()``, so an optimizer that works on single coordinates can take the stack as one parameter.
    Models with buffers are refused with ValueError. The global random state is left as it was.
    """
    models = []
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.manual_seed(whole("seeds", seed))
            models.append(make())
    if not models or any(True for _ in models[0].buffers()):
        raise ValueError("stack needs at least one seed, and models without buffers (no batch normalization)")
    base = models[0]
    shapes = {name: parameter.shape for name, parameter in base.named_parameters()}
    sizes = [shape.numel() for shape in shapes.values()]

    def one(vector: Tensor, *inputs: Tensor) -> Any:
        parts = zip(shapes.items(), torch.split(vector, sizes), strict=True)
        return functional_call(base, {name: part.view(shape) for (name, shape), part in parts}, inputs)

    theta = torch.stack([parameters_to_vector(model.parameters()).detach() for model in models])
    return theta, vmap(one, randomness="different")


def mlp(hidden: int = 64, dropout: float = 0.0) -> nn.Sequential:
    """Return a network with two hidden layers of ReLUs for the digits: (n, 64) to (n, 10) logits.

    ``dropout`` is the share of each hidden layer that is left out while training.
    """
    hidden, dropout = whole("hidden", hidden, 1), real("dropout", dropout, 0, 1, open_high=True)
    layers: list[nn.Module] = []
    for inputs in (64, hidden):
        layers += [nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(hidden, 10))


def cnn(channels: int = 8, hidden: int = 64, dropout: float = 0.0, input_dropout: float = 0.0) -> nn.Sequential:
    """Return a convolutional network for the digits: (n, 64) to (n, 10) logits.

    Two stages of 3 x 3 filters, with ``channels`` and twice as many, each followed by 3 x 3 maxima in steps of
    2, and a hidden layer. ``dropout`` is the share of the hidden layer that is left out while training,
    ``input_dropout`` that of the pixels.
    """
    channels, hidden = whole("channels", channels, 1), whole("hidden", hidden, 1)
    dropout = real("dropout", dropout, 0, 1, open_high=True)
    input_dropout = real("input_dropout", input_dropout, 0, 1, open_high=True)
    layers: list[nn.Module] = [nn.Dropout(input_dropout), nn.Unflatten(1, (1, 8, 8))]
    for inputs, outputs in ((1, channels), (channels, 2 * channels)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]
    layers += [nn.Flatten(), nn.Linear(8 * channels, hidden), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(hidden, 10))


class VAE(nn.Module):
    r"""A variational autoencoder with one hidden layer of softplus units on either side.

    .. math:: z = \mu(x) + \sigma(x)\, \xi, \qquad
              \mathcal L(x) = -\log p(x \mid z) + \tfrac12 \sum_j (\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2)

    ``forward(x, noise)`` returns the loss, the negative evidence lower bound in nats, (n,), for pixels x (n,
    pixels) in [0, 1] and standard normal noise (n, latent); p is a Bernoulli distribution for each pixel.
    ``decode(z)`` returns the pixels' means. Source: Kingma and Welling (2014), section 3 and appendix C.
    """

    def __init__(self, pixels: int = 64, hidden: int = 32, latent: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(pixels, hidden), nn.Softplus(), nn.Linear(hidden, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.Softplus(), nn.Linear(hidden, pixels))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        mu, log_variance = self.encoder(x).chunk(2, dim=-1)
        z = mu + noise * (0.5 * log_variance).exp()
        rebuilding = binary_cross_entropy_with_logits(self.decoder(z), x, reduction="none").sum(-1)
        return rebuilding + 0.5 * (mu**2 + log_variance.exp() - 1 - log_variance).sum(-1)

    def decode(self, z: Tensor) -> Tensor:
        pixels: Tensor = self.decoder(z).sigmoid()
        return pixels


class Transformer(nn.Module):
    """A small decoder-only transformer: (batch, time) token numbers to (batch, time, vocabulary) logits.

    ``post_norm`` normalizes after each sum, as in Vaswani et al. (2017), instead of what goes into its second part.
    """

    def __init__(
        self,
        vocabulary: int,
        context: int,
        dropout: float = 0.0,
        width: int = 64,
        depth: int = 4,
        heads: int = 4,
        post_norm: bool = False,
    ) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.place = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout, post_norm) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        for embedding in (self.token, self.place):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token(ids) + self.place.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x))
        return logits


class Block(nn.Module):
    """Causal self-attention and a network of two layers, each added to what comes in."""

    def __init__(self, width: int, heads: int, dropout: float, post_norm: bool = False) -> None:
        super().__init__()
        self.heads, self.dropout, self.post_norm = heads, dropout, post_norm
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.post_norm:
            x = self.norm1(x + self.attention(x))
            return self.norm2(x + self.mlp(x))
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def attention(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        out: Tensor = self.out(attended.transpose(1, 2).flatten(-2))
        return out


class Recurrent(nn.Module):
    """One LSTM layer: (batch, time) token numbers to (batch, time, vocabulary) logits."""

    def __init__(self, vocabulary: int, width: int = 64) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.lstm(self.token(ids))[0])
        return logits


LEVELS = 100  # of noise, in a diffusion model


def signal() -> Tensor:
    """Return the share of the variance that is still signal at each level 0 to LEVELS, float32 (LEVELS + 1,).

    It is the product of 1 - beta over the levels below, with beta rising linearly from 0.1 / LEVELS to 20 / LEVELS:
    at a thousand levels the schedule of Ho, Jain and Abbeel (2020), section 4.
    """
    beta = torch.linspace(0.1, 20, LEVELS) / LEVELS
    return torch.cat([torch.ones(1), torch.cumprod(1 - beta, 0)])


def noised(x: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """Return x at level t: sqrt(a_t) x + sqrt(1 - a_t) noise, with a from `signal`; t has x's shape but the last."""
    a = signal()[t][..., None]
    return a.sqrt() * x + (1 - a).sqrt() * noise


class Denoiser(nn.Module):
    """A network that names the noise in x at level t: x (n, dim) and whole numbers t (n,) to (n, dim)."""

    def __init__(self, dim: int, hidden: int = 128) -> None:
        super().__init__()
        self.angles = torch.pi / 2 / LEVELS * torch.arange(1, 9)  # the level as eight sines and eight cosines
        self.net = nn.Sequential(
            *(nn.Linear(dim + 16, hidden), nn.SiLU()),
            *(nn.Linear(hidden, hidden), nn.SiLU()),
            nn.Linear(hidden, dim),
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        angle = t[..., None] * self.angles
        named: Tensor = self.net(torch.cat([x, angle.sin(), angle.cos()], -1))
        return named


@torch.no_grad()
def denoised(
    predict: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, ...], seed: int, eta: float = 1.0
) -> Tensor:
    r"""Return samples of this shape on their way from noise to data, (LEVELS + 1, *shape).

    .. math:: \hat x_0 = (x_t - \sqrt{1 - a_t}\, \hat\epsilon) / \sqrt{a_t}, \qquad
              x_{t-1} = \sqrt{a_{t-1}}\, \hat x_0 + \sqrt{1 - a_{t-1} - \sigma^2}\, \hat\epsilon + \sigma \xi, \qquad
              \sigma^2 = \eta^2 \frac{1 - a_{t-1}}{1 - a_t} \Big(1 - \frac{a_t}{a_{t-1}}\Big)

    ``predict(x, t)`` names the noise. ``seed`` decides all of the randomness; what stands along leading axes of
    ``shape``, before the last two, gets the same. ``eta`` is 1 for the chain of Ho, Jain and Abbeel (2020), equation
    7, and 0 for one without new noise. Source: Song, Meng and Ermon (2021), equations 12 and 16.
    """
    eta = real("eta", eta, 0, 1)
    generator, a = torch.Generator().manual_seed(whole("seed", seed)), signal()
    path = [torch.randn(shape[-2:], generator=generator).expand(shape)]
    for t in range(LEVELS, 0, -1):
        x, sigma = path[-1], eta * ((1 - a[t - 1]) / (1 - a[t]) * (1 - a[t] / a[t - 1])).sqrt()
        noise = predict(x, torch.full(shape[:-1], t))
        clean = (x - (1 - a[t]).sqrt() * noise) / a[t].sqrt()
        back = a[t - 1].sqrt() * clean + (1 - a[t - 1] - sigma**2).clamp(min=0).sqrt() * noise
        path.append(back + sigma * torch.randn(shape[-2:], generator=generator))
    return torch.stack(path)


def sliced_wasserstein(a: Tensor, b: Tensor, directions: int = 256) -> Tensor:
    """Return how far two clouds of n points are apart, (...,), for a (..., n, d) and b (n, d) of equal n.

    On each of many random lines, the same in every call, the sorted shadows of the points are matched; the root mean
    square of the gaps is the distance. Raises ValueError where the clouds differ in size.
    """
    if a.shape[-2:] != b.shape[-2:]:
        raise ValueError(f"a has shape {tuple(a.shape)}, b {tuple(b.shape)}; allowed: the same last two axes")
    generator = torch.Generator().manual_seed(0)
    lines = F.normalize(torch.randn(a.shape[-1], directions, generator=generator), dim=0)
    gaps = (a @ lines).sort(-2).values - (b @ lines).sort(-2).values
    return gaps.square().mean((-2, -1)).sqrt()


def next_frame(frames: int = 4, channels: int = 16) -> nn.Sequential:
    """Return a network that draws the frame after the last ones: (n, frames, h, w) to (n, 1, h, w); h, w even.

    Four layers of filters; the first halves the height and the width, and the last one's four channels are the four
    pixels of each place in the finer frame.
    """
    channels, layers = whole("channels", channels, 1), list[nn.Module]()
    for inputs, size, step in ((whole("frames", frames, 1), 5, 2), (channels, 3, 1), (channels, 3, 1)):
        layers += [nn.Conv2d(inputs, channels, size, step, padding=size // 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(channels, 4, 3, padding=1), nn.PixelShuffle(2))


@torch.no_grad()
def rolled_out(model: Callable[[Tensor], Tensor], seen: Tensor, steps: int) -> Tensor:
    """Return what a model makes of its own predictions, (n, steps, h, w), after the frames seen (n, frames, h, w)."""
    film = seen
    for _ in range(whole("steps", steps, 1)):
        film = torch.cat([film, model(film[:, -seen.shape[1] :]).clamp(0, 1)], 1)
    return film[:, seen.shape[1] :]
