"""Result lists beside each other: entrants, leavers, movers, whose pages they are, and what is not compared."""

from datetime import UTC, datetime, timedelta

from pipeline.configuration import Configuration
from pipeline.ranks import Row, Run, Standing, compare, compared, counts, judge_of

NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)


def run(*urls: str, hours: int = 0, silent: tuple[tuple[str, str], ...] = ()) -> Run:
    rows = tuple(Row(position=n, url=f"https://{url}/", title=f"Titel {url}") for n, url in enumerate(urls, start=1))
    return Run(source="suche", query="nordnetz", at=NOW - timedelta(hours=hours), rows=rows, unresponsive=silent)


def judge(url: str):
    return Standing.NEUTRAL, "unknown"


def moves(new: Run, old: Run | None):
    return [(place.domain, place.position, place.before, place.change) for place in compare(new, old)]


def test_entered_left_and_moved():
    assert moves(run("a.de", "c.de", "b.de", "e.de"), run("a.de", "b.de", "c.de", "d.de")) == [
        ("a.de", 1, 1, "same"),
        ("c.de", 2, 3, "up"),
        ("b.de", 3, 2, "down"),
        ("e.de", 4, None, "entered"),
        ("d.de", None, 4, "left"),
    ]


def test_the_same_article_under_an_address_that_became_known():
    old = Run(source="s", query="q", at=NOW, rows=(Row(position=1, url="https://news.google.com/x", title="Störung!"),))
    new = Run(source="s", query="q", at=NOW, rows=(Row(position=1, url="https://bote.de/stoerung", title="Störung"),))
    assert moves(new, old) == [("bote.de", 1, 1, "same")]


def test_results_that_share_an_address_are_told_apart():
    assert moves(run("a.de", "a.de"), run("a.de")) == [("a.de", 1, 1, "same"), ("a.de", 2, None, "entered")]


def test_a_run_with_a_silent_engine_is_never_compared():
    silent = (("langsam", "timeout"),)
    broken = compared([run(silent=silent), run("a.de", hours=1)], judge)
    assert (broken.before, broken.reason, broken.unresponsive, broken.places) == (None, "unresponsive", silent, ())
    assert "left" not in counts(broken)
    over = compared([run("a.de"), run(hours=1, silent=silent), run("a.de", "b.de", hours=2)], judge)
    assert over.before == NOW - timedelta(hours=2)
    assert counts(over) == {
        "own": 0, "critical": 0, "neutral": 1, "entered": 0, "left": 1, "up": 0, "down": 0, "same": 1
    }  # fmt: skip
    assert compared([run("a.de")], judge).reason == "first"
    assert compared([], judge) is None


def test_an_engine_that_gives_nothing_more_counts_as_silent():
    def found(hours: int, *engines: str) -> Run:
        rows = tuple(
            Row(position=n, url=f"https://{name}.de/", title=name, engines=(name,)) for n, name in enumerate(engines, 1)
        )
        return Run(source="s", query="q", at=NOW - timedelta(hours=hours), rows=rows)

    broken = compared([found(0, "eins"), found(1, "eins", "zwei")], judge)
    assert (broken.reason, broken.before) == ("unresponsive", None)
    assert broken.unresponsive == (("zwei", "no result, unlike before"),)
    assert [place.position for place in broken.places] == [1]
    assert compared([found(0, "eins", "zwei"), found(1, "eins")], judge).reason == ""


def test_an_empty_list_that_is_whole_is_compared():
    assert counts(compared([run(), run("a.de", hours=1)], judge))["left"] == 1


class Tones:
    """A store that knows how often a domain spoke in which tone."""

    def __init__(self, **said: int) -> None:
        self.said = said

    def count(self, query, *, start):
        (_, (tone,)), _ = query.root.parts[1].conditions
        return self.said.get(tone, 0), 0


def test_whose_pages_they_are():
    settings = Configuration.model_validate(
        {
            "brands": {"nordnetz": {"name": "Nordnetz", "domains": ["nordnetz.example"], "accounts": ["@nordnetz"]}},
            "results": {"critical": ["www.zorn.example"]},
        }
    )
    known = judge_of(settings, None, NOW)
    assert known("https://hilfe.nordnetz.example/") == (Standing.OWN, "brand.domains")
    assert known("https://sozial.example/@Nordnetz") == (Standing.OWN, "brand.accounts")
    assert known("https://zorn.example/x") == (Standing.CRITICAL, "results.critical")
    assert known("https://falschnordnetz.example/") == (Standing.NEUTRAL, "unknown")
    spoken = judge_of(settings, Tones(negative=4, neutral=3, positive=1), NOW)
    assert spoken("https://forum.example/") == (Standing.CRITICAL, "4/8 negative")
    assert judge_of(settings, Tones(negative=4), NOW)("https://forum.example/") == (Standing.NEUTRAL, "unknown")
