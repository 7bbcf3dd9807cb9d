"""Governed data: their owner, permissions, limits, lifetime, and the audit log."""

import json
import os
import time

import pyarrow as pa
import pytest
import requests
from pyarrow import flight

from flops_contracts.topics import node_data_topic
from flops_flight.errors import DataRejectedError, NotAllowedError
from flops_flight.messages import Identity
from flops_flight.names import FragmentName
from flops_ml_data_server.access.audit import Audit
from flops_ml_data_server.access.callers import Caller
from flops_ml_data_server.access.rules import Rulebook, TagRules
from flops_ml_data_server.commands import command
from flops_ml_data_server.settings import Settings, Tokens
from flops_ml_data_server.storage.volume import Volume
from flops_ml_data_server.store import Store
from flops_runtime.mqtt import MqttConnection
from flops_runtime.settings import MqttSettings, ProcessSettings
from support.broker import PASSWORD, running_broker
from support.data_plane import a_data_server, a_table
from support.waiting import until

PROJECT = "0123456789ab"


def ruled(node, tag, **rules):
    answer = requests.put(f"{node.http}/api/tags/{tag}/rules", json=rules, timeout=120)
    assert answer.ok, answer.text


def audited(node, **query):
    entries = requests.get(f"{node.http}/api/audit", query, timeout=120).json()["entries"]
    return [(entry["action"], entry["what"]) for entry in entries]


def test_who_put_read_and_dropped_what_is_written_down_newest_first(server, node):
    name = server.upload("v1.0", a_table()).name
    server.upload("v1", a_table(first=1))
    server.claim(PROJECT, 0, 1, ("v1.0",))
    server.download(name)
    server.drop(name)

    assert audited(node, tag="v1.0") == [
        ("dropped", name),
        ("read", name),
        ("claimed", "v1.0"),
        ("put", name),
    ]


def test_the_audit_log_is_only_ever_added_to(server, node):
    server.upload("mnist", a_table())
    (log,) = (node.volume / ".audit").iterdir()
    before = log.read_bytes()

    server.upload("mnist", a_table(first=1))

    assert log.read_bytes().startswith(before)
    assert len(log.read_bytes()) > len(before)


def test_an_entry_says_who_and_for_whom(node):
    asking = Identity("sensor 7", PROJECT, "alice")
    with node.client(identity=asking) as server:
        server.upload("mnist", a_table())

    (entry,) = requests.get(f"{node.http}/api/audit", timeout=120).json()["entries"]
    assert (entry["who"], entry["project"], entry["customer"]) == ("sensor 7", PROJECT, "alice")
    assert (entry["rows"], entry["from"].startswith("ipv4:127.0.0.1")) == (100, True)


def test_data_for_some_are_for_nobody_else(server, node):
    name = server.upload("wards", a_table()).name
    ruled(node, "wards", customers=["hospital"], projects=[PROJECT])

    assert server.list_fragments() == ()
    with pytest.raises(NotAllowedError, match="not for this project"):
        server.download(name)
    with pytest.raises(NotAllowedError):
        server.claim("ba9876543210", 0, 1, ("wards",))
    with flight.connect(f"grpc://{node.address}") as old_client:
        assert list(old_client.list_flights()) == []


@pytest.mark.parametrize(
    "identity", [Identity(project_id=PROJECT), Identity(customer_id="hospital")]
)
def test_data_for_some_are_for_them(server, node, identity):
    server.upload("wards", a_table())
    ruled(node, "wards", customers=["hospital"], projects=[PROJECT])

    with node.client(identity=identity) as allowed:
        share = allowed.claim(PROJECT, 0, 1, ("wards",))
        assert allowed.read_share(share).num_rows == 100


def test_nobody_claims_in_the_name_of_another_project(server, node):
    server.upload("mnist", a_table())
    other = node.client(identity=Identity(project_id="ba9876543210"))

    with other, pytest.raises(NotAllowedError, match="for itself only"):
        other.claim(PROJECT, 0, 1, ("mnist",))


def test_only_the_owner_adds_and_drops(tmp_path):
    tokens = Tokens("operators-token", (("alice", "alices-token"), ("bob", "bobs-token")))
    with a_data_server(tmp_path / "volume", tokens=tokens) as node:
        operator = {"authorization": "Bearer operators-token"}
        rules = f"{node.http}/api/tags/mine/rules"
        requests.put(rules, json={"owner": "alice"}, headers=operator, timeout=120)

        with node.client("alices-token") as alice, node.client("bobs-token") as bob:
            name = alice.upload("mine", a_table()).name
            with pytest.raises(NotAllowedError, match="belong to alice"):
                bob.upload("mine", a_table(first=1))
            with pytest.raises(NotAllowedError, match="belong to alice"):
                bob.drop(name)

        assert node.visible() == [name]
        refused = requests.delete(f"{node.http}/api/tags/mine", timeout=120)
        assert (refused.status_code, "token" in refused.json()["message"]) == (401, True)
        assert requests.delete(f"{node.http}/api/tags/mine", headers=operator, timeout=120).ok
        assert node.visible() == []


