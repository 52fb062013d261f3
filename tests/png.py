"""Reads a PNG without a library, so that tests can look for ink."""

import struct
import zlib
from dataclasses import dataclass


@dataclass
class Picture:
    """Eight-bit pixels, row after row; `depth` bytes each."""

    width: int
    height: int
    depth: int
    rows: list[bytes]

    def at(self, x: int, y: int) -> bytes:
        return self.rows[y][x * self.depth : (x + 1) * self.depth]

    def colours(self, x: float, y: float, width: float, height: float) -> set[bytes]:
        """The colours that stand in a part of it."""
        depth, left, right = self.depth, int(x) * self.depth, int(x + width) * self.depth
        parts = [row[left:right] for row in self.rows[int(y) : int(y + height)]]
        return {part[at : at + depth] for part in parts for at in range(0, len(part), depth)}

    def part(self, x: int, y: int, width: int, height: int) -> bytes:
        return b"".join(row[x * self.depth : (x + width) * self.depth] for row in self.rows[y : y + height])


def read_png(data: bytes) -> Picture:
    """A picture of grey, colour or colour with alpha; one bit per pixel for grey ones too, as QR codes have."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, squeezed, bits, width, height, kind = 8, b"", 0, 0, 0, 0
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if name == b"IHDR":
            width, height, bits, kind = struct.unpack(">IIBB", body[:10])
        elif name == b"IDAT":
            squeezed += body
        at += length + 12
    depth = {0: 1, 2: 3, 3: 1, 6: 4}[kind]
    plain = zlib.decompress(squeezed)
    stride = -(-width * depth * bits // 8)
    rows, before = [], bytearray(stride)
    for start in range(0, len(plain), stride + 1):
        before = _unfiltered(plain[start], bytearray(plain[start + 1 : start + 1 + stride]), before, depth)
        rows.append(bytes(before))
    if bits == 1:
        rows = [bytes(255 * (row[x // 8] >> (7 - x % 8) & 1) for x in range(width)) for row in rows]
    return Picture(width, height, depth, rows)


def _unfiltered(kind: int, row: bytearray, above: bytearray, depth: int) -> bytearray:
    """PNG, 9.2: each byte is written as the difference to a guess from its neighbours."""
    for at in range(len(row)) if kind else ():
        left = row[at - depth] if at >= depth else 0
        corner = above[at - depth] if at >= depth else 0
        up = above[at]
        if kind == 4:
            guess = left + up - corner
            nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
        else:
            nearest = (0, left, up, (left + up) // 2)[kind]
        row[at] = (row[at] + nearest) & 255
    return row
