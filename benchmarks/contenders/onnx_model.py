"""The network of a task as an ONNX model, for those who read it: Gemm and an activation a layer."""

from __future__ import annotations

from tasks import Params, Task

from contenders import missing

_OPSET, _IR = 17, 8  # old enough for every runtime of the last years
_OPERATORS = {"relu": "Relu", "tanh": "Tanh", "softmax": "Softmax", "logistic": "Sigmoid"}


def available(runtime: str) -> str | None:
    """Say what is missing to build models and run them, or None."""
    return missing(runtime) or missing("onnx")


def model(task: Task, params: Params) -> bytes:
    """Serialise the network; its input "x" and output "y" have the batch of the task."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, value = [], [], "x"
    activations = [task.hidden] * (len(params) - 1) + [task.output]
    for i, ((w, b), activation) in enumerate(zip(params, activations, strict=True)):
        constants += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [f"z{i}"]))
        value = f"z{i}"
        if activation in _OPERATORS:
            nodes.append(helper.make_node(_OPERATORS[activation], [value], [f"a{i}"]))
            value = f"a{i}"
    nodes[-1].output[0] = "y"
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [task.batch, size])
        for name, size in (("x", task.sizes[0]), ("y", task.sizes[-1]))
    ]
    graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], constants)
    opset = [helper.make_opsetid("", _OPSET)]
    data: bytes = helper.make_model(graph, opset_imports=opset, ir_version=_IR).SerializeToString()
    return data
