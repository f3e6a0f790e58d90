"""Addresses of posts, threads, comments and articles: pure functions from a URL to what it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote_plus, unquote_to_bytes, urlsplit, urlunsplit

from w3lib.url import canonicalize_url

SESSION_KEYS = frozenset({"sid", "phpsessid", "jsessionid", "zenid", "sessionid", "session_id", "cfid", "cftoken"})
DISPLAY_KEYS = frozenset({"highlight", "hilit", "replytocom", "share", "amp", "cpage", "nocache", "preview"})
TRACKING_KEYS = frozenset(
    {"fbclid", "gclid", "dclid", "msclkid", "yclid", "igshid", "mc_cid", "mc_eid", "wt_mc", "_ga", "ref_src", "xtor"}
)
_SUPERFLUOUS = SESSION_KEYS | DISPLAY_KEYS | TRACKING_KEYS
_TRACKING = re.compile(r"(utm|pk|mtm|matomo|hsa|at)_\w+")
_HASH = re.compile(r"[0-9a-f]{16,64}", re.IGNORECASE)
_FIRST_PAGE = re.compile(r"/(?:(?:page|seite)[-/]1|comment-page-\d+)/?$", re.IGNORECASE)
_PAGE = re.compile(r"/(?:page|seite|comment-page|p)[-/]\d{1,6}/?$", re.IGNORECASE)
_PAGE_KEYS = frozenset({"page", "pageno", "seite", "start", "offset", "p", "pg", "paged"})


_SHORT = 300
"""Only addresses up to this length are remembered."""


class _Address(NamedTuple):
    """A URL, taken apart once for all platforms."""

    path: str
    query: Mapping[str, str]
    raw_query: str
    fragment: str


def canonical_url(url: str) -> str:
    """The URL without fragment, session, tracking and display parameters and without ``page 1``; parameters sorted.

    What cannot be parsed as a URL comes back as it is. Applying it twice changes nothing more.
    """
    try:
        parts = urlsplit(url.strip())
        host = _host(parts.scheme, parts.hostname or "", parts.port)
        path = _FIRST_PAGE.sub("/", re.sub(r";jsessionid=[^/?]*", "", parts.path, flags=re.IGNORECASE))
        place = _place(parts.scheme.lower(), host, path or "/")
    except ValueError:
        return url
    query = _query([(key, value) for key, value in _fields(parts.query) if not _superfluous(key, value or "")])
    return f"{place}?{query}" if query else place


def without_page(url: str) -> str:
    """The URL of the whole of what is shown over several pages: the page number taken off path and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = _query([(key, value) for key, value in _fields(parts.query) if not _is_page(key, value or "")])
    return urlunsplit((parts.scheme, parts.netloc, _PAGE.sub("/", parts.path), query, ""))


def native_id(url: str) -> str | None:
    """What forum, blog and comment software calls the thing at this URL: ``/forum/ p453``; None where it does not say.

    The same for every address of one post or thread, whether a spider, a feed or a search found it.
    """
    address = _take_apart(url)
    if address is None:
        return None
    return next((found for reader in _READERS if (found := reader(address))), None)


def _take_apart(url: str) -> _Address | None:
    try:
        parts = urlsplit(url.strip())
        path = urlsplit(_place(parts.scheme, parts.netloc, parts.path)).path
    except ValueError:
        return None
    return _Address(path or "/", {key: value or "" for key, value in _fields(parts.query)}, parts.query, parts.fragment)


def _place(scheme: str, netloc: str, path: str) -> str:
    """An address without parameters, encoded one way; the posts of a thread often share it."""
    short = len(netloc) + len(path) <= _SHORT
    return _known_place(scheme, netloc, path) if short else _canonical_place(scheme, netloc, path)


def _canonical_place(scheme: str, netloc: str, path: str) -> str:
    return str(canonicalize_url(urlunsplit((scheme, netloc, path, "", ""))))


_known_place = lru_cache(maxsize=1_000)(_canonical_place)


def _fields(query: str) -> list[tuple[str, str | None]]:
    """The parameters, decoded keys and still encoded values; the value is None where no ``=`` stands."""
    parted = [field.partition("=") for field in query.split("&") if field]
    return [(unquote_plus(key), value if sign else None) for key, sign, value in parted]


