"""Tables, untrusted text and times for a terminal. Standard library only."""

import time
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table of text: columns under headings, two spaces apart. Columns of whole numbers are right-aligned."""
    rows = list(rows)
    cells = [[str(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    numeric = [all(isinstance(row[place], int) for row in rows) for place in range(len(headings))]
    lines = (
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(row, widths, numeric)
        ).rstrip()
        for row in cells
    )
    return "\n".join(lines)


def plain(text: str, most: int | None = None) -> str:
    """Return untrusted text with its control characters as escapes, so that a terminal cannot be manipulated.

    Args:
        text: The text. Newlines and tabs stay.
        most: If given, the text becomes one line, cut to this number of characters before the escapes.
    """
    if most is not None:
        text = " ".join(text.split())
        text = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(
        character if character.isprintable() or character in "\n\t" else ascii(character)[1:-1] for character in text
    )


def moment(seconds: float) -> str:
    """Return Unix seconds as date and time in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
