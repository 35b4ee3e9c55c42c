"""Spaces to sweep, from a seed: a long batch axis, a short one, many small axes; and the loops a user would write."""

from __future__ import annotations

import numba
import numpy as np
import xarray as xr

import roofcube as rc

BATCHED = rc.Assumptions(weights="memory per batch", activations="memory per input")
PRECISIONS = ("INT2", "INT4", "INT8", "FP16", "FP32")


def standard(peak: int = 100, bandwidth: int = 100, batch: int = 500, *, dtype: str = "f4", **options) -> rc.Sweep:
    """8 networks × 5 prunings × 5 precisions × hardware × batch; power outgrows the peak, accuracy grows with ops."""
    rng = np.random.default_rng(0)
    peaks = np.geomspace(1e11, 1e15, peak)
    hardware = rc.hypothetical(
        peak_compute=peaks,
        memory_bandwidth=np.geomspace(1e9, 1e13, bandwidth),
        power=xr.DataArray(5 + (peaks / 1e13) ** 1.3 * 20, dims="peak"),
        peak_scaling="bits",
    )
    inputs = hardware.reindex(precision=list(PRECISIONS))
    kept = np.array([1, 0.75, 0.5, 0.25, 0.125])
    ops = rng.lognormal(20, 2, (8, 1)) * kept**2
    inputs["ops"] = (("topology", "pruning"), ops)
    inputs["params"] = (("topology", "pruning"), rng.lognormal(15, 1, (8, 1)) * kept**2)
    inputs["activations"] = (("topology", "pruning"), rng.lognormal(12, 1, (8, 1)) * kept)
    learnt = 1 - 1 / (1 + (ops / 1e8)[:, :, None] ** 0.5 * np.array([0.5, 0.8, 1, 1.05, 1.06]))
    inputs["top1"] = (("topology", "pruning", "precision"), 60 + 20 * learnt + rng.random((8, 5, 5)))
    labels = {"topology": [f"n{k}" for k in range(8)], "pruning": 100 * kept, "batch": np.arange(1, batch + 1)}
    return rc.Sweep(inputs.assign_coords(labels), assumptions=BATCHED, dtype=dtype, **options)


# axis → the range of its factor
RANGES = {
    0: (1, 3),
    1: (1, 3),
    2: (0.5, 1),
    3: (1, 5),
    4: (0.5, 1),
    5: (1, 2),
    6: (1, 2),
    7: (1, 2),
    8: (1, 2),
    9: (1, 2),
}
RANGES |= {10: (0.5, 1), 11: (1, 2), 12: (1, 2)}


def factors(size: int) -> dict[int, xr.DataArray]:
    """One factor for each of thirteen axes of the user's own, none of them monotone."""
    rng = np.random.default_rng(3)
    return {
        axis: xr.DataArray(rng.permutation(np.linspace(low, high, size if axis < 12 else 4)), dims=f"u{axis}")
        for axis, (low, high) in RANGES.items()
    }


def many_axes(size: int = 5, **options) -> rc.Sweep:
    """A space of thirteen axes of the user's own."""
    f = factors(size)
    inputs = xr.Dataset(
        {
            "peak_compute": 1e12 * f[0] * f[1] * f[2],
            "memory_bandwidth": 1e10 * f[3] * f[4] * f[10],
            "ops": 1e9 * f[5] * f[6],
            "params": 1e6 * f[7] * f[8],
            "activations": 1e5 * f[9] * f[11] * f[12],
            "power": 10 * f[0] + 5 * f[2],
            "top1": 70 + f[7] + f[5],
            "element_bytes": 1.0,
        }
    )
    assumptions = rc.Assumptions(weights="memory per input", activations="memory per input")
    return rc.Sweep(inputs, assumptions=assumptions, **options)


def layered(hardware: int, batches: int, **options) -> rc.Sweep:
    """The networks of ImageNet with the bound summed layer by layer, on hypothetical hardware."""
    peaks = np.geomspace(1e11, 1e15, hardware)
    platforms = rc.hypothetical(peak_compute=peaks, memory_bandwidth=np.geomspace(1e9, 1e13, hardware), power=10.0)
    inputs = rc.inputs("imagenet", platforms=platforms, batch=np.arange(1, batches + 1))
    return rc.Sweep(inputs, assumptions=rc.BOUND, **options)


def layered_network(hardware: int, batches: int, **options) -> rc.Sweep:
    """The network of CIFAR-10 with the bound summed layer by layer, on hypothetical hardware."""
    platforms = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, hardware),
        memory_bandwidth=np.geomspace(1e9, 1e12, hardware),
        power=10.0,
        peak_scaling="bits",
    )
    inputs = rc.inputs("cifar10", platforms=platforms, batch=np.arange(1, batches + 1))
    return rc.Sweep(inputs, assumptions=rc.BOUND, **options)


