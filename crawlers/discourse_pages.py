"""Reading the answers and pages of Discourse: JSON of today and of older releases, and the HTML made for crawlers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from crawlers.dates import parse_date
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.payload import (
    flag,
    heading,
    judged_posts,
    mapping,
    named,
    no_json,
    number,
    rows_at,
    tree_in,
    unique,
    value_of,
    with_extract,
)
from crawlers.select import absolute, base_of, clean_link, first, parameter, select, tree_of
from crawlers.text import Element, Extract, one_line, own_words
from pipeline.item import Published
from pipeline.words import Answer, Kind

CHUNK = 20
"""Posts that a topic gives at once where it does not say how many."""
WINDOW = 50
"""Ids that one answer of ``/posts.json`` spans, however many of them may be seen."""
SMALL_ACTION = 3
"""Type of a post that only says what was done to the topic."""

_QUOTES = "aside.quote, blockquote, details.elided"
_DROP = (
    "aside.onebox, .onebox-placeholder, div.lightbox-wrapper .meta, .meta > .informations, .poll, .badge-notification,"
    " .user-status-message, .discourse-local-date-wrapper, .footnotes-sep, .md-table-controls, .cooked-date"
)
_TOPIC_PATH = re.compile(r"(.*/)t/(?:[^/]*[^/\d][^/]*/)?(\d{1,12})(?:/(\d{1,9}|last|posts))?(?:\.json)?/?")
_INSTALLED = re.compile(
    r"(?:latest|new|top|hot|unread|categories|search|posts|about|site)(?:\.json|\.rss)?/?$|(?:t|c|tag|u|posts|d)/"
)


def parse_page(page: PageFile) -> Parsed:
    """Posts, topic rows and links of one answer. Never raises."""
    if page.body[:200].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _json(page)
    return _html(page)


def looks_like_json(value: Any) -> bool:
    """Whether a JSON value is an answer of Discourse."""
    if isinstance(value, list):
        return bool(rows_at(value)) and all({"type", "name", "results"} <= set(row) for row in rows_at(value))
    found = mapping(value)
    topics = rows_at(mapping(found.get("topic_list")).get("topics"))
    stream = mapping(found.get("post_stream"))
    return (
        "latest_posts" in found
        or "category_list" in found
        or "grouped_search_result" in found
        or any("cooked" in post for post in rows_at(stream.get("posts")))
        or any("bumped_at" in topic or "highest_post_number" in topic for topic in topics)
        or ("cooked" in found and "post_number" in found)
    )


def looks_like(tree: Element) -> bool:
    """Whether a tree is a page of Discourse."""
    generator = first(tree, "meta[name=generator]")
    if generator is not None and (generator.get("content") or "").startswith("Discourse"):
        return True
    return first(tree, "#data-discourse-setup, meta[id=data-discourse-setup], .topic-body.crawler-post") is not None


def place_of(url: str) -> str:
    """Address of the installation that a page belongs to, with a slash at its end."""
    parts = urlsplit(url)
    path = parts.path or "/"
    for at in [found.start() for found in re.finditer(r"(?<=/)", path)][:20]:
        if _INSTALLED.match(path, at):
            path = path[:at]
            break
    else:
        path = path.rpartition("/")[0] + "/" if path.endswith(".json") else path.rstrip("/") + "/"
    return f"{parts.scheme}://{parts.netloc}{path}"


def topic_of(url: str) -> tuple[str | None, int | None]:
    """Number of the topic an address names, and of the post within."""
    found = _TOPIC_PATH.fullmatch(urlsplit(url).path)
    if found is None:
        return None, None
    return found[2], number(found[3])


# --- JSON ---------------------------------------------------------------------------------------------------------


def _json(page: PageFile) -> Parsed:
    value = value_of(page)
    if value is None or not isinstance(value, dict | list):
        return no_json(page, "answer of a Discourse forum")
    if isinstance(value, list):
        found = _old_search(page, value)
        return (
            judged_posts(found, empty="the search has no hits") if looks_like_json(value) or not value else _unknown()
        )
    if rows_at(value.get("errors")) or isinstance(value.get("errors"), list):
        return _refused(value)
    if "latest_posts" in value:
        return _newest(page, value)
    if "post_stream" in value:
        return _topic(page, value)
    if "grouped_search_result" in value:
        return _search(page, value)
    if "topic_list" in value:
        listing = mapping(value["topic_list"])
        links = Links(next=_more(page, listing.get("more_topics_url")))
        return judged_posts(Parsed(state=Answer.OK, threads=_topics(page, listing), links=links), empty="no topics yet")
    if "category_list" in value:
        return judged_posts(Parsed(state=Answer.OK, boards=_categories(page, value)), empty="no categories")
    if "cooked" in value and "post_number" in value:
        posts = tuple(_posts(page, [value], {}))
        return judged_posts(
            Parsed(state=Answer.OK, items=posts, thread=posts[0].thread if posts else None), empty="no post"
        )
    return _unknown()


def _unknown() -> Parsed:
    return Parsed(state=Answer.LAYOUT_CHANGED, reason="the answer is none of a Discourse forum that is known")


def _refused(value: Mapping[str, Any]) -> Parsed:
    said = next((text for text in value.get("errors") or () if isinstance(text, str)), "")[:200]
    kinds = {"not_logged_in": Answer.GATED, "invalid_access": Answer.GATED, "rate_limit": Answer.RATE_LIMITED}
    kind = value.get("error_type")
    state = kinds.get(kind, Answer.ERROR) if isinstance(kind, str) else Answer.ERROR
    return Parsed(state=state, reason=f"the forum refuses: {said or 'no reason given'}")


def _newest(page: PageFile, value: Mapping[str, Any]) -> Parsed:
    """``/posts.json``; ``category=5,7`` in its address, which Discourse does not heed, leaves only theirs."""
    entries = rows_at(value.get("latest_posts"))
    wanted = {entry for entry in (parameter(page.url, "category") or "").split(",") if entry}
    chosen = [entry for entry in entries if not wanted or str(entry.get("category_id")) in wanted]
    parsed = Parsed(
        state=Answer.OK,
        items=unique(_posts(page, chosen, {})),
        links=Links(next=_before(page, entries)),
    )
    return judged_posts(parsed, empty="no posts here")


def _before(page: PageFile, entries: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The answer with older posts: ids below the lowest, or a whole window below where none of it may be seen."""
    ids = [found for entry in entries if (found := number(entry.get("id"))) is not None]
    asked = number(parameter(page.url, "before"))
    before = min(ids) - 1 if ids else (asked or 0) - WINDOW
    if before < 1:
        return ()
    category = parameter(page.url, "category")
    more = f"&category={category}" if category else ""
    url = absolute(place_of(page.url), f"posts.json?before={before}{more}")
    return (url,) if url else ()


