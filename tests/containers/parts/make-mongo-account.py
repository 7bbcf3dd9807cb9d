#!/parts/bin/python
"""Makes the account of the environment at a new secantusdb, which is still open to all."""

import os

import pymongo

client: pymongo.MongoClient = pymongo.MongoClient(
    "mongodb://127.0.0.1:27018", serverSelectionTimeoutMS=20_000
)
client.admin.command(
    "createUser",
    os.environ["MONGO_INITDB_ROOT_USERNAME"],
    pwd=os.environ["MONGO_INITDB_ROOT_PASSWORD"],
    roles=["root"],
)
