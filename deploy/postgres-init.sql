-- MLflow keeps its records in a database of its own beside Dagster's.
CREATE DATABASE mlflow;
