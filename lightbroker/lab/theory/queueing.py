"""Queueing theory: what a queue must do if the assumptions of its model hold. Times are seconds, rates are per second.

Models are named in Kendall's notation: arrivals / services / servers / places. M stands for memoryless (exponential
times), D for deterministic (constant times), G for general (any times).

M/M/1, M/M/c, M/M/1/K and the mean of M/D/1 are from Kleinrock, "Queueing Systems" 1 (1975), and the percentiles of
M/D/1 from Franx, "A simple solution for the M/D/c waiting time distribution" (2001). G/G/c is from Kingman (1961) and
Allen, "Probability, Statistics and Queueing Theory" (1990), the server that pauses from Tene, "How NOT to measure
latency".
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaln, xlogy


def little(rate: float, time: float) -> float:
    """Return the mean number present, by Little's law, if `rate` arrive per second and each stays `time` seconds."""
    return rate * time


def erlang_c(servers: int, load: float) -> float:
    """Return the probability that an arrival has to wait, by Erlang's C formula.

    Args:
        servers: How many serve the queue.
        load: The offered load in Erlangs, rate of arrivals times mean time of a service; less than `servers`.
    """
    if servers < 1:
        raise ValueError(f"servers must be at least 1, not {servers!r}")
    if not 0 <= load < servers:
        raise ValueError(f"load must be from 0 to below the number of servers, {servers}, not {load!r}")
    blocking = 1.0  # Erlang's B formula, by its recursion over the servers: factorials would overflow
    for server in range(1, servers + 1):
        blocking = load * blocking / (server + load * blocking)
    return blocking / (1 - load / servers * (1 - blocking))


@dataclass(frozen=True)
class Model(ABC):
    """A queue in its steady state. Parameters that make no sense or leave no steady state raise ValueError.

    Attributes:
        rate: Mean rate of the arrivals, per second.
        service: Mean time of a service, in seconds.
    """

    rate: float
    service: float

    def __post_init__(self) -> None:
        for name in ("rate", "service"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)!r}")
        if self._grows and self.utilisation >= 1:
            raise ValueError(f"rate: no steady state at a utilisation of {self.utilisation:.3g}, the queue grows")

    @property
    def _grows(self) -> bool:
        """Whether the queue has no bound, so that it has no steady state under overload."""
        return True

    @property
    def utilisation(self) -> float:
        """The share of the servers' time that the offered work takes."""
        return self.rate * self.service

    @property
    @abstractmethod
    def wait(self) -> float:
        """Mean time in the queue before the service, in seconds."""

    @property
    def response(self) -> float:
        """Mean time in the system, wait and service together, in seconds."""
        return self.wait + self.service

    @property
    def present(self) -> float:
        """Mean number in the system, by Little's law."""
        return little(self.rate, self.response)


@dataclass(frozen=True)
class _OneQueue(Model):
    """One queue with several servers, and no bound."""

    servers: int = 1

    @property
    def utilisation(self) -> float:
        """The share of the servers' time that the offered work takes."""
        return self.rate * self.service / self.servers


@dataclass(frozen=True)
class MMc(_OneQueue):
    """M/M/c: memoryless arrivals and services, `servers` servers, one queue."""

    @property
    def wait(self) -> float:
        """Mean time in the queue in seconds: an arrival waits with Erlang's probability, then an exponential time."""
        return erlang_c(self.servers, self.rate * self.service) / self._drain

    @property
    def _drain(self) -> float:
        """Messages per second by which busy servers are faster than the arrivals."""
        return self.servers / self.service - self.rate

    def percentile(self, percent: float) -> float:
        """Return the response time in seconds that `percent` of the messages do not exceed."""
        tail = 1 - _share(percent)
        waits, serve, drain = erlang_c(self.servers, self.rate * self.service), 1 / self.service, self._drain

        def exceeds(time: float) -> float:
            """Return P(wait + service > time), the convolution of the two exponentials."""
            if math.isclose(drain, serve, rel_tol=1e-9):
                return (1 + waits * serve * time) * math.exp(-serve * time)
            mixed = waits * serve / (serve - drain)
            return (1 - mixed) * math.exp(-serve * time) + mixed * math.exp(-drain * time)

        return _solve(lambda time: exceeds(time) - tail, 50 * (self.service + 1 / drain) * (1 - math.log(tail)))


def MM1(rate: float, service: float) -> MMc:
    """Return the model M/M/1: memoryless arrivals and services, one server."""
    return MMc(rate, service)


