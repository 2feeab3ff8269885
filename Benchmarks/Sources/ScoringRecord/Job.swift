internal import BenchmarkSupport
internal import Logging
internal import Millrace

/// A topic of digits, 64 pixels a row, and a model that scores it.
///
/// As LZ4 batches of 1,024 rows: float32 split into byte streams, or whole as `uint8`.
final class Job {
    /// How the pixels are stored.
    enum Form: String, CaseIterable {
        case float32, uint8
    }

    static let rows = 1 << 22
    static let batch = 1024
    private static let source = "digits"
    private static let model = "network"

    let network: Network
    let form: Form
    private let directory: WorkDirectory
    private let data: DataDirectory
    private let topic: Topic
    private var runs = 0

    /// Its name in the table, and for the peers.
    var name: String { name(form) }

    /// The name of the same job with pixels in another form.
    func name(_ form: Form) -> String { Self.name(network, form) }

    static func name(_ network: Network, _ form: Form) -> String {
        "\(network.name), \(form.rawValue)"
    }

    /// How many times as fast as Arrow with float32 and ONNX Runtime it should be.
    var asked: Double {
        let isLinear = network.widths.count == 2
        return switch form {
        case .float32: isLinear ? 2.5 : 1.5
        case .uint8: isLinear ? 6 : 1.75
        }
    }

    init(_ network: Network, _ form: Form, digits: Digits) throws {
        self.network = network
        self.form = form
        directory = try WorkDirectory()
        data = try DataDirectory(directory.path, create: true)
        topic = try data.topic(
            Self.source,
            creating: TopicConfiguration(
                kind: .features, features: Digits.columns, codec: .lz4,
                filter: form == .float32 ? .split : .none,
                elementType: form == .float32 ? .float32 : .uint8))
        _ = try ModelRepository(path: directory.path + "/models").publish(
            network.model(), as: Self.model, Publication(key: ""))
        try write(digits)
    }

    private func write(_ digits: Digits) throws {
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: Digits.columns)
        for first in stride(from: 0, to: Self.rows, by: Self.batch) {
            Self.fill(&builder, digits.features.span, from: first % digits.labels.count)
            try writer.append(&builder)
        }
        try writer.close()
    }

    /// A batch of the images from `first` on, and then from the first one again.
    private static func fill(
        _ builder: inout BatchBuilder, _ pixels: Span<Float>, from first: Int
    ) {
        var target = builder.addRows(batch)
        var place = first * Digits.columns
        for index in target.indices {
            target[index] = pixels[place]
            place = place + 1 == pixels.count ? 0 : place + 1
        }
    }

    /// Scores, and holds each prediction against those that another has made of the images.
    func hold(against expected: [Float], core: Int) throws {
        let width = network.widths.last ?? 1
        let name = name
        _ = try score(core: core) { first, outputs in
            for index in outputs.indices {
                let (own, other) = (
                    outputs[index], expected[(first * width + index) % expected.count]
                )
                guard abs(own - other) <= 1e-5 * max(1, abs(other)) else {
                    throw Peer.Failure("\(name): predictions \(own) and \(other) differ")
                }
            }
        }
    }

    private static func output(_ run: Int) -> String { "scores-\(run)" }

    /// Nanoseconds a row of one run of a score stage on one core.
    ///
    /// From opening the topics to the last row's outcome. The predictions go to a new topic; that of the
    /// run before is deleted only now, as the other side's file is overwritten: memory that has been
    /// free for a while is given back to the host of a virtual machine, which takes 8 us a page.
    ///
    /// - Parameter check: gets each batch of predictions, and the place of its first row.
    func score(
        core: Int, check: ((_ first: Int, _ outputs: borrowing Span<Float>) throws -> Void)? = nil
    ) throws -> Double {
        if runs > 0 { try data.deleteTopic(Self.output(runs)) }
        runs += 1
        let output = Self.output(runs)
        let stage = ScoreStage(
            from: Reference(Self.source), to: Reference(output),
            model: ModelReference(Self.model))
        let definition = PipelineDefinition(
            topics: [
                try .existing(Self.source, data: directory.path),
                TopicDefinition(name: output, content: .predictions),
            ],
            stages: [StageDefinition(name: "score-\(runs)", work: .score(stage))])
        let run = try PipelineRun(
            definition,
            options: RunOptions(data: directory.path, cores: [core], sharesCores: true),
            logger: Logger(label: "scoring-record"))
        let seconds = try run.run().summary.seconds
        if let check {
            var reader = try data.topic(output).reader(partition: 0)
            var seen = 0
            while let batch = try reader.next() {
                try check(seen, batch.matrix)
                seen += batch.rows
            }
            guard seen == Self.rows else {
                throw Peer.Failure("\(name): \(seen) predictions of \(Self.rows)")
            }
        }
        return seconds * 1e9 / Double(Self.rows)
    }
}
