"""What is told when: many failures for one reason are one message, and nothing is left out of the counts."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from ct_assets.runbooks import FAILED_TOO_OFTEN, RUN_FAILED
from sensors.alarm_groups import EXAMPLES, MOST_REASONS, REST_SECONDS, State, key_of, message
from sensors.failed_run import Failure

DISK = "docs/runbooks/disk-full.md"


def _failure(number: int, reason: str = "broken", runbook: str = RUN_FAILED.path, time: float = 0.0) -> Failure:
    return Failure(f"run-{number}", "demo", f"1.2.{number}", "organ_seg", reason, runbook, time)


def _tell(state: State, now: float) -> tuple[State, list[int]]:
    counts = []
    for key in state.due(now):
        counts.append(state.groups[key].waiting)
        state = state.told(key, now)
    return state.tidied(now), counts


def test_failures_for_one_reason_are_one_message_whatever_their_series():
    failures = [_failure(n, f"/home/demo/series/1.2.{n}/ct.json is damaged (pid {n})") for n in range(50)]
    assert len({key_of(failure) for failure in failures}) == 1
    state, counts = _tell(State(after=0).taking(failures, 50), 1000.0)
    assert counts == [50]
    assert state.after == 50


def test_runs_that_are_lost_together_are_one_message():
    """Their reason names the run: after a restart of the machine each run was a reason of its own."""
    failures = [_failure(n, f"Marking run {uuid.uuid4()} as failed at {hex(id(n) + n)}.") for n in range(50)]
    assert len({key_of(failure) for failure in failures}) == 1


def test_a_reason_rests_after_it_was_told_and_then_tells_what_came_meanwhile():
    state, counts = _tell(State(after=0).taking([_failure(1)], 1), 1000.0)
    assert counts == [1]
    for n in range(2, 12):
        state, counts = _tell(state.taking([_failure(n)], n), 1000.0 + n)
        assert counts == []
    state, counts = _tell(state, 1000.0 + REST_SECONDS)
    assert counts == [10]
    state, counts = _tell(state, 1000.0 + 2 * REST_SECONDS)
    assert (counts, state.groups) == ([], {}), "a reason of which nothing waits is forgotten"


def test_another_reason_does_not_wait_for_one_that_rests():
    state, _ = _tell(State(after=0).taking([_failure(1)], 1), 1000.0)
    _, counts = _tell(state.taking([_failure(2, "of another kind")], 2), 1001.0)
    assert counts == [1]


@given(st.lists(st.tuples(st.sampled_from([f"reason {c}" for c in "abcdefghijklmnopqrst"]), st.integers(0, 4000))))
def test_no_failure_is_lost_and_the_messages_are_few(failures):
    """Whatever fails when: every failure is counted once, and each quarter of an hour has a message per reason."""
    failures.sort(key=lambda failure: failure[1])
    state, told = State(after=0), []
    for n, (reason, second) in enumerate(failures):
        state, counts = _tell(State.parse(state.taking([_failure(n, reason)], n).model_dump_json()), float(second))
        told += [(second, count) for count in counts]
    _, last = _tell(state, 1e6)
    assert sum(count for _, count in told) + sum(last) == len(failures)
    for start in range(0, 4000, 100):
        window = [second for second, _ in told if start <= second < start + REST_SECONDS]
        assert len(window) <= MOST_REASONS + 1


def test_the_state_stays_small():
    state = State(after=0)
    for n in range(3000):
        state = state.taking([_failure(n, "x" * 400 + chr(97 + n % 26))], n)
    assert len(state.model_dump_json()) < 20_000
    assert all(len(group.series) <= EXAMPLES for group in state.groups.values())
    assert sum(group.waiting for group in state.groups.values()) == 3000


def test_a_foreign_cursor_is_as_if_there_were_none():
    for text in (None, "", "7", "[]", '{"after": "x"}', '{"groups": {}}', "{"):
        assert State.parse(text) is None


def test_a_message_says_in_one_line_what_failed_where_why_and_what_to_do():
    (group,) = State(after=0).taking([_failure(7, "the disk is full", DISK, 60.0)], 1).groups.values()
    said = message(group, attempts=2, most_attempts=3, ui_url="http://ui:3000/")
    assert said["text"] == (
        "demo: series 1.2.7 failed in organ_seg (attempt 2): the disk is full. "
        "What to do: docs/runbooks/disk-full.md http://ui:3000/runs/run-7"
    )
    assert "\n" not in said["text"]
    assert {key: said[key] for key in ("collection", "series", "stage", "run", "attempts", "count")} == {
        "collection": "demo", "series": "1.2.7", "stage": "organ_seg", "run": "run-7", "attempts": 2, "count": 1,
    }  # fmt: skip
    assert (said["reason"], said["runbook"]) == ("the disk is full", DISK)
    assert said["time"] == "1970-01-01T00:01:00+00:00"
    assert message(group, 1, 3, None)["url"] is None


def test_a_message_of_many_names_the_last_and_counts():
    (group,) = State(after=0).taking([_failure(n, "full", DISK, n * 60.0) for n in range(1, 8)], 7).groups.values()
    said = message(group, None, 3, None)
    assert said["text"] == (
        "demo: 7 runs failed in organ_seg: full; the last: series 1.2.7. What to do: docs/runbooks/disk-full.md"
    )
    assert (said["count"], said["examples"], said["attempts"]) == (7, ["1.2.5", "1.2.6", "1.2.7"], None)
    assert (said["since"], said["time"]) == ("1970-01-01T00:01:00+00:00", "1970-01-01T00:07:00+00:00")


def test_a_series_that_the_schedule_gives_up_is_said_to_be_one():
    (plain,) = State(after=0).taking([_failure(1)], 1).groups.values()
    said = message(plain, 3, 3, None)
    assert "(3 times so far; the schedule leaves it out)" in said["text"]
    assert said["runbook"] == FAILED_TOO_OFTEN.path
    (known,) = State(after=0).taking([_failure(1, "full", DISK)], 1).groups.values()
    assert message(known, 3, 3, None)["runbook"] == DISK, "the page of the cause says more"
