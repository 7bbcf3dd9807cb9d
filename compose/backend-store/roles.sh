#!/bin/sh
# Makes the tracking servers' account when the database is new: it may make databases, one for each
# customer, and nothing else. The password goes in by the environment, never as an argument.
set -eu
psql --quiet --set ON_ERROR_STOP=1 --username postgres <<'SQL'
\getenv password FLOPS_BACKEND_STORE_PASSWORD
CREATE ROLE tracking LOGIN CREATEDB PASSWORD :'password';
SQL
