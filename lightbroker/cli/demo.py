"""`lightbroker demo`: run the block pipeline on a recorded chain."""

import argparse

from lightbroker.cli.arguments import Commands, add_command, positive, share, whole
from lightbroker.cli.signals import Signals
from lightbroker.watcher import demo


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "demo",
        run,
        "Replay a recorded chain through queue 'blocks' to a pool of workers. The chain is a local one (id 31337),\n"
        "not mainnet. The workers recompute every block's hash. The command ends with a report.",
        ["demo", "demo --speed inf --workers 8 --failures 0.2"],
    )
    option = parser.add_argument
    option("--recording", metavar="FILE", help="the recording to replay (default: the one in the package)")
    option(
        "--speed",
        type=positive,
        default=480.0,
        metavar="N",
        help="recorded seconds per second; inf: do not wait (default: %(default)s)",
    )
    option("--workers", type=whole, default=100, metavar="N", help="worker threads (default: %(default)s)")
    option(
        "--capacity",
        type=whole,
        default=1000,
        metavar="N",
        help="messages that queue 'blocks' can hold (default: %(default)s)",
    )
    option(
        "--failures",
        type=share,
        default=0.05,
        metavar="P",
        help="share of checks that fail on purpose, 0 to 1 (default: %(default)s)",
    )
    option(
        "--poison",
        type=int,
        default=3,
        metavar="N",
        help="blocks that are changed before they are queued, and end as dead letters (default: %(default)s)",
    )
    option(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="decides which checks fail and which blocks are poison (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command. Ctrl-C and SIGTERM end it early, with a report of what was done until then."""
    from rich.console import Console

    from lightbroker.cli import terminal

    console = Console()
    with Signals() as signals:
        report = demo.run(options, lambda progress: terminal.show_progress(console, progress), signals.wait)
    terminal.show_report(console, report)
    return 0 if report.law == "holds" else 1
