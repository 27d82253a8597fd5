"""Training speed: the project's own steps beside its peers' and beside what this machine's matrix products allow."""
