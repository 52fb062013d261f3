"""Stripe's dialect of HTTP: nested form fields in; error bodies, lists and expanded objects out."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

DOCS = "https://stripe.com/docs/error-codes/"
EXPAND_DEPTH = 4  # docs.stripe.com/expand: "expansions have a maximum depth of four levels"


class StripeError(Exception):
    """An answer other than 2xx, as Stripe words it.

    `executed` tells whether the endpoint had begun its work: only then does Stripe keep the answer under the
    idempotency key.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        executed: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.executed = executed
        self.fields: dict[str, Any] = {"type": kind, "message": message}
        if code:
            self.fields |= {"code": code, "doc_url": DOCS + code.replace("_", "-")}
        if param:
            self.fields["param"] = param
        self.fields |= more

    def body(self, request_id: str) -> dict[str, Any]:
        log_url = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": self.fields | {"request_log_url": log_url}}


def missing(kind: str, wanted: str, param: str = "id") -> NoReturn:
    raise StripeError(f"No such {kind}: '{wanted}'", status=404, code="resource_missing", param=param)


# --- in: a[b][c]=v -------------------------------------------------------------------------------------------------


def parse_form(encoded: str) -> dict[str, Any]:
    """The nested parameters of a body or a query.

    Indexed arrays stay dictionaries with digits for keys (`a[0]=x` reads {"a": {"0": "x"}}), because only the
    parameter's type tells an array from metadata whose keys are digits. `a[]=x` can be nothing but an array.
    """
    fields: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        steps = _steps(name)
        place: Any = fields
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            if following is None:
                if step == "" and isinstance(place, list):
                    place.append(value)
                elif isinstance(place, dict):
                    place[step] = value
                else:
                    _misplaced(name)
            else:
                fresh: Any = [] if following == "" else {}
                if not isinstance(place, dict):
                    _misplaced(name)
                place = place.setdefault(step, fresh)
                if not isinstance(place, type(fresh)):
                    _misplaced(name)
    return fields


def _misplaced(name: str) -> NoReturn:
    raise StripeError(f"Invalid request: parameter {name} is given in two different shapes.", param=name)


def _steps(name: str) -> list[str]:
    """`a[b][]` is a, b and the empty step. A name that is not nested properly is one step as it stands."""
    head, bracket, rest = name.partition("[")
    if not bracket or not head or not rest.endswith("]"):
        return [name]
    return [head, *rest[:-1].split("][")]


# --- out: lists ----------------------------------------------------------------------------------------------------


