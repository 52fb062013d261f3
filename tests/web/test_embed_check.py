"""What the check says of an article: is the bar there, and what keeps readers from seeing it."""

import re
from typing import Any

import pytest

from tracker.web.admin.embed_check import Finding, Ours, check
from tracker.web.admin.embed_finder import read_article
from tracker.web.admin.html_tags import tags
from tracker.web.admin.page_fetcher import Fetched

GIVE = "https://give.example"
OURS = Ours(GIVE, "newsroom", ["newsroom", "library"], "*")
URL = "https://news.example/2021/05/ferry"

TOP = f'<iframe src="{GIVE}/embed/newsroom?src=ferry&amp;pos=top" title="Support us (top)" height="162"></iframe>'
BOTTOM = TOP.replace("top", "bottom")
ELEMENT = f'<pledge-bar src="{GIVE}/embed/newsroom?src=ferry&amp;pos=top"><a href="{GIVE}/go/newsroom">Support us</a></pledge-bar>'
SCRIPT = f'<script src="{GIVE}/embed/bar.js" async></script>'
PICTURE = (
    f'<a href="{GIVE}/go/newsroom"><img src="{GIVE}/embed/newsroom.png?src=ferry&pos=top" alt="340 $ of 5,000 $"></a>'
)


def found(html: str, *, url: str = URL, policies: tuple[str, ...] = (), **ours: Any) -> list[Finding]:
    return check(Fetched(url, html, policies), Ours(**vars(OURS) | ours))


def says(html: str, **how: Any) -> list[str]:
    """What is not as it should be, in words."""
    return [f"{one.level}: {one.words}" for one in found(html, **how) if one.level != "good"]


TWO = "The bar is there: 2 frames of article “ferry” (top, bottom)."

# --- What is there ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "words"),
    [
        (TOP + BOTTOM, TWO),
        (
            ELEMENT + ELEMENT.replace("top", "bottom") + SCRIPT,
            "The bar is there: 2 <pledge-bar> of article “ferry” (top, bottom).",
        ),
        (PICTURE, "The bar is there: one picture of article “ferry” (top)."),
        (PICTURE.replace(".png", ".svg"), "The bar is there: one picture of article “ferry” (top)."),
        ((TOP + BOTTOM).replace("iframe", "amp-iframe"), TWO),
        ((TOP + BOTTOM).replace("https:", ""), TWO),
        ("<base href='//give.example/x/'>" + (TOP + BOTTOM).replace(GIVE, ""), TWO),
        (re.sub("iframe|src(?==.https)|title", lambda found: found[0].upper(), TOP + BOTTOM), TWO),
    ],
)
def test_a_bar_that_is_as_it_should_be_is_said_once(html: str, words: str) -> None:
    assert found(f"<!doctype html><p>One &amp; two<!-- three -->{html}<p>four") == [Finding("good", words)]


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p>Nothing</p>",
        "<!-- " + TOP + " -->",
        f"<script>{TOP}</script>",
        f"<template>{TOP}</template>",
        f"<textarea>{TOP}</textarea>",
        "<iframe src='https://other.example/embed/x'>",
        f"<iframe title='{GIVE}/embed/newsroom'>",
        f"<iframe src='{GIVE}/embed/newsroom",
        f"<iframe src='{GIVE}/c/newsroom'>",
        f"<iframe src='{GIVE}.evil.example/embed/x'>",
        f"<iframe src='{GIVE}:8443/embed/x'>",
        "<iframe src='http://[::1'>",
        "<iframe src='https://give.example:99999/embed/newsroom'>",
        f"<img src='{GIVE}/embed/newsroom'>",
        "<iframe src='javascript:alert(1)'>",
        "<a href='http://['>",
        "<iframe src='&#" + "9" * 5000 + ";'>",
    ],
)
def test_a_page_without_the_bar_is_told_so(html: str) -> None:
    assert says(html) == ["bad: The bar is not in this page as its server sends it."]


