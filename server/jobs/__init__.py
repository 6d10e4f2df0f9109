"""Long work: a worker that claims jobs by lease, and what each kind of job does."""
