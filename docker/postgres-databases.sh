#!/usr/bin/env bash
# Run once by the postgres image on an empty volume: a database and a role for the history, beside Airflow's own.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set password="$KRONOS_HEALTH_DB_PASSWORD" <<'SQL'
CREATE ROLE kronos_health LOGIN PASSWORD :'password';
CREATE DATABASE kronos_health OWNER kronos_health;
REVOKE ALL ON DATABASE kronos_health FROM PUBLIC;
SQL
