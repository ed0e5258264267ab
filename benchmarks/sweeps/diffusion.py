"""Sample quality of small diffusion models against learning rate, on the digits.

    python benchmarks/sweeps/diffusion.py [--record]

Each optimizer gets six learning rates, half a decade apart, and three seeds, all with the same starts, batches and
noise, with a constant step and with one that falls linearly to 0. Judged are the last weights and their moving
average: the error of the noise predicted on held-out data, the sliced Wasserstein distance of as many samples to
that data, and what a classifier makes of them. book/practice/diffusion.ipynb trains the best ones again.
"""

import argparse
import time
from typing import Any

import numpy as np
import torch
from _record import record
from adambook import numpy_optim
from adambook.data import digits
from adambook.models import LEVELS, Denoiser, denoised, noised, sliced_wasserstein, stack
from sklearn.linear_model import LogisticRegression
from torch import Tensor

SEEDS, STEPS, BATCH, RATES, MEMORY = 3, 1500, 64, 6, 0.99
LOWEST = {"SGD": -1, "Momentum": -2, "RMSprop": -4, "Adam": -3.5, "AdamW": -3.5, "Lion": -4.5}


def train(name: str, lrs: Any, x: Tensor, falls: bool) -> tuple[Tensor, Tensor]:
    """Return the last weights and their moving average, each (n_lr * SEEDS, d)."""
    start, run = stack(lambda: Denoiser(x.shape[-1]), range(SEEDS))
    theta = start.repeat(len(lrs), 1).requires_grad_()
    rule = getattr(numpy_optim, name)(np.repeat(lrs, SEEDS)[:, None]).astype(np.float32)
    state, average = rule.init(theta.detach().numpy()), torch.zeros_like(start.repeat(len(lrs), 1))
    g = torch.Generator().manual_seed(0)
    for i in range(STEPS):
        batch = x[torch.randint(len(x), (SEEDS, BATCH), generator=g)]
        t = torch.randint(1, LEVELS + 1, (SEEDS, BATCH), generator=g).repeat(len(lrs), 1)
        noise = torch.randn(batch.shape, generator=g)
        seen = noised(batch.repeat(len(lrs), 1, 1), t, noise.repeat(len(lrs), 1, 1))
        loss = (run(theta, seen, t) - noise.repeat(len(lrs), 1, 1)).square().mean((1, 2)).sum()
        grad = torch.autograd.grad(loss, theta)[0].numpy()
        delta, state = rule.update(grad, state, theta.detach().numpy())
        theta.detach().add_(torch.from_numpy(delta), alpha=1 - i / STEPS if falls else 1)
        average.lerp_(theta.detach(), 1 - MEMORY)
    return theta.detach(), average / (1 - MEMORY**STEPS)


class Judge:
    """What is measured of a stack of weights."""

    def __init__(self) -> None:
        found = digits()
        self.x, self.held_out = (
            torch.tensor(2 * x - 1, dtype=torch.float32) for x in (found.x_train, found.x_test)
        )
        self.classifier = LogisticRegression(max_iter=500).fit(self.x.numpy(), found.y_train)
        _, self.run = stack(lambda: Denoiser(self.x.shape[1]), [0])
        g = torch.Generator().manual_seed(1)
        n = 20 * len(self.held_out)
        self.t = torch.randint(1, LEVELS + 1, (n,), generator=g)
        self.noise = torch.randn(n, self.x.shape[1], generator=g)
        self.seen = noised(self.held_out.repeat(20, 1), self.t, self.noise)

    @torch.no_grad()
    def __call__(self, theta: Tensor) -> dict[str, Any]:
        n = len(theta)
        error = [(self.run(w[None], self.seen[None], self.t[None]) - self.noise).square().mean() for w in theta]
        shape = (n, *self.held_out.shape)
        samples = denoised(lambda x, t: self.run(theta, x, t), shape, seed=0)[-1]
        found = {"mse": torch.stack(error), "distance": sliced_wasserstein(samples, self.held_out)}
        flat = samples.nan_to_num(0, 1, -1).clamp(-1, 1).flatten(0, 1).numpy()
        odds = self.classifier.predict_proba(flat).reshape(n, -1, 10)
        share = np.stack([np.bincount(each.argmax(1), minlength=10) / len(each) for each in odds])
        # e to the entropy: ten if all classes are equally frequent, one if all samples are of one class.
        classes = np.exp(-(share * np.log(np.maximum(share, 1e-12))).sum(1))
        return found | {"classes": classes, "confidence": odds.max(2).mean(1)}

    def floor(self) -> list[float]:
        """Return the distances of ten draws of training data, as many as are held out, from the held-out data."""
        rng = np.random.default_rng(0)
        draws = [self.x[rng.permutation(len(self.x))[: len(self.held_out)]] for _ in range(10)]
        return [float(sliced_wasserstein(draw, self.held_out)) for draw in draws]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write benchmarks/recorded/sweeps/diffusion.json")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    np.seterr(all="ignore")  # a rate that is too large overflows
    rows, judge = list[dict[str, Any]](), Judge()
    for falls in (False, True):
        for name, low in LOWEST.items():
            began, lrs = time.process_time(), np.logspace(low, low + (RATES - 1) / 2, RATES)
            both = train(name, lrs, judge.x, falls)
            for weights, theta in zip(("last", "average"), both, strict=True):
                found = judge(theta)
                rows += [
                    {"step": "falls" if falls else "constant", "optimizer": name, "lr": float(f"{lrs[i // SEEDS]:.5g}")}
                    | {"seed": i % SEEDS, "weights": weights}
                    | {key: float(value[i]) for key, value in found.items()}
                    for i in range(len(theta))
                ]
                distance = np.asarray(found["distance"]).reshape(RATES, SEEDS).mean(1)
                print(f"{falls!s:5} {name:9} {weights:7}", np.round(distance, 3), flush=True)
            print(f"    {time.process_time() - began:.0f} s", flush=True)
    if chosen.record:
        record("diffusion", f"Digits: after {STEPS} steps, batches of {BATCH}", rows, floor=judge.floor())


if __name__ == "__main__":
    main()
