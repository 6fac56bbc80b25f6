"""What `lightbroker watch --handler` runs in tests; each notes what it did in the file that DIARY names."""

import os
import time

from lightbroker import Message


def note(message: Message) -> None:
    """Note the block, in one write: lines of several threads do not mix, and a kill cuts none."""
    block = message.json()
    diary = os.open(os.environ["DIARY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(diary, f"{message.id} {block['kind']} {block['hash']}\n".encode())
    os.close(diary)


def slowly(message: Message) -> None:
    """Take a while for it, as long as needed to be in the middle of it when a signal comes."""
    time.sleep(0.02)
    note(message)


def hang(message: Message) -> None:
    """Never end."""
    note(message)
    time.sleep(3600.0)