def _topic(page: PageFile, value: Mapping[str, Any]) -> Parsed:
    stream = mapping(value.get("post_stream"))
    entries = rows_at(stream.get("posts"))
    posts = unique(_posts(page, entries, value))
    identifier = number(value.get("id")) or next((number(e.get("topic_id")) for e in entries), None)
    ids = [number(entry) for entry in (stream.get("stream") or [])] if isinstance(stream.get("stream"), list) else []
    solved = _solved(value, entries)
    parsed = Parsed(
        state=Answer.OK,
        items=posts,
        thread=f"t{identifier}" if identifier is not None else None,
        thread_title=_title(value),
        links=_around(page, identifier, ids, entries, number(value.get("chunk_size")) or CHUNK),
        solved=solved,
        first_page=any(number(entry.get("post_number")) == 1 for entry in entries) if entries else None,
    )
    return judged_posts(parsed, empty="a topic without posts")


def _title(value: Mapping[str, Any]) -> str:
    return heading(value.get("title") or value.get("topic_title") or value.get("fancy_title"))


def _solved(value: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> bool | None:
    """By discourse-solved, which says nothing where it is not installed."""
    told = ("accepted_answer", "has_accepted_answer", "accepted_answers")
    if any(value.get(name) for name in told) or any(entry.get("accepted_answer") is True for entry in entries):
        return True
    asked = any(name in value for name in told) or any("can_accept_answer" in entry for entry in entries)
    return False if asked else None


def _around(
    page: PageFile, topic: int | None, stream: list[int | None], entries: Sequence[Mapping[str, Any]], size: int
) -> Links:
    """The neighbouring chunks of a topic, by where its posts stand in the stream of all ids."""
    places = {identifier: at for at, identifier in enumerate(stream)}
    here = [places[found] for entry in entries if (found := number(entry.get("id"))) in places]
    if topic is None or not here or size < 1:
        return Links()
    base = f"{place_of(page.url)}t/{topic}.json?page="
    last, start = max(here), min(here)
    following = (f"{base}{(last + 1) // size + 1}",) if last + 1 < len(stream) else ()
    return Links(next=following, previous=(f"{base}{(start - 1) // size + 1}",) if start > 0 else ())


def _posts(page: PageFile, entries: Sequence[Mapping[str, Any]], topic: Mapping[str, Any]) -> Iterator[ParsedItem]:
    for entry in entries:
        post = number(entry.get("post_number"))
        thread = number(entry.get("topic_id")) or number(topic.get("id"))
        kind = number(entry.get("post_type"))
        if post is not None and thread is not None and kind != SMALL_ACTION:
            yield _post(page, entry, topic, post, thread)


def _post(page: PageFile, entry: Mapping[str, Any], topic: Mapping[str, Any], post: int, thread: int) -> ParsedItem:
    gone = bool(entry.get("deleted_at") or entry.get("user_deleted") or entry.get("hidden"))
    tree = tree_in(entry.get("cooked"))
    answered, parent = _answered(entry, tree, thread)
    slug = named((entry.get("topic_slug"), topic.get("slug"))) or "-"
    item = ParsedItem(
        kind=Kind.POST,
        id=f"t{thread}-{post}",
        url=clean_link(place_of(page.url), f"t/{slug}/{thread}/{post}"),
        author=named((entry.get("username"),)) or None,
        author_id=named((entry.get("user_id"),)) or None,
        published=_time(page, entry.get("created_at")),
        parent=parent,
        parent_author=answered,
        thread=f"t{thread}",
        thread_title=_title(entry) or _title(topic),
        position=post,
        votes=_likes(entry),
        views=number(topic.get("views")) if post == 1 else None,
        accepted=_accepted(entry, topic, post),
        staff=_staff(entry),
        deleted=gone,
    )
    return item if gone else with_extract(item, _words(tree))


def _words(tree: Element) -> Extract:
    return own_words(tree, quotes=select(tree, _QUOTES), drop=select(tree, _DROP))


def _answered(entry: Mapping[str, Any], tree: Element, thread: int) -> tuple[str | None, str | None]:
    """Whom a post answers: as the answer says, else the last one it quotes."""
    number_of = number(entry.get("reply_to_post_number"))
    name = named((mapping(entry.get("reply_to_user")).get("username"),)) or None
    if number_of is not None:
        return name or _quoted(tree, number_of, thread), f"t{thread}-{number_of}"
    quotes = [quote for quote in select(tree, "aside.quote[data-username]") if not _inner(quote)]
    if not quotes:
        return name, None
    quote = quotes[-1]
    post, of = number(quote.get("data-post")), number(quote.get("data-topic")) or thread
    return quote.get("data-username"), f"t{of}-{post}" if post is not None else None


def _inner(quote: Element) -> bool:
    return any("quote" in (up.get("class") or "").split() for up in quote.iterancestors("aside"))


def _quoted(tree: Element, post: int, thread: int) -> str | None:
    """The name over the quote of that post."""
    for quote in select(tree, "aside.quote[data-username]"):
        if number(quote.get("data-post")) == post and number(quote.get("data-topic")) in (None, thread):
            return str(quote.get("data-username"))
    return None


def _likes(entry: Mapping[str, Any]) -> int | None:
    given = number(entry.get("like_count"))
    if given is not None:
        return given
    likes = (number(act.get("count")) for act in rows_at(entry.get("actions_summary")) if act.get("id") == 2)
    return next(likes, None)


def _accepted(entry: Mapping[str, Any], topic: Mapping[str, Any], post: int) -> bool | None:
    given = flag(entry.get("accepted_answer"))
    answers = [mapping(topic.get("accepted_answer")), *rows_at(topic.get("accepted_answers"))]
    if given or any(number(answer.get("post_number")) == post for answer in answers):
        return True
    return False if given is False or "accepted_answer" in topic or "can_accept_answer" in entry else None


def _staff(entry: Mapping[str, Any]) -> bool | None:
    given = [flag(entry[name]) for name in ("moderator", "admin", "staff") if name in entry]
    return any(given) if given else None


def _time(page: PageFile, value: Any) -> Published:
    return parse_date(value if isinstance(value, str) else None, page.now, page.zone)


# --- lists --------------------------------------------------------------------------------------------------------


def _topics(page: PageFile, listing: Mapping[str, Any]) -> tuple[ThreadRow, ...]:
    found = (_row(page, topic) for topic in rows_at(listing.get("topics")))
    return tuple(row for row in found if row is not None)


def _row(page: PageFile, topic: Mapping[str, Any]) -> ThreadRow | None:
    identifier = number(topic.get("id"))
    if identifier is None:
        return None
    slug = named((topic.get("slug"),)) or "-"
    highest, posts = number(topic.get("highest_post_number")), number(topic.get("posts_count"))
    url = clean_link(place_of(page.url), f"t/{slug}/{identifier}") or page.url
    return ThreadRow(
        id=f"t{identifier}",
        url=url,
        title=heading(topic.get("title")),
        last_item=f"t{identifier}-{highest}" if highest else None,
        last_url=f"{url}/{highest}" if highest else None,
        last_time=_time(page, topic.get("last_posted_at") or topic.get("bumped_at")).at,
        replies=posts - 1 if posts else None,
        sticky=bool(topic.get("pinned") or topic.get("pinned_globally")),
    )


def _more(page: PageFile, more: Any) -> tuple[str, ...]:
    """The following page of a list; old releases name that of their JSON, new ones the one for people."""
    url = absolute(page.url, more) if isinstance(more, str) else None
    if url is None:
        return ()
    head, mark, query = url.partition("?")
    return (f"{head if head.endswith('.json') else head.rstrip('/') + '.json'}{mark}{query}",)


def _categories(page: PageFile, value: Mapping[str, Any]) -> tuple[ThreadRow, ...]:
    found = []
    for category in rows_at(mapping(value["category_list"]).get("categories")):
        identifier = number(category.get("id"))
        if identifier is not None:
            slug = named((category.get("slug"),)) or "-"
            url = clean_link(place_of(page.url), f"c/{slug}/{identifier}") or page.url
            count = number(category.get("topic_count"))
            found.append(ThreadRow(id=f"c{identifier}", url=url, title=heading(category.get("name")), replies=count))
    return tuple(found)


def _search(page: PageFile, value: Mapping[str, Any]) -> Parsed:
    """``/search.json`` of today: the beginning of each post, and the topics they are in."""
    topics = {number(topic.get("id")): topic for topic in rows_at(value.get("topics"))}
    hits = [_hit(page, post, topics) for post in rows_at(value.get("posts"))]
    more = mapping(value["grouped_search_result"]).get("more_full_page_results")
    here = number(parameter(page.url, "page")) or 1
    query = re.sub(r"(?:^|&)page=\d*", "", urlsplit(page.url).query).strip("&")
    following = (f"{page.url.partition('?')[0]}?{query}&page={here + 1}",) if more and hits and query else ()
    parsed = Parsed(
        state=Answer.OK,
        items=unique(hit for hit in hits if hit is not None),
        threads=_topics(page, value),
        links=Links(next=following),
    )
    return judged_posts(parsed, empty="the search has no hits")


def _hit(page: PageFile, post: Mapping[str, Any], topics: Mapping[int | None, Mapping[str, Any]]) -> ParsedItem | None:
    thread, place = number(post.get("topic_id")), number(post.get("post_number"))
    if thread is None or place is None:
        return None
    topic = topics.get(thread, {})
    return ParsedItem(
        kind=Kind.POST,
        id=f"t{thread}-{place}",
        url=clean_link(place_of(page.url), f"t/{named((topic.get('slug'),)) or '-'}/{thread}/{place}"),
        author=named((post.get("username"),)) or None,
        text=one_line(tree_in(post.get("blurb"))),
        published=_time(page, post.get("created_at")),
        thread=f"t{thread}",
        thread_title=_title(topic),
        position=place,
        votes=number(post.get("like_count")),
        teaser=True,
    )


def _old_search(page: PageFile, value: list[Any]) -> Parsed:
    """The list of kinds that releases before 1.0 answered with: titles and addresses of topics."""
    found = []
    for group in rows_at(value):
        for hit in rows_at(group.get("results")) if group.get("type") == "topic" else ():
            url = clean_link(page.url, hit.get("url") if isinstance(hit.get("url"), str) else None)
            topic = topic_of(url)[0] if url else None
            if url and topic:
                found.append(ThreadRow(id=f"t{topic}", url=url, title=heading(hit.get("title"))))
    return Parsed(state=Answer.OK, threads=tuple(found))


# --- HTML for crawlers --------------------------------------------------------------------------------------------


def _html(page: PageFile) -> Parsed:
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the page is empty")
    tree = tree_of(page)
    if not looks_like(tree):
        if first(tree, "input[type=password]") is not None:
            return Parsed(state=Answer.GATED, reason="a login form")
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="no page of a Discourse forum")
    base = base_of(tree, page.url)
    canonical = first(tree, "link[rel=canonical][href]")
    own = absolute(base, canonical.get("href")) if canonical is not None else None
    topic = topic_of(page.url)[0] or topic_of(own or "")[0] or _heading_topic(tree, base)
    posts = tuple(_crawler_posts(page, tree, base, topic)) if topic else ()
    parsed = Parsed(
        state=Answer.OK,
        items=unique(posts),
        threads=() if posts else _crawler_rows(page, tree, base),
        links=Links(next=_rel(tree, base, "next"), previous=_rel(tree, base, "prev")),
        thread=f"t{topic}" if topic else None,
        thread_title=_heading(tree),
        lang=tree.get("lang"),
        first_page=any(post.position == 1 for post in posts) if posts else None,
    )
    if not posts and not parsed.threads and first(tree, "#data-preloaded, discourse-assets, #main-outlet") is None:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="a page of Discourse without posts or topics")
    if not posts and not parsed.threads:
        return Parsed(state=Answer.EMPTY, reason="only the script's frame: ask for the JSON of this address")
    return judged_posts(parsed, empty="nothing here")


