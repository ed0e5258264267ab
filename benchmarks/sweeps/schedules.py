"""Warm-up and schedules on a transformer with post-normalization: six schedules of Adam, and RAdam, on characters.

    python benchmarks/sweeps/schedules.py            shows the rows
    python benchmarks/sweeps/schedules.py --record   and writes them to benchmarks/recorded/sweeps/schedules.json

Every method gets the same learning rates, seeds and batches; all train as one stack. The score is the mean
cross-entropy of the test text after the last step. book/practice/schedules.ipynb trains some of them again.
"""

import argparse
import itertools
import time

import numpy as np
import torch
import torch.nn.functional as F
from _record import record
from adambook.data import characters
from adambook.language import Text
from adambook.models import Transformer, stack
from adambook.numpy_optim import Adam, RAdam
from adambook.schedules import constant, cosine, inverse_root, one_cycle, warmup_stable_decay
from torch.nn.attention import SDPBackend, sdpa_kernel

STEPS, WARMUP, BATCH, CONTEXT, SEEDS = 200, 40, 16, 16, 3
LOG10_LR = [-3.0, -2.75, -2.5, -2.25, -2.0, -1.75, -1.5]
METHODS = {
    "constant": constant(),
    "warm-up": constant(WARMUP),
    "RAdam": constant(),
    "cosine": cosine(STEPS, WARMUP),
    "one-cycle": one_cycle(STEPS, WARMUP),
    "inverse root": inverse_root(WARMUP),
    "WSD": warmup_stable_decay(STEPS, WARMUP, STEPS // 5),
}


def train(text: Text, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss of each batch, (steps, rates, seeds), and that of the test text, (rates, seeds)."""
    make = lambda: Transformer(len(text.tokens.names), CONTEXT, width=32, depth=4, post_norm=True)  # noqa: E731
    start, run = stack(make, range(SEEDS))
    theta = start.repeat(len(LOG10_LR), 1).requires_grad_()
    lr = np.repeat(10.0 ** np.array(LOG10_LR), SEEDS)[:, None]
    rule = (RAdam if name == "RAdam" else Adam)(lr).astype(np.float32)
    state, losses = rule.init(theta.detach().numpy()), []

    def cross_entropy(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        copies = [part.repeat(len(LOG10_LR), 1, 1) for part in (x, y)]
        logits = run(theta, copies[0])
        return F.cross_entropy(logits.flatten(0, 2), copies[1].flatten(), reduction="none").view(len(theta), -1).mean(1)

    for t in range(1, STEPS + 1):
        x, y = (torch.stack(part) for part in zip(*(text.batch(BATCH, seed, t) for seed in range(SEEDS)), strict=True))
        loss = cross_entropy(x, y)
        grad = torch.autograd.grad(loss.sum(), theta)[0].numpy()
        here = theta.detach().numpy()  # shares theta's memory
        delta, state = rule.update(grad, state, here)
        here += np.float32(METHODS[name](t)) * delta
        losses.append(loss.detach())
    with torch.no_grad():
        every = len(text.test[0]) // 256
        test = cross_entropy(*(part[::every].expand(SEEDS, -1, -1) for part in text.test))
    return tuple(each.numpy().reshape(*each.shape[:-1], -1, SEEDS) for each in (torch.stack(losses), test))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write benchmarks/recorded/sweeps/schedules.json")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    np.seterr(all="ignore")  # a rate that is too large may overflow
    text, began, rows, curves = Text(characters(), CONTEXT), time.process_time(), [], {}
    for name in METHODS:
        with sdpa_kernel(SDPBackend.MATH):  # the one that runs stacked
            losses, test = train(text, name)
        means = " ".join(f"{mean:.3f}" for mean in test.mean(1))
        print(f"{name:12} {means} {time.process_time() - began:.0f} s", flush=True)
        for (i, log10_lr), seed in itertools.product(enumerate(LOG10_LR), range(SEEDS)):
            last = losses[-20:, i, seed].mean()
            rows.append({"method": name, "log10_lr": log10_lr, "seed": seed, "test": test[i, seed], "train": last})
        curves[name] = losses.reshape(-1, 5, *losses.shape[1:]).mean(axis=(1, 3)).T  # of five batches and all seeds
    if chosen.record:
        record("schedules", __doc__.split("\n")[0], rows, steps=STEPS, warmup=WARMUP, log10_lr=LOG10_LR, curves=curves)


if __name__ == "__main__":
    main()
