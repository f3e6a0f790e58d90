"""Spider for question and answer pages of Stack Exchange and programs that look like it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.markup import Markup, Sheet, id_of_link, number_in, parse_forum, recognised, sheet_of
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.select import clean_link, first, select
from crawlers.text import Element, one_line, own_words
from pipeline.words import Kind

MAX_COMMENTS = 1_000


BOARD = Markup(
    name="Stack Exchange",
    marks="#question[data-questionid], .question-summary, .s-post-summary, .answer[data-answerid]",
    posts="#question[data-questionid], .question[data-questionid], .answer[data-answerid]",
    number=number_in("data-answerid", "data-questionid"),
    content=".js-post-body, .s-prose, .post-text",
    author=".post-signature:last-child .user-details a, .post-signature.owner .user-details a,"
    " .user-info .user-details a, .user-details [itemprop=name], .user-details",
    author_id=id_of_link(".post-signature a[href*='/users/'], .user-details a[href]", r"/users/(\d{1,18})"),
    times=".post-signature.owner .relativetime[title] || .user-action-time .relativetime[title]"
    " || .user-action-time time || .relativetime[title] || time[datetime]",
    quotes="blockquote",
    drop=".s-notice, script",
    skip=".deleted-answer, .deleted-question",
    title="#question-header h1, h1[itemprop=name], h1",
    post_link=".question-hyperlink[href], a.js-share-link[href], .js-permalink[href], a.short-link[href]",
    rows=".s-post-summary[data-post-id], .question-summary[id^='question-summary-']",
    row_id=number_in("data-post-id", "id"),
    row_title=".s-post-summary--content-title a[href], h3 a.question-hyperlink[href], a.s-link[href]",
    row_last=".s-user-card--time, .started, .user-action-time",
    row_replies=".s-post-summary--stats-item.has-answers, .status strong, .status",
    next_page=".s-pagination--item[rel=next][href], .pager a[rel=next][href]",
    previous_page=".s-pagination--item[rel=prev][href], .pager a[rel=prev][href]",
)


def parse(page: PageFile) -> Parsed:
    """Question, answers and comments of one page, or the rows of a list of questions."""
    parsed = parse_forum(page, BOARD)
    if not parsed.items:
        return parsed
    sheet = sheet_of(page)
    boxes = {BOARD.number(box): box for box in select(sheet.tree, BOARD.posts)}
    posts = [_judged(sheet, item, boxes.get(item.id.removeprefix("p"))) for item in parsed.items]
    comments = [comment for item in posts for comment in _comments(sheet, item, boxes.get(item.id.removeprefix("p")))]
    solved = any(item.accepted for item in posts) or None
    return msgspec.structs.replace(parsed, items=(*posts, *comments), solved=solved)


def _judged(sheet: Sheet, item: ParsedItem, box: Element | None) -> ParsedItem:
    """With votes and whether the asker took it as the answer."""
    if box is None:
        return item
    shown = first(box, ".js-vote-count, .vote-count-post")
    votes = (shown.get("data-value") or one_line(shown)).strip() if shown is not None else ""
    accepted = "accepted-answer" in (box.get("class") or "").split()
    return msgspec.structs.replace(
        item,
        votes=int(votes) if re.fullmatch(r"-?[0-9]{1,9}", votes) else None,
        accepted=(True if accepted else None) if box.get("data-answerid") else None,
    )


def _comments(sheet: Sheet, item: ParsedItem, box: Element | None) -> Iterator[ParsedItem]:
    found = select(box, "li.comment[data-comment-id], .comment[id^='comment-']") if box is not None else []
    for comment in found[:MAX_COMMENTS]:
        number = (comment.get("data-comment-id") or (comment.get("id") or "").rpartition("-")[2]).strip()
        body = first(comment, ".comment-copy")
        if body is None or not (number.isascii() and number.isdigit()):
            continue
        time = first(comment, ".comment-date [title], .relativetime-clean[title], time")
        yield ParsedItem(
            kind=Kind.COMMENT,
            id=f"comment-{number}",
            url=f"{item.url.partition('#')[0]}#comment{number}_{item.id.removeprefix('p')}" if item.url else None,
            author=one_line(first(comment, ".comment-user")) or None,
            text=own_words(body).text,
            published=sheet.moment(time) if time is not None else item.published,
            parent=item.id,
            thread=item.thread,
        )


class StackexchangeSpider(BoardSpider):
    """Reads a list of questions or one question."""

    name = "stackexchange"
    platform = "stackexchange"
    description = "Questions and answers as Stack Exchange shows them: a tag's newest questions, or one question."
    example = """\
[sources.questions]
spider = "stackexchange"
url = "https://questions.example.org/questions/tagged/acme?tab=Active"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        return "the markup is Stack Exchange's" if recognised(look.tree, BOARD) else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        return clean_link(thread_url, f"/a/{item.removeprefix('p')}")
