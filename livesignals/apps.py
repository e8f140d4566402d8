"""Where the pieces are wired. Importing this module attaches: ``class_prepared`` is sent while models load, before
any ``ready()``."""

import logging
import os
import sys

from django.apps import AppConfig
from django.core.checks import register

from livesignals import capture, checks, conf, logs
from livesignals.capture import templates
from livesignals.exceptions import ConfigurationError
from livesignals.transport.process import get_flusher

logger = logging.getLogger("livesignals")


class LiveSignalsConfig(AppConfig):
    """``INSTALLED_APPS = ["livesignals", …]`` is all that a project needs."""

    name = "livesignals"
    verbose_name = "livesignals"

    def ready(self) -> None:
        register(checks.check_settings)
        if capture.is_attached():
            settings = conf.read()
            if conf.instruments_templates(settings):
                templates.instrument()
            if settings.capture == "connect":
                capture.connect()
            get_flusher().start()


def attach() -> None:
    """Record the sends of this process, if the settings say so and it is a process whose sends anyone wants to see."""
    if _only_watches():
        return
    try:
        settings = conf.read()
    except ConfigurationError as error:
        # The system check says so too, where a process runs checks.
        logger.error("livesignals is off: %s %s", error, error.hint)
        return
    if conf.is_enabled(settings) and not capture.is_attached():
        capture.configure(settings.signals, settings.count, settings.flood, settings.sample)
        capture.set_sink(get_flusher().put)
        capture.set_count_sink(get_flusher().ledger.add)
        capture.set_outcome_sink(get_flusher().put_outcome)
        capture.attach()


def _only_watches() -> bool:
    """Whether this process is livesignals' own, or runserver's that only watches files for its child."""
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command == "runserver":
        return "--noreload" not in sys.argv and os.environ.get("RUN_MAIN") != "true"
    return command == "livesignals"


logging.getLogger("livesignals").addFilter(logs.calm)
attach()
