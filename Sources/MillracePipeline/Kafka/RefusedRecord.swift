internal import MillraceFeatures
internal import MillraceKafka
internal import MillraceLog

/// Why a stage makes nothing of a record.
struct Refusal {
    /// What the log has of it.
    let reason: UInt32
    /// The reason as summaries and headers name it.
    let name: String
    /// Why, for people.
    let message: String
    /// Whether the record is a row of text as such, which the specification rejects.
    let isRejectedRow: Bool

    /// A record that is no row.
    init(_ fault: RecordFault) {
        reason = fault.reason.rawValue
        name = fault.reason.name
        message = fault.message
        isRejectedRow = false
    }

    /// A row that cannot be encoded.
    init(_ rejection: RejectReason, _ message: String) {
        reason = rejection.rawValue
        name = rejection.name
        self.message = message
        isRejectedRow = true
    }
}

/// A record that a stage makes nothing of.
struct RefusedRecord {
    let offset: UInt64
    let refusal: Refusal
    /// The record as it was; empty where nobody wants it.
    var value: [UInt8]?
    var key: [UInt8]?
    var headers: [RowHeader] = []
    var milliseconds: Int64 = 0
}
