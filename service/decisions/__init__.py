"""May we? Facts, the policy that judges them, and the log of every answer."""
