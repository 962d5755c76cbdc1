from __future__ import annotations

from services.shard.sampler.history import DENSE_SECONDS, KEEP_SECONDS, DigestSample, History, Owner, StatusSample

OWNER: Owner = ("app", "10.0.0.1", "web")


def test_the_window_starts_at_the_newest_sample_that_is_old_enough() -> None:
    history = History()
    for at in range(10):
        history.add_status(StatusSample(float(at), {"Uptime": float(at)}))
    start = history.status_before(9.5, 4.0)
    assert start is not None
    assert start.at == 5.0


def test_a_window_longer_than_what_was_sampled_starts_at_the_oldest_sample() -> None:
    history = History()
    history.add_status(StatusSample(100.0, {"Uptime": 1.0}))
    start = history.status_before(101.0, 60.0)
    assert start is not None
    assert start.at == 100.0
    assert History().status_before(1.0, 1.0) is None


def test_a_restarted_server_begins_a_new_history() -> None:
    history = History()
    history.add_status(StatusSample(1.0, {"Uptime": 5000.0, "Questions": 9e6}))
    history.add_status(StatusSample(2.0, {"Uptime": 1.0, "Questions": 3.0}))
    assert [sample.at for sample in history.status] == [2.0]


def test_digest_samples_thin_out_with_age_and_end() -> None:
    history = History()
    for at in range(0, int(KEEP_SECONDS) + 300, 2):
        history.add_digests(DigestSample(float(at), {}))
    newest = history.digests[-1].at
    ages = [newest - sample.at for sample in history.digests]
    assert max(ages) <= KEEP_SECONDS
    assert sum(age <= DENSE_SECONDS for age in ages) == DENSE_SECONDS / 2 + 1
    assert sum(age > DENSE_SECONDS for age in ages) < 20


def test_a_connection_is_reused_once_it_works_again_after_being_idle() -> None:
    history = History()
    history.track(10.0, [(1, OWNER, True, 4.0), (2, OWNER, False, 0.1), (3, OWNER, True, 4.0), (4, OWNER, True, 1.0)])
    # 1 goes on idling, 2 idles for the first time, 3 works, 4 has worked in between and idles again.
    history.track(15.0, [(1, OWNER, True, 9.0), (2, OWNER, True, 3.0), (3, OWNER, False, 0.0), (4, OWNER, True, 0.2)])
    assert {number: known.reused for number, known in history.tracked.items()} == {1: False, 2: False, 3: True, 4: True}


def test_whole_second_clocks_do_not_make_a_connection_reused() -> None:
    history = History()
    history.track(10.0, [(1, OWNER, True, 4.0)])
    history.track(11.0, [(1, OWNER, True, 4.0)])
    assert not history.tracked[1].reused


def test_closed_connections_are_forgotten() -> None:
    history = History()
    history.track(10.0, [(1, OWNER, True, 4.0)])
    history.track(11.0, [])
    assert history.tracked == {}
