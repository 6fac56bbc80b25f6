"""Queueing theory: what a queue must do if its assumptions hold. Times are seconds, rates are per second.

Models are named in Kendall's notation: arrivals / services / servers / places, M for memoryless (exponential times), D
for deterministic, G for general. Each takes the rate of arrivals and the mean time of a service. Sources: Kleinrock,
"Queueing Systems" 1 (1975), for M/M/1, M/M/c, M/M/1/K and the mean of M/D/1; Franx, "A simple solution for the M/D/c
waiting time distribution" (2001), for its percentiles; Kingman (1961) and Allen, "Probability, Statistics and Queueing
Theory" (1990), for G/G/c; Tene, "How NOT to measure latency", for the server that pauses.
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
    """Little's law: how many are present where `rate` come per second and each stays for `time` seconds on average."""
    return rate * time


def erlang_c(servers: int, load: float) -> float:
    """The probability that an arrival has to wait, at an offered load of `load` = rate * service time, in Erlangs."""
    if servers < 1:
        raise ValueError(f"servers must be at least 1, not {servers!r}")
    if not 0 <= load < servers:
        raise ValueError(f"load must be from 0 to below the number of servers, {servers}, not {load!r}")
    blocking = 1.0  # Erlang B by its recursion over the servers: factorials would overflow
    for server in range(1, servers + 1):
        blocking = load * blocking / (server + load * blocking)
    return blocking / (1 - load / servers * (1 - blocking))


@dataclass(frozen=True)
class Model(ABC):
    """A queue in its steady state. Raises ValueError if a parameter makes no sense, or if there is no steady state."""

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
        """Whether the queue is without bound, so that overload leaves it no steady state."""
        return True

    @property
    def utilisation(self) -> float:
        """The share of the servers' time that the offered work takes."""
        return self.rate * self.service

    @property
    @abstractmethod
    def wait(self) -> float:
        """Mean time in the queue, before the service."""

    @property
    def response(self) -> float:
        """Mean time in the system: wait and service."""
        return self.wait + self.service

    @property
    def waiting(self) -> float:
        """Mean number in the queue, by Little's law."""
        return little(self.rate, self.wait)

    @property
    def present(self) -> float:
        """Mean number in the system, by Little's law."""
        return little(self.rate, self.response)


@dataclass(frozen=True)
class MMc(Model):
    """Memoryless arrivals and services, `servers` servers, one queue."""

    servers: int = 1

    @property
    def utilisation(self) -> float:
        """The share of the servers' time that the offered work takes."""
        return self.rate * self.service / self.servers

    @property
    def wait(self) -> float:
        """Mean time in the queue: an arrival waits with Erlang's probability, and then for an exponential time."""
        return erlang_c(self.servers, self.rate * self.service) / self._drain

    @property
    def _drain(self) -> float:
        return self.servers / self.service - self.rate

    def percentile(self, percent: float) -> float:
        """The response time that `percent` of the messages do not exceed."""
        tail = 1 - _share(percent)
        waits, serve, drain = erlang_c(self.servers, self.rate * self.service), 1 / self.service, self._drain

        def exceeds(time: float) -> float:
            """P(wait + service > time), the convolution of the two exponentials."""
            if math.isclose(drain, serve, rel_tol=1e-9):
                return (1 + waits * serve * time) * math.exp(-serve * time)
            mixed = waits * serve / (serve - drain)
            return (1 - mixed) * math.exp(-serve * time) + mixed * math.exp(-drain * time)

        return _solve(lambda time: exceeds(time) - tail, 50 * (self.service + 1 / drain) * (1 - math.log(tail)))


def MM1(rate: float, service: float) -> MMc:
    """Memoryless arrivals and services, one server."""
    return MMc(rate, service)