@pytest.mark.parametrize(
    "wrong", ["&lt;iframe src=&quot;", "&lt;iframe\nsrc=“", "&#60;pledge-bar src='", "<p>&lt;a&gt;&lt;img src='"]
)
def test_a_snippet_that_became_text_is_seen(wrong: str) -> None:
    assert says(f"<p>{wrong}{GIVE}/embed/newsroom?x&gt;</p>") == [
        "bad: The snippet is in the article as text: readers see its code."
    ]


@pytest.mark.parametrize("path", ["/go/newsroom?src=ferry", "/c/newsroom"])
def test_a_link_alone_is_no_bar(path: str) -> None:
    assert says(f'<a href="{GIVE}{path}">x</a>') == ["look: There is a link to the campaign, but no bar."]
    assert says(f'<a href="{GIVE}/go/nobody">x</a>') == ["bad: The bar is not in this page as its server sends it."]


def test_a_bar_of_an_address_that_we_left_is_seen() -> None:
    told = says(TOP.replace("give.example", "old.example"))
    assert "bad: There is a bar from another address, https://old.example." in told
    assert any("The bar is not in this page" in one for one in told)


def test_another_campaign_and_one_that_is_not_there_are_told_apart() -> None:
    assert "look: There is a bar of another campaign, “library”." in says(TOP.replace("newsroom", "library"))
    assert "bad: There is a bar of a campaign that does not exist, “newsrom”." in says(
        TOP.replace("newsroom", "newsrom")
    )


# --- How it is there --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "words"),
    [
        (TOP, ["look: There is no bar below the article."]),
        (BOTTOM, ["look: There is no bar above the article."]),
        (
            TOP + TOP.replace("(top)", "(again)"),
            ["look: 2 bars say that they are at “top”: they cannot be told apart."],
        ),
        (
            (TOP + BOTTOM).replace("&amp;pos=top", "").replace("&amp;pos=bottom", ""),
            ["look: 2 bars do not say where they are: they cannot be told apart."],
        ),
        (TOP + BOTTOM.replace("(bottom)", "(top)"), ["look: Two frames have the same title."]),
        (
            TOP.replace(' title="Support us (top)"', "") + BOTTOM,
            ["bad: A frame has no title: a screen reader cannot say what it is."],
        ),
        (
            TOP.replace("Support us (top)", " ") + BOTTOM,
            ["bad: A frame has no title: a screen reader cannot say what it is."],
        ),
        (
            (TOP + BOTTOM).replace("162", "60"),
            [
                "look: The top frame is 60 high, and the bar needs 108.",
                "look: The bottom frame is 60 high, and the bar needs 108.",
            ],
        ),
        (
            TOP.replace("?src", "?size=l&src").replace("162", "108px") + BOTTOM,
            ["look: The top frame is 108px high, and the bar needs 128."],
        ),
        (TOP.replace("src=ferry&amp;", "") + BOTTOM, ["look: The top frame does not say which article it is in."]),
        (
            TOP.replace("src=ferry", "src=ARTICLE") + BOTTOM,
            ["look: The top frame names the article “ARTICLE”, which looks like a placeholder."],
        ),
        (
            TOP.replace("src=ferry", "src={{slug}}") + BOTTOM,
            ["look: The top frame names the article “{{slug}}”, which looks like a placeholder."],
        ),
        (
            TOP.replace("<iframe", "<iframe sandbox") + BOTTOM,
            ["bad: The top frame is in a sandbox that its button cannot lead out of."],
        ),
        (
            TOP.replace("<iframe", '<iframe sandbox="allow-scripts"') + BOTTOM,
            ["bad: The top frame is in a sandbox that its button cannot lead out of."],
        ),
        (
            TOP.replace("<iframe", '<iframe sandbox="allow-scripts Allow-Top-Navigation-By-User-Activation"') + BOTTOM,
            [],
        ),
        (TOP.replace("<iframe", '<iframe class="wp-embedded-content" sandbox="allow-scripts"') + BOTTOM, []),
        (f"<noscript>{TOP}</noscript>" + BOTTOM, ["look: The top frame is only there for readers without JavaScript."]),
        (f"<noscript>{TOP}</noscript>" + TOP + BOTTOM, []),
        (
            TOP.replace(" src=", ' src="about:blank" data-src=') + BOTTOM,
            ["look: The top frame is loaded late by one of the site's scripts."],
        ),
        (
            ELEMENT,
            [
                "bad: <pledge-bar> is there without its script: readers see only a link.",
                "look: There is no bar below the article.",
            ],
        ),
        (
            ELEMENT + SCRIPT.replace("give", "other"),
            [
                "bad: <pledge-bar> is there without its script: readers see only a link.",
                "look: There is no bar below the article.",
            ],
        ),
        (ELEMENT + SCRIPT, ["look: There is no bar below the article."]),
        (
            PICTURE.replace("340 $ of 5,000 $", ""),
            ["look: The top picture has no alt text: people who cannot see it learn nothing."],
        ),
        (PICTURE.replace("<a ", "<b "), ["look: The top picture is not in a link: it leads nobody to the form."]),
    ],
)
def test_what_could_be_better_is_said(html: str, words: list[str]) -> None:
    assert says(html) == words


