"""Publishers and subscribers in processes of their own, which know only the URL of the store.

`python -m tests.stores.topic_processes listen URL PATTERN [GROUP]` prints `ready`, then topic and text of each message
until it is killed. `python -m tests.stores.topic_processes publish URL TOPIC COUNT` publishes so many numbers.
"""

import sys

from lightbroker import Broker


def listen(url: str, pattern: str, group: str | None = None) -> None:
    """Print a line for each message."""
    with Broker(url) as broker, broker.subscribe(pattern, group=group) as subscription:
        print("ready", flush=True)
        for message in subscription:
            print(message.headers["topic"], message.text, flush=True)


def publish(url: str, topic: str, number: str) -> None:
    """Publish the numbers from 0."""
    with Broker(url) as broker:
        for n in range(int(number)):
            broker.publish(topic, n)


if __name__ == "__main__":
    {"listen": listen, "publish": publish}[sys.argv[1]](*sys.argv[2:])