@dataclass(frozen=True)
class MD1(Model):
    """M/D/1: memoryless arrivals, one server that takes the same time for every message. Half the wait of M/M/1."""

    @property
    def wait(self) -> float:
        """Mean time in the queue in seconds, by the formula of Pollaczek and Khinchine."""
        return self.utilisation * self.service / (2 * (1 - self.utilisation))

    def percentile(self, percent: float) -> float:
        """Return the response time in seconds that `percent` of the messages do not exceed."""
        share = _share(percent)
        if share <= 1 - self.utilisation:
            return self.service
        return self.service + _solve(lambda time: self._wait_within(time) - share, len(self._present) * self.service)

    @cached_property
    def _present(self) -> NDArray[np.float64]:
        """P(0, 1, 2, ... present), up to a tail of 1e-12.

        They follow from level crossing at departures. With P(...) over the arrivals during one service,

            p[n+1] P(none) = p[0] P(more than n) + sum over i from 1 to n of p[i] P(more than n + 1 - i).

        Every term is positive, so no digits cancel.
        """
        rho = self.utilisation
        arrivals = np.exp(-rho + np.arange(200) * math.log(rho) - gammaln(np.arange(200) + 1))
        more = np.append(arrivals[::-1].cumsum()[::-1][1:], 0.0)  # more[n] = P(more than n arrivals)
        found, total = [1 - rho], 1 - rho
        while 1 - total > 1e-12 and len(found) < 100_000:
            n = len(found) - 1
            reach = min(n, len(more) - 2)  # terms further back are 0
            earlier = np.dot(found[n : n - reach : -1], more[1 : reach + 1]) if reach else 0.0
            step = (found[0] * (more[n] if n < len(more) else 0.0) + float(earlier)) / arrivals[0]
            found.append(step)
            total += step
            if step < 1e-16:
                break
        return np.asarray(found)

    def _wait_within(self, time: float) -> float:
        """Return P(wait <= time) by Franx (2001): a sum of positive terms, where Erlang's sum alternates."""
        k = int(time / self.service) + 1
        at_most = np.minimum(self._present.cumsum(), 1.0)
        # Rounding may make the difference negative if `time` is a multiple of the service time.
        rest = max(0.0, self.rate * (k * self.service - time))
        j = np.arange(min(k, 200))
        logs = xlogy(j, rest) - rest - gammaln(j + 1)
        return float(np.dot(at_most[np.minimum(k - j, len(at_most) - 1)], np.exp(logs)))


@dataclass(frozen=True)
class MM1K(Model):
    """M/M/1/K: memoryless arrivals and services, one server, and room for `places` messages.

    The message in service takes one of the places. An arrival that finds none is rejected, so there is a steady state
    under any load. Mean times and numbers are those of the accepted messages.
    """

    places: int = 1

    @property
    def _grows(self) -> bool:
        return False

    @cached_property
    def _present(self) -> NDArray[np.float64]:
        """P(0 ... places present), scaled by the largest of them so that no power overflows."""
        logs = np.arange(self.places + 1) * math.log(self.utilisation)
        weights = np.exp(logs - logs.max())
        shares: NDArray[np.float64] = weights / weights.sum()
        return shares

    @property
    def rejected(self) -> float:
        """The share of the arrivals that is rejected."""
        return float(self._present[-1])

    @property
    def accepted(self) -> float:
        """Accepted messages per second, which is also the throughput."""
        return self.rate * (1 - self.rejected)

    @property
    def wait(self) -> float:
        """Mean time in the queue of an accepted message, in seconds."""
        return self.present / self.accepted - self.service

    @property
    def present(self) -> float:
        """Mean number in the system."""
        return float(np.dot(self._present, np.arange(self.places + 1)))


@dataclass(frozen=True)
class GGc(_OneQueue):
    """G/G/c: any independent arrivals and services, by an approximation.

    With one server it is Kingman's, with several that of Allen and Cunneen.

    Attributes:
        arrival_scv: Squared coefficient of variation (variance over squared mean) of the times between arrivals: 1 for
            exponential times, 0 for constant ones.
        service_scv: The same of the services.
    """

    arrival_scv: float = 1.0
    service_scv: float = 1.0

    @property
    def wait(self) -> float:
        """Mean time in the queue in seconds: that of M/M/c, times the mean of `arrival_scv` and `service_scv`."""
        return MMc(self.rate, self.service, self.servers).wait * (self.arrival_scv + self.service_scv) / 2


@dataclass(frozen=True)
class PausedServer:
    """A server that stands still for `pause` seconds in every `period` seconds, under an open load.

    A message that arrives `u` seconds after the start of a pause leaves when the pause is over and the messages before
    it are served, so after `pause - u (1 - utilisation)` seconds: a straight line from `pause` to 0. The response
    time of every other message counts as 0, so the model is for a low utilisation. In a closed loop, one message per
    client sees the pause, however long it is. That is coordinated omission.

    A pause that is not positive, or whose backlog is not served within the period, raises ValueError.
    """

    period: float
    pause: float
    utilisation: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.pause < self.period * (1 - self.utilisation):
            raise ValueError(f"pause must be positive and caught up with within the period, not {self.pause!r}")

    def exceeds(self, time: float) -> float:
        """Return the share of the messages whose response time is longer than `time` seconds."""
        return min(max(0.0, self.pause - time), self.pause) / (self.period * (1 - self.utilisation))

    def percentile(self, percent: float) -> float:
        """Return the response time in seconds that `percent` of the messages do not exceed."""
        return max(0.0, self.pause - (1 - _share(percent)) * self.period * (1 - self.utilisation))


def _share(percent: float) -> float:
    if not 0 < percent < 100:
        raise ValueError(f"percent must be between 0 and 100, not {percent!r}")
    return percent / 100


def _solve(rises_or_falls: Callable[[float], float], upper: float) -> float:
    return float(brentq(rises_or_falls, 0.0, upper, xtol=1e-15, rtol=1e-12))
