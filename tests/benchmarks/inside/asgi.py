"""The shop with a recorder, for daphne."""

from django.core.asgi import get_asgi_application

application = get_asgi_application()
