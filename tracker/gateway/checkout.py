"""Opens a Stripe Checkout for a gift, within eight seconds or not at all, and asks what became of one."""

import hashlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import stripe
import structlog

from tracker.gateway.checkout_locale import checkout_locale
from tracker.gateway.client import make_client
from tracker.gateway.fields import Object, id_of, part, text
from tracker.gateway.gift_facts import our_metadata
from tracker.gateway.transport import Call, Transport
from tracker.giving.campaign import Campaign
from tracker.giving.prefill import Prefill
from tracker.giving.tiers import Choice

log = structlog.get_logger()

Answer = TypeVar("Answer")

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 3.2
ALL_SECONDS = 8.0
"""The longest that a donor waits for us. The times above with one repetition stay below it unless Stripe drips."""

# A page of thanks that waits for the answer shows no more than one that has none.
READ_SECONDS = 3.0
READS_AT_ONCE = 2

# What a subscription is after its first month was not paid.
NOT_BEGUN = ("past_due", "unpaid", "canceled", "incomplete_expired", "paused")

LIVES_SECONDS = 3600
STEP_SECONDS = 600


class CheckoutUnavailable(Exception):
    """Stripe could not open a checkout now. `ask_again` says whether the very same request may be repeated as it is.

    It may when the outcome is unknown (no answer came): then Stripe finds the same idempotency key and opens no second
    checkout. After a definite refusal it may not, since Stripe would only play that answer back.
    """

    def __init__(self, why: str, *, ask_again: bool) -> None:
        super().__init__(why)
        self.ask_again = ask_again


@dataclass(frozen=True)
class Order:
    """What a donor wants to give. `nonce` and `shown_at` are of the form that was shown: one form, one checkout."""

    campaign: Campaign
    choice: Choice
    nonce: str
    shown_at: datetime
    source: str = ""
    place: str = ""
    name: str = ""
    message: str = ""
    lang: str = ""
    """The language of the bar that the donor came from, for the way back."""
    newsletter: bool = False
    cover_words: str = "Covers the payment fee"
    """What Stripe's page calls what is added for the fee, in the donor's language."""
    back: str = ""
    """The article that the donor came from, for the page of thanks."""


@dataclass(frozen=True)
class Checkout:
    """What became of a checkout, as Stripe tells it at this moment."""

    state: Literal["paid", "on_its_way", "failed", "expired", "unpaid"]
    """`on_its_way` is a debit that the bank has not answered yet, `failed` one that it refused; `unpaid` is still open."""
    campaign: str
    """The campaign's slug; empty on somebody else's, who uses the same Stripe account."""
    invoice: str
    """The first invoice of a monthly or yearly gift: under its id the money is in the ledger. Else empty."""
    chosen: str
    """What the donor had chosen, as the query of our page's address."""


