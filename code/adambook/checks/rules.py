"""The rules that students write, and what often goes wrong: each mistake is a change to the text of the right rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Rule = Callable[..., Any]
Change = tuple[str, str, str]  # what is said of it, the right text, the wrong text


@dataclass(frozen=True)
class Exercise:
    """A rule to write as a function of plain values, with its body and the mistakes that are known by name.

    It takes the parameters, the gradient, the ``state`` and, if ``counts``, the step t from 1 on; the ``hypers`` are
    given by name. It returns the new parameters and the new state.
    """

    name: str
    state: tuple[str, ...]
    hypers: tuple[str, ...]
    counts: bool
    body: str
    mistakes: tuple[Change, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("theta", "g", *self.state, *("t" * self.counts))

    @property
    def call(self) -> str:
        """How the rule is called, for a sentence."""
        return f"{self.name}({', '.join((*self.arguments, *self.hypers))})"

    @property
    def returns(self) -> str:
        return ", ".join(("theta", *self.state))

    @cached_property
    def right(self) -> Rule:
        return self._compiled(self.body)

    @cached_property
    def wrong(self) -> dict[str, Rule]:
        """The rule that makes each mistake, under the sentence that names it."""
        return {said: self._compiled(self.body.replace(right, wrong)) for said, right, wrong in self.mistakes}

    def _compiled(self, body: str) -> Rule:
        lines = "".join(f"    {line.strip()}\n" for line in body.strip().splitlines())
        head = f"def {self.name}({', '.join(self.arguments)}, *, {', '.join(self.hypers)}):\n"
        names: dict[str, Any] = {"sqrt": np.sqrt, "maximum": np.maximum, "minimum": np.minimum}
        names |= {"sum": np.sum, "sign": np.sign, "abs": np.abs, "size": np.size}
        exec(f"{head}{lines}    return {self.returns}\n", names)
        rule: Rule = names[self.name]
        return rule


def on_the_step(above: str, root: str) -> tuple[Change, ...]:
    """Mistakes of the last line, the step ``above`` over the root of ``root``."""
    right = f"(sqrt({root}) + eps)"
    return (
        ("the root is missing from the denominator", right, f"({root} + eps)"),
        ("epsilon stands inside the root", right, f"sqrt({root} + eps)"),
        ("epsilon is missing from the denominator", right, f"sqrt({root})"),
        ("epsilon is added to the parameters, not to the root", right, f"sqrt({root}) + eps"),
        ("epsilon is subtracted from the root", right, f"(sqrt({root}) - eps)"),
        ("one root is shared by all coordinates; each has its own", right, f"(sqrt(sum({root})) + eps)"),
        ("the sign is flipped: the step goes uphill", f"- lr * {above}", f"+ lr * {above}"),
        ("lr is missing from the step", f"lr * {above}", above),
        ("v takes the size of g; it takes the square", "g**2", "abs(g)"),
    )


ADAGRAD = """
    v = v + g**2
    theta = theta - lr * g / (sqrt(v) + eps)
"""
RMSPROP = """
    v = beta * v + (1 - beta) * g**2
    theta = theta - lr * g / (sqrt(v) + eps)
"""
ADAM = """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    theta = theta - lr * m_hat / (sqrt(v_hat) + eps)
"""
AMSGRAD = """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    v_max = maximum(v_max, v)
    m_hat = m / (1 - beta1**t)
    v_hat = v_max / (1 - beta2**t)
    theta = theta - lr * m_hat / (sqrt(v_hat) + eps)