def test_a_quota_is_for_all_fragments_of_a_tag_and_a_repeated_upload_still_succeeds(server, node):
    noise, more = (pa.table({"x": [os.urandom(700_000)]}) for _ in range(2))
    first = server.upload("small", noise)
    ruled(node, "small", quota_mb=1)

    with pytest.raises(DataRejectedError, match="at most 1 MB"):
        server.upload("small", more)

    assert server.upload("small", noise) == first
    assert (node.visible(), node.unfinished()) == ([first.name], [])


def test_data_go_when_their_time_has_come(tmp_path):
    volume = Volume(tmp_path)
    volume.open()
    store = Store(volume, Rulebook(tmp_path, TagRules(retention_days=7)), Audit(tmp_path))
    with store.upload(Caller("me"), "old", a_table().schema) as pending:
        pending.append(a_table().to_batches()[0])
        pending.finish()
        name = str(store.publish(Caller("me"), pending, FragmentName("old", "")).name)

    store.sweep(time.time() + 6 * 86_400)
    fragments_before = len(volume.fragments())
    store.sweep(time.time() + 8 * 86_400)
    volume.close()

    assert (fragments_before, volume.fragments()) == (1, ())
    assert Audit(tmp_path).entries()[0]["action"] == "expired"
    assert Audit(tmp_path).entries()[0]["what"] == name


def test_rules_that_cannot_be_read_let_nobody_in(server, node):
    server.upload("wards", a_table())
    ruled(node, "wards", owner="alice")
    (node.volume / ".tags" / "wards.json").write_text('{"owne')

    assert server.list_fragments() == ()


@pytest.mark.parametrize("body", [b"", b"[]", b'{"owners": "alice"}', b'{"quota_mb": -1}'])
def test_rules_that_make_no_sense_are_refused(node, body):
    answer = requests.put(f"{node.http}/api/tags/x/rules", data=body, timeout=120)

    assert (answer.status_code, (node.volume / ".tags").exists()) == (400, False)


@pytest.mark.parametrize("path", ["fragments/..%2Fx", "tags/..%2Fx", "tags/.hidden"])
def test_pages_refuse_hostile_names(node, path):
    assert requests.delete(f"{node.http}/api/{path}", timeout=120).status_code == 400


def test_the_commands_in_the_image_do_the_same(server, node, capsys):
    name = server.upload("v1.0", a_table()).name
    port = int(node.http.rpartition(":")[2])
    settings = Settings(ProcessSettings(bind_address="127.0.0.1", status_port=port), node.volume)

    def said(*arguments):
        code = command(arguments, settings)
        return int(code), capsys.readouterr().out

    assert json.loads(said("list", "v1.0")[1])["fragments"][0]["name"] == name
    assert json.loads(said("stats")[1])["tags"][0]["rows"] == 100
    assert json.loads(said("rules", "v1.0", "--set", "--owner", "alice")[1])["message"] == "ok"
    assert json.loads(said("rules", "v1.0")[1])["rules"]["owner"] == "alice"
    assert json.loads(said("health")[1]) == {"message": "ok"}
    assert "flops_data_" in said("metrics")[1] or said("metrics")[0] == 0
    assert said("drop", f"v1.{'0' * 32}.parquet")[0] == 23
    assert json.loads(said("drop", "v1.0", "--tag")[1])["dropped"] == 1
    assert json.loads(said("audit", "--limit", "1")[1])["entries"][0]["what"] == name


def test_a_summary_of_the_data_without_values_is_published_to_a_broker(tmp_path):
    heard = []
    with running_broker() as broker:
        mqtt = MqttSettings(broker.url, PASSWORD)
        with (
            MqttConnection(mqtt, "listener") as listener,
            a_data_server(tmp_path / "volume", node="node 1", mqtt=mqtt) as node,
            node.client() as server,
        ):
            listener.subscribe(
                node_data_topic("node 1"), lambda _, payload: heard.append(json.loads(payload))
            )
            server.upload("mnist", a_table(rows=42))
            until(lambda: heard and heard[-1]["tags"], 30, what="the upload is announced")

    (tag,) = heard[-1]["tags"]
    assert (heard[-1]["node"], tag["tag"], tag["rows"]) == ("node 1", "mnist", 42)
    assert tag["columns"] == {"x": "int64"}
