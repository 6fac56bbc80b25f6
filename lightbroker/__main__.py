"""The entry of the command line, which `cli` holds."""

import sys

from lightbroker.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
