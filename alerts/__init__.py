"""store → alert → incident → notifier: rules, detection, incidents, delivery."""
