"""The settings that all workers of a server have: read once, read again on HUP, and kept when the new ones are wrong."""

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from tracker.ledger import database_errors
from tracker.settings import Settings, SettingsError, read_settings

log = structlog.get_logger()


class ReloadedSettings:
    """Makes a worker's app, in the worker, from the settings that the server has. `check` raises SettingsError."""

    def __init__(
        self, settings: Settings, make_app: Callable[[Settings], Any], check: Callable[[Settings], None]
    ) -> None:
        self.settings, self._make_app, self._check = settings, make_app, check

    def __call__(self) -> Any:
        return self._make_app(self.settings)

    def read_again(self) -> None:
        """On HUP, in the server itself: a wrong line must not take down what serves, now or at a worker's next crash."""
        try:
            settings = read_settings()
            self._check(settings)
        except SettingsError as error:
            log.error("server.settings_kept", reason=str(error))
        except SQLAlchemyError as error:
            log.error("server.settings_kept", reason=database_errors.in_words(error))
        else:
            self.settings = settings
            log.info("server.settings_read")
