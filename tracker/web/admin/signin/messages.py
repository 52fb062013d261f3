"""What Flask-Security says on our pages, as the newsroom would say it. Its own names on the left."""

WORDS = {
    "GENERIC_AUTHN_FAILED": "The e-mail address or the password is wrong.",
    "INVALID_PASSWORD": "That password is wrong.",
    "PASSWORD_NOT_PROVIDED": "Enter a password.",
    "RETYPE_PASSWORD_MISMATCH": "The two new passwords differ.",
    "PASSWORD_IS_THE_SAME": "That is your password already.",
    "PASSWORD_CHANGE": "Your password is changed. You are signed out in all other browsers.",
    "REAUTHENTICATION_SUCCESSFUL": "Thank you. Please go on.",
    "TWO_FACTOR_INVALID_TOKEN": "That code is wrong or was used before. Wait for the next one in your app.",
    "TWO_FACTOR_LOGIN_SUCCESSFUL": "",
    "TWO_FACTOR_PERMISSION_DENIED": "Please sign in first.",
    "INVALID_RECOVERY_CODE": "That recovery code is wrong or was used before.",
    "WEBAUTHN_EXPIRED": "That took too long. Please try again.",
    "WEBAUTHN_NAME_REQUIRED": "Give the passkey a name, such as the device it is on.",
    "WEBAUTHN_NAME_INUSE": "You have a passkey called %(name)s already.",
    "WEBAUTHN_NAME_NOT_FOUND": "You have no passkey called %(name)s.",
    "WEBAUTHN_NAME_DISALLOWED_CHARACTERS": "Use letters, digits, spaces and hyphens for the name.",
    "WEBAUTHN_CREDENTIAL_DELETED": "The passkey “%(name)s” is removed.",
    "WEBAUTHN_REGISTER_SUCCESSFUL": "The passkey “%(name)s” is added.",
    "WEBAUTHN_CREDENTIAL_ID_INUSE": "This passkey is added already.",
    "WEBAUTHN_UNKNOWN_CREDENTIAL_ID": "This passkey belongs to no account here.",
    "WEBAUTHN_ORPHAN_CREDENTIAL_ID": "This passkey belongs to no account here.",
    "WEBAUTHN_NO_VERIFY": "The passkey could not be checked. Please try again.",
    "WEBAUTHN_CREDENTIAL_WRONG_USAGE": "This passkey works only after your password.",
    "WEBAUTHN_MISMATCH_USER_HANDLE": "This passkey belongs to another account.",
    "DISABLED_ACCOUNT": "The e-mail address or the password is wrong.",
    "API_ERROR": "That did not work. Please try again.",
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