class Gateway:
    """Stripe, as the app uses it. One for each process, made after forking."""

    def __init__(
        self, key: str, *, api_base: str, public_url: str, newsroom: str, at_once: int, version: str, mark: str = ""
    ) -> None:
        self.public_url = public_url
        self.newsroom = newsroom
        self.mark = mark
        self._transport = Transport(CONNECT_SECONDS, ANSWER_SECONDS)
        # One repetition is what fits into the time that a donor waits.
        client = make_client(key, api_base=api_base, version=version, tries=2, transport=self._transport)
        self._sessions = client.v1.checkout.sessions
        # Threads of its own: whatever hangs, a donor's answer does not wait for it.
        self._pool = ThreadPoolExecutor(at_once + READS_AT_ONCE, thread_name_prefix="stripe")
        self._free = threading.BoundedSemaphore(at_once)
        self._free_to_read = threading.BoundedSemaphore(READS_AT_ONCE)

    def open_checkout(self, order: Order, now: datetime) -> str:
        """The address of Stripe's page for this gift. Raises CheckoutUnavailable within ALL_SECONDS."""
        params = session_params(order, self.public_url, self.newsroom, now, self.mark)
        call, asked = self._ask(self._free, self._create, params, _idempotency_key(order, params))
        try:
            return call.wait(asked, ALL_SECONDS)
        except TimeoutError:
            log.warning("stripe.too_slow", campaign=order.campaign.slug)
            raise CheckoutUnavailable("Stripe took too long", ask_again=True) from None
        except stripe.APIConnectionError as error:
            log.warning("stripe.no_answer", campaign=order.campaign.slug, error=type(error).__name__)
            raise CheckoutUnavailable("Stripe did not answer", ask_again=True) from None
        except stripe.StripeError as error:
            # The ids and codes only: messages may quote what a donor typed.
            log.error(
                "stripe.refused",
                campaign=order.campaign.slug,
                error=type(error).__name__,
                status=error.http_status,
                code=error.code,
                param=getattr(error, "param", None),
                request_id=error.request_id,
            )
            # 409 is no refusal: the same request is still under way, as after a double click.
            raise CheckoutUnavailable("Stripe refused", ask_again=error.http_status == 409) from None
        except Exception as error:
            # The SDK itself stumbles over some answers that are not Stripe's, such as those of a proxy in between.
            log.error("stripe.unreadable", campaign=order.campaign.slug, error=type(error).__name__)
            raise CheckoutUnavailable("Stripe's answer could not be read", ask_again=False) from None

    def read_checkout(self, session_id: str) -> Checkout | None:
        """What became of a checkout; None when Stripe has none of that id. Raises CheckoutUnavailable within READ_SECONDS."""
        call, asked = self._ask(self._free_to_read, self._retrieve, session_id)
        try:
            return call.wait(asked, READ_SECONDS)
        except Exception as error:
            if isinstance(error, stripe.InvalidRequestError) and error.http_status == 404:
                return None
            # Whatever it is, the page of thanks does without.
            log.warning("stripe.checkout_not_read", error=type(error).__name__)
            raise CheckoutUnavailable("Stripe did not say", ask_again=True) from None

    def close(self) -> None:
        """Waits for what is being asked; nothing can be asked afterwards."""
        self._pool.shutdown()

    def _ask(
        self, free: threading.BoundedSemaphore, question: Callable[..., Answer], *about: Any
    ) -> tuple[Call, Future[Answer]]:
        """Begins to ask, in a place that is free until it is over. Raises RuntimeError once closed."""
        if not free.acquire(blocking=False):
            # No queue: whoever waited behind a stuck Stripe would hold a thread that the bar needs.
            raise CheckoutUnavailable("too many are waiting for Stripe", ask_again=True)
        call = Call()
        try:
            asked = self._pool.submit(call.make, question, *about)
        except BaseException:
            free.release()
            raise
        asked.add_done_callback(lambda _: free.release())
        return call, asked

    def _retrieve(self, session_id: str) -> Checkout:
        # What a session says of a delayed payment is `unpaid` before the bank answers and after it refused.
        params: Any = {"expand": ["payment_intent", "subscription"]}
        session = self._sessions.retrieve(session_id, params, {"max_network_retries": 0})
        return read_session(session.to_dict(), self.public_url, self.mark)

    def _create(self, params: Any, idempotency_key: str) -> str:
        # The key belongs among the options: among the parameters it would be sent as a field and protect nothing.
        session = self._sessions.create(params, {"idempotency_key": idempotency_key})
        address = getattr(session, "url", None)
        if not isinstance(address, str) or not address.startswith(("https://", "http://")):
            raise stripe.APIError("the session has no address", http_status=502)
        return address


def session_params(order: Order, public_url: str, newsroom: str, now: datetime, mark: str = "") -> dict[str, Any]:
    """What we ask Stripe for: hosted Checkout in payment or subscription mode, with our metadata in both places.

    Metadata on the session alone would be lost: refunds show the payment intent's, renewals the subscription's.
    """
    campaign, choice = order.campaign, order.choice
    regular = choice.frequency != "once"
    page = f"{public_url}/c/{campaign.slug}"
    # What the page of thanks is to know: its address ends with it, after the session's id.
    on = Prefill(lang=order.lang, back=order.back).query(campaign.currency)
    metadata = _metadata(order, mark)
    lines = [_line(order, f"{campaign.title} ({newsroom})" if newsroom else campaign.title, choice.amount)]
    if choice.cover:
        lines.append(_line(order, order.cover_words, choice.cover))
    about = {"metadata": metadata, "description": campaign.title}
    return {
        "mode": "subscription" if regular else "payment",
        "submit_type": "donate",
        "line_items": lines,
        "metadata": metadata,
        "subscription_data" if regular else "payment_intent_data": about,
        # Otherwise a donor may pay in another currency, at a rate that makes the goal's sum a guess.
        "adaptive_pricing": {"enabled": False},
        "success_url": f"{page}/thanks?session_id={{CHECKOUT_SESSION_ID}}" + (f"&{on}" if on else ""),
        "cancel_url": f"{page}?{_chosen(order).query(campaign.currency)}&cancelled=1",
        "expires_at": _expires_at(order.shown_at, now),
        "locale": checkout_locale(order.lang or campaign.locale),
        **({"custom_text": {"submit": {"message": campaign.checkout_words}}} if campaign.checkout_words else {}),
    }


