#!/bin/sh
# Turns secret files into what the programs read, then runs the command. A secret never stands in the environment of
# the compose file, in an image, or in a process list.
set -eu

# NAME_FILE=/run/secrets/x becomes NAME, for the keys that a user may give.
for name in ANTHROPIC_API_KEY OPENAI_API_KEY OPENROUTER_API_KEY; do
    eval "file=\${${name}_FILE:-}"
    if [ -n "$file" ] && [ -r "$file" ]; then
        eval "export $name=\"\$(cat \"$file\")\""
    fi
done

if [ -n "${AUTOML_DATABASE_PASSWORD_FILE:-}" ]; then
    password=$(python -c 'import sys, urllib.parse; print(urllib.parse.quote(open(sys.argv[1]).read().strip(), safe=""))' \
        "$AUTOML_DATABASE_PASSWORD_FILE")
    base="${AUTOML_DATABASE_USER:-automl}:${password}@${AUTOML_DATABASE_HOST:-postgres}:${AUTOML_DATABASE_PORT:-5432}"
    export AUTOML_DATABASE_URL="postgresql+psycopg2://${base}/${AUTOML_DATABASE_NAME:-automl}"
    export MLFLOW_BACKEND_STORE_URI="postgresql+psycopg2://${base}/${MLFLOW_DATABASE_NAME:-mlflow}"
fi

if [ -n "${DAGSTER_HOME:-}" ] && [ ! -e "$DAGSTER_HOME/dagster.yaml" ]; then
    mkdir -p "$DAGSTER_HOME"
    carried=$(python -c 'from resources.settings import template; print(template("dagster.postgres.yaml"))')
    cp "$carried" "$DAGSTER_HOME/dagster.yaml"
fi

exec "$@"
