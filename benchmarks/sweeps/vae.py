"""A variational autoencoder on the digits with and without Adam's bias correction: figure 4 of Kingma and Ba (2015).

    python benchmarks/sweeps/vae.py [--record]

All settings and seeds train as one stack, on the same batches with the same noise. The score is the mean loss of a
batch in epochs 1, 10 and 50, in nats. book/practice/vae.ipynb trains the first ten epochs again.
"""

import argparse
import itertools
import time

import numpy as np
import torch
from _record import record
from adambook.data import digits
from adambook.models import VAE, stack
from adambook.numpy_optim import Adam
from adambook.numpy_optim.conventions import AdamUncorrected

SEEDS, BATCH, EPOCHS = 3, 64, (1, 10, 50)
BETA1, BETA2, LOG10_LR = (0.0, 0.9), (0.99, 0.999, 0.9999), np.arange(-10, -1) / 2
SETTINGS = list(itertools.product(BETA1, BETA2, LOG10_LR))


def train(epochs: int) -> torch.Tensor:
    """Return the mean loss of a batch in each epoch, (epochs, with or without correction, settings, seeds)."""
    x = torch.tensor(digits().x_train, dtype=torch.float32)
    start, run = stack(VAE, range(SEEDS))
    theta = start.repeat(2 * len(SETTINGS), 1).requires_grad_()
    half = len(theta) // 2
    beta1, beta2, log10_lr = np.repeat(SETTINGS, SEEDS, axis=0).T[..., None]
    rules = [cls(10**log10_lr, betas=(beta1, beta2)).astype(np.float32) for cls in (Adam, AdamUncorrected)]
    parts = slice(half), slice(half, None)
    states = [rule.init(theta.detach()[part].numpy()) for rule, part in zip(rules, parts, strict=True)]
    torch.manual_seed(0)
    losses, steps = [], len(x) // BATCH
    for t in range(epochs * steps):
        if t % steps == 0:
            order = torch.stack([torch.randperm(len(x)) for _ in range(SEEDS)])
        rows = order[:, t % steps * BATCH : (t % steps + 1) * BATCH]
        noise = torch.randn(SEEDS, BATCH, 8)
        copies = 2 * len(SETTINGS)
        loss = run(theta, x[rows].repeat(copies, 1, 1), noise.repeat(copies, 1, 1)).mean(1)
        grad = torch.autograd.grad(loss.sum(), theta)[0].numpy()
        for i, (rule, part) in enumerate(zip(rules, parts, strict=True)):
            here = theta.detach()[part].numpy()  # shares theta's memory
            delta, states[i] = rule.update(grad[part], states[i], here)
            here += delta
        losses.append(loss.detach())
    return torch.stack(losses).reshape(epochs, steps, 2, len(SETTINGS), SEEDS).mean(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write benchmarks/recorded/sweeps/vae.json")
    parser.add_argument("--epochs", type=int, choices=EPOCHS, default=EPOCHS[-1])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    np.seterr(all="ignore")  # a rate that is too large overflows
    began, losses, rows = time.process_time(), train(chosen.epochs), []
    known = [epoch for epoch in EPOCHS if epoch <= chosen.epochs]
    for corrected, (i, (beta1, beta2, log10_lr)), seed in itertools.product(
        (True, False), enumerate(SETTINGS), range(SEEDS)
    ):
        row = {"corrected": corrected, "beta1": beta1, "beta2": beta2, "log10_lr": float(log10_lr), "seed": seed}
        at = losses[:, 0 if corrected else 1, i, seed]
        rows.append(row | {f"epoch {epoch}": float(at[epoch - 1]) for epoch in known})
    for epoch, part in itertools.product(known, (0, 1)):
        mean = losses[epoch - 1, part].mean(1).reshape(-1, len(LOG10_LR))
        for (beta1, beta2), values in zip(itertools.product(BETA1, BETA2), mean, strict=True):
            print(epoch, ("with   ", "without")[part], beta1, beta2, *(f"{value:7.2f}" for value in values))
    print(f"{time.process_time() - began:.0f} s")
    if chosen.record:
        title = f"Loss of a VAE on the digits in nats, batches of {BATCH}: figure 4 of Kingma and Ba (2015)"
        record("vae", title, rows)


if __name__ == "__main__":
    main()
