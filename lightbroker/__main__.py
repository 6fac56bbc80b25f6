"""`python -m lightbroker`: the command line, which stands in `lightbroker.cli`."""

import sys

from lightbroker.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
