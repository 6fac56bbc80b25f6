"""The fresh process: `python -m lightbroker.lab.worker CONFIG`, JSON in the argument, JSON on standard output."""

import json
import sys
from dataclasses import asdict

from lightbroker.lab.results import Config
from lightbroker.lab.scenarios import measure

if __name__ == "__main__":
    print(json.dumps(asdict(measure(Config(**json.loads(sys.argv[1])))), allow_nan=False))
