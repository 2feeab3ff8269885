internal import MillraceInput
internal import MillraceKafka
internal import MillraceModels
internal import MillraceRepository
internal import MillraceServing

/// Writes predictions as the values of records.
///
/// JSON has the members `prediction` (the most likely class, or a regression's number), `outputs`
/// (the probabilities of all classes in label order, as `millrace model predict` has them), `model`
/// and `source`; without a prediction, `prediction` and `outputs` are null and `null` says why.
/// **Thread-safety**: one owner.
struct PredictionRecord: ~Copyable {
    /// The value that was written last.
    private(set) var bytes: [UInt8] = []
    private let format: KafkaPredictionFormat
    private let source: [UInt8]
    private var model: [UInt8]
    private var shape: PredictionShape
    private var outputs: [Float] = []

    /// A writer of predictions of the rows of a partition.
    init(
        _ format: KafkaPredictionFormat, source topic: String, partition: Int,
        _ version: ServingVersion
    ) {
        self.format = format
        source = Array(
            ",\"source\":{\"topic\":\"\(topic)\",\"partition\":\(partition),\"offset\":".utf8)
        model = Self.name(version)
        shape = PredictionShape(version)
    }

    private static func name(_ version: ServingVersion) -> [UInt8] {
        Array(",\"model\":\"\(version.manifest.name)@\(version.version)\"".utf8)
    }

    /// Lets what follows be predictions of another version.
    mutating func use(_ version: ServingVersion) {
        model = Self.name(version)
        shape = PredictionShape(version)
    }

    /// Writes the prediction of one row; `mark` says why there is none, 0 where there is one.
    mutating func write(_ prediction: Span<Float>, mark: UInt8, offset: UInt64) {
        bytes.removeAll(keepingCapacity: true)
        guard format == .json else { return writeNumbers(prediction, isNull: mark != 0) }
        append("{\"prediction\":")
        if mark != 0 {
            append("null,\"outputs\":null,\"null\":\(mark)")
        } else {
            shape.fill(&outputs, from: prediction)
            if let best = shape.best(outputs) {
                bytes.append(contentsOf: shape.labels[best])
            } else {
                append(numbers: 1)
            }
            append(",\"outputs\":[")
            append(numbers: outputs.count)
            append("]")
        }
        bytes.append(contentsOf: model)
        bytes.append(contentsOf: source)
        append("\(offset)}}")
    }

    private mutating func writeNumbers(_ prediction: Span<Float>, isNull: Bool) {
        guard isNull else { return FloatBytes.append(prediction, to: &bytes) }
        let none = [Float](repeating: .nan, count: prediction.count)
        FloatBytes.append(none.span, to: &bytes)
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Appends the first of the outputs, between commas.
    private mutating func append(numbers count: Int) {
        let start = bytes.count
        let numbers = outputs
        bytes.append(contentsOf: repeatElement(0, count: ShortestFloat.room(for: count)))
        var target = bytes.mutableSpan
        let end = ShortestFloat.write(
            numbers.span.extracting(0..<count), into: &target, at: start, special: .json)
        bytes.removeLast(bytes.count - end)
    }
}

/// What the numbers of a model's predictions mean.
private struct PredictionShape {
    /// The classes as values of JSON; empty for a regression.
    let labels: [[UInt8]]
    private let isBinary: Bool

    init(_ version: ServingVersion) {
        let manifest = version.manifest
        let head = manifest.architecture.head
        let count = head.classCount(outputWidth: version.model.outputWidth)
        isBinary = head == .sigmoid
        labels = (0..<count).map { index in
            let names = manifest.labels
            return Array((index < names.count ? JSONString.quoted(names[index]) : "\(index)").utf8)
        }
    }

    /// The outputs as people read them: the probabilities of all classes.
    func fill(_ outputs: inout [Float], from prediction: Span<Float>) {
        outputs.removeAll(keepingCapacity: true)
        if isBinary { outputs.append(1 - prediction[0]) }
        for index in prediction.indices { outputs.append(prediction[index]) }
    }

    /// The most likely class; nil for a regression.
    func best(_ outputs: [Float]) -> Int? {
        labels.isEmpty ? nil : Head.mostLikelyClass(outputs)
    }
}
