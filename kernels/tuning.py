"""Every threshold of the sweep engine, with the measurement behind it; one frozen record that questions carry along.

Answers never depend on them, only times do. Tests and benchmarks ask with a `Tuning` of their own, to see on a space of
a few hundred points what only larger ones would show. Times are of two cores of an AMD Zen 5 (2026), f4.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, fields
from typing import Any

__all__ = ["TUNING", "Tuning"]


@dataclass(frozen=True, repr=False)
class Tuning:
    """Sizes and rates that decide how questions are answered; what each is for stands beside it.

    Examples
    --------
    >>> from roofcube.kernels.tuning import Tuning
    >>> Tuning(tile_points=100)
    Tuning(tile_points=100)
    """

    # graph: small tables are evaluated once and for all ---------------------------------------------------------------

    fold_points: int = 1 << 17  # entries of the largest folded table: half a megabyte in f4, well inside L2
    # the same for a query, tried in order until all tables together fit `indexed_points`: what is folded has the
    # tightest bounds, because a quantity that occurs twice in it is known to be the same
    fold_steps: tuple[int, ...] = (1 << 19, 1 << 18, 1 << 17, 1 << 15, 1 << 13)
    indexed_points: int = 1 << 22  # entries of the range indexes over all tables: 32 MB in f4, both ends
    # points that are worth an entry of a range index: it takes 20 to 30 ns, a point of a generated kernel 0.1 to 1
    points_an_entry: int = 256

    # bounds: boxes of the index space ---------------------------------------------------------------------------------

    indexed_table: int = 1 << 22  # entries of the largest table with a range index; beyond, streaming needs less memory
    branches: int = 3  # parts that a range of indices is cut into
    split_boxes: int = 1 << 13  # boxes split at a time
    burst_boxes: int = 2048  # boxes made at once from few, where the calls cost more than the boxes
    open_points: int = 16  # points below which a box in doubt is opened rather than split
    # of a visit's time, in which a search need not promise an end: at a half, an answer takes one and a half visits
    # where it promises none, three where its promises are wrong; and at most three searches
    search_share: float = 0.5
    # part of a visit's time, and so many times that time: a search that then promises to take longer is given up. What
    # is promised early was up to 20 times what it took; searches in vain promised 14 to 50 visits
    hopeless_search: tuple[float, float] = (0.1, 16.0)
    doubtful_share: float = 0.1  # the same where a like search was in vain
    few_bins_worth: float = 0.4  # of a visit that a pass of few bins replaces: a visit counts many
    least_search_seconds: float = 2e-3  # of any search
    pruned_growth: float = 1.6  # times the boxes that wait at each level, where good points settle others
    surface_growth: float = 2 / 3  # boxes in doubt grow with the parts that a box is cut into to this power
    probes: int = 256  # random ways down that tell what a count would take
    probed_seconds: float = 0.3  # of a visit; below, a search in vain costs less than the probes
    point_share: float = 0.3  # of a box's time that a point of an opened box takes
    # nanoseconds that a box takes, and more for each operation of its graph
    box_nanoseconds: tuple[float, float] = (1000.0, 9.0)
    index_nanoseconds: float = 25.0  # of an entry of a range index
    dense_slice: int = 1 << 17  # points of a slice at the best ends of aligned axes that is tabled whole, as any folded
    equal_points: int = 1 << 18  # points evaluated at once to find the first of equal ones; beyond, boxes are searched
    equal_ways: int = 12  # indices of an aligned axis tried at a time

    # codegen: rows of generated kernels -------------------------------------------------------------------------------

    # least and most points of a row: enough to hide what is done once a row, few enough for L1
    row_points: tuple[int, int] = (256, 4096)
    # least points of a row that add up terms: their tables, laid out over longer rows, are read from beyond L2
    summed_row_points: int = 48
    summed_table: int = 1 << 22  # entries of a folded table of terms: dividing anew in every row took 1.2 times as long
    # entries of a folded table that rows one after another read the same part of
    amortised_table: int = 1 << 21
    read_again: int = 8  # rows that read a part of a table one after another, so that loading it costs little
    # entries of other folded tables, tried in order until all together fit `table_bytes`
    row_fold_steps: tuple[int, ...] = (1 << 17, 1 << 15, 1 << 13, 1 << 11)
    # beyond, recomputing beats loading: 8.4 G points a second with 0.6 MB of tables, 5.6 G with 120 MB; but 9.2 G with
    # 1.5 MB, 5.3 G dividing anew
    table_bytes: int = 1 << 21
    # of a sum at a time: 30 G terms a second and core, 17 G one by one; more are no faster, compile longer
    terms: tuple[int, ...] = (4, 3)
    # groups that a scan lays side by side: of fewer, the first point of each is looked for afterwards, in 0.1 ms
    many_groups: int = 256
    scan_tile: int = 1 << 16  # points between two looks at the maximum of a scan
    # edges of a tally compared with all points of a row: more take longer than to look up each point
    compared_edges: int = 48

    # engine: visiting every point -------------------------------------------------------------------------------------

    compiled_points: int = 1 << 26  # points that generated kernels visit on a cluster, where each worker compiles
    tile_points: int = 1 << 16  # of a NumPy tile: its temporaries then stay in L2
    stored_tile_points: int = 1 << 19  # of a tile of stored values, which need few temporaries
    job_tiles: int = 16  # tiles of a job: enough that handing it out costs nothing, few enough that Ctrl-C is quick
    row_worth: int = 32  # points of a row below which NumPy tiles are as fast as generated kernels
    least_job_points: int = 1 << 19  # of a job, where all threads shall get some
    scan_job_points: int = 1 << 27  # of a job of scans and counts: about 20 ms
    tally_job_points: int = 1 << 25  # of tallies: points that share a cell with an edge are looked at one by one
    sieve_job_points: int = 1 << 23  # of sieves: up to 0.2 s where most points are on the front
    sieve_sample: int = 1024  # points that show what the vectors of a sieve are worth
    sieve_pool: int = 128  # vectors that those of a sieve are chosen from
    sieve_vectors: int = 16  # vectors of a sieve that every point is compared with
    sieve_candidates: int = 1 << 16  # what a sieve leaves over is looked at so many at a time
    tally_ways: int = 4  # equal neighbours count into different places, so that one does not wait for the other
    tally_many_edges: int = 4096  # beyond, equal neighbours are rare and several places would not fit the cache
    # nanoseconds of a point by a generated kernel, of an operation at a point, of a row, of a loop over a row
    kernel_nanoseconds: tuple[float, float, float, float] = (0.01, 0.022, 30.0, 12.0)
    # the same of a point and of an operation by NumPy tiles
    tile_nanoseconds: tuple[float, float] = (2.0, 0.8)
    sampled_points: int = 1 << 19  # of each of three jobs that tell what a visit takes
    rows_seconds: float = 2e-3  # to lay out the rows of a kernel and find it
    load_seconds: float = 0.02  # to load a compiled kernel from disk
    compile_seconds: float = 1.0  # to compile one; 0.5 to 1.9 were seen

    # engine: stored values --------------------------------------------------------------------------------------------

    stored_spread: int = 4  # points for each stored value beyond which bounds go first: they exclude whole products
    small_space: int = 1 << 16  # points that are read sooner than bounds are prepared
    mask_points: int = 1 << 28  # points whose limits make one mask; beyond, tiles take less memory
    slab_points: int = 1 << 25  # points whose columns are laid out at a time: 0.8 GB for three objectives in f8

    # the best along axes of an array ----------------------------------------------------------------------------------

    best_shared_values: int = 1_000_000  # below, threads cost more than they gain
    best_widened_values: int = 1 << 20  # of float16 that are widened at a time
    best_line_part: int = 1 << 20  # of a line: its places fit half a word
    best_row_block: int = 4096  # values of a line read before the next line's, where lines run through each other
    best_narrow: int = 8  # values side by side too few for a vector unit: their lines are read one after the other

    # engine: filling arrays -------------------------------------------------------------------------------------------

    # operations of NumPy, in 0.2 to 0.5 s; a kernel is compiled in 2 to 4 s, read in 1 s, and takes a tenth of it
    compiled_operations: int = 1 << 27
    fill_job_terms: int = 1 << 22  # of each output
    # values of each operation: NumPy's temporaries stay in a last-level cache, its inner loops are long
    fill_values: int = 1 << 18
    fill_row_points: tuple[int, int] = (128, 512)  # shorter than for scans: what is not divided at every point counts
    chunk_points: int = 1 << 21  # of a chunk in a store: 8 MB in f4, which compresses and reads well

    # quantiles: histograms over the bits of floats --------------------------------------------------------------------

    quantile_bins: int = 2048  # of a pass that visits every point: three passes for f4, six for f8
    quantile_few_bins: int = 16  # where bounds decide most points: 3.1 s with 4, 2.8 with 8, 2.6 with 16 at 2e8 points
    quantile_large: int = 1 << 22  # points above which a sample tells where a quantile is
    quantile_sample: int = 1 << 14  # points of the sample: to 3 % of all points, which saves one pass of three

    def __repr__(self) -> str:
        """Tell what differs from the measured values: signatures show it."""
        changed = [f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if not _is_default(self, one)]
        return f"Tuning({', '.join(changed)})"


def _is_default(tuning: Tuning, field: Field[Any]) -> bool:
    return bool(getattr(tuning, field.name) == field.default)


TUNING = Tuning()
