"""What the fields of Flask-Security's forms are called on our pages, beside the field and in the list of errors."""

from wtforms import Form


def name_fields(form: Form, **names: str) -> None:
    for name, words in names.items():
        form[name].label.text = words
