"""``manage.py demo``: what ``make run`` starts: the shop and the dashboard, from an empty checkout."""

import os
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from livesignals.dashboard.server import CannotListen, reached_at, serve
from project.asgi import application

#: Requests a second of the customers that make the page live from the first second.
TRAFFIC_RATE = 2


class Command(BaseCommand):
    help = "Serves the shop and its dashboard with daphne, and lets some customers in (TRAFFIC=0: none)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        self._manage("migrate", "--verbosity", "0").wait()
        self._manage("demo_data").wait()
        traffic: list[subprocess.Popen[bytes]] = []
        settings.ALLOWED_HOSTS.append(reached_at(host))
        url = f"http://{reached_at(host)}:{port}"

        def announce(link: str) -> None:
            self.stdout.write(f"\n  shop       {url}/   (staff: admin, password admin)")
            self.stdout.write(f"  dashboard  {link}   (works once; then the next one is printed here)\n")
            self.stdout.flush()
            if not traffic and os.environ.get("TRAFFIC", "1") != "0":
                traffic.append(self._manage("traffic", "--rate", str(TRAFFIC_RATE), "--url", url))

        try:
            serve(application, host=host, port=port, announce=announce)
        except CannotListen as error:
            raise CommandError(str(error).replace("--port", "PORT=…")) from None
        finally:
            for process in traffic:
                process.terminate()
                process.wait(5)

    def _manage(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, sys.argv[0], *arguments])