def _query(fields: list[tuple[str, str | None]]) -> str:
    """Bare fields first, as they came (``?thread/99-titel/``: a route); then the others, sorted, encoded one way."""
    routes = [_encoded(key) for key, value in fields if value is None]
    pairs = sorted(f"{_encoded(key)}={_requoted(value)}" for key, value in fields if value is not None)
    return "&".join(routes + pairs)


def _encoded(key: str) -> str:
    return quote(key, safe="/:,.-[]")


def _requoted(value: str) -> str:
    return quote(unquote_to_bytes(value.replace("+", " ")), safe="/:,.-")


def _host(scheme: str, host: str, port: int | None) -> str:
    default = {"http": 80, "https": 443}.get(scheme.lower())
    name = f"[{host}]" if ":" in host else host
    return name if port in (None, default) else f"{name}:{port}"


def _superfluous(key: str, value: str) -> bool:
    low = key.lower()
    if low in _SUPERFLUOUS or _TRACKING.fullmatch(low):
        return True
    return (low == "s" and bool(_HASH.fullmatch(value))) or (low == "page" and value == "1")


def _is_page(key: str, value: str) -> bool:
    return key.lower() in _PAGE_KEYS and value.isdigit()


def _phpbb(at: _Address) -> str | None:
    found = re.fullmatch(r"(.*/)viewtopic\.php(?:/.*)?", at.path)
    if found is None:
        return None
    return _numbered(
        found[1], _number(at.fragment, r"p(\d+)") or _digits(at.query.get("p")), _digits(at.query.get("t"))
    )


def _phpbb_rewritten(at: _Address) -> str | None:
    found = re.fullmatch(r"(.*/)[^/]*-t(\d+)(?:-\d+|-s\d+)?\.html", at.path)
    return _numbered(found[1], _number(at.fragment, r"p(\d+)"), found[2]) if found else None


def _vbulletin_or_mybb(at: _Address) -> str | None:
    found = re.fullmatch(r"(.*/)show(?:thread|post)\.php(?:/(\d+)[^/]*)?", at.path)
    if found is None:
        return None
    post = _number(at.fragment, r"(?:post|pid)_?(\d+)") or _digits(at.query.get("p")) or _digits(at.query.get("pid"))
    leading = _number(at.raw_query, r"(\d+)(?:-[^&=]*)?(?:/page\d+)?(?:[=&].*)?")
    return _numbered(found[1], post, _digits(at.query.get("t")) or _digits(at.query.get("tid")) or found[2] or leading)


def _mybb_rewritten(at: _Address) -> str | None:
    found = re.fullmatch(r"(.*/)thread-(\d+)(?:-(post|page|lastpost|newpost)(?:-(\d+))?)?\.html", at.path)
    if found is None:
        return None
    post = found[4] if found[3] == "post" else None
    return _numbered(found[1], _number(at.fragment, r"pid(\d+)") or post, found[2])


def _smf(at: _Address) -> str | None:
    topic = at.query.get("topic") or _number(at.path, r".*/index\.php/topic,([\w.]+?)(?:\.html)?/?")
    found = re.fullmatch(r"(\d+)(?:\.(?:msg(\d+)|\w+))?", topic or "")
    if found is None:
        return None
    place = re.match(r".*?/(?=index\.php|$)", at.path)
    return _numbered(place[0] if place else "/", _number(at.fragment, r"msg(\d+)") or found[2], found[1])


def _routed(at: _Address) -> str:
    """Path with the route of ``index.php?thread/…`` and ``index.php/Thread/…`` put in its place."""
    path = re.sub(r"/index\.php(?=/)", "", at.path)
    route = at.raw_query.split("&")[0].removesuffix("=")
    return path.removesuffix("index.php") + route.replace("%2F", "/") if "/" in route.replace("%2F", "/") else path


def _woltlab(at: _Address) -> str | None:
    found = re.fullmatch(r"(.*/)(thread|article|conversation)/(\d+)(?:-[^/?&]*)?/?.*", _routed(at), re.IGNORECASE)
    if found is None:
        return None
    if found[2].lower() == "conversation":
        message = _number(at.fragment, r"message(\d+)") or _digits(at.query.get("messageID"))
        return f"{found[1]} message-{message}" if message else f"{found[1]} conversation-{found[3]}"
    if found[2].lower() == "article":
        response = _number(at.fragment, r"comment-?\d+/response-?(\d+)")
        if response:
            return f"{found[1]} response-{response}"
        comment = _number(at.fragment, r"comment-?(\d+)(?:/.*)?") or _digits(at.query.get("commentID"))
        return f"{found[1]} comment-{comment}" if comment else f"{found[1]} article-{found[3]}"
    return _numbered(found[1], _number(at.fragment, r"post(\d+)") or _digits(at.query.get("postID")), found[3])


