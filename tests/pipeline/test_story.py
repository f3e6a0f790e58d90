"""Stories: copies of one text are one opinion."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.steps.story import Fingerprint, bands_of, same_story, words_of

WIRE = (
    "Ein Ausfall im Netz hat am Vormittag Tausende Haushalte getroffen. Kunden berichten von langen Wartezeiten, "
    "die Verbraucherzentrale spricht von einer Zumutung, das Unternehmen war nicht zu erreichen."
)


def share_a_band(one: str, other: str, author: str | None = None) -> bool:
    return bool(set(bands_of(Fingerprint.of(one), author)) & set(bands_of(Fingerprint.of(other), author)))


def test_reposts_are_found_and_confirmed():
    repost = f"RT @agentur: {WIRE} https://kurz.example/x"
    assert words_of(repost) == words_of(WIRE)
    assert share_a_band(WIRE, repost)
    assert same_story(Fingerprint.of(WIRE), Fingerprint.of(repost), same_author=False)


def test_half_of_a_text_is_contained_in_it():
    half = WIRE[: len(WIRE) // 2]
    assert same_story(Fingerprint.of(half), Fingerprint.of(WIRE), same_author=False)


def test_same_subject_in_other_words_is_another_opinion():
    other = (
        "Bei uns in der Siedlung geht seit heute früh gar nichts mehr, weder Telefon noch Internet, und keiner hilft."
    )
    assert not same_story(Fingerprint.of(WIRE), Fingerprint.of(other), same_author=False)


def test_short_texts_are_copies_only_of_the_same_author():
    assert same_story(Fingerprint.of("Nie wieder!"), Fingerprint.of("nie wieder"), same_author=True)
    assert not same_story(Fingerprint.of("Nie wieder!"), Fingerprint.of("nie wieder"), same_author=False)
    assert not same_story(Fingerprint.of("Nie wieder!"), Fingerprint.of(WIRE + " Nie wieder!"), same_author=True)
    assert share_a_band("Nie wieder!", "nie wieder", "a" * 32)
    assert bands_of(Fingerprint.of("Nie wieder!"), None) == ()


@given(st.text(max_size=400), st.text(max_size=400))
def test_the_relation_is_symmetric_and_bands_are_small_numbers(one, other):
    first, second = Fingerprint.of(one), Fingerprint.of(other)
    assert same_story(first, second, same_author=True) == same_story(second, first, same_author=True)
    assert all(0 <= band < 2**63 for band in bands_of(first, "a"))


def test_most_copies_with_one_word_changed_share_a_band():
    words = WIRE.split()
    found = sum(share_a_band(WIRE, " ".join([*words[:n], "anders", *words[n + 1 :]])) for n in range(len(words)))
    assert found >= 0.9 * len(words)
