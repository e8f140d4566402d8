"""The shop behind a WSGI server, with a witness."""

from project.wsgi import application
from tests.servers import witness

witness.watch()

__all__ = ["application"]
