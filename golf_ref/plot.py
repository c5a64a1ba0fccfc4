"""Loss, learning rate and bits per byte by stage of one run, from its report.json."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def draw_report(report_file: Path, picture: Path) -> None:
    """Write a picture (format by its suffix) of the run behind a report.json."""
    report = json.loads(report_file.read_text(encoding="utf-8"))
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    loss, rate, stages = figure.subplots(1, 3)
    steps = range(1, len(report["losses"]) + 1)
    loss.plot(steps, report["losses"], linewidth=0.8)
    loss.set(title=f"{report['preset']}: training loss", xlabel="step", ylabel="nats per token")
    rate.plot(steps, report["lr_mults"])
    rate.set(title="learning rate", xlabel="step", ylabel="multiplier", ylim=(0, 1.05))
    names = [stage["tag"].removeprefix("diagnostic ") for stage in report["stages"]]
    values = [stage["score"]["val_bpb"] for stage in report["stages"]]
    stages.plot(values, names, "o")  # points, not bars: the axis does not start at zero
    for name, value in zip(names, values, strict=True):
        stages.annotate(f"{value:.4f}", (value, name), xytext=(6, 0), textcoords="offset points", va="center")
    stages.set(title="bits per byte by stage")
    stages.margins(x=0.25, y=0.1)
    stages.grid(axis="x", alpha=0.3)
    stages.invert_yaxis()
    figure.savefig(picture, dpi=150)
