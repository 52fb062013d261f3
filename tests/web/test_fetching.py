"""Fetching a page that somebody names: what is fetched, what is refused, and that nothing private is ever asked."""

import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tracker.web.admin.page_fetcher import MOST_BYTES, Fetched, NotFetched, fetch, is_public, read_address

CERTIFICATE = Path(__file__).parent / "news_example.pem"
Answer = Callable[[socket.socket, str], None]


class Site:
    """A little server on this machine that notes what it was asked for."""

    def __init__(self, answer: Answer, context: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.context = context
        self.asked: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.origin = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        while True:
            line, _ = self.listener.accept()
            # Whoever asks may leave in the middle of the answer: that is what some of these tests are about.
            with suppress(OSError), line:
                line.settimeout(10)
                if self.context:
                    line = self.context.wrap_socket(line, server_side=True)
                heard = b""
                while b"\r\n\r\n" not in heard:
                    if not (part := line.recv(4096)):
                        break
                    heard += part
                if heard.startswith(b"STOP"):
                    return
                if heard:
                    self.asked.append(heard.decode())
                    self.answer(line, heard.decode())
                line.close()

    def stop(self) -> None:
        self.context = None
        with socket.create_connection(("127.0.0.1", self.port)) as line:
            line.sendall(b"STOP\r\n\r\n")
        self.thread.join()
        self.listener.close()


@pytest.fixture
def site() -> Iterator[Callable[..., Site]]:
    with ExitStack() as stack:

        def make(answer: Answer, context: ssl.SSLContext | None = None) -> Site:
            one = Site(answer, context)
            stack.callback(one.stop)
            return one

        yield make


def sends(body: bytes, *headers: str, status: str = "200 OK", kind: str = "text/html; charset=utf-8") -> Answer:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers])
    return lambda line, _: line.sendall(head.encode() + b"\r\n\r\n" + body)


def leads_to(*addresses: str) -> Answer:
    """Answers each request with the next of these redirects."""
    rest = list(addresses)
    return lambda line, _: line.sendall(
        f"HTTP/1.1 302 Found\r\nLocation: {rest.pop(0)}\r\nContent-Length: 0\r\n\r\n".encode()
    )


def refusal(url: str, **how: Any) -> str:
    with pytest.raises(NotFetched) as caught:
        fetch(url, **how)
    said = str(caught.value)
    assert said.endswith((".", "?"))
    return said


@contextmanager
def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str], to: Site | None = None) -> Iterator[dict[str, Any]]:
    """Names have these addresses, one list for each look-up in turn; connections to public ones reach `to`."""
    seen: dict[str, Any] = {"looked_up": [], "connected": []}
    connect = socket.socket.connect
    rest = list(answers)

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        seen["looked_up"].append(host)
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in (rest.pop(0) if rest else [])
        ]

    def reach(line: socket.socket, address: tuple[str, int]) -> None:
        seen["connected"].append(address)
        assert to, f"Nothing may connect to {address} here."
        connect(line, ("127.0.0.1", to.port))

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", getaddrinfo)
        patched.setattr(socket.socket, "connect", reach)
        yield seen


# --- What is fetched --------------------------------------------------------------------------------------------------


