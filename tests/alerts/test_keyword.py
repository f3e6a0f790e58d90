"""The tripwire: each new, fresh mention once; a search that cannot be read is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alerting import NOW, mention

from alerts.registry import rules
from alerts.rule import Evidence
from alerts.rules.keyword import Keyword, KeywordOptions

RULE = Keyword(KeywordOptions(query="Rückruf", level=3))


def test_fresh_ones_alert_and_old_or_historic_ones_do_not() -> None:
    fresh = mention(1, NOW - timedelta(hours=47))
    old, past = mention(2, NOW - timedelta(hours=48)), mention(3, NOW, historic=True)
    state, alerts = RULE.evaluate(b"kept", Evidence(brand="acme", mentions=[old, fresh, past]), NOW)
    assert state == b"kept"
    assert [(alert.key, alert.uids, alert.level_hint) for alert in alerts] == [(fresh.uid, (fresh.uid,), 3)]
    assert alerts[0].reasons == (("rules.keyword.hit", {"n": 1, "query": "Rückruf"}),)


def test_what_it_needs_is_its_search() -> None:
    assert (RULE.needs.query, RULE.needs.cells) == ("Rückruf", False)


@pytest.mark.parametrize("query", ["", "(Rückruf", "nosuchfield:x"])
def test_a_search_that_cannot_be_read_is_refused(query: str) -> None:
    with pytest.raises(ValueError):
        KeywordOptions(query=query)


def test_rules_are_found_and_documented() -> None:
    found = rules()
    assert {"surge", "keyword"} <= set(found)
    for name, rule in found.items():
        assert rule.name == name and rule.description.endswith(".") and f'rule = "{name}"' in rule.example
