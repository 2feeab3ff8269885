import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// A topic of rows, and models `m` of which each version predicts its own number.
struct NumberedModels: Sendable {
    let directory: TemporaryDirectory
    let topic: Topic
    let repository: ModelRepository

    init() throws {
        directory = try TemporaryDirectory("millrace-names", inMemory: true)
        topic = try DataDirectory(directory.path, create: true).topic(
            "rows",
            creating: TopicConfiguration(kind: .features, features: 2, label: true))
        repository = ModelRepository(path: directory.file("models"))
    }

    /// Publishes a model that predicts its own version.
    @discardableResult
    func publish() throws -> Int {
        let next = Float(try repository.versions(of: "m").last ?? 0) + 1
        let layer = DenseLayer(inputs: 2, outputs: 1, weights: [0, 0], bias: [next])
        let model = try Model(input: InputStage(identity: 2), layers: [layer], head: .identity)
        let version = try repository.publish(model, as: "m", Publication(key: ""))
        #expect(version == Int(next))
        return version
    }

    /// Appends a batch of rows.
    func append(_ count: Int = 1) throws {
        var writer = try topic.writer(partition: 0)
        try append(count, &writer)
        try writer.close()
    }

    /// Appends a batch of rows with a writer of partition 0.
    func append(_ count: Int, _ writer: inout PartitionWriter) throws {
        var builder = BatchBuilder(columns: 2)
        for number in 0..<count {
            do {
                var row = builder.nextRow()
                for column in 0..<2 { row[column] = Float(number % 7) }
            }
            builder.commitRow(label: Float(number % 2))
        }
        try writer.append(&builder)
    }

    /// The versions that scored, batch by batch; each predicts itself.
    func scoredBy(_ output: String) throws -> [Int] {
        var reader = try DataDirectory(directory.path, create: false).topic(output)
            .reader(partition: 0)
        var versions: [Int] = []
        while let batch = try reader.next() {
            let origin = batch.origin
            let version = Int(try #require(origin).modelVersion)
            var outputs = [Float](repeating: 0, count: batch.rows)
            var target = outputs.mutableSpan
            batch.widen(rows: 0..<batch.rows, into: &target)
            #expect(outputs.allSatisfy { $0 == Float(version) })
            versions.append(version)
        }
        return versions
    }
}
