import MillraceCompute
import MillraceModels
import MillraceONNX
import MillraceSystem
import MillraceTestSupport
import Testing

/// What is exported comes back as the same model, bit by bit. That ONNX Runtime agrees is shown by
/// `Fixtures/check_exports.py`, which needs Python.
@Suite struct ExportTests {
    @Test(arguments: Head.allCases, Activation.allCases)
    func everyKindOfModelComesBack(head: Head, activation: Activation) throws {
        for missing in [MissingPolicy.impute, .propagate] {
            let model = try Self.model(head, activation, missing: missing)
            let again = try Model(onnx: model.onnx())
            #expect(again.layers == model.layers && again.head == model.head)
            #expect(again.activation == model.activation && again.labels == model.labels)
            #expect(again.input.mean == model.input.mean && again.input.limit == model.input.limit)
            #expect(again.input.scale == model.input.scale)
            #expect(again.input.selection == model.input.selection)
            #expect(again.input.missing == missing)
            let rows: [Float] = [1.5, -3, 7, 0.25, 900, -900, 4, 4]
            let expected = PreparedModel(model).predict(rows).map(\.bitPattern)
            #expect(PreparedModel(again).predict(rows).map(\.bitPattern) == expected)
        }
    }

    @Test(arguments: [RowNormalisation.l1, .l2])
    func normalisedRowsComeBack(normalisation: RowNormalisation) throws {
        var input = InputStage(identity: 3)
        input.normalisation = normalisation
        let model = try Self.linear(input)
        let again = try Model(onnx: model.onnx())
        #expect(again == model)
    }

    @Test func theLargestMagnitudeIsRefused() throws {
        var input = InputStage(identity: 3)
        input.normalisation = .max
        let model = try Self.linear(input)
        let error = #expect(throws: ONNXError.self) { try model.onnx() }
        #expect(error?.code == .unsupportedGraph)
        #expect(error?.description.contains("largest magnitude") == true)
    }

    @Test(arguments: [["late", "on time"], ["1", "0"], ["01", "2"]])
    func labelsComeBack(labels: [String]) throws {
        let model = try Self.model(.sigmoid, .relu, labels: labels)
        #expect(try Model(onnx: model.onnx()).labels == labels)
    }

    @Test(arguments: try ExportedModel.names())
    func whatWasImportedIsExportedAlike(name: String) throws {
        let exported = try ExportedModel(name)
        let model = try Model(onnx: exported.file)
        let again = PreparedModel(try Model(onnx: model.onnx()))
        for (row, expected) in zip(exported.rows, exported.outputs) {
            try expectClose(exported.comparable(again.predict(row), of: model), expected, name)
        }
    }

    /// Writes exports for `Fixtures/check_exports.py` when MILLRACE_ONNX_OUT names a directory.
    @Test(.enabled(if: Environment.text("MILLRACE_ONNX_OUT") != nil))
    func exportsForONNXRuntime() throws {
        let directory = try #require(Environment.text("MILLRACE_ONNX_OUT"))
        try Files.createDirectory(directory)
        for head in Head.allCases {
            for activation in Activation.allCases {
                let model = try Self.model(head, activation)
                let name = "\(directory)/\(head.rawValue)-\(activation.rawValue)"
                try Files.writeDurably("\(name).onnx", try model.onnx())
                var draw = SplitMix64(seed: 9)
                let prepared = PreparedModel(model)
                var text = ""
                for _ in 0..<50 {
                    let row = (0..<4).map { _ in Float(draw.unit() * 12 - 6) }
                    let outputs = model.classProbabilities(prepared.predict(row))
                    text += (row + outputs).map { "\($0)" }.joined(separator: " ") + "\n"
                }
                try Files.writeDurably("\(name).txt", Array(text.utf8))
            }
        }
    }

    private static func linear(_ input: InputStage) throws -> Model {
        try Model(
            input: input,
            layers: [DenseLayer(inputs: 3, outputs: 1, weights: [1, -2, 0.5], bias: [0.1])],
            head: .identity)
    }

    /// A model of rows of four numbers, of which three in another order are features.
    private static func model(
        _ head: Head, _ activation: Activation, missing: MissingPolicy = .impute,
        labels: [String]? = nil
    ) throws -> Model {
        var generator = SplitMix64(seed: 7)
        func draw(_ count: Int) -> [Float] {
            (0..<count).map { _ in Float(generator.unit() * 2 - 1) }
        }
        let outputs = head == .sigmoid ? 1 : 3
        let classes = head == .sigmoid ? 2 : 3
        let input = InputStage(
            impute: missing == .impute ? [1, 2, 3] : [0, 0, 0], mean: [0.3, -2, 0],
            limit: [2.5, .infinity, 4], scale: [0.7, 1, 1.3], missing: missing,
            selection: InputStage.Selection(rowWidth: 4, columns: [3, 0, 1]))
        let layers = [
            DenseLayer(inputs: 3, outputs: 5, weights: draw(15), bias: draw(5)),
            DenseLayer(inputs: 5, outputs: 4, weights: draw(20), bias: draw(4)),
            DenseLayer(
                inputs: 4, outputs: outputs, weights: draw(4 * outputs), bias: draw(outputs)),
        ]
        let names = labels ?? (0..<classes).map { "class \($0)" }
        return try Model(
            input: input, layers: layers, activation: activation, head: head,
            labels: head == .identity ? [] : names)
    }
}
