"""The classifier: hashed features, models as arrays, training and evaluation, on sentences of our own."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples import EXAMPLE_BRANDS
from pipeline.matching import Matcher
from pipeline.tone.classifier import ClassifierEngine, base_model
from pipeline.tone.copies import digests_of, groups_of
from pipeline.tone.evaluation import evaluate, masked, sign_f1
from pipeline.tone.features import BLOCK, SIZE, counted, spelled
from pipeline.tone.labelled import Labelled, LabelledError, read_labelled
from pipeline.tone.measures import auc, calibration_error, f1_figures
from pipeline.tone.model import Model, ModelError, load_model, read_model
from pipeline.tone.rules import LANGUAGES
from pipeline.tone.training import rules_digest, train
from pipeline.words import Channel, ToneLabel
from sturmwarte.command import invoke

NOUNS = ("Hotline", "Rechnung", "Lieferung", "App", "Filiale", "Beratung", "Leitung", "Werkstatt", "Mappe", "Tüte")
PLACES = ("in Ulm", "am Montag", "bei uns", "hier", "seit gestern", "im Netz", "zu Hause", "heute früh")
SAID = {
    ToneLabel.NEGATIVE: ("ist schon wieder quarfelig", "war dermaßen quarfelig", "bleibt leider quarfelig"),
    ToneLabel.NEUTRAL: ("hat jetzt eine neue Farbe", "liegt neben dem Eingang", "heißt nun anders"),
    ToneLabel.POSITIVE: ("ist endlich zimbelfein", "war wirklich zimbelfein", "bleibt immer zimbelfein"),
}
"""What is good or bad is said in words that no lexicon knows."""


def sentences(seed: int, each: int) -> list[Labelled]:
    chance = random.Random(seed)
    made: dict[str, ToneLabel] = {}
    while len(made) < 3 * each:
        tone = list(ToneLabel)[len(made) % 3]
        made[
            f"Die {chance.choice(NOUNS)} {chance.choice(PLACES)} {chance.choice(SAID[tone])}, {chance.random():.6f}."
        ] = tone
    return [Labelled(text, tone, "de", of="own.tsv") for text, tone in made.items()]


@pytest.fixture(scope="module")
def rows() -> list[Labelled]:
    return sentences(1, 60)


@pytest.fixture(scope="module")
def model(rows: list[Labelled]) -> Model:
    return train(rows, masked((row.text for row in rows), Matcher({})), "de", base=None, seed=1)


# --- features -----------------------------------------------------------------------------------------------------


def test_words_pairs_and_runs_of_letters_are_counted():
    found = counted(["ab cd ab"])
    words = {int(count) for bucket, count in zip(found.bucket, found.count, strict=True) if bucket < BLOCK}
    assert words == {1, 2}
    assert int(found.count[found.bucket < BLOCK].sum()) == 3 + 2  # three words, two pairs
    # " ab ": of two letters three runs, of three letters two; the word with both borders is the word itself
    assert int(found.count[found.bucket >= BLOCK].sum()) == 3 * (3 + 2)


def test_spelling_of_umlauts_and_stretching_make_no_difference():
    assert spelled(["Schöööön, GROẞ\n und  süß"]) == ["schoeoeoeoen, gross und suess"] or spelled(["süß"]) == ["suess"]
    assert counted(["Für Österreich"]).bucket.tolist() == counted(["fuer oesterreich"]).bucket.tolist()
    assert counted(["neeeeeein"]).bucket.tolist() == counted(["neeein"]).bucket.tolist()


@given(st.lists(st.text(), max_size=8))
def test_a_text_has_the_same_features_alone_and_in_any_batch(texts):
    together = counted(texts)
    for at, text in enumerate(texts):
        mine = together.text == at
        alone = counted([text])
        assert together.bucket[mine].tolist() == alone.bucket.tolist()
        assert together.count[mine].tolist() == alone.count.tolist()
    assert together.texts == len(texts) and (together.bucket < SIZE).all()


def test_no_text_at_all():
    assert counted([]).texts == 0 and counted(["", " "]).count.tolist() == []


# --- models -------------------------------------------------------------------------------------------------------


def test_training_twice_gives_the_same_bytes(rows, model):
    again = train(rows, masked((row.text for row in rows), Matcher({})), "de", base=None, seed=1)
    assert again.to_bytes() == model.to_bytes()
    other = train(rows, masked((row.text for row in rows), Matcher({})), "de", base=None, seed=2)
    assert other.about.seed == 2 and other.version != model.version


def test_what_no_lexicon_knows_is_learnt(model):
    assert model.about.figures["macro_f1"] > 0.95
    engine = ClassifierEngine("de", own=model)
    tones = engine.tone(["Euer Laden war quarfelig.", "Der Tisch ist zimbelfein!", "Das Heft liegt neben dem Eingang."])
    assert [tone.label.value for tone in tones] == ["negative", "positive", "neutral"]
    assert engine.name == f"own-de-{model.version}"
    for tone in tones:
        assert tone.p_negative + tone.p_neutral + tone.p_positive == pytest.approx(1, abs=1e-9)


def test_a_file_gives_the_model_back(tmp_path, model):
    model.save(tmp_path / "own.npz")
    known = load_model(tmp_path / "own.npz")
    assert known.version == model.version and known.about == model.about
    text = ["Alles quarfelig hier"]
    assert ClassifierEngine("de", own=known).tone(text) == ClassifierEngine("de", own=model).tone(text)
    assert [entry.name for entry in tmp_path.iterdir()] == ["own.npz"]


def test_no_text_is_in_the_file(model):
    assert b"quarfelig" not in model.to_bytes() and b"Hotline" not in model.to_bytes()


@given(st.binary(max_size=200))
def test_what_is_no_model_is_refused(content):
    with pytest.raises(ModelError):
        read_model(content)


def test_a_damaged_model_is_refused_by_name(tmp_path, model):
    content = bytearray(model.to_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(ModelError, match=r"own\.npz.*sturmwarte train"):
        load_model(tmp_path / "own.npz")
    with pytest.raises(ModelError, match=r"missing\.npz"):
        load_model(tmp_path / "missing.npz")


def test_a_model_of_another_language_or_base_is_refused(rows, model):
    with pytest.raises(ModelError, match="a model of de, not of en"):
        ClassifierEngine("en", own=model)
    on_base = train(rows, [row.text for row in rows], "de", base=base_model("de"), seed=1)
    assert on_base.about.base == base_model("de").version
    with pytest.raises(ModelError, match="another base"):
        ClassifierEngine("de", own=on_base, base=model)


def test_the_kind_of_place_counts_where_it_was_given():
    texts = sentences(3, 40)
    shouted = [
        Labelled(row.text, ToneLabel.NEGATIVE if at % 2 else ToneLabel.NEUTRAL, "de",
                 Channel.REVIEW if at % 2 else Channel.NEWS, of="places.jsonl")
        for at, row in enumerate(texts)
    ]  # fmt: skip
    engine = ClassifierEngine("de", own=train(shouted, [row.text for row in shouted], "de", base=None, seed=1))
    said = ["Die Mappe hier heißt nun anders"] * 3
    review, news, unknown = (tone.p_negative for tone in engine.tone(said, [Channel.REVIEW, Channel.NEWS, None]))
    assert review > 0.9 > 0.5 > 0.1 > news
    assert news < unknown < review


def test_one_tone_alone_teaches_nothing():
    alone = [row for row in sentences(1, 30) if row.label is ToneLabel.NEGATIVE]
    with pytest.raises(LabelledError, match="30 negative, 0 neutral, 0 positive"):
        train(alone, [row.text for row in alone], "de", base=None, seed=1)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_shipped_model_was_made_with_the_rules_of_this_program(lang):
    about = base_model(lang).about
    assert about.rules == rules_digest(lang), "the lexicon has changed: make the base models anew (docs/decisions/0016)"
    assert about.lang == lang and about.base is None and about.texts > 10_000


@pytest.mark.parametrize(
    ("lang", "text", "tone"),
    [
        ("de", "Seit drei Wochen kein Internet und niemand ruft zurück, eine Frechheit!", "negative"),
        ("de", "Der Techniker war pünktlich, freundlich und hat alles erklärt. Danke!", "positive"),
        ("de", "Die neue Filiale öffnet am Montag um neun Uhr.", "neutral"),
        ("en", "Worst customer service ever, they lost my bag and nobody cares.", "negative"),
        ("en", "Great crew and a smooth flight, thank you so much!", "positive"),
        ("en", "The new timetable starts on Monday.", "neutral"),
    ],
)
def test_plain_sentences_with_the_shipped_models(lang, text, tone):
    [found] = ClassifierEngine(lang).tone([text])
    assert found.label.value == tone


# --- copies -------------------------------------------------------------------------------------------------------


def test_near_copies_are_one_group():
    text = "Seit heute morgen ist das Netz in ganz Ulm gestört und niemand sagt etwas dazu"
    texts = [
        text,
        f"RT @erika: {text}",
        text + " https://example.org/1",
        "Etwas ganz anderes hat hier einer gesagt, ja",
    ]
    first, repost, linked, other = groups_of(texts)
    assert first == repost == linked != other
    assert digests_of([text])[0] == digests_of([f"RT @erika: {text}"])[0] != digests_of([texts[3]])[0]


# --- labelled texts -----------------------------------------------------------------------------------------------


def test_three_formats_give_the_same(tmp_path):
    (tmp_path / "a.tsv").write_text(
        "id\tlabel\ttext\n1\tnegative\tGanz schlecht\n2\tpositive\tGut\tund schön\n", "utf-8"
    )
    (tmp_path / "b.tsv").write_text("negative\tGanz schlecht\r\npositive\tGut\tund schön\r\n", "utf-8")
    lines = [{"text": "Ganz schlecht", "label": "negative"}, {"text": "Gut\tund schön", "label": "positive"}]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    (tmp_path / "d.xml").write_text(
        "<Documents><Document id='1'><relevance>true</relevance><sentiment>negative</sentiment>"
        "<text>Ganz schlecht</text></Document><Document><sentiment>positive</sentiment>"
        "<text>Gut\tund schön</text></Document></Documents>",
        "utf-8",
    )
    for name in ("a.tsv", "b.tsv", "c.jsonl", "d.xml"):
        found = [(row.text, row.label.value, row.of) for row in read_labelled(tmp_path / name)]
        assert found == [("Ganz schlecht", "negative", name), ("Gut\tund schön", "positive", name)], name


def test_means_of_ratings_are_labels(tmp_path):
    (tmp_path / "rated.txt").write_text("1\t2.7\tlovely\n2\t-0.2\tso so\n3\t-3\tawful\n", "utf-8")
    found = read_labelled(tmp_path / "rated.txt")
    assert [(row.label.value, row.rating) for row in found] == [
        ("positive", 2.7),
        ("neutral", -0.2),
        ("negative", -3.0),
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.tsv", b"positive\tgut\nsplendid\tgut", "a.tsv, line 2: the label 'splendid'"),
        ("b.tsv", b"no tab at all", "b.tsv, line 1: no tab"),
        ("c.jsonl", b'{"text": "x"}', 'c.jsonl, line 1: needs "text" and "label"'),
        ("d.jsonl", b'{"text": "x", "label": "positive", "channel": "pub"}', "the channel 'pub' is none of forum"),
        ("e.xml", b"<Documents><Document>", "e.xml: is no XML"),
        ("f.tsv", b"", "f.tsv: holds no labelled text"),
        ("g.tsv", b"positive\t\xff\xfe", "g.tsv: is not UTF-8"),
        ("h.jsonl", b"{broken", "h.jsonl, line 1: is no JSON object"),
    ],
)
def test_a_bad_file_is_named_with_line_and_remedy(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LabelledError) as refused:
        read_labelled(tmp_path / name)
    assert said in str(refused.value)


def test_no_entity_of_an_xml_file_is_followed(tmp_path):
    (tmp_path / "secret").write_text("geheim")
    (tmp_path / "x.xml").write_text(
        f'<!DOCTYPE d [<!ENTITY s SYSTEM "file://{tmp_path}/secret">]><Documents><Document>'
        "<sentiment>neutral</sentiment><text>a &s; b</text></Document></Documents>"
    )
    assert all("geheim" not in row.text for row in read_labelled(tmp_path / "x.xml"))


# --- figures ------------------------------------------------------------------------------------------------------


def test_figures_by_hand():
    truth, found = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 2])
    figures = f1_figures(truth, found)
    assert figures["micro_f1"] == pytest.approx(4 / 6)
    assert figures["macro_f1"] == pytest.approx((0.5 + 2 / 3 + 1) / 3)
    assert auc(np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.4, 0.1])) == pytest.approx(0.875)
    assert auc(np.array([1, 1]), np.array([0.9, 0.4])) is None
    sure = np.array([[0.95, 0.05, 0.0], [0.95, 0.05, 0.0]])
    assert calibration_error(np.array([0, 1]), sure) == pytest.approx(0.45)
    assert sign_f1(np.array([0, 2, 2]), np.array([-0.1, 0.0, 0.4])) == pytest.approx((1 + 2 / 3) / 2, abs=1e-4)


def test_an_evaluation_counts_everything(model, rows):
    fresh = [
        *sentences(9, 20),
        Labelled("Un service vraiment terrible, jamais plus chez eux, quelle honte", ToneLabel.NEGATIVE),
    ]
    document = evaluate([*fresh, *rows[:5]], model, Matcher(EXAMPLE_BRANDS), "de")
    assert (document["n"], document["seen"]) == (61, 5)
    assert document["macro_f1"] > 0.95
    assert document["baselines"]["majority"]["micro_f1"] == pytest.approx(21 / 61, abs=1e-4)
    assert document["confusion"]["positive"] == {"negative": 0, "neutral": 0, "positive": 20}
    assert document["interval"]["macro_f1"][0] <= document["macro_f1"] <= document["interval"]["macro_f1"][1]


def test_nothing_is_measured_on_what_was_learnt(model, rows):
    with pytest.raises(LabelledError, match=r"own\.tsv: the model was trained on all 180 texts"):
        evaluate(rows, model, Matcher({}), "de")


def test_third_languages_are_neutral_and_counted():
    french = Labelled(
        "Le service client est vraiment terrible, je ne recommande pas du tout cette entreprise", ToneLabel.NEGATIVE
    )
    german = Labelled("Die Hotline ist eine einzige Katastrophe und niemand hilft einem weiter", ToneLabel.NEGATIVE)
    document = evaluate([french, german], None, Matcher({}), None)
    assert document["not_scored"] == 1
    assert document["confusion"]["negative"] == {"negative": 1, "neutral": 1, "positive": 0}


# --- commands -----------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = invoke(words)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_commands_train_and_evaluate(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("learn.tsv", 5), ("ask.tsv", 6)):
        lines = [f"{row.label.value}\t{row.text}" for row in sentences(seed, 40)]
        (tmp_path / name).write_text("\n".join(lines), "utf-8")
    code, out, err = run(capsys, "train", "learn.tsv", "--out", "own.npz", "--lang", "de", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert (document["n"], document["out"], document["base"]) == (120, "own.npz", base_model("de").version)
    assert document["cross_validation"]["macro_f1"] > 0.9
    code, out, _ = run(capsys, "evaluate", "ask.tsv", "--model", "own.npz", "--json")
    answer = json.loads(out)
    assert answer["macro_f1"] > 0.9 > answer["baselines"]["rules"]["macro_f1"]
    assert run(capsys, "evaluate", "ask.tsv", "--model", "own.npz")[0] == 0
    code, _, err = run(capsys, "evaluate", "learn.tsv", "--model", "ask.tsv")
    assert code == 2 and "ask.tsv" in err
