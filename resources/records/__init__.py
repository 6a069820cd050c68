"""The platform's records, a file a table: each takes a `PlatformDatabase` and reads and writes plain values."""
