"""What contacts leave of the caps, at their borders."""

from hypothesis import given
from hypothesis import strategies as st

from interlude.contacts.caps import DAY_MS, NO_USE, Channel, Contact, cap_use

_NOW_MS = 1_700_000_000_000


def _contact(age_ms: int, request_hash: int = 1) -> Contact:
    return Contact(_NOW_MS - age_ms, request_hash, 7, Channel.PLAYER)


def test_no_contacts_use_nothing() -> None:
    assert cap_use((), _NOW_MS) == NO_USE
    assert NO_USE.contacts_last_day == 0
    assert NO_USE.since_last_contact_ms is None


def test_a_contact_counts_until_it_is_24_hours_old() -> None:
    assert cap_use([_contact(DAY_MS - 1)], _NOW_MS).leave_in_ms == (1,)
    assert cap_use([_contact(DAY_MS)], _NOW_MS).leave_in_ms == ()


def test_a_contact_that_no_longer_counts_is_still_the_last_one() -> None:
    assert cap_use([_contact(2 * DAY_MS)], _NOW_MS).since_last_contact_ms == 2 * DAY_MS


def test_contacts_leave_oldest_first_in_whatever_order_they_are_kept() -> None:
    contacts = [_contact(1000), _contact(3000), _contact(2000)]
    use = cap_use(contacts, _NOW_MS)
    assert use.leave_in_ms == (DAY_MS - 3000, DAY_MS - 2000, DAY_MS - 1000)
    assert use.contacts_last_day == 3
    assert use.since_last_contact_ms == 1000


def test_both_channels_count() -> None:
    contacts = [_contact(1000), _contact(2000)._replace(channel=Channel.SMS)]
    assert cap_use(contacts, _NOW_MS).contacts_last_day == 2


def test_what_a_request_reserved_itself_does_not_count_against_it() -> None:
    contacts = [_contact(1000, request_hash=5), _contact(2000, request_hash=6)]
    assert cap_use(contacts, _NOW_MS, request_hash=5) == cap_use(contacts[1:], _NOW_MS)
    assert cap_use(contacts[:1], _NOW_MS, request_hash=5) == NO_USE


def test_a_contact_from_a_clock_that_runs_ahead_was_just_now() -> None:
    use = cap_use([_contact(-5000)], _NOW_MS)
    assert use.since_last_contact_ms == 0
    assert use.contacts_last_day == 1


@given(st.lists(st.integers(-10_000, 3 * DAY_MS), max_size=70))
def test_use_is_what_counting_one_by_one_gives(ages_ms: list[int]) -> None:
    use = cap_use([_contact(age_ms) for age_ms in ages_ms], _NOW_MS)
    counted = [age_ms for age_ms in ages_ms if age_ms < DAY_MS]
    assert use.contacts_last_day == len(counted)
    assert use.leave_in_ms == tuple(sorted(DAY_MS - age_ms for age_ms in counted))
    assert use.since_last_contact_ms == (max(0, min(ages_ms)) if ages_ms else None)
