"""One part of a job whose producers and workers live in processes of their own, and know only the URL of the store.

`python -m tests.stores.two_processes produce URL COUNT` pushes COUNT numbers.
`python -m tests.stores.two_processes work URL` works until it is told to stop by SIGTERM, and prints what it did;
with the argument `hang` it gets stuck in the middle of its first message.
"""

import os
import signal
import sys
import threading
import time

from lightbroker import Broker, Message, Queue

LEASE = 1.0  # seconds; the work of a process that dies is done by others after that time


def open_queue(broker: Broker) -> Queue:
    """Declare the queue, the same in every process."""
    return broker.queue("numbers", capacity=50, lease=LEASE)


def say(line: str) -> None:
    """Print a line in one piece, whatever other threads print."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def produce(url: str, count: str) -> None:
    """Push, and wait for room when the workers are behind."""
    with Broker(url) as broker:
        queue = open_queue(broker)
        for number in range(int(count)):
            queue.push(number)


def work(url: str, *hang: str) -> None:
    """Print each number when it is done; the ack follows."""

    def handle(message: Message) -> None:
        if hang:
            say("stuck")
            time.sleep(3600.0)
        say(f"{message.json()} {message.attempts}")

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Broker(url) as broker:
        open_queue(broker)
        with broker.workers("numbers", handle, workers=2):
            stop.wait()


if __name__ == "__main__":
    {"produce": produce, "work": work}[sys.argv[1]](*sys.argv[2:])
