"""The command line: `lightbroker demo` and `lightbroker bench`."""

import argparse
import sys
from collections.abc import Sequence

import lightbroker
from lightbroker.errors import BrokerError, check_number


def positive(text: str) -> float:
    """An argument that must be above 0; infinity is allowed."""
    value = float(text)
    return value if value == float("inf") else check_number("the value", value, above=True)


def share(text: str) -> float:
    """An argument from 0 to 1."""
    value = check_number("the value", float(text))
    if value > 1:
        raise ValueError
    return value


def whole(text: str) -> int:
    """An argument that is a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lightbroker", description="A message broker in one process.")
    parser.add_argument("--version", action="version", version=lightbroker.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="replay a recorded chain through queue 'blocks' to a pool of workers",
        description="Replays a recorded chain (a local one, id 31337, not mainnet) through the watcher and queue "
        "'blocks' to workers that recompute every block's hash. Ends with a report.",
        epilog="example: lightbroker demo --speed inf --workers 8 --failures 0.2",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    option = demo.add_argument
    option("--recording", metavar="FILE", help="the recording to replay; without it the one in the package")
    option("--speed", type=positive, default=480.0, metavar="N", help="recorded seconds per second; inf: do not wait")
    option("--workers", type=whole, default=100, metavar="N", help="worker threads")
    option(
        "--capacity",
        type=whole,
        default=1000,
        metavar="N",
        help="messages that queue 'blocks' can hold",
    )
    option("--failures", type=share, default=0.05, metavar="P", help="share of checks that fail on purpose, 0 to 1")
    option("--poison", type=int, default=3, metavar="N", help="blocks tampered with, to end as dead letters")
    option("--seed", type=int, default=1, metavar="N", help="decides which checks fail and which blocks are poison")
    commands.add_parser("bench", help="measure the broker beside other queues and brokers", add_help=False)
    return parser


def _demo(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lightbroker import demo, terminal

    console = Console()
    report = demo.run(options, lambda progress: terminal.show_progress(console, progress))
    terminal.show_report(console, report)
    return 0 if report.law == "holds" else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0, 1 if the result is wrong, 2 if it could not be run."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["bench"]:
        from lightbroker.lab.bench import main as bench

        return bench(words[1:])
    options = _parser().parse_args(words)
    try:
        return _demo(options)
    except (BrokerError, OSError) as error:
        print(f"lightbroker: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lightbroker: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
