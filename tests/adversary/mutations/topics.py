"""Mutations of publish/subscribe: patterns, subscriptions, routes."""

from tests.adversary.mutations.patching import Table

PATCHES: Table = {
    "Patterns._walk": [
        ("`*` matches nothing", '(tokens[0], "*")', "(tokens[0],)"),
        ("`>` matches nothing", 'yield from node.get(">", {}).get("", ())', ""),
    ],
    "Subscription.take": [
        (
            "a closed subscription delivers",
            """
            if self._closed:
                raise QueueClosed(f"the subscription to {self.pattern!r} is closed")
            """,
            "",
        ),
    ],
    "Topics.subscribe": [
        ("topics that close let others in", "self._closed", "False"),
        ("a new subscriber is not fed", "self._changed()", ""),
        (
            "group members get a buffer each",
            'next(self._keys) if group is None else check_name("group", group)',
            "next(self._keys)",
        ),
    ],
    "Topics.address": [
        ("the topic has room in any headers", "check_headers(kept)", ""),
    ],
    "Subscription.get": [
        ("a subscriber does not wait", "attempt(self.buffer.pullers, self.take, wait)", "self.take()"),
    ],
    "Topics._leave": [
        ("who waits for a closed member sleeps on", "wake(shared.buffer.pullers, len(shared.buffer.pullers))", ""),
        ("a buffer that nobody reads stays open", "shared.buffer.close()", ""),
        ("a buffer that nobody reads is fed", "self._changed()", ""),
    ],
    "Topics.bind": [
        ("a bound queue is not fed", "self._changed()", ""),
    ],
    "Topics._changed": [
        ("old routes stay", "self._routes = {}", ""),
    ],
    "Topics._route": [
        ("routes have no bound", "len(self._routes) >= MOST_ROUTES", "False"),
        (
            "a queue gets a copy for each pattern",
            "dict.fromkeys(target for target in targets if isinstance(target, Queue))",
            "(target for target in targets if isinstance(target, Queue))",
        ),
    ],
    "Topics.publish": [
        ("a full queue keeps the copy from others", "suppress(QueueFull)", "suppress()"),
    ],
}
