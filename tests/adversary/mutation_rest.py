"""Patches to what surrounds the store: waiting, the clock, topics and workers."""

_APPEND = "            sleepers.append(lock)  # before the step, so that what comes after it is not missed\n"

PATCHES: dict[str, list[tuple[str, str, str]]] = {
    "core/waiting.py": [
        ("who waits is not on the list", _APPEND, ""),
        (
            "who waits is on the list too late",
            f"{_APPEND}            try:\n                return step()\n            except Empty:\n",
            "            try:\n                return step()\n            except Empty:\n                sleepers.append(lock)\n",
        ),
        ("who leaves stays on the list", "                sleepers.remove(lock)\n", "                pass\n"),
        (
            "who was sent in vain sends nobody on",
            "                if leaving:  # somebody was sent to us in vain: send him on\n                    rouse(sleepers)",
            "                pass",
        ),
        ("only one is roused", "repeat(sleepers, most)", "repeat(sleepers, 1)"),
        (
            "who waits gives up too early",
            "lock.acquire(timeout=wait)",
            "lock.acquire(timeout=wait / 2)\n            until = 0.0",
        ),
    ],
    "core/clock.py": [
        ("an alarm that fails is the last", "except Exception:  # whoever", "except LookupError:  # whoever"),
        (
            "an earlier alarm wakes nobody",
            "and the alarm can be set again\n                self.changed.notify_all()",
            "and the alarm can be set again",
        ),
        ("an alarm moves later", "            if when < alarm.when:", "            if True:"),
        (
            "an interrupted alarm is never set again",
            "                heapq.heappush(self._heap, (when, next(self._sequence), alarm))\n                alarm.when = when  #",
            "                alarm.when = when\n                heapq.heappush(self._heap, (when, next(self._sequence), alarm))  #",
        ),
        (
            "an interrupt leaves the agenda locked",
            "        with self.lock:\n            super().add",
            "        with self.changed:\n            super().add",
        ),
        (
            "what was moved rings twice",
            "while self._heap and self._heap[0][2].when != self._heap[0][0]:",
            "while False:",
        ),
        (
            "what rang is not set again",
            "        alarm = heapq.heappop(self._heap)[2]\n        alarm.when = _NEVER\n",
            "        alarm = heapq.heappop(self._heap)[2]\n",
        ),
        (
            "what was cancelled rings",
            "            alarm.when = _NEVER\n            self._heap = sorted(entry for entry in self._heap if entry[2] is not alarm)  # which is a heap\n",
            "",
        ),
        ("a clock that stopped does not start again", "                        self._thread = None\n", ""),
        (
            "a clock that died does not start again",
            "if self._thread is None or not self._thread.is_alive():",
            "if self._thread is None:",
        ),
        ("a replaced clock goes on", "while self._thread is threading.current_thread():", "while True:"),
        (
            "alarms see a time that is too late",
            "self._now = max(self._now, when)",
            "self._now = max(self._now, target)",
        ),
        ("alarms see a time that is too early", "                self._now = max(self._now, when)\n", ""),
        ("sums of floats fall short", "tolerance = max(1e-9, 2 * math.ulp(target))", "tolerance = 0.0"),
    ],
    "core/topic/pattern.py": [
        ("`*` matches nothing", 'for token in (tokens[0], "*"):', "for token in (tokens[0],):"),
        ("`>` matches nothing", '        yield from node.get(">", {}).get("", ())\n', ""),
    ],
    "core/topic/topics.py": [
        (
            "a closed subscription delivers",
            '        if self._closed:\n            raise QueueClosed(f"the subscription to {self.pattern!r} is closed")\n',
            "",
        ),
        (
            "topics that close let others in",
            "            if self._closed:  # `close`",
            "            if False:  # `close`",
        ),
        ("the topic has room in any headers", "            check_headers(kept)  # a", "            pass  # a"),
        ("a subscriber does not wait", "return self.buffer.attempt(self.take, wait)", "return self.take()"),
        ("who waits for a closed member sleeps on", "            shared.buffer.rouse()  #", "            #"),
        ("a buffer that nobody reads stays open", "                shared.buffer.close()\n", ""),
        (
            "a buffer that nobody reads is fed",
            "                del self._groups[key]\n                self._changed()\n",
            "                del self._groups[key]\n",
        ),
        (
            "a new subscriber is not fed",
            "_Group(options, buffer)\n                self._changed()\n",
            "_Group(options, buffer)\n",
        ),
        (
            "a bound queue is not fed",
            "            self._bound[pattern, queue.name] = queue\n            self._changed()\n",
            "            self._bound[pattern, queue.name] = queue\n",
        ),
        (
            "old routes stay",
            "        self._routes = {}  # a new dict: a publish that is under way keeps what it looked up\n",
            "",
        ),
        ("routes have no bound", "if len(self._routes) >= MOST_ROUTES:", "if False:"),
        (
            "a queue gets a copy for each pattern",
            "tuple(dict.fromkeys(target for target in targets if isinstance(target, Queue)))",
            "tuple(target for target in targets if isinstance(target, Queue))",
        ),
        ("a full queue keeps the copy from others", "with suppress(QueueFull):  # one", "with suppress():  # one"),
        (
            "group members get a buffer each",
            'next(self._keys) if group is None else check_name("group", group)',
            "next(self._keys)",
        ),
    ],
    "core/worker.py": [
        (
            "a stopping worker handles one more",
            "        if self._stopping.is_set():\n            delivery.release()\n            return\n",
            "",
        ),
        ("a failure is not nacked", "            delivery.nack(error)\n", "            pass\n"),
        ("SystemExit ends a worker", "except BaseException as error:  # also", "except Exception as error:  # also"),
        ("what is done counts as running", "                del self._running[worker]\n", "                pass\n"),
        (
            "what runs is not known",
            "            self._running[worker] = delivery\n",
            "            self._running[worker] = Delivery()\n",
        ),
        (
            "the heart beats once",
            "            if not self._stopping.is_set() or self._running:\n                self._arm()\n",
            "            pass\n",
        ),
        (
            "the heart stops with a drain",
            "if not self._stopping.is_set() or self._running:",
            "if not self._stopping.is_set():",
        ),
        (
            "the heart does not beat",
            "                delivery.extend(self.queue.options.lease)\n",
            "                pass\n",
        ),
        ("a lost lease stops the heart", "with suppress(BrokerError):  # the worker", "with suppress():  # the worker"),
        (
            "a store that is away ends a worker",
            "            except StoreError:\n",
            "            except ZeroDivisionError:\n",
        ),
        (
            "a settling that fails ends a worker",
            "            except BrokerError:  # not settled",
            "            except LeaseLost:  # not settled",
        ),
        (
            "half a pool goes on",
            "            self._stopping.set()\n            raise\n",
            "            raise\n",
        ),
        (
            "a pool stays busy without its store",
            "        except BrokerError:  # what",
            "        except ZeroDivisionError:  # what",
        ),
        ("a dead thread is not replaced", "if not (thread.is_alive() or self.stopped):", "if False:"),
        ("a dead thread's lease is kept", "                self._running.pop(worker, None)\n", ""),
        ("stop does not wait", "thread.join(None if until is None else max(0.0, until - time.monotonic()))", "pass"),
        (
            "stop waits without limit",
            "thread.join(None if until is None else max(0.0, until - time.monotonic()))",
            "thread.join()",
        ),
        (
            "stop does not release",
            "                delivery.release()\n        return not unfinished",
            "                pass\n        return not unfinished",
        ),
        ("stop fails if a handler is faster", "with suppress(BrokerError):  # settled", "with suppress():  # settled"),
        (
            "a late worker dies",
            "            except LeaseLost:\n                tell_late(",
            "            except ZeroDivisionError:\n                tell_late(",
        ),
    ],
}