def _heading(tree: Element) -> str:
    return one_line(first(tree, "#topic-title h1 a, #topic-title h1, h1 a[href*='/t/'], h1"))


def _heading_topic(tree: Element, base: str) -> str | None:
    link = first(tree, "#topic-title a[href*='/t/'], h1 a[href*='/t/']")
    url = absolute(base, link.get("href")) if link is not None else None
    return topic_of(url)[0] if url else None


def _rel(tree: Element, base: str, name: str) -> tuple[str, ...]:
    link = first(tree, f"link[rel={name}][href], a[rel={name}][href], a[rel~={name}][href]")
    url = clean_link(base, link.get("href")) if link is not None else None
    return (url,) if url else ()


def _crawler_posts(page: PageFile, tree: Element, base: str, topic: str) -> Iterator[ParsedItem]:
    for at, post in enumerate(select(tree, ".crawler-post, div[id^=post_][itemprop=comment]")):
        place = _crawler_place(post, base) or (at + 1)
        content = first(post, "[itemprop=text], .post, .cooked")
        if content is not None:
            yield _crawler_post(page, post, content, base, topic, place)


def _crawler_place(post: Element, base: str) -> int | None:
    """The number of a post: its id, its link, or the position that stands beside it."""
    own = re.fullmatch(r"post_(\d{1,9})", post.get("id") or "")
    if own:
        return int(own[1])
    link = first(post, "link[itemprop=mainEntityOfPage], meta[itemprop=url], a.post-url, .crawler-post-infos a[href]")
    url = absolute(base, link.get("href") or link.get("content")) if link is not None else None
    stated = first(post, "[itemprop=position]")
    return (topic_of(url)[1] if url else None) or number(one_line(stated).lstrip("#")) or _stated(stated)


