"""A classifier's charts as inline SVG: figures by label, confusion matrix, reliability. Knows no files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any
from unicodedata import east_asian_width

from docmill.pages.markup import Markup, element, joined

#: Labels shown in a chart, at most; those with the most documents come first.
MOST_LABELS = 30
#: A label is cut to the width of this many Latin letters; the whole label is in its tooltip.
LABEL_WIDTH = 27
#: The same over a column.
TURNED_WIDTH = 16
#: The width of a Korean syllable in Latin letters.
WIDE = 1.6
#: Pixels: a row of bars, a cell of the matrix, the side of the reliability diagram.
ROW, CELL, SIDE = 32, 34, 300
#: Pixels: a bar's height, and that of the marks at its edges.
THICK, MARK = 16, 6
#: Pixels for a label's name, and for a bar of 1.0.
NAME, BAR = 190, 360
#: Pixels from the bars to the right edge of the column of counts.
COUNT = 130
#: The same on a narrow screen, where a label's name stands above its bar: nothing is wider than a phone.
NARROW_BAR, NARROW_ROW, NARROW_COUNT = 190, 52, 110

Rows = Sequence[dict[str, Any]]


def by_label(rows: Rows) -> Markup:
    """For each label a bar for its F1, with a mark for precision at its upper edge and one for recall at its lower."""
    shown = sorted(rows, key=lambda row: -row["support"])[:MOST_LABELS]
    parts = [_scale(len(shown))]
    for place, row in enumerate(shown):
        y = 30 + place * ROW
        told = (
            f"{row['label']}: precision {row['precision']:.3f}, recall {row['recall']:.3f}, F1 {row['f1']:.3f}, "
            f"{row['support']} documents"
        )
        parts.append(
            element(
                "g",
                element("title", told),
                element("text", short(row["label"]), x=NAME - 10, y=y + 12, class_="name"),
                element("rect", x=NAME, y=y, width=float(BAR), height=THICK, class_="track"),
                element("rect", x=NAME, y=y, width=BAR * row["f1"], height=THICK, class_="bar"),
                _mark(row["precision"], y, -MARK, "precision"),
                _mark(row["recall"], y + THICK, MARK, "recall"),
                element("text", f"{row['f1']:.2f}", x=NAME + BAR + 20, y=y + 12),
                element("text", f"{row['support']:,}", x=NAME + BAR + COUNT, y=y + 12, class_="count"),
            )
        )
    return _picture(NAME + BAR + COUNT + 10, 36 + len(shown) * ROW, "Figures by label", *parts)


def by_label_narrow(rows: Rows) -> Markup:
    """The same for a screen of 320 pixels and more."""
    shown = sorted(rows, key=lambda row: -row["support"])[:MOST_LABELS]
    parts = [
        element("text", "F1", x=NARROW_BAR + 10, y=14),
        element("text", "documents", x=NARROW_BAR + NARROW_COUNT, y=14, class_="count"),
    ]
    for place, row in enumerate(shown):
        y = 42 + place * NARROW_ROW
        parts.append(
            element(
                "g",
                element("text", short(row["label"]), element("title", row["label"]), x=0, y=y - 10),
                element("rect", x=0, y=y, width=float(NARROW_BAR), height=THICK, class_="track"),
                element("rect", x=0, y=y, width=NARROW_BAR * row["f1"], height=THICK, class_="bar"),
                _mark(row["precision"], y, -MARK, "precision", 0, NARROW_BAR),
                _mark(row["recall"], y + THICK, MARK, "recall", 0, NARROW_BAR),
                element("text", f"{row['f1']:.2f}", x=NARROW_BAR + 10, y=y + 12),
                element("text", f"{row['support']:,}", x=NARROW_BAR + NARROW_COUNT, y=y + 12, class_="count"),
            )
        )
    return _picture(NARROW_BAR + NARROW_COUNT, 42 + len(shown) * NARROW_ROW, "Figures by label", *parts)


def confusion(rows: Rows) -> Markup:
    """The matrix of counts: a row for each true label, a column for each given label; shaded by the row's share."""
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["true_label"]] = totals.get(row["true_label"], 0) + row["n_documents"]
        totals.setdefault(row["predicted_label"], 0)
    labels = sorted(totals, key=lambda label: (-totals[label], label))[:MOST_LABELS]
    place = {label: number for number, label in enumerate(labels)}
    # As wide as the names, so that a few labels fit a phone.
    left = min(NAME, 16 + round(7 * max((width(short(label)) for label in labels), default=0)))
    top = 26 + round(5 * max((width(short(label, TURNED_WIDTH)) for label in labels), default=0))
    parts = []
    for label, number in place.items():
        x, y = left + number * CELL + CELL / 2 + 4, top + number * CELL + CELL / 2 + 4
        parts.append(element("text", short(label), element("title", label), x=left - 8, y=y, class_="name"))
        turned = f"rotate(-50 {x:.0f} {top - 8})"
        parts.append(
            element(
                "text", short(label, TURNED_WIDTH), element("title", label), x=x, y=top - 8, transform=turned
            )
        )
    for row in rows:
        true, given = row["true_label"], row["predicted_label"]
        if true in place and given in place:
            parts.append(
                _cell(row, place[true], place[given], left, top, row["n_documents"] / max(1, totals[true]))
            )
    side = len(labels) * CELL
    frame = element("rect", x=left, y=top, width=side, height=side, class_="frame")
    return _picture(left + side + 70, top + side + 8, "Confusion matrix", frame, *parts)


