"""The book's displayed updates, and those of the docstrings, are what the code computes."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import dataclass, field
from typing import Any

import equations
import numpy as np
import numpy.typing as npt
import policy
import pytest
from adambook import numpy_optim
from adambook.numpy_optim import SGD, Adagrad, Adam, AdamW, AMSGrad, Momentum, Nesterov, Optimizer, RMSprop
from adambook.numpy_optim.adam import AdamState
from adambook.numpy_optim.conventions import AdamWPaper

BETAS = {"beta1": 0.8, "beta2": 0.95, "epsilon": 0.01}
STEPS = 5
# Five steps of at most thirty operations, each rounded to 2^-53.
ROUNDING = STEPS * 30 * 2.0**-53


@dataclass(frozen=True)
class Update:
    """Equations of the book, by page and tag, and the rule that they describe.

    ``known`` are the numbers by the names of the formulas; ``options`` the same by those of the class.
    """

    rule: type[Optimizer]
    tags: tuple[tuple[str, str], ...]
    known: dict[str, float]
    options: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = (3,)

    def __str__(self) -> str:
        return self.rule.__name__


def pages(name: str, *tags: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, tag) for tag in tags)


class LateRAdam(numpy_optim.RAdam):
    """RAdam after five steps, from where on it divides."""

    def init(self, theta: npt.ArrayLike) -> AdamState:
        return AdamState(5, np.full(np.shape(theta), 0.1), np.full(np.shape(theta), 0.2))


ADAM = {"betas": (0.8, 0.95), "eps": 0.01}
UPDATES = (
    Update(Adagrad, pages("1_adagrad", "1.1", "1.2"), {"epsilon": 0.01}, {"eps": 0.01}),
    Update(
        RMSprop,
        pages("2_rmsprop", "2.1", "2.2"),
        {"beta": 0.9, "epsilon": 0.01},
        {"alpha": 0.9, "eps": 0.01},
    ),
    Update(Adam, pages("3_adam", "3.1", "3.2", "3.3"), BETAS, ADAM),
    Update(AMSGrad, (*pages("3_adam", "3.1"), *pages("4_amsgrad", "4.1", "4.2")), BETAS, ADAM),
    Update(
        AdamW,
        (*pages("3_adam", "3.1", "3.2"), *pages("5_adamw", "5.1")),
        {**BETAS, "lambda": 0.3},
        {**ADAM, "weight_decay": 0.3},
    ),
    Update(
        AdamWPaper,
        (*pages("3_adam", "3.1", "3.2"), *pages("5_adamw", "5.2")),
        {**BETAS, "lambda": 0.3},
        {**ADAM, "weight_decay": 0.3},
    ),
    Update(
        numpy_optim.Adadelta,
        pages("adadelta_adafactor", "F.1", "F.2"),
        {"rho": 0.8, "epsilon": 0.01},
        {"rho": 0.8, "eps": 0.01},
    ),
    Update(
        numpy_optim.Adafactor,
        pages("adadelta_adafactor", "F.3", "F.4", "F.5"),
        {"epsilon1": 0.01, "epsilon2": 0.02, "d": 1.0},
        {"eps": (0.01, 0.02)},
        (2, 3),
    ),
    Update(numpy_optim.Adamax, (*pages("3_adam", "3.1"), *pages("nadam_adamax", "X.1", "X.2")), BETAS, ADAM),
    Update(
        numpy_optim.NAdam,
        (*pages("3_adam", "3.1", "3.2"), *pages("nadam_adamax", "X.3", "X.4", "X.5")),
        {**BETAS, "psi": 0.1},
        {**ADAM, "momentum_decay": 0.1},
    ),
    Update(
        numpy_optim.AdaBound,
        (*pages("3_adam", "3.1"), *pages("adabound", "B.1", "B.2")),
        {**BETAS, "alpha'": 0.2, "gamma": 0.5},
        {**ADAM, "final_lr": 0.2, "gamma": 0.5},
    ),
    Update(numpy_optim.RAdam, (*pages("3_adam", "3.1", "3.2"), *pages("radam", "R.4")), BETAS, ADAM),
    Update(LateRAdam, (*pages("3_adam", "3.1", "3.2"), *pages("radam", "R.1", "R.2", "R.3")), BETAS, ADAM),
    Update(
        numpy_optim.Lion,
        pages("lion", "L.1", "L.2"),
        {**BETAS, "lambda": 0.3},
        {"betas": (0.8, 0.95), "weight_decay": 0.3},
    ),
    Update(
        numpy_optim.Muon,
        pages("muon", "U.1", "U.2"),
        {"mu": 0.9, "lambda": 0.3, "A": 3, "B": 2},
        {"momentum": 0.9, "weight_decay": 0.3},
        (3, 2),
    ),
    Update(
        numpy_optim.ScheduleFreeSGD,
        pages("schedule_free", "A.1", "A.2", "A.3"),
        {"beta": 0.8},
        {"momentum": 0.8},
    ),
    Update(
        numpy_optim.ScheduleFreeAdamW,
        (*pages("3_adam", "3.1", "3.2"), *pages("schedule_free", "A.4", "A.2", "A.3")),
        {**BETAS, "beta": 0.8, "lambda": 0.3},
        {**ADAM, "weight_decay": 0.3},
    ),
    Update(
        numpy_optim.SophiaG,
        pages("sophia", "H.1", "H.2"),
        {**BETAS, "lambda": 0.3, "rho": 0.1},
        {"betas": (0.8, 0.95), "rho": 0.1, "weight_decay": 0.3},
    ),
    Update(SGD, pages("5_adamw", "5.3"), {"lambda'": 0.3}, {"weight_decay": 0.3}),
)
# Equations for theta_t that are no update of a class.
OTHERS = {
    ("5_adamw", "5.6"): "AdamW's step as a moving average of its directions",
    ("5_adamw", "5.7"): "the same, unrolled",
}


def displayed() -> dict[tuple[str, str], str]:
    """Return every numbered equation of the book, by page and tag."""
    found = {}
    for notebook in policy.book_notebooks():
        if not notebook.is_solution:
            for cell in notebook.prose:
                for tag, latex in equations.equations(cell.source):
                    found[notebook.path.stem, tag] = latex
    return found


BOOK = displayed()


def follow(
    rule: Optimizer,
    formulas: list[str],
    known: dict[str, float],
    start: dict[str, Any],
    shape: tuple[int, ...] = (3,),
) -> None:
    """Take five steps by the code and by the formulas, from the same random gradients, and compare."""
    rng = np.random.default_rng(0)
    theta = rng.normal(size=shape)
    state = rule.init(theta)
    names = {"theta": theta, **state._asdict(), **start}
    for t in range(state.t + 1, state.t + STEPS + 1):
        gradient = rng.normal(size=shape)
        estimate = None
        if isinstance(rule, (numpy_optim.SophiaG, numpy_optim.SophiaH)):
            estimate = rng.normal(size=shape)
            state = rule.with_hessian(state, estimate)
        delta, state = rule.update(gradient, state, theta)
        theta = theta + delta
        # What is not known yet was zero at the start, as every accumulator is.
        before = {f"{name}_before": value for name, value in names.items()}
        names = {**dict.fromkeys(_accumulators(formulas), 0.0), **before, **known}
        names |= {"alpha": 0.1, "g": gradient, "h_hat": estimate, "t": t}
        for formula in formulas:
            equations.assign(formula, names)
        np.testing.assert_allclose(names["theta"], theta, rtol=ROUNDING, atol=ROUNDING)
        for name in set(state._fields[1:]) & set(names):
            np.testing.assert_allclose(names[name], getattr(state, name), rtol=ROUNDING, atol=ROUNDING)


def _accumulators(formulas: list[str]) -> set[str]:
    names = re.findall(r"([a-z])(\^\{\\max\})?_\{t-1\}", " ".join(formulas))
    return {f"{letter}{'_max' if largest else ''}_before" for letter, largest in names}


@pytest.mark.parametrize("update", UPDATES, ids=str)
def test_displayed_update_is_the_codes(update):
    follow(
        update.rule(lr=0.1, **update.options),
        [BOOK[tag] for tag in update.tags],
        update.known,
        {},
        update.shape,
    )


def test_every_displayed_update_is_held():
    held = {tag for update in UPDATES for tag in update.tags} | set(OTHERS)
    assert held <= set(BOOK), "an equation has gone or changed its number"
    for tag, latex in BOOK.items():
        if re.match(r"\s*\\theta_t\s*=", latex):
            assert tag in held, f"no rule is compared with equation {tag}"


def docstring_formulas(rule: type[Optimizer]) -> list[str]:
    text = inspect.cleandoc(rule.__doc__ or "")
    found = re.findall(r"^\.\. math::(.*?)(?:\n\n|\Z)", text, flags=re.DOTALL | re.MULTILINE)
    return [" ".join(textwrap.dedent(formula).split()) for formula in found]


SOPHIA = {"betas": (0.8, 0.95), "rho": 0.1, "weight_decay": 0.3}
DOCSTRINGS = {
    SGD: ({}, {}, []),
    Momentum: ({"mu": 0.9, "tau": 0.0}, {}, []),
    Nesterov: ({"mu": 0.9}, {}, []),
    Adagrad: ({"eta": 0.1, "epsilon": 0.01}, {"lr_decay": 0.1, "eps": 0.01}, []),
    RMSprop: ({"beta": 0.9, "epsilon": 0.01}, {"alpha": 0.9, "eps": 0.01}, []),
    Adam: (BETAS, ADAM, []),
    AMSGrad: (BETAS, ADAM, []),
    AdamW: ({**BETAS, "lambda": 0.3}, {**ADAM, "weight_decay": 0.3}, [Adam]),
    numpy_optim.Adadelta: ({"rho": 0.8, "epsilon": 0.01}, {"rho": 0.8, "eps": 0.01}, []),
    numpy_optim.Adamax: (BETAS, ADAM, []),
    numpy_optim.NAdam: ({**BETAS, "psi": 0.1}, {**ADAM, "momentum_decay": 0.1}, []),
    numpy_optim.AdaBound: (
        {**BETAS, "alpha'": 0.2, "gamma": 0.5},
        {**ADAM, "final_lr": 0.2, "gamma": 0.5},
        [],
    ),
    numpy_optim.Lion: ({**BETAS, "lambda": 0.3}, {"betas": (0.8, 0.95), "weight_decay": 0.3}, []),
    numpy_optim.Adan: (
        {**BETAS, "beta3": 0.9, "lambda": 0.3},
        {**ADAM, "betas": (0.8, 0.95, 0.9), "weight_decay": 0.3},
        [],
    ),
    numpy_optim.LAMB: ({**BETAS, "lambda": 0.3}, {**ADAM, "weight_decay": 0.3}, [Adam]),
    numpy_optim.SophiaG: ({**BETAS, "lambda": 0.3, "rho": 0.1}, SOPHIA, []),
    numpy_optim.SophiaH: ({**BETAS, "lambda": 0.3, "rho": 0.1}, SOPHIA, []),
    numpy_optim.ScheduleFreeSGD: ({"mu": 0.9}, {}, []),
    numpy_optim.ScheduleFreeAdamW: ({**BETAS, "lambda": 0.3}, {**ADAM, "weight_decay": 0.3}, []),
}
# d_1 = 0: the gradient before the first counts as the first, which `follow` draws after three numbers for theta.
START = {numpy_optim.Adan: {"g": np.random.default_rng(0).normal(size=6)[3:]}}
# Not formulas of numbers: two cases, or sums over the axes of a matrix.
IN_WORDS = {numpy_optim.RAdam, numpy_optim.Adafactor, numpy_optim.Muon}


@pytest.mark.parametrize("rule", DOCSTRINGS, ids=lambda rule: rule.__name__)
def test_docstring_is_the_codes(rule):
    """A docstring may build on that of the class below it, whose last line it then replaces."""
    known, options, below = DOCSTRINGS[rule]
    formulas = [formula for lower in below for formula in docstring_formulas(lower)]
    follow(rule(lr=0.1, **options), [*formulas, *docstring_formulas(rule)], known, START.get(rule, {}))


def test_every_class_has_its_docstring_held():
    classes = {value for value in vars(numpy_optim).values() if inspect.isclass(value)} - {Optimizer}
    assert classes == set(DOCSTRINGS) | IN_WORDS


MISTAKES = {
    "a wrong sign": (r"\theta_{t-1} - ", r"\theta_{t-1} + "),
    "a missing root": (r"\sqrt{\hat v_t}", r"\hat v_t"),
    "a missing hat": (r"\sqrt{\hat v_t}", r"\sqrt{v_t}"),
    "m for v": (r"\sqrt{\hat v_t}", r"\sqrt{\hat m_t}"),
    "t-1 for t": (r"\beta_1^t", r"\beta_1^{t-1}"),
    "a missing square": (r"\, g_t^2", r"\, g_t"),
    "epsilon inside the root": (r"\sqrt{\hat v_t} + \epsilon", r"\sqrt{\hat v_t + \epsilon}"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_text_is_seen(mistake):
    right, wrong = MISTAKES[mistake]
    adam = next(update for update in UPDATES if update.rule is Adam)
    formulas = [BOOK[tag] for tag in adam.tags]
    changed = [formula.replace(right, wrong) for formula in formulas]
    assert changed != formulas
    with pytest.raises(AssertionError, match="Not equal"), np.errstate(divide="ignore", invalid="ignore"):
        follow(Adam(lr=0.1, **ADAM), changed, BETAS, {})


@pytest.mark.parametrize(
    ("latex", "says"),
    [
        (r"x = \frac{1}{2} + y_t", "nothing is known of 'y'"),
        (r"x = (1 + 2", "does not begin with \\)"),
        (r"x = 1 ) 2", "cannot read on"),
        (r"x = \alpha ; 2", "cannot read"),
        (r"\alpha", "is no equation"),
    ],
)
def test_what_cannot_be_read_is_said(latex, says):
    with pytest.raises(ValueError, match=says):
        equations.assign(latex, {"alpha": 1.0})
