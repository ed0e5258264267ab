"""Which part of Adam closes the gap on words: the sign, one v for a tensor, one for a row, or one for a number.

    python benchmarks/sweeps/why_language.py            shows the rows
    python benchmarks/sweeps/why_language.py --record   and writes them to benchmarks/recorded/sweeps/why_language.json

The transformer of language.py with its budget; momentum and Adam at the best learning rates found there.
``tenths`` is the loss on the training text for each tenth of its tokens, the most frequent first.
"""

import sys
from collections.abc import Iterator
from typing import Any

import torch
from _record import record
from adambook import torch_optim as optim
from adambook.data import recorded
from adambook.language import Text, token_losses
from language import METHODS, SEEDS, STEPS, TEXTS, Make, rates, rule, run, shown
from torch import Tensor, nn


class CoarseAdam(torch.optim.Optimizer):
    """Adam with one v for each tensor, or for each of its rows: an average of the mean square over them."""

    def __init__(self, params: Any, lr: float, over: str) -> None:
        super().__init__(params, {"lr": lr})
        self.over = over

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                state, g = self.state[p], p.grad
                square = (g * g).mean(dim=-1, keepdim=True) if self.over == "row" else (g * g).mean()
                t = state["t"] = state.get("t", 0) + 1
                m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
                v = state["v"] = 0.999 * state.get("v", 0) + 0.001 * square
                p -= group["lr"] * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)


def by_word(model: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """One v for each row of the output layer, which is a word, and one for each other tensor."""
    head = model.get_submodule("head").weight
    others = [p for p in model.parameters() if p is not head]
    return [CoarseAdam(others, lr, "tensor"), CoarseAdam([head], lr, "row")]


def best(name: str) -> list[float]:
    """The best learning rate that language.py has recorded."""
    rows = [r for r in recorded("sweeps/language")["rows"] if (r["text"], r["model"]) == ("words", "transformer")]
    loss = {r["lr"]: 0.0 for r in rows if r["optimizer"] == name}
    for r in rows:
        if r["optimizer"] == name:
            loss[r["lr"]] += float("inf") if r["train"] is None else r["train"]
    return [min(loss, key=lambda lr: loss[lr])]


def rules() -> dict[str, tuple[Make, list[float]]]:
    return {
        "Momentum": (METHODS["Momentum"], best("Momentum")),
        "Adam": (METHODS["Adam"], best("Adam")),
        "sign": (rule(optim.Lion, betas=(0.9, 0.9)), rates(-4.0)),  # with equal betas Lion is the sign of the average
        "by tensor": (rule(CoarseAdam, over="tensor"), rates(-3.0)),
        "by word": (by_word, rates(-3.0)),
    }


def by_tenth(model: nn.Module, text: Text) -> list[float]:
    losses = token_losses(model, text.train)
    every = max(1, len(text.train[1]) // len(losses))
    tenth: Tensor = text.tenths[text.train[1][::every]]
    return [losses[tenth == k].mean().item() for k in range(10)]


def sweep() -> Iterator[dict[str, Any]]:
    make_text, batch = TEXTS["words"]
    text = make_text()
    for name, (make, lrs) in rules().items():
        for lr in lrs:
            for seed in SEEDS:
                model, losses = run(text, batch, "transformer", make, lr, seed)
                yield {"optimizer": name, "lr": lr, "seed": seed, **losses, "tenths": by_tenth(model, text)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # a saturated network underflows, and then takes ten times as long
    results = shown(sweep())
    if "--record" in sys.argv:
        print(record("why_language", f"The next word, final losses after {STEPS} steps", results))