# --- Whether it is let in ---------------------------------------------------------------------------------------------

BOTH = TOP + BOTTOM
FRAME = "bad: The article's own Content-Security-Policy forbids the frame: readers see an empty box."


@pytest.mark.parametrize(
    "policy",
    [
        "",
        "default-src *",
        "default-src 'none'; frame-src https://give.example",
        "frame-src https:",
        "frame-src *.example",
        "child-src give.example; default-src 'none'",
        "frame-src HTTPS://GIVE.EXAMPLE:443",
        "frame-src https://give.example/embed/",
        "frame-src http://give.example",
        "FRAME-SRC *; frame-src 'none'",
        "img-src 'none'; script-src 'none'",
        "frame-src give.example:*",
        "frame-src https://give.example/embed/newsroom",
        ";;frame-src\t*;",
    ],
)
def test_a_policy_that_allows_the_frame_is_not_mentioned(policy: str) -> None:
    assert says(BOTH, policies=(policy,)) == []
    assert says(f'<meta http-equiv="Content-Security-Policy" content="{policy}">' + BOTH) == []


@pytest.mark.parametrize(
    ("policy", "because"),
    [
        ("frame-src 'none'", " It says so in frame-src."),
        ("frame-src 'self' https://video.example", " It says so in frame-src."),
        ("default-src 'self'", " There is no frame-src in it, so default-src decides."),
        ("frame-src", " It says so in frame-src."),
        ("child-src 'self'; default-src *", " There is no frame-src in it, so child-src decides."),
        ("frame-src *.give.example", " It says so in frame-src."),
        ("frame-src https://give.example:8443", " It says so in frame-src."),
        ("frame-src https://give.example/embed", " It says so in frame-src."),
        ("frame-src data: blob:", " It says so in frame-src."),
        ("frame-src *, frame-src 'self'", " It says so in frame-src."),
        ("default-src 'self' ; FRAME-SRC 'none'", " It says so in frame-src."),
    ],
)
def test_a_policy_that_forbids_the_frame_is_named_with_what_to_add(policy: str, because: str) -> None:
    for told in (
        found(BOTH, policies=(policy,)),
        found(BOTH, policies=("frame-src *", policy)),
        found(f"<META HTTP-EQUIV='content-security-policy' CONTENT=\"{policy.partition(',')[2] or policy}\">" + BOTH),
    ):
        wrong = [one for one in told if one.level == "bad"]
        assert [f"bad: {one.words}" for one in wrong] == [FRAME + because]
        assert wrong[0].hint == "Add https://give.example to frame-src in the site's policy."


