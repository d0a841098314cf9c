"""The database and its two retention policies: made where the user may, looked at otherwise. Blocking, for threads."""

from datetime import timedelta

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.rest import ApiException

from gateway.stores import StoreError, StoreHeldError
from gateway.stores.influx_http import Answer, InfluxServer, Series, answers, problem
from gateway.stores.influx_ql import FULL, MINUTES, identifier

_DAY_S = 86_400


def prepare(server: InfluxServer, version: tuple[int, int]) -> None:
    """Database or buckets and how long they keep. Raises StoreError, saying what an administrator has to do.

    InfluxDB 3 makes a database when it is written to, and has its retention set by its own command.
    """
    if version[0] <= 1:
        _prepare_policies(server)
    elif version[0] == 2:
        _prepare_buckets(server)


def _wanted(server: InfluxServer) -> dict[str, int | None]:
    return {FULL: server.settings.keep_days, MINUTES: server.settings.keep_minutes_days}


def _prepare_policies(server: InfluxServer) -> None:
    database = identifier(server.settings.database)
    held = _policies(server)
    if held is None:
        # The policy of full rate is the default one where the database is ours, so that nobody need name it.
        policy = f"DURATION {_days(server.settings.keep_days)} NAME {identifier(FULL)}"
        _as_administrator(server, f"CREATE DATABASE {database} WITH {policy}")
        held = _policies(server) or {}
    for name, days in _wanted(server).items():
        if name not in held:
            _as_administrator(
                server,
                f"CREATE RETENTION POLICY {identifier(name)} ON {database} DURATION {_days(days)} REPLICATION 1",
            )
        elif held[name] != timedelta(days=days or 0):
            _as_administrator(server, f"ALTER RETENTION POLICY {identifier(name)} ON {database} DURATION {_days(days)}")


def _policies(server: InfluxServer) -> dict[str, timedelta] | None:
    """How long each retention policy keeps, 0 for ever; None when there is no such database."""
    database = identifier(server.settings.database)
    try:
        (series,) = server.ask(f"SHOW RETENTION POLICIES ON {database}")
    except StoreHeldError as wrong:
        if "database not found" in str(wrong):
            return None
        if "HTTP 403" in str(wrong) and server.settings.username:
            grant = f"GRANT ALL ON {database} TO {identifier(server.settings.username)}"
            raise StoreHeldError(f"{wrong}: let an administrator make the database and run: {grant}") from wrong
        raise
    return {str(row[0]): _duration(str(row[1])) for one in series for row in _named(one, "name", "duration")}


def _named(series: Series, *columns: str) -> list[list[object]]:
    places = [series.columns.index(column) for column in columns]
    return [[row[place] for place in places] for row in series.rows]


def _duration(written: str) -> timedelta:
    """`720h0m0s`"""
    hours, _, rest = written.rpartition("h")
    minutes, _, seconds = rest.rpartition("m")
    return timedelta(hours=int(hours or 0), minutes=int(minutes or 0), seconds=float(seconds.removesuffix("s")))


def _days(days: int | None) -> str:
    return f"{days}d" if days else "INF"


def _as_administrator(server: InfluxServer, statement: str) -> None:
    try:
        server.ask(statement)
    except StoreHeldError as wrong:
        raise StoreHeldError(f"{wrong}: let an administrator of the database run: {statement}") from wrong


def _prepare_buckets(server: InfluxServer) -> None:
    settings = server.settings
    ca_file = str(settings.ca_file) if settings.ca_file else None
    with InfluxDBClient(settings.url, settings.secret() or "", org=settings.org, ssl_ca_cert=ca_file) as client:
        for policy, days in _wanted(server).items():
            name, seconds = f"{settings.database}/{policy}", (days or 0) * _DAY_S
            try:
                with answers(settings.url):
                    _keep_bucket(client, name, seconds)
            except ApiException as refused:
                raise _bucket_refused(name, refused) from refused


def _keep_bucket(client: InfluxDBClient, name: str, seconds: int) -> None:
    buckets = client.buckets_api()
    rule = BucketRetentionRules(type="expire", every_seconds=seconds)  # type: ignore[no-untyped-call]
    found = buckets.find_bucket_by_name(name)  # type: ignore[no-untyped-call]
    if found is None:
        buckets.create_bucket(bucket_name=name, retention_rules=rule, org=client.org)
    elif sum(one.every_seconds or 0 for one in found.retention_rules) != seconds:
        found.retention_rules = [rule]
        buckets.update_bucket(bucket=found)


def _bucket_refused(name: str, refused: ApiException) -> StoreError:
    return problem(Answer(refused.status or 503, str(refused.body or refused.reason)), f"bucket {name}")
