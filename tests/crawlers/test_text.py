"""Text of pages: blocks, white space, smileys, quotes, character sets, and pages made to hurt."""

import pytest

from crawlers.select import first, select
from crawlers.text import decode, fragment_text, own_words, parse_tree, text_of, xml_of


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("eins<br>zwei", "eins zwei"),
        ("eins<br><br>\n zwei", "eins\n\nzwei"),
        ("<p>eins</p>\n<p>zwei  drei</p>", "eins\n\nzwei drei"),
        ("a <b>b</b>c<ul><li>d</li><li>e</li></ul>f", "a bc\n\nd\n\ne\n\nf"),
        ("1&amp;1 &lt;3 &nbsp; &auml;", "1&1 <3 ä"),
        ("gut <img class='smilies' src='x.gif' alt=':)'> so", "gut :) so"),
        ("<script>x()</script>da<style>y</style>", "da"),
        ('<a href="https://e.de/lang/weg.html">https://e.de/la ... eg.html</a>!', "https://e.de/lang/weg.html!"),
        ("Zeichen­trennung\u200b", "Zeichentrennung"),
        ("", ""),
    ],
)
def test_blocks_are_apart_and_white_space_is_one_blank(markup, text):
    assert fragment_text(markup) == text


def test_quotes_signatures_and_edit_notes_are_not_own_words():
    tree = parse_tree(
        "<div id=c>vorher<blockquote>fremd<blockquote>noch fremder</blockquote></blockquote>nachher<br>"
        "____________________<br>Gruß<img src=a.jpg></div>"
    )
    content = first(tree, "#c")
    found = own_words(content, quotes=select(content, "blockquote"))
    assert (found.text, found.quotes_removed, found.images) == ("vorher\n\nnachher", 1, 1)
    edited = parse_tree("<div>Text. Zuletzt geändert von Ann am 1. Nov 2026, insgesamt 2-mal geändert.</div>")
    assert own_words(edited).text == "Text."


@pytest.mark.parametrize(
    ("body", "headers", "text"),
    [
        ("Größe".encode(), {}, "Größe"),
        ("Größe".encode("latin-1"), {}, "Größe"),
        ("Größe €".encode("cp1252"), {"content-type": "text/html; charset=iso-8859-1"}, "Größe €"),
        (b'<meta charset="iso-8859-15">' + "5 €".encode("iso-8859-15"), {}, '<meta charset="iso-8859-15">5 €'),
        ("Größe".encode("utf-16"), {}, "Größe"),
        (b"a\x00b\x1fc", {}, "abc"),
    ],
)
def test_bytes_are_read_in_the_declared_character_set(body, headers, text):
    assert decode(body, headers) == text


@pytest.mark.parametrize("markup", ["<div>" * 100_000 + "x", "<b><i>" * 50_000, "<table>" * 30_000, "<" * 100_000])
def test_a_page_of_endless_depth_is_read_in_bounded_work(markup):
    assert isinstance(text_of(parse_tree(markup)), str)


@pytest.mark.parametrize("attribute", ['a{n}="x"', "a{n}='x'", "a{n}=x", "a{n}"])
def test_an_element_with_thousands_of_attributes_costs_no_more_than_its_length(attribute):
    many = " ".join(attribute.format(n=number) for number in range(400_000))
    tree = parse_tree(f"<p {many}>vorher</p><p class='k'>nachher</p>")
    assert [one.text for one in tree.iter("p")] == ["vorher", "nachher"]
    assert parse_tree(f"<p title='{'a' * 50_000}'>x</p>").find(".//p").get("title") == "a" * 50_000


def test_a_long_value_is_one_attribute_whatever_it_holds():
    value = "a = 'b' " * 5_000
    assert parse_tree(f'<div id="app" data-page="{value}">x</div>').find(".//div").get("data-page") == value


@pytest.mark.parametrize("half", ["&#xD800;", "&#x00dFfF;", "&#55296;", "&#57343;"])
def test_halves_of_letters_in_xml_cost_nothing_but_themselves(half):
    body = f'<a xmlns="http://x.example/{half}"><loc>https://x.de/{half}a</loc><b c="{half}d">e</b></a>'
    root = xml_of(body.encode())
    assert root is not None
    assert [node.tag for node in root.iter()] == [f"{{http://x.example/}}{name}" for name in ("a", "loc", "b")]
    assert [root[0].text, root[1].get("c"), root[1].text] == ["https://x.de/a", "d", "e"]


@pytest.mark.parametrize("body", [b"", b"Hallo", b"<", b"\xff\xfe", b"<?xml version='1.0' encoding='none'?>"])
def test_what_is_no_xml_has_no_tree(body):
    assert xml_of(body) is None
