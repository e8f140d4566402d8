"""Settings of Django's own suite, plain or with capture, and a runner that tells its outcomes to a file."""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import capturing
from django.test.runner import DiscoverRunner
from test_sqlite import *  # noqa: F403 - what the suite brings along

TEST_RUNNER = "django_settings.Runner"
LIVESIGNALS = {"ENABLED": True, "VALUES": "masked"}

capturing.attach()


class Runner(DiscoverRunner):
    """Django's, between the start of capture and the list of outcomes."""

    def run_suite(self, suite: Any, **kwargs: Any) -> Any:
        capturing.start()
        result = super().run_suite(suite, **kwargs)
        outcomes = defaultdict(list)
        for kind in ("failures", "errors", "skipped", "expectedFailures"):
            for test, _ in getattr(result, kind):
                outcomes[test.id()].append(kind)
        for test in result.unexpectedSuccesses:
            outcomes[test.id()].append("unexpectedSuccesses")
        told = {"run": result.testsRun, "outcomes": outcomes}
        Path(os.environ["SUITE_OUTCOMES"]).write_text(json.dumps(told))
        return result