def _stated(stated: Element | None) -> int | None:
    return number(stated.get("content")) if stated is not None else None


def _crawler_post(page: PageFile, post: Element, content: Element, base: str, topic: str, place: int) -> ParsedItem:
    name = first(post, "[itemprop=author] [itemprop=name], .creator a, .creator")
    time = first(
        post, "time[itemprop=datePublished], .post-time[datetime], time[datetime], meta[itemprop=datePublished]"
    )
    printed = (time.get("datetime") or time.get("content")) if time is not None else None
    answered, parent = _answered({}, content, int(topic))
    item = ParsedItem(
        kind=Kind.POST,
        id=f"t{topic}-{place}",
        url=clean_link(place_of(page.url), f"t/{_slug(page.url)}/{topic}/{place}"),
        author=one_line(name) or None,
        published=_time(page, printed),
        parent=parent,
        parent_author=answered,
        thread=f"t{topic}",
        position=place,
        votes=_counted(post, "LikeAction"),
        accepted=True if _is_accepted(post) else None,
    )
    return with_extract(item, _words(content))


def _slug(url: str) -> str:
    found = re.search(r"/t/([^/]*[^/\d][^/]*)/\d", urlsplit(url).path)
    return found[1] if found else "-"


def _is_accepted(post: Element) -> bool:
    return "acceptedAnswer" in (post.get("itemprop") or "") or "accepted-answer" in (post.get("class") or "")


