"""The life of a message: a lane for each state, a bar for each stay in it."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightbroker.core.message import Transition
from lightbroker.lab.figures.plots.frame import BLUE, GREEN, GREY, RED, YELLOW, frame, styled, write_at

_LANES = ("DEAD", "DELAYED", "LEASED", "READY")  # from the bottom; a message enters at the top
_COLOURS = {"READY": BLUE, "LEASED": GREEN, "DELAYED": YELLOW, "DEAD": RED}
_REST = 0.06  # of the width: the length of a last bar, whose state has not ended


@styled
def draw_timeline(life: Sequence[Transition], name: str, title: str, caption: str) -> Figure:
    """Draw where a message was, when, and why it left.

    Args:
        life: What `Broker.trace` returned for the message.
        name: Of the message, above its lanes.
        title: The finding.
        caption: The last line.
    """
    figure, (axes,) = frame(title, caption, height=3.8)
    start = life[0].time
    end = life[-1].time - start or 1.0
    for step, following in zip(life, [*life[1:], None], strict=True):
        since = step.time - start
        _draw_step(axes, step, since)
        if step.target in _LANES:
            until = end * (1 + _REST) if following is None else following.time - start
            lane = _LANES.index(step.target)
            axes.plot(
                [since, until],
                [lane, lane],
                color=_COLOURS[step.target],
                linewidth=9,
                solid_capstyle="butt",
                marker="o",  # a state that was left at once has no length, but a dot
                markevery=[0],
                markersize=9,
                markeredgewidth=0,
                zorder=3,
            )
    axes.set_yticks(range(len(_LANES)), [lane.lower() for lane in _LANES])
    axes.set_ylim(-0.6, len(_LANES) - 0.2)
    axes.set_xlim(-0.02 * end, end * (1 + 2.5 * _REST))
    axes.grid(axis="y", visible=False)
    axes.set_title(name, fontsize=12)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.label_outer()
    axes.set_xlabel("seconds")
    return figure


def _draw_step(axes: Axes, step: Transition, at: float) -> None:
    """Draw the line from lane to lane, and at its end what moved the message; a message that left gets a ring.

    Args:
        axes: The panel.
        step: The transition.
        at: Seconds since the first transition.
    """
    came = _LANES.index(step.source) if step.source in _LANES else None
    went = _LANES.index(step.target) if step.target in _LANES else None
    text = step.cause
    if step.target == "LEASED":
        text += f", attempt {step.attempt}"
    if went is None:
        place = came if came is not None else len(_LANES) - 1
        axes.plot(at, place, "o", color=GREY, markerfacecolor="white", markersize=9, zorder=4)
        write_at(axes, step.target.lower(), (at, place), (9, 0), va="center", fontsize=10.5)
        return
    if came is not None:
        axes.plot([at, at], [came, went], color=GREY, linewidth=1.2, zorder=2)
    # The next line leaves these two states upwards, so their text stands below the bar.
    above, side = (-7, "top") if step.target in ("DELAYED", "DEAD") else (8, "baseline")
    write_at(axes, text, (at, went), (3, above), va=side, fontsize=10.5, color=GREY)
