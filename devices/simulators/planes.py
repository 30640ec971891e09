"""Pictures as planes: yuv420p in one array, and cut-outs that are laid over them."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Luma = NDArray[np.uint8]
"""Luma alone (rows by columns), or a whole picture: height * 3 / 2 rows by `width` columns, planes Y, U, V."""

BLACK, WHITE = 16, 235  # luma of black and white in video (BT.601, limited range)
GREY = 128  # chroma without colour
_Y = np.array([65.481, 128.553, 24.966], np.float32) / 255
_U = np.array([-37.797, -74.203, 112.0], np.float32) / 255
_V = np.array([112.0, -93.786, -18.214], np.float32) / 255
OPAQUE = 256  # weight of a cut-out where nothing behind it is seen


class Planes(NamedTuple):
    """The three planes of one picture, as views of its array."""

    y: Luma
    u: Luma
    v: Luma

    @classmethod
    def of(cls, picture: Luma) -> Self:
        """Return the planes of a whole picture."""
        rows, width = picture.shape
        height = rows * 2 // 3
        u, v = picture[height : height + height // 4], picture[height + height // 4 :]
        return cls(picture[:height], u.reshape(height // 2, width // 2), v.reshape(height // 2, width // 2))


def picture_of(image: Image.Image) -> Luma:
    """Return an RGB image, whose sides are multiples of 4, as a whole picture."""
    colours = np.asarray(image.convert("RGB"), np.float32)
    height, width = colours.shape[:2]
    picture = np.empty((height * 3 // 2, width), np.uint8)
    planes = Planes.of(picture)
    planes.y[:] = np.rint(colours @ _Y + BLACK)
    quarter = _halved(colours)
    planes.u[:] = np.rint(quarter @ _U + GREY)
    planes.v[:] = np.rint(quarter @ _V + GREY)
    return picture


class CutOut:
    """An image with transparency, to be laid over pictures. Its sides are even."""

    def __init__(self, image: Image.Image, *, grey: bool = False) -> None:
        """`grey`: without colours, as an infrared camera sees it."""
        pixels = np.asarray(image, np.float32)
        colours, alpha = pixels[..., :3], pixels[..., 3:] * (OPAQUE / 255)
        thin = _halved(alpha)
        mixed = _halved(colours * alpha)
        self.height, self.width = pixels.shape[:2]
        self._luma = ((colours @ _Y + BLACK) * alpha[..., 0]).astype(np.uint16)
        self._chroma = tuple(
            (thin[..., 0] * GREY if grey else mixed @ weights + thin[..., 0] * GREY).astype(np.uint16)
            for weights in (_U, _V)
        )
        self._behind = (OPAQUE - np.ceil(alpha[..., 0])).astype(np.uint16)
        self._behind_chroma = (OPAQUE - np.ceil(thin[..., 0])).astype(np.uint16)

    def lay(self, planes: Planes, left: int, top: int, within: tuple[int, int, int, int]) -> None:
        """Lay its corner at an even `left` and `top`; only what is `within` (left, top, right, bottom) shows."""
        x0, y0 = max(left, within[0] & ~1, 0), max(top, within[1] & ~1, 0)
        x1 = min(left + self.width, within[2] & ~1, planes.y.shape[1])
        y1 = min(top + self.height, within[3] & ~1, planes.y.shape[0])
        if x0 >= x1 or y0 >= y1:
            return
        here, own = np.s_[y0:y1, x0:x1], np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        planes.y[here] = planes.y[here] * self._behind[own] + self._luma[own] >> 8
        half = np.s_[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2]
        own = np.s_[(y0 - top) // 2 : (y1 - top) // 2, (x0 - left) // 2 : (x1 - left) // 2]
        for plane, chroma in zip((planes.u, planes.v), self._chroma, strict=True):
            plane[half] = plane[half] * self._behind_chroma[own] + chroma[own] >> 8


def _halved(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of each four pixels."""
    return (pixels[::2, ::2] + pixels[1::2, ::2] + pixels[::2, 1::2] + pixels[1::2, 1::2]) * np.float32(0.25)
