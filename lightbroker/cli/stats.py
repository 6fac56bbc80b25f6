"""`lightbroker stats`: show what the queues of a store hold."""

import argparse
import json
from dataclasses import asdict

from lightbroker.cli.arguments import Commands, add_command, add_json, add_store, queue_name
from lightbroker.cli.store import opened
from lightbroker.cli.text import plain, table

_COLUMNS = ("ready", "delayed", "leased", "dead", "accepted", "acked", "dropped", "expired", "purged", "retried")


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "stats",
        run,
        "Show what the queues of a store hold, and what happened to the messages that they accepted. Other processes\n"
        "may use the store meanwhile. It is always true that\n"
        "accepted = ready + delayed + leased + dead + acked + dropped + expired + purged.",
        ["stats --store sqlite:///blocks.db", "stats --store redis://localhost:6379/0 --json blocks"],
    )
    add_store(parser)
    add_json(parser)
    parser.add_argument("queue", nargs="?", type=queue_name, metavar="QUEUE", help="one queue (default: all)")


def run(options: argparse.Namespace) -> int:
    """Print the counts of one queue or of all."""
    with opened(options.store, options.queue) as queues:
        stats = {name: queue.stats() for name, queue in queues.items()}
    if options.json:
        print(json.dumps({"queues": {name: asdict(numbers) for name, numbers in stats.items()}}))
    elif stats:
        rows = [
            (plain(name), *(getattr(numbers, column) for column in _COLUMNS), numbers.capacity or "unbounded")
            for name, numbers in stats.items()
        ]
        print(table(("queue", *_COLUMNS, "capacity"), rows))
    else:
        print("the store holds no queue")
    return 0
