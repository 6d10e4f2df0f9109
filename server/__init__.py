"""Who may ask, and where it is kept: HTTP, sign-in and scope, use cases, tables and queries, jobs, the command line."""