def test_a_policy_of_the_element_and_of_the_picture_is_read_too() -> None:
    policy = "default-src 'self'; img-src 'self' data:"
    told = says(ELEMENT + SCRIPT + PICTURE, policies=(policy,))
    begins = "bad: The article's own Content-Security-Policy forbids"
    assert (
        f"{begins} the script of <pledge-bar>: readers see only a link. There is no script-src in it, so default-src decides."
        in told
    )
    assert f"{begins} the numbers of <pledge-bar>. There is no connect-src in it, so default-src decides." in told
    assert f"{begins} the picture. It says so in img-src." in told
    hints = {one.hint for one in found(ELEMENT + SCRIPT, policies=(policy,))}
    assert "Add https://give.example to script-src in the site's policy. It needs script-src and connect-src." in hints
    assert says(ELEMENT + SCRIPT, policies=("script-src https:; connect-src give.example; frame-src 'none'",)) == [
        "look: There is no bar below the article."
    ]


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ("script-src 'nonce-abc'", True),
        ("script-src 'nonce-xyz'", False),
        ("script-src 'nonce-abc' 'strict-dynamic'", True),
        ("script-src https: 'strict-dynamic' 'nonce-xyz'", False),
        ("script-src 'none'; script-src-elem https://give.example", True),
    ],
)
def test_a_script_may_come_by_its_nonce(policy: str, allowed: bool) -> None:
    html = ELEMENT + SCRIPT.replace("<script", '<script nonce="abc"')
    assert any("forbids the script" in one for one in says(html, policies=(policy,))) is not allowed


def test_mixed_content_is_refused_by_browsers_unless_the_page_asks_for_better() -> None:
    html = BOTH.replace("https:", "http:")
    words = "bad: The frame is asked for by http:// on an https:// page: browsers refuse that."
    assert says(html) == [words, words]
    assert says(html, policies=("upgrade-insecure-requests",)) == []
    assert says(html, url=URL.replace("https", "http")) == []


@pytest.mark.parametrize(
    ("embed_on", "allowed"),
    [
        ("*", True),
        ("https://news.example", True),
        ("https://a.example https://news.example", True),
        ("https://*.example", True),
        ("https://*.news.example", False),
        ("https://www.news.example", False),
        ("http://news.example", True),
        ("https://news.example:8443", False),
    ],
)
def test_our_own_setting_is_held_against_the_article(embed_on: str, allowed: bool) -> None:
    words = "bad: TRACKER_EMBED_ON does not name https://news.example: readers see an empty frame."
    assert (words in says(BOTH, embed_on=embed_on)) is not allowed
    # Pictures and the element are no frames.
    assert words not in says(PICTURE, embed_on=embed_on)


def test_every_trouble_comes_with_what_to_do() -> None:
    pages = [
        "",
        "&lt;iframe //give.example/embed/",
        ELEMENT,
        PICTURE.replace("alt", "x").replace("<a ", "<b "),
        BOTH,
        TOP.replace("title", "x"),
    ]
    for html in pages:
        for one in found(html, policies=("default-src 'none'",), embed_on="https://a.example"):
            assert one.words.endswith(".")
            assert bool(one.hint) == (one.level != "good"), one


# --- Strangers' HTML --------------------------------------------------------------------------------------------------


def test_tags_are_read_as_browsers_read_them() -> None:
    html = """a<IMG SRC=x alt='y > z' alt=second data-a = "1&amp;2"checked/>b<!-- <i> --></p ><x"y>"""
    html += """<script>if (a<b) "</p>"</SCRIPT >c"""
    read = [(tag.name, tag.attributes, tag.is_end, tag.text) for tag in tags(html)]
    assert read == [
        ("img", {"src": "x", "alt": "y > z", "data-a": "1&2", "checked": ""}, False, "a"),
        ("p", {}, True, "b<!-- <i> -->"),
        ('x"y', {}, False, ""),
        ("script", {}, False, ""),
        ("script", {}, True, ""),
        ("", {}, True, "c"),
    ]


@pytest.mark.parametrize(
    "ending",
    [
        "<",
        "<a",
        "<a href",
        "<a href=",
        "<a href='x",
        '<a href="',
        "<!--",
        "<!-- -",
        "<script>",
        "</",
        "<!",
        "<?x",
        "&",
        "&#x",
    ],
)
def test_a_page_that_ends_in_the_middle_is_read_to_there(ending: str) -> None:
    article = read_article(f"<![CDATA[{BOTH}{ending}", URL, GIVE)
    assert [one.asked("pos") for one in article.found] == ["top", "bottom"]


def test_of_very_many_bars_some_are_enough() -> None:
    assert len(read_article(TOP * 500, URL, GIVE).found) == 50
