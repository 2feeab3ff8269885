internal import MillraceFeatures

/// Encodes rows of text and gives each to the lane that its route names.
///
/// The drops of rejected rows, and of rows that no route takes, are recorded in the first lane, so that
/// every source row has one outcome in exactly one of them. **Thread-safety**: one owner.
final class RowSorter {
    /// Reason of a dropped row that no route takes.
    static let unroutedReason: UInt32 = 128

    /// Rows that are encoded before lanes finish, about.
    let blockRows: Int
    private let specification: FeatureSpecification
    private let lanes: [any FeatureLane]
    private var encoder: RowEncoder
    private var scratch: [Float]

    /// Why a row cannot be encoded.
    struct Rejection {
        var reason: RejectReason
        var column: Int
    }

    init(_ specification: FeatureSpecification, into lanes: [any FeatureLane]) {
        self.specification = specification
        self.lanes = lanes
        encoder = RowEncoder(specification)
        blockRows = FeatureBlock.rows(width: specification.width)
        scratch = [Float](repeating: 0, count: specification.width)
    }

    /// Begins with source rows from `offset` on.
    func begin(at offset: UInt64) {
        for lane in lanes { lane.begin(at: offset) }
    }

    /// Adds a row to its lane; one that cannot be encoded is returned, and has no outcome yet.
    func sort(_ line: Span<UInt8>, _ origin: borrowing RowOrigin) throws -> Rejection? {
        let outcome: RowOutcome
        do {
            var row = scratch.mutableSpan
            outcome = encoder.encode(line, offset: origin.offset, into: &row)
        }
        switch outcome {
        case .encoded(let label, let route):
            if lanes.indices.contains(route) {
                let features = scratch
                try lanes[route].add(features.span, label: label, origin)
            } else {
                drop(offset: origin.offset, reason: Self.unroutedReason)
            }
            return nil
        case .rejected(let reason, let column): return Rejection(reason: reason, column: column)
        }
    }

    /// Says in words why a row was rejected.
    func explain(_ rejection: Rejection, _ line: Span<UInt8>) -> String {
        specification.explain(rejection.reason, column: rejection.column, line: line)
    }

    /// Records that a source row has no output.
    func drop(offset: UInt64, reason: UInt32) { lanes[0].drop(offset: offset, reason: reason) }

    /// Writes what was sorted since `begin`; every row before `end` has its outcome then.
    func finish(at end: UInt64, epoch: UInt32 = 0) throws {
        for lane in lanes { try lane.finish(at: end, epoch: epoch) }
    }

    /// Makes what was written durable and lets go of the lanes.
    func close() throws { for lane in lanes { try lane.close() } }
}
