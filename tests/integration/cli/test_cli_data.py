"""`flops data` against a real data server."""

import json

import pytest
from PIL import Image

from flops_cli.__main__ import main
from flops_cli.errors import CliExitCode
from flops_flight.client import DataServer
from flops_flight.columns import classes_of
from flops_flight.messages import Part, Share
from support.broker import free_port
from support.data_plane import a_data_server, a_table


@pytest.fixture
def node(tmp_path, monkeypatch):
    with a_data_server(tmp_path / "volume") as world:
        monkeypatch.setenv("FLOPS_DATA_SERVER", world.address)
        yield world


@pytest.fixture
def readings(tmp_path):
    file = tmp_path / "readings.csv"
    file.write_text("temperature,fault\n" + "20.5,0\n" * 100)
    return file


def test_pushed_data_are_listed_and_dropped(node, readings, capsys):
    assert main(["data", "push", str(readings), "--tag", "oven"]) == CliExitCode.DONE
    assert main(["data", "list"]) == CliExitCode.DONE
    assert main(["data", "drop", "--tag", "oven", "--yes"]) == CliExitCode.DONE

    shown = capsys.readouterr().out
    assert shown.count("1 fragment, 100 rows") == 3
    assert node.visible() == []


def test_a_repeated_push_changes_nothing(node, readings):
    for _ in range(2):
        assert main(["data", "push", str(readings), "--tag", "oven"]) == CliExitCode.DONE

    assert len(node.visible()) == 1


def test_a_push_shows_its_progress(node, readings, capsys):
    main(["data", "push", str(readings), "--tag", "oven"])

    assert "readings.csv (kB) 0/1" in capsys.readouterr().out


def test_json_is_alone_on_standard_output(node, readings, capsys):
    main(["data", "push", str(readings), "--tag", "oven", "--json"])

    (pushed,) = json.loads(capsys.readouterr().out)
    main(["data", "list", "--json"])
    (listed,) = json.loads(capsys.readouterr().out)
    assert pushed == {"source": str(readings), **listed}
    assert listed["rows"] == 100


def test_a_broken_file_leaves_nothing_at_the_server(node, tmp_path, capsys):
    file = tmp_path / "x.csv"
    file.write_text("x\n" + "1\n" * 3_000_000 + "oops\n")

    assert main(["data", "push", str(file), "--tag", "oven"]) == CliExitCode.USAGE

    assert "x.csv cannot be read" in capsys.readouterr().err
    assert (node.visible(), node.unfinished()) == ([], [])


def test_only_the_named_tag_is_listed(node, capsys):
    with node.client() as client:
        client.upload("oven", a_table(10))
        client.upload("fridge", a_table(20))

    main(["data", "list", "--tag", "fridge"])

    shown = capsys.readouterr().out
    assert "20 rows" in shown
    assert "oven" not in shown


def test_a_fragment_is_dropped_by_its_name(node):
    with node.client() as client:
        first = client.upload("oven", a_table(10))
        second = client.upload("oven", a_table(20))

    assert main(["data", "drop", first.name, "--yes"]) == CliExitCode.DONE

    assert node.visible() == [second.name]


def test_nothing_is_dropped_if_one_name_is_wrong(node, capsys):
    with node.client() as client:
        fragment = client.upload("oven", a_table(10))

    code = main(["data", "drop", fragment.name, "no.parquet", "--yes"])

    assert code == CliExitCode.NOT_FOUND
    assert "has no fragment no.parquet" in capsys.readouterr().err
    assert node.visible() == [fragment.name]


def test_a_server_that_wants_a_token_refuses(tmp_path, readings, monkeypatch, capsys):
    with a_data_server(tmp_path / "volume", token="s3cret") as world:
        push = ["data", "push", str(readings), "--tag", "oven", "--server", world.address]
        refused = main(push)
        monkeypatch.setenv("FLOPS_DATA_SERVER_TOKEN", "s3cret")
        accepted = main(push)

    assert (refused, accepted) == (CliExitCode.REFUSED, CliExitCode.DONE)
    assert "FLOPS_DATA_SERVER_TOKEN" in capsys.readouterr().err


def test_an_unreachable_server_is_named_with_its_address(capsys):
    address = f"127.0.0.1:{free_port()}"

    assert main(["data", "list", "--server", address]) == CliExitCode.UNREACHABLE

    assert address in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["push", ".", "--tag", "a/b", "--server", "x"], ["drop", "--server", "x"]],
    ids=["no server", "a bad tag", "nothing named"],
)
def test_wrong_arguments_are_usage_errors(arguments, monkeypatch):
    monkeypatch.delenv("FLOPS_DATA_SERVER", raising=False)

    assert main(["data", *arguments]) == CliExitCode.USAGE


@pytest.fixture
def pictures(tmp_path):
    """Return a way to make a folder of images, one for each class."""

    def pictures(name, *classes):
        for number, label in enumerate(classes):
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            shade = 40 * number + 10 + len(name)
            Image.new("L", (4, 4), shade).save(folder / f"{name}.png")
        return str(tmp_path / name)

    return pictures


def labels_of(node):
    """Return the class of each image that the node has under the tag, as a learner reads it."""
    with DataServer(node.address) as server:
        fragments = server.list_fragments(("parts",))
        share = Share(tuple(Part(fragment.name, 0, fragment.rows) for fragment in fragments))
        table = server.read_share(share)
    names = classes_of(table.schema)["label"]
    return [names[number] for number in table["label"].to_pylist()]


def test_a_folder_takes_the_classes_of_the_data_that_are_there(node, pictures):
    for folder in (pictures("a", "broken", "good"), pictures("b", "good")):
        assert main(["data", "push", folder, "--tag", "parts"]) == CliExitCode.DONE

    assert sorted(labels_of(node)) == ["broken", "good", "good"]


def test_a_folder_with_another_class_is_refused_with_both_lists(node, pictures, capsys):
    main(["data", "push", pictures("a", "good"), "--tag", "parts"])

    assert main(["data", "push", pictures("b", "broken", "good"), "--tag", "parts"]) == (
        CliExitCode.USAGE
    )

    shown = " ".join(capsys.readouterr().err.split())
    assert "has images of broken, but the classes of this tag are good" in shown
    assert len(node.visible()) == 1


def test_classes_can_be_stated_before_a_folder_has_all_of_them(node, pictures, capsys):
    stated = ["--tag", "parts", "--classes", "broken, good"]
    assert main(["data", "push", pictures("a", "good"), *stated]) == CliExitCode.DONE
    assert main(["data", "push", pictures("b", "broken"), "--tag", "parts"]) == CliExitCode.DONE
    other = ["--tag", "parts", "--classes", "good,broken"]
    assert main(["data", "push", pictures("c", "good"), *other]) == CliExitCode.USAGE

    assert sorted(labels_of(node)) == ["broken", "good"]
    assert "the classes broken, good" in " ".join(capsys.readouterr().err.split())
