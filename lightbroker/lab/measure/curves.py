"""The latencies of a run, reduced to what a figure draws: a ladder of percentiles, and a heat map over time.

Both are lists of numbers by name, which `Measurement.curves` keeps and JSON can hold.
"""

import numpy as np
from numpy.typing import NDArray

from lightbroker.lab.measure.stats import percentile, samples_needed

_NINES = 6  # the ladder ends at p99.9999
_STEPS = 20  # rungs for each nine
_COLUMNS = 80  # of the heat map, over the time of the run
_ROWS_PER_DECADE = 8  # of the heat map, over the latency
_DECADES = (0, 7)  # powers of ten in µs: 1 µs to 10 s


def ladder(latency_us: NDArray[np.float64]) -> dict[str, list[float]]:
    """Return percentiles at even steps of the axis of nines, and the maximum as percent 100.

    A percentile lies at -log10(1 - percent / 100) nines: p90 at one, p99 at two. The ladder ends at the last
    percentile that the sample supports.

    Args:
        latency_us: The latency of each message in µs.

    Returns:
        "percent" and "latency_us" (µs), two lists of equal length.
    """
    if not latency_us.size:
        return {"percent": [], "latency_us": []}
    nines = np.arange(1, _NINES * _STEPS + 1) / _STEPS
    percents = [percent for percent in (100 * (1 - 10**-nines)).tolist() if samples_needed(percent) <= latency_us.size]
    values = [value for percent in percents if (value := percentile(latency_us, percent)) is not None]
    return {"percent": [*percents, 100.0], "latency_us": [*values, float(latency_us.max())]}


def heat(seconds: NDArray[np.float64], latency_us: NDArray[np.float64]) -> dict[str, list[float]]:
    """Count the messages by the time at which they were planned (columns) and by their latency (rows).

    Rows are even on a logarithmic axis from 1 µs to 10 s. The first and the last row also count what lies beyond.

    Args:
        seconds: When each message was planned, in seconds from the first.
        latency_us: The latency of each message in µs.

    Returns:
        "heat_us" and "heat_s": the edges of the rows in µs and of the columns in seconds; "heat": the counts, row by
        row.
    """
    rows = np.logspace(*_DECADES, (_DECADES[1] - _DECADES[0]) * _ROWS_PER_DECADE + 1)
    columns = np.linspace(0.0, float(seconds.max(initial=1e-9)), _COLUMNS + 1)
    counts, _, _ = np.histogram2d(latency_us.clip(rows[0], rows[-1]), seconds, bins=(rows, columns))
    cells: list[float] = [int(count) for count in counts.ravel()]  # most are 0: in JSON shorter than 0.0
    return {"heat_us": rows.tolist(), "heat_s": columns.tolist(), "heat": cells}
