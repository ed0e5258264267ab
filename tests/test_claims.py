"""The text of a claim, which the table of reproductions is made of."""

import numpy as np
import pytest
from adambook.claims import Claim, claim, lower, pm

GOOD = {
    "source": "Kingma and Ba (2015), figure 1",
    "claim": "Adam beats AdaGrad",
    "here": "digits, 5 seeds",
    "measured": "Adam 0.013 ± 0.009",
}


@pytest.mark.parametrize(
    ("holds", "verdict"), [(True, "holds"), (False, "does not hold here"), ("partly", "holds partly")]
)
def test_the_text_gives_the_claim_back(holds, verdict):
    made = claim(**GOOD, holds=holds)
    assert made.verdict == verdict and Claim.parse(f"{made}\n") == made
    assert repr(made).splitlines()[0] == "source    Kingma and Ba (2015), figure 1"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"holds": "holds"}, "holds = 'holds'; allowed: True, False, 'partly'"),
        ({"holds": 0.3}, "holds = 0.3"),
        ({"source": " "}, "source = ' '; allowed: one line of text"),
        ({"measured": "1\n2"}, r"measured = '1\\n2'"),
    ],
)
def test_bad_claims_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        claim(**{**GOOD, "holds": True, **change})


@pytest.mark.parametrize("text", ["", "source    a", "0.5", repr(claim(**GOOD, holds=True)) + "\nmore"])
def test_other_text_is_no_claim(text):
    with pytest.raises(ValueError, match="is not the text of a claim"):
        Claim.parse(text)


def test_scores_are_shown_with_their_spread():
    assert pm([1, 2, 3]) == "2.000 +- 1.000" and pm(np.array([0.5, 0.7]), 1) == "0.6 +- 0.1"


def test_lower_asks_for_twice_the_error():
    # The differences are 1, 2, 3: mean 2, standard deviation 1, error 1 / sqrt(3) = 0.577.
    first, second = np.array([5.0, 0.0, 9.0]), np.array([6.0, 2.0, 12.0])
    assert lower(first, second - 0.8) and not lower(first, second - 0.9)
    assert not lower(second, first) and not lower(first, first)


@pytest.mark.parametrize(("first", "second"), [([1.0], [2.0]), ([1.0, 2.0], [1.0, 2.0, 3.0]), (1.0, 2.0)])
def test_lower_compares_the_same_seeds(first, second):
    with pytest.raises(ValueError, match="two lists of scores of the same seeds"):
        lower(first, second)
