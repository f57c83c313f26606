"""One run of training: settings, hooks, records."""
