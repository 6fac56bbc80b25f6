"""Read the command line and run one command."""

import argparse
import os
import sys
from collections.abc import Sequence

import lightbroker
from lightbroker.cli import demo, dlq, stats, watch
from lightbroker.cli.arguments import EXIT_CODES
from lightbroker.core.errors import BrokerError

# The extra that a command needs. Other commands raise an error of their own that names the extra.
_EXTRAS = {"bench": "lab", "demo": "demo"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lightbroker",
        description="A message broker to embed.",
        epilog=f"`lightbroker COMMAND --help` shows examples.\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=lightbroker.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (demo, watch, stats, dlq):
        command.add(commands)
    commands.add_parser("bench", help="Measure the broker beside other queues and brokers", add_help=False)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words of the command line without the program's name. None means those of this process.

    Returns:
        The exit code; see `EXIT_CODES`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(words)
        sys.stdout.flush()  # here, where a closed pipe is caught
    except BrokenPipeError:
        # The program that read the output, `head` for example, has ended. Python flushes the output once more at exit,
        # which must not fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (BrokerError, OSError, ValueError) as error:
        print(f"lightbroker: {error}", file=sys.stderr)
        return 2
    except ImportError as error:
        library = (error.name or "").partition(".")[0]
        if words[0] not in _EXTRAS or library in ("", "lightbroker"):
            raise
        extra = _EXTRAS[words[0]]
        print(f"lightbroker: {words[0]} needs {library}; run: pip install 'lightbroker[{extra}]'", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lightbroker: interrupted", file=sys.stderr)
        return 130
    return code


def _run(words: list[str]) -> int:
    if words[:1] == ["bench"]:
        from lightbroker.lab.bench.main import main as bench

        return bench(words[1:])
    options = _parser().parse_args(words)
    code: int = options.run(options)
    return code
