"""Giving from the article to the thanks and back, as people do it."""

from collections.abc import Callable

import pytest
from browser.walking import (
    DECLINED_CARD,
    FAILING_IBAN,
    SLOW_IBAN,
    Demo,
    Visitor,
    amounts,
    arrives,
    bars,
    button,
    called,
    choose,
    pay,
    pay_by_debit,
    press_give,
    sees_it_arrive,
    session_of,
    sign_in,
    wait_until,
)
from playwright.sync_api import Page, expect

Visitors = Callable[..., Visitor]


def raised_in_admin(page: Page, demo: Demo) -> tuple[str, str]:
    """This month's raised and monthly amounts, from the editor's table."""
    sign_in(page, demo)
    page.goto(f"{demo.admin}c/newsroom/")
    cells = page.locator(".figures tbody tr").first.locator("td").all_inner_texts()
    heads = page.locator(".figures thead th").all_inner_texts()[1:]
    row = dict(zip(heads, cells, strict=True))
    return row["Raised"], row["Monthly"]


def in_cents(words: str) -> int:
    return 0 if words == "–" else round(float(words.replace(",", "").removesuffix("$")) * 100)


def test_ten_dollars_from_the_article_move_both_bars_and_every_page_and_leave_nothing_in_the_browser(
    demo: Demo, visitor: Visitors
) -> None:
    donor = visitor()
    page = donor.page
    before = demo.bar()
    page.goto(demo.article)
    assert amounts(page) == [before["labels"]["raised"]] * 2
    bars(page)[0].get_by_role("link", name="Support us").click()
    arrives(page, f"{demo.page_url}?")  # out of the frame, with the article it came from
    assert "src=harbour-ferry&pos=top&back=" in page.url
    choose(page, "Once")
    choose(page, "10 $")
    assert button(page) == "Give 10 $"
    press_give(page)
    arrives(page, f"{demo.sandbox}/pay/")
    expect(page.locator(".amount")).to_have_text("$10.00")
    pay(page)
    sees_it_arrive(page)
    demo.comes_to(before["raised"] + 1000)
    after = demo.bar()
    assert after["gifts"] == before["gifts"] + 1
    words = after["labels"]["raised"]
    assert page.locator(".sum strong").inner_text() == words
    page.goto(demo.article)
    assert amounts(page) == [words] * 2
    storage = "[localStorage.length, sessionStorage.length]"
    assert [frame.evaluate(storage) for frame in bars(page)] == [[0, 0], [0, 0]]
    page.goto(f"{demo.page_url}/months")
    assert page.evaluate(storage) == [0, 0]
    # Its column has two decimals on every line as soon as one month has cents.
    assert in_cents(page.locator("tbody tr").first.locator("strong").inner_text()) == in_cents(words)
    assert donor.context.cookies() == []
    assert in_cents(raised_in_admin(visitor().page, demo)[0]) == in_cents(words)


def test_a_monthly_gift_says_so_on_the_button_and_stands_under_monthly(demo: Demo, visitor: Visitors) -> None:
    editor, page = visitor().page, visitor().page
    monthly_before = in_cents(raised_in_admin(editor, demo)[1])
    before = demo.raised()
    page.goto(demo.page_url)
    choose(page, "Every month")
    choose(page, "10 $")
    assert button(page) == "Give 10 $ every month"
    press_give(page)
    expect(page.locator(".what")).to_contain_text("per month")
    pay(page)
    sees_it_arrive(page)
    demo.comes_to(before + 1000)
    page.goto(demo.article)
    assert amounts(page) == [demo.bar()["labels"]["raised"]] * 2
    assert in_cents(raised_in_admin(editor, demo)[1]) == monthly_before + 1000


