"""What the platform reads and writes: settings, tables, models, memory, devices and locks."""
