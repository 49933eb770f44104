"""The plot of docs/guide/performance.md. It needs matplotlib: requirements-bench.lock."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {"ScaiVault": "#0b6e4f", "OpenBao": "#e0a100", "Starlette route": "#9aa5b1"}
WIDTH = 0.27


def draw(rows: dict[str, Any], digest: str, file: Path) -> None:
    """A panel for each row, its bars by connections and server; the same bytes for the same rows
    and library. ``digest``: stands in the file, so that it can be told what the plot shows.
    """
    mpl.rcParams["svg.hashsalt"] = digest
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: small, and found by a search
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = figure.subplots(1, max(1, len(rows)), squeeze=False)[0]
    for axes, (name, figures) in zip(panels, rows.items(), strict=False):
        _panel(axes, name, figures)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(file, format="svg", metadata={"Date": None, "Description": digest})


def _panel(axes: Axes, name: str, figures: list[dict[str, Any]]) -> None:
    cases = list(dict.fromkeys(each["case"] for each in figures))
    for place, (server, colour) in enumerate(COLOURS.items()):
        mine = [each for each in figures if each["server"] == server]
        if not mine:
            continue
        middle = [each["median"] for each in mine]
        spread = [
            [each["median"] - min(each["turns"]) for each in mine],
            [max(each["turns"]) - each["median"] for each in mine],
        ]
        at = [cases.index(each["case"]) + (place - 1) * WIDTH for each in mine]
        axes.bar(at, middle, WIDTH, yerr=spread, color=colour, label=server, ecolor="#444444")
    axes.set_xticks(range(len(cases)), [case.split()[0] for case in cases])
    axes.set_title(name)
    axes.set_xlabel("connections")
    axes.set_ylabel("answers a second")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(bottom=0)
