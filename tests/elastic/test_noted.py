"""What a process remembers of the bands it has noted, until searches know them."""

from pipeline.store.elastic.access import Noted


def test_bands_are_known_by_week_until_a_second_refresh():
    noted = Noted(size=2)
    noted.note(7, {"a": ["x", "y"]})
    noted.note(6, {"b": ["x"]})
    assert noted.full
    assert noted.holders((7, 6), {"x", "z"}) == {"x": {"a", "b"}}
    assert noted.holders((8, 7), {"x", "y"}) == {"x": {"a"}, "y": {"a"}}
    noted.refreshed()  # others may have noted while it ran
    assert not noted.full
    noted.note(7, {"c": ["x"]})
    assert noted.holders((7, 6), {"x"}) == {"x": {"a", "b", "c"}}
    noted.refreshed()
    assert noted.holders((7, 6), {"x", "y"}) == {"x": {"c"}}


def test_what_is_removed_is_known_no_more():
    noted = Noted()
    noted.note(7, {"a": ["x"], "b": ["x"]})
    noted.refreshed()
    noted.note(7, {"c": ["x", "y"]})
    noted.forget(["a", "c"])
    assert noted.holders((7,), {"x"}) == {"x": {"b"}}
