"""Draws the tables of Benchmarks/GROWTH.md into Benchmarks/GROWTH.svg: throughput, latency and memory
over each of the sizes.

    growth_plot.py
"""

import html
import math
import pathlib
import re

TITLES = {
    "rows": "rows", "features": "features of a row", "partitions": "partitions", "slots": "slots",
    "log": "gigabytes of log",
}
WIDTH, HEIGHT, GAP, LEFT, TOP = 170, 110, 70, 110, 60
COLORS = ("#27a", "#c63")
page = pathlib.Path(__file__).parent.parent / "GROWTH.md"


def number(text):
    return float(re.search(r"[\d.]+", text)[0])


def label(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def tables():
    """Of each axis its sizes, and what was measured: a row of the page's tables each."""
    found, axis = {}, None
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 8 and cells[0] in TITLES:
            axis = cells[0]
            found[axis] = []
        elif len(cells) == 8 and axis and cells[0].isdigit():
            found[axis].append({
                "size": int(cells[0]), "append": number(cells[2]), "score": number(cells[3]),
                "p99": number(cells[5]), "memory": number(cells[6])})
        elif not line.startswith("|"):
            axis = None
    return found


def panel(x, y, rows, names, title):
    """One plot: sizes on a logarithmic axis, values from zero."""
    sizes = [math.log(row["size"]) for row in rows]
    span = (max(sizes) - min(sizes)) or 1
    top = max(row[name] for row in rows for name in names) * 1.1
    parts = [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>',
        f'<text x="{x - 6}" y="{y + 8}" text-anchor="end">{label(top)}</text>',
        f'<text x="{x - 6}" y="{y + HEIGHT}" text-anchor="end">0</text>',
    ]
    if title:
        parts.append(f'<text x="{x}" y="{y - 8}" font-weight="bold">{html.escape(title)}</text>')
    for name, color in zip(names, COLORS):
        points = [
            (x + WIDTH * (size - min(sizes)) / span, y + HEIGHT * (1 - row[name] / top))
            for size, row in zip(sizes, rows)
        ]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in points]
    for row, at in ((rows[0], x), (rows[-1], x + WIDTH)):
        parts.append(
            f'<text x="{at}" y="{y + HEIGHT + 14}" text-anchor="middle">{row["size"]:,}</text>')
    return parts


def main():
    found = tables()
    kinds = [
        (("score", "append"), "M rows/s"), (("p99",), "p99 of a batch, us"),
        (("memory",), "private memory, MiB"),
    ]
    width = LEFT + len(found) * (WIDTH + GAP)
    height = TOP + len(kinds) * (HEIGHT + 50)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="18"><tspan fill="{COLORS[0]}">● scoring, and all below</tspan> '
        f'<tspan fill="{COLORS[1]}">● appending</tspan></text>',
    ]
    for row, (names, label) in enumerate(kinds):
        y = TOP + row * (HEIGHT + 50)
        middle = y + HEIGHT / 2
        parts.append(
            f'<text x="16" y="{middle}" text-anchor="middle" '
            f'transform="rotate(-90 16 {middle})">{label}</text>')
        for column, (axis, rows) in enumerate(found.items()):
            x = LEFT + column * (WIDTH + GAP)
            parts += panel(x, y, rows, names, TITLES[axis] if row == 0 else "")
    page.with_suffix(".svg").write_text("\n".join(parts + ["</svg>"]) + "\n")


main()
