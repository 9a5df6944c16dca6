"""A picture to look at: image, truth and prediction side by side."""

from __future__ import annotations

import colorsys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]  # (H, W, 3)

CELL = 240  # height of a row, px
GAP = 6  # px between cells
TITLE = 22  # px above the first row
GOLDEN_ANGLE = 0.381966  # of the colour circle: neighbouring class ids get distant hues
IGNORED = (128, 128, 128)
BACKGROUND = (24, 24, 24)


def palette(classes: int, background: int | None) -> Rgb:
    """One colour per class id, (classes, 3) uint8 RGB; the background is near black."""
    colours = [colorsys.hsv_to_rgb(0.08 + GOLDEN_ANGLE * c % 1, 0.75, 0.95) for c in range(classes)]
    table = (np.array(colours) * 255).astype(np.uint8)
    if background is not None:
        table[background] = BACKGROUND
    return table


def paint(labels: NDArray[Any], colours: Rgb) -> Rgb:
    """``labels`` as colours (H, W, 3); what is to ignore is grey.

    (H, W) of class ids, those beyond the palette to ignore; or (classes, H, W) of 0 and 1, more to ignore: there
    the colours of a pixel's classes are mixed, and pixels of none have the background's.
    """
    if labels.ndim == 3:
        members = labels == 1
        count = members.sum(axis=0)[:, :, np.newaxis]
        mixed = np.tensordot(members, colours.astype(np.float32), axes=(0, 0)) / np.maximum(count, 1)
        mixed = np.where(count == 0, np.array(BACKGROUND), mixed)
        return np.where(labels[0, :, :, np.newaxis] > 1, np.array(IGNORED), mixed).astype(np.uint8)
    table = np.concatenate([colours, np.array([IGNORED], np.uint8)])
    painted: Rgb = table[np.minimum(labels, len(colours))]
    return painted


def displayed(image: NDArray[Any]) -> Rgb:
    """``image`` (H, W, 1 or 3) of 8 or 16 bits as 8-bit RGB; 16 bits are stretched to their maximum."""
    if image.dtype != np.uint8:
        image = (image / max(1, int(image.max())) * 255).astype(np.uint8)
    return np.broadcast_to(image, (*image.shape[:2], 3))


def grid(rows: list[tuple[Rgb, Rgb, Rgb]]) -> Rgb:
    """Image, truth and prediction of every example in one row, scaled to equal cells; (H, W, 3) RGB."""
    aspect = max(row[0].shape[1] / row[0].shape[0] for row in rows)
    width = min(round(CELL * aspect), 2 * CELL)
    sheet = np.full((TITLE + len(rows) * (CELL + GAP), 3 * (width + GAP), 3), 255, np.uint8)
    for column, name in enumerate(("image", "truth", "prediction")):
        place = (column * (width + GAP) + 4, TITLE - 7)
        cv2.putText(sheet, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        for number, row in enumerate(rows):
            scale = min(CELL / row[0].shape[0], width / row[0].shape[1])
            size = tuple(max(1, int(n * scale)) for n in row[0].shape[:2])
            method = cv2.INTER_AREA if column == 0 else cv2.INTER_NEAREST
            cell = cv2.resize(np.ascontiguousarray(row[column]), size[::-1], interpolation=method)
            top, left = TITLE + number * (CELL + GAP), column * (width + GAP)
            sheet[top : top + size[0], left : left + size[1]] = cell
    return sheet
