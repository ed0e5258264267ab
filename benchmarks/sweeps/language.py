"""The gap between SGD and Adam on words and characters, for an LSTM and a transformer.

    python benchmarks/sweeps/language.py            shows the rows
    python benchmarks/sweeps/language.py --record   and writes them to benchmarks/recorded/sweeps/language.json

Every method gets five learning rates, a factor of the root of 10 apart, three seeds, and 150 steps that decay
linearly to zero. A few runs with another seed placed the windows of rates, which belong to the model.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from _record import record
from adambook import torch_optim as optim
from adambook.data import characters, words
from adambook.language import Text, token_losses, train
from adambook.models import Recurrent, Transformer
from torch import nn

STEPS, SEEDS, HALF_DECADES = 150, (0, 1, 2), range(5)
Make = Callable[[nn.Module, float], list[torch.optim.Optimizer]]
#: Each text, and the windows that make a batch.
TEXTS = {"words": (lambda: Text(words(1000), 16), 32), "characters": (lambda: Text(characters(), 32), 16)}
MODELS: dict[str, Callable[[int, int], nn.Module]] = {
    "LSTM": lambda vocabulary, context: Recurrent(vocabulary, 64),
    "transformer": lambda vocabulary, context: Transformer(vocabulary, context, width=48, depth=1),
}
#: The logarithm of the lowest learning rate.
LOWEST = {
    "LSTM": {"Momentum": -1.0, "Adam": -2.5, "RMSprop": -2.5},
    "transformer": {"Momentum": -2.0, "Adam": -3.0, "RMSprop": -3.5},
}


def rule(cls: type, **options: Any) -> Make:
    return lambda model, lr: [cls(model.parameters(), lr=lr, **options)]


METHODS = {"Momentum": rule(optim.SGD, momentum=0.9), "Adam": rule(optim.Adam), "RMSprop": rule(optim.RMSprop)}


def run(text: Text, batch: int, kind: str, make: Make, lr: float, seed: int) -> tuple[nn.Module, dict[str, float]]:
    """Return the trained model, and its losses on the training and the test text."""
    torch.manual_seed(seed)
    model = MODELS[kind](len(text.tokens.names), text.context)
    train(model, make(model, lr), text, STEPS, batch=batch, seed=seed)
    parts = {"train": text.train, "test": text.test}
    return model, {name: token_losses(model, part).mean().item() for name, part in parts.items()}


def rates(lowest: float) -> list[float]:
    return [10 ** (lowest + k / 2) for k in HALF_DECADES]


def sweep() -> Iterator[dict[str, Any]]:
    for name, (make_text, batch) in TEXTS.items():
        text = make_text()
        for kind, lowest in LOWEST.items():
            for method, make in METHODS.items():
                for lr in rates(lowest[method]):
                    for seed in SEEDS:
                        row = {"text": name, "model": kind, "optimizer": method, "lr": lr, "seed": seed}
                        yield row | run(text, batch, kind, make, lr, seed)[1]


def shown(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows, each printed as it comes."""
    kept = []
    for row in rows:
        kept.append(row)
        print(*(f"{v:.4g}" if isinstance(v, float) else v for v in row.values() if not isinstance(v, list)), flush=True)
    return kept


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # a saturated network underflows, and then takes ten times as long
    results = shown(sweep())
    if "--record" in sys.argv:
        print(record("language", f"The next word or character, final losses after {STEPS} steps", results))
