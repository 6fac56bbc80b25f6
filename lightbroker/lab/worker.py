"""The fresh process: `python -m lightbroker.lab.worker CONFIG`, JSON in the argument, JSON on standard output."""

if __name__ == "__main__":  # processes that this one spawns load the module too, and need none of it
    import json
    import sys
    from dataclasses import asdict

    from lightbroker.lab.results import Config
    from lightbroker.lab.scenarios import measure

    print(json.dumps(asdict(measure(Config(**json.loads(sys.argv[1])))), allow_nan=False))
