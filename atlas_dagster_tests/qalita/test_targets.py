"""Ids that the platform does not have are refused by the key that names them."""

from __future__ import annotations

import pytest

from atlas_dagster.errors import ConfigError, QalitaUnavailableError
from atlas_dagster.qalita.mapping import QalitaMapping, Route, Subject
from atlas_dagster.qalita.objects import Target
from atlas_dagster.qalita.provision import Provisioner
from atlas_dagster.qalita.sandbox.wire import NOT_FOUND
from atlas_dagster.qalita.targets import Destination, Targets
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.qalita.support import add_target, open_api
from atlas_dagster_tests.qalita_server.double import QalitaDouble
from atlas_dagster_tests.qalita_server.routes import Generation
from atlas_dagster_tests.qalita_server.wire import LOGIN_PAGE, Lose

SUBJECT = Subject("id-1", "shop", "Shop", "orders", "Orders")


def targets(
    double: QalitaDouble,
    source_id: int | None,
    source_version_id: int | None,
    pack_id: int,
    pack_version_id: int | None,
) -> Targets:
    route = Route(
        "config/qalita.json:2: default", source_id, source_version_id, pack_id, pack_version_id
    )
    return Targets(open_api(double), QalitaMapping("config/qalita.json", default=route))


@pytest.mark.parametrize("generation", list(Generation))
def test_what_the_file_leaves_out_is_the_newest_that_the_platform_has(
    qalita_server: QalitaDouble, generation: Generation
) -> None:
    qalita_server.become(generation)
    add_target(qalita_server)
    qalita_server.ledger.add_pack_version(1, "1.2.0", 1)
    source_version = None if generation is Generation.CURRENT else 1
    assert targets(qalita_server, 1, None, 1, None).destination(SUBJECT) == Destination(
        qalita_server.url, Target(1, 1, 2, source_version), "orders"
    )


def test_versions_that_the_file_names_are_used(qalita_server: QalitaDouble) -> None:
    add_target(qalita_server)
    qalita_server.ledger.add_pack_version(1, "1.2.0", 1)
    found = targets(qalita_server, 1, 77, 1, 1).destination(SUBJECT)
    assert found.target == Target(1, 1, 1, 77)  # without versions of sources nobody minds


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ((9, None, 1, 1), "source_id: QALITA has no source 9, or does not show it to us"),
        ((1, None, 9, 1), "pack_id: QALITA has no pack 9, or does not show it to us"),
        (
            (1, None, 1, 9),
            "pack_version_id: QALITA has no version 9 of pack 1 (atlas); it has 1 (1.0.0)",
        ),
        ((1, 9, 1, 1), "source_version_id: QALITA has no version 9 of source 1 (orders)"),
        ((1, None, 2, None), "pack_id: QALITA has no version of pack 2 (empty)"),
    ],
)
def test_an_id_that_does_not_resolve_is_named_by_file_and_key(
    qalita_server: QalitaDouble, ids: tuple[int, int | None, int, int | None], said: str
) -> None:
    qalita_server.become(Generation.VERSIONED)
    add_target(qalita_server)
    qalita_server.ledger.add_pack("empty", version=None)
    with pytest.raises(ConfigError) as caught:
        targets(qalita_server, *ids).destination(SUBJECT)
    assert str(caught.value) == f"config/qalita.json:2: default.{said}"


def test_a_subject_without_an_entry_is_named(qalita_server: QalitaDouble) -> None:
    nothing = Targets(open_api(qalita_server), QalitaMapping("config/qalita.json"))
    with pytest.raises(ConfigError) as caught:
        nothing.destination(SUBJECT)
    assert str(caught.value) == (
        "config/qalita.json: shop/orders (id-1) has no entry in connection_map, and there is no"
        " default"
    )


def test_the_platform_is_asked_once_for_each_id(qalita_server: QalitaDouble) -> None:
    add_target(qalita_server)
    known = targets(qalita_server, 1, None, 1, None)
    assert known.destination(SUBJECT) == known.destination(Subject("id-2", "b", "b"))
    assert qalita_server.count("") == 2


def test_what_is_no_platform_is_not_taken_for_missing_ids(qalita_server: QalitaDouble) -> None:
    for answer in (LOGIN_PAGE, NOT_FOUND):
        qalita_server.misbehave("sources", answer)
        with pytest.raises(Exception, match=r"^QALITA answered"):
            targets(qalita_server, 1, None, 1, None).destination(SUBJECT)


class TestProvision:
    """Sources that Atlas publishes itself."""

    def test_they_are_published_only_where_that_is_switched_on(
        self, qalita_server: QalitaDouble
    ) -> None:
        add_target(qalita_server)
        with pytest.raises(ConfigError, match="shop/orders has no source_id, and ATLAS_QALITA_PRO"):
            targets(qalita_server, None, None, 1, None).destination(SUBJECT)
        assert len(qalita_server.ledger.rows("sources")) == 1

    def test_a_source_of_that_name_and_type_is_used(
        self, qalita_server: QalitaDouble, warehouse: PgConnection
    ) -> None:
        qalita_server.ledger.add_source("shop", "file")
        qalita_server.ledger.add_source("shop", "airbyte")
        assert Provisioner(warehouse, open_api(qalita_server), 60)(SUBJECT) == 2
        assert qalita_server.count("POST") == 0

    def test_a_source_is_published_once_for_all_streams_and_to_no_partner(
        self, qalita_server: QalitaDouble, warehouse: PgConnection
    ) -> None:
        for stream in ("orders", "users", None):
            provisioner = Provisioner(warehouse, open_api(qalita_server), 60)
            assert provisioner(Subject("id-1", "shop", "Shop", stream, stream)) == 1
        (source,) = qalita_server.ledger.rows("sources")
        assert (source["name"], source["type"], source["visibility"]) == (
            "shop",
            "airbyte",
            "internal",
        )
        assert qalita_server.count("GET") == 1

    @pytest.mark.parametrize("after", [True, False])
    def test_a_lost_answer_publishes_none_twice(
        self, qalita_server: QalitaDouble, warehouse: PgConnection, *, after: bool
    ) -> None:
        qalita_server.misbehave("publish", Lose(after=after))
        with pytest.raises(QalitaUnavailableError):
            Provisioner(warehouse, open_api(qalita_server), 60)(SUBJECT)
        if not after:
            with pytest.raises(QalitaUnavailableError, match="may be about to have"):
                Provisioner(warehouse, open_api(qalita_server), 60)(SUBJECT)
        settled = Provisioner(warehouse, open_api(qalita_server), 0)
        assert settled(SUBJECT) == 1
        assert len(qalita_server.ledger.rows("sources")) == 1

    def test_what_one_platform_has_another_has_not(
        self, qalita_server: QalitaDouble, warehouse: PgConnection
    ) -> None:
        warehouse.execute(
            "insert into pipeline.qalita_source (platform, name, source_id)"
            " values ('http://sandbox', 'shop', 77)"
        )
        assert Provisioner(warehouse, open_api(qalita_server), 60)(SUBJECT) == 1
