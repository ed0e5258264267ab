"""The text of a claim, which the table of reproductions is made of."""

import pytest
from adambook.claims import Claim, claim

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
