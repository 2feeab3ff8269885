import MillraceModels
import MillraceSystem
import MillraceTestSupport
import Testing

/// A model in `Fixtures`, with rows and what ONNX Runtime gives for them.
struct ExportedModel {
    static let directory = SharedData.root + "/Tests/MillraceONNXTests/Fixtures"

    var file: [UInt8]
    var rows: [[Float]] = []
    var outputs: [[Float]] = []
    var labels: [String] = []

    static func names() throws -> [String] {
        try Files.list(directory).filter { $0.hasSuffix(".onnx") && !$0.hasPrefix("refused-") }
            .map { String($0.dropLast(5)) }.sorted()
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        try Files.read("\(directory)/\(name).onnx", maxBytes: 1 << 20)
    }

    init(_ name: String) throws {
        file = try Self.bytes(name)
        let text = String(
            decoding: try Files.read("\(Self.directory)/\(name).txt", maxBytes: 1 << 20),
            as: UTF8.self)
        var isOutput = false
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            switch words[0] {
            case "rows": isOutput = false
            case "outputs": isOutput = true
            case "labels": labels = words.dropFirst().map(String.init)
            default:
                let numbers = try words.map { try #require(Float($0)) }
                if isOutput { outputs.append(numbers) } else { rows.append(numbers) }
            }
        }
    }

    /// A prediction with an output for each class.
    func bothClasses(_ prediction: [Float], of model: Model) -> [Float] {
        if model.head == .scores, prediction.count == 1 { return [-prediction[0], prediction[0]] }
        return model.classProbabilities(prediction)
    }

    /// A prediction as the file's outputs are: some give one number for two classes.
    func comparable(_ prediction: [Float], of model: Model) -> [Float] {
        outputs.first?.count == 1 ? prediction : bothClasses(prediction, of: model)
    }
}
