"""The predictions of theory for measured arrivals and services, and the assumptions that those contradict.

A model is as good as its assumptions, so each assumption is checked against the measurement. Where one fails, the
prediction is still given, with a warning that says which assumption failed and by how much.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightbroker.lab.theory.queueing import GGc
from lightbroker.lab.theory.simulation import simulate

_ENOUGH = 1_000  # messages; with fewer, the checks see only noise
_SIGMAS = 4.0  # standard errors by which a check must fail before it warns
_EXPONENTIAL = 0.25  # how far a squared coefficient of variation may be from 1, which exponential times have
_WINDOWS = (30, 100, 300)  # into how many parts the time is divided to count arrivals; a burst shows in at least one
_BURSTY = 2.0  # how many times the variance of independent arrivals the counts may have


@dataclass(frozen=True)
class Prediction:
    """The expected behaviour of a queue with given arrivals and services. Times are seconds.

    Attributes:
        utilisation: Share of the servers' time that the services take.
        arrival_scv: Squared coefficient of variation of the times between arrivals; 1 for exponential times.
        wait: Mean wait by Kingman's approximation, with several servers that of Allen and Cunneen; None without a
            steady state.
        replayed_wait: Mean wait of a simulated queue with exactly these arrivals and services. It assumes only that
            messages are served in the order of their arrival.
        warnings: The assumptions that the measurement contradicts.
    """

    utilisation: float
    arrival_scv: float
    wait: float | None
    replayed_wait: float
    warnings: tuple[str, ...]


def predict(arrivals: ArrayLike, services: ArrayLike, servers: int = 1) -> Prediction:
    """Predict how long messages wait.

    Args:
        arrivals: When each message arrived, in the order of time, in seconds.
        services: How long each took its server, in seconds, in the same order.
        servers: How many serve the queue.

    Raises:
        ValueError: Fewer than three messages, arrivals and services that differ in number, or no time that passes.
    """
    at, needs = np.asarray(arrivals, dtype=float), np.asarray(services, dtype=float)
    replayed = simulate(at, needs, servers)
    if at.size < 3 or at[-1] <= at[0] or not needs.mean() > 0:
        raise ValueError(f"arrivals must be at least three over some time, with services, not {at.size}")
    gaps = np.diff(at)
    rate, service = 1 / float(gaps.mean()), float(needs.mean())
    arrival_scv, service_scv = _scv(gaps), _scv(needs)
    utilisation = rate * service / servers
    return Prediction(
        utilisation=utilisation,
        arrival_scv=arrival_scv,
        wait=GGc(rate, service, servers, arrival_scv, service_scv).wait if utilisation < 1 else None,
        replayed_wait=float(replayed.wait.mean()),
        warnings=tuple(_doubts(at, gaps, needs, utilisation, arrival_scv, service_scv)),
    )


def _doubts(
    at: NDArray[np.float64],
    gaps: NDArray[np.float64],
    needs: NDArray[np.float64],
    utilisation: float,
    arrival_scv: float,
    service_scv: float,
) -> Iterator[str]:
    if utilisation >= 1:
        yield f"overloaded: utilisation {utilisation:.2f}, the queue grows for as long as the load lasts"
    elif utilisation > 0.9:
        yield f"near saturation: at utilisation {utilisation:.2f} a small error of the rate is a large one of the wait"
    if at.size < _ENOUGH:
        yield f"only {at.size} messages: too few to see whether the assumptions hold"
        return
    for name, scv in (("arrivals", arrival_scv), ("services", service_scv)):
        if abs(scv - 1) > _EXPONENTIAL:
            yield f"{name} are not exponential: squared coefficient of variation {scv:.2f}, M/M/c does not apply"
    for name, times in (("gaps between arrivals", gaps), ("services", needs)):
        correlation = _correlation(times[:-1], times[1:])
        if abs(correlation) > _SIGMAS / math.sqrt(times.size):
            yield f"{name} are correlated: {correlation:+.2f} from one to the next; independence is assumed"
    early, late = np.histogram(at, bins=2)[0].tolist()
    spread = math.sqrt(max(arrival_scv, 1 / at.size) * at.size)
    if abs(late - early) > _SIGMAS * spread:
        yield f"not stationary: {early} arrivals in the first half of the time, {late} in the second"
    # With independent gaps, the variance of the counts is their mean times arrival_scv. More means that arrivals bunch.
    dispersion = max(float(counts.var() / counts.mean()) for counts in (np.histogram(at, n)[0] for n in _WINDOWS))
    if dispersion > _BURSTY * max(arrival_scv, 0.5):
        yield f"bursts: counts vary {dispersion:.1f} times as much as Poisson's, {arrival_scv:.1f} were expected"
    half = needs.size // 2
    first, second = needs[:half], needs[half:]
    error = math.sqrt(float(first.var() + second.var()) / half)
    if abs(float(second.mean() - first.mean())) > _SIGMAS * error > 0:
        yield f"not stationary: services take {first.mean():.3g} s in the first half, {second.mean():.3g} s later"


def _scv(times: NDArray[np.float64]) -> float:
    return float(times.var() / times.mean() ** 2)


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    if min(one.std(), other.std()) <= 1e-9 * abs(float(one.mean())):  # constant apart from rounding
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
