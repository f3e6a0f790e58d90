"""Spider for WoltLab: Burning Board 4, Suite 5 and 6; also its conversations and the comments under its articles."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.markup import Markup, attribute_of, id_of_link, number_in, parse_forum, recognised
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.select import clean_link, first
from crawlers.text import Element
from pipeline.words import Kind

_TIMES = (
    ".messagePublicationTime woltlab-core-date-time[date], .messagePublicationTime time[datetime]"
    " || .messageHeader woltlab-core-date-time[date] || .messageHeader time[datetime]"
    " || .messageHeaderMetaData time, .messageHeadline time, header time, header woltlab-core-date-time"
    " || woltlab-core-date-time[date] || time[datetime]"
)


def _author(post: Element) -> str | None:
    return (post.get("data-user-name") or "").strip() or None


def _row_number(row: Element) -> str | None:
    named = first(row, "[id^='threadTitle']")
    number = (named.get("id") or "").removeprefix("threadTitle") if named is not None else ""
    return number if number.isascii() and number.isdigit() else None


BOARD = Markup(
    name="WoltLab",
    marks="body[data-application][data-template], html[data-woltlab-version], .wbbThreadPostList, .wbbBoardList,"
    " .wbbThreadList, article.wbbPost, .boxMenu .boxMenuDepth1, meta[name=generator][content*=WoltLab]",
    posts="article.message[data-object-id], article.wbbPost, article.message[data-post-id], li.message[id^=post]",
    number=number_in("data-post-id", "data-object-id", "id"),
    content=".messageText, .messageBody .htmlContent, .messageBody",
    author=".messageAuthor .username, .messageAuthorContainer .username, .messageSidebar .username,"
    " .messageHeader .username, .userLink, .username",
    author_of=_author,
    author_id=attribute_of(
        ".messageAuthor [data-object-id], .messageAuthor [data-user-id], .messageSidebar [data-user-id],"
        " .username[data-user-id], .messageHeader [data-user-id]",
        "data-object-id",
    ),
    times=_TIMES,
    quotes="blockquote, woltlab-quote, .quoteBox",
    drop=".messageSignature, .messageFooterNotes, .messageFooter, .messageNote, .modifiedNote, .messageEditNote,"
    " .reactionSummaryList, .likesSummary, .attachmentThumbnailList, .attachmentFileList, .attachmentList, script,"
    " .codeBoxHeader, .spoilerBoxHeader button, .jsSpoilerToggle, .messageQuickOptions, .embeddedContentLink",
    skip=".messageDeleted, .messageCollapsed, .wcfAdLocation article, .messageReduced",
    position=".messageQuickOptions .permalink, .messageHeaderMetaData .permalink, a.permalink, .messageShareButton",
    staff=".messageSidebar .badge.staff, .userTitleBadge.staff",
    title="h1.contentTitle, .contentHeaderTitle .contentTitle, .boxHeadline h1, h1",
    post_link="a.permalink[href], .messagePublicationTime a[href], .messageHeader a[href*='#post'], a[href*='#post']",
    rows=".messageGroup[data-conversation-id], .wbbThread[data-thread-id], li.wbbThread, tr.wbbThread,"
    " ol.wbbThread, tr[id^=thread], tr.conversation,"
    " .conversation[data-conversation-id], tr.jsClipboardObject, .tabularListRow .tabularListColumns,"
    " .tabularListRow[data-thread-id]",
    row_id=number_in("data-conversation-id", "data-thread-id"),
    row_title="a.wbbTopicLink[href], a.messageGroupLink[href], .columnSubject h3 a[href], .columnSubject a[href],"
    " a.conversationLink[href], h3 a[href]",
    row_last=".columnLastPost",
    row_replies=".columnStats dd, .columnReplies, .statsDataList dd",
    sticky=".wbbThreadAnnouncement, .sticky, .wbbThread.isSticky, li.wbbThread:has(.wbbStickyIcon)",
    boards=".wbbBoardContainer .wbbBoard, li.wbbBoardContainer, .wbbBoardNode, li[data-board-id]",
    board_title=".wbbBoardNode__title a[href], .wbbBoardTitle a[href], h3.containerHeadline a[href], h3 a[href],"
    " h2 a[href], .boardTitle a[href], a[href]",
    board_last=".wbbLastPost, .wbbBoardNode__lastPost, .lastPost, aside",
    next_page="woltlab-core-pagination + link[rel=next], .pagination .skip.next a[href],"
    " .pageNavigation .next a[href],"
    " li.skip a[rel=next][href], .paginationNext[href]",
    previous_page=".pagination .skip.prev a[href], .pageNavigation .previous a[href], .paginationPrevious[href]",
)
THIRD = Markup(
    name="WoltLab",
    marks="link[href*='burningBoard'], form[action*='form=UserLogin'], link[href*='page=ThreadsFeed'],"
    " body#tplThread,"
    " body#tplBoard",
    posts="div.message[id^='postRow'], [id^='postRow']",
    number=number_in("id", pattern=r"^postRow(\d{1,18})$"),
    content="[id^='postText'], .messageBody",
    author=".messageAuthor .userName, .userName, .messageAuthor a",
    author_id=id_of_link(".messageAuthor a[href]", r"(?:userID=|/user/)(\d{1,18})"),
    times=".messageHeading p.light || .messageHeading .smallFont || .messageHeading p || .light",
    quotes="blockquote",
    drop=".signature, .editNote, .messageFooter, .attachmentImages, script",
    skip=".deleted",
    position=".messageNumber",
    post_title=".messageTitle",
    title=".headlineContainer h2, h2 a, h2",
    post_link="a.messageNumber[href], .messageHeading a[href*='postID']",
    rows="tr:has([id^='threadTitle'])",
    row_id=_row_number,
    row_title="[id^='threadTitle'] a[href]",
    row_last=".columnLastPost, .threadLastPost",
    row_replies=".columnReplies",
    boards="li:has(.boardlistTitle), .boardlistInner li",
    board_title=".boardTitle a[href], h3 a[href]",
    board_last=".boardlistLastPost",
)
COMMENTS = Markup(
    name="WoltLab",
    marks=BOARD.marks,
    posts=".commentList__item[data-comment-id], .comment[data-object-id], .commentList > li[data-object-id],"
    " .commentResponse[data-object-id], .commentResponseList__item[data-response-id]",
    number=number_in("data-comment-id", "data-response-id", "data-object-id", "id"),
    content=".comment__message, .commentResponse__message, .userMessage, .commentContent .htmlContent,"
    " .comment__message, .commentContent .htmlContent,"
    " [itemprop=text]",
    author=".comment__author, .commentResponse__author, .username, [itemprop=author] [itemprop=name]",
    author_id=attribute_of(".userLink[data-object-id], [data-user-id]", "data-object-id"),
    times="woltlab-core-date-time[date] || time[datetime] || meta[itemprop=dateCreated][content]",
    quotes=BOARD.quotes,
    drop=BOARD.drop,
    title=BOARD.title,
    post_link=".comment__link[href], a.commentLink[href], a[href*='#comment']",
)


def parse(page: PageFile) -> Parsed:
    """Posts, thread rows and links of one page of a WoltLab board; under an article its comments."""
    for markup in (BOARD, THIRD):
        board = parse_forum(page, markup)
        if board.items or board.threads or board.boards:
            return board
    board = parse_forum(page, BOARD)
    comments = parse_forum(page, COMMENTS)
    if not comments.items:
        return board
    return msgspec.structs.replace(comments, items=tuple(_comment(item) for item in comments.items))


def _comment(item: ParsedItem) -> ParsedItem:
    name = f"comment-{item.id.removeprefix('p')}"
    return msgspec.structs.replace(item, kind=Kind.COMMENT, id=name)


class WoltlabSpider(BoardSpider):
    """Reads the index, a board, a list of threads or one thread."""

    name = "woltlab"
    platform = "woltlab"
    description = "A WoltLab forum (Burning Board 4, Suite 5 and 6): the index, a board or one thread; no login needed."
    example = """\
[sources.forum]
spider = "woltlab"
url = "https://forum.example.org/board/12-service/"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        known = recognised(look.tree, BOARD) or recognised(look.tree, THIRD)
        return "the markup is WoltLab's" if known else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        number = item.removeprefix("p")
        gap = "&" if "?" in thread_url else "?"
        return clean_link(thread_url, f"{thread_url}{gap}postID={number}#post{number}")
