"""WHERE it is: datums, cells, editions and the placement of points. Imports shapely, numpy, pyproj and geojson only.

Reading order: ``snap`` → ``datum`` → ``location`` → ``locate`` → ``place``; ``cells`` → ``edition`` for editions.
"""
