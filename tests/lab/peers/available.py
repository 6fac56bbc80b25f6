"""The peers that are installed here, for tests."""

import os

import pytest

from lightbroker.lab.peers.base import Peer
from lightbroker.lab.peers.catalogue import Unavailable, load

_OPTIONAL = {"nats-server", "beanstalkd", "rabbitmq-server"}  # the continuous integration does not install them


def chosen(name: str) -> type[Peer]:
    """Return the peer of that name; skip the test if it is not installed.

    Where the variable CI is set, a peer that is not installed fails the test, unless it needs one of the rare servers.
    """
    try:
        return load(name)
    except Unavailable as error:
        if os.environ.get("CI") and error.missing not in _OPTIONAL:
            pytest.fail(f"{error} (CI is set: nothing else may be missing)", pytrace=False)
        pytest.skip(str(error))
