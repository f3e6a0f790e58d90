"""Which clauses are about which brand: assignment, comparison, enumeration, and what is nobody's."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.labelled.blame import measure, read_rows
from benchmarks.labelled.matching import labelled_brands
from pipeline.draft import Match
from pipeline.matching import Matcher
from pipeline.tone.blame import spans_of
from pipeline.words import Via

BRANDS = labelled_brands()
MATCHER = Matcher({name: BRANDS[name] for name in ("telekom", "vodafone", "1und1", "o2")})

TABLE: list[tuple[str, dict[str, list[str]]]] = [
    ("Der alte Anbieter hat Schuld, die Telekom war super", {"telekom": ["die Telekom war super"]}),
    (
        "Bei Vodafone war es schlecht, bei der Telekom ist alles gut",
        {"vodafone": ["Bei Vodafone war es schlecht"], "telekom": ["bei der Telekom ist alles gut"]},
    ),
    (
        "Telekom und Vodafone sind beide Mist",
        {brand: ["Telekom und Vodafone sind beide Mist"] for brand in ("telekom", "vodafone")},
    ),
    ("Die Telekom ist besser als Vodafone", {"telekom": ["Die Telekom ist besser als Vodafone"], "vodafone": []}),
    ("Telekom is better than Vodafone", {"telekom": ["Telekom is better than Vodafone"], "vodafone": []}),
    ("Lieber bei 1&1 als bei O2", {"1und1": ["Lieber bei 1&1 als bei O2"], "o2": []}),
    ("Anders als Vodafone hilft die Telekom", {"vodafone": [], "telekom": ["Anders als Vodafone hilft die Telekom"]}),
    ("Ich war immer als Telekom-Kunde zufrieden", {"telekom": ["Ich war immer als Telekom-Kunde zufrieden"]}),
    (
        "Die Telekom lügt. Sie ruft nie an! Vodafone ist nett.",
        {"telekom": ["Die Telekom lügt. Sie ruft nie an!"], "vodafone": ["Vodafone ist nett."]},
    ),
    (
        "Vodafone ist Mist und die Telekom ist gut",
        {"vodafone": ["Vodafone ist Mist"], "telekom": ["die Telekom ist gut"]},
    ),
    (
        "Telekom, Vodafone und O2 sind teuer",
        {brand: ["Telekom, Vodafone und O2 sind teuer"] for brand in ("telekom", "vodafone", "o2")},
    ),
    (
        "Von Vodafone zur Telekom gewechselt, endlich Ruhe",
        {
            "vodafone": ["Von Vodafone zur Telekom gewechselt"],
            "telekom": ["Von Vodafone zur Telekom gewechselt, endlich Ruhe"],
        },
    ),
    (
        "Vodafone nervt, die Telekom auch",
        {"vodafone": ["Vodafone nervt"], "telekom": ["Vodafone nervt, die Telekom auch"]},
    ),
    (
        "1&1 hilft, während Vodafone schläft, aber O2 schweigt",
        {"1und1": ["1&1 hilft"], "vodafone": ["während Vodafone schläft"], "o2": ["aber O2 schweigt"]},
    ),
    (
        "O2 lied while Telekom helped",
        {"o2": ["O2 lied"], "telekom": ["while Telekom helped"]},
    ),
    (
        "Die Telekom kam. Die Konkurrenz schläft. Alles wirkt tot. Danke Telekom 😍",
        {"telekom": ["Die Telekom kam.", "Danke Telekom 😍"]},
    ),
    (
        "Toll! 😍 Telekom hilft. Vodafone nicht.",
        {"telekom": ["Toll! 😍 Telekom hilft."], "vodafone": ["Vodafone nicht."]},
    ),
    ("Ein Tag ohne Namen.", {}),
]


@pytest.mark.parametrize(("text", "wanted"), TABLE)
def test_clauses(text: str, wanted: dict[str, list[str]]) -> None:
    spans = spans_of(text, MATCHER.find(text)[0])
    assert {brand: [text[start:end] for start, end in parts] for brand, parts in spans.items()} == wanted


@given(st.text(alphabet="Telkom Vodafn1&,.!?\n-und als aber", max_size=120))
def test_spans_lie_in_the_text_in_order(text: str) -> None:
    matches = MATCHER.find(text)[0]
    spans = spans_of(text, matches)
    assert spans.keys() == {match.brand for match in matches}
    for parts in spans.values():
        assert all(0 <= start < end <= len(text) for start, end in parts)
        assert all(one[1] <= two[0] for one, two in pairwise(parts))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["Telekom, ", "Telekom und ", "Telekom besser als ", "Telekom aber ", "Telekom 😍. "])
def test_work_stays_bounded_on_hostile_texts(piece: str) -> None:
    """Any step that is not linear in these 100,000 characters would take minutes."""
    text = piece * (100_000 // len(piece))
    matches = [Match("telekom", "Telekom", at, at + 7, Via.NAME, "") for at in range(0, len(text) - 7, len(piece))]
    assert spans_of(text, matches)["telekom"]


def test_the_clauses_tell_the_tone_better_than_the_whole_text() -> None:
    rows = read_rows()
    wanted, clauses, whole = measure(rows, BRANDS)["all"]
    assert len(rows) >= 120
    assert clauses / wanted >= 0.93 > 0.7 > whole / wanted
