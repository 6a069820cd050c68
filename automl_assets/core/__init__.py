"""What every stage shares: errors, the plug-in registry, values, tables and fingerprints."""
