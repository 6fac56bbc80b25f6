"""What the commands' arguments have in common: how a command is declared, and values that are checked as they are read.

argparse shows the name of the function that refuses a value, so the functions are named for what they take.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from lightbroker.core.errors import check_name, check_number

EXIT_CODES = """\
exit codes: 0 it is done, also when a signal asked it to stop; 1 it failed, or the result is not what it should be;
            2 it could not be run; 130 or 143 a second Ctrl-C or SIGTERM ended it at once"""

Commands = Any  # argparse does not name the type of what `add_subparsers` returns
Run = Callable[[argparse.Namespace], int]


def add_command(
    commands: Commands, name: str, run: Run | None, description: str, examples: Sequence[str]
) -> argparse.ArgumentParser:
    """Declare a command, which `run` runs; the first sentence of its description is its line in the list of all."""
    lines = "\n".join(f"  lightbroker {example}" for example in examples)
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=description.partition(". ")[0].rstrip(".").replace("\n", " "),
        description=description,
        epilog=f"examples:\n{lines}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_store(parser: argparse.ArgumentParser) -> None:
    """Let the command name the store that it works on."""
    parser.add_argument(
        "--store", required=True, metavar="URL", help="where the queues are: sqlite:///path.db, redis://host:6379/0"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Let the command answer programs."""
    parser.add_argument("--json", action="store_true", help="print JSON for a program to read")


def positive(text: str) -> float:
    """A number above 0; infinity is allowed."""
    value = float(text)
    return value if value == float("inf") else check_number("the value", value, above=True)


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = check_number("the value", float(text))
    if value > 1:
        raise ValueError
    return value


def whole(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def natural(text: str) -> int:
    """A whole number of at least 0."""
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def queue_name(text: str) -> str:
    """The name of a queue."""
    return check_name("queue name", text)


def address(text: str) -> tuple[str, int]:
    """HOST:PORT; without a host, this machine alone."""
    host, _, port = text.rpartition(":")
    number = int(port)
    if not 0 <= number <= 65535:
        raise ValueError
    return host.strip("[]") or "127.0.0.1", number
