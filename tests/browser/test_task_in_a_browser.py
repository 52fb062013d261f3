"""The task against card testing, solved by a browser: nobody who gives has to do anything for it."""

from collections.abc import Callable, Iterator

import pytest
from actors import WEBHOOK_SECRET
from browser.walking import Visitor, arrives, button, choose, press_give, session_of, wait_until
from faults.server import Server, open_newsroom, running
from playwright.sync_api import Page, expect
from serving import serving_sandbox

from tracker import create_app
from tracker.ledger import checkout_counts, store
from tracker.ledger.store import writing
from tracker.sandbox.account import Sandbox
from tracker.settings import read_settings

Visitors = Callable[..., Visitor]


class Newsroom:
    """A server with the limits as shipped, but for one checkout from one address without a task."""

    def __init__(self, server: Server, sandbox: Sandbox) -> None:
        self.server, self.sandbox = server, sandbox
        self.page = f"http://127.0.0.1:{server.port}/c/newsroom"

    def asks(self, switch: str) -> None:
        app = create_app(read_settings(self.server.environ), background=False)
        with app.app_context(), writing() as session:
            checkout_counts.set_switch(session, "newsroom", False, switch)  # type: ignore[arg-type]
        store.close(app)
        wait_until(lambda: ('id="proof"' in self.server.get("/c/newsroom")[1]) is (switch == "on"))

    def opened(self) -> int:
        return len(list(self.sandbox.store.newest("checkout.session")))


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:
    folder = tmp_path_factory.mktemp("newsroom")
    with serving_sandbox() as sandbox:
        environ = {
            "TRACKER_INSTANCE": str(folder),
            "TRACKER_SECRET_KEY": "a secret for tests, long enough to keep one",
            "TRACKER_GIVE_LIMIT": "1 per hour",
            "STRIPE_SECRET_KEY": "sk_test_123",
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_API_BASE": sandbox.public_url,
        }
        server = Server(environ, folder / "log")
        server.environ["TRACKER_PUBLIC_URL"] = f"http://127.0.0.1:{server.port}"
        open_newsroom(server.environ)
        with running(server):
            yield Newsroom(server, sandbox)


# The server takes seconds to notice: the tests that need it asked stand after those that need it not asked.
@pytest.fixture(scope="module")
def under_attack(newsroom: Newsroom) -> Newsroom:
    newsroom.asks("on")
    return newsroom


def is_asked(page: Page) -> bool:
    return page.locator("#proof").count() == 1


def test_the_second_donor_behind_one_address_presses_once_and_is_at_stripe(
    newsroom: Newsroom, visitor: Visitors
) -> None:
    for number in range(3):
        page = visitor().page
        page.goto(newsroom.page)
        assert not is_asked(page)
        page.wait_for_timeout(1100)
        choose(page, "50 $")
        press_give(page)
        arrives(page, f"{newsroom.sandbox.public_url}/pay/")
        assert newsroom.sandbox.store.rows[session_of(page)].body["amount_total"] == 5000
        assert newsroom.opened() == number + 1


def test_whoever_changes_the_amount_meanwhile_presses_once_more(newsroom: Newsroom, visitor: Visitors) -> None:
    donor = visitor()
    page = donor.page
    page.goto(newsroom.page)
    page.wait_for_timeout(1100)
    donor.context.add_init_script("window.Worker = class { postMessage() {} terminate() {} };")
    press_give(page)
    expect(page.get_by_role("status")).to_be_visible()
    expect(page.locator(".faults")).to_be_hidden()
    choose(page, "100 $")
    expect(page.get_by_role("status")).to_be_hidden()
    expect(page.locator(".faults")).to_be_visible()
    assert button(page) == "Give 100 $"


