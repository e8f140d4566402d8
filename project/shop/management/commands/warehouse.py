"""``manage.py warehouse``: a worker beside the shop's web servers."""

import signal
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from project.shop.models import Order
from project.shop.orders import send_off


class Command(BaseCommand):
    help = "Sends off what was paid and waits, again and again. Ctrl-C ends it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--pause", type=float, default=2.0, help="seconds between two rounds (2)")

    def handle(self, *args: Any, pause: float, **options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # as a container's first process it would not hear it
        while True:
            for order in Order.objects.filter(status=Order.Status.PAID):
                send_off(order)
            time.sleep(pause)
