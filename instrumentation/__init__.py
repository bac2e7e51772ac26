"""What a service imports to become observable: instrument(app), order context, logs, metrics, problems, errors."""
