"""Uses a part of LightBroker that reads each kind of its data files; what precedes it on the path are the arguments."""

import sys
import urllib.request

sys.path[:0] = sys.argv[1:]

from lightbroker import Broker  # noqa: E402
from lightbroker.server import MetricsServer  # noqa: E402
from lightbroker.stores.redis.scripts import SCRIPTS, Script  # noqa: E402
from lightbroker.watcher import ChainWatcher, Recording  # noqa: E402

with Broker("sqlite:///smoke.db") as broker:
    chain = Recording.load()
    watcher = ChainWatcher(broker, chain.block)
    for _, head in list(chain)[:10]:
        watcher.see(head)
    queue = broker.queue("blocks")
    with broker.workers("blocks", lambda message: message.json()):
        broker.close()  # drains first
with Broker("sqlite:///smoke.db") as broker, MetricsServer(broker) as server:
    acked = broker.queue("blocks").stats().acked
    assert acked > 0
    with urllib.request.urlopen(server.url) as page:
        assert b"</html>" in page.read()
    assert all(b"redis" in Script(name).text for name in SCRIPTS)
print("all is well, from", sys.modules["lightbroker"].__file__)