"""
ADAMW = ADAM.replace("theta = theta", "theta = theta - lr * weight_decay * theta")

ONE_SQUARE = (
    *on_the_step("g", "v"),
    ("the step has the sign of g above the root; it has g", "lr * g", "lr * sign(g)"),
    ("v lost its past: it holds the newest square alone", "v = v + g**2", "v = g**2"),
)
M, V = "beta1 * m + (1 - beta1) * g\n", "beta2 * v + (1 - beta2) * g**2"
M_HAT, V_HAT = "m_hat = m / (1 - beta1**t)", "v_hat = v / (1 - beta2**t)"
HATS = f"{M_HAT}\n    {V_HAT}"
AVERAGES = (
    ("beta1 and 1 - beta1 have changed places", M, "(1 - beta1) * m + beta1 * g\n"),
    ("beta2 and 1 - beta2 have changed places", V, "(1 - beta2) * v + beta2 * g**2"),
    (
        "beta1 and beta2 have changed places",
        f"{M}    v = {V}",
        "beta2 * m + (1 - beta2) * g\n    v = beta1 * v + (1 - beta1) * g**2",
    ),
    ("the newest gradient enters m without the weight 1 - beta1", M, "beta1 * m + g\n"),
    ("the newest square enters v without the weight 1 - beta2", V, "beta2 * v + g**2"),
    ("v averages g, not its square", V, "beta2 * v + (1 - beta2) * g"),
    ("the step takes g where the corrected m belongs", "lr * m_hat", "lr * g"),
    ("m is not corrected", M_HAT, "m_hat = m"),
)
CORRECTION = (
    ("neither m nor v is corrected", HATS, "m_hat = m\n    v_hat = v"),
    ("v is not corrected", V_HAT, "v_hat = v"),
    (
        "the correction takes t - 1; t is 1 at the first step already",
        HATS,
        "m_hat = m / (1 - beta1 ** (t - 1))\n    v_hat = v / (1 - beta2 ** (t - 1))",
    ),
    (
        "the correction takes t + 1; t is 1 at the first step, not 0",
        HATS,
        "m_hat = m / (1 - beta1 ** (t + 1))\n    v_hat = v / (1 - beta2 ** (t + 1))",
    ),
    (
        "the correction has beta times t where beta to the power t belongs",
        HATS,
        "m_hat = m / (1 - beta1 * t)\n    v_hat = v / (1 - beta2 * t)",
    ),
    (
        "the correction has beta where beta to the power t belongs",
        HATS,
        "m_hat = m / (1 - beta1)\n    v_hat = v / (1 - beta2)",
    ),
    (
        "the corrected values went back into the state: m and v themselves are handed on",
        HATS,
        "m = m_hat = m / (1 - beta1**t)\n    v = v_hat = v / (1 - beta2**t)",
    ),
    (
        "epsilon is added before v is corrected",
        "(sqrt(v_hat) + eps)",
        "((sqrt(v) + eps) / sqrt(1 - beta2**t))",
    ),
)
DECAY = "- lr * weight_decay * theta"
MAXIMUM, UNDER_MAX = "v_max = maximum(v_max, v)", "v_hat = v_max / (1 - beta2**t)"

EXERCISES = {
    exercise.name: exercise
    for exercise in (
        Exercise(
            "adagrad",
            ("v",),
            ("lr", "eps"),
            False,
            ADAGRAD,
            (
                *ONE_SQUARE,
                ("v is an average; AdaGrad's is a sum", "v + g**2", "0.9 * v + 0.1 * g**2"),
                ("v adds g, not its square", "v + g**2", "v + g"),
                ("v is a mean over the coordinates", "v + g**2", "v + sum(g**2) / size(g)"),
            ),
        ),
        Exercise(
            "rmsprop",
            ("v",),
            ("lr", "beta", "eps"),
            False,
            RMSPROP,
            (
                *ONE_SQUARE[:-1],
                ("v lost its past: it holds the newest square alone", "beta * v + (1 - beta) * g**2", "g**2"),
                (
                    "v is a sum, as AdaGrad's; RMSProp's is an average",
                    "beta * v + (1 - beta) * g**2",
                    "v + g**2",
                ),
                ("beta and 1 - beta have changed places", "beta * v + (1 - beta)", "(1 - beta) * v + beta"),
                ("the newest square enters v without the weight 1 - beta", "(1 - beta) * g**2", "g**2"),
                ("v averages g, not its square", "(1 - beta) * g**2", "(1 - beta) * g"),
            ),
        ),
        Exercise(
            "adam",
            ("m", "v"),
            ("lr", "beta1", "beta2", "eps"),
            True,
            ADAM,
            (*on_the_step("m_hat", "v_hat"), *AVERAGES, *CORRECTION),
        ),
        Exercise(
            "amsgrad",
            ("m", "v", "v_max"),
            ("lr", "beta1", "beta2", "eps"),
            True,
            AMSGRAD,
            (
                *on_the_step("m_hat", "v_hat"),
                *AVERAGES,
                ("the maximum is not corrected", UNDER_MAX, "v_hat = v_max"),
                (
                    "the maximum is of corrected values; it is of v, and corrected afterwards",
                    f"{MAXIMUM}\n    {M_HAT}\n    {UNDER_MAX}",
                    f"{M_HAT}\n    v_max = v_hat = maximum(v_max, v / (1 - beta2**t))",
                ),
                ("the root is over v, not over v_max", UNDER_MAX, V_HAT),
                ("v_max keeps the smaller of the two", MAXIMUM, "v_max = minimum(v_max, v)"),
                ("v_max is this step's v; it is the largest so far", MAXIMUM, "v_max = v"),
                (
                    "v itself became the maximum; it goes on as an average",
                    MAXIMUM,
                    "v = v_max = maximum(v_max, v)",
                ),
                (
                    "the maximum is of squared gradients; it is of their average v",
                    MAXIMUM,
                    "v_max = maximum(v_max, g**2)",
                ),
            ),
        ),
        Exercise(
            "adamw",
            ("m", "v"),
            ("lr", "beta1", "beta2", "eps", "weight_decay"),
            True,
            ADAMW,
            (
                ("there is no weight decay", DECAY, ""),
                (
                    "the decay is in the gradient, which is L2; it acts on theta alone",
                    ADAMW,
                    f"    g = g + weight_decay * theta{ADAM}",
                ),
                ("the decay is not multiplied by lr", DECAY, "- weight_decay * theta"),
                ("the decay has the wrong sign: weights grow", DECAY, "+ lr * weight_decay * theta"),
                ("the decay takes off a number, not a share of theta", DECAY, "- lr * weight_decay"),
                *on_the_step("m_hat", "v_hat"),
                *AVERAGES,
                *CORRECTION,
            ),
        ),
    )
}
