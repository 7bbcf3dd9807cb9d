"""Files of a device, read batch by batch."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from flops_cli.errors import UnreadableFileError
from flops_cli.sources import Options, find_sources
from flops_flight.csv_files import CsvFormat

METADATA = {b"huggingface": b'{"info": {}}'}


def all_of(source):
    """Read a source; return its table and the sum of the progress that it reported."""
    progress = []
    return source.read(progress.append).read_all(), sum(progress)


def a_picture(file, grey=0):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), grey).save(file)


def test_a_parquet_file_keeps_its_columns_and_metadata(tmp_path):
    table = pa.table({"x": range(40_000)}).replace_schema_metadata(METADATA)
    pq.write_table(table, tmp_path / "x.parquet")

    (source,) = find_sources(tmp_path / "x.parquet")
    read, progress = all_of(source)

    assert read.equals(table)
    assert read.schema.metadata == METADATA
    assert (source.total, source.unit, progress) == (40_000, "rows", 40_000)


@pytest.mark.parametrize(("name", "open_file"), [("x.csv", open), ("x.csv.gz", gzip.open)])
def test_a_csv_file_is_read_with_the_types_of_its_values(tmp_path, name, open_file):
    with open_file(tmp_path / name, "wt") as file:
        file.write("temperature,fault\n20.5,0\n21.0,1\n")

    (source,) = find_sources(tmp_path / name)
    read, progress = all_of(source)

    assert read.to_pydict() == {"temperature": [20.5, 21.0], "fault": [0, 1]}
    assert progress == pytest.approx(source.total)


def test_each_file_of_a_folder_is_a_table_of_its_own(tmp_path):
    for name in ("b.csv", "a.csv"):
        (tmp_path / name).write_text("x\n1\n")
    (tmp_path / "notes.txt").write_text("not for sending")

    assert [source.path.name for source in find_sources(tmp_path)] == ["a.csv", "b.csv"]


def test_images_in_folders_have_the_folders_as_labels(tmp_path):
    a_picture(tmp_path / "dog" / "1.png", 7)
    a_picture(tmp_path / "cat" / "2.png", 8)

    (source,) = find_sources(tmp_path)
    read, progress = all_of(source)

    assert read["label"].to_pylist() == [0, 1]
    assert [image["path"] for image in read["image"].to_pylist()] == ["2.png", "1.png"]
    assert read["image"][1]["bytes"].as_py() == (tmp_path / "dog" / "1.png").read_bytes()
    assert (progress, source.unit) == (2, "images")


def test_the_features_of_images_are_those_that_datasets_writes(tmp_path):
    a_picture(tmp_path / "cat" / "1.png")

    read, _ = all_of(find_sources(tmp_path)[0])

    features = json.loads(read.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"]["_type"] == "Image"
    assert features["label"] == {"names": ["cat"], "_type": "ClassLabel"}


def test_images_without_folders_have_no_label(tmp_path):
    a_picture(tmp_path / "1.png")

    read, _ = all_of(find_sources(tmp_path)[0])

    assert read.column_names == ["image"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "neither tables nor images"),
        (("a.csv", "1.png"), "both tables and images"),
        (("1.png", "cat/2.png"), "not inside a label folder"),
    ],
)
def test_an_ambiguous_folder_is_refused(tmp_path, names, words):
    for name in names:
        a_picture(tmp_path / name) if name.endswith("png") else (tmp_path / name).write_text("x\n")

    with pytest.raises(UnreadableFileError, match=words):
        find_sources(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("x.parquet", b"no parquet"), ("x.csv.gz", b"no gzip"), ("x.csv", b""), ("x.docx", b"x")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(UnreadableFileError, match=name):
        all_of(find_sources(tmp_path / name)[0])


def test_a_table_with_an_error_in_the_middle_is_named(tmp_path):
    # The types are those of the first block; the error is in a later one.
    lines = "1\n" * 3_000_000
    (tmp_path / "x.csv").write_text(f"x\n{lines}oops\n")

    with pytest.raises(UnreadableFileError, match=r"x\.csv cannot be read"):
        all_of(find_sources(tmp_path / "x.csv")[0])


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_a_table_without_rows_is_refused(tmp_path, name):
    if name == "x.csv":
        (tmp_path / name).write_text("a,b\n")
    else:
        pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / name)

    with pytest.raises(UnreadableFileError, match=f"{name} has no rows"):
        find_sources(tmp_path / name)


def test_the_format_of_a_csv_file_can_be_stated(tmp_path):
    (tmp_path / "x.csv").write_text("id;power\n007;1,5\n")
    options = Options(CsvFormat(decimal=".", text_columns=("id",)))

    (source,) = find_sources(tmp_path / "x.csv", options)

    assert all_of(source)[0].to_pylist() == [{"id": "007", "power": "1,5"}]


def broken_pictures(folder):
    """Write three images, two of them broken, and what macOS leaves beside them."""
    a_picture(folder / "cat" / "1.png")
    Image.effect_noise((64, 64), 9).save(folder / "cat" / "2.jpg")
    whole = (folder / "cat" / "2.jpg").read_bytes()
    (folder / "cat" / "2.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "cat" / "3.png").touch()
    (folder / "cat" / "._1.png").write_bytes(b"notes of the Finder")


def test_broken_images_are_refused_by_name(tmp_path):
    broken_pictures(tmp_path)

    with pytest.raises(UnreadableFileError, match=r"2 of 3 .*cat/2.jpg \(.*cat/3.png \(empty\)"):
        find_sources(tmp_path)


def test_broken_images_can_be_left_out(tmp_path):
    broken_pictures(tmp_path)

    (source,) = find_sources(tmp_path, Options(skip_broken=True))

    assert [image["path"] for image in all_of(source)[0]["image"].to_pylist()] == ["1.png"]
    assert "2 broken images" in source.notices[0]


def test_images_that_are_all_broken_are_refused_also_when_they_may_be_left_out(tmp_path):
    (tmp_path / "1.png").touch()

    with pytest.raises(UnreadableFileError, match="1 of 1"):
        find_sources(tmp_path, Options(skip_broken=True))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UnreadableFileError, match="no does not exist"):
        find_sources(tmp_path / "no")
