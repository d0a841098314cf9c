"""What can go wrong, named. Every message says what is wrong, where, and what would be right."""


class MagwatchError(Exception):
    """A failure that a person is told in one line; the command ends with exit code 1."""


class SettingsError(MagwatchError):
    """A configuration is wrong. The message lists every mistake, a line each; exit code 2."""


class SpoolDamagedError(MagwatchError):
    """An agent's file showed to be damaged while in use; it has been moved aside, and the next start salvages it."""


class FormatError(MagwatchError):
    """An archive file is unknown or damaged. The message names the file, the place and the reason."""


class DecodeError(MagwatchError):
    """Bytes that came over the wire are not a block; the message is the reason kept in the quarantine."""
