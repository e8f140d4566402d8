"""Going back: a person replays what was sent, while more is being sent."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from livesignals.events import Event
from livesignals.events.record import microseconds
from livesignals.filters import parse
from tests.browser.conftest import PATIENCE_MS, Dashboard, Shop
from tests.browser.test_delivery import Frames

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SENDING = """
import time
from django.dispatch import Signal
told = Signal()
told.connect(lambda n, fails=(), **kwargs: 1 / (n not in fails), weak=False)
for n in range({times}):
    told.send_robust(sender="{sender}", n=n, fails={fails})
    if {pause} and n % {every} == {every} - 1:
        time.sleep({pause})
"""
#: Keeps what the server said about the replay, and what the label of a silence said then.
LISTENING = """
window.places = [];
document.addEventListener('htmx:ws:after:message:incoming', ({detail}) => {
  const message = detail.message.parsed;
  if (message?.type !== 'replay') return;
  const silence = document.getElementById('silence');
  window.places.push({...message, said: silence.hidden ? null : silence.textContent});
});
"""


def send(shop: Shop, sender: str, times: int, *, every: int = 1, pause: float = 0, fails: tuple[int, ...] = ()) -> None:
    """A command sends so many signals, and waits after *every* so many of them."""
    code = SENDING.format(times=times, sender=sender, every=every, pause=pause, fails=fails)
    shop.manage("shell", "-c", code)


def stored(shop: Shop, filter: str) -> list[Event]:
    """What the journal has, oldest first."""
    return shop.journal().search_forward(parse(filter), after=0, limit=100_000).events


def ids(shop: Shop, filter: str) -> list[int]:
    return [event.id for event in stored(shop, filter)]


class Recorder:
    """What a person does with the recorder, and sees of it."""

    def __init__(self, dashboard: Dashboard) -> None:
        self.dashboard = dashboard
        self.page = dashboard.page
        self.page.add_init_script(LISTENING)
        self.frames = Frames(self.page)
        self.shown, self.until = dashboard.shown, dashboard.until

    def expect_rows(self, wanted: list[int]) -> None:
        """Wait until the list has exactly these, newest first."""
        self.until(lambda: self.shown() == wanted)

    def speed(self, value: str) -> None:
        self.page.locator("#speed").select_option(value)

    def play(self) -> None:
        self.page.locator("#play").click()

    def expect_still(self) -> None:
        """Wait until it has played to the end, or was paused."""
        expect(self.page.locator("#play")).not_to_have_attribute("data-playing", "", timeout=3 * PATIENCE_MS)

    def go_to(self, text: str) -> None:
        """Type a time or a number."""
        self.page.locator("#position").fill(text)
        self.page.locator("#position").press("Enter")
        self.dashboard.expect_state("REPLAY")

    def press(self, key: str) -> None:
        """A key, with the focus in none of the fields."""
        self.page.evaluate("document.activeElement.blur()")
        self.page.keyboard.press(key)

    def click_bar(self, fraction: float) -> None:
        box = self.page.locator("#bar").bounding_box()
        assert box is not None
        self.page.mouse.click(box["x"] + box["width"] * fraction, box["y"] + box["height"] / 2)

    def drag_bar(self, start: float, end: float) -> None:
        """With Shift, from one place to another."""
        box = self.page.locator("#bar").bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        self.page.keyboard.down("Shift")
        self.page.mouse.move(box["x"] + box["width"] * start, middle)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + box["width"] * (start + end) / 2, middle)
        self.page.mouse.move(box["x"] + box["width"] * end, middle)
        self.page.mouse.up()
        self.page.keyboard.up("Shift")

    def expect_histogram(self) -> None:
        expect(self.page.locator("#density path")).to_have_attribute("d", re.compile("M"), timeout=PATIENCE_MS)


@pytest.fixture
def recorder(dashboard: Dashboard) -> Recorder:
    return Recorder(dashboard)


@pytest.fixture(autouse=True)
def console(page: Page) -> Iterator[None]:
    """No test ends with a message in the console."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield
    assert said == []