def _counted(post: Element, action: str) -> int | None:
    for counter in select(post, "[itemprop=interactionStatistic]"):
        kind = first(counter, "[itemprop=interactionType]")
        count = first(counter, "[itemprop=userInteractionCount]")
        if kind is not None and count is not None and action in (kind.get("content") or kind.get("href") or ""):
            return number(count.get("content"))
    return None


def _crawler_rows(page: PageFile, tree: Element, base: str) -> tuple[ThreadRow, ...]:
    found: dict[str, ThreadRow] = {}
    for row in select(tree, ".topic-list-item, .topic-list tr, tr[data-topic-id]"):
        link = first(row, "a.title[href], a.raw-topic-link[href], a[href*='/t/']")
        url = clean_link(base, link.get("href")) if link is not None else None
        topic = topic_of(url)[0] if url else None
        if link is None or url is None or topic is None:
            continue
        cells = [one_line(cell) for cell in select(row, "td")]
        found.setdefault(f"t{topic}", _crawler_row(page, row, f"t{topic}", url, one_line(link), cells))
    return tuple(found.values())


def _crawler_row(page: PageFile, row: Element, name: str, url: str, title: str, cells: list[str]) -> ThreadRow:
    replies = first(row, ".replies .posts, .posts")
    time = first(row, "time[datetime]")
    printed = time.get("datetime") if time is not None else (cells[-1] if cells else None)
    last: datetime | None = _time(page, printed).at
    return ThreadRow(
        id=name,
        url=url,
        title=title,
        last_time=last.astimezone(UTC) if last is not None else None,
        replies=number(one_line(replies)),
    )
