"""Plays a planned history through the sandbox."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from tracker.demo.sample_history import Act


def play(
    acts: Sequence[Act],
    sandbox: Any,
    session_params: Callable[[Act], Any],
    ids: dict[str, dict[str, str]] | None = None,
    close: Callable[[Act], None] = lambda act: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Does each act in the sandbox with its clock set to that moment, and then lets the clock go.

    `ids` holds the sandbox's ids of each donor's objects from an earlier part. `close` does what the newsroom does
    without Stripe: it closes a month.
    """
    ids = {} if ids is None else ids
    try:
        for done, act in enumerate(acts, start=1):
            sandbox.set_clock(act.at)
            if act.do == "close":
                close(act)
            else:
                perform(act, sandbox, session_params, ids.setdefault(act.donor, {}))
            progress(done, len(acts))
    finally:
        sandbox.set_clock(None)


def perform(act: Act, sandbox: Any, session_params: Callable[[Act], Any], ids: dict[str, str]) -> None:
    """One act; `ids` are what the sandbox has called this donor's payment, subscription and dispute."""
    match act.do:
        case "give":
            session = sandbox.create_checkout_session(session_params(act))
            with may_be_refused(act):
                paid = sandbox.pay(session["id"], email=act.email, name=act.name or "A supporter", card=act.card)
                ids.update({kind: paid[kind] for kind in ("payment_intent", "subscription") if paid.get(kind)})
        case "renew":
            with may_be_refused(act):
                sandbox.renew(ids["subscription"])
        case "cancel":
            sandbox.cancel_subscription(ids["subscription"])
        case "refund":
            sandbox.refund(payment_intent=ids["payment_intent"], amount=act.amount)
        case "dispute":
            ids["dispute"] = sandbox.open_dispute(ids["payment_intent"], reason="fraudulent")["id"]
        case "payout":
            sandbox.pay_out()
        case "dispute_won" | "dispute_lost":
            sandbox.close_dispute(ids["dispute"], won=act.do == "dispute_won")


def may_be_refused(act: Act) -> AbstractContextManager[object]:
    """Lets a refusal of the cards that are there to be refused pass; how the sandbox says so is its own affair."""
    return nullcontext() if act.is_gift else suppress(Exception)
