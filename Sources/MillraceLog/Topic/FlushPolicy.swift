/// When rows are made durable without being asked.
///
/// Whatever the policy, `PartitionWriter.flush()` and an append with acknowledgement `durable` wait
/// for the disk, a clean `close()` leaves nothing behind, and all but the two newest segments are
/// durable.
public enum FlushPolicy: Sendable, Equatable {
    /// The kernel writes back in its own time, usually within 30 seconds: the default.
    ///
    /// A loss of power (not the death of a process) may lose what was appended in that window.
    case none
    /// A thread flushes every so many milliseconds: a loss of power may lose that window.
    case interval(milliseconds: Int)
    /// Every append waits for the disk; appends that wait at the same time share one sync.
    case batch

    /// What an append waits for under this policy.
    var acknowledgement: Acknowledgement { self == .batch ? .durable : .appended }
}

/// In JSON: `"none"`, `"batch"`, or the number of milliseconds.
extension FlushPolicy: Codable {
    /// Reads a policy from JSON.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) {
            self = .interval(milliseconds: number)
            return
        }
        switch try container.decode(String.self) {
        case "none": self = .none
        case "batch": self = .batch
        case let other:
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "a flush policy is none, batch or milliseconds, not \(other)")
        }
    }

    /// Writes the policy as JSON.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .none: try container.encode("none")
        case .batch: try container.encode("batch")
        case .interval(let milliseconds): try container.encode(milliseconds)
        }
    }
}
