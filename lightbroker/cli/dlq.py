"""`lightbroker dlq`: show the dead letters of a queue, deliver them again, or delete them."""

import argparse
import json
import sys

from lightbroker.cli.arguments import Commands, Run, add_command, add_json, add_store, queue_name, whole
from lightbroker.cli.store import opened
from lightbroker.cli.text import moment, plain, table
from lightbroker.core.message import MAX_BODY, DeadLetter
from lightbroker.core.store import Excerpt, Inspectable
from lightbroker.server.dead_letter import letter_json

_ERROR_WIDTH = 60  # characters of an error in the list


def add(commands: Commands) -> None:
    """Declare the command and its actions: list, show, redrive and purge."""
    parser = add_command(
        commands,
        "dlq",
        None,  # one of the actions is required
        "Look after the dead letters of a queue: the messages that it gave up on.",
        [
            "dlq list --store sqlite:///blocks.db blocks",
            "dlq show --store sqlite:///blocks.db blocks 5f0c2a6b9d1e-17",
            "dlq redrive --store sqlite:///blocks.db blocks --limit 10",
        ],
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    lister = _add(actions, "list", list_letters, "List the dead letters, oldest first.", ["--limit 5", "--json"])
    shower = _add(actions, "show", show, "Show one dead letter with its traceback and body.", ["5f0c2a6b9d1e-17"])
    redriver = _add(
        actions,
        "redrive",
        redrive,
        "Deliver dead letters again, as if they were new. They go to the back of the queue, and their attempts start\n"
        "from 1. It stops when the queue is full.",
        ["", "--limit 10", "--id 5f0c2a6b9d1e-17 --id 5f0c2a6b9d1e-18"],
    )
    purger = _add(actions, "purge", purge, "Delete every dead letter of a queue. This cannot be undone.", [""])
    shower.add_argument("id", metavar="ID", help="the message's id, as `dlq list` shows it")
    lister.add_argument(
        "--limit", type=whole, default=100, metavar="N", help="show no more than the N oldest (default: %(default)s)"
    )
    redriver.add_argument("--limit", type=whole, metavar="N", help="move no more than the N oldest (default: all)")
    redriver.add_argument("--id", dest="ids", action="append", metavar="ID", help="move this one; may be repeated")
    for action in (lister, shower, redriver, purger):
        add_json(action)


def _add(actions: Commands, name: str, run: Run, description: str, examples: list[str]) -> argparse.ArgumentParser:
    called = [f"dlq {name} --store sqlite:///blocks.db blocks {example}".rstrip() for example in examples]
    parser = add_command(actions, name, run, description, called)
    add_store(parser)
    parser.add_argument("queue", type=queue_name, metavar="QUEUE", help="the queue with the dead letters")
    return parser


def list_letters(options: argparse.Namespace) -> int:
    """Print the dead letters, one a line."""
    with opened(options.store, options.queue) as queues:
        queue = queues[options.queue]
        assert isinstance(queue, Inspectable)  # true of every store that a URL can name
        oldest = queue.oldest_dead(options.limit, MAX_BODY if options.json else 0)
        more = queue.stats().dead - len(oldest)
    if options.json:
        print(json.dumps([letter_json(excerpt, MAX_BODY) for excerpt in oldest]))
    elif oldest:
        print(table(("id", "attempts", "reason", "last failed", "error"), [_row(excerpt.letter) for excerpt in oldest]))
        if more > 0:
            print(f"… and {more} more")
    else:
        print("no dead letters")
    return 0


def _row(letter: DeadLetter) -> tuple[object, ...]:
    error = plain(letter.error, _ERROR_WIDTH)
    return letter.message.id, letter.message.attempts, letter.reason, moment(letter.last_failed_at), error


def show(options: argparse.Namespace) -> int:
    """Print one dead letter with its traceback and body."""
    with opened(options.store, options.queue) as queues:
        found = [letter for letter in queues[options.queue].dead_letters() if letter.message.id == options.id]
    if not found:
        print(f"lightbroker: queue {options.queue!r} has no dead letter {options.id!r}", file=sys.stderr)
        return 1
    letter = letter_json(Excerpt.whole(found[0]), MAX_BODY)
    if options.json:
        print(json.dumps(letter))
        return 0
    body = letter.pop("body")
    traceback = letter.pop("traceback")
    for name, value in letter.items():
        print(f"{name.replace('_', ' '):<16}{moment(value) if name.endswith('_at') else plain(str(value))}")
    print(f"body, {body['bytes']} bytes{' in base64' if 'base64' in body else ''}:")
    print(plain(body.get("text", body.get("base64"))))
    if traceback:
        print(f"\n{plain(traceback.rstrip())}")
    return 0


def redrive(options: argparse.Namespace) -> int:
    """Make dead letters ready again, and print how many."""
    with opened(options.store, options.queue) as queues:
        moved = queues[options.queue].redrive(options.ids, options.limit)
        left = queues[options.queue].stats().dead
    print(json.dumps({"redriven": moved, "dead": left}) if options.json else f"{moved} redriven, {left} left")
    return 0


def purge(options: argparse.Namespace) -> int:
    """Delete the dead letters, and print how many there were."""
    with opened(options.store, options.queue) as queues:
        purged = queues[options.queue].purge()
    print(json.dumps({"purged": purged}) if options.json else f"{purged} purged")
    return 0
