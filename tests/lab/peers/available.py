"""Which peers the tests can use here."""

import os

import pytest

from lightbroker.lab.peers.base import Peer
from lightbroker.lab.peers.catalogue import Unavailable, load

_OPTIONAL = {"nats-server", "beanstalkd", "rabbitmq-server"}  # which the continuous integration does not install


def chosen(name: str) -> type[Peer]:
    """The peer of that name. One that is missing skips the test, or fails it where CI is set, but for rare servers."""
    try:
        return load(name)
    except Unavailable as error:
        if os.environ.get("CI") and error.missing not in _OPTIONAL:
            pytest.fail(f"{error} (CI is set: nothing else may be missing)", pytrace=False)
        pytest.skip(str(error))
