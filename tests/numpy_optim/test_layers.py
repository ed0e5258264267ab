"""The diffs that open the chapters: as small as the book promises, and escaped in HTML."""

import pytest
from adambook.numpy_optim import (
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
from adambook.numpy_optim.layers import rule


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
