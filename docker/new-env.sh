#!/usr/bin/env bash
# Prints docker/env.example with every empty secret filled in:  docker/new-env.sh > docker/.env && chmod 600 docker/.env
# The secrets stand inside addresses, so they are hexadecimal: nothing in them needs quoting.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

random() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }

while IFS= read -r line; do
  case "$line" in
    FERNET_KEY=) # 32 bytes, base64 in the alphabet of addresses
      echo "$line$(head -c 32 /dev/urandom | base64 -w0 | tr '+/' '-_')" ;;
    JWT_SECRET=) echo "$line$(random 64)" ;;
    *_PASSWORD= | API_SECRET_KEY=) echo "$line$(random 24)" ;;
    *) echo "$line" ;;
  esac
done <env.example
