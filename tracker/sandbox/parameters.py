"""Checks what a caller sent against the parameter types that the SDK itself publishes, in Stripe's words."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from types import UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from stripe._request_options import RequestOptions

from tracker.sandbox.wire import StripeError

# The SDK imports these two for type checkers only; they are named in request options, which are no parameters.
_UNSEEN = {"StripeContext": object, "Mapping": dict}

METADATA_KEYS, METADATA_KEY_LENGTH, METADATA_VALUE_LENGTH = 50, 40, 500

# No API string is longer than this unless its own limit says so.
TEXT_LENGTH = 5000
LENGTHS = {"client_reference_id": 200, "statement_descriptor_suffix": 22, "custom_fields[][label][custom]": 50}


def checked(shape: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with their proper types, or Stripe's refusal."""
    return _hash(shape, given, "")


@cache
def _fields(shape: Any) -> tuple[dict[str, Any], frozenset[str]]:
    hints = get_type_hints(shape, localns=_UNSEEN)
    options = set(RequestOptions.__annotations__)
    return {name: hint for name, hint in hints.items() if name not in options}, shape.__required_keys__ - options


def _hash(shape: Any, given: Any, path: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise StripeError("Invalid object", param=path)
    fields, required = _fields(shape)
    present = {name: value for name, value in given.items() if not _absent(value)}
    unknown = [_inside(path, name) for name in present if name not in fields]
    if unknown:
        many = "s" if len(unknown) > 1 else ""
        raise StripeError(
            f"Received unknown parameter{many}: {', '.join(unknown)}", code="parameter_unknown", param=unknown[0]
        )
    for name in sorted(required):
        if name not in present:
            needed = _inside(path, name)
            raise StripeError(f"Missing required param: {needed}.", code="parameter_missing", param=needed)
    return {name: _value(fields[name], value, _inside(path, name)) for name, value in present.items()}


def _absent(value: Any) -> bool:
    """What the SDK's own encoder leaves out of the form."""
    return value is None or (isinstance(value, (Mapping, list, tuple)) and not value)


def _inside(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _value(hint: Any, value: Any, path: str) -> Any:
    kinds = _alternatives(hint)
    words = {word for kind in kinds if _is_literal(kind) for word in get_args(kind)}
    if value == "" and isinstance(value, str):
        return _emptied(words, kinds, path)
    if isinstance(value, str) and value in words:
        return value
    nested = isinstance(value, (Mapping, list, tuple))
    for kind in kinds:
        if nested and _is_hash(kind):
            return _hash(kind, value, path)
        if nested and get_origin(kind) is list:
            return _array(get_args(kind)[0], value, path)
        if nested and get_origin(kind) is dict:
            return _metadata(value, path)
    if nested:
        raise StripeError(f"Invalid {'array' if any(get_origin(k) is list for k in kinds) else 'string'}", param=path)
    words -= {""}
    for kind in kinds:
        if kind is bool:
            return _truth(value, path)
        if kind is int:
            return _whole(value, path)
        if kind in (float, Decimal):
            return _decimal(value, path)
    if words:  # the SDK types each enumeration as "one of these, or any text"; Stripe takes only these
        _not_among(words, path)
    if str in kinds:
        return _text(value, path)
    raise StripeError("Invalid array" if any(get_origin(k) is list for k in kinds) else "Invalid object", param=path)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in (Union, UnionType):
        return tuple(kind for part in get_args(hint) for kind in _alternatives(part) if kind is not type(None))
    return (hint,)


def _is_hash(kind: Any) -> bool:
    return hasattr(kind, "__required_keys__")  # a TypedDict, of whichever typing module


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _emptied(words: set[Any], kinds: tuple[Any, ...], path: str) -> str:
    """An empty string unsets what can be unset, and metadata; it is refused anywhere else."""
    if "" in words or any(get_origin(kind) is dict for kind in kinds):
        return ""
    raise StripeError(
        f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter; "
        f"however '{path}' cannot be unset. You should remove '{path}' from your request or supply a non-empty value.",
        code="parameter_invalid_empty",
        param=path,
    )


def _array(kind: Any, value: Any, path: str) -> list[Any]:
    if isinstance(value, Mapping):
        if not all(str(key).isascii() and str(key).isdigit() for key in value):
            raise StripeError("Invalid array", param=path)
        value = [value[key] for key in sorted(value, key=int)]
    return [_value(kind, entry, f"{path}[{position}]") for position, entry in enumerate(value)]


def _metadata(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise StripeError("Invalid object", param=path)
    kept = {str(key): entry for key, entry in value.items() if entry is not None}
    if len(kept) > METADATA_KEYS:
        raise StripeError(f"Metadata can have up to {METADATA_KEYS} keys; you passed {len(kept)}.", param=path)
    for key, entry in kept.items():
        place = _inside(path, key)
        if isinstance(entry, (Mapping, list, tuple)):
            raise StripeError("Invalid string", param=place)
        if len(key) > METADATA_KEY_LENGTH:
            raise StripeError(
                f"Metadata keys can be at most {METADATA_KEY_LENGTH} characters; '{key[:50]}' is longer.", param=place
            )
        if len(str(entry)) > METADATA_VALUE_LENGTH:
            raise StripeError(
                f"Metadata values can be at most {METADATA_VALUE_LENGTH} characters; you passed in a value that is "
                f"{len(str(entry))} characters.",
                param=place,
            )
    return {key: str(entry) for key, entry in kept.items()}


def _truth(value: Any, path: str) -> bool:
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise StripeError(f"Invalid boolean: {value}", param=path)


def _whole(value: Any, path: str) -> int:
    text = str(value).removeprefix("-")
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise StripeError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=path)
    return int(value)


def _decimal(value: Any, path: str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise StripeError(f"Invalid decimal: {value}", param=path)
    return number


def _text(value: Any, path: str) -> str:
    text = str(value)
    limit = LENGTHS.get("".join("[]" if part.isdigit() else part for part in _parts(path)), TEXT_LENGTH)
    if len(text) > limit:
        raise StripeError(f"Invalid string: {text[:20]}...; must be at most {limit} characters", param=path)
    return text


def _parts(path: str) -> list[str]:
    head, *rest = path.replace("]", "").split("[")
    return [head, *(part if part.isdigit() else f"[{part}]" for part in rest)]


def _not_among(words: set[Any], path: str) -> NoReturn:
    named = sorted(str(word) for word in words)
    listed = f"{', '.join(named[:-1])}, or {named[-1]}" if len(named) > 1 else named[0]
    last = _parts(path)[-1].strip("[]") or path
    raise StripeError(f"Invalid {last}: must be one of {listed}", param=path)


def merged_metadata(old: Mapping[str, str], given: Any) -> dict[str, str]:
    """Metadata merges key by key; an empty value takes the key away, an empty hash all of them."""
    if given == "":
        return {}
    return {key: value for key, value in {**old, **given}.items() if value != ""}
