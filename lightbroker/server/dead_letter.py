"""A dead letter as JSON, for the server and for `lightbroker dlq`."""

import base64
import codecs
from typing import Any

from lightbroker.core.store import Excerpt


def letter_json(excerpt: Excerpt, most: int) -> dict[str, Any]:
    """Return a dead letter as a dictionary for JSON, with long parts cut.

    Args:
        excerpt: The dead letter. Its body may be the beginning of a longer one.
        most: How much to keep: the first `most` bytes of the body, the first `most` characters of the error, and the
            last `most` characters of the traceback.
    """
    letter = excerpt.letter
    message = letter.message
    return {
        "id": message.id,
        "reason": letter.reason,
        "error": letter.error[:most],
        "traceback": letter.traceback[-most:],
        "attempts": message.attempts,
        "accepted_at": message.timestamp,
        "first_failed_at": letter.first_failed_at,
        "last_failed_at": letter.last_failed_at,
        "headers": dict(message.headers),
        "body": _body(message.body[:most], excerpt.size),
    }


def _body(shown: bytes, size: int) -> dict[str, Any]:
    """Return the beginning of a body of `size` bytes: as text if it is UTF-8, else in base64."""
    cut = size > len(shown)
    about = {"bytes": size, "truncated": cut}
    try:
        # The cut may have split the last character, which is then left out. Every other byte that cannot be decoded
        # means that the body is not text.
        return {**about, "text": codecs.getincrementaldecoder("utf-8")().decode(shown, final=not cut)}
    except UnicodeDecodeError:
        return {**about, "base64": base64.b64encode(shown).decode("ascii")}
