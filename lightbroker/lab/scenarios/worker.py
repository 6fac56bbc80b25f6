"""The process that measures. It takes a `Config` as JSON, and prints a `Measurement` as JSON.

python -m lightbroker.lab.scenarios.worker CONFIG
"""

if __name__ == "__main__":  # the processes that this one spawns load the module too, and need none of these imports
    import json
    import sys
    from dataclasses import asdict

    from lightbroker.lab.measure.results import Config
    from lightbroker.lab.scenarios.catalogue import measure

    print(json.dumps(asdict(measure(Config(**json.loads(sys.argv[1])))), allow_nan=False))
