"""Threads that are switched where a page says so: generators, stepped in the order of a script.

A toy is written as a generator that yields wherever the interpreter may switch threads. The same script gives the same
interleaving on every machine, which a race among real threads does not.
"""

from collections.abc import Generator, Mapping
from typing import Any


def replay(script: str, threads: Mapping[str, Generator[object, None, Any]]) -> dict[str, Any]:
    """Step each thread whenever the script names it, and return what those that came to an end returned.

    script: names separated by spaces, as in `A A B B A`; a step runs to the next `yield` or to the end; threads: a
    generator for each name. An exception of a thread is raised here, as it would be in that thread.
    Raises ValueError for a name that is no thread, and for a step of a thread that has ended.
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
