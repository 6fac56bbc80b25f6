"""What a terminal is shown: columns in line, and nothing that the terminal would obey."""

from lightbroker.cli.text import moment, plain, table


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    assert table(("name", "count"), [("a", 5), ("longer", 1234)]) == "name    count\na           5\nlonger   1234"


def test_a_table_without_rows_is_its_headings() -> None:
    assert table(("name", "count"), []) == "name  count"


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    assert plain("red \x1b[31m\ttab\nline \r\x00 \u202eright to left \ud800") == (
        "red \\x1b[31m\ttab\nline \\r\\x00 \\u202eright to left \\ud800"
    )


def test_a_line_is_cut_to_its_length() -> None:
    assert plain("Error: a\n  b", 20) == "Error: a b"
    assert plain("x" * 21, 20) == "x" * 19 + "…"


def test_a_moment_is_told_in_utc() -> None:
    assert moment(1_750_000_000.9) == "2025-06-15T15:06:40Z"
