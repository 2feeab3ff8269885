internal import MillraceSystem

/// What a partition's control page says, as far as it can be believed.
///
/// The words whose layout belongs to the format are read here and nowhere else in verification.
struct ControlState: Sendable {
    /// Epoch of the newest writer.
    private(set) var epoch: UInt64?
    /// Log position up to which batches may be read.
    private(set) var published: UInt64?
    private(set) var endOffset: UInt64?
    private(set) var ceiling: UInt64?
    /// Log position of the first segment.
    private(set) var start: UInt64 = 0
    /// Whether the machine went down since the last writer: the end may be torn.
    private(set) var mayBeTorn = false

    init(_ scope: PartitionScope, _ findings: inout Findings) {
        do throws(LogError) {
            let control = try ControlPage(
                scope.directory + "/control", topicID: scope.topicID, partition: scope.partition,
                writable: false)
            read(control, scope, &findings)
            try control.checkOffsets()
        } catch {
            findings.refused(.metadata, Self.page, error)
        }
    }

    /// Whether a writer has worked between two looks at the page.
    func isNewer(than other: ControlState) -> Bool {
        guard let epoch, let published, let before = other.epoch, let end = other.published else {
            return false
        }
        return epoch > before || published > end
    }

    /// Whether a segment was there when the page said this.
    func covers(_ part: SegmentPart) -> Bool {
        UInt64(part.epoch) <= epoch ?? .max && part.basePosition <= published ?? .max
    }

    private static let page = "the control page of the partition"

    private mutating func read(
        _ control: borrowing ControlPage, _ scope: PartitionScope, _ findings: inout Findings
    ) {
        do throws(LogError) {
            let word = try control.publishedValue()
            epoch = word.epoch
            published = word.position
        } catch {
            findings.refused(.metadata, Self.page, error)
        }
        do throws(LogError) {
            endOffset = try control.endOffsetValue()
            ceiling = try control.ceilingValue()
            start = try control.startPosition()
            _ = try control.durablePosition()
            _ = try control.stateValue()
            _ = try control.allocatedValue()
            _ = try control.startOffsetValue()
            mayBeTorn = try Self.mayBeTorn(control, scope)
        } catch {
            findings.refused(.metadata, Self.page, error)
        }
    }

    private static func mayBeTorn(
        _ control: borrowing ControlPage, _ scope: PartitionScope
    ) throws(LogError) -> Bool {
        let clean = try control.cleanValue()
        let published = try control.publishedValue()
        let boot = try control.bootValue()
        do throws(SystemError) {
            return try BootID.current(for: scope.directory) != boot && clean != published
        } catch {
            return false
        }
    }
}
