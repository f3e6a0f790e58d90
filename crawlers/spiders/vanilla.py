"""Spider for Vanilla forums, whatever their style."""

from __future__ import annotations

from typing import Any, ClassVar

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.markup import Markup, number_in, parse_forum, recognised
from crawlers.parsing import PageFile, Parsed
from crawlers.select import clean_link
from crawlers.text import Element

_COMMENT = number_in("id", pattern=r"^Comment_(\d{1,18})$")


def _number(post: Element) -> str | None:
    """Comments have numbers of their own; the opening post is the discussion itself, before all of them."""
    return _COMMENT(post) or ("0" if (post.get("id") or "").startswith("Discussion_") else None)


def _post_url(page: str, number: str) -> str | None:
    return page if number == "0" else clean_link(page, f"/discussion/comment/{number}#Comment_{number}")


BOARD = Markup(
    name="Vanilla",
    marks="body.Vanilla, .ItemDiscussion, .ItemComment, .DataList.Discussions, .MessageList.Discussion, body.vanilla",
    posts="#Discussion_0, div.ItemDiscussion, li.ItemComment[id^='Comment_'], li.Comment[id^='Comment_'],"
    " [id^='Discussion_'].ItemDiscussion, div[id^='Discussion_']",
    number=_number,
    content=".Message.userContent, .Item-Body .Message, .Message, .userContent",
    author=".Author .Username, .Author a.Username, .AuthorWrap .Username, .Author a[title], .Username",
    times=".DiscussionMeta time[datetime], .CommentMeta time[datetime], .Meta time[datetime], time[datetime]",
    quotes="blockquote, .Quote, .js-embed[data-embedjson*='quote']",
    drop=".Signature, .UserSignature, .DateUpdated, .Reactions, .Attachments, .QuoteAuthor, script, .MuteThis",
    skip=".Deleted, .Ignored",
    position=".Permalink.Number",
    staff=".Role_Administrator, .Role_Moderator, .RoleTracker",
    title=".PageTitle h1, .Discussion h1, h1",
    post_link=".DateCreated a[href], a.Permalink[href]",
    post_url=_post_url,
    rows="li.ItemDiscussion[id^='Discussion_'], tr.ItemDiscussion, ul.Discussions li.Item, .DataTable tr.Item",
    row_id=number_in("id", pattern=r"(\d{1,18})$"),
    row_title="a.Title[href], .Title a[href], .DiscussionName a[href]",
    row_last=".LastCommentDate, .LastUser, .BlockColumn.LastUser, .Meta",
    row_replies=".CommentCount, .CountComments, .BigCount.CountComments",
    sticky=".Announcement",
    boards="li.Item.Category, tr.Item.Category, .CategoryList .Item",
    board_title="h2 a[href], h3 a[href], a.Title[href]",
    board_last=".LastDiscussionTitle, .LatestPost, .Meta",
    next_page="a.Next[href]",
    previous_page="a.Previous[href]",
)


def parse(page: PageFile) -> Parsed:
    """Posts, thread rows and links of one page of a Vanilla forum."""
    return parse_forum(page, BOARD)


class VanillaSpider(BoardSpider):
    """Reads a list of discussions or one discussion."""

    name = "vanilla"
    platform = "vanilla"
    description = "A Vanilla forum: its discussions, a category or one discussion; no login needed."
    example = """\
[sources.forum]
spider = "vanilla"
url = "https://forum.example.org/discussions"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        return "the markup is Vanilla's" if recognised(look.tree, BOARD) else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        number = item.removeprefix("p")
        return clean_link(thread_url, f"/discussion/comment/{number}#Comment_{number}")
