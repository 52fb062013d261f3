"""How much anybody may send."""

from flask import Flask

# In bytes.
LONGEST_FORM_SIGNED_IN = 256 * 1024


def init_app(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_FORM_SIGNED_IN
