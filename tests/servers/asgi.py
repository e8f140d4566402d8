"""The shop and the dashboard behind an ASGI server, with a witness."""

from project.asgi import application
from tests.servers import witness

witness.watch()

__all__ = ["application"]
