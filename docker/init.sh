#!/usr/bin/env bash
# Once before anything else starts: both schemas, the pools and the login. Running it again changes nothing.
set -euo pipefail

airflow db migrate
kronos-health db upgrade

# A pool that does not exist is no error to Airflow: its tasks would wait for ever.
pools=$(python -c 'import importlib.resources; print(importlib.resources.files("kronos_health") / "airflow_plugin" / "pools.json")')
airflow pools import "$pools"

# The simple auth manager reads its passwords from a file; whoever can read the volume can log in.
login=${AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE:?}
umask 077
mkdir -p "$(dirname "$login")"
python -c 'import json, os; print(json.dumps({"admin": os.environ["KRONOS_HEALTH_ADMIN_PASSWORD"]}))' >"$login"
echo "Schemas, pools and login are in place."