@numba.njit(error_model="numpy", nogil=True)
def scalar_loop(ops, weights, activations, peak, bandwidth, batch, limit):
    """The fused loop that a user writes: tables in, largest throughput, its place and a count out."""
    one = np.float32(1)
    best, place, count, flat = np.float32(-np.inf), -1, 0, 0
    for n in range(ops.shape[0]):
        for p in range(peak.shape[1]):
            for m in range(bandwidth.shape[0]):
                for b in range(batch.shape[0]):
                    compute = ops[n] / peak[n, p]
                    once, each = weights[n] / bandwidth[m], activations[n] / bandwidth[m]
                    throughput = one / max(compute, once / batch[b] + each)
                    latency = max(compute * batch[b], once + each * batch[b])
                    if latency <= limit:
                        count += 1
                        if throughput > best:
                            best, place = throughput, flat
                    flat += 1
    return best, place, count


def loop_arguments(sweep: rc.Sweep) -> tuple[np.ndarray, ...]:
    """Lay the standard space's inputs out for the scalar loop."""
    inputs = sweep.inputs
    networks = ("topology", "pruning", "precision")
    like = inputs["top1"].transpose(*networks)
    width = xr.DataArray([0.25, 0.5, 1, 2, 4], dims="precision", coords={"precision": list(PRECISIONS)})

    def flat(array: xr.DataArray) -> np.ndarray:
        return array.broadcast_like(like).transpose(*networks).values.ravel().astype("f4")

    peak = inputs["peak_compute"].expand_dims(
        {dim: inputs[dim] for dim in networks if dim not in inputs["peak_compute"].dims}
    )
    return (
        flat(inputs["ops"]),
        flat(inputs["params"] * width),
        flat(inputs["activations"] * width),
        peak.transpose(*networks, "peak").values.reshape(like.size, -1).astype("f4"),
        inputs["memory_bandwidth"].values.astype("f4"),
        inputs["batch"].values.astype("f4"),
    )


@numba.njit(error_model="numpy", nogil=True)
def scalar_loop_of_many(ops5, ops6, p7, p8, a9, a11, c0, c1, c2, b3, b4, b10, d12, limit):
    """The same for thirteen axes, nested in dim order, with what the outer loops know hoisted by hand."""
    best, place, count, flat = np.float32(-np.inf), -1, 0, 0
    one = np.float32(1)
    for i0 in range(len(c0)):
        for i1 in range(len(c1)):
            for i2 in range(len(c2)):
                peak = c0[i0] * c1[i1] * c2[i2]
                for i3 in range(len(b3)):
                    for i4 in range(len(b4)):
                        for i10 in range(len(b10)):
                            bandwidth = b3[i3] * b4[i4] * b10[i10]
                            for i5 in range(len(ops5)):
                                for i6 in range(len(ops6)):
                                    compute = ops5[i5] * ops6[i6] / peak
                                    for i7 in range(len(p7)):
                                        for i8 in range(len(p8)):
                                            weights = p7[i7] * p8[i8] / bandwidth
                                            for i9 in range(len(a9)):
                                                for i11 in range(len(a11)):
                                                    activations = a9[i9] * a11[i11] / bandwidth
                                                    for i12 in range(len(d12)):
                                                        time = max(compute, weights + activations * d12[i12])
                                                        if time <= limit:
                                                            count += 1
                                                            if one / time > best:
                                                                best, place = one / time, flat
                                                        flat += 1
    return best, place, count


@numba.njit(error_model="numpy", nogil=True)
def archive_scan(ops, weights, activations, peak, power, top1, bandwidth, batch, room):
    """Visit every point and keep an archive of latency, energy and accuracy, whole rows rejected by their corner."""
    archive = np.empty((room, 3), dtype=np.float32)
    size = 0
    for n in range(ops.shape[0]):
        for p in range(peak.shape[1]):
            compute = ops[n] / peak[n, p]
            for m in range(bandwidth.shape[0]):
                once, each = weights[n] / bandwidth[m], activations[n] / bandwidth[m]
                last = batch[-1]
                ideal_latency = max(compute * batch[0], once + each * batch[0])
                ideal_energy = max(power[p] * compute, power[p] * once / last + power[p] * each)
                lost = False
                for k in range(size):
                    a = archive[k]
                    if a[0] <= ideal_latency and a[1] <= ideal_energy and a[2] <= -top1[n]:
                        lost = True
                        break
                if lost:
                    continue
                for b in range(batch.shape[0]):
                    latency = max(compute * batch[b], once + each * batch[b])
                    energy = max(power[p] * compute, power[p] * once / batch[b] + power[p] * each)
                    dominated = False
                    for k in range(size):
                        a = archive[k]
                        if a[0] <= latency and a[1] <= energy and a[2] <= -top1[n]:
                            dominated = True
                            break
                    if dominated:
                        continue
                    kept = 0
                    for k in range(size):
                        a = archive[k]
                        if not (latency <= a[0] and energy <= a[1] and -top1[n] <= a[2]):
                            archive[kept] = archive[k]
                            kept += 1
                    archive[kept, 0], archive[kept, 1], archive[kept, 2] = latency, energy, -top1[n]
                    size = kept + 1
    return archive[:size]


def query_of(sweep, where=None, **query):
    """Give the folded query of a question, for those who ask engines apart."""
    return sweep.context.query(sweep.context.where(where), **query)
