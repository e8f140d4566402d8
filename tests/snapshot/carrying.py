"""Run in a shell of the shop: secrets, read from the file that CANARIES names, go wherever signals carry them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.core.signals import got_request_exception
from django.db import connection, models
from django.db.backends.signals import connection_created
from django.db.models.signals import m2m_changed, post_save
from django.dispatch import Signal
from django.test import RequestFactory, override_settings

from project.shop.models import Tag

secret: dict[str, str] = json.loads(Path(os.environ["CANARIES"]).read_text())
happened = Signal()


class AuthToken(models.Model):
    """As Django REST framework has it: the key is the primary key."""

    key = models.CharField(max_length=40, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    hint = models.CharField(max_length=40)

    class Meta:
        app_label = "shop"

    def __str__(self) -> str:
        return self.key


def carry() -> None:
    """Make all the sends."""
    Tag.objects.create(name="not-a-secret")

    request = RequestFactory().post(
        f"/fails/?token={secret['query of a failing view']}",
        {"username": "ada", "password": secret["POST of a failing view"]},
        headers={"Authorization": f"Bearer {secret['Authorization of a failing view']}"},
    )
    assert request.POST["password"]
    got_request_exception.send(sender=None, request=request)
    happened.send("meta", request=request, meta=request.META, environ=request.environ, data=request.POST.dict())

    hidden = {name: secret[f"login's {name}"] for name in ("pwd", "otp", "pin", "code", "password")}
    authenticate(request, username="ada", **hidden)

    user = User.objects.create_user("eve", password=secret["new user's password"])
    user_logged_in.send(User, request=request, user=user)
    user.password = secret["password hash"]
    user.save()
    User.objects.filter(pk=user.pk).update(password=secret["old password"], first_name=f"sk_live_{secret['old name']}")
    loaded = User.objects.get(pk=user.pk)
    loaded.password, loaded.first_name = "new", "not-a-secret"
    loaded.save()
    token = AuthToken(key=secret["primary key of a token"], hint=secret["text of a token"], user=user)
    post_save.send(AuthToken, instance=token, created=True, raw=False, using="default", update_fields=None)
    happened.send(AuthToken, instance=token, tokens=[token], by_pk={"token": token.pk})
    m2m_changed.send(User, instance=user, model=AuthToken, action="post_add", pk_set={secret["pk_set of tokens"]})
    Session.objects.create(
        session_key=secret["session key"], session_data=secret["session data"], expire_date="2030-01-01T00:00Z"
    )

    database = {
        "ENGINE": "postgresql",
        "PASSWORD": secret["DATABASES"],
        "OPTIONS": {"password": secret["DATABASES option"]},
    }
    caches = {"default": {"LOCATION": f"redis://:{secret['CACHES']}@cache"}}
    with override_settings(
        SECRET_KEY=secret["SECRET_KEY"],
        SECRET_KEY_FALLBACKS=[secret["SECRET_KEY_FALLBACKS"]],
        SENTRY_DSN=f"https://{secret['SENTRY_DSN']}@sentry.example/7",
        EMAIL_HOST_PASSWORD=secret["EMAIL_HOST_PASSWORD"],
        BROKER=f"amqp://shop:{secret['BROKER']}@broker//",
        CACHES=caches,
        MY_DATABASES={"default": database},
    ):
        pass
    connection.settings_dict["PASSWORD"] = secret["settings_dict"]
    connection_created.send(type(connection), connection=connection)
    happened.send("settings", settings_dict=connection.settings_dict, environ=dict(os.environ), env=dict(os.environ))

    happened.send(
        "values",
        url=f"postgres://shop:{secret['password in a URL']}@db/shop",
        text=f"failed with password='{secret['password in a text']}'",
        body=f'{{"user": "ada", "client_secret": "{secret["secret in JSON"]}"}}'.encode(),
        headers=[
            (b"authorization", f"Basic {secret['header in a list']}".encode()),
            ("Cookie", secret["cookie in a list"]),
        ],
        link=f"https://shop.example/reset/MQ/c1xm3f-{secret['reset link'][:32]}/",
        long="word " * 202 + f"postgres://shop:{secret['secret at a cut']}@db/shop" + " word" * 100,
        data={secret["token as a key"]: 1},
        things={secret["token in a set"]},
    )
    receive_and_fail()


def receive_and_fail() -> None:
    """What receivers raise and return."""

    def failing(message: str) -> Callable[..., None]:
        def receiver(**named: Any) -> None:
            raise ValueError(message)

        return receiver

    def answering(answer: Any) -> Callable[..., Any]:
        def receiver(**named: Any) -> Any:
            return answer

        return receiver

    receivers = [
        failing(f"cannot connect to postgres://shop:{secret['URL in an exception']}@db/shop"),
        failing(f"FATAL: host=db password={secret['password in an exception']} dbname=shop"),
        failing("word " * 100 + f"postgres://shop:{secret['exception at a cut']}@db/shop"),
        failing(f"401 for Bearer {secret['token in an exception']}"),
        answering(secret["returned text"]),
        answering({"password": secret["returned dict"]}),
        answering([("token", secret["returned pair"])]),
        answering(AuthToken(key=secret["returned instance"])),
        answering("word " * 38 + secret["returned at a cut"]),
    ]
    for receiver in receivers:
        happened.connect(receiver)
    happened.send_robust("receivers", marker="not-a-secret")
    for receiver in receivers:
        happened.disconnect(receiver)


carry()
