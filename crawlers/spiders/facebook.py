"""Spider for pages of one's own on Facebook, through the Graph API: their posts and what people wrote under them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from scrapy.http import Response

from crawlers.api import ApiOptions
from crawlers.facebook_posts import parse_feed
from crawlers.look import Look
from crawlers.network import NetworkSpider
from crawlers.newest import Reel
from crawlers.parsing import PageFile, Parsed, ParsedItem
from pipeline.words import Channel

FEED_FIELDS = (
    "id,message,story,created_time,permalink_url,from,attachments{media_type,description,media},"
    "reactions.summary(total_count).limit(0),comments.summary(total_count).filter(stream).limit(0)"
)
_TOKEN = re.compile(rb'(access_token(?:=|%3D))[^&"\\\s]{1,2000}')


def parse(page: PageFile) -> Parsed:
    """The posts or comments of one answer."""
    return parse_feed(page)


class FacebookOptions(ApiOptions):
    """``key_file`` holds the page's access token."""


class FacebookSpider(NetworkSpider):
    """Give the source ``about``: people write on a page without naming whose it is."""

    name = "facebook"
    platform = "facebook"
    channel = Channel.SOCIAL
    interval = timedelta(minutes=10)
    Options = FacebookOptions
    description = "Posts and comments of your own page on Facebook, with the page's access token."
    example = """\
[sources.facebook]
spider = "facebook"
url = "https://graph.facebook.com/v23.0/19292868552"
key_file = "secrets/facebook_page_token"
about = "acme"
"""
    parser: ClassVar[Any] = staticmethod(parse)
    key_name = "STURMWARTE_FACEBOOK_TOKEN"

    @classmethod
    def recognises(cls, look: Look) -> str:
        answer = look.json
        rows = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
            return ""
        known = "created_time" in rows[0] and ("permalink_url" in rows[0] or "message" in rows[0] or "story" in rows[0])
        return "the answer lists posts or comments of Facebook" if known else ""

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.key()}"}  # in the address it would stand in logs

    def lists(self) -> Mapping[str, str]:
        return {"feed": f"{self.job.url.rstrip('/')}/feed?{urlencode({'fields': FEED_FIELDS, 'limit': '50'})}"}

    def expects_items(self, reel: Reel) -> bool:
        return True

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        return dict(super().over(item, response)) | {"native_id": f"/ {item.id}"}

    def keep(self, response: Response) -> str | None:
        """The answer repeats the token in its links: it is taken out before anything is kept."""
        return super().keep(response.replace(body=_TOKEN.sub(rb"\1-", response.body)))
