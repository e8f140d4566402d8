"""The shop as an ASGI application, with the dashboard in front of it at /livesignals/.

It serves its own static files, so that daphne alone is enough.
"""

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
shop = ASGIStaticFilesHandler(get_asgi_application())

from livesignals import mount  # noqa: E402 - after Django's set-up

application = mount(shop)
