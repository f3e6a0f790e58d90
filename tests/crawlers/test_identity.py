"""One address of one thing is one id, whoever found it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity import canonical_url, identify, native_id, origin_of, permalink_id, signed_id, uid_of

NAMED = [
    ("http://x.de/forum/viewtopic.php?p=453&sid=abc#p453", "/forum/ p453"),
    ("https://www.x.de/forum/viewtopic.php?f=2&t=99&p=453&hilit=bahn", "/forum/ p453"),
    ("http://x.de/forum/viewtopic.php?f=2&t=99&start=10", "/forum/ t99"),
    ("http://x.de/forum/viewtopic.php?t=99&view=unread#unread", "/forum/ t99"),
    ("http://x.de/titel-t99.html#p453", "/ p453"),
    ("http://x.de/2026/11/titel/#comment-27", "/2026/11/titel/ comment-27"),
    ("http://x.de/2026/11/titel/comment-page-3/#comment-27", "/2026/11/titel/ comment-27"),
    ("http://x.de/?p=27", "/ post-27"),
    ("http://x.de/?p=27#comment-5", "/ comment-5"),
    ("http://x.de/index.php?thread/99-titel/&postID=453#post453", "/ p453"),
    ("http://x.de/forum/thread/99-titel/?pageNo=2", "/forum/ t99"),
    ("http://x.de/forum/index.php/Thread/99-titel/?postID=453", "/forum/ p453"),
    ("http://x.de/article/3-titel/#comment4", "/ comment-4"),
    ("http://x.de/article/3-titel/#comment4/response7", "/ response-7"),
    ("http://x.de/index.php?conversation/3-titel/&messageID=21#message21", "/ message-21"),
    ("http://x.de/conversation/3-titel/?pageNo=2", "/ conversation-3"),
    ("http://x.de/t99-titel-2.html", "/ t99"),
    ("http://x.de/t99-titel-post453.html#post453", "/ p453"),
    ("http://x.de/brett/99-titel-post453.html#post453", "/ p453"),
    ("http://x.de/forum/brett/technik/99-titel/page2#post453", "/ p453"),
    ("http://x.de/forum/brett/99-titel?p=453#post453", "/ p453"),
    ("http://x.de/threads/titel.99/page-2#post-453", "/ p453"),
    ("http://x.de/threads/titel.99/post-453", "/ p453"),
    ("http://x.de/index.php?threads/titel.99/", "/ t99"),
    ("http://x.de/posts/453/", "/ p453"),
    ("http://x.de/showthread.php?99-titel&p=453#post453", "/ p453"),
    ("http://x.de/showthread.php?99-titel/page2", "/ t99"),
    ("http://x.de/showthread.php?t=99&s=0123456789abcdef0123456789abcdef", "/ t99"),
    ("http://x.de/threads/99-titel?p=453#post453", "/ p453"),
    ("http://x.de/showthread.php?tid=1&pid=3#pid3", "/ p3"),
    ("http://x.de/thread-99-post-453.html", "/ p453"),
    ("http://x.de/smf/index.php?topic=99.msg453#msg453", "/smf/ p453"),
    ("http://x.de/smf/index.php?topic=99.15", "/smf/ t99"),
    ("http://x.de/t/titel/12/3", "/ t12-3"),
    ("http://x.de/t/titel/12", "/ t12"),
    ("http://x.de/topic/27/titel/5", "/ t27-5"),
    ("http://x.de/post/28", "/ p28"),
    ("http://x.de/topic/27-titel/?do=findComment&comment=453", "/ p453"),
    ("http://x.de/d/12-titel/3", "/ t12-3"),
    ("http://x.de/t99-kein-anschluss.html", "/ t99"),
    ("http://x.de/t99-kein-anschluss-post453.html#post453", "/ p453"),
    ("http://x.de/discussion/99/kein-anschluss/p2", "/ t99"),
    ("http://x.de/discussion/comment/453/#Comment_453", "/ p453"),
    ("http://x.de/questions/99/kein-anschluss/453#453", "/ p453"),
    ("http://x.de/questions/99/kein-anschluss", "/ t99"),
    ("http://x.de/a/453", "/ p453"),
    ("http://x.de/questions/99/kein-anschluss#comment7_453", "/ comment-7"),
    ("https://x.social/@name/113400000000000001", "/ p113400000000000001"),
    ("https://x.social/users/name/statuses/113400000000000001", "/ p113400000000000001"),
    ("https://x.social/ap/users/7/statuses/113400000000000001", "/ p113400000000000001"),
    ("https://bsky.app/profile/did:plc:abc/post/3kaaa", "/ pdid:plc:abc/3kaaa"),
    ("https://bsky.app/profile/did%3Aplc%3Aabc/post/3kaaa?ref_src=embed", "/ pdid:plc:abc/3kaaa"),
    ("https://www.reddit.com/r/de/comments/1aaab/titel/", "/ t3_1aaab"),
    ("https://www.reddit.com/comments/1aaab", "/ t3_1aaab"),
    ("https://www.reddit.com/r/de/comments/1aaab/titel/k2x/?context=3", "/ t1_k2x"),
    ("https://x.com/name/status/1276035977375477760?s=20", "/ p1276035977375477760"),
    ("https://x.com/i/web/status/1276035977375477760", "/ p1276035977375477760"),
    ("https://www.youtube.com/watch?v=Film0000001&t=9s", "/ vFilm0000001"),
    ("https://www.youtube.com/shorts/Film0000001", "/ vFilm0000001"),
    ("https://www.youtube.com/watch?v=Film0000001&lc=UgxAAAAAAAAA.9a", "/ pUgxAAAAAAAAA.9a"),
    ("https://www.facebook.com/seite/posts/20000000000000001/", "/ p20000000000000001"),
    ("https://www.facebook.com/seite/posts/20000000000000001/?comment_id=30000000000000002", "/ p30000000000000002"),
    ("http://x.de/t5/Internet/DSL-faellt-aus/td-p/11", "/ p11"),
    ("http://x.de/t5/Internet/Re-DSL-faellt-aus/m-p/13/highlight/true#M7", "/ p7"),
    ("http://x.de/hilfe/t5/Blog/Neues/ba-p/14?search=dsl", "/hilfe/ p14"),
]


@pytest.mark.parametrize(("url", "name"), NAMED)
def test_native_id_says_what_the_program_calls_it(url, name):
    assert native_id(url) == name


@pytest.mark.parametrize(
    "url", ["http://x.de/", "http://x.de/2026/11/titel/", "http://x.de/viewforum.php?f=2", "", "x", "http://[x"]
)
def test_an_address_without_number_has_no_native_id(url):
    assert native_id(url) is None


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://WWW.X.de:80/a?b=2&a=1&sid=77&utm_source=q&PHPSESSID=1#top", "http://www.x.de/a?a=1&b=2"),
        ("https://x.de/a?s=0123456789abcdef0123456789abcdef&highlight=bahn", "https://x.de/a"),
        ("https://x.de/a?s=bahn", "https://x.de/a?s=bahn"),
        ("https://x.de/thread/page-1", "https://x.de/thread/"),
        ("https://x.de/a?page=1", "https://x.de/a"),
        ("https://x.de/a?page=2", "https://x.de/a?page=2"),
        ("https://x.de/titel/comment-page-3/", "https://x.de/titel/"),
        ("https://x.de/index.php?article/1-b%C3%A4/", "https://x.de/index.php?article/1-b%C3%A4/"),
        ("https://x.de", "https://x.de/"),
    ],
)
def test_canonical_url_drops_what_does_not_name_the_thing(url, canonical):
    assert canonical_url(url) == canonical


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
urls = st.builds(
    lambda path, query, fragment: f"https://x.de/{path}?{query}#{fragment}", words, words, words
) | st.builds(
    lambda pairs: "http://x.de/a?" + "&".join(f"{k}={v}" for k, v in pairs), st.lists(st.tuples(words, words))
)


@given(urls)
def test_canonical_url_is_idempotent(url):
    once = canonical_url(url)
    assert canonical_url(once) == once


@given(st.text(max_size=80) | urls)
def test_nothing_raises_on_any_text(text):
    assert native_id(text) is None or " " in native_id(text)
    assert isinstance(canonical_url(text), str)
    assert isinstance(permalink_id(text), str)


@given(
    number=st.integers(1, 10**9),
    session=st.text("0123456789abcdef", min_size=32, max_size=32),
    start=st.integers(0, 900),
)
def test_session_start_and_highlighting_never_change_the_id(number, session, start):
    plain = native_id(f"https://x.de/f/viewtopic.php?p={number}#p{number}")
    other = f"http://www.x.de/f/viewtopic.php?f=3&t=8&start={start}&sid={session}&hilit=a#p{number}"
    assert plain == native_id(other) == f"/f/ p{number}"


@given(st.text(min_size=1), st.text(min_size=1), st.integers(1, 99))
def test_a_signed_id_is_the_same_on_every_page_of_the_list(author, text, number):
    assert signed_id("https://x.de/firma?page=2", author, text) == signed_id(
        f"https://x.de/firma?page={number}", author, text
    )


def test_identify_takes_the_first_there_is():
    assert identify(["https://x.de/viewtopic.php?p=4"], permalink="https://x.de/a", foreign="guid") == "/ p4"
    assert identify([None], permalink="https://x.de/a?utm_medium=x", foreign="guid") == "/a"
    assert identify([], foreign="guid") == "guid"
    assert identify([]) is None


def test_http_and_https_with_and_without_www_are_one_mention():
    uids = {uid_of(origin_of(url), permalink_id(url)) for url in ("http://www.x.de/a/", "https://x.de/a/?fbclid=1")}
    assert len(uids) == 1


def test_another_author_or_beginning_is_another_review():
    url = "https://x.de/firma"
    ids = {signed_id(url, "Ann", "Gut"), signed_id(url, "Bob", "Gut"), signed_id(url, "Ann", "Schlecht")}
    assert len(ids) == 3
    assert signed_id(url, "ANN", "gut!") == signed_id(url, "ann", "Gut")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://WWW.Bahn.example/a", "bahn.example"),
        ("https://www.bahn.example:8443/", "bahn.example:8443"),
        ("https://www./", "www."),
        ("http://www:80/", "www"),
    ],
)
def test_an_origin_is_the_host_without_what_all_have(url, origin):
    assert origin_of(url) == origin
