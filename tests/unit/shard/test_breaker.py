from __future__ import annotations

import pytest

from libs.core.errors import Reason, StorexError
from services.shard.mysql.breaker import CircuitBreaker
from tests.clock import ManualClock


def fail(breaker: CircuitBreaker, reason: Reason, times: int = 3) -> None:
    for _ in range(times):
        breaker.failed(StorexError(reason))


def reason_of(breaker: CircuitBreaker) -> Reason | None:
    try:
        breaker.check()
    except StorexError as error:
        return error.reason
    return None


def test_it_opens_after_failures_in_a_row_and_says_what_they_were() -> None:
    breaker = CircuitBreaker(ManualClock())
    fail(breaker, Reason.DATABASE_ACCESS_DENIED, 2)
    assert reason_of(breaker) is None
    fail(breaker, Reason.DATABASE_ACCESS_DENIED, 1)
    assert reason_of(breaker) is Reason.DATABASE_ACCESS_DENIED


def test_a_row_of_timeouts_is_told_as_an_open_circuit_with_the_time_until_the_next_try() -> None:
    breaker = CircuitBreaker(ManualClock())
    fail(breaker, Reason.DATABASE_TIMEOUT)
    with pytest.raises(StorexError) as caught:
        breaker.check()
    assert caught.value.reason is Reason.DATABASE_CIRCUIT_OPEN
    assert caught.value.retry_seconds == 2.0


def test_it_lets_one_try_through_and_waits_longer_each_time() -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(clock)
    fail(breaker, Reason.DATABASE_UNREACHABLE)
    clock.seconds += 2.1
    assert reason_of(breaker) is None
    fail(breaker, Reason.DATABASE_UNREACHABLE, 1)
    clock.seconds += 2.1
    assert reason_of(breaker) is Reason.DATABASE_UNREACHABLE
    clock.seconds += 2.0
    assert reason_of(breaker) is None


def test_success_closes_it() -> None:
    breaker = CircuitBreaker(ManualClock())
    fail(breaker, Reason.DATABASE_UNREACHABLE)
    breaker.succeeded()
    assert reason_of(breaker) is None


def test_errors_of_single_statements_do_not_count() -> None:
    breaker = CircuitBreaker(ManualClock())
    fail(breaker, Reason.DATABASE_PRIVILEGE_MISSING, 10)
    assert reason_of(breaker) is None
