import Logging
import MillraceModels
import MillraceRepository
import MillraceServing
import MillraceSystem
import MillraceTestSupport
import Testing

/// A repository of models `m` that predict their own version, whatever the row is.
struct ServingFixture: Sendable {
    let directory: TemporaryDirectory
    let repository: ModelRepository
    /// What the feeds say.
    let messages = Messages()

    init() throws {
        directory = try TemporaryDirectory("millrace-serving", inMemory: true)
        repository = ModelRepository(path: directory.file("models"))
    }

    @discardableResult
    func publish(inputs: Int = 2, outputs: Int = 1, specification: UInt32 = 0) throws -> Int {
        let next = try Float(repository.latest(of: "m") ?? 0) + 1
        let layer = DenseLayer(
            inputs: inputs, outputs: outputs,
            weights: [Float](repeating: 0, count: inputs * outputs),
            bias: [Float](repeating: next, count: outputs))
        let model = try Model(
            input: InputStage(identity: inputs), layers: [layer], head: .identity)
        var publication = Publication(key: "")
        publication.specificationID = specification
        return try repository.publish(model, as: "m", publication)
    }

    func feed(_ reference: ModelReference = "m") throws -> ModelFeed {
        try ModelFeed(repository, reference, logger: messages.logger)
    }
}

/// What was logged.
final class Messages: Sendable {
    private let texts = Lock<[(level: Logger.Level, text: String)]>([])
    private let fields = Lock<[[String: String]]>([])

    /// The structured fields of each message.
    var metadata: [[String: String]] { fields.withLock { $0 } }
    var errors: [String] { all { $0 >= .error } }
    var warnings: [String] { all { $0 == .warning } }

    private func all(_ isMeant: (Logger.Level) -> Bool) -> [String] {
        texts.withLock { $0.filter { isMeant($0.level) }.map(\.text) }
    }

    var logger: Logger { Logger(label: "test") { _ in Handler(messages: self) } }

    private struct Handler: LogHandler {
        let messages: Messages
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        init(messages: Messages) { self.messages = messages }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            messages.texts.withLock { $0.append((event.level, "\(event.message)")) }
            let told = (event.metadata ?? [:]).mapValues { "\($0)" }
            messages.fields.withLock { $0.append(told) }
        }
    }
}
