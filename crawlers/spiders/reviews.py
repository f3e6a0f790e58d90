"""Spider for review pages with schema.org data: newest first, page by page, until a known review is met."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Response

from crawlers.look import Look
from crawlers.newest import NewestFirst, Reel
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.ratings import parse_reviews
from crawlers.spider import Rank
from pipeline.identity import origin_of
from pipeline.words import Channel

REVIEWS = frozenset({"Review", "UserReview", "CriticReview", "EmployerReview", "AggregateRating"})
"""Types of schema.org that make a page one of reviews."""


def parse(page: PageFile) -> Parsed:
    """The reviews of a page."""
    return parse_reviews(page)


class ReviewsOptions(BaseModel):
    """Options of a review page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_page: bool = Field(False, description="Read all pages each time: for pages that are not sorted by date.")


class ReviewsSpider(NewestFirst):
    """Reads reviews of one thing. Give the source `about`, since reviews seldom name the company."""

    name = "reviews"
    platform = "reviews"
    channel = Channel.REVIEW
    interval = timedelta(minutes=30)
    Options = ReviewsOptions
    description = "A page of reviews with schema.org data (JSON-LD or microdata), whoever made it."
    example = """\
[sources.reviews]
spider = "reviews"
url = "https://reviews.example.org/company/acme"
about = "acme"
"""
    parser: ClassVar[Any] = staticmethod(parse)
    rank = Rank.STRUCTURED

    @classmethod
    def recognises(cls, look: Look) -> str:
        return "the page has schema.org reviews" if look.types & REVIEWS else ""

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        given = {"native_id": item.id, "parent": item.parent, "thread": None}
        return given | {"origin": origin_of(response.url)}

    def reads_on(self, reel: Reel, parsed: Parsed, met: bool) -> bool:
        every_page = self.options(ReviewsOptions).every_page
        return every_page or super().reads_on(reel, parsed, met)
