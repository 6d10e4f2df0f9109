"""The invented demo community on real building footprints: cells, homes, people, units, resources, and how they are loaded."""
