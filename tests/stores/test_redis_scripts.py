"""The scripts as texts: each is sent what it uses, and nothing in them comes from a user."""

import re
from itertools import product

import pytest

pytest.importorskip("redis")

from lightbroker.stores.redis.scripts import SCRIPTS, TOPIC_SCRIPTS, BoundScript, QueueScripts, Script, ScriptCall

OPTIONS = {"client", "traced", "capacity", "dead_capacity", "policy", "lease"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_sent_the_keys_and_arguments_that_it_uses(name: str) -> None:
    script = Script(name)
    keys = {key for other in SCRIPTS for key in Script(other).keys}
    code = re.sub(r"--.*|'[^']*'", "", script.text.decode())
    used = set(re.findall(r"(?<![\w.])[a-z_]+\b", code))
    assert used & keys <= set(script.keys)
    assert used & OPTIONS <= set(script.options)
    for declared in (script.keys, script.options):
        assert len(set(declared)) == len(declared)


@pytest.mark.parametrize("name", [*SCRIPTS, *TOPIC_SCRIPTS])
def test_a_script_is_the_same_for_every_queue_and_evaluates_nothing(name: str) -> None:
    keys = dict.fromkeys(Script(name).keys, b"{lb:'] --}")
    options = dict.fromkeys(OPTIONS, b"'] redis.call('FLUSHALL') --")
    words = ScriptCall(BoundScript(name, keys, options), (), ()).words(by_text=True)
    assert words[1] == Script(name).text
    assert not re.search(rb"\b(loadstring|load|dofile|setfenv|cmsgpack|struct)\b", words[1])


def test_a_call_goes_out_as_redis_reads_it() -> None:
    scripts = QueueScripts("{lb:q}", dict.fromkeys(OPTIONS, b"x"))
    call = scripts.call("ack", b"", b"one\r\ntwo", b"\x00", more_keys=(b"\r\n$1",))
    for again, by_text in product((False, True), repeat=2):
        call.again = again
        words = call.words(by_text=by_text)
        packed = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        assert call.packed(by_text=by_text) == b"*%d\r\n" % len(words) + packed
