"""The single layers of `gradus bench` in PyTorch: `python3 bench/pytorch_layers.py [threads] [filter]`. The same numbers, the same JSON lines."""
import json
import os
import sys
import time

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 1
FILTER = sys.argv[2] if len(sys.argv) > 2 else ""
os.environ["OMP_NUM_THREADS"] = str(THREADS)
import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(THREADS)

# name: images, channels in, size, channels out, kernel, stride, padding, groups; as in src/cli/bench/layers.ts
CONVOLUTIONS = {
    "conv-1-32-5x5-28": (64, 1, 28, 32, 5, 1, 0, 1),
    "conv-32-64-5x5-12": (64, 32, 12, 64, 5, 1, 0, 1),
    "conv-3-64-11x11-224": (16, 3, 224, 64, 11, 4, 2, 1),
    "conv-64-192-5x5-27": (16, 64, 27, 192, 5, 1, 2, 1),
    "conv-192-384-3x3-13": (16, 192, 13, 384, 3, 1, 1, 1),
    "conv-64-64-3x3-56": (8, 64, 56, 64, 3, 1, 1, 1),
    "conv-128-128-3x3-28": (8, 128, 28, 128, 3, 1, 1, 1),
    "conv-256-256-3x3-14": (8, 256, 14, 256, 3, 1, 1, 1),
    "conv-512-512-3x3-7": (8, 512, 7, 512, 3, 1, 1, 1),
    "conv-128-depthwise-3x3-28": (16, 128, 28, 128, 3, 1, 1, 128),
    "conv-256-256-1x1-14": (16, 256, 14, 256, 1, 1, 0, 1),
    "conv-97-30-3x3-15": (7, 97, 15, 30, 3, 1, 1, 1),
}
# images, channels, size, kernel, stride
POOLS = {"max-pool-2x2": (64, 32, 24, 2, 2), "max-pool-3x3": (16, 64, 55, 3, 2)}
NORM = (16, 64, 55)


def fill(seed, shape, scale=1.0):
    """Uniform in [-scale, scale): murmur3's finaliser of the index."""
    x = np.arange(int(np.prod(shape)), dtype=np.uint32) + np.uint32((seed * 0x9E3779B9) & 0xFFFFFFFF)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return torch.from_numpy(((x.astype(np.float64) / 4294967296.0 * 2.0 - 1.0) * scale).astype(np.float32).reshape(shape))


def measure(name, f, items, unit, flop=None):
    if FILTER not in name:
        return
    result = [f() for _ in range(3)][-1]
    times, begun = [], time.perf_counter()
    while len(times) < 10 or time.perf_counter() - begun < 1:
        t = time.perf_counter()
        f()
        times.append(time.perf_counter() - t)
    times.sort()
    median = times[len(times) // 2]
    line = {"peer": "pytorch-" + torch.__version__.split("+")[0], "workload": name, "threads": THREADS, "ms_median": round(median * 1e3, 4), "ms_min": round(times[0] * 1e3, 4)}
    line |= {"items_per_s": items / median, "unit": unit}
    if flop:
        line["gflops"] = round(flop / median / 1e9, 2)
    flat = result.detach().reshape(-1)
    print(json.dumps(line | {"n": len(times), "check": round(float(flat[flat.numel() // 2]), 4)}), flush=True)


for name, (n, c, size, m, k, s, p, g) in CONVOLUTIONS.items():
    x, w = fill(1, [n, c, size, size]), fill(2, [m, c // g, k, k], (c // g * k * k) ** -0.5)
    y = F.conv2d(x, w, None, s, p, 1, g)
    dy = fill(3, list(y.shape))
    flop = 2 * y.numel() * (c // g) * k * k

    def back(mask):
        return torch.ops.aten.convolution_backward(dy, x, w, None, [s, s], [p, p], [1, 1], False, [0, 0], g, mask)

    with torch.no_grad():
        measure(name + "-forward", lambda: F.conv2d(x, w, None, s, p, 1, g), n, "images", flop)
        measure(name + "-input", lambda: back([True, False, False])[0], n, "images", flop)
        measure(name + "-kernel", lambda: back([False, True, False])[1], n, "images", flop)




for name, (n, c, size, k, s) in POOLS.items():
    x = fill(1, [n, c, size, size])
    pool = lambda v: F.max_pool2d(v, k, s)
    measure(name + "-forward", lambda: pool(x), x.numel(), "elements")
    dy = fill(2, list(pool(x).shape))
    leaf = x.clone().requires_grad_()
    measure(name + "-train", lambda: torch.autograd.grad(pool(leaf), leaf, dy)[0], x.numel(), "elements")

n, c, size = NORM
x, dy = fill(1, [n, c, size, size]), fill(2, [n, c, size, size])
norm = torch.nn.BatchNorm2d(c)
leaf = x.clone().requires_grad_()
measure("batch-norm-forward", lambda: norm(x), x.numel(), "elements")
measure("batch-norm-train", lambda: torch.autograd.grad(norm(leaf), [leaf, norm.weight, norm.bias], dy)[0], x.numel(), "elements")
