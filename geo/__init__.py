"""WHERE it is: datums, cells, editions and the placement of points. Imports shapely, numpy, pyproj and geojson only.

Reading order: ``snap`` → ``datum`` → ``location`` → ``locate`` (``squares`` is its short cut) → ``place``; ``cells`` (or
``files``, which opens GIS files with pyogrio) → ``edition``, with ``repairs`` for what is broken; ``design`` proposes
cells, ``lattice`` makes tiles, ``walking`` answers who reaches what on foot.
"""
