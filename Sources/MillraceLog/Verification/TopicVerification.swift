internal import MillraceSystem

/// What reading every byte of a topic has found.
public struct TopicVerification: Sendable, Equatable {
    /// How much of the topic is intact.
    public struct Counts: Sendable, Equatable {
        /// Segment files that hold a part of the log.
        public internal(set) var segments = 0
        /// Batches whose header, payload and place are right.
        public internal(set) var batches = 0
        /// Rows in those batches.
        public internal(set) var rows: UInt64 = 0
        /// Bytes of those batches in the files, headers and padding included.
        public internal(set) var bytes: UInt64 = 0

        mutating func add(_ other: Counts) {
            segments += other.segments
            batches += other.batches
            rows += other.rows
            bytes += other.bytes
        }
    }

    /// What a fault costs.
    public enum Effect: String, Sendable {
        /// Rows cannot be read.
        case rows
        /// All rows are there, but something about them is wrong or unprotected.
        case metadata
        /// Only speed: the data is derived and can be made again.
        case derived
    }

    /// Something that is not as it must be.
    public struct Fault: Sendable, Equatable, CustomStringConvertible {
        /// What it costs.
        public internal(set) var effect: Effect
        /// The file, or the directory where a file is missing.
        public internal(set) var path: String
        /// Where in the file, in bytes from its start.
        public internal(set) var position: Int?
        /// What must be there.
        public internal(set) var expected: String
        /// What is there.
        public internal(set) var found: String
        /// The partition, for faults of one.
        public internal(set) var partition: Int?
        /// Bytes of the file whose batches cannot be read; they may reach behind a file's end.
        public internal(set) var lostBytes: Range<Int>?
        /// Offsets among which the lost rows are; nil when none is lost or nobody can tell.
        public internal(set) var lostOffsets: Range<UInt64>?

        init(
            _ effect: Effect, _ path: String, at position: Int? = nil, expected: String,
            found: String, lostBytes: Range<Int>? = nil, lostOffsets: Range<UInt64>? = nil
        ) {
            self.effect = effect
            self.path = path
            self.position = position
            self.expected = expected
            self.found = found
            self.lostBytes = lostBytes
            self.lostOffsets = lostOffsets
        }

        /// Where, what was expected, what was found, and what is lost.
        public var description: String {
            var text = path
            if let position { text += ": byte \(position)" }
            text += ": expected \(expected), found \(found)"
            if let lostBytes {
                text += "; bytes \(lostBytes.lowerBound) to \(lostBytes.upperBound) cannot be read"
            }
            if let lostOffsets {
                text += "; lost rows lie in \(lostOffsets.lowerBound) to \(lostOffsets.upperBound)"
            }
            return text
        }
    }

    /// Something worth knowing that is no fault, such as a file that nothing needs any more.
    public struct Note: Sendable, Equatable, CustomStringConvertible {
        /// The file concerned.
        public let path: String
        /// What there is to know.
        public let text: String

        /// The file and the text.
        public var description: String { "\(path): \(text)" }
    }

    /// The topic's name.
    public let topic: String
    /// What is intact.
    public internal(set) var counts = Counts()
    /// Every fault, in the order of partitions and of their logs.
    public internal(set) var faults: [Fault] = []
    /// What is no fault.
    public internal(set) var notes: [Note] = []

    /// Whether nothing is wrong.
    public var isIntact: Bool { faults.isEmpty }

    init(topic: String) { self.topic = topic }
}

extension DataDirectory {
    /// Reads everything of a topic, changes nothing, and names every fault.
    ///
    /// May run beside writers and readers; what is appended meanwhile is not looked at. A topic
    /// whose description is damaged is verified as far as its other files tell what it is.
    ///
    /// After a crash of the machine, what recovery will drop as torn is a note and no fault; but
    /// batches that it will drop because their source rows are lost still count as intact, since
    /// only the recovery of the source topics, which changes them, can tell.
    /// - Throws: `LogError` with code `notFound` or `invalidArgument`; damage is never thrown.
    /// - Complexity: O(bytes of the topic).
    public func verifyTopic(_ name: String) throws(LogError) -> TopicVerification {
        var scan = try TopicScan(name: name, data: path)
        for scope in scan.scopes {
            var verifier = PartitionVerifier(scope)
            try verifier.run { (_, _, _) throws(LogError) in }
            scan.add(verifier.findings)
        }
        return scan.report
    }
}
