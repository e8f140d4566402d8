"""One browser: cookies, CSRF, and a turn for each request."""

from collections import Counter
from typing import Any

import httpx

from project.shop.traffic.pace import Pace


class Visitor:
    """Does as a person's browser does. Raises httpx.TransportError when the shop does not answer."""

    def __init__(self, url: str, pace: Pace, answers: Counter[int]) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)
        self._pace = pace
        self._answers = answers  # how many by status code; shared by the crowd

    async def close(self) -> None:
        await self._client.aclose()

    def forget(self) -> None:
        """Begin again as someone the shop has never seen."""
        self._client.cookies.clear()

    async def get(self, path: str) -> httpx.Response:
        return await self._request("GET", path)

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form. Django wants the CSRF cookie, so a page with a form has to be looked at before."""
        token = self._client.cookies.get("csrftoken", "")
        return await self._request("POST", path, data={**fields, "csrfmiddlewaretoken": token})

    async def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        """One request in its turn. Where it leads to is followed by a request with a turn of its own."""
        await self._pace.turn()
        response = await self._client.request(method, path, **content)
        self._answers[response.status_code] += 1
        while response.next_request is not None:
            await self._pace.turn()
            response = await self._client.send(response.next_request)
            self._answers[response.status_code] += 1
        return response
