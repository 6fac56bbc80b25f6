"""A run's latencies, reduced to what a figure needs: the ladder of percentiles, and the heat map over time."""

import numpy as np
from numpy.typing import NDArray

from lightbroker.lab.measure.stats import percentile, samples_needed

_NINES = 6
_STEPS = 20  # rungs for each nine
_COLUMNS = 80
_ROWS_PER_DECADE = 8
_DECADES = (0, 7)  # 1 µs to 10 s


def ladder(latency_us: NDArray[np.float64]) -> dict[str, list[float]]:
    """Percentiles at even steps of the nines axis, as far as the sample supports them, and the maximum as percent 100.

    A rung at `percent` lies at -log10(1 - percent / 100) nines.
    """
    if not latency_us.size:
        return {"percent": [], "latency_us": []}
    nines = np.arange(1, _NINES * _STEPS + 1) / _STEPS
    percents = [percent for percent in (100 * (1 - 10**-nines)).tolist() if samples_needed(percent) <= latency_us.size]
    values = [value for percent in percents if (value := percentile(latency_us, percent)) is not None]
    return {"percent": [*percents, 100.0], "latency_us": [*values, float(latency_us.max())]}


def heat(seconds: NDArray[np.float64], latency_us: NDArray[np.float64]) -> dict[str, list[float]]:
    """How many messages were planned in each column of time and took as long as each row says, rows one after another.

    Rows are even on a logarithmic axis from 1 µs to 10 s; what lies beyond is counted in the first or last.
    """
    rows = np.logspace(*_DECADES, (_DECADES[1] - _DECADES[0]) * _ROWS_PER_DECADE + 1)
    columns = np.linspace(0.0, float(seconds.max(initial=1e-9)), _COLUMNS + 1)
    counts, _, _ = np.histogram2d(latency_us.clip(rows[0], rows[-1]), seconds, bins=(rows, columns))
    cells: list[float] = [int(count) for count in counts.ravel()]  # most are 0, which is shorter than 0.0
    return {"heat_us": rows.tolist(), "heat_s": columns.tolist(), "heat": cells}