def _xenforo(at: _Address) -> str | None:
    path = _routed(at)
    single = re.fullmatch(r"(.*/)posts/(\d+)/?", path)
    if single:
        return _numbered(single[1], single[2], None)
    found = re.fullmatch(r"(.*/)(?:threads|themen)/(?:[^/]*\.)?(\d+)(?:/(?:post-(\d+)|.*))?", path)
    return _numbered(found[1], _number(at.fragment, r"post-(\d+)") or found[3], found[2]) if found else None


def _vbulletin_route(at: _Address) -> str | None:
    found = re.fullmatch(r"(.*/)threads/(\d+)-[^/]*(?:/page\d+)?/?", at.path)
    if found is None:
        return None
    return _numbered(found[1], _number(at.fragment, r"post(\d+)") or _digits(at.query.get("p")), found[2])


def _vbulletin_rewritten(at: _Address) -> str | None:
    """vBSEO: ``/t99-titel.html``, ``/t99-titel-post453.html``, ``/brett/99-titel-post453.html``."""
    single = re.fullmatch(r"(.*/)(?:t\d+|[^/]+/\d+)-[^/]*-post(\d+)\.html", at.path)
    if single:
        return _numbered(single[1], single[2], None)
    found = re.fullmatch(r"(.*/)t(\d+)-[^/]*\.html", at.path)
    return _numbered(found[1], _number(at.fragment, r"post(\d+)"), found[2]) if found else None


def _vbulletin_node(at: _Address) -> str | None:
    """vBulletin 5: ``/forum/brett/99-titel/page2?p=453#post453``; its numbers are those of the whole host."""
    if not re.fullmatch(r".*/\d+-[^/]+(?:/page\d+)?/?", at.path) or at.path.endswith((".html", ".htm")):
        return None
    return _numbered("/", _number(at.fragment, r"post(\d+)") or _digits(at.query.get("p")), None)


def _discourse(at: _Address) -> str | None:
    found = re.fullmatch(r"(.*/)(?:t/(?:[^/]*[^/\d][^/]*/)?|d/)(\d+)(?:-[^/]*)?(?:/(\d+))?/?", at.path)
    if found is None:
        return None
    return f"{found[1]} t{found[2]}-{found[3]}" if found[3] else f"{found[1]} t{found[2]}"


def _nodebb(at: _Address) -> str | None:
    single = re.fullmatch(r"(.*/)post/(\d+)/?", at.path)
    if single:
        return _numbered(single[1], single[2], None)
    found = re.fullmatch(r"(.*/)topic/(\d+)(?:/[^/]*(?:/(\d+))?)?/?", at.path)
    if found is None:
        return None
    return f"{found[1]} t{found[2]}-{found[3]}" if found[3] else f"{found[1]} t{found[2]}"


def _invision(at: _Address) -> str | None:
    found = re.fullmatch(r"(.*/)topic/(\d+)-[^/]*/?(?:page/\d+/?)?", at.path)
    if found is None:
        return None
    comment = _number(at.fragment, r"(?:find)?comment-(\d+)", flags=re.IGNORECASE) or _digits(at.query.get("comment"))
    return _numbered(found[1], comment, found[2])


def _vanilla(at: _Address) -> str | None:
    found = re.fullmatch(r"(.*/)discussion/(?:comment/(\d+)/?|(\d+)(?:/.*)?)", at.path)
    if found is None:
        return None
    return _numbered(found[1], _number(at.fragment, r"Comment_(\d+)") or found[2], found[3])


def _stack_exchange(at: _Address) -> str | None:
    single = re.fullmatch(r"(.*/)a/(\d+)(?:/\d+)?/?", at.path)
    if single:
        return _numbered(single[1], single[2], None)
    found = re.fullmatch(r"(.*/)q(?:uestions)?/(\d+)(?:/[^/]*(?:/(\d+))?)?/?", at.path)
    if found is None:
        return None
    comment = _number(at.fragment, r"comment(\d+)_\d+")
    answer = _number(at.fragment, r"(?:answer-)?(\d+)") or found[3]
    return f"{found[1]} comment-{comment}" if comment else _numbered(found[1], answer, found[2])