@pytest.mark.parametrize("speed", ["max", "64"])
def test_the_history_plays_in_order(recorder: Recorder, shop: Shop, speed: str) -> None:
    """Each matching event comes once and in order, as a row or in one that stands for many; then it stops."""
    sender = f"played-{speed}"
    send(shop, sender, 3_000, every=500, pause=0.2)
    send(shop, "between", 10)
    send(shop, sender, 50)
    wanted = ids(shop, f"sender:{sender}")
    assert len(wanted) == 3_050
    recorder.dashboard.open(f"?q=sender:{sender}")
    recorder.speed(speed)
    recorder.play()
    recorder.dashboard.expect_state("REPLAY")
    recorder.until(lambda: sum(frame["reset"] for frame in recorder.frames.rows) == 2)
    recorder.expect_still()
    recorder.until(lambda: recorder.dashboard.newest() == wanted[-1])
    resets = [number for number, frame in enumerate(recorder.frames.rows) if frame["reset"]]
    assert len(resets) == 2  # live, and the beginning of the replay
    live_rows = recorder.page.evaluate(
        "n => window.taken.slice(0, n).map(({content}) => (content.match(/data-(id|first)=/g) ?? []).length)", resets[1]
    )
    played = recorder.frames.spans()[sum(live_rows) :]
    assert sum(count for _, _, count in played) == len(wanted)
    assert all(before[1] < after[0] for before, after in pairwise(played))
    for first, last, count in played:
        assert sum(first <= event_id <= last for event_id in wanted) == count
    expect(recorder.page.locator("#state")).to_have_text("REPLAY")


def test_steps_go_back_and_forth(recorder: Recorder, shop: Shop) -> None:
    """The list always shows the matching events up to the position; by match, by send and by cause."""
    for _ in range(3):
        send(shop, "stepped", 4)
        send(shop, "other", 2)
    wanted = ids(shop, "sender:stepped")
    everything = ids(shop, "")
    recorder.dashboard.open("?q=sender:stepped")
    recorder.expect_rows(wanted[::-1])
    recorder.press("ArrowLeft")
    recorder.dashboard.expect_state("REPLAY")
    recorder.expect_rows(wanted[-2::-1])
    recorder.page.locator("#back").click()
    recorder.expect_rows(wanted[-3::-1])
    recorder.press("ArrowRight")
    recorder.expect_rows(wanted[-2::-1])

    recorder.press("Shift+ArrowLeft")
    recorder.expect_rows(wanted[8::-1])  # the first of the last command
    recorder.press("Shift+ArrowLeft")
    recorder.expect_rows(wanted[4::-1])
    recorder.press("Shift+ArrowRight")
    recorder.expect_rows(wanted[8::-1])

    recorder.press(",")  # the one before it, which does not match
    recorder.expect_rows(wanted[7::-1])
    position = everything[everything.index(wanted[8]) - 1]
    recorder.until(lambda: f"at={position}&" in recorder.page.url + "&")
    recorder.press(".")
    recorder.expect_rows(wanted[8::-1])


def test_seeking_by_number_and_by_time(recorder: Recorder, shop: Shop) -> None:
    """What is typed, clicked or moved with keys is the moment at which the list ends."""
    send(shop, "sought", 20, every=1, pause=0.05)
    events = stored(shop, "sender:sought")
    wanted = [event.id for event in events]
    recorder.dashboard.open("?q=sender:sought")
    recorder.go_to(f"#{wanted[7]}")
    recorder.expect_rows(wanted[7::-1])
    moment = recorder.page.evaluate(
        "ts => { const d = new Date(ts); return [d.getHours(), d.getMinutes(), d.getSeconds()]"
        ".map(n => String(n).padStart(2, '0')).join(':') + ts.slice(19, 26) }",
        events[12].ts,
    )
    recorder.go_to(moment)
    recorder.expect_rows(wanted[12::-1])

    recorder.expect_histogram()
    recorder.click_bar(0.001)
    recorder.until(lambda: not set(recorder.shown()) & set(wanted))
    recorder.click_bar(0.999)
    recorder.expect_rows(wanted[::-1])
    head = recorder.page.locator("#head")
    head.press("Home")
    recorder.until(lambda: not set(recorder.shown()) & set(wanted))
    assert head.get_attribute("aria-valuenow") == "0"
    head.press("End")
    recorder.expect_rows(wanted[::-1])
    assert re.fullmatch(r"\d\d:\d\d:\d\d.\d\d\d", head.get_attribute("aria-valuetext") or "")


