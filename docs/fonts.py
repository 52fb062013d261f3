"""How static/fonts/ was made: subsets of open fonts, renamed, since the name Source is reserved to its makers.

    pip install fonttools==4.* fontpkg-source-serif-4 fontpkg-source-sans-3 fontpkg-noto-sans-arabic
    python docs/fonts.py NotoSansHebrew-Regular.ttf

The last font is in Debian's fonts-noto-core. Needs nothing of the project and is not part of it at run time.
"""

import sys
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from fontTools.merge import Merger
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

OUT = Path(__file__).parent.parent / "static" / "fonts"

EUROPEAN = (
    "0020-007E 00A0-017F 018F 0192 01A0-01A1 01AF-01B0 01CD-01D4 01E6-01E7 0218-021B 0237 0259 02BB-02BC 02C6-02C7 02D8-02DD "
    "0300-0304 0306-030C 0323-0328 0384-03CE 0400-045F 0462-0463 0472-0475 0490-0493 0496-049B 04A0-04A3 04AE-04B3 04B6-04B7 "
    "04BA-04BB 04D8-04D9 04E8-04E9 1E00-1E99 1E9E 1EA0-1EF9 2002-200B 2010-2026 202F 2030 2032-2033 2039-203A 2044 20A1 20A4 "
    "20A6-20A7 20A9 20AB-20AC 20AE 20B1-20B2 20B4-20B5 20B8-20BA 20BD 2116-2117 2122 2190-2193 2212 2248 2260 2264-2265"
)
ARABIC = "0600-06FF 200C-200F FDFC"
HEBREW = "05B0-05C7 05D0-05EA 05F0-05F4 20AA"
SERIF = ("fontpkg_source_serif_4", "SourceSerif4[opsz,wght].ttf")
SANS = ("fontpkg_source_sans_3", "SourceSans3[wght].ttf")
NOTO_ARABIC = ("fontpkg_noto_sans_arabic", "NotoSansArabic[wdth,wght].ttf")
STYLES = {400: "Regular", 500: "Medium", 600: "SemiBold"}


def numbers(ranges: str) -> set[int]:
    """`0020-007E 20AC` as code points."""
    ends = [one.partition("-") for one in ranges.split()]
    return {code for first, _, last in ends for code in range(int(first, 16), int(last or first, 16) + 1)}


def cut(font: TTFont, ranges: str) -> None:
    options = Options()
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 3, 4, 6, 13, 14]
    options.layout_features = [
        "ccmp",
        "locl",
        "kern",
        "mark",
        "mkmk",
        "init",
        "medi",
        "fina",
        "isol",
        "rlig",
        "liga",
        "calt",
        "curs",
    ]
    options.drop_tables += ["DSIG", "meta", "STAT"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=numbers(ranges))
    subsetter.subset(font)


def rename(font: TTFont, family: str, weight: int) -> None:
    table, style = font["name"], STYLES[weight]
    table.names = [one for one in table.names if one.nameID in (0, 13, 14)]
    names = {
        1: f"{family} {style}",
        2: "Regular",
        3: f"{family} {style}",
        4: f"{family} {style}",
        16: family,
        17: style,
    }
    for number, text in (names | {6: f"{family} {style}".replace(" ", "")}).items():
        table.setName(text, number, 3, 1, 0x409)
    font["OS/2"].usWeightClass = weight
    # Made again it is the same file.
    font["head"].created = font["head"].modified = 3_700_000_000
    font.recalcTimestamp = False


def as_ranges(codes: set[int]) -> str:
    found: list[list[int]] = []
    for code in sorted(codes):
        if found and code == found[-1][1] + 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return " ".join(f"{first:04X}" if first == last else f"{first:04X}-{last:04X}" for first, last in found)


def opened(source: tuple[str, str], **axes: float) -> TTFont:
    package, name = source
    return instantiateVariableFont(TTFont(files(package) / "files" / name), axes)


def made(font: TTFont, ranges: str, family: str, weight: int, file: str) -> set[int]:
    """Writes a subset and returns the characters in it."""
    cut(font, ranges)
    rename(font, family, weight)
    font.save(OUT / file)
    return set(font.getBestCmap())


def merged(*parts: tuple[TTFont, str]) -> TTFont:
    """One font out of several, since the renderer looks for a character in one font alone."""
    with TemporaryDirectory() as folder:
        names = []
        for number, (font, ranges) in enumerate(parts):
            cut(font, ranges)
            names.append(f"{folder}/{number}.ttf")
            font.save(names[-1])
        return Merger().merge(names)


def main() -> None:
    def with_sheqel(font: TTFont) -> TTFont:
        return merged((font, EUROPEAN), (TTFont(sys.argv[1]), "20AA"))

    ranges = EUROPEAN + " 20AA"
    serif = made(with_sheqel(opened(SERIF, wght=600, opsz=28)), ranges, "Pledgebar Serif", 600, "serif-600.ttf")
    sans = made(with_sheqel(opened(SANS, wght=400)), ranges, "Pledgebar Sans", 400, "sans-400.ttf")
    bold = made(with_sheqel(opened(SANS, wght=600)), ranges, "Pledgebar Sans", 600, "sans-600.ttf")
    both = merged(
        (opened(SANS, wght=500), as_ranges({code for code in sans if code < 0x180 or code >= 0x2000} - {0x20AA})),
        (opened(NOTO_ARABIC, wght=500, wdth=100), ARABIC),
        (TTFont(sys.argv[1]), HEBREW),
    )
    right_to_left = made(both, ARABIC + " " + HEBREW + " " + EUROPEAN, "Pledgebar RTL", 500, "rtl-500.ttf")
    lines = f"ltr {as_ranges(serif & sans & bold)}\nrtl {as_ranges(right_to_left)}\n"
    (OUT / "characters.txt").write_text(lines)


if __name__ == "__main__":
    main()