def test_a_page_comes_with_its_policies_and_where_it_was_found(site: Callable[..., Site]) -> None:
    one = site(
        sends(
            "<p>Zürich".encode(), "Content-Security-Policy: default-src 'self'",
            "Content-Security-Policy: frame-src *",
        )
    )  # fmt: skip
    found = fetch(f"{one.origin}/a b?x=ü#part".replace(" ", "%20"), also=[one.origin], agent="Pledgebar/1")
    assert found == Fetched(f"{one.origin}/a%20b?x=%C3%BC", "<p>Zürich", ("default-src 'self'", "frame-src *"))
    assert one.asked[0].startswith("GET /a%20b?x=%C3%BC HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{one.port}\r\n" in one.asked[0]
    assert "User-Agent: Pledgebar/1\r\n" in one.asked[0]
    assert "cookie" not in one.asked[0].lower()
    assert "authorization" not in one.asked[0].lower()


@pytest.mark.parametrize("packing", ["gzip", "identity", "chunked", "until the end"])
def test_a_page_may_be_packed_and_sent_in_pieces(site: Callable[..., Site], packing: str) -> None:
    page = b"<p>" + b"words " * 5000

    def answer(line: socket.socket, _: str) -> None:
        if packing == "chunked":
            pieces = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (page[:100], page[100:], b""))
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces)
        elif packing == "until the end":
            line.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + page)
        else:
            sends(gzip.compress(page) if packing == "gzip" else page, f"Content-Encoding: {packing}")(line, "")

    one = site(answer)
    assert fetch(one.origin, also=[one.origin]).html == page.decode()


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [("text/html; charset=iso-8859-1", b"\xfc", "ü"), ("text/html; charset=nonsense", "ü".encode(), "ü"),
     ("text/html; charset=zip", "ü".encode(), "ü"), ("application/xhtml+xml", b"\xff", "�")],
)  # fmt: skip
def test_letters_are_read_as_the_server_says_they_are_written(
    site: Callable[..., Site], kind: str, body: bytes, text: str
) -> None:
    one = site(sends(body, kind=kind))
    assert fetch(one.origin, also=[one.origin]).html == text


def test_three_redirects_are_followed_and_a_fourth_is_not(site: Callable[..., Site]) -> None:
    last = site(sends(b"here"))
    three = site(leads_to("/2", "//127.0.0.1:{port}/3", f"{last.origin}/end"))
    three.answer = leads_to("/2", f"//127.0.0.1:{three.port}/3", f"{last.origin}/end")
    assert fetch(f"{three.origin}/1", also=[three.origin, last.origin]).url == f"{last.origin}/end"
    loop = site(leads_to(*["/round"] * 9))
    assert "redirects more than 3 times" in refusal(loop.origin, also=[loop.origin])
    assert len(loop.asked) == 4


# --- What is never asked ----------------------------------------------------------------------------------------------

PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::7f00:1", "fe80::1", "fe80::1%eth0",
    "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1",
    "2001:0:7f00:1::", "2001:db8::1", "100::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_no_address_that_is_not_public_is_connected_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_public(address)
    with resolving(monkeypatch, [address]) as seen:
        assert "news.example is not a public address" in refusal("https://news.example/")
    assert seen["connected"] == []


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("private", ["10.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("first", [True, False])
def test_one_private_address_among_public_ones_is_enough_to_refuse(
    private: str, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [private, "93.184.216.34"] if first else ["93.184.216.34", private]
    with resolving(monkeypatch, both) as seen:
        assert "is not a public address" in refusal("http://news.example/")
    assert seen["connected"] == []


def test_a_name_is_looked_up_once_and_the_checked_address_is_the_one_asked(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = site(sends(b"<p>here"))
    # The second answer is what a name server would give that wants us inside.
    with resolving(monkeypatch, ["93.184.216.34"], ["127.0.0.1"], to=one) as seen:
        assert fetch("http://news.example/article").html == "<p>here"
    assert seen == {"looked_up": ["news.example"], "connected": [("93.184.216.34", 80)]}
    assert "Host: news.example\r\n" in one.asked[0]


@pytest.mark.parametrize(
    "address",
    ["http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://017700000001/", "http://0/",
     "http://localhost/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://127.0.0.1./"],
)  # fmt: skip
def test_this_machine_is_not_asked_however_it_is_written(address: str) -> None:
    assert is_refused(refusal(address))


def is_refused(said: str) -> bool:
    return "is not a public address" in said or said.startswith("There is no ")


def test_a_redirect_to_something_private_is_not_followed(
    site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    for target in (
        "http://169.254.169.254/latest/meta-data/",
        "http://inside.example/",
        "//[::1]/",
        "https://127.0.0.1/",
    ):
        one = site(leads_to(target))
        with resolving(monkeypatch, ["93.184.216.34"], ["10.0.0.1"], to=one) as seen:
            assert "is not a public address" in refusal("http://news.example/")
        assert seen["connected"] == [("93.184.216.34", 80)]


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://x/", "http://[", "javascript:alert(1)", "http://u:p@x/"]
)
def test_a_redirect_to_no_page_is_not_followed(site: Callable[..., Site], target: str) -> None:
    one = site(leads_to(target))
    refusal(one.origin, also=[one.origin])
    assert len(one.asked) == 1


@pytest.mark.parametrize(
    "address",
    ["", "news.example/article", "ftp://news.example/", "file:///etc/passwd", "//news.example", "https://", "https:///x",
     "http://a b/", "http://a\tb/", "http://a\\b/", "http://news.example\r\nX: y/", "http://[::1", "http://x:99999/",
     "http://x:y/", "http://[fe80::1%25eth0]/", "http://a..b/", "http://" + "x" * 64 + ".example/", "http://%31/"],
)  # fmt: skip
def test_what_is_no_address_of_a_page_is_refused(address: str) -> None:
    with pytest.raises(NotFetched):
        read_address(address)


@pytest.mark.parametrize(
    "address", ["https://ana@news.example/", "https://ana:secret@news.example/", "https://@x.example/"]
)
def test_an_address_with_a_password_is_refused(address: str) -> None:
    said = refusal(address)
    assert "a name or a password" in said
    assert "secret" not in said


@pytest.mark.parametrize("port", [22, 25, 3306, 5432, 6379, 9200, 65535])
def test_only_ports_of_pages_are_asked(port: int) -> None:
    assert f"not {port}" in refusal(f"http://news.example:{port}/")


def test_names_of_other_scripts_are_asked_for_as_browsers_do() -> None:
    assert read_address("https://BÜCHER.example:443/ä?ö#ü").geturl() == "https://xn--bcher-kva.example/%C3%A4?%C3%B6"


def test_a_name_that_nobody_knows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with resolving(monkeypatch, []):
        assert refusal("https://news.example/") == "There is no news.example: please check the address."


def test_a_name_that_is_not_found_in_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ready.wait(10) and [])
    assert "in time" in refusal("https://news.example/", seconds=0.05)
    ready.set()


def test_a_closed_port_is_said(site: Callable[..., Site]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        origin = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert refusal(origin, also=[origin]) == "Nobody answers at that address."


# --- What is broken off -----------------------------------------------------------------------------------------------


def drips(beginning: bytes, piece: bytes) -> Answer:
    def answer(line: socket.socket, _: str) -> None:
        line.sendall(beginning)
        pause = threading.Event()
        while piece:
            line.sendall(piece)
            pause.wait(0.01)
        # Until the other side has had enough.
        line.recv(1)

    return answer


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [(b"", b""), (b"", b"H"), (b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n"), (b"HTTP/1.1 100 Continue\r\n\r\n" * 3, b""),
     (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", b"x"),
     (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 999999\r\n\r\n", b"x"),
     (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n")],
)  # fmt: skip
def test_a_page_that_drips_is_cut_off(site: Callable[..., Site], beginning: bytes, piece: bytes) -> None:
    one = site(drips(beginning, piece))
    said = refusal(one.origin, also=[one.origin], seconds=0.3)
    assert said == "127.0.0.1 did not send the page in time."


def test_redirects_share_one_time(site: Callable[..., Site]) -> None:
    pause = threading.Event()

    def slowly(line: socket.socket, _: str) -> None:
        pause.wait(0.2)
        leads_to("/again")(line, "")

    one = site(slowly)
    assert "in time" in refusal(one.origin, also=[one.origin], seconds=0.3)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_a_page_that_is_too_large_is_left(site: Callable[..., Site], packed: bool, told: bool) -> None:
    body = b"x" * (MOST_BYTES + 1)
    sent = gzip.compress(body) if packed else body
    length = f"Content-Length: {len(sent)}\r\n" if told else ""
    packing = "Content-Encoding: gzip\r\n" if packed else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{packing}{length}\r\n"
    one = site(lambda line, _: line.sendall(head.encode() + sent))
    assert refusal(one.origin, also=[one.origin]) == "The page is larger than 2 MB."


def test_a_bomb_is_never_unpacked_whole(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000)
    most = 0

    class Watched:
        def __init__(self, *given: Any) -> None:
            self.inside = real(*given)

        def decompress(self, part: bytes, limit: int) -> bytes:
            nonlocal most
            unpacked = self.inside.decompress(part, limit)
            most = max(most, len(unpacked))
            return unpacked

    real = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Watched)
    one = site(sends(bomb, "Content-Encoding: gzip"))
    assert "larger than 2 MB" in refusal(one.origin, also=[one.origin])
    assert 0 < most <= MOST_BYTES + 1


def test_a_page_of_exactly_the_limit_is_taken(site: Callable[..., Site]) -> None:
    one = site(sends(gzip.compress(b"x" * MOST_BYTES), "Content-Encoding: gzip"))
    assert len(fetch(one.origin, also=[one.origin]).html) == MOST_BYTES


@pytest.mark.parametrize(
    "sent",
    [b"", b"hello\r\n\r\n", b"HTTP/1.1 999999 X\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n",
     b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10\r\n\r\nhalf",
     b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf",
     b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\nnot packed",
     b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * 999, mtime=0)[:-20]],
)  # fmt: skip
def test_what_is_no_answer_is_said_in_words(site: Callable[..., Site], sent: bytes) -> None:
    one = site(lambda line, _: line.sendall(sent))
    assert "broke off, or sent something other than a web page" in refusal(one.origin, also=[one.origin])


@pytest.mark.parametrize(
    ("status", "says"),
    [("404 Not Found", "answers 404 at that address. Has the article been published?"), ("403 Forbidden", "behind a paywall"),
     ("500 Oh", "answers 500 at that address."), ("204 No Content", "answers 204"), ("301 Moved", "answers 301")],
)  # fmt: skip
def test_an_answer_that_is_no_page_is_named(site: Callable[..., Site], status: str, says: str) -> None:
    one = site(sends(b"x", status=status))
    with pytest.raises(NotFetched, match=says):
        fetch(one.origin, also=[one.origin])


def test_a_file_or_a_strange_packing_is_named(site: Callable[..., Site]) -> None:
    file = site(sends(b"%PDF", kind="application/pdf"))
    assert "There is a file at that address (application/pdf), not a page" in refusal(file.origin, also=[file.origin])
    packed = site(sends(b"x", "Content-Encoding: br"))
    assert "compresses its page in a way that nobody asked for (br)" in refusal(packed.origin, also=[packed.origin])


# --- Certificates -----------------------------------------------------------------------------------------------------


@pytest.fixture
def secured() -> tuple[ssl.SSLContext, list[str]]:
    """A server's side of https for news.example, and the names that it was asked for."""
    names: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.sni_callback = lambda _, name, __: names.append(name)  # type: ignore[assignment]
    return context, names


def test_https_asks_for_the_name_at_the_checked_address(
    site: Callable[..., Site], secured: tuple[ssl.SSLContext, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, names = secured
    one = site(sends(b"<p>safe"), context)
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with resolving(monkeypatch, ["93.184.216.34"], to=one) as seen:
        assert fetch("https://news.example/").html == "<p>safe"
    assert seen["connected"] == [("93.184.216.34", 443)]
    assert names == ["news.example"]


@pytest.mark.parametrize("name", ["news.example", "other.example"])
def test_a_certificate_that_is_not_valid_is_said(
    site: Callable[..., Site], secured: tuple[ssl.SSLContext, list[str]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    one = site(sends(b"<p>safe"), secured[0])
    if name == "other.example":
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with resolving(monkeypatch, ["93.184.216.34"], to=one):
        assert f"The certificate of {name} is not valid" in refusal(f"https://{name}/")
    assert one.asked == []