def reliability(rows: Rows) -> Markup:
    """How often decisions of a confidence were right; on the diagonal the model is calibrated."""
    left, top = 46, 12
    parts = [element("rect", x=left, y=top, width=SIDE, height=SIDE, class_="frame")]
    most = max((row["n_decisions"] for row in rows), default=1)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(element("text", f"{share:g}", x=left + share * SIDE, y=top + SIDE + 16, class_="tick"))
        parts.append(element("text", f"{share:g}", x=left - 8, y=top + SIDE * (1 - share) + 4, class_="name"))
    parts.append(element("line", x1=left, y1=top + SIDE, x2=left + SIDE, y2=top, class_="diagonal"))
    for row in rows:
        told = f"confidence {row['confidence']:.3f}, right {row['share_right']:.3f}, {row['n_decisions']:,} decisions"
        x, y = left + row["confidence"] * SIDE, top + SIDE * (1 - row["share_right"])
        radius = 3 + 9 * (row["n_decisions"] / most) ** 0.5
        parts.append(
            element("circle", element("title", told), cx=float(x), cy=float(y), r=radius, class_="dot")
        )
    parts.append(element("text", "confidence", x=left + SIDE / 2, y=top + SIDE + 34, class_="tick"))
    return _picture(left + SIDE + 20, top + SIDE + 42, "Reliability", *parts)


def short(label: str, most: float = LABEL_WIDTH) -> str:
    """A label, cut to fit."""
    if width(label) <= most:
        return label
    ends = accumulate(map(width, label))
    return label[: sum(end <= most - 1 for end in ends)] + "…"


def width(text: str) -> float:
    """About how wide a text is, in Latin letters."""
    return sum(WIDE if east_asian_width(char) in "WF" else 1.0 for char in text)


def _cell(row: dict[str, Any], line: int, column: int, left: int, top: int, share: float) -> Markup:
    x, y = left + column * CELL, top + line * CELL
    told = f"{row['true_label']} labelled {row['predicted_label']}: {row['n_documents']:,} ({share:.0%})"
    kind = "right" if line == column else "wrong"
    return element(
        "g",
        element("title", told),
        element(
            "rect",
            x=x + 1,
            y=y + 1,
            width=CELL - 2,
            height=CELL - 2,
            class_=kind,
            fill_opacity=0.12 + 0.88 * share,
        ),
        element(
            "text",
            f"{row['n_documents']}",
            x=x + CELL / 2,
            y=y + CELL / 2 + 4,
            class_="strong" if share > 0.55 else "cell",
        ),
    )


def _mark(value: float, edge: int, height: int, class_: str, left: int = NAME, length: int = BAR) -> Markup:
    """A triangle that stands on a bar's edge with its tip, at the value."""
    x = left + length * value
    points = f"{x:.2f},{edge} {x - MARK:.2f},{edge + height} {x + MARK:.2f},{edge + height}"
    return element("polygon", points=points, class_=class_)


def _scale(n: int) -> Markup:
    heads = [
        element("text", f"{share:g}", x=NAME + BAR * share, y=16, class_="tick")
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    heads.append(element("text", "F1", x=NAME + BAR + 20, y=16))
    heads.append(element("text", "documents", x=NAME + BAR + COUNT, y=16, class_="count"))
    for share in (0.25, 0.5, 0.75):
        x = NAME + BAR * share
        heads.append(element("line", x1=x, x2=x, y1=24, y2=30 + n * ROW, class_="grid"))
    return joined(*heads)


def _picture(width: int, height: int, name: str, *parts: Markup) -> Markup:
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=name,
    )
