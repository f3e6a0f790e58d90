"""Every spider is found and tells what it is."""

import tomllib

import pytest
from pydantic import BaseModel

from crawlers.registry import spiders
from crawlers.spider import SourceSpider
from pipeline.configuration import Source

ALL = spiders()


def test_the_four_spiders_are_there():
    assert {"feed", "phpbb", "reviews", "searxng"} <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_spider_tells_what_it_is_and_shows_how_it_is_used(name):
    spider = ALL[name]
    assert issubclass(spider, SourceSpider)
    assert spider.name == name
    assert len(spider.description) > 20
    assert issubclass(spider.Options, BaseModel)
    assert spider.Options.model_config["extra"] == "forbid"
    assert all(field.description for field in spider.Options.model_fields.values())
    assert callable(spider.parser)
    [entry] = tomllib.loads(spider.example)["sources"].values()
    source = Source.model_validate(entry)
    assert source.spider == name
    spider.Options.model_validate(source.options)
