"""Send a table to a FLOps data server. Needs Python and `pip install pyarrow`, nothing else.

python push.py HOST[:PORT] TAG FILE.csv|FILE.parquet

Or copy `push` into your own program. If the data server asks for a token, set
FLOPS_DATA_SERVER_TOKEN.
"""

import json
import os
import sys

import pyarrow as pa
from pyarrow import csv, flight, parquet

PORT = 11027
ROWS_AT_ONCE = 10_000
LIMIT_SECONDS = 600


def push(address: str, tag: str, table: pa.Table, token: str = "") -> dict:
    """Store `table` under `tag`; return the name, rows and bytes of what is stored.

    Sending the same table again is a success that changes nothing, so after any error: call again.
    An upload that breaks off leaves nothing behind.
    """
    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    options = flight.FlightCallOptions(timeout=LIMIT_SECONDS, headers=headers)
    what = flight.FlightDescriptor.for_command(json.dumps({"data_tag": tag}))
    with flight.connect(f"grpc://{address if ':' in address else f'{address}:{PORT}'}") as server:
        writer, answers = server.do_put(what, table.schema, options)
        with writer:
            writer.write_table(table, ROWS_AT_ONCE)
            # The server keeps only what ends with its number of rows.
            writer.write_metadata(json.dumps({"rows": table.num_rows}).encode())
            writer.done_writing()
            answer = answers.read()
    return json.loads(answer.to_pybytes())


if __name__ == "__main__":
    address, tag, file = sys.argv[1:]
    table = parquet.read_table(file) if file.endswith(".parquet") else csv.read_csv(file)
    stored = push(address, tag, table, os.environ.get("FLOPS_DATA_SERVER_TOKEN", ""))
    print(f"{stored['name']}: {stored['rows']} rows, {stored['bytes']} bytes")
