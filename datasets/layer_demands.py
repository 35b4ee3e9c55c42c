"""What layers demand of a machine beyond their shapes: reads, writes and the matrix products they are lowered to."""

from __future__ import annotations

from typing import Any

import polars as pl

from roofcube.datasets.forms.table_forms import as_table

__all__ = ["layer_demands"]


def layer_demands(layers: Any) -> pl.DataFrame:
    """Derive what each layer computes, reads and writes per input.

    Parameters
    ----------
    layers : table
        As `load_layers` and `roofcube.read_network` give it.

    Returns
    -------
    DataFrame
        A row per layer, in their order: `ops`, `params`, `out_channels`; `activations`, elements read and written (a
        1×1 kernel with a stride never reads the pixels that it skips; a transposed one reads all);
        `patches`, elements that a convolution lowered
        to a matrix product reads (im2col; Chellapilla et al. 2006), 0 for a fully connected layer; `fully_connected`,
        1 or 0; `grouped`, 1 for a depthwise or grouped convolution.

    Examples
    --------
    >>> from roofcube.datasets import layer_demands, load_layers
    >>> layer_demands(load_layers().filter(pl.col("topology") == "CNV")).row(0, named=True)["patches"]
    24300
    """
    table = as_table(layers, what="layers")
    pixels = pl.col("out_height") * pl.col("out_width")
    transposed = pl.col("kind") == "conv_transpose"
    skips = (pl.col("kernel_height") == 1) & (pl.col("kernel_width") == 1) & (pl.col("stride") > 1) & ~transposed
    read = pl.when(skips).then(pl.col("in_channels") * pixels).otherwise("input_elements")
    dense = pl.col("kind").is_in(["fully_connected", "recurrent", "matmul", "embedding"])
    groups = pl.col("groups") if "groups" in table.columns else pl.lit(1)
    grouped = ~dense & ((pl.col("kind") == "depthwise") | (groups > 1))
    window = pl.col("kernel_height") * pl.col("kernel_width") * pl.col("in_channels")
    picked = pl.when(pl.col("kind") == "embedding").then(pl.min_horizontal("params", "output_elements"))
    # a transposed one writes what its lowering unfolds
    unfolded = pl.col("kernel_height") * pl.col("kernel_width") * pl.col("out_channels")
    unfolded = unfolded * pl.col("in_height") * pl.col("in_width")
    return table.select(
        "ops",
        # of a table that is looked up only the rows that are picked are read
        params=picked.otherwise("params"),
        activations=read + pl.col("output_elements"),
        out_channels="out_channels",
        patches=pl.when(dense).then(0).when(transposed).then(unfolded).otherwise(window * pixels),
        fully_connected=dense.cast(pl.Int8),
        grouped=grouped.cast(pl.Int8),
    )
