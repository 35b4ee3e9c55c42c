"""Count the multiply-accumulates of an ONNX model by executing every operator's definition, one multiplication at a time.

Independent of the product: its own tiny interpreter of graphs over NumPy arrays of zeros, in which every product of two
elements is one step of a loop. Slow by design; for graphs of some thousand multiplications. `random_model` builds such
graphs over all operators that are counted.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VIEWS = (
    "Identity",
    "Transpose",
    "Reshape",
    "Cast",
    "DequantizeLinear",
    "QuantizeLinear",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
)


# which inputs hold the matrix of weights
WEIGHTS = {
    "Conv": (1,), "ConvTranspose": (1,), "ConvInteger": (1,), "QLinearConv": (3,), "Gemm": (0, 1), "MatMul": (0, 1),
    "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3), "QGemm": (3,), "MatMulNBits": (1,), "Einsum": (0, 1),
    "LSTM": (1, 2), "GRU": (1, 2), "RNN": (1, 2), "Attention": (), "MultiHeadAttention": (),
}  # fmt: skip


@dataclass
class Counted:
    """One node with multiply-accumulates, over a whole run of the graph."""

    operator: str
    macs: int
    weights: frozenset[str]


@dataclass
class Oracle:
    """Runs a model on zeros.

    Attributes
    ----------
    sizes : dict
        Elements of every stored weight that a counted node multiplies with.
    """

    functions: dict = field(default_factory=dict)
    nodes: list[Counted] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    macs: int = 0

    def run(self, model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[Counted]:
        self.functions = {(one.domain, one.name): one for one in model.functions}
        self.graph(model.graph, {name: (array, None) for name, array in feeds.items()})
        return self.nodes

    def graph(self, graph, scope):
        """Run a graph; a tensor is its array and the name of the stored weight that it is a view of, None for activations."""
        scope = dict(scope)
        for proto in graph.initializer:
            scope[proto.name] = (numpy_helper.to_array(proto), proto.name)
        for node in graph.node:
            self.node(node, scope)
        return [scope[one.name] for one in graph.output]

    def node(self, node, scope):
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        inputs = [scope[name] if name else None for name in node.input]
        if (node.domain, node.op_type) in self.functions:
            function = self.functions[node.domain, node.op_type]
            inner = dict(zip(function.input, inputs, strict=True))
            for one in function.node:
                self.node(one, inner)
            outputs = [inner[name] for name in function.output]
        elif node.op_type in ("If", "Loop", "Scan"):
            outputs = getattr(self, f"do_{node.op_type.lower()}")(attributes, inputs, scope)
        else:
            outputs = self.simple(node, attributes, inputs)
        for name, value in zip(node.output, outputs, strict=False):
            if name:
                scope[name] = value

    def simple(self, node, attributes, inputs):
        arrays = [None if one is None else one[0] for one in inputs]
        stored = [None if one is None else one[1] for one in inputs]
        if node.op_type == "Constant":
            return [(numpy_helper.to_array(attributes["value"]), node.output[0])]
        before = self.macs
        with np.errstate(all="ignore"):
            result = getattr(self, f"do_{node.op_type.lower()}")(attributes, arrays)
        results = result if isinstance(result, tuple) else (result,)
        if self.macs > before:
            weights = {
                name: array
                for name, array in zip(stored, arrays, strict=True)
                if name and self.is_weight(node.op_type, name, stored)
            }
            for name, array in weights.items():
                self.sizes[name] = attributes["K"] * attributes["N"] if node.op_type == "MatMulNBits" else array.size
            self.nodes.append(Counted(node.op_type, self.macs - before, frozenset(weights)))
        constant = all(name is not None for name in stored if name is not None) and all(
            name is not None for name, one in zip(stored, inputs, strict=True) if one is not None
        )
        if node.op_type in VIEWS:
            return [(results[0], stored[0] if constant else None)]
        fixed = constant and node.op_type not in ("Shape",)
        return [(one, name if fixed else None) for one, name in zip(results, [*node.output, *[""] * 9], strict=False)]

    def is_weight(self, operator, name, stored):
        return any(stored[place] == name for place in WEIGHTS[operator] if place < len(stored))

    # products: every multiplication is one step ---------------------------------------------------------------------

    def dot(self, left, right):
        assert left.shape == right.shape
        for _ in range(left.size):
            self.macs += 1
        return 0.0

    def matmul(self, a, b):
        one = a if a.ndim > 1 else a[None, :]
        two = b if b.ndim > 1 else b[:, None]
        stack = np.broadcast_shapes(one.shape[:-2], two.shape[:-2])
        one = np.broadcast_to(one, stack + one.shape[-2:])
        two = np.broadcast_to(two, stack + two.shape[-2:])
        result = np.zeros((*stack, one.shape[-2], two.shape[-1]), np.float32)
        for place in np.ndindex(*stack):
            for row in range(one.shape[-2]):
                for column in range(two.shape[-1]):
                    result[(*place, row, column)] = self.dot(one[place][row], two[place][:, column])
        if a.ndim == 1:
            result = result[..., 0, :]
        return result[..., 0] if b.ndim == 1 else result

    def conv(self, x, w, attributes):
        spatial, groups = x.ndim - 2, attributes.get("group", 1)
        strides = attributes.get("strides", [1] * spatial)
        dilations = attributes.get("dilations", [1] * spatial)
        pads = attributes.get("pads", [0] * 2 * spatial)
        padded = np.pad(x, [(0, 0), (0, 0), *zip(pads[:spatial], pads[spatial:], strict=True)])
        window = w.shape[2:]
        reach = [d * (k - 1) + 1 for d, k in zip(dilations, window, strict=True)]
        size = [(n - r) // s + 1 for n, r, s in zip(padded.shape[2:], reach, strides, strict=True)]
        result = np.zeros((x.shape[0], w.shape[0], *size), np.float32)
        each = w.shape[0] // groups
        for image in range(x.shape[0]):
            for channel in range(w.shape[0]):
                group = channel // each
                data = padded[image, group * w.shape[1] : (group + 1) * w.shape[1]]
                for place in np.ndindex(*size):
                    cut = tuple(
                        slice(p * s, p * s + r, d) for p, s, r, d in zip(place, strides, reach, dilations, strict=True)
                    )
                    result[(image, channel, *place)] = self.dot(data[(slice(None), *cut)], w[channel])
        return result

    def do_conv(self, attributes, inputs):
        return self.conv(inputs[0], inputs[1], attributes)

    do_convinteger = do_conv

    def do_qlinearconv(self, attributes, inputs):
        return self.conv(inputs[0], inputs[3], attributes)

    def do_convtranspose(self, attributes, inputs):
        x, w = inputs[:2]
        spatial, groups = x.ndim - 2, attributes.get("group", 1)
        strides = attributes.get("strides", [1] * spatial)
        pads = attributes.get("pads", [0] * 2 * spatial)
        size = [
            (n - 1) * s + k - pads[i] - pads[i + spatial]
            for i, (n, s, k) in enumerate(zip(x.shape[2:], strides, w.shape[2:], strict=True))
        ]
        each = x.shape[1] // groups
        for image in range(x.shape[0]):
            for channel in range(x.shape[1]):
                for place in np.ndindex(*x.shape[2:]):
                    # the pixel goes through every weight of its channel
                    self.dot(np.full(w.shape[1:], x[(image, channel, *place)]), w[channel])
        assert each
        return np.zeros((x.shape[0], w.shape[1] * groups, *size), np.float32)

    def do_matmul(self, _, inputs):
        return self.matmul(inputs[0], inputs[1])

    do_matmulinteger = do_matmul

    def do_qlinearmatmul(self, _, inputs):
        return self.matmul(inputs[0], inputs[3])

    def do_gemm(self, attributes, inputs):
        a = inputs[0].T if attributes.get("transA", 0) else inputs[0]
        b = inputs[1].T if attributes.get("transB", 0) else inputs[1]
        return self.matmul(a, b)

    def do_qgemm(self, attributes, inputs):
        return self.do_gemm(attributes, [inputs[0], inputs[3]])

    def do_matmulnbits(self, attributes, inputs):
        return self.matmul(inputs[0], np.zeros((attributes["K"], attributes["N"]), np.float32))

    def do_einsum(self, attributes, inputs):
        left, right = attributes["equation"].decode().split("->")
        terms = left.split(",")
        sizes = {}
        for term, array in zip(terms, inputs, strict=True):
            sizes |= dict(zip(term, array.shape, strict=True))
        for _ in itertools.product(*(range(size) for size in sizes.values())):
            self.macs += 1
        return np.zeros([sizes[label] for label in right], np.float32)

    def recurrent(self, inputs, gates):
        x, w, r = inputs[:3]
        steps, batch, _ = x.shape
        directions, hidden = w.shape[0], w.shape[1] // gates
        for direction in range(directions):
            for step in range(steps):
                for image in range(batch):
                    state = np.zeros(hidden, np.float32)
                    for row in range(gates * hidden):
                        self.dot(x[step, image], w[direction, row])
                        self.dot(state, r[direction, row])
        return np.zeros((steps, directions, batch, hidden), np.float32), np.zeros(
            (directions, batch, hidden), np.float32
        )

    def do_lstm(self, _, inputs):
        return self.recurrent(inputs, 4)

    def do_gru(self, _, inputs):
        return self.recurrent(inputs, 3)

    def do_rnn(self, _, inputs):
        return self.recurrent(inputs, 1)

    def do_attention(self, attributes, inputs):
        heads, key_heads = attributes["q_num_heads"], attributes["kv_num_heads"]
        q, k, v = inputs[:3]
        split = lambda one, count: one.reshape(one.shape[0], one.shape[1], count, -1).transpose(0, 2, 1, 3)  # noqa: E731
        q, k, v = split(q, heads), split(k, key_heads), split(v, key_heads)
        k, v = (np.repeat(one, heads // key_heads, axis=1) for one in (k, v))
        out = self.matmul(self.matmul(q, k.transpose(0, 1, 3, 2)), v)
        return out.transpose(0, 2, 1, 3).reshape(out.shape[0], out.shape[2], -1)

    def do_multiheadattention(self, attributes, inputs):
        heads = attributes["num_heads"]
        return self.do_attention({"q_num_heads": heads, "kv_num_heads": heads}, inputs)

    # control flow ------------------------------------------------------------------------------------------------

    def do_if(self, attributes, inputs, scope):
        condition, stored = inputs[0]
        branches = attributes["then_branch"], attributes["else_branch"]
        if stored is not None:
            return self.graph(branches[0 if bool(condition.reshape(-1)[0]) else 1], scope)
        trials = []
        for branch in branches:
            trial = Oracle(self.functions)
            trials.append((trial.graph(branch, scope), trial))
        outputs, most = max(trials, key=lambda pair: pair[1].macs)
        self.macs += most.macs
        self.nodes += most.nodes
        # the weights of both are in memory
        self.sizes |= trials[0][1].sizes | trials[1][1].sizes
        return [(array, None) for array, _ in outputs]

    def do_loop(self, attributes, inputs, scope):
        body = attributes["body"]
        turns = int(inputs[0][0].reshape(-1)[0])
        state = list(inputs[2:])
        names = [one.name for one in body.input]
        for turn in range(turns):
            given = dict(zip(names, [(np.int64(turn), None), (np.array(True), None), *state], strict=True))
            _, *state = self.graph(body, {**scope, **given})
        return [(array, None) for array, _ in state]

    def do_scan(self, attributes, inputs, scope):
        body = attributes["body"]
        scanned, rows = inputs[0][0], []
        for element in scanned:
            (row,) = self.graph(body, {**scope, body.input[0].name: (element, None)})
            rows.append(row[0])
        return [(np.stack(rows), None)]

    # the rest: shapes only ---------------------------------------------------------------------------------------

    def do_identity(self, _, inputs):
        return inputs[0]

    do_relu = do_softmax = do_cast = do_identity
    do_quantizelinear = do_dequantizelinear = do_identity

    def do_dynamicquantizelinear(self, _, inputs):
        return inputs[0], np.float32(1), np.uint8(0)

    def do_transpose(self, attributes, inputs):
        return np.transpose(inputs[0], attributes.get("perm"))

    def do_reshape(self, _, inputs):
        return inputs[0].reshape([int(size) for size in inputs[1]])

    def do_shape(self, _, inputs):
        return np.array(inputs[0].shape, "i8")

    def do_gather(self, attributes, inputs):
        return np.take(inputs[0], inputs[1], axis=attributes.get("axis", 0))

    def do_concat(self, attributes, inputs):
        return np.concatenate(inputs, axis=attributes["axis"])

    def do_constantofshape(self, _, inputs):
        return np.zeros([int(size) for size in inputs[0]], np.float32)

    def do_add(self, _, inputs):
        return inputs[0] + inputs[1]


# random graphs --------------------------------------------------------------------------------------------------------


class Builder:
    """Builds a random graph step by step; the current tensor has the batch first."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.batch = self.random.choice([1, 1, 2, 3])
        self.symbolic = self.random.random() < 0.4
        self.nodes: list = []
        self.initializers: list = []
        self.functions: list = []
        self.inputs: list = []
        self.count = 0
        self.pool: dict[tuple[int, ...], str] = {}

    def name(self, what: str) -> str:
        self.count += 1
        return f"{what}{self.count}"

    def add(self, operator, inputs, nodes=None, outputs=1, domain="", **attributes):
        names = [self.name("t") for _ in range(outputs)]
        node = helper.make_node(operator, inputs, names, domain=domain, **attributes)
        (self.nodes if nodes is None else nodes).append(node)
        return names[0] if outputs == 1 else names

    def stored(self, array) -> str:
        name = self.name("w")
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape: int, dtype="f4") -> str:
        """Store a weight in one of the ways that exporters know; now and then one that is there already."""
        way = self.random.choice(
            ["plain", "constant", "of shape", "identity", "transposed", "reshaped", "quantised", "shared"]
        )
        if dtype != "f4":
            return self.stored(np.zeros(shape, dtype))
        if way == "shared" and shape in self.pool:
            return self.pool[shape]
        if way == "constant":
            name = self.add("Constant", [], value=numpy_helper.from_array(np.zeros(shape, "f4")))
        elif way == "of shape":
            name = self.add("ConstantOfShape", [self.stored(np.array(shape, "i8"))])
        elif way == "identity":
            name = self.add("Identity", [self.stored(np.zeros(shape, "f4"))])
        elif way == "transposed":
            name = self.add("Transpose", [self.stored(np.zeros(shape[::-1], "f4"))])
        elif way == "reshaped":
            name = self.add(
                "Reshape", [self.stored(np.zeros(int(np.prod(shape)), "f4")), self.stored(np.array(shape, "i8"))]
            )
        elif way == "quantised":
            packed = self.stored(np.zeros(shape, "i1"))
            name = self.add("DequantizeLinear", [packed, self.stored(np.float32(0.5)), self.stored(np.int8(0))])
        else:
            name = self.stored(np.zeros(shape, "f4"))
        self.pool[shape] = name
        return name

    def to_shape(self, x: str, shape: tuple[int, ...]) -> str:
        """Reshape to (batch, …), with a target computed from the shape as exporters do."""
        sizes = self.add("Shape", [x])
        first = self.add("Gather", [sizes, self.stored(np.array([0], "i8"))])
        target = self.add("Concat", [first, self.stored(np.array(shape[1:], "i8"))], axis=0)
        return self.add("Reshape", [x, target])

    def flat(self, x: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        size = int(np.prod(shape[1:]))
        # kept small, since every multiplication is one step
        if size > 48:
            x, shape, size = self.shrunk(x, shape)
        return self.to_shape(x, (self.batch, size)), (self.batch, size)

    def shrunk(self, x, shape):
        size = int(np.prod(shape[1:]))
        flat = self.to_shape(x, (self.batch, size))
        width = self.random.randint(2, 12)
        return self.add("Gather", [flat, self.stored(np.arange(width, dtype="i8"))], axis=1), (self.batch, width), width

    # one step each: takes a tensor and its shape, gives another

    def convolution(self, x, shape):
        r = self.random
        spatial = r.choice([1, 2, 2, 3])
        groups = r.choice([1, 1, 2])
        channels, size = groups * r.randint(1, 2), [r.randint(3, 4) for _ in range(spatial)]
        x = self.spread(x, shape, (self.batch, channels, *size))
        window = [r.randint(1, 3) for _ in range(spatial)]
        pads, strides = [r.randint(0, 1) for _ in range(2 * spatial)], [r.randint(1, 2) for _ in range(spatial)]
        out = groups * r.randint(1, 2)
        kind = r.choice(["Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "Conv"])
        if kind == "ConvTranspose":
            w = self.weight(channels, out // groups, *window)
            y = self.add("ConvTranspose", [x, w], strides=strides, group=groups)
            return y, (self.batch, out, *[(n - 1) * s + k for n, s, k in zip(size, strides, window, strict=True)])
        more = {"pads": pads, "strides": strides, "group": groups}
        w_shape = (out, channels // groups, *window)
        if kind == "Conv":
            y = self.add("Conv", [x, self.weight(*w_shape)], **more)
        elif kind == "ConvInteger":
            q, _, z = self.add("DynamicQuantizeLinear", [x], outputs=3)
            y = self.add(
                "Cast",
                [self.add("ConvInteger", [q, self.weight(*w_shape, dtype="u1"), z], **more)],
                to=TensorProto.FLOAT,
            )
        else:
            one, zero = self.stored(np.float32(1)), self.stored(np.uint8(0))
            q = self.add("QuantizeLinear", [x, one, zero])
            w = self.weight(*w_shape, dtype="u1")
            y = self.add("QLinearConv", [q, one, zero, w, one, zero, one, zero], **more)
            y = self.add("DequantizeLinear", [y, one, zero])
        size = [
            (n + pads[i] + pads[i + spatial] - k) // s + 1
            for i, (n, k, s) in enumerate(zip(size, window, strides, strict=True))
        ]
        return y, (self.batch, out, *size)

    def spread(self, x, shape, target):
        """Bring a tensor to a shape by a product, so that any size follows any other."""
        x, flat = self.flat(x, shape)
        y = self.add("MatMul", [x, self.weight(flat[1], int(np.prod(target[1:])))])
        return self.to_shape(y, target)

    def dense(self, x, shape):
        r = self.random
        x, (_, k) = self.flat(x, shape)
        n = r.randint(1, 9)
        kind = r.choice(["Gemm", "MatMulInteger", "QLinearMatMul", "QGemm", "MatMulNBits", "left", "Gemm", "function"])
        if kind == "Gemm":
            turned = r.randint(0, 1)
            w = self.weight(n, k) if turned else self.weight(k, n)
            return self.add("Gemm", [x, w, self.stored(np.zeros(n, "f4"))], transB=turned), (self.batch, n)
        if kind == "left":
            # the constant on the left of a column of activations
            y = self.add("MatMul", [self.weight(n, k), self.to_shape(x, (self.batch, k, 1))])
            return y, (self.batch, n, 1)
        if kind == "MatMulNBits":
            blocks = -(-k // 16)
            w = self.stored(np.zeros((n, blocks, 8), "u1"))
            y = self.add(
                "MatMulNBits",
                [x, w, self.stored(np.zeros(n * blocks, "f4"))],
                domain="com.microsoft",
                K=k,
                N=n,
                bits=4,
                block_size=16,
            )
            return y, (self.batch, n)
        if kind == "function":
            return self.called(x, k, n)
        one, zero = self.stored(np.float32(1)), self.stored(np.uint8(0))
        if kind == "MatMulInteger":
            q, _, _ = self.add("DynamicQuantizeLinear", [x], outputs=3)
            y = self.add("MatMulInteger", [q, self.weight(k, n, dtype="u1")])
            return self.add("Cast", [y], to=TensorProto.FLOAT), (self.batch, n)
        q, w = self.add("QuantizeLinear", [x, one, zero]), self.weight(k, n, dtype="u1")
        if kind == "QGemm":
            y = self.add("QGemm", [q, one, zero, w, one, zero, "", one, zero], domain="com.microsoft")
        else:
            y = self.add("QLinearMatMul", [q, one, zero, w, one, zero, one, zero])
        return self.add("DequantizeLinear", [y, one, zero]), (self.batch, n)

    def called(self, x, k, n):
        if not self.functions:
            body = [helper.make_node("MatMul", ["a", "b"], ["c"]), helper.make_node("Relu", ["c"], ["d"])]
            self.functions.append(
                helper.make_function("local", "Dense", ["a", "b"], ["d"], body, [helper.make_opsetid("", 23)])
            )
        return self.add("Dense", [x, self.weight(k, n)], domain="local"), (self.batch, n)

    def tokens(self, x, shape):
        """Products over a sequence: stacked matrices, tokens flattened into rows, einsum, attention."""
        r = self.random
        steps, width = r.randint(2, 4), 2 * r.randint(1, 3)
        x = self.spread(x, shape, (self.batch, steps, width))
        kind = r.choice(["stack", "rows", "einsum", "attention", "products", "heads"])
        if kind == "stack":
            return self.add("MatMul", [x, self.weight(width, 3)]), (self.batch, steps, 3)
        if kind == "rows":
            rows = self.add("Reshape", [x, self.stored(np.array([-1, width], "i8"))])
            y = self.add("Gemm", [rows, self.weight(width, 3)])
            return self.to_back(y, x, (self.batch, steps, 3)), (self.batch, steps, 3)
        if kind == "heads":
            heads = self.add("Reshape", [x, self.stored(np.array([-1, 2, steps, width // 2], "i8"))])
            return self.add("MatMul", [heads, self.weight(2, width // 2, 3)]), (self.batch, 2, steps, 3)
        if kind == "einsum":
            equation = r.choice(["btd,de->bte", "btd,ed->bte", "btd,tde->bte", "btd,dte->be"])
            sizes = {"t": steps, "d": width, "e": 3}
            w = self.weight(*(sizes[label] for label in equation.split("->")[0].split(",")[1]))
            out = tuple({**sizes, "b": self.batch}[label] for label in equation.split("->")[1])
            return self.add("Einsum", [x, w], equation=equation), out
        q, k, v = (self.add("MatMul", [x, self.weight(width, width)]) for _ in range(3))
        if kind == "products":
            if r.random() < 0.5:
                scores = self.add("MatMul", [q, self.add("Transpose", [k], perm=[0, 2, 1])])
            else:
                scores = self.add("Einsum", [q, k], equation="btd,bsd->bts")
            return self.add("MatMul", [self.add("Softmax", [scores]), v]), (self.batch, steps, width)
        if r.random() < 0.5:
            y = self.add("Attention", [q, k, v], q_num_heads=2, kv_num_heads=r.choice([2]))
        else:
            y = self.add("MultiHeadAttention", [q, k, v], domain="com.microsoft", num_heads=2)
        return y, (self.batch, steps, width)

    def to_back(self, y, like, shape):
        sizes = self.add("Shape", [like])
        first = self.add("Gather", [sizes, self.stored(np.array([0], "i8"))])
        return self.add("Reshape", [y, self.add("Concat", [first, self.stored(np.array(shape[1:], "i8"))], axis=0)])

    def recurrent(self, x, shape):
        r = self.random
        steps, width, hidden = r.randint(1, 3), r.randint(1, 3), r.randint(1, 3)
        x = self.spread(x, shape, (self.batch, steps, width))
        x = self.add("Transpose", [x], perm=[1, 0, 2])
        kind, directions = r.choice(["LSTM", "GRU", "RNN"]), r.randint(1, 2)
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
        w, u = self.weight(directions, gates * hidden, width), self.weight(directions, gates * hidden, hidden)
        more = {"direction": "bidirectional"} if directions == 2 else {}
        y, _ = self.add(kind, [x, w, u], outputs=2, hidden_size=hidden, **more)
        return self.add("Transpose", [y], perm=[2, 0, 1, 3]), (self.batch, steps, directions, hidden)

    def branched(self, x, shape):
        r = self.random
        x, (_, k) = self.flat(x, shape)
        k = min(k, 48)

        def branch(products):
            nodes, last = [], x
            for _ in range(products):
                last = self.add("MatMul", [last, self.weight(k, k)], nodes=nodes)
            last = self.add("Identity", [last], nodes=nodes)
            return helper.make_graph(
                nodes, self.name("g"), [], [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)]
            )

        then, other = branch(r.randint(0, 2)), branch(r.randint(0, 2))
        if r.random() < 0.6:
            condition = self.stored(np.array(r.random() < 0.5))
        else:
            condition = self.name("flag")
            self.inputs.append(helper.make_tensor_value_info(condition, TensorProto.BOOL, []))
        return self.add("If", [condition], then_branch=then, else_branch=other), (self.batch, k)

    def looped(self, x, shape):
        r = self.random
        x, (_, k) = self.flat(x, shape)
        value = helper.make_tensor_value_info
        w = self.weight(k, k)
        if r.random() < 0.5:
            turn, go, carried, still = (self.name("l") for _ in range(4))
            nodes = [helper.make_node("Identity", [go], [still])]
            y = self.add("MatMul", [carried, w], nodes=nodes)
            inputs = [
                value(turn, TensorProto.INT64, []),
                value(go, TensorProto.BOOL, []),
                value(carried, TensorProto.FLOAT, None),
            ]
            body = helper.make_graph(
                nodes, self.name("g"), inputs, [value(still, TensorProto.BOOL, []), value(y, TensorProto.FLOAT, None)]
            )
            trips = self.stored(np.array(r.randint(1, 3), "i8"))
            return self.add("Loop", [trips, "", x], body=body), (self.batch, k)
        steps = self.add("Transpose", [self.to_shape(x, (self.batch, 1, k))], perm=[1, 0, 2])
        element, nodes = self.name("l"), []
        y = self.add("MatMul", [element, w], nodes=nodes)
        body = helper.make_graph(
            nodes, self.name("g"), [value(element, TensorProto.FLOAT, None)], [value(y, TensorProto.FLOAT, None)]
        )
        out = self.add("Scan", [steps], body=body, num_scan_inputs=1)
        return self.add("Transpose", [out], perm=[1, 0, 2]), (self.batch, 1, k)

    def pointwise(self, x, shape):
        return self.add(self.random.choice(["Relu", "Identity"]), [x]), shape


def check(path, seed: int) -> None:
    """Write a random model and hold what is read of it against the oracle: operations, parameters, layers by operator."""
    import polars as pl

    import roofcube as rc

    model, feeds, batch = random_model(seed)
    onnx.save(model, path)
    oracle = Oracle()
    counted = oracle.run(model, feeds)
    table = rc.read_network(path)
    assert table["ops"].sum() // 2 * batch == sum(one.macs for one in counted), seed
    assert table["params"].sum() == sum(oracle.sizes.values()), seed
    names = pl.col("operator").str.split(".").list.last()
    read = dict(table.filter(pl.col("ops") > 0).group_by(names).agg(pl.col("ops").sum() // 2).iter_rows())
    expected: dict[str, int] = {}
    for one in counted:
        expected[one.operator] = expected.get(one.operator, 0) + one.macs
    assert {name: macs * batch for name, macs in read.items()} == expected, seed


STEPS = ("convolution", "dense", "tokens", "recurrent", "branched", "looped", "pointwise")


def random_model(seed: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray], int]:
    """Build a random model; gives also zeros to run it on, and its batch."""
    builder = Builder(seed)
    width = builder.random.randint(2, 8)
    x, shape = "x", (builder.batch, width)
    builder.inputs.append(
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch" if builder.symbolic else builder.batch, width])
    )
    for _ in range(builder.random.randint(2, 5)):
        x, shape = getattr(builder, builder.random.choice(STEPS))(x, shape)
    # at least one layer is a product of the model's input
    x = builder.spread(x, shape, (builder.batch, 2))
    builder.nodes.append(helper.make_node("Identity", [x], ["y"]))
    graph = helper.make_graph(
        builder.nodes, "random", builder.inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        builder.initializers,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 23), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("local", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=builder.functions, ir_version=10)
    feeds = {"x": np.zeros((builder.batch, width), "f4")}
    feeds |= {one.name: np.array(True) for one in builder.inputs[1:]}
    if builder.inputs[0].name != "x":
        feeds |= {one.name: np.array(True) for one in builder.inputs if one.name != "x"}
    return model, feeds, builder.batch
