"""``python -m tests.suites django|part|rest_framework…``: the suites' outcomes with capture on are those without.

``django`` is Django's whole suite, ``part`` the modules of it that have to do with signals and with what capture
weaves itself into. The exit code is 1 where an outcome differs.
"""

import re
import sys
import time

import django

from tests.suites.runs import ROOT, Comparison, Suite, compare

#: Modules of Django's suite that may feel capture: signals, and what sends them or has the recording woven in.
PART = """
signals dispatch m2m_signals migrate_signals save_delete_hooks
delete delete_regress basic force_insert_update model_regress bulk_create update_only_fields get_or_create
many_to_many m2m_regress m2m_through m2m_through_regress m2m_recursive
transactions transaction_hooks backends select_for_update
handlers asgi wsgi requests_tests middleware middleware_exceptions builtin_server servers async
sessions_tests signed_cookies_tests template_tests template_backends context_processors
settings_tests apps app_loading test_utils test_runner test_client test_client_regress
user_commands migrations tasks
"""
#: Of the module auth_tests; not its hashers: half a minute of computing, without a send.
AUTH_PART = """
admin_multidb auth_backends basic forms handlers login management middleware migrations models remote_user signals
templates views
"""
TIMEOUT_SECONDS = {"part": 900.0, "django": 7_200.0, "rest_framework": 1_800.0}


def django_suite() -> Suite:
    """The suite of the Django that is installed."""
    version = django.get_version()
    locked = ROOT / "tests" / f"django-{version.rpartition('.')[0]}.txt"
    command = ("runtests.py", "--settings=django_settings", "--parallel=1", "--noinput")
    return Suite(f"django-{version}", locked, "tests", command, module=r"(?:^|\()(\w+)\.")


def rest_framework_suite() -> Suite:
    """Django REST framework's."""
    locked = ROOT / "tests" / "suites" / "djangorestframework.txt"
    version = locked.read_text().split()[0].partition("==")[2]
    command = ("-m", "pytest", "-q", "-p", "pytest_capturing", "-p", "no:cacheprovider")
    return Suite(f"djangorestframework-{version}", locked, "", command, module=r"^([^:]+)::")


def part() -> list[str]:
    """The labels of :data:`PART` and :data:`AUTH_PART` that this Django has."""
    modules = [module for module in PART.split() if module != "tasks" or django.VERSION >= (6, 0)]
    return modules + [f"auth_tests.test_{name}" for name in AUTH_PART.split()]


def confirmed(suite: Suite, first: Comparison, timeout: float) -> list[str]:
    """ids of the tests whose outcomes differ when their modules are run once more: a test that fails now and then
    fails without capture as well."""
    modules = {found[1] for test in first.differing if (found := re.search(suite.module, test))}
    again = compare(suite, sorted(modules), timeout=timeout)
    return sorted(set(first.differing) & set(again.differing))


def told(name: str, comparison: Comparison, seconds: float) -> list[str]:
    """What is printed of a comparison."""
    plain, captured = comparison
    words = (
        f"{name}: {plain.tests} tests, {len(plain.failed)} failed plainly, {len(captured.failed)} with capture, "
        f"{len(comparison.differing)} differ; {captured.told['captured']} sends captured, "
        f"{sum(captured.told['dropped'].values())} dropped; {seconds:.0f} s"
    )
    lines = [words]
    for test in comparison.differing:
        before, after = plain.outcomes.get(test, ["passed"]), captured.outcomes.get(test, ["passed"])
        lines.append(f"  {test}: {', '.join(before)}; with capture {', '.join(after)}")
    return lines + [f"  {fault}" for fault in comparison.faults]


def main(names: list[str]) -> int:
    """Run the named comparisons; 1 when something differs in one of them."""
    worst = 0
    for name in names:
        suite = rest_framework_suite() if name == "rest_framework" else django_suite()
        timeout = TIMEOUT_SECONDS[name]
        start = time.monotonic()
        comparison = compare(suite, part() if name == "part" else (), timeout=timeout)
        title = f"{suite.name} ({name})" if name == "part" else suite.name
        print("\n".join(told(title, comparison, time.monotonic() - start)), flush=True)
        differing = confirmed(suite, comparison, timeout) if comparison.differing else []
        if comparison.differing:
            print(f"  {len(differing)} of them differ once more" + "".join(f"\n    {test}" for test in differing))
        if differing or comparison.faults:
            worst = 1
            print(comparison.captured.printed[-20_000:])
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
