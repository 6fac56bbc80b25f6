"""The fresh process that measures: JSON in the argument, JSON on standard output.

`python -m lightbroker.lab.scenarios.worker CONFIG`
"""

if __name__ == "__main__":  # processes that this one spawns load the module too, and need none of it
    import json
    import sys
    from dataclasses import asdict

    from lightbroker.lab.measure.results import Config
    from lightbroker.lab.scenarios.catalogue import measure

    print(json.dumps(asdict(measure(Config(**json.loads(sys.argv[1])))), allow_nan=False))
