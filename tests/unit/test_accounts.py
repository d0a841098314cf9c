"""Who gets in, without HTTP: passwords, accounts, sessions, tokens, the throttle and the audit log, on a real file."""

import asyncio
import sqlite3
import stat
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import passwords
from gateway.access import FIRST_LINK_NS, Access
from gateway.accounts import AccountError
from gateway.audit import FAILED_LOGIN
from gateway.database import Database
from gateway.passwords import Hasher, HasherBusyError, WeakPasswordError
from gateway.records import open_records
from gateway.sessions import AT_MOST, IDLE_NS, LONGEST_NS
from gateway.throttle import OF_A_NAME, OF_AN_ADDRESS, Throttle, wait_s

S = 1_000_000_000
DAY = 86_400 * S
NOW = 1_715_360_700 * S
GOOD = "a long enough password"


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_records(tmp_path / "gateway.db")
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules are the same with hashes that take a millisecond."""
    monkeypatch.setattr(passwords, "_MEMORY_KIB", 64)
    monkeypatch.setattr(passwords, "_PASSES", 1)


@pytest.fixture
def access(records: Database) -> Access:
    return Access(records, clock=lambda: NOW)


async def test_a_password_is_kept_as_an_argon2id_hash_of_its_own_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    hasher = Hasher()
    one, two = await hasher.made(GOOD), await hasher.made(GOOD)
    assert one.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert one != two
    assert await hasher.fits(one, GOOD)
    assert not await hasher.fits(one, GOOD + " ")
    assert not await hasher.fits(None, GOOD), "of nobody"


async def test_a_password_fits_however_its_letters_are_composed(access: Access) -> None:
    kept = await access.hasher.made("Gauß und Weber, Göttingen")
    assert await access.hasher.fits(kept, "Gauß und Weber, Göttingen")


@pytest.mark.parametrize("weak", ["", "elevenchars", "x" * 201])
async def test_a_password_that_is_too_short_or_too_long_is_not_taken(access: Access, weak: str) -> None:
    with pytest.raises(WeakPasswordError, match="12 to 200"):
        await access.accounts.add("ann", "admin", weak, NOW)
    assert not await access.accounts.any()


async def test_a_flood_of_logins_waits_in_one_thread_and_is_then_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, at_once = threading.Event(), []
    hasher = Hasher()

    def slow(*_: object) -> bool:
        at_once.append(threading.current_thread())
        go_on.wait(10)
        return False

    monkeypatch.setattr(hasher, "_work", slow)
    waiting = [asyncio.create_task(hasher.fits(None, GOOD)) for _ in range(passwords.WAITING_AT_MOST)]
    await asyncio.sleep(0)
    with pytest.raises(HasherBusyError):
        await hasher.fits(None, GOOD)
    began_s = time.monotonic()
    await asyncio.sleep(0.01)
    assert time.monotonic() - began_s < 1, "the loop goes on"
    go_on.set()
    await asyncio.gather(*waiting)
    assert len(set(at_once)) == 1
    assert not await hasher.fits(None, GOOD), "there is room again"


async def test_the_first_account_is_an_admins_and_the_last_admin_stays(access: Access) -> None:
    with pytest.raises(AccountError, match="admin"):
        await access.accounts.add("bob", "viewer", GOOD, NOW)
    await access.accounts.add("ann", "admin", GOOD, NOW)
    await access.accounts.add("bob", "viewer", GOOD, NOW)
    with pytest.raises(AccountError, match="only admin"):
        await access.accounts.remove("ann")
    await access.accounts.remove("bob")
    with pytest.raises(AccountError, match="no account"):
        await access.accounts.remove("bob")
    assert [one.name for one in await access.accounts.page(10)] == ["ann"]


async def test_a_name_is_the_same_whatever_its_case(access: Access) -> None:
    await access.accounts.add("Ann", "admin", GOOD, NOW)
    with pytest.raises(AccountError, match="already"):
        await access.accounts.add("aNN", "viewer", GOOD, NOW)
    found = await access.accounts.proved("ANN", GOOD)
    assert found is not None
    assert found.name == "Ann"


async def test_of_many_first_accounts_at_once_one_is_made(access: Access) -> None:
    made = await asyncio.gather(
        *(access.accounts.add(f"a{k}", "admin", GOOD, NOW, only_first=True) for k in range(10)), return_exceptions=True
    )
    assert sum(isinstance(one, AccountError) for one in made) == 9
    assert len(await access.accounts.page(10)) == 1


async def test_nothing_that_opens_a_door_stands_in_the_file(access: Access, records: Database) -> None:
    ann = await access.accounts.add("ann", "admin", GOOD, NOW)
    session = await access.sessions.begin(ann, "::1", "browser", NOW)
    _, token = await access.tokens.make("ann", "prometheus", "read", NOW + DAY, NOW)
    key = access.first_key()
    written = b"".join(file.read_bytes() for file in records.path.parent.glob("gateway.db*"))
    assert b"prometheus" in written
    for secret in (GOOD, session, token, key):
        assert secret.encode() not in written


async def test_the_file_with_the_hashes_is_its_owners_alone(records: Database) -> None:
    beside = records.path.with_name("gateway.db-wal")
    assert [stat.S_IMODE(file.stat().st_mode) for file in (records.path, beside)] == [0o600, 0o600]
    await records.close()
    records.path.chmod(0o644)  # as older versions made it
    await (await open_records(records.path)).close()
    assert stat.S_IMODE(records.path.stat().st_mode) == 0o600


async def test_a_session_ends_when_it_is_not_used_and_at_last_anyhow(access: Access) -> None:
    ann = await access.accounts.add("ann", "admin", GOOD, NOW)
    given = await access.sessions.begin(ann, "::1", "", NOW)
    assert await access.sessions.find(given, NOW + IDLE_NS - S) is not None
    assert await access.sessions.find(given, NOW + 2 * IDLE_NS - 2 * S) is not None, "it was used a week ago"
    assert await access.sessions.find(given, NOW + 3 * IDLE_NS) is None
    given = await access.sessions.begin(ann, "::1", "", NOW)
    for day in range(0, LONGEST_NS // DAY, 5):
        assert await access.sessions.find(given, NOW + day * DAY) is not None
    assert await access.sessions.find(given, NOW + LONGEST_NS) is None
    await access.sessions.forget(NOW + LONGEST_NS)
    assert await access.sessions.page("ann", NOW, 10) == []


async def test_an_account_has_a_bounded_number_of_sessions(access: Access) -> None:
    ann = await access.accounts.add("ann", "admin", GOOD, NOW)
    given = [await access.sessions.begin(ann, "::1", str(k), NOW + k) for k in range(AT_MOST + 2)]
    alive = [await access.sessions.find(one, NOW + S) is not None for one in given]
    assert alive == [False, False] + [True] * AT_MOST


async def test_who_is_removed_or_gets_a_new_password_is_out(access: Access, records: Database) -> None:
    ann = await access.accounts.add("ann", "admin", GOOD, NOW)
    bob = await access.accounts.add("bob", "operator", GOOD, NOW)
    here, there = [await access.sessions.begin(ann, "::1", "", NOW) for _ in range(2)]
    current = await access.sessions.find(here, NOW)
    assert current is not None
    await access.accounts.set_password("ann", GOOD + "!", but_session=current.number)
    assert await access.sessions.find(here, NOW) is not None
    assert await access.sessions.find(there, NOW) is None
    assert await access.accounts.proved("ann", GOOD) is None
    session = await access.sessions.begin(bob, "::1", "", NOW)
    _, token = await access.tokens.make("bob", "x", "operate", NOW + DAY, NOW)
    await access.accounts.remove("bob")
    left = await records.rows("SELECT account FROM sessions UNION ALL SELECT account FROM tokens")
    assert left == [(ann.number,)]
    again = await access.accounts.add("bob", "operator", GOOD, NOW)
    assert again.number != bob.number
    assert await access.sessions.find(session, NOW) is None
    assert await access.tokens.find(token, NOW) is None


async def test_a_token_expires_and_never_gives_more_than_its_account_may(access: Access, records: Database) -> None:
    await access.accounts.add("ann", "admin", GOOD, NOW)
    await access.accounts.add("bob", "operator", GOOD, NOW)
    with pytest.raises(AccountError, match="bob is operator"):
        await access.tokens.make("bob", "x", "admin", NOW + DAY, NOW)
    _, read = await access.tokens.make("ann", "x", "read", NOW + DAY, NOW)
    _, full = await access.tokens.make("ann", "x", "admin", NOW + DAY, NOW)

    async def role(token: str, now_ns: int = NOW) -> str | None:
        found = await access.tokens.find(token, now_ns)
        return found.role if found else None

    assert (await role(read), await role(full)) == ("viewer", "admin")
    assert (await role(read, NOW + DAY - 1), await role(read, NOW + DAY)) == ("viewer", None)
    assert await role(read + "x") is await role("") is None
    async with records.transaction() as connection:
        await connection.execute("UPDATE accounts SET role = 'operator' WHERE name = 'ann'")
    assert (await role(read), await role(full)) == ("viewer", "operator")


async def test_the_last_use_of_a_token_is_known_to_a_minute(access: Access) -> None:
    await access.accounts.add("ann", "admin", GOOD, NOW)
    _, token = await access.tokens.make("ann", "x", "read", NOW + DAY, NOW)

    async def used() -> int | None:
        return (await access.tokens.page("ann", 1))[0].used_ns

    assert await used() is None
    for after_s, known in ((5, 5), (30, 5), (66, 66)):
        await access.tokens.find(token, NOW + after_s * S)
        assert await used() == NOW + known * S


def test_the_pause_doubles_after_the_free_failures_and_has_a_limit() -> None:
    pauses = [wait_s(failures, 0.0, OF_A_NAME) for failures in range(13)]
    assert pauses == [0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60]
    assert wait_s(6, 3.0, OF_A_NAME) == 1.0
    assert wait_s(6, 4.0, OF_A_NAME) == 0.0
    assert wait_s(6, -100.0, OF_A_NAME) == 4.0, "a clock that goes back makes nobody wait for ever"
    assert wait_s(10**6, 0.0, OF_AN_ADDRESS) == OF_AN_ADDRESS.longest_s


async def test_a_hundred_tries_at_once_are_a_hundred_and_survive_a_restart(records: Database) -> None:
    tried = await asyncio.gather(*(Throttle(records).tried("ann", f"192.0.2.{k}", NOW) for k in range(100)))
    assert sum(wait == 0 for wait in tried) == OF_A_NAME.free
    assert await Throttle(records).tried("ANN", "198.51.100.1", NOW) > 0, "whatever the case"
    assert await Throttle(records).tried("bob", "192.0.2.1", NOW) == 0, "others are not slowed"


async def test_an_address_that_tries_many_names_is_slowed_and_a_good_login_buys_no_bad_ones(records: Database) -> None:
    throttle = Throttle(records)
    for k in range(OF_AN_ADDRESS.free):
        assert await throttle.tried("ann", "2001:db8::", NOW) == 0
        await throttle.was_right("ann", "2001:db8::")
        assert await throttle.tried(f"name{k}", f"2001:db8::{k:x}", NOW) == 0
    assert await throttle.tried("another", "2001:db8::ffff", NOW) > 0, "the same network"
    assert await throttle.tried("another", "2001:db8:0:1::1", NOW) == 0


async def test_the_throttle_forgets_what_is_old_or_too_much(records: Database) -> None:
    throttle = Throttle(records, rows_at_most=10)
    for k in range(20):
        await throttle.tried(f"name{k}", f"192.0.2.{k}", NOW + k)
    await throttle.forget(NOW + S)
    ((rows,),) = await records.rows("SELECT count(*) FROM login_tries")
    assert rows == 10
    await throttle.forget(NOW + 2 * DAY)
    assert await records.rows("SELECT 1 FROM login_tries") == []


async def test_the_audit_log_is_added_to_and_never_changed(access: Access, records: Database) -> None:
    now_ns = time.time_ns()
    await access.audit.add(now_ns, "ann", "session", "::1", "DELETE /api/v1/accounts/bob")
    await access.audit.add(now_ns - 401 * DAY, "old", "session", "::1", "POST /x")
    for statement in ("UPDATE audit SET who = 'bob'", "DELETE FROM audit WHERE who = 'ann'"):
        with pytest.raises(sqlite3.IntegrityError, match="the audit log is"):
            async with records.transaction() as connection:
                await connection.execute(statement)
    await access.audit.forget(now_ns)
    assert [one.who for one in await access.audit.page(0, 2**62, 10)] == ["ann"]


async def test_of_failed_logins_which_strangers_make_only_so_many_are_kept(access: Access) -> None:
    now_ns = time.time_ns()
    await access.audit.add(now_ns, "ann", "session", "::1", "POST /x")
    for _ in range(5):
        await access.audit.add(now_ns, "(unknown)", "anonymous", "192.0.2.1", FAILED_LOGIN)
    await access.audit.forget(now_ns, failed_logins_at_most=2)
    assert [one.what for one in await access.audit.page(0, 2**62, 10)] == [FAILED_LOGIN] * 2 + ["POST /x"]


async def test_the_key_of_the_first_start_expires_and_a_new_one_voids_it(records: Database) -> None:
    now_ns = [NOW]
    access = Access(records, clock=lambda: now_ns[0])
    assert not access.is_first_key("")
    old = access.first_key()
    key = access.first_key()
    assert not access.is_first_key(old)
    assert access.is_first_key(key)
    now_ns[0] += FIRST_LINK_NS
    assert not access.is_first_key(key)