@dataclass(frozen=True)
class MD1(Model):
    """Memoryless arrivals, one server that takes the same time for everyone: half the wait of M/M/1."""

    @property
    def wait(self) -> float:
        """Mean time in the queue (Pollaczek-Khinchine)."""
        return self.utilisation * self.service / (2 * (1 - self.utilisation))

    def percentile(self, percent: float) -> float:
        """The response time that `percent` of the messages do not exceed."""
        share = _share(percent)
        if share <= 1 - self.utilisation:
            return self.service
        return self.service + _solve(lambda time: self._wait_within(time) - share, len(self._present) * self.service)

    @cached_property
    def _present(self) -> NDArray[np.float64]:
        """P(0, 1, 2, ... present), up to a tail of 1e-12.

        Level crossing at departures: p[n+1] P(no arrival in a service) = p[0] P(more than n arrivals) + sum over i from
        1 to n of p[i] P(more than n + 1 - i arrivals). Every term is positive, so nothing cancels.
        """
        rho = self.utilisation
        arrivals = np.exp(-rho + np.arange(200) * math.log(rho) - gammaln(np.arange(200) + 1))
        more = np.append(arrivals[::-1].cumsum()[::-1][1:], 0.0)  # more[n] = P(more than n arrivals)
        found, total = [1 - rho], 1 - rho
        while 1 - total > 1e-12 and len(found) < 100_000:
            n = len(found) - 1
            reach = min(n, len(more) - 2)  # one that is further back contributes nothing
            earlier = np.dot(found[n : n - reach : -1], more[1 : reach + 1]) if reach else 0.0
            step = (found[0] * (more[n] if n < len(more) else 0.0) + float(earlier)) / arrivals[0]
            found.append(step)
            total += step
            if step < 1e-16:
                break
        return np.asarray(found)

    def _wait_within(self, time: float) -> float:
        """P(wait <= time), Franx (2001): a sum of positive terms, unlike Erlang's alternating one."""
        k = int(time / self.service) + 1
        at_most = np.minimum(self._present.cumsum(), 1.0)
        rest = max(0.0, self.rate * (k * self.service - time))  # rounding takes it below when a service ends at `time`
        j = np.arange(min(k, 200))
        logs = xlogy(j, rest) - rest - gammaln(j + 1)
        return float(np.dot(at_most[np.minimum(k - j, len(at_most) - 1)], np.exp(logs)))


@dataclass(frozen=True)
class MM1K(Model):
    """Memoryless arrivals and services, one server, `places` in all, the server's included; a full queue rejects.

    It has a steady state under any load. `waiting`, `present` and times are those of the accepted messages.
    """

    places: int = 1

    @property
    def _grows(self) -> bool:
        return False

    @cached_property
    def _present(self) -> NDArray[np.float64]:
        """P(0 ... places present); scaled by the largest term, so that no power overflows."""
        logs = np.arange(self.places + 1) * math.log(self.utilisation)
        weights = np.exp(logs - logs.max())
        shares: NDArray[np.float64] = weights / weights.sum()
        return shares

    @property
    def rejected(self) -> float:
        """The share of the arrivals that find no place."""
        return float(self._present[-1])

    @property
    def accepted(self) -> float:
        """Accepted arrivals per second, which is also the throughput."""
        return self.rate * (1 - self.rejected)

    @property
    def wait(self) -> float:
        """Mean time in the queue of an accepted message."""
        return self.present / self.accepted - self.service

    @property
    def waiting(self) -> float:
        """Mean number in the queue."""
        return little(self.accepted, self.wait)

    @property
    def present(self) -> float:
        """Mean number in the system."""
        return float(np.dot(self._present, np.arange(self.places + 1)))


@dataclass(frozen=True)
class GGc(Model):
    """Any arrivals and services: Kingman's approximation for one server, Allen and Cunneen's for several.

    arrival_scv, service_scv: squared coefficient of variation (variance over squared mean) of the times between
    arrivals and of the services; 1 for exponential, 0 for constant. Independent times are assumed.
    """

    servers: int = 1
    arrival_scv: float = 1.0
    service_scv: float = 1.0

    @property
    def utilisation(self) -> float:
        """The share of the servers' time that the offered work takes."""
        return self.rate * self.service / self.servers

    @property
    def wait(self) -> float:
        """Mean time in the queue: that of M/M/c, times the mean of the two variabilities."""
        return MMc(self.rate, self.service, self.servers).wait * (self.arrival_scv + self.service_scv) / 2


@dataclass(frozen=True)
class PausedServer:
    """A server that stands still for `pause` seconds in every `period`, under an open load at a low utilisation.

    What arrives `u` seconds into the pause leaves when the pause is over and those before it are served: after `pause -
    u (1 - utilisation)` seconds, a straight line from `pause` to 0. Between, the response time counts as 0. In a closed
    loop one message per client sees the pause, however long it is; that is coordinated omission.
    """

    period: float
    pause: float
    utilisation: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.pause < self.period * (1 - self.utilisation):
            raise ValueError(f"pause must be positive and caught up with within the period, not {self.pause!r}")

    def exceeds(self, time: float) -> float:
        """The share of the messages whose response takes longer than `time` seconds."""
        return min(max(0.0, self.pause - time), self.pause) / (self.period * (1 - self.utilisation))

    def percentile(self, percent: float) -> float:
        """The response time that `percent` of the messages do not exceed."""
        return max(0.0, self.pause - (1 - _share(percent)) * self.period * (1 - self.utilisation))


def _share(percent: float) -> float:
    if not 0 < percent < 100:
        raise ValueError(f"percent must be between 0 and 100, not {percent!r}")
    return percent / 100


def _solve(rises_or_falls: Callable[[float], float], upper: float) -> float:
    return float(brentq(rises_or_falls, 0.0, upper, xtol=1e-15, rtol=1e-12))
