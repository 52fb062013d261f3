"""Draws the SVG on standard input as a PNG on standard output. Run as a program of its own, by png_drawing.py."""

import sys

import resvg_py


def main(zoom: str, serif: str, sans: str, *font_files: str) -> None:
    """Draws it `zoom` times its size; the families that `serif` and `sans-serif` stand for."""
    png = resvg_py.svg_to_bytes(
        svg_string=sys.stdin.buffer.read().decode(),
        zoom=int(zoom),
        # The same picture on every machine. Without these files all words would be missing, without a word about it.
        skip_system_fonts=True,
        font_files=list(font_files),
        serif_family=serif,
        sans_serif_family=sans,
    )
    sys.stdout.buffer.write(png)


if __name__ == "__main__":
    main(*sys.argv[1:])
