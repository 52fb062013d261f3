"""How long it takes until the app could serve, over a bare Flask app with the same extensions."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

ROUNDS = 15

BARE = """
import babel.dates, babel.numbers, markdown_it, nh3, stripe, structlog
from flask import Flask
from flask_limiter import Limiter
from flask_migrate import Migrate
from flask_security import RoleMixin, Security, SQLAlchemyUserDatastore, UserMixin
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import FlaskForm

app = Flask("bare")
app.secret_key = "x" * 40
app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", SECURITY_PASSWORD_HASH="argon2",
                  SECURITY_PASSWORD_SINGLE_HASH=["argon2"])
db = SQLAlchemy(app)
links = db.Table("links", db.Column("user", db.ForeignKey("user.id")), db.Column("role", db.ForeignKey("role.id")))
class Role(db.Model, RoleMixin):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80))
class User(db.Model, UserMixin):
    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(255))
    password = db.Column(db.String(255))
    active = db.Column(db.Boolean)
    fs_uniquifier = db.Column(db.String(64))
    roles = db.relationship(Role, secondary=links)
Migrate(app, db)
Limiter(lambda: "x", app=app, storage_uri="memory://")
Security(app, SQLAlchemyUserDatastore(db, User, Role))
"""
OURS = "from tracker import create_app; create_app()"


def measure() -> Iterator[str]:
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {"TRACKER_INSTANCE": folder, "TRACKER_SECRET_KEY": "x" * 40}
        for _ in range(ROUNDS + 1):
            rounds.append((_run(OURS, environ), _run(BARE, environ)))
    rounds = rounds[1:]  # the first warms the disk's cache
    ratios = [a / b for a, b in rounds]
    yield f"| | median of {ROUNDS}, s |"
    yield "| --- | --- |"
    yield f"| import the app and make it | {statistics.median(a for a, _ in rounds):.2f} |"
    yield f"| a bare Flask app with the same extensions | {statistics.median(b for _, b in rounds):.2f} |"
    yield f"| **ratio** (median of the pairs' own) | **{statistics.median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f}) |"


def _run(code: str, environ: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environ, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(*measure(), sep="\n")
