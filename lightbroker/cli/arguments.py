"""What the arguments of all commands have in common: how a command is declared, and how values are checked.

argparse puts the name of the function that refuses a value into its error: "invalid whole value: '0'". So each of the
functions is named for the values that it accepts.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from lightbroker.core.errors import check_name, check_number

EXIT_CODES = """\
exit codes: 0 success, also when a signal asked it to stop; 1 it failed, or the result is wrong;
            2 it could not start; 130 or 143 a second Ctrl-C or SIGTERM ended it at once"""

Commands = Any  # what `add_subparsers` returns; argparse has no public name for this type
Run = Callable[[argparse.Namespace], int]  # runs a command and returns its exit code


def add_command(
    commands: Commands, name: str, run: Run | None, description: str, examples: Sequence[str]
) -> argparse.ArgumentParser:
    """Declare a command.

    Args:
        commands: Where to declare it.
        name: The word that calls the command.
        run: Runs the command. None if the command has actions of its own, which then run.
        description: What the command does. The first sentence also stands in the list of all commands.
        examples: Command lines without the leading "lightbroker".

    Returns:
        The parser, to add arguments to.
    """
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
    """Add --store, which names the store that the command works on."""
    parser.add_argument(
        "--store", required=True, metavar="URL", help="where the queues are: sqlite:///path.db, redis://host:6379/0"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json, for output that a program can read."""
    parser.add_argument("--json", action="store_true", help="print JSON for a program to read")


def positive(text: str) -> float:
    """Return a number above 0. Infinity is allowed."""
    value = float(text)
    return value if value == float("inf") else check_number("the value", value, above=True)


def share(text: str) -> float:
    """Return a number from 0 to 1."""
    value = check_number("the value", float(text))
    if value > 1:
        raise ValueError
    return value


def whole(text: str) -> int:
    """Return a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def natural(text: str) -> int:
    """Return a whole number of at least 0."""
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def queue_name(text: str) -> str:
    """Return the name of a queue, if the text can be one."""
    return check_name("queue name", text)


def address(text: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT. Without a host it is 127.0.0.1: this machine alone."""
    host, _, port = text.rpartition(":")
    number = int(port)
    if not 0 <= number <= 65535:
        raise ValueError
    return host.strip("[]") or "127.0.0.1", number
