"""From an event to a person: rules, the life of an alert, the desk that keeps both, and what carries them to people."""
