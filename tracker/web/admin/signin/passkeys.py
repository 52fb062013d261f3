"""Passkeys (WebAuthn, Level 2), by Flask-Security and py_webauthn: instead of the password, or after it.

One that asks for a finger, a face or a PIN and is found by the browser alone is two factors in one, and signs in by
itself. Any other, such as an older security key, comes after the password.
"""

import ipaddress
import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from flask import session
from flask_babel import gettext as _
from flask_security import (
    WebAuthnDeleteForm,
    WebAuthnRegisterForm,
    WebAuthnRegisterResponseForm,
    WebAuthnSigninForm,
    WebAuthnSigninResponseForm,
    WebauthnUtil,
    current_user,
)
from flask_security.webauthn import WebAuthnTfPlugin
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from wtforms import HiddenField

from tracker.ledger.user_models import UserRow
from tracker.settings import Settings
from tracker.web.admin.signin import attempts, sign_in_log
from tracker.web.admin.signin.field_names import name_fields
from tracker.web.site import settings


def work_at(settings: Settings) -> bool:
    """Whether browsers have passkeys for an address: one with a name, over https, or this machine itself."""
    host = urlsplit(settings.public_url).hostname or ""
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return False
    return settings.secure or host == "localhost"


class Passkeys(WebauthnUtil):  # type: ignore[misc]
    """What is asked of passkeys. They belong to the public address, whatever a request says of its host."""

    def origin(self) -> str:
        return settings().public_url

    def registration_options(self, user: UserRow, usage: str, existing_options: dict[str, Any]) -> dict[str, Any]:
        return existing_options | {
            "rp_id": urlsplit(settings().public_url).hostname,
            "authenticator_selection": AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
            ),
        }

    def authentication_options(
        self, user: UserRow | None, usage: list[str], existing_options: dict[str, Any]
    ) -> dict[str, Any]:
        alone = usage == ["first"]
        how = UserVerificationRequirement.REQUIRED if alone else UserVerificationRequirement.PREFERRED
        # Alone, the browser finds out whose it is. After a password, each of that person's will do.
        return existing_options | {
            "rp_id": urlsplit(settings().public_url).hostname,
            "user_verification": how,
            "allow_credentials": [_named(one) for one in user.webauthn] if user else None,
        }


def _named(passkey: Any) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(one) for one in passkey.transports or ()]
    return PublicKeyCredentialDescriptor(id=passkey.credential_id, transports=transports or None)


class NamePasskey(WebAuthnRegisterForm):  # type: ignore[misc]
    """Nobody is asked what a passkey is to be used for: that follows from what it can do (NewPasskey)."""

    usage = HiddenField(filters=[lambda _sent: "secondary"])

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        name_fields(self, name=_("Name, such as the device it is on"))


class NewPasskey(WebAuthnRegisterResponseForm):  # type: ignore[misc]
    """What the browser answers when it has made one."""

    def validate(self, **more: Any) -> bool:
        if not super().validate(**more):
            return False
        # What the browser says of it comes unsigned, and is read again later: one word of it is enough.
        found_alone = False
        with suppress(ValueError, TypeError, AttributeError):
            found_alone = json.loads(self.extensions)["credProps"]["rk"] is True
        self.extensions = json.dumps({"credProps": {"rk": found_alone}})
        self.usage = "first" if self.registration_verification.user_verified and found_alone else "secondary"
        return True


class AskForPasskey(WebAuthnSigninForm):  # type: ignore[misc]
    """Nobody is remembered for a year."""

    remember = HiddenField(filters=[lambda _sent: ""])


class PasskeyAnswer(WebAuthnSigninResponseForm):  # type: ignore[misc]
    """What the browser answers for one: at sign-in, after the password, or to confirm who one is."""

    remember = HiddenField(filters=[lambda _sent: ""])

    def validate(self, **more: Any) -> bool:
        if not attempts.is_first_use(self.challenge):
            return self._wrong(_("This passkey's answer was already used. Please try again."))
        if self.is_secondary:
            # After the password every kind will do, as in a confirmation.
            self.is_verify = True
        if not super().validate(**more) or not self.user.active:
            if not self.csrf_token.errors:
                sign_in_log.failed("passkey", self.user)
            return False
        if self.is_secondary and self.user.fs_uniquifier != session.get("tf_user_id"):
            sign_in_log.failed("passkey", self.user)
            return self._wrong(_("This passkey belongs to another account."))
        return True

    def _wrong(self, words: str) -> bool:
        self.credential.errors = [*self.credential.errors, words]
        return False


class RemovePasskey(WebAuthnDeleteForm):  # type: ignore[misc]
    """The last second factor stays where one is asked for."""

    def validate(self, **more: Any) -> bool:
        if not super().validate(**more):
            return False
        if settings().second_factor == "required" and is_last(current_user):
            self.name.errors = [_("Set up another second factor first: nobody gets in here without one.")]
            return False
        return True


def is_last(user: UserRow) -> bool:
    """Whether the person has one second factor and no other."""
    return len(user.webauthn) + bool(user.tf_totp_secret) <= 1


class PasskeyAfterPassword(WebAuthnTfPlugin):  # type: ignore[misc]
    """After the password any passkey is a second factor, one that could sign in alone, too."""

    def get_setup_methods(self, user: UserRow) -> list[tuple[str, str]]:
        return [("webauthn", _("A passkey"))] if user.webauthn else []
