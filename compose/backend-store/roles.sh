#!/bin/sh
# Creates the tracking servers' account when the database is new: it may only create databases, one
# for each customer. The password comes from the environment, never from an argument.
set -eu
psql --quiet --set ON_ERROR_STOP=1 --username postgres <<'SQL'
\getenv password FLOPS_BACKEND_STORE_PASSWORD
CREATE ROLE tracking LOGIN CREATEDB PASSWORD :'password';
SQL
