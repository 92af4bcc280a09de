"""Marching cubes as pyradiomics does them: which triangles separate the inside from the outside of a cube.

A cube has a voxel centre at each corner, and vertices at the midpoints of its edges. The pattern of a cube has bit
4 z + 2 y + x set where the corner (z, y, x) is inside.

Reference: Lorensen WE, Cline HE. Marching cubes: a high resolution 3D surface construction algorithm. Computer Graphics
1987;21:163-9.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

CORNERS = tuple((z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1))
"""Corners of a cube in the order of the bits of a pattern."""

_EDGES = ((0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 3), (2, 6), (3, 7), (4, 5), (4, 6), (5, 7), (6, 7))
_DECIDING_CORNER = 1 << 6  # z and y are 1, x is 0

_TRIANGLES = """
- 021 034 132234 165 025265 034165 264345465 357 021357 054457 152257274 163367 023267273 014164467 264467 289
081189 034289 139348389 165289 085586689 034165289 345465486689 289357 081189357 054289457 157178189487 163289367
073089097679 014164289467 467486689 4a8 0214a8 0383a8 13a1821a8 1654a8 0252654a8 0381653a8 2582653a55a8 3574a8
0213574a8 0585787a8 1522572787a8 1633674a8 0232672734a8 01606a0a867a 2672787a8 2494a9 04114a1a9 0322393a9 1393a9
1652494a9 0454654964a9 0321652393a9 3653963a9 2493574a9 04114a1a9357 05225727a2a9 15717a1a9 1632493674a9
04a0670730960a9 01606707a0920a9 6797a9 7ba 0217ba 0347ba 1322347ba 1657ba 0252657ba 0341657ba 2643454657ba 35a5ba
02135a5ba 05b0a40ba 14215b1a41ba 16a1a36ba 02326b2b33ba 01416446a6ba 26446a6ba 2897ba 0811897ba 0342897ba
1393483897ba 1652897ba 0855866897ba 0341652897ba 3454654866897ba 28935a5ba 08118935a5ba 05b0a40ba289 14915445b4894ba
16a1a32896ba 06308636a6896ba 01416428946a6ba 46a4866896ba 4787b8 0214787b8 03707b0b8 13223727b2b8 1654787b8
0252654787b8 03707b0b8165 23826336537b3b8 3544585b8 0213544585b8 0585b8 1522585b8 14316446b4b8 02326336b3843b8
01606b0b8 2686b8 2472797b9 04114b1b947b 0322372797b9 1393797b9 1652472797b9 0490954795967b9 0321652372797b9
3653793967b9 23924335b3b9 04114935445b4b9 05b0920b9 1595b9 16b1b324b2b93b4 0436b9 01606b0920b9 6b9
"""
"""Triangles of the 128 patterns without the deciding corner, in order: three edges each, in hexadecimal, turning so
that their normal points outward.

A pattern that has the deciding corner inside takes the triangles of its complement, turned. On a face of which two
opposite corners are inside, the pattern without it separates the inside and its complement the outside, so two cubes
that share such a face may leave a gap between them: the mesh is not always closed.

Which diagonals split the polygons follows no rule. They are those whose area, and whose volume wherever the cube lies,
equal what pyradiomics 3.0.1 gives for a cube of each pattern.
"""

_MOST_TRIANGLES = 5


@lru_cache
def triangles() -> npt.NDArray[np.float64]:
    """Return the triangles of every pattern, those that a pattern lacks being of no area.

    Returns
    -------
    ndarray of float64, shape (256, 5, 3, 3)
        Pattern, triangle, vertex, and its position (z, y, x) in the cube, in voxels; read-only.
    """
    corners = np.array(CORNERS, dtype=np.float64)
    midpoints = np.array([(corners[one] + corners[other]) / 2 for one, other in _EDGES])
    table = np.zeros((256, _MOST_TRIANGLES, 3, 3))
    patterns = [pattern for pattern in range(256) if not pattern & _DECIDING_CORNER]
    for pattern, edges in zip(patterns, _TRIANGLES.split(), strict=True):
        if edges == "-":
            continue
        found = midpoints[[int(edge, 16) for edge in edges]].reshape(-1, 3, 3)
        table[pattern, : len(found)] = found
        table[255 - pattern, : len(found)] = found[:, ::-1]
    table.flags.writeable = False
    return table