def _line(order: Order, name: str, amount: int) -> dict[str, Any]:
    frequency = order.choice.frequency
    price: dict[str, Any] = {
        "currency": order.campaign.currency.lower(),
        "unit_amount": amount,
        "product_data": {"name": name},
    }
    if frequency != "once":
        price["recurring"] = {"interval": frequency}
    return {"quantity": 1, "price_data": price}


def read_session(session: Object, public_url: str, mark: str) -> Checkout:
    """What a session tells, with its payment intent and its subscription expanded. `mark` is this installation's."""
    metadata = our_metadata(session, mark) or {}
    # Only a link that leads back to our own pages is one of ours.
    back = text(session.get("cancel_url"))
    return Checkout(
        state=_state(session),
        campaign=text(metadata.get("campaign"))[:60],
        invoice=id_of(session.get("invoice")),
        chosen=urlsplit(back).query if back.startswith(f"{public_url}/c/") else "",
    )


def _state(session: Object) -> Literal["paid", "on_its_way", "failed", "expired", "unpaid"]:
    if session.get("payment_status") == "paid":
        return "paid"
    if session.get("status") == "expired":
        return "expired"
    if session.get("status") != "complete":
        return "unpaid"
    # A delayed payment: what it pays by tells what the bank has answered.
    refused = part(session, "payment_intent").get("status") in ("requires_payment_method", "canceled")
    # Until the bank has answered for its first month, a subscription is active.
    not_begun = part(session, "subscription").get("status") in NOT_BEGUN
    return "failed" if refused or not_begun else "on_its_way"


def _chosen(order: Order) -> Prefill:
    """What the way back must not lose. Name and message are never in an address, which servers write into their logs."""
    choice = order.choice
    return Prefill(choice.frequency, choice.amount, order.source, order.place, order.lang, choice.cover > 0, order.back)


def _metadata(order: Order, mark: str) -> dict[str, str]:
    """How we know a payment as ours, and all that the ledger needs to know of it."""
    metadata = {
        "pledgebar": "1",
        # Two installations on one account, such as a live one and a copy for trying things out, stay apart by it.
        "instance": mark,
        "campaign": order.campaign.slug,
        "frequency": order.choice.frequency,
        "tier": order.choice.tier,
        "cover": str(order.choice.cover or ""),
        "src": order.source,
        "pos": order.place,
        "name": order.name,
        "message": order.message,
        "newsletter": "yes" if order.newsletter else "",
    }
    return {name: value for name, value in metadata.items() if value}


def _expires_at(shown_at: datetime, now: datetime) -> int:
    """An hour after the form was shown, moved on in steps of ten minutes for a form that stood open for longer.

    In steps, because the same idempotency key must come with the same parameters: a double click asks twice within
    the same step, and so gets one checkout. The checkout lives for fifty to sixty minutes; Stripe's least is thirty.
    """
    stood_open = max(0, int((now - shown_at).total_seconds())) // STEP_SECONDS * STEP_SECONDS
    return int(shown_at.timestamp()) + stood_open + LIVES_SECONDS


def _idempotency_key(order: Order, params: dict[str, Any]) -> str:
    """One for each form shown and what was chosen on it: the way back and another amount is another checkout."""
    asked = json.dumps(params, sort_keys=True).encode()
    return "give-" + hashlib.sha256(order.nonce.encode() + b"\0" + asked).hexdigest()[:48]
