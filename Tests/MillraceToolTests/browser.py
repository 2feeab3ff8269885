"""Looks at a report in a real browser, as people do: in light, in dark, on a phone and on paper.

    python3 browser.py REPORT.html DIRECTORY

Needs `chromium` and `pdftoppm`. The pictures stay in DIRECTORY for people to look at. Ends with an
error where a page is blank, has another background than its theme, or where the curves of its plots cannot be seen. Without its pictures the page has to fail, or the check is none.
"""

import pathlib
import re
import struct
import subprocess
import sys
import zlib


def png(path):
    """The pixels of a PNG of eight bits a channel as rows of (r, g, b)."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", path
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            channels = {0: 1, 2: 3, 6: 4}[colour]
            assert depth == 8 and interlace == 0, path
        elif kind == b"IDAT":
            packed += body
        at += length + 12
    stride, raw = width * channels, zlib.decompress(packed)
    before, rows = bytearray(stride), []
    for y in range(height):
        method = raw[y * (stride + 1)]
        line = bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for x in range(stride):
            left = line[x - channels] if x >= channels else 0
            up, corner = before[x], before[x - channels] if x >= channels else 0
            if method == 1:
                line[x] = line[x] + left & 255
            elif method == 2:
                line[x] = line[x] + up & 255
            elif method == 3:
                line[x] = line[x] + (left + up) // 2 & 255
            elif method == 4:
                guess = left + up - corner
                nearest = min((left, up, corner), key=lambda value: abs(guess - value))
                line[x] = line[x] + nearest & 255
        before = line
        grey = channels == 1
        rows.append(
            [
                (line[x],) * 3 if grey else tuple(line[x : x + 3])
                for x in range(0, stride, channels)
            ]
        )
    return rows


def browser(page, *options):
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    profile = f"--user-data-dir={directory / 'profile'}"
    done = subprocess.run(
        command + [profile, *options, page.as_uri()], capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def look(rows, background, curves, what):
    """Background, ink and the colours of two series: each in as many pixels as a plot takes."""
    counts = {}
    for row in rows:
        for pixel in row:
            counts[pixel] = counts.get(pixel, 0) + 1
    usual = max(counts, key=counts.get)
    assert usual == background, f"{what}: the background is {usual}, not {background}"
    ink = sum(counts.values()) - counts[usual]
    assert ink > 5000, f"{what}: only {ink} pixels are not background"
    for curve in curves:
        near = sum(
            count
            for pixel, count in counts.items()
            if all(abs(a - b) <= 8 for a, b in zip(pixel, curve))
        )
        assert near > 100, f"{what}: only {near} pixels have the colour {curve} of a curve"
    print(f"{what}: {len(rows[0])} x {len(rows)} pixels, {ink} of them ink")


def screenshot(page, name, width, *options):
    file = directory / f"{name}.png"
    browser(page, f"--window-size={width},2600", f"--screenshot={file}", *options)
    return png(file)


def paper(page):
    file = directory / "print.pdf"
    browser(page, f"--print-to-pdf={file}", "--no-pdf-header-footer")
    for old in directory.glob("print-*.png"):
        old.unlink()
    subprocess.run(["pdftoppm", "-r", "80", "-png", file, directory / "print"], check=True)
    pages = [png(path) for path in sorted(directory.glob("print-*.png"))]
    assert 1 <= len(pages) <= 6, f"{len(pages)} pages"
    return [row for page in pages for row in page]


def check(page):
    light, dark = [(0, 114, 178), (213, 94, 0)], [(86, 180, 233), (245, 137, 75)]
    look(screenshot(page, "light", 1100), (255, 255, 255), light, "light")
    look(
        screenshot(page, "dark", 1100, "--blink-settings=preferredColorScheme=0"),
        (20, 23, 26), dark, "dark",
    )
    look(screenshot(page, "phone", 400), (255, 255, 255), light, "phone")
    look(paper(page), (255, 255, 255), light, "paper")


report, directory = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
directory.mkdir(parents=True, exist_ok=True)
text = report.read_text()
assert not re.search(r"(src|href)=.?https?:", text), "the page needs others"
bare = directory / "without-plots.html"
bare.write_text(re.sub(r"<figure.*?</figure>", "", text, flags=re.S))
try:
    check(bare)
except AssertionError as error:
    print(f"without its plots the page is refused: {error}")
else:
    sys.exit("a page without plots is taken for one with them")
check(report)
