"""The detected format of CSV files by Python's own writer and by pandas-like programs."""

import csv
import gzip

import pytest

from flops_flight.csv_files import BLOCK_BYTES, CsvFormat, read_csv, sample_csv

ROWS = [
    {"name": "Müller", "power": 1.5, "fault": 0},
    {"name": "Köln; a, b", "power": 2, "fault": 1},
]


def written(path, encoding="utf-8", **dialect):
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, ROWS[0], **dialect)
        writer.writeheader()
        writer.writerows(ROWS)
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_what_other_programs_write_is_read_as_it_was(tmp_path, delimiter, encoding):
    file = written(tmp_path / "x.csv", encoding, delimiter=delimiter)

    assert read_csv(file).to_pylist() == ROWS
    assert sample_csv(file).format.delimiter == delimiter


def test_a_file_compressed_with_gzip_is_recognised(tmp_path):
    plain = written(tmp_path / "x.csv", "cp1252", delimiter=";")
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))

    assert read_csv(tmp_path / "x.csv.gz").to_pylist() == ROWS


def test_a_decimal_comma_beside_semicolons_makes_numbers(tmp_path):
    (tmp_path / "x.csv").write_text("power;count\n1,5;2\n-0,25;3\n")

    assert read_csv(tmp_path / "x.csv").to_pydict() == {"power": [1.5, -0.25], "count": [2, 3]}


def test_text_with_commas_beside_semicolons_stays_text(tmp_path):
    (tmp_path / "x.csv").write_text("place;power\na, b;1.5\nc;2.5\n")

    assert read_csv(tmp_path / "x.csv").to_pydict() == {"place": ["a, b", "c"], "power": [1.5, 2.5]}


def test_values_may_have_line_breaks(tmp_path):
    (tmp_path / "x.csv").write_text('text,label\n"two\nlines",1\nno,0\n')

    assert read_csv(tmp_path / "x.csv")["text"].to_pylist() == ["two\nlines", "no"]


def test_one_column_needs_no_delimiter(tmp_path):
    (tmp_path / "x.csv").write_text("temperature\n20.5\n21\n")

    assert read_csv(tmp_path / "x.csv").to_pydict() == {"temperature": [20.5, 21.0]}


def test_leading_zeros_give_a_notice_and_can_be_kept(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("id,label\n007,yes\n008,no\n")

    assert "'id'" in sample_csv(file).notices[0]
    assert sample_csv(file, CsvFormat(text_columns=("id",))).notices == ()


def test_a_guessed_encoding_gives_a_notice(tmp_path):
    file = written(tmp_path / "x.csv", "cp1252")

    assert "cp1252" in sample_csv(file).notices[0]
    assert sample_csv(file, CsvFormat(encoding="cp1252")).notices == ()


def test_a_file_without_names_gives_a_notice(tmp_path):
    (tmp_path / "x.csv").write_text("1,2\n3,4\n")

    assert "names of columns" in sample_csv(tmp_path / "x.csv").notices[0]


@pytest.mark.parametrize(
    ("content", "given", "words"),
    [
        (b"a,a\n1,2\n", CsvFormat(), "two columns have the name 'a'"),
        (b"a,b\n1,2\n", CsvFormat(text_columns=("c",)), "no column 'c'; it has: a, b"),
        (b"a,b\n1,2\n", CsvFormat(encoding="klingon"), "no encoding 'klingon'"),
        (b"a,b\n\xff,2\n", CsvFormat(encoding="utf-8"), "not text in utf-8"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, content, given, words):
    (tmp_path / "x.csv").write_bytes(content)

    with pytest.raises(ValueError, match=words):
        sample_csv(tmp_path / "x.csv", given)


def test_a_character_may_lie_across_the_end_of_the_sample(tmp_path):
    content = ("a\n" + ("é" * 50 + "\n") * 50_000).encode()
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(UnicodeDecodeError):
        content[:BLOCK_BYTES].decode()

    assert sample_csv(tmp_path / "x.csv").format.encoding == "utf-8"
    assert read_csv(tmp_path / "x.csv").num_rows == 50_000


def test_a_value_may_be_long(tmp_path):
    (tmp_path / "x.csv").write_text("text,label\n" + "x" * 500_000 + ",1\n")

    assert read_csv(tmp_path / "x.csv")["label"].to_pylist() == [1]
