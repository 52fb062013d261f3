"""What Flask-Security says on our pages, as the newsroom would say it. Its own names on the left."""


def _(words: str) -> str:
    """Only marks them for the catalogue: Flask-Security looks them up when it says them."""
    return words


WORDS = {
    "GENERIC_AUTHN_FAILED": _("The e-mail address or the password is wrong."),
    "INVALID_PASSWORD": _("That password is wrong."),
    "PASSWORD_NOT_PROVIDED": _("Enter a password."),
    "RETYPE_PASSWORD_MISMATCH": _("The two new passwords differ."),
    "PASSWORD_IS_THE_SAME": _("That is your password already."),
    "PASSWORD_CHANGE": _("Your password is changed. You are signed out in all other browsers."),
    "REAUTHENTICATION_SUCCESSFUL": _("Thank you. Please go on."),
    "TWO_FACTOR_INVALID_TOKEN": _("That code is wrong or was used before. Wait for the next one in your app."),
    "TWO_FACTOR_LOGIN_SUCCESSFUL": "",
    "TWO_FACTOR_PERMISSION_DENIED": _("Please sign in first."),
    "INVALID_RECOVERY_CODE": _("That recovery code is wrong or was used before."),
    "WEBAUTHN_EXPIRED": _("That took too long. Please try again."),
    "WEBAUTHN_NAME_REQUIRED": _("Give the passkey a name, such as the device it is on."),
    "WEBAUTHN_NAME_INUSE": _("You already have a passkey called %(name)s."),
    "WEBAUTHN_NAME_NOT_FOUND": _("You have no passkey called %(name)s."),
    "WEBAUTHN_NAME_DISALLOWED_CHARACTERS": _("Use letters, digits, spaces and hyphens for the name."),
    "WEBAUTHN_CREDENTIAL_DELETED": _("The passkey “%(name)s” is removed."),
    "WEBAUTHN_REGISTER_SUCCESSFUL": _("The passkey “%(name)s” is added."),
    "WEBAUTHN_CREDENTIAL_ID_INUSE": _("This passkey was already added."),
    "WEBAUTHN_UNKNOWN_CREDENTIAL_ID": _("This passkey belongs to no account here."),
    "WEBAUTHN_ORPHAN_CREDENTIAL_ID": _("This passkey belongs to no account here."),
    "WEBAUTHN_NO_VERIFY": _("The passkey could not be checked. Please try again."),
    "WEBAUTHN_CREDENTIAL_WRONG_USAGE": _("This passkey works only after your password."),
    "WEBAUTHN_MISMATCH_USER_HANDLE": _("This passkey belongs to another account."),
    "DISABLED_ACCOUNT": _("The e-mail address or the password is wrong."),
    "API_ERROR": _("That did not work. Please try again."),
}
GOOD_NEWS = (
    "PASSWORD_CHANGE",
    "REAUTHENTICATION_SUCCESSFUL",
    "WEBAUTHN_CREDENTIAL_DELETED",
    "WEBAUTHN_REGISTER_SUCCESSFUL",
)


def as_config() -> dict[str, tuple[str, str]]:
    """As Flask-Security takes them: each with the kind of message it is."""
    return {
        f"SECURITY_MSG_{name}": (words, "success" if name in GOOD_NEWS else "error") for name, words in WORDS.items()
    }