def test_a_declined_card_says_why_and_the_second_card_moves_the_bar_once(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    before = demo.raised()
    page.goto(demo.page_url)
    choose(page, "10 $")
    press_give(page)
    pay(page, DECLINED_CARD)
    expect(page.get_by_role("alert")).to_contain_text("declined")
    assert "/pay/" in page.url
    assert page.get_by_label("Email").input_value() == "donor@example.org"
    assert demo.raised() == before
    pay(page)
    sees_it_arrive(page)
    demo.comes_to(before + 1000)


@pytest.fixture(scope="module")
def debit(demo: Demo) -> str:
    """The page of a campaign in euros, which debits are in."""
    demo.tracker(
        "campaign", "set", "debit", "--title", "For the debit", "--currency", "EUR", "--goal", "5000", "--once", "10,25"
    )
    return f"{demo.app}/c/debit"


def test_a_direct_debit_is_on_its_way_first_and_moves_the_bar_later(demo: Demo, debit: str, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(debit)
    press_give(page)
    pay_by_debit(page, SLOW_IBAN)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Confirming your gift")
    assert demo.raised("debit") == 0
    late = visitor().page
    late.goto(f"{debit}/thanks?session_id={session_of(page)}&look=12")
    expect(late.locator(".lead")).to_contain_text("on its way")
    demo.lever("due")  # the bank is done
    sees_it_arrive(page)
    demo.comes_to(1000, "debit")
    late.reload()
    expect(late.locator(".lead")).to_contain_text("has arrived")


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without a script"])
def test_a_debit_that_failed_is_said_and_can_be_tried_again_with_what_was_chosen(
    demo: Demo, debit: str, visitor: Visitors, script: bool
) -> None:
    page = visitor(java_script_enabled=script).page
    page.goto(f"{debit}?src=ferry&pos=top")
    choose(page, "Other")
    page.locator("#other_amount").fill("12.50")
    page.get_by_text("Add your name or a message").click()
    page.get_by_label("Name to show").fill("Ada Quill")
    press_give(page)
    pay_by_debit(page, FAILING_IBAN)
    demo.lever("due")  # the bank is done
    # Without anybody's doing: the page asks Stripe once the hook has had its time.
    expect(page.get_by_role("heading", level=1)).to_have_text("The payment did not go through", timeout=20_000)
    page.get_by_role("link", name="Try again").click()
    arrives(page, f"{debit}?frequency=once&amount=12.50&src=ferry&pos=top")
    assert page.locator("#other_amount").input_value() == "12.50"
    assert page.locator("#once-other").is_checked()
    # The name is in no address: only a script can have kept it.
    assert page.locator("#name").input_value() == ("Ada Quill" if script else "")


def test_an_amount_of_ones_own_is_given_to_the_cent(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(demo.page_url)
    page.get_by_label("Other amount").fill("12.50")
    assert page.locator("#once-other").is_checked()
    assert button(page) == "Give 12.50 $"
    choose(page, "Every month")
    assert button(page) == "Give 12.50 $ every month"
    page.get_by_label("Other amount").fill("12,5")  # which is asked about
    assert button(page) == "Give this amount every month"
    choose(page, "Once")
    page.get_by_label("Other amount").fill("12.50")
    press_give(page)
    arrives(page, "/pay/")
    expect(page.locator(".amount")).to_have_text("$12.50")
    page.get_by_role("link", name="Cancel and go back").click()
    arrives(page, demo.page_url)


@pytest.mark.parametrize(
    ("typed", "words"),
    [("12,5", "Did you mean 12.50"), ("1", "The smallest gift is 2 $"), ("ten", "could not read")],
)
def test_an_amount_that_cannot_be_taken_is_kept_and_asked_about(
    demo: Demo, visitor: Visitors, typed: str, words: str
) -> None:
    page = visitor().page
    page.goto(demo.page_url)
    page.get_by_label("Other amount").fill(typed)
    with page.expect_response("**/give") as answer:
        press_give(page)
    assert answer.value.status == 422
    field = page.get_by_label("Other amount")
    assert field.input_value() == typed
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text(words)
    assert page.title().startswith("Please check: ")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#other_amount_wrong")).to_contain_text(words)
    summary.get_by_role("link").click()
    expect(field).to_be_focused()
    field.fill("12.50")
    press_give(page)
    arrives(page, "/pay/")


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without a script"])
def test_what_was_probably_meant_is_taken_with_one_press(demo: Demo, visitor: Visitors, script: bool) -> None:
    page = visitor(360, 640, java_script_enabled=script).page
    page.goto(demo.page_url)
    choose(page, "Every month")
    choose(page, "Other")
    page.locator("#other_amount").fill("12,5")
    press_give(page)
    take = page.get_by_role("alert").get_by_role("button", name="Yes, give 12.50 $")
    # At hand on the first screen of a small phone, and beside the field.
    expect(take).to_be_in_viewport()
    expect(page.locator(".choice").get_by_role("button", name="Yes, give 12.50 $")).to_be_visible()
    # Another amount and the Enter key do not take it.
    page.locator("#other_amount").fill("1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The smallest gift is 2 $")
    page.locator("#other_amount").fill("12,5")
    press_give(page)
    take.click()
    arrives(page, "/pay/")
    expect(page.locator(".amount")).to_have_text("$12.50")
    expect(page.locator(".what")).to_contain_text("per month")


def test_without_a_script_an_amount_typed_beside_a_chosen_one_is_asked_about(demo: Demo, visitor: Visitors) -> None:
    page = visitor(java_script_enabled=False).page
    page.goto(demo.page_url)
    choose(page, "50 $")
    page.locator("#other_amount").fill("12.50")
    press_give(page)
    expect(page.get_by_role("alert")).to_contain_text("You chose one amount and typed another")
    assert page.locator("#once-other").is_checked()
    assert page.locator("#other_amount").input_value() == "12.50"


def test_with_a_script_the_last_choice_is_the_only_one(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(demo.page_url)
    page.get_by_label("Other amount").fill("12.50")
    choose(page, "50 $")
    assert page.get_by_label("Other amount").input_value() == ""
    choose(page, "Other")
    expect(page.get_by_label("Other amount")).to_be_focused()


def fill_in_everything(page: Page) -> None:
    """Twelve fifty a month, with a name and a message."""
    choose(page, "Every month")
    choose(page, "Other")
    page.locator("#other_amount").fill("12.50")
    page.get_by_text("Add your name or a message").click()
    page.get_by_label("Name to show").fill("Ada Quill")
    page.get_by_label("Message").fill("For the harbour news.")


def filled_in(page: Page) -> dict[str, str | bool]:
    fields = {
        name: page.locator(f"#{name}").input_value() for name in ("other_amount", "name", "message", "src", "pos")
    }
    return fields | {
        "monthly": page.locator("#f-month").is_checked(),
        "other": page.locator("#month-other").is_checked(),
    }


EVERYTHING = {
    "other_amount": "12.50", "name": "Ada Quill", "message": "For the harbour news.", "src": "harbour-ferry", "pos": "top",
    "monthly": True, "other": True,
}  # fmt: skip


def test_a_checkout_that_was_cancelled_keeps_everything_and_the_second_try_is_booked_with_its_article(
    demo: Demo, visitor: Visitors
) -> None:
    donor = visitor()
    page, asked = donor.page, list[str]()
    donor.context.on("request", lambda request: asked.append(request.url))
    page.goto(demo.article)
    bars(page)[0].get_by_role("link", name="Support us").click()
    arrives(page, f"{demo.page_url}?")
    fill_in_everything(page)
    press_give(page)
    arrives(page, "/pay/")
    first = session_of(page)
    page.get_by_role("link", name="Cancel and go back").click()
    arrives(page, f"{demo.page_url}?")
    assert filled_in(page) == EVERYTHING
    assert button(page) == "Give 12.50 $ every month"
    expect(page.locator(".note")).to_have_text("You have not been charged. Your amount is kept.")
    press_give(page)
    arrives(page, "/pay/")
    second = session_of(page)
    assert second != first
    assert demo.checkout(second)["metadata"] == demo.checkout(first)["metadata"]
    assert demo.checkout(second)["metadata"]["src"] == "harbour-ferry"
    # Name and message stand in no address, which servers write into their logs, and are gone once the gift is there.
    assert not [url for url in asked if "Quill" in url or "harbour+news" in url or "harbour%20news" in url]
    pay(page)
    sees_it_arrive(page)
    assert page.evaluate("sessionStorage.length") == 0
    page.goto(demo.page_url)
    assert page.locator("#name").input_value() == ""


def test_without_a_script_a_cancelled_checkout_keeps_what_it_says_it_keeps(demo: Demo, visitor: Visitors) -> None:
    page = visitor(java_script_enabled=False).page
    page.goto(f"{demo.page_url}?src=harbour-ferry&pos=top")
    fill_in_everything(page)
    press_give(page)
    arrives(page, "/pay/")
    page.get_by_role("link", name="Cancel and go back").click()
    arrives(page, f"{demo.page_url}?")
    assert filled_in(page) == EVERYTHING | {"name": "", "message": ""}
    expect(page.locator(".note")).to_have_text("You have not been charged. Your amount is kept.")


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without a script"])
def test_the_back_button_and_a_refused_form_keep_everything(demo: Demo, visitor: Visitors, script: bool) -> None:
    page = visitor(java_script_enabled=script).page
    page.goto(f"{demo.page_url}?src=harbour-ferry&pos=top")
    fill_in_everything(page)
    press_give(page)
    arrives(page, "/pay/")
    page.go_back()
    expect(page.locator("#give .press")).to_be_enabled()
    assert filled_in(page) == EVERYTHING
    page.locator("#other_amount").fill("1")
    press_give(page)
    expect(page.get_by_role("alert")).to_contain_text("The smallest gift is 2 $")
    assert filled_in(page) == EVERYTHING | {"other_amount": "1"}
    # The same address again, as a restored tab or the address bar asks for it.
    page.goto(page.url)
    assert page.url.startswith(f"{demo.page_url}?")
    kept = filled_in(page)
    assert (kept["src"], kept["pos"]) == ("harbour-ferry", "top")


def test_a_checkout_that_expired_leads_back_with_what_was_chosen(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(f"{demo.page_url}?src=harbour-ferry&pos=top")
    fill_in_everything(page)
    press_give(page)
    arrives(page, "/pay/")
    expire = f"{demo.sandbox}/v1/checkout/sessions/{session_of(page)}/expire"
    called(expire, b"", {"Authorization": "Bearer sk_test_demo"})
    page.reload()
    page.get_by_role("link", name="Go back").click()
    arrives(page, f"{demo.page_url}?")
    assert filled_in(page) == EVERYTHING


def test_going_back_from_the_payment_page_leads_to_the_campaign_and_a_second_try_works(
    demo: Demo, visitor: Visitors
) -> None:
    page = visitor().page
    before = demo.raised()
    page.goto(demo.page_url)
    press_give(page)
    arrives(page, "/pay/")
    page.get_by_role("link", name="Cancel and go back").click()
    arrives(page, demo.page_url)
    press_give(page)
    arrives(page, "/pay/")
    page.go_back()
    expect(page.locator("#give .press")).to_be_enabled()
    press_give(page)
    arrives(page, "/pay/")
    assert demo.raised() == before


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without a script"])
def test_a_double_click_opens_one_checkout(demo: Demo, visitor: Visitors, script: bool) -> None:
    page = visitor(java_script_enabled=script).page
    page.goto(demo.page_url)
    before = demo.checkouts()
    demo.lever("faults", latency=0.4)
    try:
        page.locator("#give .press").dblclick()
        arrives(page, "/pay/")
    finally:
        demo.lever("faults", latency=0)
    assert len(demo.checkouts() - before) == 1


def test_all_of_giving_works_without_a_script(demo: Demo, visitor: Visitors) -> None:
    page = visitor(java_script_enabled=False).page
    before = demo.raised()
    page.goto(demo.article)
    page.frame_locator(".support iframe >> nth=0").get_by_role("link", name="Support us").click()
    arrives(page, f"{demo.page_url}?")
    choose(page, "Every month")
    choose(page, "20 $")
    assert button(page) == "Give 20 $ every month"
    press_give(page)
    pay(page)
    sees_it_arrive(page)
    demo.comes_to(before + 2000)


def test_a_gift_is_given_with_the_keyboard_alone(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    keys = page.keyboard
    page.goto(demo.page_url)

    def stands_on() -> str:
        # A radio is unseen: its label carries the ring.
        ring = page.evaluate("""() => {
            const at = document.activeElement, shown = at.type === "radio" ? at.nextElementSibling : at;
            const style = getComputedStyle(shown);
            return style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
        }""")
        assert ring >= 2, "The focus is not to be seen."
        return str(page.evaluate("document.activeElement.id || document.activeElement.type"))

    keys.press("Tab")
    assert stands_on() == "f-once"
    keys.press("ArrowRight")
    assert stands_on() == "f-month"
    keys.press("Tab")
    assert stands_on() == "month-1"
    keys.press("ArrowRight")
    assert stands_on() == "month-2"
    keys.press("ArrowRight")
    assert stands_on() == "month-other"  # the arrows never throw anybody out of the group
    keys.press("ArrowRight")
    assert stands_on() == "month-0"
    keys.press("Tab")
    assert stands_on() == "other_amount"
    keys.press("Tab")
    assert stands_on() == "submit"
    assert button(page) == "Give 5 $ every month"
    keys.press("Enter")
    arrives(page, "/pay/")
    expect(page.locator(".amount")).to_have_text("$5.00")


def test_enter_in_the_amount_field_gives(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(demo.page_url)
    page.get_by_label("Other amount").fill("33")
    page.keyboard.press("Enter")
    arrives(page, "/pay/")
    expect(page.locator(".amount")).to_have_text("$33.00")


def test_words_of_a_donor_stand_on_the_page_once_an_editor_lets_them(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(demo.page_url)
    page.get_by_text("Add your name or a message").click()
    page.get_by_label("Name to show").fill("Ada <b>Quill</b>")
    page.get_by_label("Message").fill("For the tide tables.")
    press_give(page)
    pay(page)
    sees_it_arrive(page)
    page.goto(demo.page_url)
    expect(page.get_by_text("For the tide tables.")).to_have_count(0)
    editor = visitor().page
    sign_in(editor, demo)
    editor.goto(f"{demo.admin}c/newsroom/supporters")
    words = editor.locator("li", has_text="For the tide tables.")
    words.get_by_role("button", name="Show on the page").press("Enter")
    # Whoever goes on with the keyboard, or listens, is where they were and hears what happened.
    expect(words.get_by_role("button", name="Take off the page")).to_be_focused()
    expect(words.get_by_role("status")).to_have_text("Now on the page")
    expect(words.get_by_role("button")).to_have_accessible_description("Now on the page")

    def shown() -> bool:
        # Within a second: the page is kept until the look-out has seen that something was written.
        page.reload()
        return page.get_by_text("For the tide tables.").count() == 1

    wait_until(shown)
    expect(page.get_by_text("Ada <b>Quill</b>")).to_be_visible()


def test_the_founding_picture_stands_in_both_frames(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(demo.archive)
    for frame in bars(page):
        assert frame.locator("svg text").all_text_contents() == ["0 $", "2,500 $", "5,000 $"]
        assert frame.locator(".sum strong").inner_text() == "340 $"
        assert frame.locator(".month").inner_text() == "MAY 2021"
        expect(frame.get_by_role("link", name="Support us")).to_be_visible()
