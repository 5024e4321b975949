"""What every HTTP route shares. Knows no slice."""