def page(
    url: str,
    rows: list[dict[str, Any]],
    params: Mapping[str, Any],
    exists: Callable[[str], bool] = lambda wanted: False,
) -> dict[str, Any]:
    """One page of `rows`, which come newest first."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        low = limit < 1
        rule = "greater than or equal to 1" if low else "less than or equal to 100"
        raise StripeError(f"This value must be {rule}.", code="parameter_invalid_integer", param="limit")
    after, before = params.get("starting_after"), params.get("ending_before")
    if after and before:
        raise StripeError(
            "Received both starting_after and ending_before parameters. Please pass in only one.",
            code="parameters_exclusive",
            param="starting_after",
        )
    if after:
        rows = rows[_cursor(rows, after, "starting_after", exists) + 1 :]
    more = len(rows) > limit
    if before:
        rows = rows[: _cursor(rows, before, "ending_before", exists)]
        more = len(rows) > limit
        rows = rows[-limit:]
    return {"object": "list", "url": url, "has_more": more, "data": rows[:limit]}


def _cursor(rows: list[dict[str, Any]], wanted: str, param: str, exists: Callable[[str], bool]) -> int:
    for position, row in enumerate(rows):
        if row["id"] == wanted:
            return position
    if exists(wanted):  # a real object that the filters leave out: nothing lies beyond it
        return len(rows) if param == "starting_after" else 0
    raise StripeError(f"No such object: '{wanted}'", code="resource_missing", param=param)


def within(value: int, bounds: Any) -> bool:
    """Whether a time satisfies `created=5` or `created[gte]=5`."""
    if isinstance(bounds, Mapping):
        tests: dict[str, Callable[[int], bool]] = {
            "gt": lambda bound: value > bound,
            "gte": lambda bound: value >= bound,
            "lt": lambda bound: value < bound,
            "lte": lambda bound: value <= bound,
        }
        return all(tests[name](bound) for name, bound in bounds.items())
    return bool(value == bounds)


# --- out: expansion ------------------------------------------------------------------------------------------------

# What may be expanded, by object. A dotted entry lies inside a plain nested hash.
EXPANDABLE: dict[str, frozenset[str]] = {
    "balance_transaction": frozenset({"source"}),
    "billing_portal.session": frozenset({"configuration", "customer"}),
    "charge": frozenset(
        {
            "balance_transaction", "customer", "failure_balance_transaction", "payment_intent", "refunds", "review",
            "application", "on_behalf_of", "transfer", "application_fee", "source_transfer",
        }
    ),
    "checkout.session": frozenset(
        {
            "customer", "invoice", "line_items", "payment_intent", "payment_link", "setup_intent", "subscription",
            "consent_collection",
        }
    ),
    "customer": frozenset(
        {"subscriptions", "test_clock", "default_source", "invoice_settings.default_payment_method"}
    ),
    "discount": frozenset({"customer", "source.coupon"}),
    "dispute": frozenset({"charge", "payment_intent"}),
    "invoice": frozenset(
        {
            "customer", "payments", "default_payment_method", "test_clock", "default_source", "latest_revision",
            "parent.subscription_details.subscription", "on_behalf_of",
        }
    ),
    "invoice_payment": frozenset({"invoice", "payment.payment_intent", "payment.charge"}),
    "item": frozenset({"price.product"}),
    "line_item": frozenset({"pricing.price_details.price", "subscription"}),
    "payment_intent": frozenset({"customer", "latest_charge", "payment_method", "review", "on_behalf_of"}),
    "payment_method": frozenset({"customer"}),
    "payout": frozenset({"balance_transaction", "destination", "failure_balance_transaction"}),
    "price": frozenset({"product"}),
    "refund": frozenset(
        {"charge", "payment_intent", "balance_transaction", "failure_balance_transaction", "customer", "payment_method"}
    ),
    "subscription": frozenset(
        {
            "customer", "latest_invoice", "default_payment_method", "pending_setup_intent", "test_clock", "schedule",
            "default_source", "on_behalf_of", "discounts",
        }
    ),
}  # fmt: skip

Lookup = Callable[[str], dict[str, Any] | None]
Includable = Callable[[dict[str, Any], str], dict[str, Any] | None]


def expand(answer: dict[str, Any], paths: Iterable[str], lookup: Lookup, includable: Includable) -> dict[str, Any]:
    """A copy of the answer with the objects that `paths` name in place of their ids.

    Includable lists (`charge.refunds`, `invoice.payments`, `session.line_items`) are absent unless asked for here.
    """
    tree: dict[str, Any] = {}
    for path in paths:
        steps = path.split(".")
        if len(steps) > EXPAND_DEPTH:
            raise StripeError(
                f"You cannot expand more than {EXPAND_DEPTH} levels of a property. Property: {path}", param="expand"
            )
        branch = tree
        for step in steps:
            branch = branch.setdefault(step, {})
    return _expanded(answer, tree, "", lookup, includable) if tree else answer


def _expanded(
    body: dict[str, Any], tree: dict[str, Any], trail: str, lookup: Lookup, includable: Includable
) -> dict[str, Any]:
    if body.get("object") == "list":
        unknown = set(tree) - {"data"}
        if unknown:
            _cannot_expand(trail, unknown.pop())
        within_data = tree.get("data", {})
        return body | {
            "data": [_expanded(row, within_data, trail + "data.", lookup, includable) for row in body["data"]]
        }
    body = dict(body)
    for name, below in tree.items():
        _expand_field(body, body, name, name, below, trail + name + ".", lookup, includable)
    return body


def _expand_field(
    owner: dict[str, Any],
    place: dict[str, Any],
    name: str,
    route: str,
    below: dict[str, Any],
    trail: str,
    lookup: Lookup,
    includable: Includable,
) -> None:
    """Expand one field of `place`, which is `owner` itself or a plain hash inside it at `route`."""
    allowed = EXPANDABLE.get(owner.get("object", ""), frozenset())
    value = place.get(name)
    if route in allowed:
        found = lookup(value) if isinstance(value, str) else value
        if name not in place:
            found = includable(owner, name)
        if isinstance(found, dict):
            place[name] = _expanded(found, below, trail, lookup, includable)
        if isinstance(found, list):  # of ids
            each = [lookup(one) if isinstance(one, str) else one for one in found]
            place[name] = [_expanded(one, below, trail, lookup, includable) for one in each if isinstance(one, dict)]
        return
    if not below or not any(entry.startswith(route + ".") for entry in allowed):
        if below and isinstance(value, dict) and "object" in value:  # an object that is always inline
            place[name] = _expanded(value, below, trail, lookup, includable)
            return
        if below and isinstance(value, list) and all(isinstance(row, dict) for row in value):
            place[name] = [_expanded(row, below, trail, lookup, includable) for row in value]
            return
        _cannot_expand("", trail.rstrip("."))
    if not isinstance(value, dict):  # a null hash: nothing to expand, and no mistake
        return
    if "object" in value:
        place[name] = _expanded(value, below, trail, lookup, includable)
        return
    place[name] = inner = dict(value)
    for step, further in below.items():
        _expand_field(owner, inner, step, f"{route}.{step}", further, trail + step + ".", lookup, includable)


def _cannot_expand(trail: str, name: str) -> NoReturn:
    raise StripeError(
        f"This property cannot be expanded ({trail}{name}). You may want to try expanding a parent of it.",
        param="expand",
    )
