"""Spider for vBulletin 3, 4, 5 and 6, whatever their style."""

from __future__ import annotations

from typing import Any, ClassVar

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.markup import Markup, attribute_of, id_of_link, number_in, parse_forum, recognised
from crawlers.parsing import PageFile, Parsed
from crawlers.select import clean_link
from crawlers.text import Element
from pipeline.words import Answer

_MEMBER = r"(?:member\.php\?(?:[^#]*?u=)?|/members?/)(\d{1,18})"

FOURTH = Markup(
    name="vBulletin 4",
    marks="li.postcontainer, li.postbit, li.threadbit, li.forumbit_post, meta[name=generator][content^='vBulletin 4']",
    posts="li[id^='post_']",
    number=number_in("id", pattern=r"^post_(\d{1,18})$"),
    content="blockquote.postcontent, .postcontent",
    author=".username_container .username, .username, .userinfo strong",
    author_id=id_of_link("a.username[href], .username_container a[href], .userinfo a[href]", _MEMBER),
    times=".postdate .date || .postdate || .posthead .date || .posthead || .userstats dd",
    quotes=".bbcode_container:has(.bbcode_quote), .bbcode_quote, .quote_container, blockquote.quote",
    drop=".signature, .signaturecontainer, .attachments, .lastedited, .after_content, .bbcode_description, script,"
    " .post_thanks_box, .vbseo_liked, .ad_showpost, .postfoot",
    skip=".postbitdeleted, .postbitignored, .deleted",
    position=".nodecontrols a.postcounter, a.postcounter, .nodecontrols",
    post_title=".posttitle, h2.title",
    title=".threadtitle, #pagetitle h1, h1",
    post_link="a.postcounter[href], .nodecontrols a[href*='post'][href]",
    rows="li.threadbit, li[id^='thread_']",
    row_id=number_in("id", pattern=r"^thread_(\d{1,18})$"),
    row_title="a.title[href], h3.threadtitle a[href]",
    row_last=".threadlastpost",
    row_replies=".threadstats li",
    sticky=".sticky, #stickies, .threadbit.nonsticky_not",
    boards="li.forumbit_post, .forumbit_post, li[id^='forum']",
    board_title=".forumtitle a[href], h2 a[href]",
    board_last=".forumlastpost",
    next_page=".pagination a[rel=next][href], .prev_next a[rel=next][href]",
    previous_page=".pagination a[rel=prev][href], .prev_next a[rel=prev][href]",
)
FIFTH = Markup(
    name="vBulletin 5",
    marks="meta[name=generator][content^='vBulletin 5'], meta[name=generator][content^='vBulletin 6'], .b-post,"
    " .topic-item, .js-post__content-text",
    posts="li.b-post[data-node-id], .b-post[data-node-id]",
    number=number_in("data-node-id"),
    content=".js-post__content-text, .b-post__content .post__content-text, [itemprop=text]",
    author=".b-userinfo .author, .author [itemprop=name], .author, .username",
    author_id=attribute_of(".author [data-userid], .author a[data-userid], [data-userid]", "data-userid"),
    times=".b-post__timestamp time[datetime] || time[itemprop=dateCreated] || time[datetime] || .b-post__timestamp",
    quotes=".bbcode_container:has(.bbcode_quote), .bbcode_quote, blockquote",
    drop=".b-post__signature, .signature, .post-edit-reason, .b-post__edit, .js-post__edit, .b-post-attachments,"
    " script, .b-post__likes",
    skip=".b-post--deleted, .deleted-post, .b-comment-entry",
    position=".b-post__count",
    post_title=".b-post__title",
    title="h1.main-title, .main-title, h1",
    post_link="a.b-post__count[href], .b-post__count a[href], a[href*='#post']",
    rows=".topic-item[data-node-id], tr.topic-item, li.topic-item",
    row_title="a.topic-title[href], .js-topic-title[href]",
    row_last=".cell-lastpost, .topic-last-post, .lastpost-by",
    row_replies=".posts-count, .cell-count",
    sticky=".topic-item.sticky, .sticky-list .topic-item",
    boards=".forum-item, tr.forum-item",
    board_title="a.forum-title[href]",
    board_last=".cell-lastpost, .forum-last-post",
    next_page="a.js-pagenav-next-button[href], a.right-arrow[href]",
    previous_page="a.js-pagenav-prev-button[href], a.left-arrow[href]",
)


def _around_third(body: Element) -> Element:
    """All of a post around its message: what has its number as id, or else the table it lies in."""
    number = (body.get("id") or "").removeprefix("post_message_")
    tables = [up for up in body.iterancestors("table", "div", "li") if up.tag == "table" or up.get("id")]
    named = (up for up in tables if up.get("id") in (f"post{number}", f"edit{number}"))
    return next(named, tables[0] if tables else body)


THIRD = Markup(
    name="vBulletin 3",
    marks="div[id^='post_message_'], td[id^='td_threadtitle_'], meta[name=generator][content^='vBulletin 3'],"
    " a.bigusername, input[name=vb_login_username], script[src*='vbulletin_']",
    posts="div[id^='post_message_']",
    number=number_in("id", pattern=r"^post_message_(\d{1,18})$"),
    content=":self",
    around=_around_third,
    author="a.bigusername, .bigusername, [id^='postmenu_'] a, [id^='postmenu_']",
    author_id=id_of_link("a.bigusername[href], [id^='postmenu_'] a[href]", r"(?:u=|/members?/(?:.*-)?)(\d{1,18})"),
    times="td.thead || .thead || td.alt2 .smallfont",
    quotes="div:has(td.alt2), blockquote",
    drop="script, .smallfont > em, fieldset.fieldset",
    position="a[id^='postcount'], a[href*='postcount']",
    post_title="td.alt1 > .smallfont > strong",
    title="td.navbar strong, .navbar strong, h1",
    post_link="a[id^='postcount'][href]",
    rows="tr:has(td[id^='td_threadtitle_'])",
    row_title="a[id^='thread_title_'][href], td[id^='td_threadtitle_'] a[href]",
    row_last="td:has(.time)",
    row_replies="td:has(.time) + td",
    boards="tr:has(td[id^='f'] a[href*='forumdisplay'])",
    board_title="td[id^='f'] a[href*='forumdisplay'], a[href*='forumdisplay']",
    board_last="td:has(.time), td.alt2",
)


VERSIONS = (FOURTH, FIFTH, THIRD)


def parse(page: PageFile) -> Parsed:
    """Posts, thread rows and links of one page of a vBulletin board."""
    readings = [parse_forum(page, markup) for markup in VERSIONS]
    whole = [one for one in readings if one.items] or [one for one in readings if one.threads or one.boards]
    known = [one for one in readings if one.state is not Answer.LAYOUT_CHANGED]
    return (whole or known or readings)[0]


class VbulletinSpider(BoardSpider):
    """Reads the index, a board or one thread."""

    name = "vbulletin"
    platform = "vbulletin"
    description = "A vBulletin forum (3 to 6): the index, a board or one thread; no login needed."
    example = """\
[sources.forum]
spider = "vbulletin"
url = "https://forum.example.org/forumdisplay.php?f=2"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        known = any(recognised(look.tree, markup) for markup in VERSIONS)
        return "the markup is vBulletin's" if known else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        number = item.removeprefix("p")
        return clean_link(thread_url, f"showthread.php?p={number}#post{number}")
