"""Spider for Simple Machines Forum 1.1, 2.0 and 2.1, whatever their style."""

from __future__ import annotations

from typing import Any, ClassVar

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.markup import Markup, id_of_link, number_in, parse_forum, recognised
from crawlers.parsing import PageFile, Parsed
from crawlers.select import clean_link, first
from crawlers.text import Element

_USER = r"[?;&]u=(\d{1,18})"


def _number(post: Element) -> str | None:
    """2.1 has it at the post, 2.0 at the message or the subject, 1.1 in an anchor before it."""
    for element in (post, *(found for css in _INSIDE if (found := first(post, css)) is not None)):
        number = _READ(element)
        if number:
            return number
    return None


_INSIDE = ("[id^='msg_']", "[id^='subject_']", "a[id^='msg']", "a[name^='msg']", ".smalltext a[href*='#msg']")
_READ = number_in("id", "name", "href", pattern=r"(?:msg_?|subject_)(\d{1,18})$")

BOARD = Markup(
    name="SMF",
    marks="div.windowbg[id^='msg'], #forumposts, #messageindex, #boardindex_table, .board_container,"
    " script[src*='smf'],"
    " a[href*='simplemachines.org'], .post_wrapper .poster, table.topic_table, .topic_table, #smflogo",
    posts="#forumposts .windowbg[id^='msg'], .windowbg[id^='msg'], #forumposts .post_wrapper, .post_wrapper,"
    " #quickModForm tr td[class^='windowbg'], .recentposts .windowbg, #recent .windowbg",
    number=_number,
    content=".inner, .post .inner, .personalmessage, div.post, .list_posts, .postdetails .post",
    author=".poster h4 a, .poster h4, td b a[href*='u='], h4 a[href*='u='], h4",
    author_id=id_of_link(".poster a[href], a[href*='action=profile'][href]", _USER),
    times=".postinfo a.smalltext || .postinfo .smalltext || .keyinfo .smalltext || .keyinfo .postby || .smalltext",
    quotes="blockquote",
    drop=".signature, .modified, .attachments, .quoteheader, .quotefooter, .codeheader, .codeoperation,"
    " .bbc_code_header,"
    " script, .post_edit, .moderatorbar, .under_message",
    skip=".approvebg, .ignored, .deleted",
    position=".page_number, .postinfo .page_number, .reply_button .number",
    post_title=".subject_title, .keyinfo h5, .topic_details h5",
    staff=".postergroup.staff",
    title="#display_head h2 .display_title, .display_title, #display_head h2, #forumposts h3.catbg, h2, h1",
    post_link=".postinfo a[href*='msg'], .keyinfo a[href*='msg'], a[href*='.msg']",
    rows="#topic_container > .windowbg, #topic_container > div, #messageindex tbody tr, .topic_table tbody tr,"
    " tr:has(td.subject)",
    row_title=".message_index_title a[href], .preview a[href], td.subject span[id^='msg_'] a[href],"
    " td.subject a[href],"
    " .subject a[href], a[href*='topic=']",
    row_last=".lastpost",
    row_replies=".board_stats, td.stats, td.replies",
    sticky=".sticky, .stickybg, .stickybg2, tr:has(.stickybg)",
    boards=".up_contain, #boardindex_table tr[id^='board_'], tr.windowbg2[id^='board_'], .table_list tr[id^='board_']",
    board_title="a.subject[href], a[id^='b'][href], .info a.subject[href]",
    board_last=".lastpost",
    next_page=".pagelinks .nav_page.next[href], a.next_page[href], .pagesection a[href]:has(.next_page),"
    " .pagelinks a[href]:has(.next_page)",
    previous_page="a.previous_page[href], .pagelinks a[href]:has(.previous_page),"
    " .pagesection a[href]:has(.previous_page)",
)


def parse(page: PageFile) -> Parsed:
    """Posts, thread rows and links of one page of an SMF board."""
    return parse_forum(page, BOARD)


class SmfSpider(BoardSpider):
    """Reads the index, a board or one topic."""

    name = "smf"
    platform = "smf"
    description = "A Simple Machines forum (SMF 1.1 to 2.1): the index, a board or one topic; no login needed."
    example = """\
[sources.forum]
spider = "smf"
url = "https://forum.example.org/index.php?board=2.0"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        return "the markup is SMF's" if recognised(look.tree, BOARD) else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        number = item.removeprefix("p")
        topic = thread_url.partition("topic=")[2].partition(".")[0]
        return clean_link(thread_url, f"index.php?topic={topic}.msg{number}#msg{number}") if topic.isdigit() else None
