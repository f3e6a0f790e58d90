"""Spider for MyBB 1.6 and 1.8, whatever their style."""

from __future__ import annotations

from typing import Any, ClassVar

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.markup import Markup, id_of_link, number_in, parse_forum, recognised
from crawlers.parsing import PageFile, Parsed
from crawlers.select import clean_link
from crawlers.text import Element

_MEMBER = r"(?:uid=|user-)(\d{1,18})"


def _around(post: Element) -> Element:
    """All of a post in the classic table style, where its message alone has the number."""
    return next((up for up in post.iterancestors("table") if (up.get("id") or "").startswith("post_")), post)


BOARD = Markup(
    name="MyBB",
    marks=".post_body.scaleimages, .post_body[id^='pid_'], a[href*='showthread.php?tid='],"
    " a[href*='forumdisplay.php?fid='],"
    " script[src*='jscripts/general.js'], .forumdisplay_regular, #mybb_debug, link[href*='cache/themes/theme']",
    posts="div.post[id^='post_'], table[id^='post_'], div[id^='post_'].post_content",
    number=number_in("id", pattern=r"^post_(\d{1,18})$"),
    content=".post_body",
    around=_around,
    author=".author_information strong .largetext, .author_information .largetext, .author_information strong a,"
    " .post_author strong a, .post_author strong, .largetext a",
    author_id=id_of_link(".author_information a[href], .post_author a[href], .largetext a[href]", _MEMBER),
    times=".post_date || .post_head .smalltext || td.tcat .smalltext || .smalltext",
    quotes="blockquote",
    drop=".signature, .post_edit, .post_meta, .edited_post, .attachments, .codeblock .title, script, .post_controls,"
    " .thankyoulike, .likes",
    skip=".deleted_post, .unapproved_post",
    position=".post_head .float_right, .post_head strong a",
    post_title=".post_subject",
    title=".thead strong, h1",
    post_link=".post_head .float_right a[href], .post_head a[href*='pid']",
    rows="tr.inline_row, tr:has(.forumdisplay_regular), tr:has(.forumdisplay_sticky), tr:has(span[id^='tid_'])",
    row_title=".subject_new a[href], .subject_old a[href], span[id^='tid_'] a[href], a[href*='tid='],"
    " a[href*='thread-']",
    row_last=".lastpost",
    row_replies="td a[href*='whoposted'], td a[onclick*='whoPosted'], td.trow1 + td.trow2",
    sticky="tr:has(.forumdisplay_sticky)",
    boards="tr:has(.forum_status)",
    board_title="strong a[href], a[href]",
    board_last="td[align=right], td:last-child",
    next_page="a.pagination_next[href]",
    previous_page="a.pagination_previous[href]",
)


def parse(page: PageFile) -> Parsed:
    """Posts, thread rows and links of one page of a MyBB board."""
    return parse_forum(page, BOARD)


class MybbSpider(BoardSpider):
    """Reads the index, a board or one thread."""

    name = "mybb"
    platform = "mybb"
    description = "A MyBB forum: the index, a board or one thread; no login needed."
    example = """\
[sources.forum]
spider = "mybb"
url = "https://forum.example.org/forumdisplay.php?fid=2"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        return "the markup is MyBB's" if recognised(look.tree, BOARD) else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        number = item.removeprefix("p")
        return clean_link(thread_url, f"showthread.php?pid={number}#pid{number}")
