"""Error of the next frame, and of those after it, against learning rate: eight variants of an optimizer.

    python benchmarks/sweeps/video.py [--record]

Each variant gets five learning rates, half a decade apart, and three seeds, all with the same starts and batches and
a step that falls linearly to 0. Judged is the mean squared error on films of digits that were held out: of the next
frame, by which the learning rate is chosen, and of each of eight frames when the model goes on from its own.
book/practice/video.ipynb trains the best ones again.
"""

import argparse
import time

import numpy as np
import torch
from _record import record
from adambook import torch_optim
from adambook.data import moving_digits
from adambook.models import next_frame, rolled_out
from torch import Tensor

SEEDS, STEPS, BATCH, RATES, FRAMES, AHEAD = 3, 300, 16, 5, 4, 8
VARIANTS = {
    "Momentum": ("SGD", {"momentum": 0.9}, -1.5),
    "RMSProp 0.9": ("RMSprop", {"alpha": 0.9}, -4),
    "Adam 0.9": ("Adam", {"betas": (0.9, 0.9)}, -3.5),
    "Adam 0.99": ("Adam", {"betas": (0.9, 0.99)}, -3.5),
    "Adam 0.999": ("Adam", {"betas": (0.9, 0.999)}, -3.5),
    "AdamW": ("AdamW", {}, -3.5),
    "AMSGrad": ("AMSGrad", {}, -3.5),
    "Lion": ("Lion", {}, -4.5),
}


def train(films: Tensor, variant: str, lr: float, seed: int) -> torch.nn.Module:
    """Return a model after STEPS steps."""
    torch.manual_seed(seed)
    model = next_frame(FRAMES)
    cls, options, _ = VARIANTS[variant]
    optimizer = getattr(torch_optim, cls)(model.parameters(), lr=lr, **options)
    for i in range(STEPS):
        rows, at = torch.randint(len(films), (BATCH,)), int(torch.randint(films.shape[1] - FRAMES, ()))
        seen, following = films[rows, at : at + FRAMES], films[rows, at + FRAMES]
        optimizer.param_groups[0]["lr"] = lr * (1 - i / STEPS)
        optimizer.zero_grad()
        (model(seen)[:, 0] - following).square().mean().backward()
        optimizer.step()
    return model


def errors(model: torch.nn.Module, films: Tensor) -> Tensor:
    """Return the mean squared error of each of the frames ahead, (AHEAD,)."""
    ahead = rolled_out(model, films[:, :FRAMES], AHEAD)
    return (ahead - films[:, FRAMES:]).square().mean((0, 2, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write benchmarks/recorded/sweeps/video.json")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    films = torch.tensor(moving_digits(range(2000), range(8)))
    held_out = torch.tensor(moving_digits(range(300), range(FRAMES + AHEAD), part="test"))
    rows = []
    for variant, (_, _, low) in VARIANTS.items():
        began = time.process_time()
        for lr in np.logspace(low, low + (RATES - 1) / 2, RATES):
            lr = float(f"{lr:.5g}")
            for seed in range(SEEDS):
                found = errors(train(films, variant, lr, seed), held_out).tolist()
                ahead = {f"frame {i}": error for i, error in enumerate(found, start=1)}
                rows.append({"optimizer": variant, "lr": lr, "seed": seed} | ahead)
            print(f"{variant:12} {lr:8.2g}", [f"{row['frame 1']:.4f}" for row in rows[-SEEDS:]], flush=True)
        print(f"    {time.process_time() - began:.0f} s", flush=True)
    if chosen.record:
        still = (held_out[:, FRAMES - 1 : FRAMES] - held_out[:, FRAMES:]).square().mean((0, 2, 3))
        mean = films.mean((0, 1))
        title = f"Mean squared error of frames ahead after {STEPS} steps, batches of {BATCH}"
        record(
            "video",
            title,
            rows,
            still=still.tolist(),
            mean_frame=(mean - held_out[:, FRAMES:]).square().mean((0, 2, 3)).tolist(),
        )


if __name__ == "__main__":
    main()
