"""Settings of the demo shop.

Environment: ``SHOP_DEBUG`` (1; 0 turns it off), ``SHOP_DATABASE`` (path of the SQLite file) and ``SHOP_HOSTS`` (names
that it answers at besides those of this machine, with spaces between).
"""

import os
from pathlib import Path
from typing import Any

import django

from project.shop.exceptions import is_unexpected

PROJECT = Path(__file__).resolve().parent

DEBUG = os.environ.get("SHOP_DEBUG", "1") != "0"
SECRET_KEY = "demo-only: the shop is an example and holds nothing worth keeping"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *os.environ.get("SHOP_HOSTS", "").split()]

INSTALLED_APPS = [
    "livesignals",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "project.shop",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Last, next to the view: it needs request.user, and sees a view's failure as its 500 page.
    "project.shop.middleware.announce_served_pages",
]

ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
WSGI_APPLICATION = "project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", PROJECT / "shop.sqlite3"),
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# With DEBUG every password is a published one: a slow hash would protect nothing and slow the traffic.
# Both orders know both hashes, so that accounts outlive a change of DEBUG.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.MD5PasswordHasher",
]
if DEBUG:
    PASSWORD_HASHERS.reverse()

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "products"
LOGOUT_REDIRECT_URL = "products"

# Nobody reads the demo's mail. Django 6.1 has a new name for the setting and warns of the old one.
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}}
else:
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
DEFAULT_FROM_EMAIL = "shop@shop.example"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "unexpected": {
            "()": "django.utils.log.CallbackFilter",
            "callback": is_unexpected,
        },
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "level": "ERROR", "filters": ["unexpected"]},
    },
    "loggers": {
        "django": {"handlers": ["console"], "propagate": False},
    },
}

LIVESIGNALS: dict[str, Any] = {}
