"""Where the files beside the code are: templates, static files, docs, and the instance folder when nobody names one."""

import os
from pathlib import Path

HERE = Path(__file__).parent

# In a wheel templates/, static/ and docs/ ride inside the package; in a checkout they stand beside it.
# Look inside first, so that another package's stray site-packages/templates can never win.
INSTALLED = (HERE / "templates").is_dir()
ROOT = HERE if INSTALLED else HERE.parent

TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
DOCS = ROOT / "docs"


def default_instance() -> Path:
    """The owner's folder: `instance/` beside a checkout, the user's data folder for an installed wheel.

    Never inside the virtual environment, where Flask would put it: rebuilding that would lose the ledger.
    """
    if not INSTALLED:
        return ROOT / "instance"
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "pledgebar"
