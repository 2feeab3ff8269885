import MillraceCompute
import MillraceModels
import MillraceONNX
import MillraceSystem
import MillraceTestSupport
import Testing

/// Models that scikit-learn, and others in the way of PyTorch and Keras, exported, against what ONNX
/// Runtime predicts; see `Fixtures/generate.py`.
@Suite struct ImportTests {
    @Test func thereAreEnoughModels() throws {
        #expect(try ExportedModel.names().count >= 50)
    }

    @Test(arguments: try ExportedModel.names())
    func predictionsAreThoseOfONNXRuntime(name: String) throws {
        let exported = try ExportedModel(name)
        let model = try Model(onnx: exported.file)
        #expect(model.inputWidth == exported.rows.first?.count)
        for kernels in KernelSet.available {
            let prepared = PreparedModel(model, kernels: kernels)
            for (row, expected) in zip(exported.rows, exported.outputs) {
                try expectClose(
                    exported.comparable(prepared.predict(row), of: model), expected, name)
            }
        }
    }

    @Test(arguments: try ExportedModel.names())
    func classesAreThoseOfONNXRuntime(name: String) throws {
        let exported = try ExportedModel(name)
        let model = try Model(onnx: exported.file)
        guard !exported.labels.isEmpty else { return #expect(model.labels.isEmpty) }
        let prepared = PreparedModel(model)
        let count = Set(exported.labels).count
        #expect(count > 1 && model.labels.count >= count, "\(model.labels)")
        for (row, label) in zip(exported.rows, exported.labels) {
            let outputs = exported.bothClasses(prepared.predict(row), of: model)
            let largest = outputs.indices.max { outputs[$0] < outputs[$1] }
            #expect(try model.labels[#require(largest)] == label)
        }
    }

    @Test(
        arguments: [
            ("refused-forest", "TreeEnsembleClassifier", "TreeEnsembleClassifier", "no part of"),
            ("refused-calibrated", nil, nil, "node '"),
            ("refused-slope", "/1/Activation", "LeakyRelu", "a slope of 0.2; models have 0.01"),
            ("refused-softplus", "last", "Softplus", "export a model without it"),
        ] as [(String, String?, String?, String)])
    func whatHasNoCounterpartIsNamed(
        name: String, node: String?, kind: String?, detail: String
    ) throws {
        let error = #expect(throws: ONNXError.self) {
            try Model(onnx: ExportedModel.bytes(name))
        }
        #expect(error?.code == .unsupportedNode)
        #expect(error?.description.contains(detail) == true, "\(error?.description ?? "")")
        if let node { #expect(error?.node == node && error?.operatorName == kind) }
    }
}

func expectClose(_ found: [Float], _ expected: [Float], _ name: String) throws {
    try #require(found.count == expected.count, "\(name): \(found.count) outputs")
    for (x, y) in zip(found, expected) {
        #expect(abs(x - y) <= 1e-5 * max(1, abs(y)), "\(name): \(x), not \(y)")
    }
}
