"""Spider for forums, questions and comments that are described by schema.org data, whoever made them."""

from __future__ import annotations

from typing import Any, ClassVar

from crawlers.discussions import POSTS, described_posts, is_whole, parse_discussion
from crawlers.generic_pages import parse_generic
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.spider import Rank
from crawlers.spiders.forum import ARTICLES, ForumSpider

REVIEWS = frozenset({"Review", "UserReview", "CriticReview", "EmployerReview"})
THREADS = frozenset({"DiscussionForumPosting", "Question", "SocialMediaPosting"})


def parse(page: PageFile) -> Parsed:
    """The described posts of a page, where these are all of its posts; else what the shape of the page gives."""
    return parse_discussion(page)


class DiscussionSpider(ForumSpider):
    """Reads posts from microdata or JSON-LD; lists of threads by their shape."""

    name = "discussion"
    platform = "discussion"
    description = "A forum, questions and answers or comments with schema.org data (JSON-LD or microdata)."
    example = """\
[sources.questions]
spider = "discussion"
url = "https://questions.example.org/tag/internet"
"""
    parser: ClassVar[Any] = staticmethod(parse)
    rank = Rank.STRUCTURED

    @classmethod
    def recognises(cls, look: Look) -> str:
        if look.tree is None or not look.types & POSTS or look.types & ARTICLES:
            return ""
        if look.types & REVIEWS and not look.types & THREADS:  # answers of those reviewed
            return ""
        whole = is_whole(described_posts(look.page), parse_generic(look.page))
        return "the page describes its posts by schema.org data" if whole else ""
