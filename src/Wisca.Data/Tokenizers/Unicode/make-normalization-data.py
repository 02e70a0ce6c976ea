#!/usr/bin/env python3
"""Writes normalization.txt from the Unicode Character Database (Debian: package unicode-data)."""
import sys

folder = sys.argv[1] if len(sys.argv) > 1 else "/usr/share/unicode"
canonical, compatible, classes = [], [], {}
for line in open(f"{folder}/UnicodeData.txt", encoding="utf-8"):
    field = line.split(";")
    if field[3] != "0":
        classes.setdefault(int(field[3]), []).append(int(field[0], 16))
    if field[5].startswith("<"):
        compatible.append(f"{field[0]}={field[5].split('> ')[1].replace(' ', '+')}")
    elif field[5]:
        canonical.append(f"{field[0]}={field[5].replace(' ', '+')}")


def ranges(points):
    runs = []
    for point in points:
        if runs and runs[-1][1] == point - 1:
            runs[-1][1] = point
        else:
            runs.append([point, point])
    return [f"{low:04X}" if low == high else f"{low:04X}-{high:04X}" for low, high in runs]


def wrapped(kind, items):
    lines, line = [], kind
    for item in items:
        if len(line) + len(item) > 158:
            lines.append(line)
            line = kind
        line += " " + item
    return lines + [line]


version, excluded = "", []
for line in open(f"{folder}/CompositionExclusions.txt", encoding="utf-8"):
    version = version or line.strip("# \n").removeprefix("CompositionExclusions-").removesuffix(".txt")
    points = line.split("#")[0].strip()
    if points:
        excluded.append(points)
out = [
    f"# Normalization data of Unicode {version}, from UnicodeData.txt and CompositionExclusions.txt by make-normalization-data.py.",
    "# Copyright Unicode, Inc.; Unicode License, https://www.unicode.org/license.txt",
    "# canonical, compatible: one step of decomposition; excluded: never composed; class-N: canonical combining class N",
]
out += wrapped("canonical", canonical) + wrapped("compatible", compatible) + wrapped("excluded", excluded)
for number in sorted(classes):
    out += wrapped(f"class-{number}", ranges(sorted(classes[number])))
print("\n".join(out))
