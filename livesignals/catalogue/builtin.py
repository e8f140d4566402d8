"""The built-in signals and their families, in one table."""

from typing import NamedTuple


class Family(NamedTuple):
    """A group of signals, as the page shows it."""

    key: str  # in filters and JSON
    title: str
    letter: str  # colour alone must not tell families apart


FAMILIES: dict[str, Family] = {
    family.key: family
    for family in (
        Family("model", "Model", "M"),
        Family("request", "Request", "R"),
        Family("auth", "Authentication", "A"),
        Family("management", "Management", "G"),
        Family("other", "Other", "O"),
        Family("tasks", "Tasks", "T"),
        Family("custom", "Custom", "C"),
    )
}


class BuiltinSignal(NamedTuple):
    """One of Django's signals."""

    family: str
    meaning: str


#: By dotted name: where Django defines the signal.
BUILTIN: dict[str, BuiltinSignal] = {
    "django.db.models.signals.pre_init": BuiltinSignal("model", "a model instance is about to be built"),
    "django.db.models.signals.post_init": BuiltinSignal("model", "a model instance was built"),
    "django.db.models.signals.pre_save": BuiltinSignal("model", "save() begins"),
    "django.db.models.signals.post_save": BuiltinSignal("model", "save() has written the row"),
    "django.db.models.signals.pre_delete": BuiltinSignal("model", "delete() begins"),
    "django.db.models.signals.post_delete": BuiltinSignal("model", "delete() has removed the row"),
    "django.db.models.signals.m2m_changed": BuiltinSignal("model", "a many-to-many relation changes"),
    "django.contrib.auth.signals.user_logged_in": BuiltinSignal("auth", "a user logged in"),
    "django.contrib.auth.signals.user_logged_out": BuiltinSignal("auth", "a user logged out"),
    "django.contrib.auth.signals.user_login_failed": BuiltinSignal("auth", "credentials were refused"),
    "django.core.signals.request_started": BuiltinSignal("request", "a request arrived"),
    "django.core.signals.request_finished": BuiltinSignal("request", "a response was sent"),
    "django.core.signals.got_request_exception": BuiltinSignal("request", "a view raised"),
    "django.db.models.signals.pre_migrate": BuiltinSignal("management", "migrate is about to touch an app"),
    "django.db.models.signals.post_migrate": BuiltinSignal("management", "migrate is done with an app"),
    "django.core.signals.setting_changed": BuiltinSignal("other", "a test changed a setting"),
    "django.db.models.signals.class_prepared": BuiltinSignal("other", "a model class was defined"),
    "django.test.signals.template_rendered": BuiltinSignal("other", "a template is rendered"),
    "django.db.backends.signals.connection_created": BuiltinSignal("other", "a database connection was opened"),
    "django.tasks.signals.task_enqueued": BuiltinSignal("tasks", "a task was put in the queue"),
    "django.tasks.signals.task_started": BuiltinSignal("tasks", "a worker began a task"),
    "django.tasks.signals.task_finished": BuiltinSignal("tasks", "a worker ended a task"),
}
