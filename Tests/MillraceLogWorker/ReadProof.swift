package import MillraceLog
package import MillraceTestSupport

/// What reading batches costs besides the reading itself.
package struct ReadProof: Sendable {
    /// What the topic holds and how it is stored.
    package enum Shape: String, Sendable, CaseIterable {
        case storedFeatures, lz4Features, storedBytes, lz4Bytes

        package var isStored: Bool { self == .storedFeatures || self == .storedBytes }
        package var isBytes: Bool { self == .storedBytes || self == .lz4Bytes }

        package var configuration: TopicConfiguration {
            TopicConfiguration(
                kind: isBytes ? .bytes : .features, features: isBytes ? 0 : ReadProof.columns,
                label: !isBytes, codec: isStored ? .none : .lz4)
        }
    }

    /// Batches that were read while counting.
    package var batches = 0
    /// Rows that were read while counting.
    package var rows = 0
    /// What the reading thread did meanwhile.
    package var counts = Counts.zero
    /// Keeps the reading from being optimised away.
    package var sum: Float = 0

    package static let columns = 16
    package static let rowsPerBatch = 64
    /// Batches in a topic; those before `warmUp` are not counted.
    package static let batchesPerTopic = 96
    private static let warmUp = 32
    /// Batches that are read while counting.
    package static let batchesCounted = batchesPerTopic - warmUp

    /// Makes a topic of this shape, in one segment; its batches are all of one size.
    package static func makeTopic(_ shape: Shape, in directory: String) throws -> Topic {
        let topic = try DataDirectory(directory, create: true)
            .topic(shape.rawValue, creating: shape.configuration)
        var writer = try topic.writer(partition: 0)
        var builder = BatchBuilder(columns: shape.configuration.features)
        for batch in 0..<batchesPerTopic {
            if shape.isBytes {
                for row in 0..<rowsPerBatch {
                    builder.append(value: "row \(row) of \(100 + batch)".utf8)
                }
            } else {
                var floats = builder.addRows(rowsPerBatch)
                for index in floats.indices { floats[index] = Float(index % 7 + batch % 3) }
            }
            try writer.append(&builder)
        }
        try writer.close()
        return topic
    }

    /// Reads the topic and every value in it, counting from the end of the warm-up on.
    package init(reading topic: Topic) throws(LogError) {
        var reader = try topic.reader(partition: 0)
        for _ in 0..<Self.warmUp { sum += try Self.read(&reader).sum }
        rows = 0
        let before = Counts.now()
        for _ in Self.warmUp..<Self.batchesPerTopic {
            let (count, sum) = try Self.read(&reader)
            batches += count > 0 ? 1 : 0
            rows += count
            self.sum += sum
        }
        // A look that finds nothing new costs nothing either.
        rows += try Self.read(&reader).rows
        counts = Counts.now().since(before)
    }

    @inline(never)
    private static func read(
        _ reader: inout PartitionReader
    ) throws(LogError) -> (rows: Int, sum: Float) {
        guard let batch = try reader.next() else { return (0, 0) }
        var sum: Float = 0
        let matrix = batch.matrix
        for index in matrix.indices { sum += matrix[index] }
        guard batch.columns == 0 else { return (batch.rows, sum) }
        for row in 0..<batch.rows {
            let value = batch.value(row)
            for index in value.indices { sum += Float(value[index]) }
        }
        return (batch.rows, sum)
    }
}

/// The proofs as a program of its own, which can be built with optimisation.
enum Proofs {
    /// Measures every shape; fails when one allocates, locks or counts references.
    static func run() throws {
        #if DEBUG
            say("built without optimisation: reference counts are those of such code")
        #endif
        let directory = try TemporaryDirectory("millrace-proofs")
        var wrong = 0
        for shape in ReadProof.Shape.allCases {
            let topic = try ReadProof.makeTopic(shape, in: directory.path)
            let proof = try ReadProof(reading: topic)
            say("\(shape): \(proof.batches) batches, \(proof.rows) rows, \(proof.counts)")
            if proof.counts != .zero { wrong += 1 }
        }
        if wrong > 0 { throw Complaint("\(wrong) shapes do more than read") }
    }
}