def test_keys_play_pause_and_change_the_speed(recorder: Recorder, shop: Shop) -> None:
    """Space, the brackets and L; in live Space holds the list as ever."""
    send(shop, "keyed", 12, every=1, pause=0.3)
    recorder.dashboard.open("?q=sender:keyed")
    recorder.press(" ")
    recorder.dashboard.expect_state("PAUSED")
    recorder.press(" ")
    recorder.dashboard.expect_state("LIVE")
    first = ids(shop, "sender:keyed")[0]
    recorder.go_to(str(first))
    recorder.press("[")
    expect(recorder.page.locator("#speed")).to_have_value("0.5")
    recorder.press("[")
    recorder.press("[")
    expect(recorder.page.locator("#speed")).to_have_value("0.25")
    recorder.press(" ")
    expect(recorder.page.locator("#play")).to_have_attribute("data-playing", "", timeout=PATIENCE_MS)
    recorder.until(lambda: len(recorder.shown()) > 1)
    recorder.press(" ")
    recorder.expect_still()
    held = recorder.shown()
    recorder.page.wait_for_timeout(1_500)
    assert recorder.shown() == held
    for _ in range(9):
        recorder.press("]")
    expect(recorder.page.locator("#speed")).to_have_value("max")
    recorder.press(" ")
    recorder.expect_rows(ids(shop, "sender:keyed")[::-1])
    recorder.press("l")
    recorder.dashboard.expect_state("LIVE")


#: Whether it played and looped, each time that this changed since the server said so much.
CHANGES = """said => window.places.slice(said).map(({playing, loop}) => [playing, loop]).filter(
  ([playing, loop], n, all) => !n || playing !== all[n - 1][0] || loop !== all[n - 1][1]
)"""


