internal import MillraceLog

/// What the values of a Kafka topic's records are.
///
/// Keys, times and headers are Kafka's own in every format. Kafka's times are whole milliseconds,
/// the log's nanoseconds. A header without a value becomes one with an empty value.
public enum KafkaFormat: String, Sendable, CaseIterable, Codable {
    /// Any bytes: a row of a byte topic.
    case bytes
    /// Little-endian float32, the features of a row, then the label where the topic has labels; NaN
    /// is a missing value, or no label.
    case float32
    /// `{"features":[…],"label":…}`, null for a missing value; other members are passed over.
    case json
    /// A whole batch of rows with its own checksums, for full speed between Millrace programs.
    case block

    /// The format for topics of `kind` where nobody says.
    static func standard(for kind: TopicConfiguration.Kind) -> KafkaFormat {
        kind == .bytes ? .bytes : .float32
    }

    /// Whether records of this format can become rows of such a topic, or be made of them.
    func fits(_ kind: TopicConfiguration.Kind) -> Bool {
        switch self {
        case .bytes: kind == .bytes
        case .float32, .json: kind == .features
        case .block: kind != .predictions
        }
    }
}

/// What the values of records are that a stage reads from Kafka.
public enum KafkaRowFormat: String, Sendable, CaseIterable, Codable {
    /// An object: `{"features":[…]}`, null for a missing value, or the columns by name that the
    /// model's feature specification takes.
    case json
    /// A line of CSV without a header, which the model's feature specification encodes.
    case csv
    /// Little-endian float32, the features of a row; NaN is a missing value.
    case float32
    /// A whole batch of rows of features; see `KafkaFormat.block`.
    case block
}

/// What the values of records are that a score stage writes to Kafka.
public enum KafkaPredictionFormat: String, Sendable, CaseIterable, Codable {
    /// `{"prediction":…,"outputs":[…],"model":…,"source":{…}}`.
    case json
    /// Little-endian float32, the model's outputs; NaN where there is no prediction.
    case float32
}

/// What a stage does with a record that is no row.
public enum BadRecordAction: String, Sendable, CaseIterable, Codable {
    /// Leave it out, and count it.
    case skip
    /// End with an error that names it, everything before it being committed.
    case stop
    /// Write it to another topic, with the reason and its place in headers, and go on.
    case deadLetter = "dead-letter"
}

/// What to do with a record that is not what the format says.
public enum BadRecordPolicy: String, Sendable, CaseIterable, Codable {
    /// Leave it out, record that in the log, count it.
    case skip
    /// End with an error that names it.
    case stop
}

/// Why a record is no row.
///
/// The number is what the log has of a record that was left out (`RecordBatch.drop`).
public enum BadRecordReason: UInt32, Sendable, CaseIterable {
    /// The record has no value, which in Kafka means that what has its key was deleted.
    case noValue = 80
    /// The value is not what the format says.
    case undecodable = 81
    /// The value, key or headers are beyond what the log takes.
    case beyondLimits = 82

    /// The reason as summaries name it.
    public var name: String {
        switch self {
        case .noValue: "no-value"
        case .undecodable: "undecodable"
        case .beyondLimits: "beyond-limits"
        }
    }
}

/// Why a record is no row, in words.
package struct RecordFault: Error, Equatable {
    /// Why, for programs.
    package let reason: BadRecordReason
    /// Why, for people.
    package let message: String

    package init(_ reason: BadRecordReason, _ message: String) {
        self.reason = reason
        self.message = message
    }
}