def test_its_script_finds_what_sha_256_says(newsroom: Newsroom, visitor: Visitors) -> None:
    """With texts of every length around a block, and the rarest of numbers."""
    page = visitor().page
    page.goto(newsroom.page)
    script = page.request.get(f"{newsroom.page.removesuffix('/c/newsroom')}/static/proof.js").text()
    solver = script[script.index("const FIRST") : script.index("// --- The worker")]
    found = page.evaluate(
        """async ([source]) => {
            const solver = new Function(source + "; return solver")();
            const hex = bytes => [...new Uint8Array(bytes)].map(byte => byte.toString(16).padStart(2, "0")).join("");
            const wrong = [];
            for (let length = 0; length < 140; length++) {
                const salt = "abcdefghij".repeat(14).slice(0, length);
                const number = [0, 9, 10, 2047, 4321][length % 5];
                const challenge = hex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(salt + number)));
                if (solver({ challenge, salt, maxnumber: 5000 })(Infinity) !== number) wrong.push(length);
            }
            return wrong;
        }""",
        [solver],
    )
    assert found == []


def test_it_is_solved_while_the_donor_reads_and_no_press_is_lost(under_attack: Newsroom, visitor: Visitors) -> None:
    for reads in (False, True):
        page = visitor().page
        page.goto(under_attack.page)
        assert is_asked(page)
        if reads:
            expect(page.locator("#proof")).not_to_have_value("")
            # No sooner is a form taken.
            page.wait_for_timeout(1400)
        choose(page, "25 $")
        press_give(page)
        arrives(page, f"{under_attack.sandbox.public_url}/pay/")


def test_whoever_presses_too_early_reads_what_goes_on(under_attack: Newsroom, visitor: Visitors) -> None:
    donor = visitor()
    # A machine on which it takes for ever.
    donor.context.add_init_script("window.Worker = class { postMessage() {} terminate() {} };")
    donor.page.goto(under_attack.page)
    press_give(donor.page)
    expect(donor.page.get_by_role("status")).to_have_text(
        "One moment: we are making sure that a person is giving. This goes on by itself."
    )


def test_the_back_button_and_another_amount(under_attack: Newsroom, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(under_attack.page)
    press_give(page)
    arrives(page, f"{under_attack.sandbox.public_url}/pay/")
    first = session_of(page)
    page.go_back()
    arrives(page, under_attack.page)
    page.wait_for_timeout(1100)
    choose(page, "100 $")
    press_give(page)
    arrives(page, f"{under_attack.sandbox.public_url}/pay/")
    assert session_of(page) != first
    assert under_attack.sandbox.store.rows[session_of(page)].body["amount_total"] == 10_000


def test_a_suggestion_is_taken_with_one_press(under_attack: Newsroom, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(under_attack.page)
    page.locator("#other_amount").fill("12,5")
    page.wait_for_timeout(1100)
    press_give(page)
    arrives(page, f"{under_attack.page}/give")
    page.get_by_role("button", name="Yes, give").first.click()
    arrives(page, f"{under_attack.sandbox.public_url}/pay/")
    assert under_attack.sandbox.store.rows[session_of(page)].body["amount_total"] == 1250


@pytest.mark.parametrize(
    "broken",
    [
        "delete window.Worker",
        "window.Worker = class { constructor() { throw new Error('no workers here') } };",
        "window.Worker = class { postMessage() { setTimeout(() => this.onerror(new Event('error'))) } terminate() {} };",
    ],
)
def test_a_browser_without_workers_solves_it_as_well(under_attack: Newsroom, visitor: Visitors, broken: str) -> None:
    donor = visitor()
    donor.context.add_init_script(broken)
    donor.page.goto(under_attack.page)
    press_give(donor.page)
    arrives(donor.page, f"{under_attack.sandbox.public_url}/pay/")


def test_without_a_script_the_page_says_what_to_do(under_attack: Newsroom, visitor: Visitors) -> None:
    page = visitor(java_script_enabled=False).page
    page.goto(under_attack.page)
    # Chromium made to run no scripts does not show it; browsers that run none do.
    assert "your browser has to solve a small task, which needs JavaScript" in page.locator("noscript").inner_html()
    page.wait_for_timeout(1100)
    press_give(page)
    # Beyond what one address may open.
    expect(page.get_by_text("Too many attempts. Please try again in")).to_be_visible()
    expect(page.get_by_text("Your choice is kept below.")).to_be_visible()