@contextmanager
def no_answers(shop: Shop) -> Iterator[None]:
    """The server hears what the page says, and answers when this is over."""
    assert shop.server is not None
    os.kill(shop.server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(shop.server.process.pid, signal.SIGCONT)


@pytest.mark.parametrize("presses", [2, 3])
def test_what_was_asked_last_holds_before_the_first_answer(recorder: Recorder, shop: Shop, presses: int) -> None:
    """Space and Loop, pressed again at once: each press is the opposite of the one before, and is seen at once."""
    sender = f"asked-{presses}"
    send(shop, sender, 12, every=1, pause=0.3)
    wanted, epoch = ids(shop, f"sender:{sender}"), shop.journal().bounds().epoch
    page, play, loop = recorder.page, recorder.page.locator("#play"), recorder.page.locator("#loop")
    page.goto(shop.link())
    chosen = f"at={wanted[2]}&range={wanted[0]}-{wanted[-1]}&epoch={epoch}"
    page.goto(f"{shop.url}/livesignals/?q=sender:{sender}&{chosen}")
    recorder.expect_rows(wanted[2::-1])
    told = page.evaluate("window.places.length")
    with no_answers(shop):
        for press in range(presses):
            recorder.press(" ")
            loop.click()
            is_on = press % 2 == 0
            expect(play).to_have_attribute("aria-label", "Pause the replay" if is_on else "Play")
            expect(loop).to_have_attribute("aria-pressed", str(is_on).lower())
    wishes = [(True, False), (True, True), (False, True), (False, False)] * 2
    recorder.until(lambda: page.evaluate(CHANGES, told) == [list(wish) for wish in wishes[: 2 * presses]])
    expect(play).to_have_attribute("aria-label", "Play" if presses == 2 else "Pause the replay")
    expect(loop).to_have_attribute("aria-pressed", "false" if presses == 2 else "true")


def test_a_silence_is_labelled(recorder: Recorder, shop: Shop) -> None:
    """With its length, while it is played shortened."""
    send(shop, "silent", 2, every=1, pause=3)
    first, second = stored(shop, "sender:silent")
    seconds = round((microseconds(second.ts) - microseconds(first.ts)) / 1e6)
    recorder.dashboard.open("?q=sender:silent")
    recorder.go_to(str(first.id))
    recorder.play()
    recorder.expect_rows([second.id, first.id])
    recorder.expect_still()
    silences = {(place["silence"] is not None, place["said"]) for place in recorder.page.evaluate("window.places")}
    assert silences == {(False, None), (True, f"silence of {seconds} s")}


def test_a_range_loops(recorder: Recorder, shop: Shop) -> None:
    """Each round shows each of its events once and in order; without the loop it ends there."""
    send(shop, "looped", 12)
    wanted = ids(shop, "sender:looped")
    epoch = shop.journal().bounds().epoch
    recorder.page.goto(shop.link())
    first, last = wanted[3], wanted[8]
    recorder.page.goto(f"{shop.url}/livesignals/?q=sender:looped&at={last}&range={first}-{last}&loop=on&epoch={epoch}")
    recorder.expect_rows(wanted[8::-1])
    expect(recorder.page.locator("#loop")).to_have_attribute("aria-pressed", "true")
    recorder.speed("max")
    recorder.play()
    recorder.until(lambda: sum(frame["reset"] for frame in recorder.frames.rows) >= 5)
    rounds: list[list[int]] = recorder.page.evaluate(
        """() => {
             const rounds = [];
             for (const {reset, content} of window.taken) {
               const ids = [...content.matchAll(/data-id="(\\d+)"/g)].map(found => +found[1]).reverse();
               if (reset) rounds.push([]);
               else rounds.at(-1).push(...ids);
             }
             return rounds;
           }"""
    )
    assert rounds[0] == []
    for shown in rounds[1:-1]:
        assert shown == wanted[3:9]
    recorder.page.locator("#loop").click()
    expect(recorder.page.locator("#loop")).to_have_attribute("aria-pressed", "false", timeout=PATIENCE_MS)
    recorder.expect_still()
    recorder.expect_rows(wanted[8::-1])
    recorder.page.locator("#clear-range").click()
    expect(recorder.page.locator("#range-tools")).to_be_hidden(timeout=PATIENCE_MS)
    assert "range=" not in recorder.page.url


def test_a_range_is_chosen_on_the_bar(recorder: Recorder, shop: Shop) -> None:
    """Shift and drag; its ends are handles for the keyboard too, and the list shows what it holds."""
    send(shop, "dragged", 40, every=1, pause=0.05)
    recorder.dashboard.open("?q=sender:dragged")
    recorder.expect_histogram()
    recorder.drag_bar(0.02, 0.9)
    recorder.dashboard.expect_state("REPLAY")
    chosen = recorder.page.evaluate("window.places.at(-1).range")
    within = [event.id for event in stored(shop, "") if chosen["from"] <= microseconds(event.ts) <= chosen["to"]]
    assert (chosen["first"], chosen["last"]) == (within[0], within[-1])
    assert f"range={within[0]}-{within[-1]}" in recorder.page.url
    recorder.page.locator("#to").press("PageDown")
    recorder.until(lambda: bool(recorder.page.evaluate("to => window.places.at(-1).range.to < to", chosen["to"])))
    expect(recorder.page.locator("#from")).to_have_attribute("aria-valuetext", re.compile(r"\d\d:\d\d"))


@pytest.mark.parametrize("by", ["key", "button"])
def test_live_goes_on_behind_and_comes_back_whole(recorder: Recorder, shop: Shop, by: str) -> None:
    """What comes meanwhile is counted, and after the return every event is there once and in order."""
    sender = f"behind-{by}"
    send(shop, sender, 30)
    held = ids(shop, f"sender:{sender}")[-2::-1]
    recorder.dashboard.open(f"?q=sender:{sender}")
    recorder.press("ArrowLeft")
    recorder.expect_rows(held)
    code = SENDING.format(times=400, sender=sender, every=10, pause=0.1, fails=(3, 4, 5))
    other = shop.spawn("shell", "-c", code)
    live = recorder.page.locator("#live")
    expect(live).to_contain_text(re.compile(r"\+\d+ new, 3 errors"), timeout=PATIENCE_MS)
    assert recorder.shown() == held
    if by == "key":
        recorder.press("l")
    else:
        live.click()
    recorder.dashboard.expect_state("LIVE")
    output, _ = other.communicate(timeout=60)
    assert other.returncode == 0, output
    wanted = ids(shop, f"sender:{sender}")
    recorder.until(lambda: recorder.dashboard.newest() == wanted[-1])
    since = recorder.page.evaluate("window.taken.findLastIndex(({reset}) => reset)")
    recorder.page.evaluate("since => { window.taken = window.taken.slice(since) }", since)
    spans = recorder.frames.spans()
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert sum(count for _, _, count in spans) == sum(event_id >= spans[0][0] for event_id in wanted)
    assert len(wanted) == 430
    assert "at=" not in recorder.page.url


def test_a_link_brings_another_person_to_the_same_place(recorder: Recorder, shop: Shop, page: Page) -> None:
    """Filter, range, position and the selected send."""
    send(shop, "linked", 20)
    wanted = ids(shop, "sender:linked")
    epoch = shop.journal().bounds().epoch
    recorder.dashboard.open("?q=sender:linked")
    recorder.go_to(str(wanted[11]))
    recorder.expect_rows(wanted[11::-1])
    recorder.dashboard.rows().first.click()
    expect(recorder.page.locator("#detail h1")).to_be_visible(timeout=PATIENCE_MS)
    recorder.until(lambda: f"#{epoch}/{wanted[11]}" in recorder.page.url)

    other = Recorder(Dashboard(page.context.new_page(), shop))
    other.page.goto(recorder.page.url)
    other.dashboard.expect_state("REPLAY")
    other.expect_rows(wanted[11::-1])
    expect(other.page.locator("#position")).to_have_value(recorder.page.locator("#position").input_value())
    expect(other.page.locator("#detail h1")).to_have_text(recorder.page.locator("#detail h1").inner_text())
    other.press("ArrowLeft")  # each replays on their own
    other.expect_rows(wanted[10::-1])
    assert recorder.shown() == wanted[11::-1]


def test_a_cut_socket_goes_on_where_it_was(recorder: Recorder, shop: Shop) -> None:
    """Position, range and count of what is new are as before."""
    send(shop, "cut", 10)
    wanted = ids(shop, "sender:cut")
    recorder.dashboard.open("?q=sender:cut")
    recorder.go_to(str(wanted[4]))
    recorder.expect_rows(wanted[4::-1])
    send(shop, "cut", 3)
    expect(recorder.page.locator("#live")).to_contain_text("+3 new", timeout=PATIENCE_MS)
    taken = len(recorder.frames.rows)
    recorder.dashboard.drop()
    recorder.until(lambda: len(recorder.frames.rows) > taken)
    recorder.dashboard.expect_state("REPLAY")
    recorder.expect_rows(wanted[4::-1])
    expect(recorder.page.locator("#live")).to_contain_text("+3 new", timeout=PATIENCE_MS)


def test_another_filter_shows_the_same_moment(recorder: Recorder, shop: Shop) -> None:
    """The position stays; the list is what matches up to it."""
    send(shop, "narrow-a", 5)
    send(shop, "narrow-b", 5)
    send(shop, "narrow-a", 5)
    a, b = ids(shop, "sender:narrow-a"), ids(shop, "sender:narrow-b")
    recorder.dashboard.open("?q=sender:narrow-a")
    recorder.go_to(str(a[6]))
    recorder.expect_rows(a[6::-1])
    recorder.dashboard.filter("sender:narrow-b")
    recorder.expect_rows(b[::-1])
    recorder.dashboard.filter("sender:narrow-*")
    recorder.expect_rows(sorted([*a[:7], *b], reverse=True))
    recorder.dashboard.expect_state("REPLAY")


def test_what_was_evicted_is_said_in_words(recorder: Recorder, shop: Shop) -> None:
    """A link to what is no longer retained says so, and offers the nearest place that is."""
    send(shop, "evicted", 10)
    wanted = ids(shop, "sender:evicted")
    recorder.dashboard.open("?q=sender:evicted")
    recorder.go_to(str(wanted[2]))
    recorder.expect_rows(wanted[2::-1])
    link = recorder.page.url
    send(shop, "after", 20)
    shop.manage("livesignals", "prune", "--keep", "15")
    recorder.page.goto(f"{shop.url}/livesignals/?q=")
    recorder.page.goto(link)
    recorder.dashboard.expect_state("LIVE")
    evicted = recorder.page.locator("#evicted")
    expect(evicted).to_contain_text("no longer retained")
    recorder.page.locator("#filter").fill("sender:after")
    recorder.page.locator("#nearest").click()
    recorder.dashboard.expect_state("REPLAY")
    expect(evicted).to_be_hidden()
    first = shop.journal().bounds().first
    recorder.until(lambda: f"at={first}&" in recorder.page.url + "&")

    recorder.page.locator("#position").fill(str(wanted[2]))
    recorder.page.locator("#position").press("Enter")
    expect(evicted).to_contain_text("no longer retained", timeout=PATIENCE_MS)
    recorder.page.locator("#position").fill("99999999")
    recorder.page.locator("#position").press("Enter")
    expect(evicted).to_contain_text("no send with this number yet", timeout=PATIENCE_MS)


def test_a_range_that_is_kept_by_name_survives_eviction_until_it_is_let_go(recorder: Recorder, shop: Shop) -> None:
    """It plays as before; a name that is taken is refused in words, and the focus comes back."""
    send(shop, "pinned", 6)
    wanted, epoch = ids(shop, "sender:pinned"), shop.journal().bounds().epoch
    page, chips = recorder.page, recorder.page.locator("#kept > span")
    link = f"?q=sender:pinned&range={wanted[0]}-{wanted[-1]}&at={wanted[-1]}&epoch={epoch}"
    page.goto(shop.link())
    page.goto(f"{shop.url}/livesignals/{link}")
    recorder.dashboard.expect_state("REPLAY")
    page.locator("#keep").click()
    expect(page.locator("#keep-name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#keep")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("the slow order")
    page.keyboard.press("Enter")
    expect(chips).to_have_count(1, timeout=PATIENCE_MS)
    expect(chips).to_contain_text("the slow order")
    page.locator("#keep").click()
    page.keyboard.type("the slow order")
    page.keyboard.press("Enter")
    expect(page.locator("#refusal")).to_contain_text("is kept already", timeout=PATIENCE_MS)

    send(shop, "after", 30)
    shop.manage("livesignals", "prune", "--keep", "10")
    assert shop.journal().bounds().first > wanted[-1]
    page.goto(f"{shop.url}/livesignals/?q=sender:pinned")
    recorder.dashboard.expect_state("LIVE")
    chips.get_by_role("button", name="the slow order", exact=True).click()
    recorder.dashboard.expect_state("REPLAY")
    recorder.expect_rows(wanted[::-1])
    recorder.speed("max")
    recorder.go_to(str(wanted[0]))
    recorder.expect_rows(wanted[:1])
    recorder.play()
    recorder.expect_rows(wanted[::-1])

    page.get_by_role("button", name="Let the slow order be evicted").click()
    expect(chips).to_have_count(0, timeout=PATIENCE_MS)
    page.goto(f"{shop.url}/livesignals/{link}")
    expect(page.locator("#evicted")).to_contain_text("no longer retained", timeout=PATIENCE_MS)
    expect(recorder.dashboard.rows()).to_have_count(0)
