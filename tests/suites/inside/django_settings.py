"""Settings of Django's own suite: those it brings along, and a runner around which capture is switched on."""

from collections import defaultdict
from typing import Any

import capturing  # type: ignore[import-not-found] # found by PYTHONPATH
from django.test.runner import DiscoverRunner
from test_sqlite import *  # type: ignore[import-not-found] # noqa: F403 - Django's own choice

TEST_RUNNER = "django_settings.Runner"

capturing.attach()


class Runner(DiscoverRunner):
    """Django's, and at its end the list of outcomes."""

    def run_suite(self, suite: Any, **kwargs: Any) -> Any:
        capturing.start()
        result = super().run_suite(suite, **kwargs)
        outcomes = defaultdict(list)
        for kind in ("failures", "errors", "skipped", "expectedFailures"):
            for test, _ in getattr(result, kind):
                outcomes[test.id()].append(kind)
        for test in result.unexpectedSuccesses:
            outcomes[test.id()].append("unexpectedSuccesses")
        capturing.finish(result.testsRun, outcomes)
        return result
