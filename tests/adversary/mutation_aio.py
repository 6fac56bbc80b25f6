"""Patches to the front for coroutines: waiting, the hot path over memory, calls in threads, pools."""

_ENTER = "next(map(queue._announce, queue._here, entering, queue._accepted))"
_ACK = "next(zip(map(queue._unlease, (self,)), queue._ack))"

PATCHES: dict[str, list[tuple[str, str, str]]] = {
    "aio/waiting.py": [
        (
            "a waiter wakes another thread's loop at once",
            "if asyncio._get_running_loop() is self.loop and not self._woken:",
            "if True:",
        ),
        ("an answer keeps the mark", "        self._rung = False\n        while", "        while"),
        ("an answer wakes one", "while self._woken:\n", "if self._woken:\n"),
        (
            "a closed loop keeps its wake",
            "            self._rung = False\n            self._bury()",
            "            self._rung = False",
        ),
        (
            "the dead stay in line",
            "                            sleepers.remove(sleeper)",
            "                            pass",
        ),
        ("who was cancelled is woken", "if not self._future.done():", "if True:"),
        ("a timer stays", "            timer.cancel()", "            pass"),
        (
            "a coroutine hangs up too late",
            "            hang_up(waiter)  # before the step, so that what comes after it is not missed\n"
            "            try:\n                result = await step()\n                sent = False\n"
            "                return result\n            except Empty:\n",
            "            try:\n                result = await step()\n                sent = False\n"
            "                return result\n            except Empty:\n                hang_up(waiter)\n",
        ),
        ("a wake is not handed on", "in (waiter.leave(), sent):", "in (waiter.leave() and False, sent):"),
        ("a wake is not handed on by a step that failed", "in (waiter.leave(), sent):", "in (waiter.leave(), False):"),
        (
            "a wake of use is handed on",
            "                sent = False\n                return",
            "                return",
        ),
        ("a wake in vain is handed on", "                sent = False\n                if", "                if"),
        (
            "who was woken in vain goes to the back",
            "Waiter(sleepers), sleepers.appendleft",
            "Waiter(sleepers), sleepers.append",
        ),
        ("a time-out is forgotten", "if until is not None and loop.time() >= until:", "if False:"),
    ],
    "aio/direct.py": [
        ("an async push does not count", _ENTER, _ENTER.replace(", queue._accepted", "")),
        ("an async push takes no permit", "queue._permits_now, (message,)", "(2**62,), (message,)"),
        ("an async push waits", "queue._permits_now, (message,)", "queue._permits, (message,)"),
        (
            "an async push does not rouse who pulls",
            "                if queue._pullers:\n                    rouse(queue._pullers)\n",
            "",
        ),
        (
            "an async push keeps the word that it is closed",
            "raise queue._push_woken() from None",
            "raise queue._closed_error() from None",
        ),
        ("an async push goes on when refused", " and not queue._refusing", ""),
        ("an async push forgets the delay", " and delay == 0.0", ""),
        ("an async push forgets the TTL", " and ttl is None", ""),
        ("a pull leases twice", "            raise again()", "            pass"),
        (
            "an async pull in two steps",
            "message = next(map(queue._lease, (self,), queue._take_now))",
            "message = next(queue._take_now)\n            queue._lease(self, message)",
        ),
        ("an async pull gives when closed", "        if queue._closed:\n            raise queue._closed_error()\n", ""),
        (
            "an async pull keeps the word that it is closed",
            "raise queue._pull_woken() from None",
            "raise queue._closed_error() from None",
        ),
        ("an async pull gives what expired", "if message.expires > now:", "if True:"),
        ("an async pull does not expire", "            queue._expire_leased(self, message)\n", ""),
        ("an async ack does not count", _ACK, "queue._unlease(self)"),
        ("an async ack counts first", _ACK, "next(zip(queue._ack, map(queue._unlease, (self,))))"),
        (
            "an async ack does not rouse who pushes",
            "        if queue._pushers:\n            rouse(queue._pushers)\n",
            "",
        ),
        ("a block that raised is acked", "if error is None and self._held is None:", "if self._held is None:"),
    ],
    "aio/stores.py": [
        (
            "a coroutine waits under every policy",
            "if self._options.overflow is Overflow.BLOCK and timeout != 0.0:",
            "if timeout != 0.0:",
        ),
        ("the last try is not counted", "delay, last=True)", "delay)"),
        (
            "an async batch does not say what was accepted",
            "if entered)\n            raise",
            "if False)\n            raise",
        ),
    ],
    "aio/threaded.py": [
        ("who left is delivered to", "            self._release(found)\n", "            pass\n"),
        ("what was handed over is kept", "job.add_done_callback(self._give_back)", "pass"),
        (
            "an ack of another store's is forgotten",
            "if isinstance(delivery, ThreadedDelivery) else delivery for delivery in deliveries]",
            "for delivery in deliveries if isinstance(delivery, ThreadedDelivery)]",
        ),
        ("an ack can be cancelled", "await asyncio.shield(asyncio.wrap_future(", "await (asyncio.wrap_future("),
        (
            "an extended lease looks as before",
            "\n        delivery.deadline = delivery.inner.deadline\n\n    async def _settle",
            "\n\n    async def _settle",
        ),
    ],
    "aio/pull.py": [
        ("a cancelled block nacks", "if isinstance(error, Exception):", "if True:"),
        ("a late nack of a block raises", "with suppress(LeaseLost):", "with suppress(ZeroDivisionError):"),
    ],
    "aio/worker.py": [
        ("a pool does not cancel who waits", "            if worker not in self._running:", "            if False:"),
        (
            "a pool keeps what it cancels",
            "                    await delivery.release()\n",
            "                    pass\n",
        ),
        (
            "a pool of coroutines lets leases run out",
            "                self.queue.store.keep(delivery)",
            "                pass",
        ),
        ("a pool of coroutines keeps its heart still", "            self._arm()\n\n\ndef", "            pass\n\n\ndef"),
        (
            "a late coroutine does not say so",
            "        except LeaseLost:\n            tell_late",
            "        except ZeroDivisionError:\n            tell_late",
        ),
        (
            "a drain does not wait",
            "                await asyncio.wait(self._tasks, timeout=timeout)\n",
            "                pass\n",
        ),
        ("a stopped pool leaves its handlers", "            unfinished = self._cancel()", "            unfinished = 0"),
        ("a pool of coroutines starts twice", "        if self._tasks:\n", "        if False:\n"),
        (
            "a coroutine that cannot settle dies",
            "if isinstance(error, asyncio.CancelledError) and _cancelled():",
            "if True:",
        ),
        (
            "a coroutine dies of its log",
            "with suppress(Exception):  # perhaps it is the log",
            "with suppress(ZeroDivisionError):  # perhaps it is the log",
        ),
        (
            "what a handler raises is not nacked",
            "except BaseException as error:  # also SystemExit",
            "except Exception as error:  # also SystemExit",
        ),
        (
            "a coroutine that cannot release goes on",
            "with suppress(Exception):  # it is somebody else's",
            "with suppress(LeaseLost):  # it is somebody else's",
        ),
        (
            "a store that is away keeps its pool busy",
            "except BrokerError:  # nobody can tell",
            "except ZeroDivisionError:  # nobody can tell",
        ),
        (
            "a pool without tasks is busy",
            "running = any(not task.done() for task in self._tasks)",
            "running = bool(self._tasks)",
        ),
    ],
    "aio/broker.py": [
        (
            "who closes at the same time is told so",
            "with suppress(QueueClosed):  # another call",
            "with suppress(ZeroDivisionError):  # another call",
        ),
        ("a handler closes what it needs", "        if mine is None:\n", "        if True:\n"),
        ("a handler that closes is cancelled", "pool.stop(drain or pool is mine,", "pool.stop(drain,"),
    ],
    "aio/topic.py": [
        (
            "a reader of a topic does not wait",
            "return await attempt(threads.buffer.pullers, step, timeout)",
            "return threads.take()",
        ),
        ("who left while he subscribed listens on", "self._desk.submit(self._end)", "pass"),
        ("a publisher does not wait", "return await attempt(buffer.pushers, step, None)", "return await step()"),
    ],
}
