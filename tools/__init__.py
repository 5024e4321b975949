"""What builds, checks and describes the policies."""
