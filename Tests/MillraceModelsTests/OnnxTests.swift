import MillraceCompute
import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

/// The ONNX standard's own cases for the operators that models are made of; see `Onnx/generate.py`.
@Suite struct OnnxTests {
    @Test(arguments: KernelSet.available)
    func nodesGiveWhatTheStandardSays(kernels: KernelSet) throws {
        let nodes = try Node.all()
        #expect(nodes.count == 33)
        for node in nodes {
            let found = try node.evaluate(kernels)
            let expected = node.output.elements
            try #require(found.count == expected.count, "\(node.name)")
            for (x, y) in zip(found, expected) {
                // The standard's own runner allows a thousandth and 1e-7.
                #expect(abs(x - y) <= 1e-5 * abs(y) + 1e-6, "\(node.name): \(x), not \(y)")
            }
        }
    }
}

/// A case: an operator with inputs and the output that it must give.
private struct Node {
    struct Tensor {
        var shape: [Int]
        var elements: [Float]

        /// Rows and columns of a matrix, one row where there is but one dimension.
        var rows: Int { shape.dropLast().reduce(1, *) }
        var columns: Int { shape.last ?? 1 }

        func transposed() -> Tensor {
            var result = Tensor(shape: [columns, rows], elements: [])
            for column in 0..<columns {
                for row in 0..<rows { result.elements.append(elements[row * columns + column]) }
            }
            return result
        }
    }

    var name: String
    var kind: String
    var keys: [Substring: Float] = [:]
    var tensors: [Tensor] = []

    var output: Tensor { tensors[tensors.count - 1] }

    static func all() throws -> [Node] {
        let path = SharedData.root + "/Tests/MillraceModelsTests/Onnx/nodes.txt"
        let text = String(decoding: try Files.read(path, maxBytes: 1 << 20), as: UTF8.self)
        var nodes: [Node] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let words = line.split(separator: " ")
            if words.first == "case" {
                var node = Node(name: String(words[1]), kind: String(words[2]))
                for pair in words.dropFirst(3).map({ $0.split(separator: "=") }) {
                    node.keys[pair[0]] = Float(pair[1])
                }
                nodes.append(node)
            } else if words.first == "tensor" {
                let shape = words.dropFirst().compactMap { Int($0) }
                nodes[nodes.count - 1].tensors.append(Tensor(shape: shape, elements: []))
            } else if !words.isEmpty {
                let last = nodes.count - 1
                nodes[last].tensors[nodes[last].tensors.count - 1].elements = words.compactMap {
                    Float($0)
                }
            }
        }
        return nodes
    }

    func evaluate(_ kernels: KernelSet) throws -> [Float] {
        switch kind {
        case "Gemm": return try gemm(kernels)
        case "MatMul": return try product(kernels)
        case "Softmax":
            let columns = tensors[0].columns
            let model = try Self.linear(Self.identity(columns), columns, columns, .softmax)
            return PreparedModel(model, kernels: kernels).predict(tensors[0].elements)
        default:
            let activation = try #require(Activation(rawValue: Self.names[kind] ?? ""))
            let layer = DenseLayer(inputs: 1, outputs: 1, weights: [1], bias: [0])
            let model = try Model(
                input: InputStage(identity: 1), layers: [layer, layer], activation: activation,
                head: .identity)
            return PreparedModel(model, kernels: kernels).predict(tensors[0].elements)
        }
    }

    private static let names = [
        "Relu": "relu", "LeakyRelu": "leakyReLU", "Sigmoid": "sigmoid", "Tanh": "tanh",
        "Gelu": "gelu",
    ]

    private static func identity(_ size: Int) -> [Float] {
        (0..<size * size).map { $0 / size == $0 % size ? 1 : 0 }
    }

    private static func linear(
        _ weights: [Float], _ inputs: Int, _ outputs: Int, _ head: Head = .identity
    ) throws -> Model {
        let bias = [Float](repeating: 0, count: outputs)
        return try Model(
            input: InputStage(identity: inputs),
            layers: [DenseLayer(inputs: inputs, outputs: outputs, weights: weights, bias: bias)],
            head: head)
    }

    /// `alpha * a * b + beta * c` as one layer: each row of `c` has an input of its own, which is 1
    /// in that row.
    private func gemm(_ kernels: KernelSet) throws -> [Float] {
        let a = keys["transA"] == 1 ? tensors[0].transposed() : tensors[0]
        let b = keys["transB"] == 1 ? tensors[1].transposed() : tensors[1]
        let c = tensors.count > 3 ? tensors[2] : Tensor(shape: [], elements: [0])
        let (rows, depth, columns) = (a.rows, a.columns, b.columns)
        let weights = b.elements.map { $0 * (keys["alpha"] ?? 1) }
        let added = (0..<rows * columns).map { i -> Float in
            let row = c.rows == 1 ? 0 : i / columns
            let column = c.columns == 1 ? 0 : i % columns
            return c.elements[row * c.columns + column] * (keys["beta"] ?? 1)
        }
        var features: [Float] = []
        for row in 0..<rows {
            features += a.elements[row * depth..<(row + 1) * depth]
            for other in 0..<rows { features.append(other == row ? 1 : 0) }
        }
        let model = try Self.linear(weights + added, depth + rows, columns)
        return PreparedModel(model, kernels: kernels).predict(features)
    }

    private func product(_ kernels: KernelSet) throws -> [Float] {
        let (a, b) = (tensors[0], tensors[1])
        let (depth, columns) = (b.shape[1], b.shape[2])
        let sizeA = a.shape[1] * depth
        let sizeB = depth * columns
        var result: [Float] = []
        for i in 0..<a.shape[0] {
            let weights = Array(b.elements[i * sizeB..<(i + 1) * sizeB])
            let prepared = PreparedModel(
                try Self.linear(weights, depth, columns), kernels: kernels)
            result += prepared.predict(Array(a.elements[i * sizeA..<(i + 1) * sizeA]))
        }
        return result
    }
}
