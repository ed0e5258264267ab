"""The diffs that open the chapters: as small as the book promises, and escaped in HTML."""

import pytest
from adambook import numpy_optim
from adambook.numpy_optim import (
    RELATIVES,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AMSGrad,
    Momentum,
    Nesterov,
    RMSprop,
    conventions,
    layer_diff,
)
from adambook.numpy_optim.layers import PROSE_NAMES, rule


@pytest.mark.parametrize(
    ("lower", "upper", "lines"),
    [
        (SGD, Momentum, 2),
        (Momentum, Nesterov, 2),
        (SGD, Adagrad, 2),
        (Adagrad, RMSprop, 2),
        (RMSprop, Adam, 5),
        (Adam, AMSGrad, 2),
        (Adam, AdamW, 2),
        (AdamW, conventions.AdamWPaper, 1),
        (Adagrad, conventions.AdagradEpsInside, 1),
        (RMSprop, conventions.RMSpropEpsInside, 1),
        (AMSGrad, conventions.AMSGradCorrectedMax, 3),
    ],
)
def test_neighbouring_layers_differ_by_a_few_lines(lower, upper, lines):
    diff = layer_diff(lower, upper)
    assert diff.changed == lines
    kept = [line for mark, line in diff.rows if mark != "+"]
    assert kept == rule(lower)
    assert [line for mark, line in diff.rows if mark != "-"] == rule(upper)


# How many lines of the rule are new or changed from its nearest relative's.
CHANGED = {
    "Momentum": 2, "Nesterov": 2, "Adagrad": 2, "RMSprop": 2, "Adam": 5, "AMSGrad": 2, "AdamW": 2,
    "Adadelta": 4, "Adamax": 2, "NAdam": 3, "RAdam": 3, "AdaBound": 4, "Adafactor": 8, "LAMB": 2, "Adan": 6,
    "Lion": 3, "SophiaG": 2, "SophiaH": 1, "Muon": 5, "ScheduleFreeSGD": 3, "ScheduleFreeAdamW": 3,
}  # fmt: skip


@pytest.mark.parametrize("upper", RELATIVES, ids=lambda cls: cls.__name__)
def test_relatives_differ_by_as_many_lines_as_the_idea_needs(upper):
    lower, phrase = RELATIVES[upper]
    assert layer_diff(lower, upper).changed == CHANGED[upper.__name__]
    assert 0 < len(phrase) <= 60 and not phrase.endswith(".")


def test_relatives_are_one_tree_of_all_optimizers():
    exported = (getattr(numpy_optim, name) for name in numpy_optim.__all__)
    assert {value for value in exported if isinstance(value, type)} == {
        numpy_optim.Optimizer,
        SGD,
        *RELATIVES,
    }
    for cls in RELATIVES:
        seen = [cls]
        while seen[-1] is not SGD:
            seen.append(RELATIVES[seen[-1]][0])
            assert len(seen) <= len(RELATIVES), "a circle"
    assert set(PROSE_NAMES) <= {cls.__name__ for cls in RELATIVES}


def test_a_rule_is_its_lines_and_no_more():
    assert rule(SGD) == ["g = grad + self.weight_decay * theta", "t = state.t + 1", "delta = -self.lr * g"]


def test_text_and_html():
    diff = layer_diff(Adagrad, RMSprop)
    assert str(diff).splitlines()[0] == "AdaGrad to RMSProp"
    assert "- v = state.v + g**2" in str(diff)
    assert "+ v = self.alpha * state.v + (1 - self.alpha) * g**2" in str(diff)
    html = diff._repr_html_()
    assert html.count("ab-diff-add") == 2 and html.count("ab-diff-del") == 2
    escaped = type(diff)("a < b", (("+", "x = a < b"),))._repr_html_()
    assert "a &lt; b" in escaped and "a < b" not in escaped
