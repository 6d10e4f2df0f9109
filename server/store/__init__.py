"""Every query. Functions take a Connection and return plain values; scope is cut here, in SQL."""
