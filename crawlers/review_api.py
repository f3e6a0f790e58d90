"""What spiders of review portals' interfaces share: requests that carry a key go nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from scrapy.http import Response

from crawlers.api import ApiOptions, ApiSpider
from crawlers.newest import Reel
from crawlers.parsing import Parsed, ParsedItem
from crawlers.webhook import Algorithm, Encoding
from pipeline.words import Channel


class HookedOptions(ApiOptions):
    """Options of a portal that also tells of news by itself, at /api/hooks/ and the id of the source.

    How it signs its calls is an assumption (``crawlers/webhook.py``), which the last three correct.
    """

    hook_secret_file: Path | None = Field(None, description="File with the secret of its webhook, and nothing else.")
    hook_secret_env: str = Field("", description="Environment variable with that secret.")
    hook_header: str = Field(
        "", description="Header in which the webhook signs its calls; empty: one named after the portal."
    )
    hook_algorithm: Algorithm = Field(
        "sha256",
        description="How it signs, by HMAC; none: the header holds the secret itself, also as Bearer or Basic.",
    )
    hook_encoding: Encoding = Field("hex", description="How the signature is written.")


class ReviewApi(ApiSpider):
    """Base of spiders that read reviews with a key. A review that is no longer listed is not taken for deleted."""

    channel = Channel.REVIEW
    origin: ClassVar[str] = ""
    """Origin of reviews that have no address of their own."""

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        return {**super().over(item, response), **({"origin": self.origin} if self.origin else {})}

    def reads_on(self, reel: Reel, parsed: Parsed, met: bool) -> bool:
        """Lists are sorted by change: an old review that was edited today does not end the reading."""
        if met and (reel.resuming or self.job.watermark is not None):
            return False
        times = [at for item in parsed.items if (at := self.credible(item.published.at)) is not None]
        return not times or max(times) >= self.job.backfill_from
