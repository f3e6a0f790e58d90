"""Reviews saved from portals: what is read from them is what the index beside them says."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from crawlers.classify import classify
from crawlers.parse import detect
from crawlers.parsing import PageFile
from crawlers.spiders import appstore, trustpilot
from pipeline.words import Answer, Kind

PAGES = Path(__file__).parents[3] / "shared" / "data" / "pages"
pytestmark = pytest.mark.skipif(not PAGES.exists(), reason="the saved pages are not part of the project")


def saved(file: str, url: str = "https://www.trustpilot.com/review/www.trademax.se") -> PageFile:
    now = datetime(2026, 11, 22, 6, tzinfo=UTC)
    return PageFile(url=url, body=(PAGES / file).read_bytes(), now=now, zone=ZoneInfo("Europe/Berlin"))


def test_the_app_store():
    url = "https://itunes.apple.com/us/rss/customerreviews/page=1/id=1321994487/sortBy=mostRecent/json"
    page = saved("appstore/customerreviews_us_2021.json", url)
    found = appstore.parse(page)
    first = found.items[0]
    assert (detect(page)[0], found.state, len(found.items)) == ("appstore", Answer.OK, 50)
    assert len({item.id for item in found.items}) == 50
    assert (first.id, first.author, first.rating_raw, first.rating) == ("review 7175647643", "WB-SBB", "2", 0.25)
    assert first.title.startswith("Mobile app cannot recognize endorsement on business size che")


def test_trustpilot_with_reviews():
    page = saved("trustpilot/structure_2026_next_data.html")
    ada, answer, bo = trustpilot.parse(page).items
    assert detect(page)[0] == "trustpilot"
    assert (ada.author, ada.rating, ada.text, ada.verified) == ("Ada L", 0.0, "Arrived with parts missing.", False)
    assert ada.published.at == datetime(2026, 9, 2, 11, 27, 14, tzinfo=UTC)
    assert (answer.kind, answer.parent, answer.text) == (Kind.REPLY, ada.id, "Hej! We are sorry.")
    assert (bo.author, bo.rating, bo.verified) == ("Bo K", 1.0, True)


@pytest.mark.parametrize(
    ("name", "state"),
    [("gated_page11", Answer.GATED), ("waf_interstitial", Answer.CHALLENGE), ("empty", Answer.EMPTY)],
)
def test_trustpilot_without(name, state):
    page = saved(f"trustpilot/structure_2026_{name}.html")
    assert (trustpilot.parse(page).state, trustpilot.parse(page).items) == (state, ())
    assert (classify(200, {}, page.body)[0] is Answer.CHALLENGE) is (state is Answer.CHALLENGE)
