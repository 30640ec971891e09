"""Pictures as planes: yuv420p in one array, and cut-outs that are laid over them."""

from typing import NamedTuple, Self

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Luma = NDArray[np.uint8]
"""Luma alone (rows by columns), or a whole picture: height * 3 / 2 rows by `width` columns, planes Y, U, V."""

BLACK, WHITE = 16, 235  # luma of black and white in video (BT.601, limited range)
GREY = 128  # chroma without colour
OPAQUE = np.uint16(256)  # weight of a cut-out where nothing behind it is seen


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
    """Return an image, whose sides are even, as a whole picture; transparency is lost."""
    colours = np.ascontiguousarray(np.asarray(image, np.uint8)[..., :3])
    frame = av.VideoFrame.from_ndarray(colours, format="rgb24").reformat(format="yuv420p", threads=1)
    return frame.to_ndarray().astype(np.uint8)


class CutOut:
    """An image with transparency, to be laid over pictures. Its sides are multiples of 4."""

    def __init__(self, image: Image.Image, *, grey: bool = False) -> None:
        """`grey`: without colours, as an infrared camera sees it."""
        self.width, self.height = image.size
        planes = Planes.of(picture_of(image))
        alpha = np.asarray(image.getchannel("A"), np.uint16)
        weight = alpha + (alpha >> 7)  # 0 to OPAQUE
        thin = (weight[::2, ::2] + weight[1::2, ::2] + weight[::2, 1::2] + weight[1::2, 1::2]) >> 2
        self._luma = planes.y * weight
        self._chroma = tuple(thin * (np.uint16(GREY) if grey else plane) for plane in (planes.u, planes.v))
        self._behind = OPAQUE - weight
        self._behind_chroma = OPAQUE - thin

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
