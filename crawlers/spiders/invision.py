"""Spider for Invision Community: IP.Board 3, Invision 4 and 5, whatever their style."""

from __future__ import annotations

from typing import Any, ClassVar

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.markup import Markup, attribute_of, id_of_link, number_in, parse_forum, recognised
from crawlers.parsing import PageFile, Parsed
from crawlers.select import clean_link

_PROFILE = r"(?:/profile/|/user/|showuser=)(\d{1,18})"

FOURTH = Markup(
    name="Invision Community",
    marks="body.ipsApp, html.ipsApp, [data-ipshook], .ipsComment, article.cPost, .ipsDataItem, .ipsEntry",
    posts="article[id^='elComment_'], article.cPost, div.ipsComment[data-commentid], article.ipsEntry",
    number=number_in("data-commentid", "id", pattern=r"(?:^|elComment_|comment-)(\d{1,18})"),
    content="[data-role='commentContent'], .cPost_contentWrap .ipsType_richText, .ipsRichText, .ipsType_richText",
    author=".cAuthorPane_author a, .cAuthorPane_author, .ipsEntry__username, .ipsComment_author .ipsType_break,"
    " .ipsUsername, h3.ipsType_sectionHead a",
    author_id=id_of_link(".cAuthorPane_author a[href], .ipsEntry__username a[href], a[href*='/profile/']", _PROFILE),
    times=".ipsComment_meta time[datetime], .ipsEntry__meta time[datetime], time[datetime]",
    quotes="blockquote",
    drop=".ipsComment_edited, .ipsType_reset.ipsEdited, [data-role='memberSignature'], .ipsReact,"
    " .ipsAttachment, script,"
    " .ipsQuote_citation, .ipsEdited",
    skip=".ipsComment_deleted, .ipsModerated, .ipsComment_ad",
    position=".ipsComment_commentCount, .ipsEntry__number",
    staff=".cAuthorGroup_staff, .ipsBadge--staff",
    title="h1.ipsType_pageTitle, .ipsPageHeader__title, h1",
    post_link="a[href*='findComment'], a[href*='#comment-'], .ipsComment_meta a[href], .ipsEntry__meta a[href]",
    rows="li.ipsDataItem[data-rowid], li.ipsData__item[data-rowid], .cTopicList li, tr[data-rowid]",
    row_id=number_in("data-rowid"),
    row_title=".ipsDataItem_title a[href*='/topic/'], .ipsData__title a[href], a[data-ipshover][href*='topic']",
    row_last=".ipsDataItem_lastPoster, .ipsData__last",
    row_replies=".ipsDataItem_stats_number, .ipsDataItem_stats, .ipsData__stats",
    sticky=".ipsDataItem:has(.fa-thumb-tack), .ipsDataItem:has(.fa-thumbtack)",
    boards=".cForumRow, li[data-forumid]",
    board_title=".ipsDataItem_title a[href], .ipsData__title a[href], h4 a[href]",
    board_last=".ipsDataItem_lastPoster, .ipsData__last",
    next_page=".ipsPagination_next:not(.ipsPagination_inactive) a[href], a.ipsPagination__next[href]",
    previous_page=".ipsPagination_prev:not(.ipsPagination_inactive) a[href], a.ipsPagination__prev[href]",
)
THIRD = Markup(
    name="Invision Community",
    marks="#ipboard_body, .post_block, .ipb_table, script[src*='ips.board.js'], script[src*='ips.topic.js']",
    posts="div.post_block[id^='post_id_'], .post_block",
    number=number_in("id", pattern=r"post_id_(\d{1,18})$"),
    content="[itemprop='commentText'], .post.entry-content, .entry-content, .post",
    author=".author [itemprop='name'], .author.vcard, .author a, .post_username, h3 .author",
    author_id=attribute_of(".author [hovercard-id], [hovercard-id]", "hovercard-id"),
    times="abbr.published[title], .posted_info abbr, abbr.published || .posted_info || .post_date",
    quotes="blockquote, .citation",
    drop=".signature, .edit, p.citation, .rep_bar, .post_controls, .attachments, script, .ip",
    skip=".post_block.hidden, .deleted",
    position=".post_id a, .post_id",
    title="h1.ipsType_pagetitle, .maintitle, h1",
    post_link=".post_id a[href], a[itemprop='replyToUrl'][href]",
    rows="tr.__topic, #forum_table tr[id^='trow_'], .topic_list tr",
    row_id=number_in("data-tid", "id", pattern=r"(\d{1,18})$"),
    row_title="a.topic_title[href], h4 a[href], a[id^='tid-link-'][href]",
    row_last=".col_f_post, .last_post",
    row_replies=".col_f_views li, .stats li",
    boards="#categories tr, .ipb_table tr:has(.col_c_forum)",
    board_title=".col_c_forum h4 a[href], h4 a[href]",
    board_last=".col_c_post, .last_post",
    next_page=".pagination .next a[href]",
    previous_page=".pagination .prev a[href]",
)
VERSIONS = (FOURTH, THIRD)


def parse(page: PageFile) -> Parsed:
    """Posts, thread rows and links of one page of an Invision board."""
    readings = [parse_forum(page, markup) for markup in VERSIONS]
    return next((one for one in readings if one.items or one.threads or one.boards), readings[0])


class InvisionSpider(BoardSpider):
    """Reads the index, a board or one topic."""

    name = "invision"
    platform = "invision"
    description = "An Invision forum (IP.Board 3, Invision Community 4 and 5): the index, a board or one topic."
    example = """\
[sources.forum]
spider = "invision"
url = "https://forum.example.org/forum/2-service/"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        known = any(recognised(look.tree, markup) for markup in VERSIONS)
        return "the markup is Invision's" if known else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        gap = "&" if "?" in thread_url else "?"
        return clean_link(thread_url, f"{thread_url}{gap}do=findComment&comment={item.removeprefix('p')}")
