"""What came after Adam, on the next word: the transformer of language.py with its budget.

    python benchmarks/sweeps/language_family.py --record   writes benchmarks/recorded/sweeps/language_family.json
"""

import sys
from collections.abc import Iterator
from typing import Any

import torch
from _record import record
from adambook import torch_optim as optim
from language import SEEDS, STEPS, TEXTS, Make, rates, rule, run, shown
from torch import nn


def muon(model: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside, AdamW for the rest; with this scale one learning rate serves both."""
    options = {"lr": lr, "weight_decay": 0.0}
    head = [model.get_submodule("head")]
    return list(
        optim.muon_and_adamw(model, head, options | {"adjust_lr_fn": "match_rms_adamw"}, options)
    )


RULES: dict[str, tuple[Make, float]] = {
    "AdamW": (rule(optim.AdamW), -3.0),
    "NAdam": (rule(optim.NAdam), -3.0),
    "Lion": (rule(optim.Lion), -4.0),
    "Adafactor": (rule(optim.Adafactor), -2.0),
    "Muon": (muon, -3.0),
}


def sweep() -> Iterator[dict[str, Any]]:
    make_text, batch = TEXTS["words"]
    text = make_text()
    for name, (make, lowest) in RULES.items():
        for lr in rates(lowest):
            for seed in SEEDS:
                losses = run(text, batch, "transformer", make, lr, seed)[1]
                yield {"optimizer": name, "lr": lr, "seed": seed, **losses}


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # a saturated network underflows, and then takes ten times as long
    results = shown(sweep())
    if "--record" in sys.argv:
        print(record("language_family", f"The next word, final losses after {STEPS} steps", results))
