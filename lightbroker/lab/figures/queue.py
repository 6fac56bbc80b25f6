"""The figures of notebook 01: a message that outlives its first worker, and what one mutex costs."""

from statistics import median

from matplotlib.figure import Figure

from lightbroker.core.message import Transition
from lightbroker.lab.figures.plots.drawing import Drawing
from lightbroker.lab.figures.plots.frame import RED, caption, short, styled
from lightbroker.lab.figures.plots.life import timeline
from lightbroker.lab.figures.plots.throughput import scaling
from lightbroker.lab.measure.results import Scene

_LANE = "leased"


@styled
def life(scene: Scene) -> Figure:
    """A message whose first worker falls silent, from what `Broker.trace` told; its late ack is a mark."""
    steps = [Transition(*step) for step in scene.data["life"]]
    silent, refused = float(scene.data["silent"]), float(scene.data["refused"])
    again = [step for step in steps if step.target == "LEASED" and step.time > silent]
    acks = sum(step.target == "acked" for step in steps)
    title = f"The first worker falls silent at {silent:g} s; "
    if again:
        title += f"{again[0].time - silent:g} s later another has the message, and it is acked {_times(acks)}"
    else:
        title += f"nobody else has the message yet, and it is acked {_times(acks)}"
    name = f"one message, leased for {float(scene.data['lease']):g} s"
    figure = timeline({name: steps}, title, caption(scene.machine, "manual clock"))
    axes = figure.axes[0]
    lane = [label.get_text() for label in axes.get_yticklabels()].index(_LANE)
    for at, text, align, right in (
        (silent, "worker 1 falls silent", "center", 0),
        (refused, "its late ack:\nLeaseLost", "left", 16),  # beside what says that the lease expired
    ):
        axes.plot(at - steps[0].time, lane, "X", color=RED, markeredgecolor="white", markersize=12, zorder=5)
        axes.annotate(
            text,
            (at - steps[0].time, lane),
            xytext=(right, -10),
            textcoords="offset points",
            ha=align,
            va="top",
            color=RED,
            fontsize=10.5,
            fontweight="bold",
        )
    return figure


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def convoy(scene: Scene) -> Figure:
    """Throughput over consumers of a queue with one mutex and of LightBroker."""
    runs = {
        name: {float(consumers): values for consumers, values in found.items()}
        for name, found in scene.data["throughput"].items()
    }
    mutex, light = scene.data["mutex"], scene.data["light"]
    most = max(runs[mutex])
    passed = {name: short(median(found[most])) for name, found in runs.items()}
    # Not every platform tells how often a thread had to wait.
    waits = {name: f"{median(found):.2g}" for name, found in scene.data["waits"].items() if None not in found}
    title = f"With {most:g} consumers {mutex} passes {passed[mutex]} messages/s, {light} {passed[light]}"
    if len(waits) == len(runs):
        title += f": {waits[mutex]} waits a message against {waits[light]}"
    note = f"{scene.data['producers']} producers, unbounded, closed loop; a dot is a run"
    return scaling(runs, title, caption(scene.machine, note))


DRAWINGS: tuple[Drawing, ...] = (
    Drawing(
        "message-life",
        "message-life",
        Scene.read,
        life,
        "The life of a message whose first worker falls silent and acks too late.",
        "make notebooks",
    ),
    Drawing(
        "convoy",
        "convoy",
        Scene.read,
        convoy,
        "Throughput over 1 to 100 consumers, one mutex beside LightBroker.",
        "make notebooks",
    ),
)
