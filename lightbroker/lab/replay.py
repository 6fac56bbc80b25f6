"""Threads that are switched where a script says so: generators, stepped in the order of the script.

A small program is written as a generator that yields wherever the interpreter could switch threads. The same script
gives the same interleaving on every machine. A race between real threads does not.
"""

from collections.abc import Generator, Mapping
from typing import Any


def replay(script: str, threads: Mapping[str, Generator[object, None, Any]]) -> dict[str, Any]:
    """Step each thread whenever the script names it.

    An exception of a thread is raised here.

    Args:
        script: Names separated by spaces, such as `A A B B A`. A step runs a thread to its next `yield` or its end.
        threads: A generator for each name.

    Returns:
        What each thread returned that came to its end, by its name.

    Raises:
        ValueError: A step names no thread, or a thread that has ended.
    """
    ended: dict[str, Any] = {}
    for place, name in enumerate(script.split(), 1):
        if name not in threads:
            raise ValueError(f"step {place} is of {name!r}, but the threads are {', '.join(threads)}")
        if name in ended:
            raise ValueError(f"step {place} is of {name!r}, which has ended: take it out of the script")
        try:
            next(threads[name])
        except StopIteration as end:
            ended[name] = end.value
    return ended