def _khoros(at: _Address) -> str | None:
    """``/t5/Board/Titel/td-p/11``: every message, the opening one too, has a number of its own."""
    found = re.fullmatch(r"(.*/)t5/[^/]+/[^/]+/[a-z]{1,5}-p/(\d+)(?:/.*)?", at.path)
    return _numbered(found[1], _number(at.fragment, r"M(\d+)") or _digits(found[2]), None) if found else None


def _wordpress(at: _Address) -> str | None:
    comment = _number(at.fragment, r"(?:li-|div-)?comment-(\d+)")
    path = re.sub(r"/(?:comment-page-\d+|amp|feed)/?$", "/", at.path)
    if comment:
        return f"{path} comment-{comment}"
    post = _digits(at.query.get("p")) or _digits(at.query.get("page_id"))
    is_home = path.endswith(("/", "/index.php"))
    return f"{path.removesuffix('index.php')} post-{post}" if post and is_home else None


def _mastodon(at: _Address) -> str | None:
    """Pages are ``/@name/1``, the posts' own names ``/users/name/statuses/1`` or ``/ap/users/2/statuses/1``."""
    found = re.fullmatch(r"/@\w[\w.-]*/(\d{6,19})/?", at.path) or re.fullmatch(
        r"(?:/ap)?/users/[\w.-]+/statuses/(\d{6,19})(?:/activity)?/?", at.path
    )
    return f"/ p{found[1]}" if found else None


def _bluesky(at: _Address) -> str | None:
    found = re.fullmatch(r"/profile/(did(?::|%3A)[\w.:%-]+)/post/(\w+)/?", at.path)
    return f"/ p{found[1].replace('%3A', ':')}/{found[2]}" if found else None


def _reddit(at: _Address) -> str | None:
    found = re.fullmatch(r"(?:/(?:r|user)/[\w-]+)?/comments/(\w{2,12})(?:/[^/]*(?:/(\w{2,12}))?)?/?", at.path)
    if found is None:
        return None
    return f"/ t1_{found[2]}" if found[2] else f"/ t3_{found[1]}"


def _x(at: _Address) -> str | None:
    found = re.fullmatch(r"/(?:\w{1,20}|i/web)/status(?:es)?/(\d{6,20})(?:/(?:photo|video)/\d+)?/?", at.path)
    return f"/ p{found[1]}" if found else None


def _facebook(at: _Address) -> str | None:
    found = re.fullmatch(r"/[\w.-]+/posts/(?:[^/]+/)?(\d{14,20})/?", at.path)
    if found is None:
        return None
    comment = _digits(at.query.get("reply_comment_id")) or _digits(at.query.get("comment_id"))
    return f"/ p{comment or found[1]}"


def _youtube(at: _Address) -> str | None:
    film = at.query.get("v") if at.path == "/watch" else _number(at.path, r"/(?:shorts|live)/([\w-]{11})/?")
    if not film or not re.fullmatch(r"[\w-]{11}", film):
        return None
    comment = at.query.get("lc", "")
    return f"/ p{comment}" if re.fullmatch(r"[\w.-]{10,80}", comment) else f"/ v{film}"


_READERS: tuple[Callable[[_Address], str | None], ...] = (
    _phpbb,
    _phpbb_rewritten,
    _vbulletin_or_mybb,
    _mybb_rewritten,
    _smf,
    _vbulletin_route,
    _facebook,
    _vbulletin_rewritten,
    _xenforo,
    _woltlab,
    _vbulletin_node,
    _invision,
    _nodebb,
    _discourse,
    _vanilla,
    _stack_exchange,
    _khoros,
    _wordpress,
    _mastodon,
    _bluesky,
    _reddit,
    _x,
    _youtube,
)


def _numbered(place: str, post: str | None, thread: str | None) -> str | None:
    if post:
        return f"{place} p{post}"
    return f"{place} t{thread}" if thread else None


def _digits(text: str | None) -> str | None:
    return str(int(text)) if text and text.isascii() and text.isdigit() and len(text) < 20 else None


def _number(text: str, pattern: str, *, flags: int = 0) -> str | None:
    found = re.fullmatch(pattern, text, flags)
    return found[1] if found else None
