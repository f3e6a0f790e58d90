"""The matcher over the labelled sentences: it must not get worse, on those it was tuned with and on the others."""

from __future__ import annotations

import pytest

from benchmarks.labelled.matching import ALL, Row, Score, as_table, labelled_brands, measure, read_rows

ROWS = read_rows()
TUNED, HELD = [row for row in ROWS if not row.held], [row for row in ROWS if row.held]


def test_there_are_enough_sentences_and_a_third_of_them_is_held_back() -> None:
    assert len(ROWS) >= 600
    assert len(HELD) * 2.6 >= len(TUNED)
    assert len({(row.text, row.thread) for row in ROWS}) == len(ROWS)


def test_labels_are_brands() -> None:
    assert {brand for row in ROWS for brand in row.brands} == set(labelled_brands())


@pytest.mark.parametrize(("rows", "precision", "recall"), [(TUNED, 0.99, 0.98), (HELD, 0.98, 0.97)])
def test_precision_and_recall(rows: list[Row], precision: float, recall: float) -> None:
    table = measure(rows, labelled_brands())
    assert table[ALL].precision >= precision, as_table(table)
    assert table[ALL].recall >= recall, as_table(table)
    for brand in ("telekom", "bahn", "1und1"):
        assert min(table[brand].precision, table[brand].recall) >= 0.95, (brand, table[brand])


def test_what_is_counted() -> None:
    rows = [
        Row("Telekom und 1&1", frozenset({"telekom", "1und1"}), ""),
        Row("Die Telekom", frozenset(), ""),
        Row("Nichts", frozenset({"1und1"}), ""),
    ]
    brands = {name: brand for name, brand in labelled_brands().items() if name in ("telekom", "1und1")}
    table = measure(rows, brands)
    assert table == {"telekom": Score(1, 1, 0), "1und1": Score(1, 0, 1), ALL: Score(2, 1, 1)}
    assert (table[ALL].precision, table[ALL].recall) == (2 / 3, 2 / 3)
    assert (Score().precision, Score().recall) == (1.0, 1.0)
    assert as_table(table)[2] == "| telekom | 1 | 0.500 | 1.000 | 1 | 0 |"
