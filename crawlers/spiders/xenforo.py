"""Spider for XenForo 1 and 2, whatever their style."""

from __future__ import annotations

from typing import Any, ClassVar

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.markup import Markup, attribute_of, number_in, parse_forum, recognised
from crawlers.parsing import PageFile, Parsed
from crawlers.select import clean_link
from crawlers.text import Element


def _author(post: Element) -> str | None:
    return (post.get("data-author") or "").strip() or None


SECOND = Markup(
    name="XenForo 2",
    marks="html#XF, article.message[data-content^='post-'], .structItem--thread, .node--forum .node-title",
    posts="article.message[data-content], article.message[id^='js-post-']",
    number=number_in("data-content", "id", pattern=r"post-(\d{1,18})$"),
    content=".message-body .bbWrapper, .message-content .bbWrapper, .message-body, .bbWrapper",
    author=".message-name .username, .message-userDetails .username, .message-name, a.username",
    author_of=_author,
    author_id=attribute_of(".message-user [data-user-id], [data-user-id]", "data-user-id"),
    times=".message-attribution time[datetime], header time[datetime], time[datetime], time[data-time]",
    quotes="blockquote, .bbCodeBlock--quote",
    drop=".message-signature, .message-lastEdit, .bbCodeBlock-expandLink, .js-selectToQuoteEnd, .reactionsBar,"
    " .bbCodeBlock-sourceJump, .message-attachments, .messageNotice, .bbCodeSpoiler-button, .attachmentList, script",
    skip=".message--deleted, .message--placeholder, .message--simple, .samBannerUnit",
    position=".message-attribution-opposite a:last-child, .message-attribution-opposite",
    staff=".userBanner--staff, .message-userTitle.is-staff, .userBanner.is-staff",
    title=".p-title-value, h1",
    post_link=".message-attribution-opposite a[href*='post'], .message-attribution-main a[href*='post-'],"
    " a[href*='/post-']",
    rows=".structItem--thread, .structItem[class*='js-threadListItem']",
    row_title=".structItem-title a[href]:not(.labelLink), .structItem-title a[href]",
    row_last=".structItem-cell--latest",
    row_replies=".structItem-cell--meta dd, .structItem-cell--meta",
    sticky=".structItemContainer-group--sticky, .structItem:has(.structItem-status--sticky)",
    boards=".node--forum",
    board_title=".node-title a[href]",
    board_last=".node-extra",
    next_page="a.pageNav-jump--next[href], a.pageNavSimple-el--next[href]",
    previous_page="a.pageNav-jump--prev[href], a.pageNavSimple-el--prev[href]",
)
FIRST = Markup(
    name="XenForo 1",
    marks="html#XenForo, li.message[data-author] .messageText, li.discussionListItem, li.node .nodeTitle",
    posts="li.message[id^='post-'], li.message[data-author]",
    number=number_in("id", pattern=r"post-(\d{1,18})$"),
    content=".messageText",
    author=".messageUserInfo a.username, .userText .username, .messageMeta .author, a.username",
    author_of=_author,
    author_id=attribute_of(".messageUserInfo [data-user-id], .avatar[class*=Av]", "data-user-id"),
    times=".messageMeta .DateTime || .privateControls .DateTime || .DateTime || time[datetime]",
    quotes=".bbCodeQuote, blockquote.quoteContainer, blockquote.quote",
    drop=".messageTextEndMarker, .editDate, .signature, .quoteExpand, script, .likesSummary, .attachedFiles,"
    " noscript,"
    " .funbox, .ad",
    skip=".deleted, .messageSimple",
    position=".postNumber, a.hashPermalink",
    staff=".userBanner.bannerStaff, .userBanner.wrapped.bannerStaff",
    title=".titleBar h1, h1",
    post_link="a.hashPermalink[href], a.postNumber[href], a.datePermalink[href]",
    rows="li.discussionListItem",
    row_title=".title a.PreviewTooltip[href], .title a[href]:not(.prefixLink), .title a[href]",
    row_last=".lastPost",
    row_replies=".stats .major dd, .stats dd",
    sticky="li.discussionListItem.sticky",
    boards="li.node.forum",
    board_title=".nodeTitle a[href]",
    board_last=".nodeLastPost, .lastThreadInfo",
    next_page=".PageNav nav a.text:last-child[href]",
    previous_page=".PageNav nav a.text:first-child[href]",
)


def parse(page: PageFile) -> Parsed:
    """Posts, thread rows and links of one page of a XenForo board."""
    second = parse_forum(page, SECOND)
    if second.items or second.threads or second.boards:
        return second
    first = parse_forum(page, FIRST)
    return first if first.items or first.threads or first.boards else second


class XenforoSpider(BoardSpider):
    """Reads the index, a board, the newest posts or one thread."""

    name = "xenforo"
    platform = "xenforo"
    description = "A XenForo forum (1 and 2): the index, a board or one thread; no login needed."
    example = """\
[sources.forum]
spider = "xenforo"
url = "https://forum.example.org/forums/service.12/"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        known = recognised(look.tree, SECOND) or recognised(look.tree, FIRST)
        return "the markup is XenForo's" if known else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        return clean_link(thread_url.rstrip("/") + "/", f"post-{item.removeprefix('p')}")
