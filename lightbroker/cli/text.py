"""Tables and foreign text for a terminal, without a library."""

import time
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns under headings, two spaces apart; numbers stand to the right."""
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
    """Foreign text with everything spelled out that a terminal would obey; cut to `most` characters of one line."""
    if most is not None:
        text = " ".join(text.split())
        text = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(
        character if character.isprintable() or character in "\n\t" else ascii(character)[1:-1] for character in text
    )


def moment(seconds: float) -> str:
    """Unix seconds as date and time, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
